package jetstream

import (
	"sync"
	"time"

	"github.com/nats-io/nats.go"
)

// cutOff is how long nothing may be answered before another server is tried: the one
// that this process is connected to may be cut off from the others, and not know.
const cutOff = 3 * time.Second

// route notices when the way to the cluster leads nowhere.
type route struct {
	mu   sync.Mutex
	good time.Time // when an answer came last, or another server was tried
}

// works notes that an answer came.
func (r *route) works() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.good = time.Now()
}

// fails notes that none came in time, and goes to another server if that has been so
// for a while. It is of no use where there is no other.
func (r *route) fails(conn *nats.Conn) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if time.Since(r.good) < cutOff || len(conn.Servers()) < 2 || !conn.IsConnected() {
		return
	}
	r.good = time.Now()
	_ = conn.ForceReconnect() // fails where the connection is closed, and is of no use then
}
