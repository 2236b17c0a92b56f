package audit

import (
	"context"
	"database/sql"
	"fmt"
	"iter"
	"math"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Queries answer questions to the audit: from the index where, and from the log what. The
// index may be behind the log: wait with projections.Views.WaitFor first, to see one's own
// writes. Queries may be asked from any number of goroutines.
//
// Entries are in the order of the log, each refused attempt behind the event that was the
// newest when it was refused. Whatever arrives between two pages, nothing is lost and
// nothing comes twice: of the newest first, pages hold what there was when the first was
// asked for; of the oldest first, what arrives comes at the end.
type Queries struct {
	views    *projections.Views
	log      eventstore.Store
	refusals *Refusals
}

// NewQueries returns the questions to a views file that Index is kept in, to the log that
// it is of, and to the refused attempts; nil where none are kept.
func NewQueries(views *projections.Views, log eventstore.Store, refusals *Refusals) *Queries {
	return &Queries{views, log, refusals}
}

// All yields the entries that a query lets through, at most Query.Limit where that is not
// zero. It reads pages, and so can be left at any time. It ends after the first error.
func (s *Queries) All(ctx context.Context, q Query) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		left := q.Limit
		if left == 0 {
			left = math.MaxInt
		}
		for {
			if q.Limit >= 0 { // a mistake is Page's to report
				q.Limit = min(left, MaxLimit)
			}
			page, err := s.Page(ctx, q)
			if err != nil {
				yield(Entry{}, err)
				return
			}
			for _, entry := range page.Entries {
				if !yield(entry, nil) {
					return
				}
			}
			left -= len(page.Entries)
			if q.Cursor = page.Next; q.Cursor == "" || left == 0 {
				return
			}
		}
	}
}

// Page is a part of the entries that a query lets through: the first, or what follows its
// cursor. The error of a query that is malformed is an ErrQuery, of a cursor an ErrCursor.
func (s *Queries) Page(ctx context.Context, q Query) (Page, error) {
	page, err := s.page(ctx, q)
	if err != nil {
		return Page{}, fmt.Errorf("audit: %w", err)
	}
	return page, nil
}

func (s *Queries) page(ctx context.Context, q Query) (Page, error) {
	if err := q.Validate(); err != nil {
		return Page{}, err
	}
	at, end, err := s.begin(ctx, &q)
	if err != nil {
		return Page{}, err
	}
	limit := q.size()
	attempts, err := s.attempts(ctx, &q, at, limit+1)
	if err != nil {
		return Page{}, err
	}
	positions, err := s.positions(ctx, &q, at, limit+1)
	if err != nil {
		return Page{}, err
	}
	events, refused := merged(positions, attempts, q.Oldest, limit)
	page := Page{}
	if page.Entries, err = s.entries(ctx, positions[:events], attempts[:refused], q.Oldest); err != nil {
		return Page{}, err
	}
	if events > 0 {
		at.position = positions[events-1]
	}
	if refused > 0 {
		at.attempt = attempts[refused-1].Number
	}
	if len(positions)+len(attempts) > events+refused {
		page.Next = q.cursor(s.log.ID(), q.Oldest, at)
	}
	switch {
	case q.Oldest:
		page.Tail = q.cursor(s.log.ID(), true, at)
	case q.Cursor == "":
		page.Tail = q.cursor(s.log.ID(), true, end)
	}
	return page, nil
}

// begin is the place that a page begins behind, and the last place that there is.
func (s *Queries) begin(ctx context.Context, q *Query) (at, end place, err error) {
	if q.Cursor != "" {
		if at, err = q.parseCursor(s.log.ID()); err != nil {
			return at, end, err
		}
	}
	if end, err = s.end(ctx); err != nil || q.Oldest && q.Cursor == "" {
		return at, end, err
	}
	if q.Cursor == "" {
		return place{end.position + 1, end.attempt + 1}, end, nil
	}
	return at, end, s.mustReach(ctx, q, at, end)
}

