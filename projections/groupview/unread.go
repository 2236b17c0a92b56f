package groupview

import (
	"context"
	"database/sql"
)

// How many open applications are newer than a position, at a cost that does not
// depend on how many there are?
//
// The submissions and refreshes of a group are counted: each gives its application
// the next ord. Among a group's applications, ord rises with position, so "newer than
// a position" is "of a higher ord than the last application at or before it", which is
// one step down an index.
//
// Beside the rows stand counts of the open ones, in a tree of fan-out 64: a bucket of
// level 1 counts 64 ords, one of level 2 counts 64 buckets of level 1, and so on. What
// is newer than an ord is the rest of its 64 rows, the buckets after its own up to the
// end of the next level's, and so on upwards: at most 63 rows or buckets a level. Only
// the highest level has no end, and one bucket of it for every 262 144 ords.
//
// What is counted is never in the first bucket of a level, for nothing comes before
// it. So those are not kept, and a group of fewer than 64 applications has no counts.
const (
	bucketBits   = 6
	bucketLevels = 3
)

// To the groups in which a user is owner or admin, newer than the user's read mark; and
// to the group of a key, newer than a position.
var (
	selectUnread = countUnread(`users me CROSS JOIN members m ON m.uid = me.uid CROSS JOIN groups g ON g.gid = m.gid
		WHERE me.id = +?1 AND m.role >= 300`, "me.read_position")
	selectUnreadSince = countUnread(`groups g WHERE g.gid = +?1`, "+?2")
)

// countUnread is the statement that counts the applications to some groups g that are
// open and newer than a position. First, the groups in which any is, with the last
// ord at or before the mark; where there is none, all that are open are newer. Then the
// rest of the 64 rows: they have the next ords in the order of positions, so looking at
// 64 is enough. And the buckets.
func countUnread(of, since string) string {
	return `WITH mine (gid, pending, mark, ord) AS MATERIALIZED (
		SELECT g.gid, g.pending, ` + since + `, max(
			coalesce((SELECT ord FROM applications WHERE gid = g.gid AND state = 0 AND position <= ` + since + `
				ORDER BY position DESC LIMIT 1), 0),
			coalesce((SELECT ord FROM applications WHERE gid = g.gid AND state > 0 AND position <= ` + since + `
				ORDER BY position DESC LIMIT 1), 0))
		FROM ` + of + ` AND g.pending > 0 AND g.asked_position > ` + since + `
	)
	SELECT coalesce(sum(iif(ord = 0, pending,
		(SELECT count(*) FROM (
			SELECT a.ord FROM applications a WHERE a.gid = mine.gid AND a.state = 0 AND a.position > mark ORDER BY a.position LIMIT 64
		) rest WHERE rest.ord < (mine.ord >> 6) + 1 << 6) +
		(SELECT coalesce(sum(n), 0) FROM buckets b WHERE b.gid = mine.gid AND level = 1
			AND bucket > ord >> 6 AND bucket < (ord >> 12) + 1 << 6) +
		(SELECT coalesce(sum(n), 0) FROM buckets b WHERE b.gid = mine.gid AND level = 2
			AND bucket > ord >> 12 AND bucket < (ord >> 18) + 1 << 6) +
		(SELECT coalesce(sum(n), 0) FROM buckets b WHERE b.gid = mine.gid AND level = 3
			AND bucket > ord >> 18))), 0) FROM mine`
}

// unread runs selectUnread. A user whom no event names has none.
func unread(ctx context.Context, tx *sql.Tx, userID string) (n int, err error) {
	err = tx.QueryRowContext(ctx, selectUnread, userID).Scan(&n)
	return n, err
}
