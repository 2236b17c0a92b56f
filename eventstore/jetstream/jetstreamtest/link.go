package jetstreamtest

import (
	"context"
	"net"
	"sync"
)

// link carries the connections from one server to another, both ways, unless it is cut:
// then connections stay as they are, new ones are taken, and nothing arrives until it is
// whole again, as where a network loses everything and senders try again.
type link struct {
	listener net.Listener
	target   string
	ctx      context.Context // of all that it does
	cancel   context.CancelFunc
	works    sync.WaitGroup

	mu    sync.Mutex
	whole chan struct{} // closed while it is not cut
}

func newLink(target string) (*link, error) {
	l := &link{target: target, whole: make(chan struct{})}
	close(l.whole)
	l.ctx, l.cancel = context.WithCancel(context.Background())
	var err error
	if l.listener, err = new(net.ListenConfig).Listen(l.ctx, "tcp", address(0)); err != nil {
		return nil, err
	}
	l.works.Go(l.accept)
	return l, nil
}

// port is where the server that sends connects to.
func (l *link) port() int { return l.listener.Addr().(*net.TCPAddr).Port }

func (l *link) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.whole:
		l.whole = make(chan struct{})
	default:
	}
}

func (l *link) mend() {
	l.mu.Lock()
	defer l.mu.Unlock()
	select {
	case <-l.whole:
	default:
		close(l.whole)
	}
}

// pass waits while the link is cut.
func (l *link) pass() {
	for {
		l.mu.Lock()
		whole := l.whole
		l.mu.Unlock()
		select {
		case <-whole:
			return
		case <-l.ctx.Done():
			return
		}
	}
}

func (l *link) accept() {
	for {
		from, err := l.listener.Accept()
		if err != nil {
			return // closed
		}
		l.works.Go(func() { l.carry(from) })
	}
}

// carry connects a connection to the target, for as long as both sides stand.
func (l *link) carry(from net.Conn) {
	defer shut(from)
	l.pass()
	var dialer net.Dialer
	to, err := dialer.DialContext(l.ctx, "tcp", l.target)
	if err != nil {
		return // to the sender, the connection is lost
	}
	defer shut(to)
	defer context.AfterFunc(l.ctx, func() { shut(from, to) })()
	var both sync.WaitGroup
	both.Go(func() { l.copy(to, from) })
	both.Go(func() { l.copy(from, to) })
	both.Wait()
}

// copy carries one direction. When it ends, so does the connection, which the other side
// hears of when the link is whole.
func (l *link) copy(to, from net.Conn) {
	buffer := make([]byte, 64<<10)
	for {
		n, err := from.Read(buffer)
		l.pass()
		if n > 0 {
			if _, failed := to.Write(buffer[:n]); failed != nil {
				err = failed
			}
		}
		if err != nil {
			shut(from, to)
			return
		}
	}
}

func shut(connections ...net.Conn) {
	for _, c := range connections {
		_ = c.Close() // fails where the other direction has closed it
	}
}

func (l *link) close() {
	l.cancel()
	_ = l.listener.Close() // fails where it is closed
	l.works.Wait()
}