// end is the last place that there is.
func (s *Queries) end(ctx context.Context) (end place, err error) {
	if end.attempt, err = s.refusals.last(ctx); err != nil {
		return end, err
	}
	err = s.views.Read(ctx, func(tx *sql.Tx) error {
		return tx.QueryRowContext(ctx, "SELECT coalesce(max(position), 0) FROM audit_events").Scan(&end.position)
	})
	return end, err
}

// mustReach refuses a cursor at a place that there is not: what comes there would be
// passed over. The log may have an older backup in its place.
func (s *Queries) mustReach(ctx context.Context, q *Query, at, end place) error {
	if at.position > end.position { // the index may be behind what another process has told
		head, err := s.log.Head(ctx)
		if err != nil {
			return err
		}
		end.position = max(end.position, head)
	}
	if !q.Oldest { // a page begins before its place
		end.position, end.attempt = end.position+1, end.attempt+1
	}
	if at.position > end.position || s.refusals != nil && at.attempt > end.attempt {
		return q.badCursor("it is beyond the end of the log: begin again without one")
	}
	return nil
}

// attempts are those beyond a place that a query lets through. The events before which they
// were made are in the index then, so that they come first.
func (s *Queries) attempts(ctx context.Context, q *Query, at place, limit int) ([]Attempt, error) {
	if q.Outcome == Done {
		return nil, nil
	}
	attempts, err := s.refusals.attempts(ctx, q, at, limit)
	if err != nil || len(attempts) == 0 || q.Outcome == Refused {
		return attempts, err
	}
	last := max(attempts[0].Position, attempts[len(attempts)-1].Position)
	if last <= s.views.Position() {
		return attempts, nil
	}
	head, err := s.log.Head(ctx) // the log may have been restored from an older backup
	if err != nil {
		return nil, err
	}
	return attempts, s.views.WaitFor(ctx, min(last, head))
}

// positions are those of the events beyond a place that a query lets through.
func (s *Queries) positions(ctx context.Context, q *Query, at place, limit int) (found []eventstore.Position, err error) {
	if q.Outcome == Refused {
		return nil, nil
	}
	err = s.views.Read(ctx, func(tx *sql.Tx) error {
		search, err := q.compile(ctx, tx)
		if err != nil || search.nothing {
			return err
		}
		if q.Oldest {
			search.from = max(search.from, int64(at.position)+1)
		} else {
			search.to = min(search.to, int64(at.position)-1)
		}
		statement := search.page(q.Oldest, limit)
		rows, err := tx.QueryContext(ctx, statement.String(), statement.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var p eventstore.Position
			if err := rows.Scan(&p); err != nil {
				return err
			}
			found = append(found, p)
		}
		return rows.Err()
	})
	return found, err
}

// merged is how many of each make a page: the first so many of both in their order.
func merged(positions []eventstore.Position, attempts []Attempt, oldest bool, limit int) (events, refused int) {
	for events+refused < limit {
		switch {
		case events == len(positions) && refused == len(attempts):
			return events, refused
		case events < len(positions) && (refused == len(attempts) || eventFirst(positions[events], &attempts[refused], oldest)):
			events++
		default:
			refused++
		}
	}
	return events, refused
}

// eventFirst reports whether an event comes before an attempt, which stands behind the
// event at its position.
func eventFirst(p eventstore.Position, a *Attempt, oldest bool) bool {
	if oldest {
		return p <= a.Position
	}
	return p > a.Position
}

// entries reads a page's events, and puts the attempts among them.
func (s *Queries) entries(ctx context.Context, positions []eventstore.Position, attempts []Attempt, oldest bool) ([]Entry, error) {
	records, err := eventstore.Pick(ctx, s.log, positions)
	if err != nil {
		return nil, err
	}
	all := make([]Entry, 0, len(positions)+len(attempts))
	for _, record := range records {
		for len(attempts) > 0 && !eventFirst(record.Position, &attempts[0], oldest) {
			all = append(all, attempts[0].entry())
			attempts = attempts[1:]
		}
		event, err := projections.Decode(record)
		if err != nil {
			return nil, err
		}
		all = append(all, entryOf(event))
	}
	for i := range attempts {
		all = append(all, attempts[i].entry())
	}
	return all, nil
}
