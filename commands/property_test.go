package commands_test

import (
	"encoding/json"
	"maps"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// The engine answers every command of a random history as the model does, and its
// groups are the model's after every one.
func TestEngineDoesAsTheModel(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := NewWorld(Policies(t))
		m := &model{policies: w.Policies}
		for range rapid.IntRange(1, 60).Draw(t, "commands") {
			step := w.Draw(t)
			predicted := m.do(step.Actor, step.At, step.Command)
			compareAnswers(t, predicted, step)
			m.adopt(step)
			for _, id := range Groups {
				compareGroups(t, m.group(id), w.Group(id), w.Now)
			}
		}
	})
}

// adopt gives a new topic the ID that the engine has chosen.
func (m *model) adopt(step Step) {
	for _, e := range step.Decision.Events {
		if created, ok := e.(domain.TopicCreated); ok {
			g := m.group(GroupOf(step.Command))
			g.topicList[len(g.topicList)-1].id = created.ID
		}
	}
}

func told(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(text)
}

func compareAnswers(t require.TestingT, predicted answer, step Step) {
	about := step.Command.CommandName() + " " + told(step.Command) + " by " + told(step.Actor)
	code := domain.Code(0)
	if step.Refusal != nil {
		code = step.Refusal.Code
	}
	require.Equal(t, predicted.code, code, "%s: %v", about, step.Refusal)
	if code != 0 {
		require.Empty(t, step.Decision, about)
		return
	}
	require.Equal(t, predicted.nothing, len(step.Decision.Events) == 0, about)
	require.Equal(t, predicted.nothing, step.Decision.Outcome == commands.Nothing, about)
	var users []commands.Result
	for _, user := range step.Decision.Users {
		users = append(users, user.Result)
	}
	require.Equal(t, predicted.users, users, about)
}

func compareGroups(t require.TestingT, m *modelGroup, g *domain.Group, now time.Time) {
	if m == nil {
		require.Equal(t, domain.Unused, g.Status())
		return
	}
	require.Equal(t, m.incarnation, g.Incarnation())
	require.Equal(t, m.live, g.Status() == domain.Live)
	require.Equal(t, len(m.members), g.Count())
	require.Equal(t, m.owner(), g.Owner())
	var members []modelMember
	for member := range g.Memberships() {
		custom := map[string]string{}
		maps.Copy(custom, member.Custom)
		members = append(members, modelMember{member.UserID, member.Role, member.JoinedAt, member.MutedUntil, member.NameCard, custom})
	}
	require.Equal(t, m.members[:len(m.members):len(m.members)], append(m.members[:0:0], members...))
	if !m.live {
		return
	}
	for _, user := range Users {
		require.Equal(t, m.banned(user, now), g.Banned(user, now), "%s is banned", user)
	}
	require.Equal(t, len(m.asked), g.ApplicationsSubmitted())
	var open, modelOpen []modelApplication
	for a := range g.OpenApplications() {
		open = append(open, modelApplication{a.Kind, a.From, a.Candidate, a.Message, a.At, true})
	}
	for _, a := range m.asked {
		if a.open {
			modelOpen = append(modelOpen, a)
		}
	}
	require.Equal(t, modelOpen, open)
	profile := g.Profile()
	require.Equal(t, []any{m.kind, m.topics, m.join, m.invite, m.muted, m.created, m.changes, len(m.topicList)},
		[]any{g.Type(), g.SupportsTopics(), profile.JoinOption, profile.InviteOption, g.AllMuted(), g.CreatedAt(), g.AttributesVersion(), len(g.Topics())})
	texts := map[string]string{"name": profile.Name, "introduction": profile.Introduction, "notification": profile.Notification, "faceURL": profile.FaceURL}
	for key, value := range profile.Custom {
		texts["custom "+key] = value
	}
	for _, topic := range m.topicList {
		require.Equal(t, domain.Topic{ID: topic.id, Name: topic.name, Introduction: topic.introduction}, g.Topics()[topic.id])
	}
	maps.DeleteFunc(texts, func(_, text string) bool { return text == "" })
	require.Equal(t, m.info, texts)
	require.True(t, maps.Equal(m.attributes, g.Attributes()), "attributes %v, %v", m.attributes, g.Attributes())
}

// I1 to I5, I15, I16: after every event of a random history.
func TestInvariantsAfterEveryEvent(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := History(t, 60)
		groups := map[string]*domain.Group{}
		ended := map[string]int{} // incarnations that are over
		for _, r := range w.Records() {
			id, ok := domain.GroupOf(r.Stream)
			if !ok {
				continue
			}
			if groups[id] == nil {
				groups[id] = domain.NewGroup(id)
			}
			g := groups[id]
			e, err := domain.Decode(r.Type, r.Schema, r.Data)
			require.NoError(t, err)
			g.Apply(e, commands.MetaOf(r))
			require.NoError(t, Invariants(g, w.Policies), "after %s", r.Type)
			require.EqualValues(t, r.Version, g.Version())
			require.Equal(t, r.Time, g.LastEventAt())
			if g.Status() == domain.Dismissed {
				ended[id] = g.Incarnation()
			} else {
				require.Greater(t, g.Incarnation(), ended[id], "I4: what is dismissed stays so")
			}
		}
	})
}

