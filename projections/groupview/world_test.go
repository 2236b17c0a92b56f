package groupview_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// world is a log, what folding it gives, and views of it.
type world struct {
	ctx    context.Context
	log    *memory.Store
	now    time.Time
	groups map[string]*domain.Group
	marks  map[string]eventstore.Position
	asked  map[string]eventstore.Position // by application ID: the last submission or refresh
	closed map[string]groupview.ApplicationState
	made   []string                       // application IDs, in order of submission
	born   map[string]eventstore.Position // when the newest incarnation began
	ever   map[string][]string            // by user: the groups that they were ever in
	head   eventstore.Position
}

func newWorld(ctx context.Context) *world {
	return &world{
		ctx: ctx, log: memory.New(), now: time.Date(2024, 2, 3, 4, 5, 6, 7000, time.UTC),
		groups: map[string]*domain.Group{}, marks: map[string]eventstore.Position{},
		asked: map[string]eventstore.Position{}, closed: map[string]groupview.ApplicationState{},
		born: map[string]eventstore.Position{}, ever: map[string][]string{},
	}
}

// fataler is testing.TB as far as a world needs it; rapid.T is one too.
type fataler interface {
	Fatalf(format string, args ...any)
	Helper()
}

// record appends an event to a group and folds it.
func (w *world) record(t fataler, groupID, actor string, event domain.Event) {
	t.Helper()
	g := w.group(groupID)
	before := w.mayClose(g, event)
	w.append(t, domain.GroupStream(groupID), actor, event)
	w.follow(g, event)
	g.Apply(event, domain.Meta{Actor: domain.Actor{UserID: actor}, At: w.now})
	for m := range g.Memberships() {
		if !slices.Contains(w.ever[m.UserID], groupID) {
			w.ever[m.UserID] = append(w.ever[m.UserID], groupID)
		}
	}
	for _, a := range before {
		if _, open := g.Application(a.ID); !open {
			w.closed[a.ID] = fate(g, event, a)
		}
	}
}

// mayClose lists the open applications that an event may close.
func (w *world) mayClose(g *domain.Group, event domain.Event) []domain.Application {
	switch f := event.(type) {
	case domain.ApplicationSubmitted, domain.ApplicationRefreshed:
		return nil
	case domain.ApplicationRefused:
		if a, open := g.Application(f.ApplicationID); open {
			return []domain.Application{a}
		}
		return nil
	default:
		return slices.Collect(g.OpenApplications())
	}
}

// follow keeps what a group itself does not.
func (w *world) follow(g *domain.Group, event domain.Event) {
	switch f := event.(type) {
	case domain.GroupCreated, domain.GroupImported:
		w.born[g.ID()] = w.head
	case domain.ApplicationSubmitted:
		w.made = append(w.made, f.ApplicationID)
		w.asked[f.ApplicationID] = w.head
	case domain.ApplicationRefreshed:
		if _, open := g.Application(f.ApplicationID); open {
			w.asked[f.ApplicationID] = w.head
		}
	}
}

// fate is what an event made of an application that it closed.
func fate(g *domain.Group, event domain.Event, a domain.Application) groupview.ApplicationState {
	switch f := event.(type) {
	case domain.ApplicationRefused:
		return groupview.Refused
	case domain.ApplicationAccepted:
		if f.ApplicationID == a.ID {
			return groupview.Accepted
		}
	case domain.MembersKicked:
		if !f.BannedUntil.IsZero() && slices.Contains(f.UserIDs, a.Candidate) {
			return groupview.VoidBanned
		}
	}
	if g.Status() == domain.Dismissed {
		return groupview.VoidDismissed
	}
	return groupview.Superseded
}

// read moves a user's read mark.
func (w *world) read(t fataler, userID string) {
	t.Helper()
	w.append(t, domain.UserStream(userID), userID, domain.ApplicationsRead{UserID: userID})
	w.marks[userID] = w.head
}

func (w *world) append(t fataler, stream, actor string, event domain.Event) {
	t.Helper()
	w.now = w.now.Add(time.Second)
	name, schema, data, err := domain.Encode(event)
	if err != nil {
		t.Fatalf("%v", err)
	}
	results, err := w.log.Append(w.ctx, eventstore.Commit{Stream: stream, Events: []eventstore.Event{{
		Type: name, Schema: schema, Data: data, Actor: actor, Time: w.now,
	}}})
	if err != nil {
		t.Fatalf("%v", err)
	}
	w.head = results[0].Last
}

func (w *world) group(id string) *domain.Group {
	if w.groups[id] == nil {
		w.groups[id] = domain.NewGroup(id)
	}
	return w.groups[id]
}

// apply submits an application and returns its ID.
func (w *world) apply(t fataler, groupID, userID, message string) string {
	t.Helper()
	g := w.group(groupID)
	id := domain.ApplicationID(groupID, g.Incarnation(), g.ApplicationsSubmitted()+1)
	w.record(t, groupID, userID, domain.ApplicationSubmitted{ApplicationID: id, From: userID, UserID: userID, Message: message})
	return id
}

// create founds a group.
func (w *world) create(t fataler, groupID string, kind domain.GroupType, owner string, members ...string) {
	t.Helper()
	e := domain.GroupCreated{GroupType: kind, Owner: owner, Name: "group " + groupID, JoinOption: domain.Auth, InviteOption: domain.Any}
	for _, id := range members {
		e.Members = append(e.Members, domain.InitialMember{UserID: id, Role: domain.Member})
	}
	w.record(t, groupID, owner, e)
}

// views opens views of the log and waits until they have all of it.
func (w *world) views(t *testing.T, path string, opts projections.Options) *projections.Views {
	t.Helper()
	opts.Projections = []projections.Projection{groupview.New()}
	views, err := projections.Open(w.ctx, path, w.log, &opts)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, views.Close()) })
	require.NoError(t, views.WaitFor(w.ctx, w.head))
	return views
}

// ask opens views in memory and the questions to them.
func (w *world) ask(t *testing.T) *groupview.Queries {
	t.Helper()
	return groupview.NewQueries(w.views(t, ":memory:", projections.Options{}))
}
