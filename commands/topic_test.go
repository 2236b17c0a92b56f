package commands_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

const openings = GroupID + "@TOPIC#_openings"

// talking is a Community with topic support and one topic.
func talking(t *testing.T) *Scene {
	founded := Founded(classic, domain.Community)
	founded.SupportTopic = true
	return Given(t, classic, Populated(classic, founded)...).
		And(domain.TopicCreated{Topic: domain.Topic{ID: openings, Name: "Openings", Introduction: "e4"}})
}

func TestTopicsAreForOwnerAndAdmins(t *testing.T) {
	for _, who := range everybody(true) {
		permitted := who.rank >= isAdmin
		allowed(talking(t).When(who.actor, commands.CreateTopic{GroupID: GroupID, TopicID: "endgames", Name: "Endgames"}), permitted,
			domain.TopicCreated{Topic: domain.Topic{ID: GroupID + "@TOPIC#_endgames", Name: "Endgames"}})
		allowed(talking(t).When(who.actor, commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, Name: ptr("Opening")}), permitted,
			domain.TopicChanged{TopicID: openings, Name: ptr("Opening")})
		allowed(talking(t).When(who.actor, commands.DeleteTopics{GroupID: GroupID, TopicIDs: []string{openings}}), permitted,
			domain.TopicsDeleted{TopicIDs: []string{openings}})
	}
	for _, kind := range types {
		scene := Given(t, classic, Live(classic, kind)...)
		for _, cmd := range []commands.Command{
			commands.CreateTopic{GroupID: GroupID, Name: "X"},
			commands.SetTopicInfo{GroupID: GroupID, TopicID: openings},
			commands.DeleteTopics{GroupID: GroupID, TopicIDs: []string{openings}},
		} {
			scene.When(User(Olga), cmd).ThenRefused(domain.CodeNotPermitted)
			scene.When(AppAdmin(Root), cmd).ThenRefused(domain.CodeNotPermitted)
		}
	}
}

func TestCreateTopic(t *testing.T) {
	topic := func(id string) commands.CreateTopic {
		return commands.CreateTopic{GroupID: GroupID, TopicID: id, Name: "X"}
	}
	t.Run("a custom ID may be given in full", func(t *testing.T) {
		v := talking(t).When(User(Olga), topic(GroupID+"@TOPIC#_endgames"))
		assert.Contains(t, v.Group().Topics(), GroupID+"@TOPIC#_endgames")
	})
	t.Run("an ID that is taken", func(t *testing.T) {
		talking(t).When(User(Olga), topic("openings")).ThenRefused(domain.CodeInvalidArgument)
		talking(t).When(User(Olga), topic(openings)).ThenRefused(domain.CodeInvalidArgument)
	})
	t.Run("an ID that is assigned is new, also after a deletion", func(t *testing.T) {
		v := talking(t).When(User(Olga), topic("")).When(User(Olga), topic(""))
		assert.Len(t, v.Group().Topics(), 3)
		ids := map[string]bool{}
		for id := range v.Group().Topics() {
			assert.True(t, strings.HasPrefix(id, GroupID+"@TOPIC#_"), id)
			ids[id] = true
		}
		after := v.When(User(Olga), commands.DeleteTopics{GroupID: GroupID, TopicIDs: []string{openings}}).When(User(Olga), topic(""))
		for id := range after.Group().Topics() {
			delete(ids, id)
		}
		assert.Equal(t, map[string]bool{openings: true}, ids, "the new topic has none of the old IDs")
	})
	t.Run("an ID that was assigned is not assigned again", func(t *testing.T) {
		first := talking(t).When(User(Olga), topic(""))
		id := first.Decision.Events[0].(domain.TopicCreated).ID
		second := first.When(User(Olga), commands.DeleteTopics{GroupID: GroupID, TopicIDs: []string{id}}).When(User(Olga), topic(""))
		assert.NotEqual(t, id, second.Decision.Events[0].(domain.TopicCreated).ID)
	})
	t.Run("an ID that is assigned is none that somebody has chosen, though it was deleted", func(t *testing.T) {
		assigned := talking(t).And(domain.GroupMuted{}, domain.GroupMuted{Muted: true}).
			When(User(Olga), topic("")).Decision.Events[0].(domain.TopicCreated).ID
		name := strings.TrimPrefix(assigned, GroupID+"@TOPIC#_")
		for _, chosen := range []string{name, assigned, "9@TGS#_"} {
			talking(t).When(User(Olga), topic(chosen)).ThenRefused(domain.CodeInvalidParameter, "@TGS#_")
		}
		number := strings.TrimPrefix(name, "@TGS#_")
		v := talking(t).When(User(Olga), topic(number)).
			When(User(Olga), commands.DeleteTopics{GroupID: GroupID, TopicIDs: []string{GroupID + "@TOPIC#_" + number}}).
			When(User(Olga), topic(""))
		assert.Equal(t, assigned, v.Decision.Events[0].(domain.TopicCreated).ID)
	})
	t.Run("an ID of at most 96 bytes", func(t *testing.T) {
		room := 96 - len(GroupID+"@TOPIC#_")
		talking(t).When(User(Olga), topic(strings.Repeat("x", room))).ThenOutcome(commands.Done)
		talking(t).When(User(Olga), topic(strings.Repeat("x", room+1))).ThenRefused(domain.CodeInvalidParameter)
		talking(t).When(User(Olga), topic("\xff")).ThenRefused(domain.CodeInvalidParameter)
		talking(t).When(User(Olga), topic(GroupID+"@TOPIC#_")).ThenRefused(domain.CodeInvalidParameter)
	})
	t.Run("fields as a group's", func(t *testing.T) {
		cmd := commands.CreateTopic{GroupID: GroupID, TopicID: "x", Name: "X", Introduction: "i", Notification: "n", FaceURL: "f"}
		talking(t).When(User(Olga), cmd).Then(domain.TopicCreated{Topic: domain.Topic{
			ID: GroupID + "@TOPIC#_x", Name: "X", Introduction: "i", Notification: "n", FaceURL: "f",
		}})
		cmd.Name = ""
		talking(t).When(User(Olga), cmd).ThenRefused(domain.CodeInvalidName)
	})
}

