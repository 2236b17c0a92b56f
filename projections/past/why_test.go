package past_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// standings are the facts about a user in a group that can be asked for, with what a
// group says of each by itself.
var standings = map[string]struct {
	why  func(*past.Past, context.Context, string, string) (past.Reason, error)
	fact func(*domain.Group, string) any
}{
	"member": {(*past.Past).WhyMember, func(g *domain.Group, user string) any {
		m, _ := g.Membership(user)
		return m.JoinedAt.UnixMicro()
	}},
	"role": {(*past.Past).WhyRole, func(g *domain.Group, user string) any {
		m, _ := g.Membership(user)
		return [2]int64{int64(m.Role), m.JoinedAt.UnixMicro()}
	}},
	"banned": {(*past.Past).WhyBanned, func(g *domain.Group, user string) any { return g.BannedUntil(user).UnixMicro() }},
	"muted": {(*past.Past).WhyMuted, func(g *domain.Group, user string) any {
		m, _ := g.Membership(user)
		return m.MutedUntil.UnixMicro()
	}},
}

// possible folds what is left of a history: what presupposes something that is missing
// has no effect. It is written again here, from the words of chain.go.
func possible(id, user string, events []projections.Event) *domain.Group {
	g := domain.NewGroup(id)
	for _, e := range events {
		switch f := e.Fact.(type) {
		case domain.MembersKicked:
			f.UserIDs = slices.DeleteFunc(slices.Clone(f.UserIDs), func(id string) bool { return (user == "" || id == user) && !g.IsMember(id) })
			e.Fact = f
		case domain.OwnerTransferred:
			if (user == "" || f.To == user) && !g.IsMember(f.To) {
				continue
			}
		case domain.ApplicationAccepted:
			if _, open := g.Application(f.ApplicationID); !open {
				continue
			}
		}
		g.Apply(e.Fact, e.Meta())
		switch e.Fact.(type) {
		case domain.GroupCreated, domain.GroupImported:
			if user == "" {
				continue
			}
			g.Apply(domain.MemberJoined{UserID: "somebody else"}, e.Meta())
		}
	}
	return g
}

// prefixOf decodes the events of the newest incarnation of a group among some records.
func prefixOf(t require.TestingT, id string, records []eventstore.Record) []projections.Event {
	var events []projections.Event
	for _, r := range records {
		if r.Stream != domain.GroupStream(id) {
			continue
		}
		e, err := projections.Decode(r)
		require.NoError(t, err)
		switch e.Fact.(type) {
		case domain.GroupCreated, domain.GroupImported:
			events = nil
		}
		events = append(events, e)
	}
	return events
}

func without(events []projections.Event, link projections.Event) []projections.Event {
	i := index(events, link.Position)
	return slices.Concat(events[:i], events[i+1:])
}

func index(events []projections.Event, position eventstore.Position) int {
	return slices.IndexFunc(events, func(e projections.Event) bool { return e.Position == position })
}

// TestWhyIsMinimal: for random histories, moments, users and facts, leaving out any one
// event of the chain from a copy of the group's history changes the fact, and the chain
// alone gives it. A fact that the group never had otherwise has no chain.
func TestWhyIsMinimal(t *testing.T) { requireWhy(t) }

// TestWhyOfLongHistories: so it is where events are left out in blocks first.
func TestWhyOfLongHistories(t *testing.T) {
	defer past.SetEachOne(2)()
	requireWhy(t)
}

func requireWhy(t *testing.T) {
	links, spare := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := domaintest.History(t, 60)
		source, done := sourceOf(t, w)
		defer done()
		records := w.Records()
		at := eventstore.Position(rapid.IntRange(0, len(records)).Draw(t, "position"))
		asOf, err := past.New(source, past.AtPosition(at))
		require.NoError(t, err)
		for _, id := range domaintest.Groups {
			events := prefixOf(t, id, records[:at])
			for _, user := range everybody {
				for name, standing := range standings {
					reason, err := standing.why(asOf, ctx, id, user)
					if len(events) == 0 {
						require.ErrorIs(t, err, groupview.ErrNotFound)
						continue
					}
					require.NoError(t, err)
					links += len(reason.Events)
					spare += requireMinimal(t, name+" of "+user, events, reason, func(events []projections.Event) any {
						return standing.fact(possible(id, user, events), user)
					})
				}
			}
		}
	})
	require.Less(t, spare, links/100, "nearly all are missed in the history itself")
}