// I10: the same events make the same group, live, folded, folded again from the
// middle, whatever the order of maps.
func TestFoldIsDeterministic(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := History(t, 60)
		for _, id := range w.GroupIDs() {
			var past []Recorded
			for _, r := range w.Records() {
				if r.Stream == domain.GroupStream(id) {
					e, err := domain.Decode(r.Type, r.Schema, r.Data)
					require.NoError(t, err)
					past = append(past, Recorded{Event: e, Meta: commands.MetaOf(r)})
				}
			}
			require.Equal(t, w.Group(id), Fold(id, past...))
			middle := rapid.IntRange(0, len(past)).Draw(t, "middle")
			half := Fold(id, past[:middle]...)
			for _, e := range past[middle:] {
				half.Apply(e.Event, e.Meta)
			}
			require.Equal(t, w.Group(id), half)
		}
	})
}

// I6: what is recorded is recorded as done by who gave the command, and only an app
// admin makes others enter, leave or own against the rights of a member.
func TestNobodyActsForAnother(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		for _, step := range History(t, 60).Steps {
			for i, r := range step.Records {
				require.Equal(t, step.Actor, commands.MetaOf(r).Actor)
				require.Equal(t, step.Decision.Events[i].EventName(), r.Type)
				switch e := step.Decision.Events[i].(type) {
				case domain.MemberJoined:
					require.Equal(t, step.Actor.UserID, e.UserID)
				case domain.MemberLeft:
					require.Equal(t, step.Actor.UserID, e.UserID)
				case domain.ApplicationsRead:
					require.Equal(t, step.Actor.UserID, e.UserID)
				case domain.ApplicationSubmitted:
					require.Equal(t, step.Actor.UserID, e.From)
				case domain.MemberImported, domain.GroupImported, domain.NotificationSent, domain.GroupRecycled:
					require.True(t, step.Actor.AppAdmin)
				}
			}
		}
	})
}

// I5: each application is decided at most once, and not after it was closed.
func TestApplicationsAreDecidedOnce(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		decided := map[string]bool{}
		for _, step := range History(t, 80).Steps {
			for _, e := range step.Decision.Events {
				id := ""
				switch e := e.(type) {
				case domain.ApplicationAccepted:
					id = e.ApplicationID
				case domain.ApplicationRefused:
					id = e.ApplicationID
				case domain.ApplicationRefreshed:
					require.False(t, decided[e.ApplicationID])
				case domain.ApplicationSubmitted:
					require.NotContains(t, decided, e.ApplicationID, "IDs are new")
					decided[e.ApplicationID] = false
				}
				if id != "" {
					require.Contains(t, decided, id)
					require.False(t, decided[id], "%s was decided before", id)
					decided[id] = true
				}
			}
		}
	})
}

// I13: a ban beats every way in but an app admin's hand.
func TestABanBeatsEveryWayIn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := NewWorld(Policies(t))
		for range rapid.IntRange(1, 80).Draw(t, "commands") {
			before := map[[2]string]bool{}
			step := func() Step {
				w.Later(time.Minute)
				for _, id := range Groups {
					for _, user := range Users {
						before[[2]string{id, user}] = w.Group(id).Status() == domain.Live && w.Group(id).Banned(user, w.Now)
					}
				}
				return w.DrawNow(t)
			}()
			for key, banned := range before {
				if g := w.Group(key[0]); banned && g.IsMember(key[1]) && g.Status() == domain.Live {
					require.True(t, step.Actor.AppAdmin, "%s let %s in", step.Command.CommandName(), key[1])
					require.Contains(t, []string{"InviteUsers", "ImportMember"}, step.Command.CommandName())
				}
			}
		}
	})
}

// I19, 3.1: what has been fulfilled is answered, given again at once, as the rules
// say, and what came to nothing comes to nothing.
func TestRepetitionOfAnything(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := History(t, 40)
		step := w.DrawNow(t)
		if step.Refusal != nil {
			return
		}
		again := w.Do(step.Actor, step.Command)
		require.NoError(t, CheckRepetition(step, again))
	})
}

// I20: every state has a way out: an app admin can dismiss any live group, and the
// ID is free again.
func TestEveryStateHasAWayOut(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := History(t, 60)
		for _, id := range w.GroupIDs() {
			if w.Group(id).Status() == domain.Live {
				require.Nil(t, w.Do(Operator, commands.Dismiss{GroupID: id}).Refusal)
			}
			kind := domain.Public
			if id == Groups[2] {
				kind = domain.Community
			}
			w.Later(time.Second)
			born := w.Do(Operator, commands.CreateGroup{GroupType: kind, GroupID: id, Name: "anew"})
			require.Nil(t, born.Refusal)
			g := w.Group(id)
			assert.Equal(t, []any{1, Operator.UserID, "anew", 0, 0, time.Time{}}, []any{
				g.Count(), g.Owner(), g.Profile().Name, g.ApplicationsSubmitted(), len(g.Attributes()), g.EndedAt(),
			}, "I15: nothing is inherited")
			for _, user := range Users {
				assert.False(t, g.Banned(user, w.Now))
			}
		}
	})
}

// I7, I18: a refused command changes nothing, and is refused the same every time.
func TestARefusalIsAlwaysTheSame(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := History(t, 40)
		records := len(w.Records())
		step := w.DrawNow(t)
		if step.Refusal == nil {
			return
		}
		require.Len(t, w.Records(), records)
		for range 5 {
			require.Equal(t, step.Refusal, w.Do(step.Actor, step.Command).Refusal)
		}
		require.True(t, slices.Contains(domain.Codes(), step.Refusal.Code))
	})
}
