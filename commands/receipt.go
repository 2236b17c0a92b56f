package commands

import (
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Receipt says what a command that was not refused came to.
type Receipt struct {
	Outcome       Outcome             `json:"outcome"`
	GroupID       string              `json:"groupID,omitempty"` // as assigned, for a new group
	Events        []string            `json:"events"`            // the names of the events recorded, in order
	First         eventstore.Position `json:"first,omitempty"`   // of the first event; zero where nothing was recorded
	Position      eventstore.Position `json:"position,omitempty"`
	ApplicationID string              `json:"applicationID,omitempty"`
	Users         []UserResult        `json:"users,omitempty"`

	// Repeated is set where the command's ID had been answered before, and this is
	// that answer again.
	Repeated bool `json:"repeated,omitempty"`
	// Planned holds the events of a dry run, which recorded nothing.
	Planned []domain.Event `json:"-"`
}

// Outcome is a receipt in a word.
type Outcome string

// The outcomes.
const (
	Done    Outcome = "done"    // it was recorded
	Nothing Outcome = "nothing" // the wish already held: nothing was recorded
	Joined  Outcome = "joined"  // RequestJoin: a member now
	Pending Outcome = "pending" // RequestJoin: an application waits for an approver
)

// UserResult is what a command that names several users came to for one of them.
type UserResult struct {
	UserID string      `json:"userID"`
	Result Result      `json:"result"`
	Code   domain.Code `json:"code,omitempty"` // why, where Result is Failed
	Rule   string      `json:"rule,omitempty"`
}

// Result is the group document's number for what became of one user.
type Result int

// The results of the group document.
const (
	Failed    Result = 0 // not allowed for this user; Code says why
	Succeeded Result = 1
	Invalid   Result = 2 // a member already; for a kick or a notification: not a member
	Waiting   Result = 3 // an application waits for an approver
	OverQuota Result = 4 // in as many groups as the policy allows
)

var resultNames = [...]string{"failed", "done", "invalid", "pending", "over quota"}

// String is the result in words.
func (r Result) String() string {
	if r >= 0 && int(r) < len(resultNames) {
		return resultNames[r]
	}
	return "unknown"
}

// repeated is the answer for a user whom the same command names again: what has
// just been done is not done twice.
func (u UserResult) repeated() UserResult {
	if u.Result == Succeeded {
		u.Result = Invalid
	}
	return u
}
