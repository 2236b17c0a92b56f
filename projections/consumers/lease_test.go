package consumers_test

import (
	"context"
	"errors"
	"fmt"
	"sort"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/consumers"
)

// errLost is what a node is told where it cannot know.
var errLost = errors.New("no answer from the cells")

// node is the cells as one of several processes has them: it can be paused, and told
// that a write has failed, whatever became of it.
type node struct {
	eventstore.Cells

	mu     sync.Mutex
	paused chan struct{} // closed when it goes on; nil: it runs
	fate   func() fate   // of the next write; nil: stored
}

// fate is what becomes of a write.
type fate struct {
	dropped, unheard bool
	late             time.Duration // until it is stored
}

func (n *node) pause() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused == nil {
		n.paused = make(chan struct{})
	}
}

func (n *node) resume() {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.paused != nil {
		close(n.paused)
		n.paused = nil
	}
}

// tell sets what becomes of writes from now on.
func (n *node) tell(fate func() fate) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.fate = fate
}

// run waits while the node is paused.
func (n *node) run() {
	n.mu.Lock()
	paused := n.paused
	n.mu.Unlock()
	if paused != nil {
		<-paused
	}
}

// Cell is cut off from the context: it ends while the node is paused.
func (n *node) Cell(ctx context.Context, name string) ([]byte, uint64, error) {
	n.run()
	return n.Cells.Cell(context.WithoutCancel(ctx), name)
}

func (n *node) SetCell(ctx context.Context, name string, value []byte, revision uint64) (uint64, error) {
	n.run()
	n.mu.Lock()
	var f fate
	if n.fate != nil {
		f = n.fate()
	}
	n.mu.Unlock()
	ctx = context.WithoutCancel(ctx)
	switch {
	case f.dropped:
		return 0, errLost
	case f.late > 0:
		go func() {
			time.Sleep(f.late)
			_, _ = n.Cells.SetCell(ctx, name, value, revision)
		}()
		return 0, errLost
	}
	next, err := n.Cells.SetCell(ctx, name, value, revision)
	if f.unheard {
		return 0, errLost
	}
	return next, err
}

// cluster is a log and the cells beside it.
type cluster struct {
	t   *testing.T
	log *memory.Store
}

// clustered runs a test with a cluster, in a time of its own.
func clustered(t *testing.T, test func(t *testing.T, c *cluster)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		c := &cluster{t: t, log: memory.New()}
		grow(t, c.log, "a", "b", "c", "d", "e", "f")
		test(t, c)
	})
}

// join is another process.
func (c *cluster) join() (*node, *consumers.Registry) {
	c.t.Helper()
	return c.joinWith(nil)
}

func (c *cluster) joinWith(opts *consumers.CellOptions) (*node, *consumers.Registry) {
	c.t.Helper()
	n := &node{Cells: c.log}
	r, err := consumers.OpenCells(c.t.Context(), n, c.log, opts)
	require.NoError(c.t, err)
	c.t.Cleanup(func() { require.NoError(c.t, r.Close()) })
	return n, r
}

// standBy waits for the name, beside the test.
func standBy(t *testing.T, r *consumers.Registry) (taken <-chan *consumers.Consumer) {
	t.Helper()
	c := make(chan *consumers.Consumer, 1)
	go func() {
		consumer, err := r.Acquire(t.Context(), "mailer", 0)
		if err != nil && t.Context().Err() == nil {
			t.Error(err)
		}
		c <- consumer
	}()
	return c
}

// within is what a channel has after a time, or nil.
func within[T any](d time.Duration, c <-chan *T) *T {
	time.Sleep(d)
	synctest.Wait()
	select {
	case v := <-c:
		return v
	default:
		return nil
	}
}

// However long a consumer is at work, nobody takes over; when its process has vanished,
// somebody does, after a whole lease, and goes on where it was.
func TestTakeOver(t *testing.T) {
	clustered(t, func(t *testing.T, c *cluster) {
		_, here := c.join()
		_, there := c.join()
		first, err := here.Acquire(t.Context(), "mailer", 0)
		require.NoError(t, err)
		require.NoError(t, first.Save(t.Context(), 2))
		taken := standBy(t, there)
		require.Nil(t, within(time.Hour, taken))
		require.NoError(t, first.Save(t.Context(), 3))
		status, err := there.Status(t.Context(), "mailer")
		require.NoError(t, err)
		require.True(t, status.Active)

		require.NoError(t, here.Close(), "without letting go")
		require.Nil(t, within(consumers.DefaultLease/2, taken))
		second := within(consumers.DefaultLease, taken)
		require.NotNil(t, second)
		require.Equal(t, eventstore.Position(3), second.Position())
		require.NoError(t, second.Release())
	})
}

