package bench

import (
	"context"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/projections/groupview"
)

// pageSize is how long the pages are that are asked for.
const pageSize = groupview.DefaultLimit

// list is a question of which there is a page after any cursor.
type list struct {
	name, what string
	page       func(ctx context.Context, e *grouplog.Engine, w world, cursor string, limit int) (rows int, next string, err error)
	bare       bareList
}

var lists = []list{
	{"joined-list", "a page of 50 of a user's joined groups, from anywhere in the list,", func(ctx context.Context, e *grouplog.Engine, w world, cursor string, limit int) (int, string, error) {
		page, err := e.JoinedGroupPage(ctx, w.joiner(), cursor, limit)
		return len(page.Groups), page.Next, err
	}, bareJoined},
	{"member-page", "a page of 50 of a group's members, from anywhere in the list,", func(ctx context.Context, e *grouplog.Engine, w world, cursor string, limit int) (int, string, error) {
		page, err := e.MemberPage(ctx, w.group(), groupview.MemberFilter{}, cursor, limit)
		return len(page.Members), page.Next, err
	}, bareMembers},
	{"applications", "a page of 50 of the pending applications to ten groups, from anywhere in the list, with the unread count,", func(ctx context.Context, e *grouplog.Engine, w world, cursor string, limit int) (int, string, error) {
		page, err := e.Applications(ctx, w.approver(), groupview.ApplicationFilter{Select: groupview.PendingApplications, Limit: limit, Cursor: cursor})
		return len(page.Applications), page.Next, err
	}, bareApplications},
	{"unread", "the count of unread applications to ten groups, of which half are read,", func(ctx context.Context, e *grouplog.Engine, w world, _ string, _ int) (int, string, error) {
		unread, err := e.UnreadApplications(ctx, w.approver())
		if want := w.rows - w.rows/2 - 1; err == nil && unread != want {
			err = fmt.Errorf("%d applications are unread, not %d", unread, want)
		}
		return w.rows, "", err
	}, barePending},
}

// openLists opens the trials of questions.
func openLists(ctx context.Context, s *Session) error {
	path, err := s.bench.worlds(ctx)
	if err != nil {
		return err
	}
	engine, err := s.engine(ctx, path)
	if err != nil {
		return err
	}
	pages, err := openBarePages(ctx, s, path)
	if err != nil {
		return err
	}
	many, less := s.sizes.worlds()
	type places struct{ many, less []string }
	cursors := make([]places, len(lists))
	for i, l := range lists {
		if !s.wants(l.name, l.name+flat) {
			continue
		}
		s.bench.progress(l.name + ": turning over all pages")
		if cursors[i].many, err = l.cursors(ctx, engine, many, groupview.MaxLimit); err != nil {
			return err
		}
		if cursors[i].less, err = l.cursors(ctx, engine, less, pageSize); err != nil {
			return err
		}
	}
	s.round = func(ctx context.Context) error {
		for i, l := range lists {
			if cursors[i].many == nil {
				continue
			}
			random := rand.New(rand.NewPCG(uint64(s.rounds), 3))
			var ofMany, ofLess, bareOfMany, bareOfLess []time.Duration
			for range s.sizes.Queries {
				if err := s.inTurn(
					pages[i].many.timed(ctx, random, &bareOfMany),
					pages[i].less.timed(ctx, random, &bareOfLess),
					l.timed(ctx, engine, many, cursors[i].many[random.IntN(len(cursors[i].many))], &ofMany),
					l.timed(ctx, engine, less, cursors[i].less[random.IntN(len(cursors[i].less))], &ofLess),
				); err != nil {
					return err
				}
			}
			s.add(l.name, milliseconds(quantile(ofMany, 0.99)), milliseconds(quantile(bareOfMany, 0.99)))
			s.note(l.name, "in the last round, p99 is %.1f × the median, and %.1f × for the floor", tail(ofMany), tail(bareOfMany))
			s.add(l.name+flat, growth(ofMany, ofLess), growth(bareOfMany, bareOfLess))
			s.note(l.name+flat, "in the last round, the median is %.2f ms in the long list and %.2f in the one of 1 000; of the floor %.2f and %.2f",
				p50(ofMany), p50(ofLess), p50(bareOfMany), p50(bareOfLess))
		}
		return nil
	}
	return nil
}

func p50(times []time.Duration) float64 { return milliseconds(quantile(times, 0.5)) }

// tail is how many times as long the slowest hundredth takes as the median.
func tail(times []time.Duration) float64 { return milliseconds(quantile(times, 0.99)) / p50(times) }

// growth is how many times as long something takes among many as among less.
func growth(many, less []time.Duration) float64 { return p50(many) / p50(less) }

// cursors turns over the whole list. The last page, which is shorter, is left out.
func (l list) cursors(ctx context.Context, engine *grouplog.Engine, w world, limit int) ([]string, error) {
	all, rows := []string{""}, 0
	for cursor := ""; ; {
		n, next, err := l.page(ctx, engine, w, cursor, limit)
		if err != nil {
			return nil, err
		}
		rows += n
		if next == "" {
			break
		}
		cursor = next
		all = append(all, cursor)
	}
	if rows < w.rows {
		return nil, fmt.Errorf("%s has %d rows, not %d", l.name, rows, w.rows)
	}
	return all[:max(1, len(all)-1)], nil
}

// timed asks for a page and notes how long it takes.
func (l list) timed(ctx context.Context, engine *grouplog.Engine, w world, cursor string, times *[]time.Duration) func() error {
	return func() error {
		start := time.Now()
		rows, _, err := l.page(ctx, engine, w, cursor, pageSize)
		*times = append(*times, time.Since(start))
		if err == nil && rows < pageSize {
			err = fmt.Errorf("%s has %d rows in a page, not %d", l.name, rows, pageSize)
		}
		return err
	}
}
