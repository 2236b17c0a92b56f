package groupview

import (
	"cmp"
	"context"
	"database/sql"
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
)

// ApplicationState is what has become of an application. The numbers are on disk.
type ApplicationState int

// The states. All but Pending are for ever.
const (
	Pending       ApplicationState = 0
	Accepted      ApplicationState = 1 // an approver agreed
	Refused       ApplicationState = 2 // an approver did not
	Superseded    ApplicationState = 3 // the user became a member another way
	VoidDismissed ApplicationState = 4 // the group ended
	VoidBanned    ApplicationState = 5 // the user was banned
)

var stateNames = [...]string{"pending", "accepted", "refused", "superseded", "void_dismissed", "void_banned"}

// String is the state's name in the wire form.
func (s ApplicationState) String() string {
	if s >= 0 && int(s) < len(stateNames) {
		return stateNames[s]
	}
	return fmt.Sprintf("state(%d)", int(s))
}

// MarshalText gives the state's name in the wire form.
func (s ApplicationState) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText reads the state's name in the wire form.
func (s *ApplicationState) UnmarshalText(text []byte) error {
	for i, name := range stateNames {
		if name == string(text) {
			*s = ApplicationState(i)
			return nil
		}
	}
	return fmt.Errorf("unknown application state %q", text)
}

// HandleStatus is whether an application is handled, as who looks sees it. The
// numbers are those of the group document.
type HandleStatus int

// The handle statuses.
const (
	Unhandled      HandleStatus = 0
	HandledByOther HandleStatus = 1 // by somebody else, or by the course of things
	HandledByMe    HandleStatus = 2
)

// The results of handling an application, as the group document counts them.
const (
	ResultRefused  = 0 // also while it is unhandled
	ResultAccepted = 1 // the user is in: accepted, or a member another way
)

// Application is somebody's wish to become a member, or to have somebody become one,
// as who looks sees it.
type Application struct {
	ApplicationID string                 `json:"applicationID"`
	GroupID       string                 `json:"groupID"`
	Kind          domain.ApplicationKind `json:"kind"`
	From          string                 `json:"from"`   // who asked: the applicant, or the inviter
	UserID        string                 `json:"userID"` // who would become a member
	Message       string                 `json:"message,omitempty"`
	State         ApplicationState       `json:"state"`
	HandleStatus  HandleStatus           `json:"handleStatus"`
	HandleResult  int                    `json:"handleResult"`
	HandledBy     string                 `json:"handledBy,omitempty"` // empty: nobody decided it
	ByAppAdmin    bool                   `json:"byAppAdmin,omitempty"`
	Reason        string                 `json:"reason,omitempty"`
	SubmittedAt   time.Time              `json:"submittedAt"`
	At            time.Time              `json:"at"` // when it was submitted or last refreshed
	HandledAt     time.Time              `json:"handledAt,omitzero"`
	Position      eventstore.Position    `json:"position"` // of the event at At
}

// Selection is which applications to list.
type Selection int

// The selections.
const (
	AllApplications Selection = iota
	PendingApplications
	HandledApplications
)

// ApplicationFilter says which applications to list. The zero value is the first page
// of all of them.
type ApplicationFilter struct {
	Select  Selection
	GroupID string // only those to this group; empty: to any
	Limit   int    // DefaultLimit when zero, MaxLimit at most
	Cursor  string // where to go on: ApplicationPage.Next of the page before
}

// ApplicationPage is a part of a list of applications.
type ApplicationPage struct {
	Applications []Application `json:"applications"`
	Next         string        `json:"next,omitempty"` // the cursor of the next page; empty on the last
	UnreadCount  int           `json:"unreadCount"`    // over all groups, whatever the filter
}

// Applications lists the applications, pending and handled, to the live groups in
// which the user is owner or admin now, newest first. One that is made again becomes
// the newest. The cost rises with the groups that the user may approve for and with
// the page, and not with the number of applications.
func (q *Queries) Applications(ctx context.Context, userID string, filter ApplicationFilter) (ApplicationPage, error) {
	var page ApplicationPage
	err := q.ask(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
		page, err = newestFirst(ctx, conn, selectOfApprover, userID, filter, userID)
		return err
	})
	if err != nil {
		return ApplicationPage{}, fmt.Errorf("applications: %w", err)
	}
	return page, nil
}

