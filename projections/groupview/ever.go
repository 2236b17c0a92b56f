package groupview

import (
	"context"
	"database/sql"
	"fmt"
	"slices"

	"github.com/grouplog/grouplog/eventstore"
)

// The groups that a user is in, and those that they have been in.
const selectEverIn = `SELECT g.id FROM (
		SELECT gid FROM members WHERE uid = +?1 UNION SELECT gid FROM former WHERE uid = +?1
	) m CROSS JOIN groups g ON g.gid = m.gid WHERE g.created_position <= ?2 ORDER BY m.gid`

// Those, and the groups to which there was ever an application about them.
const selectEverNear = `SELECT g.id FROM (
		SELECT gid FROM members WHERE uid = +?1 UNION SELECT gid FROM former WHERE uid = +?1
		UNION SELECT gid FROM applications WHERE candidate = +?1
	) m CROSS JOIN groups g ON g.gid = m.gid WHERE g.created_position <= ?2 ORDER BY m.gid`

// EverIn lists the IDs of the groups that the user is or ever was in, live or not, as far
// as they began at or before a position, in the order in which they did. An ID that was
// used again is listed once. It costs a step down an index for each group.
func (q *Queries) EverIn(ctx context.Context, userID string, until eventstore.Position) ([]string, error) {
	return q.ever(ctx, selectEverIn, userID, until)
}

// EverNear is EverIn with the groups to which there was ever an application about the
// user, whatever became of it.
func (q *Queries) EverNear(ctx context.Context, userID string, until eventstore.Position) ([]string, error) {
	return q.ever(ctx, selectEverNear, userID, until)
}

func (q *Queries) ever(ctx context.Context, query, userID string, until eventstore.Position) ([]string, error) {
	var ids []string
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		uid, err := userKey(ctx, tx, userID)
		if uid == 0 {
			return err
		}
		rows, err := tx.QueryContext(ctx, query, uid, int64(min(until, 1<<62)))
		seen := map[string]bool{}
		return scanAll(rows, err, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			if !seen[id] {
				seen[id] = true
				ids = append(ids, id)
			}
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("groups that %q ever had to do with: %w", userID, err)
	}
	return ids, nil
}

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
		if len(page) == limited(f.Limit) {
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
