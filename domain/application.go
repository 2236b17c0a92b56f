package domain

import (
	"slices"
	"strconv"
	"strings"
	"time"
)

// ApplicationKind says who asked and whose consent is needed.
type ApplicationKind int

// The kinds of the group document. No built-in policy creates the second.
const (
	JoinRequest           ApplicationKind = 0 // to join; an approver decides
	InvitationForInvitee  ApplicationKind = 1 // to have somebody join; the invitee decides
	InvitationForApprover ApplicationKind = 2 // to have somebody join; an approver decides
)

// Application is an open wish to become a member, or to have somebody become one.
// A group keeps the open ones; what became of the others is in the log.
type Application struct {
	ID        string
	Kind      ApplicationKind
	From      string // who asked: the applicant, or the inviter
	Candidate string // who would become a member: the applicant, or the invitee
	Message   string
	At        time.Time // when it was submitted, or last refreshed
}

// ApplicationID names the n-th application (from 1) to an incarnation of a group.
// The group can be told from it, so an ID is enough to find its group.
func ApplicationID(groupID string, incarnation, n int) string {
	return string(AppendApplicationID(nil, groupID, incarnation, n))
}

// AppendApplicationID appends what ApplicationID returns, for who makes many.
func AppendApplicationID(to []byte, groupID string, incarnation, n int) []byte {
	to = append(append(to, groupID...), '/')
	to = append(strconv.AppendInt(to, int64(incarnation), 10), '/')
	return strconv.AppendInt(to, int64(n), 10)
}

// ParseApplicationID takes an application's ID apart; ok is false if it is none.
func ParseApplicationID(id string) (groupID string, incarnation, n int, ok bool) {
	rest, last, found := cutLast(id)
	if !found {
		return "", 0, 0, false
	}
	groupID, middle, found := cutLast(rest)
	if !found || groupID == "" {
		return "", 0, 0, false
	}
	incarnation, err := strconv.Atoi(middle)
	if err != nil || incarnation < 1 {
		return "", 0, 0, false
	}
	n, err = strconv.Atoi(last)
	if err != nil || n < 1 {
		return "", 0, 0, false
	}
	return groupID, incarnation, n, ApplicationID(groupID, incarnation, n) == id
}

func cutLast(s string) (before, after string, found bool) {
	i := strings.LastIndexByte(s, '/')
	if i < 0 {
		return "", "", false
	}
	return s[:i], s[i+1:], true
}

// applications are a group's open ones, found by ID, by candidate and by who asked.
type applications struct {
	submitted   int // how many there have been in this incarnation, open or not
	byID        map[string]*Application
	byCandidate index
	byFrom      index
}

// open takes a new application in.
func (a *applications) open(app *Application) {
	a.submitted++
	a.put(app)
}

// put takes in an application that is open, unless it is here.
func (a *applications) put(app *Application) {
	if a.byID == nil {
		a.byID, a.byCandidate, a.byFrom = map[string]*Application{}, index{}, index{}
	}
	if _, here := a.byID[app.ID]; here {
		return
	}
	a.byID[app.ID] = app
	a.byCandidate.add(app.Candidate, app)
	a.byFrom.add(app.From, app)
}

func (a *applications) close(id string) {
	app, ok := a.byID[id]
	if !ok {
		return
	}
	delete(a.byID, id)
	a.byCandidate.remove(app.Candidate, app)
	a.byFrom.remove(app.From, app)
}

func (a *applications) closeFor(candidate string) {
	for _, app := range slices.Clone(a.byCandidate[candidate]) {
		a.close(app.ID)
	}
}

// index holds applications by one of their users, in the order of submission.
type index map[string][]*Application

func (x index) add(user string, app *Application) { x[user] = append(x[user], app) }

func (x index) remove(user string, app *Application) {
	left := slices.DeleteFunc(x[user], func(other *Application) bool { return other == app })
	if len(left) == 0 {
		delete(x, user)
		return
	}
	x[user] = left
}
