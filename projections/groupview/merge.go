package groupview

import (
	"context"

	"github.com/grouplog/grouplog/internal/bulk"
)

// Whose applications are listed: FROM and WHERE of groups g. ?1 is the ID of a user who
// may decide them and ?5 that of the only group, or empty; or ?1 is the group's key.
const (
	ofApprover = `users me CROSS JOIN members m ON m.uid = me.uid CROSS JOIN groups g ON g.gid = m.gid
		WHERE me.id = +?1 AND m.role >= 300 AND (+?5 = '' OR g.id = +?5)`
	ofGroup = `groups g WHERE g.gid = +?1 AND +?5 = ''`
)

var (
	selectOfApprover = newestOf(ofApprover, selectUnread)
	selectOfGroup    = newestOf(ofGroup, "SELECT 0")
)

// newestOf is a page and the unread count, as one row.
func newestOf(whose, unread string) string {
	return `SELECT (` + unread + `), (` + packed(applicationValues, selectNewest(whose)) + `)`
}

// selectNewest is the statement that merges the applications to several groups, newest
// first. A source is a group's applications of one kind, open or not, for each kind has
// an index. The queue gives out the newest of its rows, and the row that follows in the
// same source takes its place. At first a source has a row that is no application, just
// after the group's last submission or refresh: where its turn does not come, the source
// is never looked at.
//
// The queue has positions alone, which the indexes do without the table. It goes on while
// rows are asked for, and the last LIMIT ends that. So a page costs a step down an index
// for each group, and two steps for each application on it, however many there are.
//
// ?2 is the position to begin before, ?3 the number of rows, ?4 a Selection.
func selectNewest(whose string) string {
	return `WITH RECURSIVE queue (gid, open, found, position) AS (
		SELECT g.gid, 1, 0, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.pending > 0 AND ?4 <> 2
		UNION ALL
		SELECT g.gid, 0, 0, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.submitted > g.pending AND ?4 <> 1
		UNION ALL
		SELECT q.gid, q.open, 1, iif(q.open,
			(SELECT position FROM applications WHERE gid = q.gid AND state = 0 AND position < q.position ORDER BY position DESC LIMIT 1),
			(SELECT position FROM applications WHERE gid = q.gid AND state > 0 AND position < q.position ORDER BY position DESC LIMIT 1))
		FROM queue q WHERE q.position IS NOT NULL
		ORDER BY 4 DESC
	)
	` + selectApplication + `FROM queue q CROSS JOIN groups g ON g.gid = q.gid CROSS JOIN applications a ON a.position = q.position
		CROSS JOIN users f ON f.uid = a.from_uid WHERE q.found LIMIT +?3`
}

// newestFirst reads a page with one of the two statements, as a viewer sees it.
func newestFirst(ctx context.Context, of asked, query string, whose any, filter ApplicationFilter, viewer string) (page ApplicationPage, err error) {
	limit, before := limited(filter.Limit), int64(1<<62)
	if filter.Cursor != "" {
		if err := parseCursor('a', filter.Cursor, &before); err != nil {
			return page, err
		}
	}
	var (
		pack string
		more bool
	)
	err = of.QueryRowContext(ctx, query, whose, before, limit+1, int(filter.Select), filter.GroupID).Scan(&page.UnreadCount, &pack)
	if err != nil {
		return page, err
	}
	page.Applications, more, err = readApplications(bulk.Read(pack), limit, viewer)
	if more {
		page.Next = cursor('a', int64(page.Applications[limit-1].Position))
	}
	return page, err
}
