package domaintest

import (
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// Scene is the first part of a spec: what was.
type Scene struct {
	t        testing.TB
	policies domain.Policies
	groupID  string
	past     []Recorded
	now      time.Time
	groupsOf func(string) (int, error)
}

// Given begins a spec with the events of the group so far. They happened in the
// morning, a minute apart, by the hand of the system.
func Given(t testing.TB, p domain.Policies, events ...domain.Event) *Scene {
	s := &Scene{t: t, policies: p, groupID: GroupID, now: Noon}
	for i, e := range events {
		at := Morning.Add(time.Duration(i) * time.Minute)
		s.past = append(s.past, Recorded{Event: e, Meta: domain.Meta{Actor: domain.System, At: at}})
	}
	return s
}

// with is the scene with a change: scenes never change, so that one may be the
// start of several specs.
func (s *Scene) with(change func(*Scene)) *Scene {
	changed := *s
	changed.past = slices.Clone(s.past)
	change(&changed)
	return &changed
}

// InGroup has the scene play in a group with another ID than GroupID.
func (s *Scene) InGroup(id string) *Scene { return s.with(func(s *Scene) { s.groupID = id }) }

// At is when the following happens; noon, if nothing is said.
func (s *Scene) At(at time.Time) *Scene { return s.with(func(s *Scene) { s.now = at }) }

// Later lets time pass.
func (s *Scene) Later(d time.Duration) *Scene { return s.At(s.now.Add(d)) }

// And adds events that happen now.
func (s *Scene) And(events ...domain.Event) *Scene {
	return s.with(func(s *Scene) {
		for _, e := range events {
			s.past = append(s.past, Recorded{Event: e, Meta: domain.Meta{Actor: domain.System, At: s.now}})
		}
	})
}

// Counting says of how many groups users are members; none, if nothing is said.
func (s *Scene) Counting(groups map[string]int) *Scene {
	return s.with(func(s *Scene) { s.groupsOf = func(userID string) (int, error) { return groups[userID], nil } })
}

// CountingFails says that nobody knows of how many groups users are members.
func (s *Scene) CountingFails(err error) *Scene {
	return s.with(func(s *Scene) { s.groupsOf = func(string) (int, error) { return 0, err } })
}

// Group is the group as it is now.
func (s *Scene) Group() *domain.Group { return Fold(s.groupID, s.past...) }

// decide judges a command in the scene, on a group of its own.
func (s *Scene) decide(g *domain.Group, actor domain.Actor, cmd commands.Command) (commands.Decision, error) {
	if GroupOf(cmd) == "" {
		g = nil
	}
	return commands.Decide(commands.Situation{
		Policies: s.policies, Actor: actor, Now: s.now, Group: g, GroupsOf: s.groupsOf,
	}, cmd)
}

// When has somebody give a command.
func (s *Scene) When(actor domain.Actor, cmd commands.Command) *Verdict {
	s.t.Helper()
	g := s.Group()
	decision, err := s.decide(g, actor, cmd)
	v := &Verdict{t: s.t, scene: s, actor: actor, command: cmd, Decision: decision, Err: err}
	assert.Equal(s.t, s.Group(), g, "deciding changes nothing")
	for range 3 {
		again, errAgain := s.decide(g, actor, cmd)
		require.Equal(s.t, decision, again, "the same situation is decided the same")
		require.Equal(s.t, err, errAgain, "the same situation is decided the same")
	}
	if err != nil {
		assert.Empty(s.t, decision, "who is refused gets nothing")
	}
	v.apply()
	return v
}

// apply records what was decided, event by event, and checks the invariants after
// each.
func (v *Verdict) apply() {
	v.t.Helper()
	v.after = v.scene.with(func(*Scene) {})
	g := v.scene.Group()
	for _, e := range v.Decision.Events {
		back := ThroughCodec(v.t, e)
		v.after.past = append(v.after.past, Recorded{Event: back, Meta: domain.Meta{Actor: v.actor, At: v.scene.now}})
		if GroupOf(v.command) == "" {
			continue
		}
		g.Apply(e, domain.Meta{Actor: v.actor, At: v.scene.now})
		assert.NoError(v.t, Invariants(g, v.scene.policies), "after %s", e.EventName())
		assert.Equal(v.t, v.after.Group(), g, "the group folded from the log is the group in memory")
	}
	if v.Err == nil {
		v.checkRepetition()
	}
}
