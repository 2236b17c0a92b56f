package projections_test

import (
	"context"
	"database/sql"
	"os"
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// byHand are options without a runner, in pages that hold everything.
func byHand(p ...projections.Projection) *projections.Options {
	opts := options(p...)
	opts.Manual = true
	return opts
}

func TestAPageThatIsHalfAppliedIsAppliedByHalf(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 5)
	behind, err := projections.Open(t.Context(), path, log, byHand())
	require.NoError(t, err)
	defer behind.Close()
	opened(t, path, log, byHand()) // applies the five
	grow(t, log, 5)
	require.NoError(t, behind.CatchUp(t.Context())) // in one page of ten
	require.Equal(t, digest(t, log), digestOf(t, behind))
}

func TestARunnerThatIsNotToldLooksForItself(t *testing.T) {
	log := grown(t, 3)
	opts := options()
	opts.Poll = time.Millisecond
	views := opened(t, ":memory:", deaf{log}, opts)
	for range 3 {
		require.NoError(t, views.WaitFor(t.Context(), grow(t, log, 1)))
	}
}

func TestNothingIsRememberedOfAPageThatFailed(t *testing.T) {
	log := grown(t, 5)
	var failures atomic.Int64
	c := counter{name: "counts", fail: func(e projections.Event) error {
		if e.Position == 9 && failures.Add(1) == 1 {
			return errPoison
		}
		return nil
	}}
	views := opened(t, ":memory:", log, byHand(c))
	grow(t, log, 5)
	require.ErrorIs(t, views.CatchUp(t.Context()), errPoison)
	require.NoError(t, views.CatchUp(t.Context()), "without a runner, every call tries again")
	require.Equal(t, digest(t, log), digestOf(t, views))
}

// TestNothingIsRememberedOfRowsThatWereReplaced: neither here nor by the other who has
// the file open, whose checkpoint has the same position before and after.
func TestNothingIsRememberedOfRowsThatWereReplaced(t *testing.T) {
	for _, own := range []bool{true, false} {
		path := filepath.Join(t.TempDir(), "v.db")
		log := grown(t, 5)
		views := opened(t, path, log, byHand())
		require.NoError(t, views.Close())
		edit(t, path, "UPDATE counts SET n = n + 70")

		views = opened(t, path, log, byHand())
		grow(t, log, 6)
		require.NoError(t, views.CatchUp(t.Context())) // remembers wrong counts
		rebuilder := views
		if !own {
			rebuilder = opened(t, path, log, byHand())
		}
		require.NoError(t, rebuilder.Rebuild(t.Context(), nil))
		grow(t, log, 6)
		require.NoError(t, views.CatchUp(t.Context()))
		require.Equal(t, digest(t, log), digestOf(t, views))
	}
}

func TestDigestSeesEveryRow(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	views := opened(t, path, grown(t, 9), byHand())
	seen := map[string]bool{digestOf(t, views).Tables["counts.counts"]: true}
	for _, stream := range []string{"group:a", "group:b", "group:c"} {
		edit(t, path, "UPDATE counts SET n = n + 1 WHERE stream = '"+stream+"'")
		seen[digestOf(t, views).Tables["counts.counts"]] = true
	}
	require.Len(t, seen, 4)
}

func TestCompareGoesToWhereTheRowsAre(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		log := grown(t, 20)
		opts := options()
		opts.RebuildPageSize = 5
		views := opened(t, path, log, opts)
		differences, err := views.Compare(t.Context(), func(_, _ eventstore.Position) {
			require.NoError(t, views.WaitFor(t.Context(), grow(t, log, 3)))
		})
		require.NoError(t, err)
		require.Empty(t, differences)
	})
}

// TestARebuildDoesNotGoBack: events that were applied while the new rows were made are
// in them.
func TestARebuildDoesNotGoBack(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		log := grown(t, 20)
		opts := options()
		opts.RebuildPageSize = 5
		views := opened(t, path, log, opts)
		require.NoError(t, views.Rebuild(t.Context(), func(_, _ eventstore.Position) {
			require.NoError(t, views.WaitFor(t.Context(), grow(t, log, 3)))
		}))
		head, err := log.Head(t.Context())
		require.NoError(t, err)
		require.Equal(t, head, digestOf(t, views).Position)
		require.Equal(t, digest(t, log), digestOf(t, views))
	})
}

