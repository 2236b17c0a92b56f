package audit

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Attempt is a command that a rule has refused.
type Attempt struct {
	Number   int64 // counted from 1 in the order in which they were kept
	At       time.Time
	Position eventstore.Position // of the newest event of the log then
	Actor    domain.Actor        // the ID's first MaxAttemptID bytes
	Command  string              // its name, as in "RequestJoin"
	GroupID  string              // empty where it is about none, or names none that could be

	CommandID string
	Data      json.RawMessage // the command; nil where it is longer than MaxAttemptData
	Refusal   domain.Refusal

	// More is how many attempts of the same actor came after this one and were counted
	// only.
	More int64
}

// MaxAttemptData is how much of a command is kept, in bytes of JSON.
const MaxAttemptData = 4 << 10

// MaxAttemptID is how much of an actor's ID is kept, in bytes. Those of real users are
// shorter; what is tried in the name of others may be as long as a command can be.
const MaxAttemptID = 256

// mentioned are the users and the texts in a command's JSON, by the names that the wire form
// gives them.
type mentioned struct {
	UserID   string   `json:"userID"`
	UserIDs  []string `json:"userIDs"`
	FromUser string   `json:"fromUser"`
	Members  []struct {
		UserID string `json:"userID"`
	} `json:"members"`
	Name     string `json:"name"`
	NameCard string `json:"nameCard"`
	Message  string `json:"message"`
	Reason   string `json:"reason"`
}

// subjects are the users whom an attempt names, each once.
func (a *Attempt) subjects() []string {
	n := a.mentioned()
	ids := append([]string{n.UserID, n.FromUser}, n.UserIDs...)
	for _, m := range n.Members {
		ids = append(ids, m.UserID)
	}
	return once(ids)
}

func (a *Attempt) words() []string {
	n := a.mentioned()
	return wordsOf(n.Name, n.NameCard, n.Message, n.Reason)
}

func (a *Attempt) mentioned() (n mentioned) {
	if a.Data != nil {
		_ = json.Unmarshal(a.Data, &n) // what is of another type names nobody
	}
	return n
}

// sentence is an attempt in plain English, as Sentence is an event.
func (a *Attempt) sentence() string {
	text := who(a.Actor) + " tried " + plain(a.Command)
	if a.GroupID != "" {
		text += " in " + plain(a.GroupID)
	}
	if subjects := a.subjects(); len(subjects) > 0 {
		text += " (" + users(subjects) + ")"
	}
	text += " and was refused, " + a.Refusal.Code.String() + because(a.Refusal.Rule)
	if a.More > 0 {
		text += " (and " + count(int(a.More), "attempt") + " more)"
	}
	return text
}

// lines are texts that can be looked for in a column: see refusals.sql. A text with a line
// end in it can be nobody's name.
func lines(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return "\n" + strings.Join(texts, "\n") + "\n"
}
