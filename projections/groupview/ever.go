package groupview

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/grouplog/grouplog/eventstore"
)

// Standing is where a user stands in a group that they ever had to do with, and when
// something last happened to it.
type Standing struct {
	JoinedGroup                      // as a list of the user's groups has it; Role is domain.NotMember for who is no member
	SupportTopic bool                // whether the group was created with topic support
	Submitted    int                 // applications to the incarnation, open or not
	Pending      int                 // those that are open
	Began        eventstore.Position // the first event of the incarnation
	Position     eventstore.Position // the last event
}

// The newest incarnations of groups of some keys, and what a user is there.
const selectStandings = `SELECT n.gid, n.id, n.incarnation, n.type, n.topics, n.name, n.face_url, coalesce(o.id, ''), n.members, n.muted,
		coalesce(m.role, 0), coalesce(m.joined_at, 0), n.created_at, n.last_at, n.submitted, n.pending, n.created_position, n.position
	FROM (%s) e CROSS JOIN groups g ON g.gid = e.gid
	CROSS JOIN groups n ON n.id = g.id AND n.incarnation = (SELECT max(incarnation) FROM groups WHERE id = g.id)
	LEFT JOIN users o ON o.uid = n.owner LEFT JOIN members m ON m.uid = +?1 AND m.gid = n.gid
	WHERE g.created_position <= ?2 ORDER BY e.gid`

// The groups that a user is in, and those that they have been in; then those, and the
// groups to which there was ever an application about them.
var (
	selectEverIn = fmt.Sprintf(selectStandings, `SELECT gid FROM members WHERE uid = +?1 UNION SELECT gid FROM former WHERE uid = +?1`)

	selectEverNear = fmt.Sprintf(selectStandings, `SELECT gid FROM members WHERE uid = +?1 UNION SELECT gid FROM former WHERE uid = +?1
		UNION SELECT gid FROM applications WHERE candidate = +?1`)
)

// EverIn lists the groups that the user is or ever was in, live or not, as far as they
// began at or before a position, in the order in which they did. An ID that was used
// again is listed once, as its newest incarnation is. It costs some steps down indexes
// for each group, and nothing of one moment is mixed with another.
func (q *Queries) EverIn(ctx context.Context, userID string, until eventstore.Position) ([]Standing, error) {
	return q.ever(ctx, selectEverIn, userID, until)
}

// EverNear is EverIn with the groups to which there was ever an application about the
// user, whatever became of it.
func (q *Queries) EverNear(ctx context.Context, userID string, until eventstore.Position) ([]Standing, error) {
	return q.ever(ctx, selectEverNear, userID, until)
}

func (q *Queries) ever(ctx context.Context, query, userID string, until eventstore.Position) ([]Standing, error) {
	var all []Standing
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		uid, err := userKey(ctx, tx, userID)
		if uid == 0 {
			return err
		}
		rows, err := tx.QueryContext(ctx, query, uid, int64(min(until, 1<<62)))
		var (
			row joinedRow
			now Standing
		)
		fields := append(row.fields(), &now.Submitted, &now.Pending, &now.Began, &now.Position)
		seen := map[string]bool{}
		return scanAll(rows, err, func(rows *sql.Rows) error {
			if err := rows.Scan(fields...); err != nil || seen[row.GroupID] {
				return err
			}
			seen[row.GroupID] = true
			now.JoinedGroup, now.SupportTopic = row.group(), row.topics
			all = append(all, now)
			return nil
		})
	})
	if err != nil {
		return nil, fmt.Errorf("groups that %q ever had to do with: %w", userID, err)
	}
	return all, nil
}

// UnreadSince is how many pending applications to a group's newest incarnation are newer
// than a position. It costs the same for any number of them.
func (q *Queries) UnreadSince(ctx context.Context, groupID string, mark eventstore.Position) (n int, err error) {
	err = q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gid, _, err := newest(ctx, tx, groupID)
		if err != nil {
			return err
		}
		return tx.QueryRowContext(ctx, selectUnreadSince, gid, int64(min(mark, 1<<62))).Scan(&n)
	})
	if err != nil {
		return 0, fmt.Errorf("unread applications to group: %w", err)
	}
	return n, nil
}

// Size is how many applications a page has at most.
func (f *ApplicationFilter) Size() int { return limited(f.Limit) }

// Page cuts the page that the filter asks for out of a whole list, newest first, which
// was made from something else than the rows. It keeps what Select and GroupID let
// through, and takes and gives the cursors that pages of rows have.
func (f *ApplicationFilter) Page(newestFirst []Application) (page []Application, next string, err error) {
	before := int64(1 << 62)
	if f.Cursor != "" {
		if err := parseCursor('a', f.Cursor, &before); err != nil {
			return nil, "", err
		}
	}
	page = []Application{}
	for i := range newestFirst {
		a := &newestFirst[i]
		if int64(a.Position) >= before || f.GroupID != "" && a.GroupID != f.GroupID ||
			f.Select == PendingApplications && a.State != Pending || f.Select == HandledApplications && a.State == Pending {
			continue
		}
		if len(page) == f.Size() {
			return page, cursor('a', int64(page[len(page)-1].Position)), nil
		}
		page = append(page, *a)
	}
	return page, "", nil
}

// NewestFirst sorts applications as lists of them are.
func NewestFirst(applications []Application) {
	slices.SortFunc(applications, func(a, b Application) int {
		switch {
		case a.Position > b.Position:
			return -1
		case a.Position < b.Position:
			return 1
		default:
			return 0
		}
	})
}
