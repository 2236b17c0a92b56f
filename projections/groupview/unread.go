package groupview

import (
	"context"
	"fmt"
	"strconv"
	"strings"
)

// How many open applications are newer than a position, at a cost that does not
// depend on how many there are?
//
// The submissions and refreshes of a group are counted: each gives its application
// the next ord. Among a group's applications, ord rises with position: those newer than a
// position have the ords from that of the first open one on, which is one step down an index.
//
// Beside the rows stand counts of the open ones, in a tree of fan-out 16: a bucket of
// level 1 counts 16 ords, one of level 2 counts 16 buckets of level 1, and so on. From an
// ord on, there are the rest of its 16 rows, the buckets after its own up to the end of the
// next level's, and so on upwards: at most 16 rows, and 15 buckets a level. Only the highest
// level has no end, and one bucket of it for every 1 048 576 ords.
//
// What is counted is never in the first bucket of a level, for nothing comes before
// it. So those are not kept, and a group of fewer than 16 applications has no counts.
const (
	bucketBits   = 4
	bucketLevels = 5
)

// To the groups in which a user is owner or admin, newer than the user's read mark; and
// to the group of a key, newer than a position.
var (
	selectUnread = countUnread(`users me CROSS JOIN members m ON m.uid = me.uid CROSS JOIN groups g ON g.gid = m.gid
		WHERE me.id = +?1 AND m.role >= 300`, "me.read_position")
	selectUnreadSince = countUnread(`groups g WHERE g.gid = +?1`, "+?2")
)

// countUnread is the statement that counts the applications to some groups g that are
// open and newer than a position. In a group that was created after it, those are all that
// are open. In any other, first is the ord of the first of them. Then the rest of its 16
// rows: they have the next ords in the order of positions, so looking at 16 is enough. And
// the buckets.
//
// The LIMIT has mine made row by row. Without it, SQLite merges it into the statement and
// looks for first wherever that is used. As a table (MATERIALIZED), beside that of the queue
// in one statement, it is memory that malloc may give back to the system each time and take
// again: a page then took up to three times as long.
func countUnread(of, since string) string {
	bits, fanOut := strconv.Itoa(bucketBits), strconv.Itoa(1<<bucketBits)
	var buckets strings.Builder
	for level := 1; level <= bucketLevels; level++ {
		fmt.Fprintf(&buckets, ` +
		(SELECT coalesce(sum(n), 0) FROM buckets b WHERE b.gid = mine.gid AND level = %d
			AND bucket > first >> %d`, level, bucketBits*level)
		if level < bucketLevels {
			fmt.Fprintf(&buckets, " AND bucket < (first >> %d) + 1 << %d", bucketBits*(level+1), bucketBits)
		}
		buckets.WriteByte(')')
	}
	return `WITH mine (gid, pending, mark, first) AS (
		SELECT g.gid, g.pending, ` + since + `, iif(g.created_position > ` + since + `, 0, (SELECT a.ord FROM applications a
			WHERE a.gid = g.gid AND a.state = 0 AND a.position > ` + since + ` ORDER BY a.position LIMIT 1))
		FROM ` + of + ` AND g.pending > 0 AND g.asked_position > ` + since + ` LIMIT -1
	)
	SELECT coalesce(sum(CASE first WHEN 0 THEN pending ELSE
		(SELECT count(*) FROM (
			SELECT a.ord FROM applications a WHERE a.gid = mine.gid AND a.state = 0 AND a.position > mark ORDER BY a.position LIMIT ` + fanOut + `
		) rest WHERE rest.ord < (mine.first >> ` + bits + `) + 1 << ` + bits + `)` + buckets.String() + ` END), 0) FROM mine`
}

// unread runs selectUnread. A user whom no event names has none.
func unread(ctx context.Context, of asked, userID string) (n int, err error) {
	err = of.QueryRowContext(ctx, selectUnread, userID).Scan(&n)
	return n, err
}
