package audit

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/grouplog/grouplog/domain"
)

// few is up to how many events are looked through or sorted without a thought: some
// hundred microseconds' worth. Only tests have another.
var few = 1_000

// search is a query in terms of the index.
type search struct {
	all      [][]term // of each list, an event has one of the terms
	command  string
	from, to int64 // positions, both included
	timed    bool
	since    int64 // µs, included
	until    int64 // µs, not included
	soon     bool  // few events lie between the times
	nothing  bool  // nothing can match
}

// compile looks up what a query asks for. Positions are narrowed to the blocks that have
// events between the times.
func (q *Query) compile(ctx context.Context, tx *sql.Tx) (*search, error) {
	s := &search{command: q.CommandID, from: int64(q.From), to: maxPosition}
	if q.To > 0 {
		s.to = int64(min(q.To, maxPosition))
	}
	if q.From > maxPosition {
		s.nothing = true
		return s, nil
	}
	var actions []string
	for _, pattern := range q.Actions {
		actions = append(actions, actionsLike(pattern)...)
	}
	if len(q.Actions) > 0 && len(actions) == 0 {
		s.nothing = true // only commands that were refused
	}
	actors := q.Actors
	if slices.Contains(actors, domain.System.UserID) {
		actors = append(slices.Clone(actors), "") // who publishes messages may name no actor
	}
	lists := []struct {
		kind   termKind
		values []string
	}{{actorTerm, actors}, {personTerm, q.Persons}, {groupTerm, q.Groups}, {actionTerm, actions}}
	for _, list := range lists {
		if err := s.require(ctx, tx, list.kind, list.values); err != nil {
			return nil, err
		}
	}
	for _, word := range soughtIn(q.Text) {
		if err := s.say(ctx, tx, word); err != nil {
			return nil, err
		}
	}
	if err := s.between(ctx, tx, q); err != nil {
		return nil, err
	}
	// What the fewest events have is followed, and the rest is looked up for each.
	slices.SortStableFunc(s.all, func(a, b []term) int { return found(a) - found(b) })
	return s, nil
}

// maxPosition is the greatest that SQLite can hold.
const maxPosition = 1<<63 - 1

func (s *search) require(ctx context.Context, tx *sql.Tx, kind termKind, values []string) error {
	if len(values) == 0 {
		return nil
	}
	var terms []term
	for _, value := range slices.Compact(slices.Sorted(slices.Values(values))) {
		t := term{text: kind.term(value)}
		err := tx.QueryRowContext(ctx, "SELECT id, n FROM audit_terms WHERE text = ?", t.text).Scan(&t.id, &t.n)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err != nil {
			return err
		}
		terms = append(terms, t)
	}
	s.nothing = s.nothing || len(terms) == 0
	s.all = append(s.all, terms)
	return nil
}

// say requires a word, or one of those that begin as it does.
func (s *search) say(ctx context.Context, tx *sql.Tx, word sought) error {
	if !word.begins {
		return s.require(ctx, tx, wordTerm, []string{word.text})
	}
	from := wordTerm.term(word.text)
	rows, err := tx.QueryContext(ctx, "SELECT id, n FROM audit_terms WHERE text >= ? AND text < ? LIMIT ?", from, from+string(unicode.MaxRune), MaxValues+1)
	if err != nil {
		return err
	}
	defer rows.Close()
	var terms []term
	for rows.Next() {
		var t term
		if err := rows.Scan(&t.id, &t.n); err != nil {
			return err
		}
		terms = append(terms, t)
	}
	if len(terms) > MaxValues {
		return fmt.Errorf("%w: more than %d words begin with %q: give more of the word", ErrQuery, MaxValues, word.text)
	}
	s.nothing = s.nothing || len(terms) == 0
	s.all = append(s.all, terms)
	return rows.Err()
}

func found(terms []term) int {
	n := 0
	for _, t := range terms {
		n += int(t.n)
	}
	return n
}

const (
	selectBlocks = "SELECT coalesce(min(block), -1), coalesce(max(block), -1) FROM audit_blocks WHERE last >= ? AND first < ?"
	selectSoon   = "SELECT count(*) FROM (SELECT 1 FROM audit_events WHERE at >= ? AND at < ? LIMIT ?)"
)