// A lease is as long as its holder says, whatever others would say.
func TestLeaseOfTheHolder(t *testing.T) {
	clustered(t, func(t *testing.T, c *cluster) {
		_, patient := c.joinWith(&consumers.CellOptions{Lease: time.Minute})
		_, hasty := c.joinWith(&consumers.CellOptions{Lease: time.Second})
		_, err := patient.Acquire(t.Context(), "mailer", 0)
		require.NoError(t, err)
		taken := standBy(t, hasty)
		require.Nil(t, within(5*time.Minute, taken))
		require.NoError(t, patient.Close(), "without letting go")
		require.Nil(t, within(30*time.Second, taken))
		second := within(time.Minute, taken)
		require.NotNil(t, second)

		taken = standBy(t, hasty)
		require.NoError(t, second.Release())
		require.NotNil(t, within(time.Second, taken))
		_, third := c.join()
		taken = standBy(t, third)
		require.Nil(t, within(time.Minute, taken))
		require.NoError(t, hasty.Close())
		fourth := within(3*time.Second, taken)
		require.NotNil(t, fourth)
		require.NoError(t, fourth.Release())
	})
}

// What is given back is taken at once.
func TestRelease(t *testing.T) {
	clustered(t, func(t *testing.T, c *cluster) {
		_, here := c.join()
		_, there := c.join()
		first, err := here.Acquire(t.Context(), "mailer", 0)
		require.NoError(t, err)
		taken := standBy(t, there)
		require.Nil(t, within(time.Minute, taken))
		require.NoError(t, first.Release())
		second := within(time.Second, taken)
		require.NotNil(t, second)
		require.NoError(t, second.Release())
		status, err := here.Status(t.Context(), "mailer")
		require.NoError(t, err)
		require.False(t, status.Active)
	})
}

// A consumer that was paused for longer than its lease, before a write or in the midst
// of one, stores nothing when it goes on, and can become active again.
func TestPausedBeyondTheLease(t *testing.T) {
	for _, writing := range []bool{false, true} {
		t.Run(fmt.Sprint("writing ", writing), func(t *testing.T) {
			clustered(t, func(t *testing.T, c *cluster) {
				n, here := c.join()
				_, there := c.join()
				first, err := here.Acquire(t.Context(), "mailer", 0)
				require.NoError(t, err)
				require.NoError(t, first.Save(t.Context(), 2))
				taken := standBy(t, there)
				require.Nil(t, within(time.Minute, taken))

				n.pause()
				saved := make(chan error, 1)
				if writing {
					go func() { saved <- first.Save(t.Context(), 5) }()
				}
				second := within(2*consumers.DefaultLease, taken)
				require.NotNil(t, second)
				require.Equal(t, eventstore.Position(2), second.Position())
				require.NoError(t, second.Save(t.Context(), 3))
				n.resume()
				if !writing {
					saved <- first.Save(t.Context(), 5)
				}
				require.ErrorIs(t, <-saved, consumers.ErrReleased)
				_, err = first.Refresh(t.Context())
				require.ErrorIs(t, err, consumers.ErrReleased)
				require.NoError(t, first.Release(), "it has nothing to give back")
				require.NoError(t, second.Save(t.Context(), 4), "and has taken nothing")

				again := standBy(t, here)
				require.Nil(t, within(time.Minute, again))
				require.NoError(t, second.Release())
				third := within(time.Second, again)
				require.NotNil(t, third)
				require.Equal(t, eventstore.Position(4), third.Position())
				require.NoError(t, third.Release())
			})
		})
	}
}

// A save that failed and was stored all the same, now or in a moment, is neither undone
// nor in the way of the next one.
func TestUnheardSaves(t *testing.T) {
	for name, lost := range map[string]fate{"stored": {unheard: true}, "late": {late: time.Second}, "dropped": {dropped: true}} {
		t.Run(name, func(t *testing.T) {
			clustered(t, func(t *testing.T, c *cluster) {
				n, r := c.join()
				consumer := acquire(t, r, "mailer", 0)
				require.NoError(t, consumer.Save(t.Context(), 1))
				n.tell(func() fate { return lost })
				require.ErrorIs(t, consumer.Save(t.Context(), 4), errLost)
				n.tell(nil)
				require.NoError(t, consumer.Save(t.Context(), 3))
				want := eventstore.Position(3)
				if lost.unheard {
					want = 4 // never back
				}
				require.Equal(t, want, consumer.Position())
				time.Sleep(2 * time.Second)
				status, err := r.Status(t.Context(), "mailer")
				require.NoError(t, err)
				require.Equal(t, want, status.Position)
				require.NoError(t, consumer.Save(t.Context(), 5))
			})
		})
	}
}

