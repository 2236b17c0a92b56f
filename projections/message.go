package projections

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/grouplog/grouplog/eventstore"
)

// Message is what somebody has put into the log beside the events of groups and users:
// bytes under a topic, which stand in the order of the log and mean nothing to it.
// Package notify/pubsub writes and reads them. Projections pass over them.
type Message struct {
	UUID     string            `json:"uuid,omitempty"`
	Metadata map[string]string `json:"metadata,omitempty"`
	Payload  []byte            `json:"payload,omitempty"`
}

// The form of messages in the log, on disk for ever: their streams, one for each topic,
// and the name and version of their JSON.
const (
	messageStream = "message:"
	messageType   = "message.published"
	messageSchema = 1
)

// MessageStream names the stream of a topic.
func MessageStream(topic string) string { return messageStream + topic }

// TopicOf is the topic of a stream; ok is false if it is not a topic's.
func TopicOf(stream string) (topic string, ok bool) { return strings.CutPrefix(stream, messageStream) }

// Event gives a message its form in the log. Who published it and when is the caller's
// to fill in. Text that is not UTF-8 has no JSON, and is an error.
func (m Message) Event() (eventstore.Event, error) {
	if !utf8.ValidString(m.UUID) {
		return eventstore.Event{}, fmt.Errorf("the UUID %q is not valid UTF-8", m.UUID)
	}
	for key, value := range m.Metadata {
		if !utf8.ValidString(key) || !utf8.ValidString(value) {
			return eventstore.Event{}, fmt.Errorf("the metadata %q: %q is not valid UTF-8; bytes belong into the payload", key, value)
		}
	}
	data, err := json.Marshal(m)
	if err != nil {
		return eventstore.Event{}, err
	}
	return eventstore.Event{Type: messageType, Schema: messageSchema, Data: data}, nil
}

// DecodeMessage reads a record of a topic's stream. What Message.Event has not written
// is an error.
func DecodeMessage(r eventstore.Record) (Message, error) {
	m, err := decodeMessage(r)
	if err != nil {
		return Message{}, unreadable(r, err)
	}
	return m, nil
}

func decodeMessage(r eventstore.Record) (m Message, err error) {
	switch {
	case r.Type != messageType:
		return m, fmt.Errorf("%q is no message", r.Type)
	case r.Schema != messageSchema:
		return m, fmt.Errorf("%q has schema %d, and this version knows %d", r.Type, r.Schema, messageSchema)
	}
	if err := json.Unmarshal(r.Data, &m); err != nil {
		return m, fmt.Errorf("%q: %w", r.Type, err)
	}
	return m, nil
}