// between takes the times of a query into the search.
func (s *search) between(ctx context.Context, tx *sql.Tx, q *Query) error {
	if s.timed = !q.Since.IsZero() || !q.Until.IsZero(); !s.timed {
		return nil
	}
	s.since, s.until = -1<<63, 1<<63-1
	if !q.Since.IsZero() {
		s.since = microsUp(q.Since)
	}
	if !q.Until.IsZero() {
		s.until = microsUp(q.Until)
	}
	var first, last, n int64
	if err := tx.QueryRowContext(ctx, selectBlocks, s.since, s.until).Scan(&first, &last); err != nil {
		return err
	}
	if last < 0 {
		s.nothing = true
		return nil
	}
	s.from, s.to = max(s.from, first<<blockBits), min(s.to, (last+1)<<blockBits-1)
	if err := tx.QueryRowContext(ctx, selectSoon, s.since, s.until, few).Scan(&n); err != nil {
		return err
	}
	s.soon = n < int64(few)
	return nil
}

// microsUp is a time in microseconds, rounded up: stored times are whole ones, and one is
// before t exactly where it is before this.
func microsUp(t time.Time) int64 { return t.Add(time.Microsecond - 1).UnixMicro() }

// text is SQL with its arguments.
type text struct {
	strings.Builder
	args []any
}

func (t *text) add(sql string, args ...any) {
	t.WriteString(sql)
	t.args = append(t.args, args...)
}

// page is the statement for the positions of a page.
func (s *search) page(oldest bool, limit int) *text {
	var t text
	s.positions(&t)
	t.add(" ORDER BY position")
	if !oldest {
		t.add(" DESC")
	}
	t.add(" LIMIT ?", limit)
	return &t
}

// counted is the statement for what is counted of every event that matches.
func (s *search) counted() *text {
	var t text
	t.add("SELECT e.at, e.actor, e.grp, e.type FROM (")
	s.positions(&t)
	t.add(") d CROSS JOIN audit_events e ON e.position = d.position")
	return &t
}

// positions is a statement for all positions that match: those of what the fewest events
// have, of which the rest is asked. Lists of postings are merged as they are read, since
// each is in the order of positions.
func (s *search) positions(t *text) {
	switch {
	case s.command != "":
		t.add("SELECT c.position AS position FROM audit_commands c")
		if s.timed {
			t.add(" CROSS JOIN audit_events e ON e.position = c.position")
		}
		t.add(" WHERE c.id = ?", s.command)
		s.conditions(t, "c", s.all)
	case s.soon && (len(s.all) == 0 || found(s.all[0]) > few):
		t.add("SELECT e.position AS position FROM audit_events e INDEXED BY audit_events_at WHERE true")
		s.conditions(t, "e", s.all)
	case len(s.all) > 0:
		for i, term := range s.all[0] {
			if i > 0 {
				t.add(" UNION ")
			}
			t.add("SELECT p.position AS position FROM audit_postings p")
			if s.timed {
				t.add(" CROSS JOIN audit_events e ON e.position = p.position")
			}
			t.add(" WHERE p.term = ?", term.id)
			s.conditions(t, "p", s.all[1:])
		}
	default:
		t.add("SELECT e.position AS position FROM audit_events e NOT INDEXED WHERE true")
		s.conditions(t, "e", nil)
	}
}

// conditions ask everything else of a row that has a position.
func (s *search) conditions(t *text, row string, lists [][]term) {
	t.add(" AND "+row+".position BETWEEN ? AND ?", s.from, s.to)
	if s.timed {
		t.add(" AND e.at >= ? AND e.at < ?", s.since, s.until)
	}
	for _, terms := range lists {
		t.add(" AND EXISTS (SELECT 1 FROM audit_postings x WHERE x.position = " + row + ".position AND x.term IN (")
		for i, term := range terms {
			if i > 0 {
				t.add(", ")
			}
			t.add("?", term.id)
		}
		t.add("))")
	}
}
