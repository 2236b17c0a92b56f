package audit

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"slices"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// Facets are how many entries a query lets through, by what they are of.
type Facets struct {
	Total    int       `json:"total"`
	Outcomes []Count   `json:"outcomes"`
	Actors   FacetList `json:"actors"`
	Actions  FacetList `json:"actions"`
	Groups   FacetList `json:"groups"` // without the entries that are of no group
	Days     []Count   `json:"days"`   // in UTC, the earliest first; only days that have entries

	// Refusals are about all refused attempts, whatever the query.
	Refusals RefusalCounts `json:"refusals"`
}

// Count is how many entries have a value.
type Count struct {
	Value string `json:"value"`
	Count int    `json:"count"`
}

// FacetList are the values that most entries have, the most frequent first, and what is
// left.
type FacetList struct {
	Top    []Count `json:"top"`              // as many as Query.Limit says, as a page
	Values int     `json:"values"`           // how many there are
	Others int     `json:"others,omitempty"` // entries that have none of the top ones
}

// Facets counts the entries that a query lets through; its order and its cursor do not
// matter. It looks at every one of them, at some microseconds each.
func (s *Queries) Facets(ctx context.Context, q Query) (Facets, error) {
	q.Cursor = ""
	if err := q.Validate(); err != nil {
		return Facets{}, fmt.Errorf("audit: %w", err)
	}
	var c counter
	if err := s.countEvents(ctx, &q, &c); err != nil {
		return Facets{}, fmt.Errorf("audit: %w", err)
	}
	if err := s.countAttempts(ctx, &q, &c); err != nil {
		return Facets{}, fmt.Errorf("audit: %w", err)
	}
	f := c.facets(q.size())
	var err error
	if f.Refusals, err = s.refusals.Counts(ctx); err != nil {
		return Facets{}, fmt.Errorf("audit: %w", err)
	}
	return f, nil
}

// counter counts entries. Terms are counted by their IDs, and named in the end.
type counter struct {
	done, refused          int
	actor, kind, group     map[int64]int
	days                   map[int64]int
	actors, kinds, grouped map[string]int
}

const day = 24 * time.Hour / time.Microsecond

// dayOf is a stored time's day since 1970.
func dayOf(micros int64) int64 {
	d := micros / int64(day)
	if micros%int64(day) < 0 {
		d--
	}
	return d
}

func (s *Queries) countEvents(ctx context.Context, q *Query, c *counter) error {
	c.actor, c.kind, c.group, c.days = map[int64]int{}, map[int64]int{}, map[int64]int{}, map[int64]int{}
	c.actors, c.kinds, c.grouped = map[string]int{}, map[string]int{}, map[string]int{}
	if q.Outcome == Refused {
		return nil
	}
	return s.views.Read(ctx, func(tx *sql.Tx) error {
		search, err := q.compile(ctx, tx)
		if err != nil || search.nothing {
			return err
		}
		statement := search.counted()
		rows, err := tx.QueryContext(ctx, statement.String(), statement.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var at, actor, group, kind int64
			if err := rows.Scan(&at, &actor, &group, &kind); err != nil {
				return err
			}
			c.done++
			c.days[dayOf(at)]++
			c.actor[actor]++
			c.kind[kind]++
			if group > 0 {
				c.group[group]++
			}
		}
		if err := rows.Err(); err != nil {
			return err
		}
		for _, names := range []struct {
			ids map[int64]int
			to  map[string]int
		}{{c.actor, c.actors}, {c.kind, c.kinds}, {c.group, c.grouped}} {
			for id, n := range names.ids {
				var text string
				if err := tx.QueryRowContext(ctx, "SELECT text FROM audit_terms WHERE id = ?", id).Scan(&text); err != nil {
					return err
				}
				names.to[text[1:]] += n
			}
		}
		if n := c.actors[""]; n > 0 { // as Query.Actors has it
			delete(c.actors, "")
			c.actors[domain.System.UserID] += n
		}
		return nil
	})
}

func (s *Queries) countAttempts(ctx context.Context, q *Query, c *counter) error {
	if q.Outcome == Done {
		return nil
	}
	var t text
	t.add("SELECT at, " + triedBy + ", grp, command FROM attempts WHERE ")
	oldest := *q
	oldest.Oldest = true
	oldest.ofAttempts(&t, place{})
	return s.refusals.read(ctx, func(db *sql.DB) error {
		rows, err := db.QueryContext(ctx, t.String(), t.args...)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var (
				at                   int64
				actor, group, action string
			)
			if err := rows.Scan(&at, &actor, &group, &action); err != nil {
				return err
			}
			c.refused++
			c.days[dayOf(at)]++
			c.actors[actor]++
			c.kinds[action]++
			if group != "" {
				c.grouped[group]++
			}
		}
		return rows.Err()
	})
}

func (c *counter) facets(top int) Facets {
	f := Facets{
		Total: c.done + c.refused, Outcomes: []Count{}, Days: []Count{},
		Actors: topOf(c.actors, top), Actions: topOf(c.kinds, top), Groups: topOf(c.grouped, top),
	}
	for _, o := range []Count{{string(Done), c.done}, {string(Refused), c.refused}} {
		if o.Count > 0 {
			f.Outcomes = append(f.Outcomes, o)
		}
	}
	for d, n := range c.days {
		f.Days = append(f.Days, Count{time.Unix(d*86_400, 0).UTC().Format(time.DateOnly), n})
	}
	slices.SortFunc(f.Days, func(a, b Count) int { return cmp.Compare(a.Value, b.Value) })
	return f
}

func topOf(counts map[string]int, top int) FacetList {
	f := FacetList{Top: make([]Count, 0, len(counts)), Values: len(counts)}
	for value, n := range counts {
		f.Top = append(f.Top, Count{value, n})
	}
	slices.SortFunc(f.Top, func(a, b Count) int { return cmp.Or(cmp.Compare(b.Count, a.Count), cmp.Compare(a.Value, b.Value)) })
	if len(f.Top) > top {
		for _, other := range f.Top[top:] {
			f.Others += other.Count
		}
		f.Top = f.Top[:top:top]
	}
	return f
}
