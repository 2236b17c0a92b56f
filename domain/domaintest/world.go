package domaintest

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// World is a few users and groups without a handler and without a store: commands
// are decided one after the other, and what is decided is so.
type World struct {
	Policies domain.Policies
	Now      time.Time // moved by Later
	Steps    []Step    // every command so far

	groups   map[string]*domain.Group
	records  []eventstore.Record
	versions map[string]eventstore.Version
}

// Step is one command in a World, and what came of it.
type Step struct {
	Actor    domain.Actor
	At       time.Time
	Command  commands.Command
	Decision commands.Decision
	Refusal  *domain.Refusal // nil if the command was permitted
	Records  []eventstore.Record
}

// NewWorld is a world in which nothing has happened.
func NewWorld(p domain.Policies) *World {
	return &World{
		Policies: p, Now: Morning,
		groups: map[string]*domain.Group{}, versions: map[string]eventstore.Version{},
	}
}

// Group is the group with the ID as it is now. It is not to be changed.
func (w *World) Group(id string) *domain.Group {
	g, ok := w.groups[id]
	if !ok {
		g = domain.NewGroup(id)
		w.groups[id] = g
	}
	return g
}

// GroupsOf is the number of groups that a user is in.
func (w *World) GroupsOf(userID string) int {
	n := 0
	for _, g := range w.groups {
		if g.IsMember(userID) {
			n++
		}
	}
	return n
}

// Later lets time pass.
func (w *World) Later(d time.Duration) { w.Now = w.Now.Add(d) }

// Do has somebody give a command now, and records what is decided.
func (w *World) Do(actor domain.Actor, cmd commands.Command) Step {
	stream := domain.UserStream(actor.UserID)
	var g *domain.Group
	if id := GroupOf(cmd); id != "" {
		stream, g = domain.GroupStream(id), w.Group(id)
	}
	step := Step{Actor: actor, At: w.Now, Command: cmd}
	decision, err := commands.Decide(commands.Situation{
		Policies: w.Policies, Actor: actor, Now: w.Now, Group: g,
		GroupsOf: func(userID string) (int, error) { return w.GroupsOf(userID), nil },
	}, cmd)
	if err != nil && !errors.As(err, &step.Refusal) {
		panic(err) // GroupsOf never fails
	}
	step.Decision = decision
	for _, e := range decision.Events {
		step.Records = append(step.Records, w.record(stream, actor, e))
		if g != nil {
			g.Apply(e, domain.Meta{Actor: actor, At: w.Now})
		}
	}
	w.Steps = append(w.Steps, step)
	return step
}

func (w *World) record(stream string, actor domain.Actor, e domain.Event) eventstore.Record {
	name, schema, data, err := domain.Encode(e)
	if err != nil {
		panic(err) // what is decided can be stored
	}
	w.versions[stream]++
	r := eventstore.Record{
		Position: eventstore.Position(len(w.records) + 1), Stream: stream, Version: w.versions[stream],
		Event: eventstore.Event{
			Type: name, Schema: schema, Data: data, Actor: actor.UserID, AppAdmin: actor.AppAdmin, Time: w.Now,
		},
	}
	w.records = append(w.records, r)
	return r
}

// Records is the log: every event so far.
func (w *World) Records() []eventstore.Record { return slices.Clone(w.records) }

// GroupIDs are the IDs that commands were about so far, in alphabetical order.
func (w *World) GroupIDs() []string {
	var ids []string
	for id := range w.groups {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// AppendTo appends the log to a store, one commit for each command.
func (w *World) AppendTo(t testing.TB, store eventstore.Store) {
	t.Helper()
	for _, step := range w.Steps {
		if len(step.Records) == 0 {
			continue
		}
		commit := eventstore.Commit{Stream: step.Records[0].Stream}
		for _, r := range step.Records {
			commit.Events = append(commit.Events, r.Event)
		}
		results, err := store.Append(context.Background(), commit)
		require.NoError(t, err)
		require.NoError(t, results[0].Err)
	}
}