// UnreadCount is how many pending applications, to the live groups in which the user
// is owner or admin now, are newer than the user's read mark.
func (q *Queries) UnreadCount(ctx context.Context, userID string) (n int, err error) {
	err = q.ask(ctx, func(ctx context.Context, conn *sql.Conn) error {
		n, err = unread(ctx, conn, userID)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("unread applications: %w", err)
	}
	return n, nil
}

// GroupApplications lists the applications to a group's newest incarnation, live or
// not, newest first, as nobody in particular sees them: for operators. Filter.Cursor
// is where to begin; Filter.GroupID is not used.
func (q *Queries) GroupApplications(ctx context.Context, groupID string, filter ApplicationFilter) iter.Seq2[Application, error] {
	return paged(func(after string) (page []Application, next string, err error) {
		part := filter
		part.Cursor = cmp.Or(after, filter.Cursor)
		return q.GroupApplicationPage(ctx, groupID, part)
	})
}

// GroupApplicationPage is a page of what GroupApplications lists, with the cursor of the
// next page, which is empty on the last.
func (q *Queries) GroupApplicationPage(ctx context.Context, groupID string, filter ApplicationFilter) (page []Application, next string, err error) {
	filter.GroupID = ""
	err = q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gid, _, err := newest(ctx, tx, groupID)
		if err != nil {
			return err
		}
		found, err := newestFirst(ctx, tx, selectOfGroup, gid, filter, "")
		page, next = found.Applications, found.Next
		return err
	})
	if err != nil {
		return nil, "", fmt.Errorf("applications to group: %w", err)
	}
	return page, next, nil
}

// Application finds an application by its ID, open or not, as nobody in particular
// sees it. An ID that is none gives ErrNotFound.
func (q *Queries) Application(ctx context.Context, applicationID string) (Application, error) {
	var a Application
	err := q.ask(ctx, func(ctx context.Context, conn *sql.Conn) (err error) {
		groupID, incarnation, n, ok := domain.ParseApplicationID(applicationID)
		if !ok {
			return notFound("%q is not the ID of an application", applicationID)
		}
		rows, err := unpack(ctx, conn, selectOneApplication, groupID, incarnation, n)
		if err != nil {
			return err
		}
		one, _, err := readApplications(rows, 1, "")
		if err == nil && len(one) == 0 {
			return notFound("there is no application %q", applicationID)
		}
		if err == nil {
			a = one[0]
		}
		return err
	})
	if err != nil {
		return Application{}, fmt.Errorf("application: %w", err)
	}
	return a, nil
}

// What is shown of an application a to a group g, from somebody f. Mostly it is f who
// would become a member, nobody has decided, and it was never made again. What that says
// already is NULL, which takes a byte.
const (
	applicationValues = "id, incarnation, n, kind, sender, candidate, message, state, decider, by_app_admin, reason, submitted_at, at, closed_at, position"
	selectApplication = `SELECT g.id, g.incarnation, a.n, a.kind, f.id AS sender,
		iif(a.candidate = a.from_uid, NULL, (SELECT id FROM users WHERE uid = a.candidate)) AS candidate, a.message, a.state,
		iif(a.decided_by = 0, NULL, (SELECT id FROM users WHERE uid = a.decided_by)) AS decider, a.by_app_admin, nullif(a.reason, '') AS reason,
		nullif(a.submitted_at, a.at) AS submitted_at, a.at, nullif(a.closed_at, 0) AS closed_at, a.position `
)

var selectOneApplication = packed(applicationValues, selectApplication+`FROM groups g CROSS JOIN applications a ON a.gid = g.gid
	CROSS JOIN users f ON f.uid = a.from_uid WHERE g.id = +? AND g.incarnation = +? AND a.n = +? LIMIT 1`)

// readApplications takes applicationValues, at most so many rows, as a viewer sees them
// (empty: nobody). There may be more. The IDs of all are made in one piece.
func readApplications(rows *bulk.Rows, limit int, viewer string) (page []Application, more bool, err error) {
	page = paper[Application](limit)
	var (
		ids strings.Builder
		id  []byte
	)
	for rows.Next() {
		if len(page) == limit {
			more = true
			break
		}
		a, incarnation, n := readApplication(rows, viewer)
		id = domain.AppendApplicationID(id[:0], a.GroupID, incarnation, n)
		if ids.Len() == 0 {
			ids.Grow(cap(page) * (len(id) + 2))
		}
		from := ids.Len()
		ids.Write(id)
		a.ApplicationID = ids.String()[from:]
		page = append(page, a)
	}
	return page, more, rows.Err()
}

// readApplication takes one row. What it returns has no ID yet.
func readApplication(rows *bulk.Rows, viewer string) (a Application, incarnation, n int) {
	a.GroupID, incarnation, n = rows.Text(), int(rows.Int()), int(rows.Int())
	a.Kind, a.From = domain.ApplicationKind(rows.Int()), rows.Text()
	a.UserID, a.Message, a.State = textOr(rows, a.From), rows.Text(), ApplicationState(rows.Int())
	a.HandledBy, a.ByAppAdmin, a.Reason = textOr(rows, ""), rows.Bool(), textOr(rows, "")
	submittedAt, at := intOr(rows, 0), rows.Int()
	a.SubmittedAt, a.At, a.HandledAt = moment(cmp.Or(submittedAt, at)), moment(at), clock(intOr(rows, 0))
	a.Position = eventstore.Position(rows.Int())
	switch {
	case a.State == Pending:
		a.HandleStatus = Unhandled
	case viewer != "" && a.HandledBy == viewer:
		a.HandleStatus = HandledByMe
	default:
		a.HandleStatus = HandledByOther
	}
	if a.State == Accepted || a.State == Superseded {
		a.HandleResult = ResultAccepted
	}
	return a, incarnation, n
}