// Whoever takes a name without hearing that it has takes it the next time at once.
func TestUnheardAcquire(t *testing.T) {
	clustered(t, func(t *testing.T, c *cluster) {
		n, r := c.join()
		require.NoError(t, r.Enroll(t.Context(), "mailer", 0))
		n.tell(func() fate { return fate{unheard: true} })
		_, err := r.Acquire(t.Context(), "mailer", 0)
		require.ErrorIs(t, err, errLost)
		n.tell(nil)
		began := time.Now()
		acquire(t, r, "mailer", 0)
		require.Zero(t, time.Since(began))
	})
}

// An edit whose answer was lost takes effect once.
func TestUnheardEdits(t *testing.T) {
	for name, lost := range map[string]fate{"stored": {unheard: true}, "late": {late: time.Second}, "dropped": {dropped: true}} {
		t.Run(name, func(t *testing.T) {
			clustered(t, func(t *testing.T, c *cluster) {
				n, r := c.join()
				consumer := acquire(t, r, "mailer", 0)
				hold := consumers.Hold{Place: consumers.Place{Position: 1}, Stream: "s", Version: 1, Attempts: 3, Since: time.Unix(2, 0).UTC()}
				require.NoError(t, consumer.Advance(t.Context(), consumers.Step{Cursor: consumers.After(2), Put: []consumers.Hold{hold}}))
				left := 1
				n.tell(func() fate {
					if left--; left >= 0 {
						return lost
					}
					return fate{}
				})
				were, err := r.Discard(t.Context(), "mailer", "s")
				require.NoError(t, err)
				require.Equal(t, []consumers.Hold{hold}, were)
				time.Sleep(2 * time.Second)
				changed, err := consumer.Refresh(t.Context())
				require.NoError(t, err)
				require.True(t, changed)
				require.Equal(t, consumers.Place{Position: 1, Index: 1}, consumer.Progress().Holds["s"].Place, "one notification is given up")

				n.tell(func() fate { return fate{dropped: true} })
				_, err = r.Retry(t.Context(), "mailer", "s")
				require.ErrorIs(t, err, errLost)
				require.ErrorContains(t, err, "look at it before you try again")
				n.tell(nil)
			})
		})
	}
}

// meddled is cells in which something happens before a cell is read.
type meddled struct {
	eventstore.Cells
	before func()
}

func (m *meddled) Cell(ctx context.Context, name string) ([]byte, uint64, error) {
	m.before()
	return m.Cells.Cell(ctx, name)
}

// An edit whose answer was lost is not repeated on what others have made of it: whether
// it was theirs or its own that came first, nobody can tell.
func TestUnheardEditAmongOthers(t *testing.T) {
	log := memory.New()
	grow(t, log, "a", "b")
	n, reads := &node{Cells: log}, 0
	other, err := consumers.OpenCells(t.Context(), log, log, nil)
	require.NoError(t, err)
	defer other.Close()
	r, err := consumers.OpenCells(t.Context(), &meddled{n, func() {
		if reads++; reads == 3 { // once for Enroll, and once for the first try
			_, err := other.Reset(t.Context(), "mailer", 2)
			require.NoError(t, err)
		}
	}}, log, nil)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Enroll(t.Context(), "mailer", 0))
	n.tell(func() fate { return fate{unheard: true} })
	_, err = r.Reset(t.Context(), "mailer", 1)
	require.ErrorContains(t, err, "may have been stored, or not; somebody has edited it meanwhile")
	status, err := other.Status(t.Context(), "mailer")
	require.NoError(t, err)
	require.Equal(t, eventstore.Position(2), status.Position)
}

