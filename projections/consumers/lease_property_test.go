package consumers_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/consumers"
)

// records is how long the log of a world is.
const records = 60

// Whatever is paused, killed or lost, for however long: what is stored never goes back
// but by a reset, everything before it has been handled, and who has lost the name
// handles no more than what was under way. In the end everything is handled.
func TestLeasesThroughEverything(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // not a *testing.T, whose deadline is not of the bubble's time
			w := newWorld(t)
			defer w.close()
			for range rapid.IntRange(1, 40).Draw(t, "steps") {
				w.step(t)
				synctest.Wait()
			}
			w.finish(t)
		})
	})
}

// world is some processes, each with a consumer of one name, and the cells that they
// share, of which it sees every value.
type world struct {
	eventstore.Cells
	log   *memory.Store
	nodes []*process
	admin *process // where an operator sits

	mu      sync.Mutex
	random  *rand.Rand
	broken  []string
	last    stored
	handled [records + 1]bool // since the last reset, or before what it has skipped
}

// stored is what a cell says.
type stored struct {
	Tenure int64
	Holder string
	Edits  int64
	Cursor struct{ Position eventstore.Position }
}

// process is a node with a consumer, until it is killed.
type process struct {
	*node
	world    *world
	registry *consumers.Registry
	end      context.CancelFunc
	ended    chan struct{}
	losses   int // under the world's mutex
}

func newWorld(t *rapid.T) *world {
	w := &world{log: memory.New(), random: rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0))}
	w.Cells = w.log
	for i := range records {
		_, err := w.log.Append(t.Context(), eventstore.Commit{Stream: "s", Events: []eventstore.Event{{
			Type: "test.happened", Schema: 1, Data: fmt.Appendf(nil, "%d", i), Time: time.Unix(1, 0),
		}}})
		require.NoError(t, err)
	}
	w.admin = w.start()
	for range rapid.IntRange(1, 3).Draw(t, "nodes") {
		w.nodes = append(w.nodes, w.start().listening())
	}
	return w
}

func (w *world) start() *process {
	p := &process{node: &node{Cells: w}, world: w}
	var err error
	if p.registry, err = consumers.OpenCells(context.Background(), p, w.log, nil); err != nil {
		panic(err)
	}
	return p
}

// SetCell judges what is stored.
func (w *world) SetCell(ctx context.Context, name string, value []byte, revision uint64) (uint64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	next, err := w.Cells.SetCell(ctx, name, value, revision)
	if err != nil {
		return next, err
	}
	var now stored
	if err := json.Unmarshal(value, &now); err != nil {
		w.wrong("unreadable: %v", err)
	}
	at := now.Cursor.Position
	switch {
	case now.Edits > w.last.Edits:
		for p := range w.handled {
			w.handled[p] = eventstore.Position(p) <= at
		}
	case at < w.last.Cursor.Position:
		w.wrong("back from %d to %d", w.last.Cursor.Position, at)
	}
	for p := eventstore.Position(1); p <= at; p++ {
		if !w.handled[p] {
			w.wrong("%d is stored, and %d has not been handled", at, p)
		}
	}
	if now.Tenure < w.last.Tenure || now.Edits < w.last.Edits || now.Tenure == w.last.Tenure && now.Holder != w.last.Holder && now.Holder != "" {
		w.wrong("%+v after %+v", now, w.last)
	}
	w.last = now
	return next, nil
}

// wrong notes what should not have been. The caller holds mu.
func (w *world) wrong(format string, args ...any) {
	w.broken = append(w.broken, fmt.Sprintf(format, args...))
}

// wait waits for up to a time.
func (w *world) wait(ctx context.Context, most time.Duration) {
	w.mu.Lock()
	d := time.Duration(w.random.Int64N(int64(most)))
	w.mu.Unlock()
	select {
	case <-time.After(d):
	case <-ctx.Done():
	}
}

// chance is true n times in a hundred.
func (w *world) chance(n int) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.random.IntN(100) < n
}

