package export

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// JSONLines is the project's own form: a [Line] an event. It says all that the log
// holds.
type JSONLines struct{}

// Line is an event in the wire form. Its keys are those of a command where they mean the
// same.
type Line struct {
	Position eventstore.Position `json:"position,omitempty"` // not for an event that is only planned
	At       time.Time           `json:"at"`
	Event    string              `json:"event"` // its name, such as "member.joined"
	GroupID  string              `json:"groupID,omitempty"`
	Topic    string              `json:"topic,omitempty"`   // of a message
	Version  eventstore.Version  `json:"version,omitempty"` // in its stream
	As       string              `json:"as,omitempty"`      // who acted
	AppAdmin bool                `json:"appAdmin,omitempty"`
	ID       string              `json:"id,omitempty"` // of the command
	Schema   int                 `json:"schema"`
	Data     json.RawMessage     `json:"data"`
}

// LineOf is a record in the wire form.
func LineOf(r eventstore.Record) Line {
	line := Line{
		Position: r.Position, At: r.Time, Event: r.Type, Version: r.Version,
		As: r.Actor, AppAdmin: r.AppAdmin, ID: r.CommandID, Schema: r.Schema, Data: r.Data,
	}
	if groupID, ok := domain.GroupOf(r.Stream); ok {
		line.GroupID = groupID
	}
	if topic, ok := projections.TopicOf(r.Stream); ok {
		line.Topic = topic
	}
	return line
}

// Name is "jsonl".
func (JSONLines) Name() string { return "jsonl" }

// Head is empty.
func (JSONLines) Head() string { return "" }

// Append appends a line.
func (JSONLines) Append(b []byte, e *projections.Event) ([]byte, error) {
	return appendJSON(b, LineOf(e.Record))
}

// appendJSON appends a value as one line. Text is written as it is, without escaping
// what matters in HTML.
func appendJSON(b []byte, value any) ([]byte, error) {
	buffer := bytes.NewBuffer(b)
	encoder := json.NewEncoder(buffer)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return buffer.Bytes(), err
}
