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
	Actor    domain.Actor        // who, as they say; the ID's first MaxAttemptID bytes
	Command  string              // its name, as in "RequestJoin"
	GroupID  string              // empty where it is about none, or names none that could be

	CommandID string
	Data      json.RawMessage // the command; nil where it is longer than MaxAttemptData
	Refusal   domain.Refusal

	persons []string // whom the command names, as far as there is room
	words   []string // of the first MaxAttemptData bytes of its texts

	// More is how many attempts of the same actor came after this one and were counted
	// only.
	More int64
}

// MaxAttemptData is how much of a command is kept, in bytes of JSON.
const MaxAttemptData = 4 << 10

// MaxAttemptID is how much of an actor's ID is kept, in bytes. Those of real users are
// shorter; what is tried in the name of others may be as long as a command can be.
const MaxAttemptID = 256

// maxAttemptPersons is how much is kept of whom a command names, in bytes: some 500 users.
const maxAttemptPersons = 16 << 10

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

// read takes from the command what is kept of it.
func (a *Attempt) read(command json.RawMessage) {
	if len(command) <= MaxAttemptData {
		a.Data = command
	}
	var n mentioned
	_ = json.Unmarshal(command, &n) // what is of another type names nobody
	ids := append([]string{n.UserID, n.FromUser}, n.UserIDs...)
	for _, m := range n.Members {
		ids = append(ids, m.UserID)
	}
	a.persons = fitting(once(ids))
	texts := strings.Join([]string{n.Name, n.NameCard, n.Message, n.Reason}, "\n")
	a.words = wordsOf(strings.ToValidUTF8(texts[:min(len(texts), MaxAttemptData)], ""))
}

// notTheSystem marks who tried to act by an ID that stands for the system: see triedBy.
const notTheSystem = " (not the system)"

// who is who tried, in words: anybody may have called themselves the system, or nothing.
func (a *Attempt) who() string {
	if id := a.Actor.UserID; id == "" || id == domain.System.UserID && !a.Actor.AppAdmin {
		return quoted(id) + notTheSystem
	}
	return who(a.Actor)
}

// sentence is an attempt in plain English, as Sentence is an event.
func (a *Attempt) sentence() string {
	text := a.who() + " tried " + plain(a.Command)
	if a.GroupID != "" {
		text += " in " + plain(a.GroupID)
	}
	if len(a.persons) > 0 {
		text += " (" + users(a.persons) + ")"
	}
	text += " and was refused, " + a.Refusal.Code.String() + because(a.Refusal.Rule)
	if a.More > 0 {
		text += " (and " + count(int(a.More), "attempt") + " more)"
	}
	return text
}

// shortened is an ID, without what is too long to be any user's.
func shortened(id string) string {
	if len(id) > MaxAttemptID {
		id = strings.Clone(strings.ToValidUTF8(id[:MaxAttemptID], "")) // and not all of it in memory
	}
	return id
}

// fitting are the IDs that there is room for. One with a line end in it is nobody's.
func fitting(ids []string) (kept []string) {
	left := maxAttemptPersons
	for _, id := range ids {
		id = shortened(id)
		if left -= len(id) + 1; left < 0 {
			break
		}
		if !strings.Contains(id, "\n") {
			kept = append(kept, id)
		}
	}
	return kept
}

// lines are texts that can be looked for in a column: see refusals.sql.
func lines(texts []string) string {
	if len(texts) == 0 {
		return ""
	}
	return "\n" + strings.Join(texts, "\n") + "\n"
}

// linesOf are the texts of such a column.
func linesOf(column string) []string {
	if column == "" {
		return nil
	}
	return strings.Split(strings.Trim(column, "\n"), "\n")
}
