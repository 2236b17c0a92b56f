package audit

import (
	"encoding/json"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Entry is one thing that somebody did, or tried to do: an event of the log, or an attempt
// that a rule has refused.
type Entry struct {
	// Position is that of the event. An attempt has none of its own: it stands behind the
	// event that was the newest then.
	Position eventstore.Position `json:"position"`
	Attempt  int64               `json:"attempt,omitempty"` // its number; 0 for an event
	At       time.Time           `json:"at"`
	Outcome  Outcome             `json:"outcome"`
	Action   string              `json:"action"` // of an event its name, of an attempt the command's
	GroupID  string              `json:"groupID,omitempty"`
	Topic    string              `json:"topic,omitempty"` // of a message of others
	As       string              `json:"as,omitempty"`    // who acted
	AppAdmin bool                `json:"appAdmin,omitempty"`
	ID       string              `json:"id,omitempty"` // of the command
	Persons  []string            `json:"persons,omitempty"`
	Sentence string              `json:"sentence"` // in words, which may become better

	// Of an attempt: the refusal, and how many more of the same actor came after it and
	// were not kept.
	Code  domain.Code `json:"code,omitempty"`
	Error string      `json:"error,omitempty"` // the code's name
	Rule  string      `json:"rule,omitempty"`
	Hint  string      `json:"hint,omitempty"`
	More  int64       `json:"more,omitempty"`

	Schema int             `json:"schema,omitempty"` // of an event's data
	Data   json.RawMessage `json:"data,omitempty"`   // the event's, or the command that was refused

	// Fact is what an event says; nil for an attempt, and for a message of others.
	Fact domain.Event `json:"-"`
}

// entryOf is an event as an entry.
func entryOf(e projections.Event) Entry {
	entry := Entry{
		Position: e.Position, At: e.Time, Outcome: Done, Action: e.Type, As: e.Actor, AppAdmin: e.AppAdmin, ID: e.CommandID,
		Persons: Subjects(e), Sentence: Sentence(e), Schema: e.Schema, Data: e.Data, Fact: e.Fact,
	}
	if group, ok := domain.GroupOf(e.Stream); ok {
		entry.GroupID = group
	}
	if topic, ok := projections.TopicOf(e.Stream); ok {
		entry.Topic = topic
	}
	return entry
}

// entry is an attempt as an entry.
func (a *Attempt) entry() Entry {
	return Entry{
		Position: a.Position, Attempt: a.Number, At: a.At, Outcome: Refused, Action: a.Command, GroupID: a.GroupID,
		As: a.Actor.UserID, AppAdmin: a.Actor.AppAdmin, ID: a.CommandID, Persons: a.persons, Sentence: a.sentence(),
		Code: a.Refusal.Code, Error: a.Refusal.Code.String(), Rule: a.Refusal.Rule, Hint: a.Refusal.Hint, More: a.More, Data: a.Data,
	}
}

// Page is a part of an answer.
type Page struct {
	Entries []Entry `json:"entries"`

	// Next is the cursor of the page after this one; empty on the last page.
	Next string `json:"next,omitempty"`
	// Tail is a cursor of the same query with Oldest set, for what comes after: where this
	// page is of the newest first, after everything there was when its first page was
	// asked for (and it is empty on later pages); where it is of the oldest first, after
	// this page.
	Tail string `json:"tail,omitempty"`
}
