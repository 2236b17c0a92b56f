package pubsub

import (
	"context"
	"strconv"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/google/uuid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Keys of the metadata that messages made here carry.
const (
	KindKey     = "kind"     // of an event its name, "member.joined"; of a notification its callback, "OnMemberEnter"
	GroupKey    = "group"    // the group ID; not there for an event of a user
	PositionKey = "position" // in the log, decimal
	VersionKey  = "version"  // of an event, in its group, decimal
	SchemaKey   = "schema"   // of an event: the version of its JSON, decimal
	ActorKey    = "actor"    // the user ID of who acted; not there for the system
	AppAdminKey = "appAdmin" // "true" where who acted did so as an app admin; else not there
	TimeKey     = "time"     // RFC 3339, UTC, of the event
)

// Source is where a message comes from: the record that it was made of, and how often
// this subscription has tried to have it handled, from 1.
type Source struct {
	Record  eventstore.Record
	Attempt int
}

type sourceKey struct{}

// SourceOf is where a message comes from, for one that a Subscriber has delivered; ok is
// false for any other. It is in the message's context, so it is not carried on by a
// message that a handler makes.
func SourceOf(m *message.Message) (source Source, ok bool) {
	source, ok = m.Context().Value(sourceKey{}).(Source)
	return source, ok
}

// space is the name space of the UUIDs that are made here.
var space = uuid.NewSHA1(uuid.NameSpaceURL, []byte("https://github.com/grouplog/grouplog/projections/notify/pubsub"))

// identify makes a UUID, 36 characters, of what names a thing for ever. The time is
// part of it: a log that was restored from a backup, and has gone on another way since,
// has other events at the same positions.
func identify(kind, name, place string, at time.Time) string {
	return uuid.NewSHA1(space, []byte(kind+"\x00"+name+"\x00"+place+"\x00"+strconv.FormatInt(at.UnixMicro(), 10))).String()
}

// newMessage makes a message of a record: an object of its own for every attempt, for
// what has been acknowledged stays so.
func newMessage(ctx context.Context, logID string, r *eventstore.Record) (*message.Message, error) {
	if _, ok := projections.TopicOf(r.Stream); ok {
		stored, err := projections.DecodeMessage(*r)
		if err != nil {
			return nil, err
		}
		m := message.NewMessageWithContext(ctx, stored.UUID, stored.Payload)
		for key, value := range stored.Metadata {
			m.Metadata.Set(key, value)
		}
		return m, nil
	}
	place := strconv.FormatUint(uint64(r.Position), 10)
	m := message.NewMessageWithContext(ctx, identify("event", logID, place, r.Time), append([]byte(nil), r.Data...))
	m.Metadata.Set(KindKey, r.Type)
	m.Metadata.Set(SchemaKey, strconv.Itoa(r.Schema))
	m.Metadata.Set(PositionKey, place)
	m.Metadata.Set(VersionKey, strconv.FormatUint(uint64(r.Version), 10))
	m.Metadata.Set(TimeKey, r.Time.Format(time.RFC3339Nano))
	if groupID, ok := domain.GroupOf(r.Stream); ok {
		m.Metadata.Set(GroupKey, groupID)
	}
	setActor(m, domain.Actor{UserID: r.Actor, AppAdmin: r.AppAdmin})
	return m, nil
}

func setActor(m *message.Message, by domain.Actor) {
	if by.UserID != "" && by != domain.System {
		m.Metadata.Set(ActorKey, by.UserID)
	}
	if by.AppAdmin {
		m.Metadata.Set(AppAdminKey, "true")
	}
}
