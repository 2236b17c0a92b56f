package audit

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Query says what is asked of the audit: the entries that every field which is not empty
// lets through. A field with several values lets any of them through.
//
// What is malformed is an error, see Validate. What cannot match (a user or a group that
// nobody has heard of, a time before the log or to come, a position beyond its end) has
// an empty answer.
type Query struct {
	Actors  []string `json:"actors,omitempty"`  // user IDs of who acted; domain.System.UserID for what nobody asked for
	Persons []string `json:"persons,omitempty"` // user IDs of whom it is about: see Subjects
	Groups  []string `json:"groups,omitempty"`  // IDs

	// Actions are names of events, as in "member.joined", and of commands that were refused,
	// as in "RequestJoin". A * stands for any text: "member.*", "*.created", "Set*".
	Actions []string `json:"actions,omitempty"`

	Since time.Time           `json:"since,omitzero"` // not before
	Until time.Time           `json:"until,omitzero"` // before
	From  eventstore.Position `json:"from,omitempty"` // not before
	To    eventstore.Position `json:"to,omitempty"`   // not after; 0: to the end

	CommandID string  `json:"commandID,omitempty"`
	Outcome   Outcome `json:"outcome,omitempty"` // both when empty

	// Text is looked for in names (of groups, of topics, on name cards), messages and
	// reasons: entries in which each of its words is found, in whatever order and case. Words
	// are found whole; "chess*" finds those that begin so, of which there may be MaxValues.
	Text string `json:"text,omitempty"`

	Oldest bool   `json:"oldest,omitempty"` // oldest first, instead of newest first
	Limit  int    `json:"limit,omitempty"`  // entries; of a page: DefaultLimit when 0, MaxLimit at most
	Cursor string `json:"cursor,omitempty"` // Next or Tail of a page of this query; empty to begin
}

// Outcome is what a command came to, as the audit sees it.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"    // an event of the log
	Refused Outcome = "refused" // an attempt that a rule has refused
)

// Limits of pages, and of values in a field of a query.
const (
	DefaultLimit = 50
	MaxLimit     = 1_000
	MaxValues    = 100
)

// Errors of queries.
var (
	// ErrQuery: the query is malformed.
	ErrQuery = errors.New("malformed audit query")
	// ErrCursor: the cursor is none, or another query's.
	ErrCursor = errors.New("unknown cursor")
)

// Validate reports every mistake in the query at once, as an ErrQuery, or returns nil.
// Names of commands are not checked: they are not this package's to know.
func (q *Query) Validate() error {
	mistakes := slices.Concat(q.mistakenLists(), q.mistakenRanges())
	if len(mistakes) == 0 {
		return nil
	}
	return fmt.Errorf("%w: %w", ErrQuery, errors.Join(mistakes...))
}

func (q *Query) mistakenLists() (mistakes []error) {
	for _, field := range []struct {
		name   string
		values []string
	}{{"Actors", q.Actors}, {"Persons", q.Persons}, {"Groups", q.Groups}, {"Actions", q.Actions}} {
		if len(field.values) > MaxValues {
			mistakes = append(mistakes, fmt.Errorf("%s has %d values, and %d are allowed", field.name, len(field.values), MaxValues))
		}
		if slices.Contains(field.values, "") {
			mistakes = append(mistakes, fmt.Errorf("%s has an empty value: leave it out, to let everything through", field.name))
		}
	}
	for _, pattern := range q.Actions {
		if !ofCommand(pattern) && len(actionsLike(pattern)) == 0 && pattern != "" {
			mistakes = append(mistakes, fmt.Errorf("no event is of the type %q; types are as in \"member.joined\", \"member.*\" or \"*.created\"", pattern))
		}
	}
	return mistakes
}

func (q *Query) mistakenRanges() (mistakes []error) {
	if !q.Since.IsZero() && !q.Until.IsZero() && !q.Until.After(q.Since) {
		mistakes = append(mistakes, fmt.Errorf("Until (%s) is not after Since (%s)", q.Until.Format(time.RFC3339), q.Since.Format(time.RFC3339)))
	}
	for _, t := range []time.Time{q.Since, q.Until} {
		if year := t.UTC().Year(); !t.IsZero() && (year < 1 || year > 9999) {
			mistakes = append(mistakes, fmt.Errorf("the year %d: years go from 1 to 9999", year))
		}
	}
	if q.To > 0 && q.To < q.From {
		mistakes = append(mistakes, fmt.Errorf("To (%d) is before From (%d)", q.To, q.From))
	}
	if q.Outcome != "" && q.Outcome != Done && q.Outcome != Refused {
		mistakes = append(mistakes, fmt.Errorf("unknown outcome %q: done or refused", q.Outcome))
	}
	if q.Text != "" && len(wordsOf(q.Text)) == 0 {
		mistakes = append(mistakes, fmt.Errorf("Text %q has no words in it", q.Text))
	}
	if q.Limit < 0 {
		mistakes = append(mistakes, errors.New("Limit is negative: leave it 0 for the default"))
	}
	return mistakes
}

// size is how many entries a page of the query has.
func (q *Query) size() int {
	if q.Limit == 0 {
		return DefaultLimit
	}
	return min(q.Limit, MaxLimit)
}

// ofCommand reports whether a pattern is meant for commands: their names begin with a
// capital letter, and those of events have a dot.
func ofCommand(pattern string) bool {
	return pattern != "" && !strings.Contains(pattern, ".") && pattern != strings.ToLower(pattern)
}

// actionsLike are the names of events that a pattern lets through.
func actionsLike(pattern string) []string {
	var names []string
	for _, e := range domain.Events() {
		if like(pattern, e.EventName()) {
			names = append(names, e.EventName())
		}
	}
	if like(pattern, messagePublished) {
		names = append(names, messagePublished)
	}
	return names
}

// messagePublished is the type of records that are messages of others: see
// projections.Message.
const messagePublished = "message.published"

// like compares a name with a pattern, in which * stands for any text.
func like(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	name, begins := strings.CutPrefix(name, parts[0])
	if !begins {
		return false
	}
	last := len(parts) - 1
	for _, part := range parts[1:last] {
		i := strings.Index(name, part)
		if i < 0 {
			return false
		}
		name = name[i+len(part):]
	}
	return strings.HasSuffix(name, parts[last])
}

// fingerprint identifies what a query asks for, whatever page of it.
func (q *Query) fingerprint() string {
	only := *q
	only.Limit, only.Cursor, only.Oldest = 0, "", false
	only.Since, only.Until = only.Since.UTC(), only.Until.UTC()
	data, _ := json.Marshal(only) //nolint:errchkjson // Validate has looked at the years, and nothing else can fail
	return string(data)
}
