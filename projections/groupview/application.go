package groupview

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
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
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		if page.UnreadCount, err = unread(ctx, tx, userID); err != nil {
			return err
		}
		page.Applications, page.Next, err = newestFirst(ctx, tx, selectOfApprover, userID, filter, userID)
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
	err = q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		n, err = unread(ctx, tx, userID)
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
	start := filter.Cursor
	return paged(func(after string) (page []Application, next string, err error) {
		if filter.Cursor = after; after == "" {
			filter.Cursor = start
		}
		return q.GroupApplicationPage(ctx, groupID, filter)
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
		page, next, err = newestFirst(ctx, tx, selectOfGroup, gid, filter, "")
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
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) (err error) {
		groupID, incarnation, n, ok := domain.ParseApplicationID(applicationID)
		if !ok {
			return notFound("%q is not the ID of an application", applicationID)
		}
		var row applicationRow
		err = tx.QueryRowContext(ctx, selectOneApplication, groupID, incarnation, n).Scan(row.fields()...)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("there is no application %q", applicationID)
		}
		a = row.seenBy("")
		return err
	})
	if err != nil {
		return Application{}, fmt.Errorf("application: %w", err)
	}
	return a, nil
}

// What is shown of an application a to a group g, from somebody f. Mostly it is f who
// would become a member, nobody has decided, and it was never made again. What that says
// already is empty or 0, and seenBy puts it in: each text and each large number that the
// driver hands over is an allocation or two.
const (
	selectApplication = `SELECT g.id, g.incarnation, a.n, a.kind, f.id,
		iif(a.candidate = a.from_uid, '', (SELECT id FROM users WHERE uid = a.candidate)), a.message, a.state,
		iif(a.decided_by = 0, '', (SELECT id FROM users WHERE uid = a.decided_by)), a.by_app_admin, a.reason,
		iif(a.submitted_at = a.at, 0, a.submitted_at), a.at, a.closed_at, a.position `

	selectOneApplication = selectApplication + `FROM groups g CROSS JOIN applications a ON a.gid = g.gid CROSS JOIN users f ON f.uid = a.from_uid
		WHERE g.id = +? AND g.incarnation = +? AND a.n = +?`
)

// applicationRow is a row of selectApplication. One takes in all rows of a page, one
// after the other.
type applicationRow struct {
	Application
	incarnation, n, kind, state, position int64
	submittedAt, at, closedAt             int64
}

func (r *applicationRow) fields() []any {
	return []any{
		&r.GroupID, &r.incarnation, &r.n, &r.kind, &r.From, &r.UserID, &r.Message, &r.state, &r.HandledBy, &r.ByAppAdmin, &r.Reason,
		&r.submittedAt, &r.at, &r.closedAt, &r.position,
	}
}

// seenBy is the application as a viewer sees it (empty: nobody).
func (r *applicationRow) seenBy(viewer string) Application {
	a := r.Application
	a.ApplicationID = domain.ApplicationID(a.GroupID, int(r.incarnation), int(r.n))
	a.Kind, a.State, a.Position = domain.ApplicationKind(r.kind), ApplicationState(r.state), eventstore.Position(r.position)
	a.UserID = cmp.Or(a.UserID, a.From)
	a.SubmittedAt, a.At, a.HandledAt = moment(cmp.Or(r.submittedAt, r.at)), moment(r.at), clock(r.closedAt)
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
	return a
}
