package domain

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"

	"github.com/grouplog/grouplog/domain/internal/upcast"
)

// events is the registry: every event there is. An event that is not in it cannot
// be stored or read. docs/events.md is generated from it.
var events = []Event{
	GroupCreated{}, GroupImported{}, GroupDismissed{}, GroupRecycled{},
	MemberJoined{}, MembersInvited{}, MemberImported{}, MemberLeft{}, MembersKicked{},
	MemberRoleChanged{}, OwnerTransferred{},
	MemberMuted{}, MemberUnmuted{}, GroupMuted{},
	GroupProfileChanged{}, MemberInfoChanged{}, AttributesChanged{},
	ApplicationSubmitted{}, ApplicationRefreshed{}, ApplicationAccepted{}, ApplicationRefused{}, ApplicationsRead{},
	TopicCreated{}, TopicChanged{}, TopicsDeleted{},
	NotificationSent{},
}

var eventTypes = func() map[string]reflect.Type {
	types := make(map[string]reflect.Type, len(events))
	for _, e := range events {
		types[e.EventName()] = reflect.TypeOf(e)
	}
	return types
}()

// Events lists a zero value of every event, in the order of the registry.
func Events() []Event { return append([]Event(nil), events...) }

// SchemaOf is the version of an event's JSON, from 1.
func SchemaOf(eventName string) int {
	if version, ok := upcast.Schemas[eventName]; ok {
		return version
	}
	return 1
}

// Encode gives an event its form on disk: its name, the version of its JSON, and
// the JSON.
func Encode(e Event) (name string, schema int, data []byte, err error) {
	name = e.EventName()
	if _, ok := e.(Several); ok {
		return "", 0, nil, fmt.Errorf("encode %s: it is several events: store each", name)
	}
	data, err = json.Marshal(e)
	if err != nil {
		return "", 0, nil, fmt.Errorf("encode %s: %w", name, err)
	}
	return name, SchemaOf(name), data, nil
}

// Decode reads an event from its form on disk. One of an older name or schema is read as
// what it is today, which is a Several if the event was split. An unknown name or a newer schema
// is an error, never a guess: the event was written by a newer version. Fields
// that are unknown are ignored, for the same schema may gain some.
func Decode(name string, schema int, data []byte) (Event, error) {
	typ, ok := eventTypes[name]
	if !ok || schema != SchemaOf(name) {
		return decodeOld(name, schema, data)
	}
	if e, ok := read(name, data); ok {
		return e, nil
	}
	return decode(name, typ, data)
}

// decodeOld reads an event of a form that is not written any more.
func decodeOld(name string, schema int, data []byte) (Event, error) {
	form := upcast.Form{Name: name, Schema: schema}
	if _, ok := upcast.Old[form]; !ok {
		if _, known := eventTypes[name]; known {
			return nil, fmt.Errorf("event %q has schema %d, and this version knows 1 to %d", name, schema, SchemaOf(name))
		}
		return nil, fmt.Errorf("event %q, schema %d, is unknown to this version", name, schema)
	}
	stored, err := upcast.Old.Upcast(form, data)
	if err != nil {
		return nil, fmt.Errorf("event %q, schema %d: %w", name, schema, err)
	}
	facts := make([]Event, len(stored))
	for i, s := range stored {
		if facts[i], err = decode(s.Name, eventTypes[s.Name], s.Data); err != nil {
			return nil, fmt.Errorf("event %q, schema %d, read as %w", name, schema, err)
		}
	}
	if len(facts) == 1 {
		return facts[0], nil
	}
	return Several{Stored: name, Facts: facts}, nil
}

// decode reads any JSON of an event.
func decode(name string, typ reflect.Type, data []byte) (Event, error) {
	value := reflect.New(typ)
	if err := json.Unmarshal(data, value.Interface()); err != nil {
		return nil, fmt.Errorf("event %q: %w", name, err)
	}
	return value.Elem().Interface().(Event), nil
}

// The streams of the log: one for each group ID, one for each user who has marked
// applications as read.
const (
	groupStream = "group:"
	userStream  = "user:"
)

// GroupStream names the stream of a group ID, which holds all its incarnations.
func GroupStream(groupID string) string { return groupStream + groupID }

// UserStream names the stream of a user.
func UserStream(userID string) string { return userStream + userID }

// GroupOf is the group ID of a stream; ok is false if it is not a group's.
func GroupOf(stream string) (groupID string, ok bool) { return strings.CutPrefix(stream, groupStream) }

// UserOf is the user ID of a stream; ok is false if it is not a user's.
func UserOf(stream string) (userID string, ok bool) { return strings.CutPrefix(stream, userStream) }
