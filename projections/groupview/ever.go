package groupview

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/bulk"
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
const (
	standingColumns = joinedColumns + ", submitted, pending, created_position, position"
	selectStandings = `SELECT ` + joinedValues + `,
		coalesce(m.role, 0) AS role, coalesce(m.joined_at, 0) AS joined_at, g.created_at, g.last_at,
		g.submitted, g.pending, g.created_position, g.position
	FROM (%s) e CROSS JOIN groups first ON first.gid = e.gid
	CROSS JOIN groups g ON g.id = first.id AND g.incarnation = (SELECT max(incarnation) FROM groups WHERE id = first.id)
	LEFT JOIN users o ON o.uid = g.owner LEFT JOIN members m ON m.uid = +?1 AND m.gid = g.gid
	WHERE first.created_position <= ?2 ORDER BY e.gid LIMIT -1`
)

// The groups that a user is in, and those that they have been in; then those, and the
// groups to which there was ever an application about them.
var (
	selectEverIn = standings(`SELECT gid FROM members WHERE uid = +?1 UNION SELECT gid FROM former WHERE uid = +?1`)

	selectEverNear = standings(`SELECT gid FROM members WHERE uid = +?1 UNION SELECT gid FROM former WHERE uid = +?1
		UNION SELECT gid FROM applications WHERE candidate = +?1`)
)

func standings(groups string) string {
	return packed(standingColumns, fmt.Sprintf(selectStandings, groups))
}

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
		rows, err := unpack(ctx, tx, query, uid, int64(min(until, 1<<62)))
		if err != nil {
			return err
		}
		seen := map[string]bool{}
		for rows.Next() {
			if s := readStanding(rows); !seen[s.GroupID] {
				seen[s.GroupID] = true
				all = append(all, s)
			}
		}
		return rows.Err()
	})
	if err != nil {
		return nil, fmt.Errorf("groups that %q ever had to do with: %w", userID, err)
	}
	return all, nil
}

// readStanding takes standingColumns.
func readStanding(rows *bulk.Rows) (s Standing) {
	s.JoinedGroup, _, s.SupportTopic = readJoined(rows)
	s.Submitted, s.Pending = int(rows.Int()), int(rows.Int())
	s.Began, s.Position = eventstore.Position(rows.Int()), eventstore.Position(rows.Int())
	return s
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