func TestSetTopicInfo(t *testing.T) {
	set := commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, Name: ptr("Openings"), Introduction: ptr("d4"), FaceURL: ptr("")}
	v := talking(t).When(User(Olga), set).Then(domain.TopicChanged{TopicID: openings, Introduction: ptr("d4")})
	topic, _ := v.Group().Topic(openings)
	assert.Equal(t, domain.Topic{ID: openings, Name: "Openings", Introduction: "d4"}, topic)
	v.When(User(Olga), set).ThenNothing()
	v.When(User(Olga), commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, Notification: ptr("n"), FaceURL: ptr("f")}).
		Then(domain.TopicChanged{TopicID: openings, Notification: ptr("n"), FaceURL: ptr("f")})
	v.When(User(Olga), commands.SetTopicInfo{GroupID: GroupID, TopicID: "openings", Notification: ptr("n")}).
		Then(domain.TopicChanged{TopicID: openings, Notification: ptr("n")})
	v.When(User(Olga), commands.SetTopicInfo{GroupID: GroupID, TopicID: openings, Name: ptr("")}).ThenRefused(domain.CodeInvalidName)
	v.When(User(Olga), commands.SetTopicInfo{GroupID: GroupID, TopicID: "none"}).ThenRefused(domain.CodeInvalidArgument)
}

func TestDeleteTopics(t *testing.T) {
	remove := func(ids ...string) commands.DeleteTopics {
		return commands.DeleteTopics{GroupID: GroupID, TopicIDs: ids}
	}
	v := talking(t).When(User(Olga), remove(openings, openings)).Then(domain.TopicsDeleted{TopicIDs: []string{openings}})
	assert.Empty(t, v.Group().Topics())
	talking(t).When(User(Olga), remove("openings", openings)).Then(domain.TopicsDeleted{TopicIDs: []string{openings}})
	talking(t).When(User(Olga), remove(openings, "none")).ThenRefused(domain.CodeInvalidArgument)
	talking(t).When(User(Olga), remove()).ThenRefused(domain.CodeInvalidArgument)
}
