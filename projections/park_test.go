package projections_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"testing"

	"github.com/mattn/go-sqlite3"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// poisoned fails at a position, as long as the switch is on.
func poisoned(at eventstore.Position, on *atomic.Bool, fail func() error) counter {
	return counter{name: "counts", fail: func(e projections.Event) error {
		if e.Position == at && on.Load() {
			return fail()
		}
		return nil
	}}
}

// parking opens views that are parked, and waits until they are.
func parking(t *testing.T, path string, log eventstore.Store, p projections.Projection) (*projections.Views, *projections.ParkedError) {
	t.Helper()
	opts := options(p)
	opts.Park = true
	views, err := projections.Open(t.Context(), path, log, opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, views.Close()) })
	var parked *projections.ParkedError
	require.ErrorAs(t, views.CatchUp(t.Context()), &parked)
	return views, parked
}

// TestWhatFailsIsParked right before the event at which it does, until it is told to go on.
func TestWhatFailsIsParked(t *testing.T) {
	failures := map[string]func() error{
		"error": func() error { return errPoison },
		"panic": func() error { panic("poison") },
	}
	for name, fail := range failures {
		t.Run(name, func(t *testing.T) {
			each(t, func(t *testing.T, path string) {
				log := grown(t, 1000)
				var on atomic.Bool
				on.Store(true)
				views, parked := parking(t, path, log, poisoned(777, &on, fail))
				require.EqualValues(t, 777, parked.Position)
				require.Contains(t, parked.Reason, "poison")
				require.EqualValues(t, 776, views.Position())
				sums(t, views, 776)
				status, err := views.Status(t.Context())
				require.NoError(t, err)
				require.Len(t, status, 1)
				require.True(t, status[0].Parked)
				require.Equal(t, 224, status[0].Lag())
				require.Equal(t, parked.Error(), status[0].Failure)

				require.NoError(t, views.Retry(t.Context()), "in vain")
				require.Error(t, views.CatchUp(t.Context()))
				on.Store(false)
				require.NoError(t, views.Retry(t.Context()))
				require.NoError(t, views.CatchUp(t.Context()))
				require.Equal(t, digest(t, log), digestOf(t, views))
				status, err = views.Status(t.Context())
				require.NoError(t, err)
				require.Equal(t, projections.Status{Name: "counts", Version: 1, Position: 1000, Head: 1000}, status[0])
			})
		})
	}
}

func sums(t *testing.T, views *projections.Views, want int) {
	t.Helper()
	require.NoError(t, views.Read(t.Context(), func(tx *sql.Tx) error {
		var n int
		require.NoError(t, tx.QueryRow("SELECT coalesce(sum(n), 0) FROM counts").Scan(&n))
		require.Equal(t, want, n)
		return nil
	}))
}

// TestParkingSurvivesRestarts of the same version, and a new version or a rebuild ends it.
func TestParkingSurvivesRestarts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 10)
	var on atomic.Bool
	on.Store(true)
	p := poisoned(5, &on, func() error { return errPoison })
	first, _ := parking(t, path, log, p)
	require.NoError(t, first.Close())

	on.Store(false)
	again, parked := parking(t, path, log, p)
	require.Equal(t, &projections.ParkedError{Projection: "counts", Version: 1, Position: 5, Reason: "poison"}, parked, "not tried")
	require.NoError(t, again.Rebuild(t.Context(), nil))
	require.NoError(t, again.CatchUp(t.Context()))
	sums(t, again, 10)
	require.NoError(t, again.Close())

	on.Store(true)
	p.version = 2
	last, _ := parking(t, path, log, p)
	require.NoError(t, last.Close())
	on.Store(false)
	p.version = 3
	views := opened(t, path, log, func() *projections.Options { o := options(p); o.Park = true; return o }())
	sums(t, views, 10)
}

