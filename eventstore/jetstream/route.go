package jetstream

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// cutOff is how long something may be in vain before another server is tried: the one
// that this process is connected to may be cut off from the others, and not know. It may
// even answer, that another append is under way, for one that never will be.
const cutOff = 4 * time.Second

// route is the way to the cluster.
type route struct {
	mu      sync.Mutex
	changed time.Time // when another server was tried last
	noReply time.Time // when a replica said nothing
	wait    time.Duration
}

// How long a replica may say nothing before it is given up: a server that is cut off is
// still asked by the others, for some minutes, and never answers. One that has much to
// do takes longer.
const (
	leastSilence = 300 * time.Millisecond
	mostSilence  = 5 * time.Second
)

func (r *route) silence() time.Duration {
	r.mu.Lock()
	defer r.mu.Unlock()
	return max(r.wait, leastSilence)
}

// silent notes that a replica said nothing for as long as it might.
func (r *route) silent() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.noReply = time.Now()
	r.wait = min(2*max(r.wait, leastSilence), mostSilence)
}

// answered notes how long a replica took to say something.
func (r *route) answered(took time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.wait = min(4*took, mostSilence)
}

// isSilent reports whether a replica has said nothing lately: another one might not either.
func (r *route) isSilent() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return time.Since(r.noReply) < cutOff
}

// vain notes that something has been in vain since a moment, and goes to another server
// if that is long ago. It is of no use where there is no other.
func (r *route) vain(conn *nats.Conn, since time.Time) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(since) < cutOff || time.Since(r.changed) < cutOff || len(conn.Servers()) < 2 || !conn.IsConnected() {
		return
	}
	r.changed = time.Now()
	_ = conn.ForceReconnect() // fails where the connection is closed, and is of no use then
}
