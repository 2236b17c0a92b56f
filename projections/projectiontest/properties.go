package projectiontest

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"testing"
	"testing/synctest"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
)

// properties are what holds of every projection.
var properties = []struct {
	name  string
	check func(t *testing.T, p projections.Projection, h history) error
}{
	{"pages", pages},
	{"rebuild", rebuild},
	{"checkpoints", checkpoints},
	{"turns", turns},
	{"determinism", determinism},
	{"failures", failures},
	{"tables", tables},
}

// pages cuts the events in several ways.
func pages(_ *testing.T, p projections.Projection, h history) error {
	want, err := h.digest(p, 1000)
	if err != nil {
		return err
	}
	for _, size := range []int{1, h.page} {
		got, err := h.digest(p, size)
		if err := same(want, got, err, "pages of %d give other rows than one page", size); err != nil {
			return err
		}
	}
	return nil
}

func rebuild(_ *testing.T, p projections.Projection, h history) error {
	return h.open(":memory:", h.page, func(ctx context.Context, log *memory.Store, views *projections.Views) error {
		if err := h.grow(ctx, log, len(h.records), views); err != nil {
			return err
		}
		want, err := views.Digest(ctx)
		if err != nil {
			return err
		}
		differences, err := views.Compare(ctx, nil)
		if err != nil {
			return err
		}
		if len(differences) > 0 {
			return fmt.Errorf("rows that are made anew are others than those made live: %+v", differences)
		}
		if err := views.Rebuild(ctx, nil); err != nil {
			return err
		}
		got, err := views.Digest(ctx)
		return same(want, got, err, "a rebuild gives other rows")
	}, p)
}

// checkpoints closes the views at every cut and opens them again.
func checkpoints(_ *testing.T, p projections.Projection, h history) error {
	want, err := h.digest(p, 1000)
	if err != nil {
		return err
	}
	return inFile(func(path string) error {
		log := memory.New()
		var got projections.Digest
		for _, cut := range h.cuts {
			err := h.openOn(log, path, h.page, func(ctx context.Context, _ *memory.Store, views *projections.Views) (err error) {
				if err := h.grow(ctx, log, cut, views); err != nil {
					return err
				}
				got, err = views.Digest(ctx)
				return err
			}, p)
			if err != nil {
				return err
			}
		}
		return same(want, got, nil, "views that were closed and opened again at %v have other rows", h.cuts)
	})
}

// turns has two files' worth of memory on one file, which take turns at the cuts.
func turns(_ *testing.T, p projections.Projection, h history) error {
	want, err := h.digest(p, 1000)
	if err != nil {
		return err
	}
	return inFile(func(path string) error {
		return h.open(path, h.page, func(ctx context.Context, log *memory.Store, one *projections.Views) error {
			return h.openOn(log, path, h.page, func(ctx context.Context, _ *memory.Store, other *projections.Views) error {
				for i, cut := range h.cuts {
					if err := h.grow(ctx, log, cut, []*projections.Views{one, other}[i%2]); err != nil {
						return err
					}
				}
				got, err := one.Digest(ctx)
				return same(want, got, err, "two processes that take turns at %v make other rows", h.cuts)
			}, p)
		}, p)
	})
}

// determinism runs twice, the second time at the turn of the millennium.
func determinism(t *testing.T, p projections.Projection, h history) error {
	want, err := h.digest(p, h.page)
	if err != nil {
		return err
	}
	var got projections.Digest
	synctest.Test(t, func(*testing.T) { got, err = h.digest(p, h.page) })
	return same(want, got, err, "a second run, at another time, gives other rows: look for a clock, randomness, the order of a map")
}

