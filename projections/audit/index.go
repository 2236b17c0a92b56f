package audit

import (
	"cmp"
	"context"
	"database/sql"
	_ "embed"
	"errors"
	"fmt"
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

//go:embed schema.sql
var schema string

// Index is the projection that Queries answer from: for everything that can be asked
// for, the positions at which it is found. It may be given to any number of views files.
type Index struct{}

var _ projections.Filler = (*Index)(nil)

// New returns the projection.
func New() *Index { return &Index{} }

// Name identifies the projection in views files.
func (*Index) Name() string { return "audit" }

// Version is that of the rows.
func (*Index) Version() int { return 1 }

// Schema creates the tables.
func (*Index) Schema() string { return schema }

// What may stay in memory: terms from page to page, of some hundred bytes each, and,
// while tables are filled, rows that are not written yet.
const (
	keptTerms    = 1 << 16
	filledTerms  = 1 << 19
	keptPostings = 1 << 21
)

// Apply brings a page of events into the index.
func (*Index) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	x := tx.Memo(func() any { return new(entries) }).(*entries)
	if err := x.begin(tx); err != nil {
		return err
	}
	for i := range events {
		if err := x.add(&events[i]); err != nil {
			return fmt.Errorf("position %d (%s of %s): %w", events[i].Position, events[i].Type, events[i].Stream, err)
		}
	}
	if tx.Filling() && len(x.postings) < keptPostings && len(x.terms) <= filledTerms {
		return nil
	}
	return x.flush()
}

// Flush writes what Apply has kept back.
func (*Index) Flush(_ context.Context, tx *projections.Tx) error {
	x := tx.Memo(func() any { return new(entries) }).(*entries)
	if err := x.begin(tx); err != nil {
		return err
	}
	return x.flush()
}

// entries are the rows that are not written yet, and the terms that are known.
type entries struct {
	tx *projections.Tx

	whole bool // every term there is, is here
	last  int64
	terms map[string]*term

	changed  []*term
	postings []posting
	events   []row
	blocks   []block
	commands []command
}

type (
	term struct {
		text   string
		id     int64
		n      int64
		stored bool // it has a row
		listed bool // it is among the changed ones
	}
	posting struct{ term, position int64 }
	row     struct{ position, at, actor, group, kind int64 }
	block   struct{ block, first, last int64 }
	command struct {
		id       string
		position int64
	}
)

// blockBits says how many positions share a block: 1 << blockBits. It is on disk; only tests
// have another.
var blockBits = 10

func (x *entries) begin(tx *projections.Tx) error {
	x.tx = tx
	if x.terms != nil {
		return nil
	}
	x.terms = map[string]*term{}
	err := tx.QueryRow("SELECT coalesce(max(id), 0) FROM audit_terms").Scan(&x.last)
	x.whole = x.last == 0
	return err
}

// add notes where an event is to be found.
func (x *entries) add(e *projections.Event) error {
	r := row{position: int64(e.Position), at: e.Time.UnixMicro()}
	var err error
	if r.actor, err = x.post(actorTerm, e.Actor, r.position); err != nil {
		return err
	}
	if r.kind, err = x.post(actionTerm, e.Type, r.position); err != nil {
		return err
	}
	if group, ok := domain.GroupOf(e.Stream); ok {
		if r.group, err = x.post(groupTerm, group, r.position); err != nil {
			return err
		}
	}
	for _, user := range Subjects(*e) {
		if _, err := x.post(personTerm, user, r.position); err != nil {
			return err
		}
	}
	for _, word := range wordsOf(textsOf(e.Fact)...) {
		if _, err := x.post(wordTerm, word, r.position); err != nil {
			return err
		}
	}
	x.events = append(x.events, r)
	x.cover(r.position>>blockBits, r.at)
	if e.CommandID != "" {
		x.commands = append(x.commands, command{e.CommandID, r.position})
	}
	return nil
}

