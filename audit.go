package grouplog

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"strings"
	"sync"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// Audit yields what was done, and what was tried and refused, as far as a query lets it
// through: newest first, unless it says otherwise, and at most Query.Limit entries. It
// reads pages, so it can be left at any time.
//
// The first question to the audit of a log makes its index, which takes some ten seconds
// for every million events; from then on, while the engine is open, the index is kept current.
// Answers show every command that any caller of this engine has been told of.
func (e *Engine) Audit(ctx context.Context, q audit.Query) iter.Seq2[audit.Entry, error] {
	return func(yield func(audit.Entry, error) bool) {
		queries, err := e.auditOf(ctx, &q)
		if err != nil {
			yield(audit.Entry{}, err)
			return
		}
		queries.All(ctx, q)(yield)
	}
}

// AuditPage is a page of Audit: the first, or what follows the query's cursor. The error
// of a malformed query is an audit.ErrQuery, which reports every mistake at once, and of a
// cursor that is none or another query's an audit.ErrCursor.
func (e *Engine) AuditPage(ctx context.Context, q audit.Query) (audit.Page, error) {
	queries, err := e.auditOf(ctx, &q)
	if err != nil {
		return audit.Page{}, err
	}
	return queries.Page(ctx, q)
}

// AuditFacets counts the entries that a query lets through by actor, action, group,
// outcome and day. It looks at all of them, and takes as long as they are many.
func (e *Engine) AuditFacets(ctx context.Context, q audit.Query) (audit.Facets, error) {
	queries, err := e.auditOf(ctx, &q)
	if err != nil {
		return audit.Facets{}, err
	}
	return queries.Facets(ctx, q)
}

// auditOf is the audit, current, for a query that is not malformed.
func (e *Engine) auditOf(ctx context.Context, q *audit.Query) (*audit.Queries, error) {
	if err := errors.Join(q.Validate(), unknownCommands(q.Actions)); err != nil {
		return nil, fmt.Errorf("audit: %w", err)
	}
	views, err := e.audit.index(ctx, e)
	if err != nil {
		return nil, err
	}
	if err := views.WaitFor(ctx, e.handler.Position()); err != nil {
		if errors.Is(err, projections.ErrClosed) {
			err = ErrClosed
		}
		return nil, err
	}
	return audit.NewQueries(views, e.log, e.audit.refusals), nil
}

// unknownCommands reports names that are meant for commands and are none's.
func unknownCommands(actions []string) error {
	var mistakes []error
	for _, action := range actions {
		if action == "" || strings.ContainsAny(action, ".*") || action == strings.ToLower(action) {
			continue
		}
		if !commandNames[action] {
			mistakes = append(mistakes, fmt.Errorf("%w: there is no command %q", audit.ErrQuery, action))
		}
	}
	return errors.Join(mistakes...)
}

var commandNames = func() map[string]bool {
	names := map[string]bool{}
	for _, c := range commands.All() {
		names[c.CommandName()] = true
	}
	return names
}()

// auditing is what an engine has for the audit.
type auditing struct {
	path     string
	refusals *audit.Refusals // nil where none are kept

	mu     sync.Mutex
	closed bool
	views  *projections.Views // the index; nil until it is asked for
}

// index opens the index when it is first asked for.
func (a *auditing) index(ctx context.Context, e *Engine) (*projections.Views, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.closed {
		return nil, ErrClosed
	}
	if a.views == nil {
		views, err := projections.Open(ctx, a.path, e.log, &projections.Options{
			Projections: []projections.Projection{audit.New()}, Poll: e.options.Poll, Logger: e.options.Logger,
			Progress: e.options.progressOf("audit index"),
		})
		if err != nil {
			return nil, fmt.Errorf("audit: %w", err)
		}
		a.views = views
	}
	return a.views, nil
}

// report is how the handler tells of refused attempts; nil where none are kept.
func (a *auditing) report() func(commands.Refused) {
	if a.refusals == nil {
		return nil
	}
	return func(r commands.Refused) {
		attempt := audit.Attempt{
			At: r.At, Position: r.Position, Actor: r.Actor, Command: r.Command.CommandName(), GroupID: r.GroupID,
			CommandID: r.ID, Refusal: *r.Refusal,
		}
		a.refusals.Record(attempt, func() (json.RawMessage, error) { return json.Marshal(r.Command) })
	}
}

func (a *auditing) close() error {
	a.mu.Lock()
	a.closed = true
	views := a.views
	a.mu.Unlock()
	var failures []error
	if views != nil {
		failures = append(failures, views.Close())
	}
	if a.refusals != nil {
		failures = append(failures, a.refusals.Close())
	}
	return errors.Join(failures...)
}