// failures has the page at every cut fail in the middle first.
func failures(_ *testing.T, p projections.Projection, h history) error {
	want, err := h.digest(p, 1000)
	if err != nil {
		return err
	}
	fails := &interruption{}
	return h.open(":memory:", 1000, func(ctx context.Context, log *memory.Store, views *projections.Views) error {
		for i, cut := range h.cuts {
			before, err := views.Digest(ctx)
			if err != nil {
				return err
			}
			fails.armed, fails.panics = true, i%2 == 1
			err = h.grow(ctx, log, cut, views)
			if fails.armed { // none of the events were for it
				fails.armed = false
				continue
			}
			if !errors.Is(err, errInterrupted) && !fails.panics || err == nil {
				return fmt.Errorf("a page that failed was told as %w", err)
			}
			after, err := views.Digest(ctx)
			if err := same(before, after, err, "a page that failed has left rows"); err != nil {
				return err
			}
			if err := views.CatchUp(ctx); err != nil {
				return fmt.Errorf("after a page that failed: %w", err)
			}
		}
		got, err := views.Digest(ctx)
		return same(want, got, err, "pages that failed and were tried again give other rows")
	}, fails.of(p))
}

// tables looks at everything else in the file.
func tables(_ *testing.T, p projections.Projection, h history) error {
	return h.open(":memory:", h.page, func(ctx context.Context, log *memory.Store, views *projections.Views) error {
		before, err := surroundings(ctx, views, p.Name())
		if err != nil {
			return err
		}
		if err := h.grow(ctx, log, len(h.records), views); err != nil {
			return err
		}
		after, err := surroundings(ctx, views, p.Name())
		if err != nil {
			return err
		}
		if !reflect.DeepEqual(before, after) {
			return fmt.Errorf("Apply has changed more than the rows of its tables:\nbefore: %v\nafter:  %v", before, after)
		}
		return nil
	}, p, bystander{})
}

// surroundings are the file but for the rows of a projection, and where it is.
func surroundings(ctx context.Context, views *projections.Views, name string) (found []string, err error) {
	err = views.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, `SELECT name || ': ' || coalesce(sql, '') FROM sqlite_master
			UNION ALL SELECT 'table of ' || projection || ': ' || name FROM projection_tables
			UNION ALL SELECT 'checkpoint of ' || name || ': ' || version || ', ' || epoch FROM projection_checkpoints
			UNION ALL SELECT 'parked: ' || name FROM projection_parked
			UNION ALL SELECT 'bystander: ' || n FROM projectiontest_bystander ORDER BY 1`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				return err
			}
			found = append(found, line)
		}
		return rows.Err()
	})
	return found, err
}

// same compares the rows of two runs.
func same(want, got projections.Digest, err error, format string, args ...any) error {
	if err != nil || reflect.DeepEqual(want, got) {
		return err
	}
	return fmt.Errorf(format+"\n%v\n%v", append(args, want, got)...)
}

// digest is that of fresh views in memory.
func (h history) digest(p projections.Projection, page int) (d projections.Digest, err error) {
	err = h.open(":memory:", page, func(ctx context.Context, log *memory.Store, views *projections.Views) error {
		if err := h.grow(ctx, log, len(h.records), views); err != nil {
			return err
		}
		d, err = views.Digest(ctx)
		return err
	}, p)
	return d, err
}

type looking func(ctx context.Context, log *memory.Store, views *projections.Views) error

// open opens views of a new log, for f.
func (h history) open(path string, page int, f looking, p ...projections.Projection) error {
	return h.openOn(memory.New(), path, page, f, p...)
}

func (h history) openOn(log *memory.Store, path string, page int, f looking, p ...projections.Projection) error {
	ctx := context.Background()
	views, err := projections.Open(ctx, path, log, &projections.Options{Projections: p, PageSize: page, RebuildPageSize: page, Manual: true})
	if err != nil {
		return err
	}
	return errors.Join(f(ctx, log, views), views.Close())
}

// grow appends to a log what it lacks of the first n records, and catches up.
func (h history) grow(ctx context.Context, log *memory.Store, n int, views *projections.Views) error {
	head, err := log.Head(ctx)
	if err != nil {
		return err
	}
	for _, r := range h.records[head:n] {
		if _, err := log.Append(ctx, eventstore.Commit{Stream: r.Stream, Events: []eventstore.Event{r.Event}}); err != nil {
			return err
		}
	}
	return views.CatchUp(ctx)
}

// inFile runs f with the path of a file that is gone afterwards.
func inFile(f func(path string) error) error {
	dir, err := os.MkdirTemp("", "projectiontest")
	if err != nil {
		return err
	}
	return errors.Join(f(filepath.Join(dir, "views.db")), os.RemoveAll(dir))
}