// post notes that a term is found at a position, and gives its ID.
func (x *entries) post(kind termKind, text string, position int64) (int64, error) {
	t, err := x.term(kind.term(text))
	if err != nil {
		return 0, err
	}
	t.n++
	if !t.listed {
		t.listed = true
		x.changed = append(x.changed, t)
	}
	x.postings = append(x.postings, posting{t.id, position})
	return t.id, nil
}

// term finds a term, or makes it.
func (x *entries) term(text string) (*term, error) {
	if t, ok := x.terms[text]; ok {
		return t, nil
	}
	t := &term{text: text}
	if !x.whole {
		err := x.tx.QueryRow("SELECT id, n FROM audit_terms WHERE text = ?", text).Scan(&t.id, &t.n)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		t.stored = err == nil
	}
	if !t.stored {
		x.last++
		t.id = x.last
	}
	x.terms[text] = t
	return t, nil
}

// cover widens the times of a block.
func (x *entries) cover(number, at int64) {
	if n := len(x.blocks); n > 0 && x.blocks[n-1].block == number {
		b := &x.blocks[n-1]
		b.first, b.last = min(b.first, at), max(b.last, at)
		return
	}
	x.blocks = append(x.blocks, block{number, at, at})
}

// flush writes everything, in the order of the tables: rows that follow one another go
// to the same page.
func (x *entries) flush() error {
	slices.SortFunc(x.changed, func(a, b *term) int { return cmp.Compare(a.text, b.text) })
	slices.SortFunc(x.postings, func(a, b posting) int {
		return cmp.Or(cmp.Compare(a.term, b.term), cmp.Compare(a.position, b.position))
	})
	slices.SortFunc(x.commands, func(a, b command) int {
		return cmp.Or(cmp.Compare(a.id, b.id), cmp.Compare(a.position, b.position))
	})
	for _, write := range []func() error{x.writeTerms, x.writePostings, x.writeEvents} {
		if err := write(); err != nil {
			return fmt.Errorf("write the index: %w", err)
		}
	}
	x.changed, x.postings, x.events, x.blocks, x.commands = x.changed[:0], x.postings[:0], x.events[:0], x.blocks[:0], x.commands[:0]
	if keep := x.keep(); len(x.terms) > keep {
		x.terms, x.whole = map[string]*term{}, false
	}
	return nil
}

// keep is how many terms may stay in memory.
func (x *entries) keep() int {
	if x.tx.Filling() {
		return filledTerms
	}
	return keptTerms
}

func (x *entries) writeTerms() error {
	fresh := x.tx.Insert("audit_terms (text, id, n)", 3)
	for _, t := range x.changed {
		t.listed = false
		if t.stored {
			if err := x.tx.Exec("UPDATE audit_terms SET n = ? WHERE text = ?", t.n, t.text); err != nil {
				return err
			}
			continue
		}
		t.stored = true
		if err := fresh.Row(t.text, t.id, t.n); err != nil {
			return err
		}
	}
	return fresh.End()
}

func (x *entries) writePostings() error {
	postings := x.tx.Insert("audit_postings (term, position)", 2)
	for _, p := range x.postings {
		if err := postings.Row(p.term, p.position); err != nil {
			return err
		}
	}
	return postings.End()
}

func (x *entries) writeEvents() error {
	events := x.tx.Insert("audit_events (position, at, actor, grp, type)", 5)
	for _, r := range x.events {
		if err := events.Row(r.position, r.at, r.actor, r.group, r.kind); err != nil {
			return err
		}
	}
	for _, b := range x.blocks {
		err := x.tx.Exec(`INSERT INTO audit_blocks (block, first, last) VALUES (?, ?, ?) ON CONFLICT (block)
			DO UPDATE SET first = min(first, excluded.first), last = max(last, excluded.last)`, b.block, b.first, b.last)
		if err != nil {
			return err
		}
	}
	commands := x.tx.Insert("audit_commands (id, position)", 2)
	for _, c := range x.commands {
		if err := commands.Row(c.id, c.position); err != nil {
			return err
		}
	}
	return errors.Join(events.End(), commands.End())
}