// TestWhatPassesIsNotParked: a full disk is not the projection's fault.
func TestWhatPassesIsNotParked(t *testing.T) {
	var times atomic.Int32
	p := counter{name: "counts", fail: func(projections.Event) error {
		if times.Add(1) == 1 {
			return fmt.Errorf("insert: %w", sqlite3.Error{Code: sqlite3.ErrFull})
		}
		return nil
	}}
	opts := options(p)
	opts.Park = true
	views, err := projections.Open(t.Context(), ":memory:", grown(t, 10), opts)
	require.NoError(t, err)
	defer views.Close()
	for views.Position() < 10 {
		var parked *projections.ParkedError
		require.False(t, errors.As(views.CatchUp(t.Context()), &parked))
	}
}

// leaky panics between a query and its rows, which nobody closes then.
type leaky struct{ counter }

func (l leaky) Apply(ctx context.Context, tx *projections.Tx, events []projections.Event) error {
	rows, err := tx.Query("SELECT n FROM counts UNION SELECT 1 UNION SELECT 2")
	if err != nil {
		return err
	}
	rows.Next()
	panic(fmt.Sprint("before the rows are closed: ", rows.Err()))
}

// TestAPanicWithOpenRows lets go of the file.
func TestAPanicWithOpenRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v.db")
	log := grown(t, 10)
	views, parked := parking(t, path, log, leaky{counter{name: "counts"}})
	require.EqualValues(t, 1, parked.Position)
	require.NoError(t, views.Close())
	opts := options(counter{name: "counts"})
	views = opened(t, path, log, opts)
	require.NoError(t, views.Rebuild(t.Context(), nil))
	sums(t, views, 10)
}

// picky is a counter of some types.
type picky struct {
	counter
	types []string
	seen  *[]eventstore.Position
}

func (p picky) Types() []string { return p.types }

func (p picky) Apply(ctx context.Context, tx *projections.Tx, events []projections.Event) error {
	for _, e := range events {
		*p.seen = append(*p.seen, e.Position)
		if _, message := projections.TopicOf(e.Stream); e.Fact == nil && !message {
			return fmt.Errorf("position %d has no fact", e.Position)
		}
	}
	return p.counter.Apply(ctx, tx, events)
}

// TestSelective: only what is wanted is given, and only what somebody wants is decoded.
func TestSelective(t *testing.T) {
	log := grown(t, 3)
	message, err := projections.Message{UUID: "m"}.Event()
	require.NoError(t, err)
	message.Time = start
	left := eventstore.Event{Type: "member.left", Schema: 1, Data: []byte(`{"userID":"u"}`), Time: start}
	unknown := eventstore.Event{Type: "group.painted", Schema: 1, Data: []byte(`{}`), Time: start}
	_, err = log.Append(t.Context(),
		eventstore.Commit{Stream: domain.GroupStream("a"), Events: []eventstore.Event{left, unknown, left}},
		eventstore.Commit{Stream: projections.MessageStream("topic"), Events: []eventstore.Event{message}})
	require.NoError(t, err)
	for _, test := range []struct {
		types []string
		want  []eventstore.Position
	}{
		{[]string{"member.left"}, []eventstore.Position{4, 6}},
		{[]string{"member.*"}, []eventstore.Position{1, 2, 3, 4, 6}},
		{[]string{"group.created"}, nil},
		{[]string{"message.published", "member.left"}, []eventstore.Position{4, 6, 7}},
	} {
		var seen []eventstore.Position
		views := opened(t, ":memory:", log, options(picky{counter{name: "counts"}, test.types, &seen}))
		require.Equal(t, test.want, seen, "%v", test.types)
		require.EqualValues(t, 7, views.Position(), "the checkpoint moves all the same")
	}
	var seen []eventstore.Position
	_, err = projections.Open(t.Context(), ":memory:", log, options(picky{counter{name: "counts"}, []string{"member.glued"}, &seen}))
	require.ErrorContains(t, err, "member.glued")
	_, err = projections.Open(t.Context(), ":memory:", log, options(picky{counter{name: "counts"}, nil, &seen}))
	require.ErrorContains(t, err, "Types is empty")
}