// Consumers in cells of something else, of another log or of a newer version are refused.
func TestForeignCells(t *testing.T) {
	log, cells := memory.New(), memory.New()
	r, err := consumers.OpenCells(t.Context(), cells, log, nil)
	require.NoError(t, err)
	defer r.Close()
	require.NoError(t, r.Enroll(t.Context(), "mailer", 0))
	other, err := consumers.OpenCells(t.Context(), cells, memory.New(), nil)
	require.NoError(t, err)
	defer other.Close()
	_, err = other.Acquire(t.Context(), "mailer", 0)
	require.ErrorIs(t, err, consumers.ErrOtherLog)
	for value, target := range map[string]error{
		"": consumers.ErrNotConsumers, "{}": consumers.ErrNotConsumers, "no JSON": consumers.ErrNotConsumers, `{"format":1,"cursor":7}`: consumers.ErrNotConsumers,
		`{"format":2,"cursor":"elsewhere"}`: consumers.ErrNewerFormat,
	} {
		name := fmt.Sprint("c", len(value))
		_, err := cells.SetCell(t.Context(), "consumers/"+name, []byte(value), 0)
		require.NoError(t, err)
		_, err = r.Acquire(t.Context(), name, 0)
		require.ErrorIs(t, err, target, value)
		require.ErrorContains(t, err, name)
	}
	require.NoError(t, cells.Close())
	_, err = consumers.OpenCells(t.Context(), cells, log, nil)
	require.ErrorIs(t, err, eventstore.ErrClosed)
	_, err = consumers.OpenCells(t.Context(), log, log, &consumers.CellOptions{Lease: time.Millisecond})
	require.ErrorContains(t, err, "a lease of 1ms is too short: at least 100ms")
}

// A thousand streams that are held fit, however much is said of what went wrong; of more
// than fit, none is forgotten: the step is refused, and the lease goes on.
func TestManyHolds(t *testing.T) {
	clustered(t, func(t *testing.T, c *cluster) {
		_, r := c.join()
		consumer := acquire(t, r, "mailer", 0)
		hold := func(n int) consumers.Step {
			s := consumers.Step{Cursor: consumers.After(2)}
			for i := range n {
				s.Put = append(s.Put, consumers.Hold{
					Place: consumers.Place{Position: 1}, Stream: fmt.Sprintf("group-%050d", i), Version: 1_000_000, Attempts: 10,
					Due: time.Now(), Since: time.Now(), Error: strings.Repeat("é", 5_000),
				})
			}
			return s
		}
		require.NoError(t, consumer.Advance(t.Context(), hold(1_000)))
		status, err := r.Status(t.Context(), "mailer")
		require.NoError(t, err)
		require.Len(t, status.Holds, 1_000)
		require.Regexp(t, "^é+…$", status.Holds[0].Error)
		for range 5 {
			_, err = r.Reset(t.Context(), "mailer", 0)
			require.NoError(t, err)
			changed, err := consumer.Refresh(t.Context())
			require.NoError(t, err)
			require.True(t, changed)
			require.Equal(t, eventstore.Position(0), consumer.Position())
			require.NoError(t, consumer.Advance(t.Context(), hold(1_000)), "of resets, the oldest are forgotten")
		}
		err = consumer.Advance(t.Context(), hold(3_000))
		require.ErrorIs(t, err, eventstore.ErrCellSize)
		require.ErrorContains(t, err, "3000 streams are held")
		status, err = r.Status(t.Context(), "mailer")
		require.NoError(t, err)
		require.Len(t, status.Holds, 1_000)
		time.Sleep(3 * consumers.DefaultLease)
		require.NoError(t, consumer.Advance(t.Context(), hold(1)))
	})
}

// Nothing that is stored fills a cell so that a lease cannot be taken or renewed.
func TestFullCell(t *testing.T) {
	clustered(t, func(t *testing.T, c *cluster) {
		_, r := c.join()
		consumer := acquire(t, r, "mailer", 0)
		step := consumers.Step{Cursor: consumers.After(1), Trouble: consumers.Trouble{Text: "no", At: time.Now()}}
		var err error
		for n := 4_096; n > 0; {
			last := len(step.Put)
			for i := range n {
				step.Put = append(step.Put, consumers.Hold{Place: consumers.Place{Position: 1}, Stream: fmt.Sprintf("group-%06d", last+i), Since: time.Now()})
			}
			if err = consumer.Advance(t.Context(), step); err != nil {
				step.Put = step.Put[:last]
				n /= 2
			}
		}
		require.ErrorIs(t, err, eventstore.ErrCellSize)
		sort.Search(400, func(n int) bool { // the longest text that fits is stored
			step.Trouble.Text = strings.Repeat("x", n)
			return consumer.Advance(t.Context(), step) != nil
		})
		require.NoError(t, consumer.Release())
		consumer = acquire(t, r, "mailer", 0)
		_, other := c.join()
		require.True(t, within(3*consumers.DefaultLease/2, standBy(t, other)) == nil, "the lease is renewed")
		require.NoError(t, consumer.Advance(t.Context(), consumers.Step{Cursor: consumers.After(2), Drop: []string{step.Put[0].Stream}}))
	})
}