// TestTheSwapTakesWhatIsNewest: what is applied to the old rows after they have been compared
// with the new ones, before they are replaced.
func TestTheSwapTakesWhatIsNewest(t *testing.T) {
	each(t, func(t *testing.T, path string) {
		log := &asked{Store: grown(t, 20)}
		views := opened(t, path, log, byHand())
		looks := 0 // for the head
		log.before = func() { looks++ }
		require.NoError(t, views.Rebuild(t.Context(), nil))
		last := looks
		log.before = func() {
			if last--; last == 0 {
				log.before = nil
				require.NoError(t, views.WaitFor(t.Context(), grow(t, log, 3)))
			}
		}
		require.NoError(t, views.Rebuild(t.Context(), nil))
		require.Nil(t, log.before)
		require.Equal(t, eventstore.Position(23), views.Position())
		require.Equal(t, digest(t, log), digestOf(t, views))
	})
}

// asked is a store that says when it is asked for its head.
type asked struct {
	eventstore.Store
	before func()
}

func (a *asked) Head(ctx context.Context) (eventstore.Position, error) {
	if a.before != nil {
		a.before()
	}
	return a.Store.Head(ctx)
}

// TestALockIsWaitedFor: as long as another process holds it and the caller wants to.
func TestALockIsWaitedFor(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 3)
	running, manual := opened(t, path, log, options()), opened(t, path, log, byHand())
	db, err := sql.Open("sqlite3", "file:"+path+"?_txlock=immediate")
	require.NoError(t, err)
	defer db.Close()
	lock, err := db.Begin()
	require.NoError(t, err)

	at := grow(t, log, 3)
	for _, views := range []*projections.Views{running, manual} {
		short, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		require.ErrorIs(t, views.WaitFor(short, at), context.DeadlineExceeded)
		cancel()
		require.Equal(t, eventstore.Position(3), digestOf(t, views).Position, "queries are answered")
	}
	require.NoError(t, lock.Rollback())
	require.NoError(t, running.WaitFor(t.Context(), at))
	require.NoError(t, manual.WaitFor(t.Context(), at))
}

// TestTwoCopiesOfALogDoNotShareAFile: the one that comes later finds rows that its copy
// does not explain and drops them, and the other one notices and lets them be.
func TestTwoCopiesOfALogDoNotShareAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	for name, ahead := range map[string]int{"as long": 5, "longer": 9} {
		mine := grown(t, 10)
		views := opened(t, path, mine, options())
		copied := relabelled{grown(t, 5), mine.ID()} // restored, and gone another way
		_, err := copied.Append(t.Context(), eventstore.Commit{Stream: "group:z", Events: []eventstore.Event{
			{Type: "member.joined", Schema: 1, Data: []byte(`{"userID":"other"}`), Time: start},
		}})
		require.NoError(t, err)
		grow(t, copied, ahead-1)
		want := digest(t, copied)
		theirs := opened(t, path, copied, options())
		require.Equal(t, want, digestOf(t, theirs), name)

		require.ErrorIs(t, views.WaitFor(t.Context(), grow(t, mine, 10)), projections.ErrOtherHistory, name)
		require.Equal(t, want, digestOf(t, theirs), "%s: nothing of another history is in the rows", name)
		require.NoError(t, views.Close())
		require.NoError(t, theirs.Close())
		require.NoError(t, os.Remove(path))
	}
}

// TestALogThatChangesUnderTheRows: it becomes shorter, grows again in another way, and the
// rows, which nobody has asked for meanwhile, are not mixed of both.
func TestALogThatChangesUnderTheRows(t *testing.T) {
	for name, after := range map[string]int{"shorter": 0, "a little longer": 5, "longer": 9} {
		path := filepath.Join(t.TempDir(), "v.db")
		log := &switched{Store: grown(t, 10)}
		views := opened(t, path, log, byHand())
		was := digestOf(t, views)
		other := grown(t, 5)
		_, err := other.Append(t.Context(), eventstore.Commit{Stream: "group:z", Events: []eventstore.Event{
			{Type: "member.joined", Schema: 1, Data: []byte(`{"userID":"other"}`), Time: start},
		}})
		require.NoError(t, err)
		grow(t, other, after)
		log.Store = relabelled{other, log.ID()}
		err = views.WaitFor(t.Context(), 11)
		if after < 4 {
			require.ErrorIs(t, err, eventstore.ErrDamaged, name)
		} else {
			require.ErrorIs(t, err, projections.ErrOtherHistory, name)
		}
		require.Equal(t, was, digestOf(t, views), name)
		require.NoError(t, views.Close())
		require.Equal(t, digest(t, log), digestOf(t, opened(t, path, log, byHand())), "%s: opening repairs", name)
	}
}

// switched is a log in whose place another one is put.
type switched struct{ eventstore.Store }