// requireMinimal returns how many links are missed in the chain alone.
func requireMinimal(t *rapid.T, name string, events []projections.Event, reason past.Reason, fact func([]projections.Event) any) (spare int) {
	is := fact(events)
	require.Equal(t, is, fact(reason.Events), "%s: the chain alone gives the fact", name)
	if len(reason.Events) == 0 {
		for n := range events {
			require.Equal(t, is, fact(events[:n]), "%s: it has always been so", name)
		}
		return 0
	}
	last := reason.Events[len(reason.Events)-1].Position
	history := events[:index(events, last)+1]
	require.Equal(t, is, fact(history), "%s: it has been so since the last link", name)
	for _, link := range reason.Events {
		// Where two events would each have been enough, such as an owner's passing on and
		// leaving in the moment in which they come back, one of them is missed in the chain.
		if fact(without(history, link)) == is {
			require.NotEqual(t, is, fact(without(reason.Events, link)), "%s without %s at %d", name, link.Type, link.Position)
			spare++
		}
	}
	return spare
}

// TestExplain: for random histories and commands, the past says of a command what became
// of it, and each link of the chain is missed.
func TestExplain(t *testing.T) { requireExplained(t, 1000) }

// TestExplainLongHistories: so it is where events are left out in blocks first. But of
// many by whom a group is full, who came in twice may be there once too often.
func TestExplainLongHistories(t *testing.T) {
	const many = 2
	defer past.SetEachOne(many)()
	requireExplained(t, many)
}

// requireExplained wants each link missed, but where more than so many fill a group.
func requireExplained(t *testing.T, many int) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := domaintest.History(t, 40)
		source, done := sourceOf(t, w)
		defer done()
		before := eventstore.Position(0)
		for _, step := range w.Steps {
			cmd, id := commands.About(w.Policies, step.Actor, step.Command)
			source.Now = step.At
			then := source
			then.Head = before
			asOf, err := past.New(then, past.Moment{}) // the present of then
			require.NoError(t, err)
			e, err := asOf.Explain(ctx, step.Actor, step.Command)
			require.NoError(t, err)
			require.Equal(t, step.Refusal, e.Refusal)
			require.Equal(t, step.Refusal == nil, e.Allowed)
			require.Equal(t, step.Decision.Events, e.Events)
			may := asOf.May(ctx, step.Actor, step.Command)
			require.Equal(t, step.Refusal == nil, may == nil)
			events := prefixOf(t, id, w.Records()[:before])
			if len(events) > 0 && len(e.Because) > 0 {
				requireMissed(t, commands.Situation{
					Policies: w.Policies, Actor: step.Actor, Now: e.At, GroupsOf: groupsAmong(t, w.Records()[:before]),
				}, cmd, id, e, events, many)
			}
			before += eventstore.Position(len(step.Records))
		}
	})
}

// groupsAmong counts the groups that users are in by what some records come to.
func groupsAmong(t require.TestingT, records []eventstore.Record) func(string) (int, error) {
	return func(userID string) (n int, err error) {
		for _, id := range domaintest.Groups {
			g := domain.NewGroup(id)
			for _, e := range prefixOf(t, id, records) {
				g.Apply(e.Fact, e.Meta())
			}
			if g.IsMember(userID) {
				n++
			}
		}
		return n, nil
	}
}

// requireMissed leaves each link of the chain out of the group's whole history.
func requireMissed(t *rapid.T, s commands.Situation, cmd commands.Command, id string, e past.Explanation, events []projections.Event, many int) {
	answer := func(events []projections.Event) string {
		s.Group = possible(id, "", events)
		_, err := commands.Decide(s, cmd)
		var refusal *domain.Refusal
		switch {
		case err == nil:
			return "allowed"
		case errors.As(err, &refusal) && refusal.Code == domain.CodeGroupFull:
			return "full" // of however many
		case refusal != nil:
			return fmt.Sprint(refusal.Code, refusal.Rule)
		default:
			return err.Error()
		}
	}
	is := answer(events)
	require.Equal(t, is, answer(e.Because), "the chain alone gives the answer")
	if is == "full" && len(e.Because) > many {
		return
	}
	// Where the group has come back to what made it so, the history is that up to the last
	// time; where several events would each have been enough, one is missed in the chain.
	since := events[:index(events, e.Because[len(e.Because)-1].Position)+1]
	for _, link := range e.Because {
		missed := answer(without(events, link)) != is || answer(since) == is && answer(without(since, link)) != is
		if !missed {
			require.NotEqual(t, is, answer(without(e.Because, link)), "%s without %s at %d", cmd.CommandName(), link.Type, link.Position)
		}
	}
}