// lossy is the fate of writes in a bad network.
func (p *process) lossy() fate {
	p.world.mu.Lock()
	defer p.world.mu.Unlock()
	f := fate{}
	switch p.world.random.IntN(8) {
	case 0:
		f.dropped = true
	case 1:
		f.unheard = true
	case 2:
		f.late = 1 + time.Duration(p.world.random.Int64N(int64(3*consumers.DefaultLease)))
	default:
		return f
	}
	p.losses++
	return f
}

// listening has a consumer at work in the process.
func (p *process) listening() *process {
	var ctx context.Context
	ctx, p.end = context.WithCancel(context.Background())
	p.ended = make(chan struct{})
	go p.listen(ctx)
	return p
}

// listen is a consumer at work until the process is killed.
func (p *process) listen(ctx context.Context) {
	defer close(p.ended)
	for ctx.Err() == nil {
		c, err := p.registry.Acquire(ctx, "mailer", 0)
		if err != nil {
			p.world.wait(ctx, time.Second)
			continue
		}
		p.work(ctx, c)
		_ = c.Release() // may fail; then the others wait
	}
}

// work handles one record after the other until the name is lost, or something fails and
// the consumer starts afresh.
func (p *process) work(ctx context.Context, c *consumers.Consumer) {
	w := p.world
	w.mu.Lock()
	late, allowed := 0, 1-p.losses-int(w.last.Edits)
	w.mu.Unlock()
	for ctx.Err() == nil {
		next := c.Position() + 1
		if next > records {
			w.wait(ctx, 2*time.Second)
			if _, err := c.Refresh(ctx); errors.Is(err, consumers.ErrReleased) {
				return
			}
			continue
		}
		w.mu.Lock()
		if w.handled[next] = true; next <= w.last.Cursor.Position {
			if late++; late > allowed+p.losses+int(w.last.Edits) {
				w.wrong("%d is handled, and %d has been", next, w.last.Cursor.Position)
			}
		}
		w.mu.Unlock()
		w.wait(ctx, 2*time.Second)
		switch err := c.Save(ctx, next); {
		case errors.Is(err, consumers.ErrReleased), err != nil && !errors.Is(err, consumers.ErrChanged) && w.chance(50):
			return
		case errors.Is(err, consumers.ErrChanged):
			c.Position()
		}
	}
}

// kill ends a process: what it has begun may still be stored, what it begins is not.
func (p *process) kill() {
	p.tell(func() fate { return fate{dropped: true} })
	p.resume()
	if p.end != nil {
		p.end()
		<-p.ended
	}
	_ = p.registry.Close() // always nil
}

// step has something happen.
func (w *world) step(t *rapid.T) {
	i := rapid.IntRange(0, len(w.nodes)-1).Draw(t, "node")
	n := w.nodes[i]
	switch rapid.SampledFrom([]string{"wait", "wait", "wait long", "pause", "pause", "resume", "resume", "kill", "lossy", "lossy", "sound", "reset"}).Draw(t, "what") {
	case "wait":
		w.wait(t.Context(), 5*time.Second)
	case "wait long":
		w.wait(t.Context(), 4*consumers.DefaultLease)
	case "pause":
		n.pause()
	case "resume":
		n.resume()
	case "kill":
		n.kill()
		w.nodes[i] = w.start().listening()
	case "lossy":
		n.tell(n.lossy)
	case "sound":
		n.tell(nil)
	case "reset":
		w.admin.tell(w.admin.lossy)
		_, _ = w.admin.registry.Reset(t.Context(), "mailer", eventstore.Position(rapid.IntRange(0, records/2).Draw(t, "to")))
	}
}

// finish has everybody go on undisturbed, until everything is handled.
func (w *world) finish(t *rapid.T) {
	for _, n := range w.nodes {
		n.tell(nil)
		n.resume()
	}
	time.Sleep(4*consumers.DefaultLease + records*2*time.Second)
	synctest.Wait()
	w.mu.Lock()
	defer w.mu.Unlock()
	require.Empty(t, strings.Join(w.broken, "\n"))
	require.EqualValues(t, records, w.last.Cursor.Position, "all is handled in the end")
}

func (w *world) close() {
	for _, n := range append(w.nodes, w.admin) {
		n.kill()
	}
}
