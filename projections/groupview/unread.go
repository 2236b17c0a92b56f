package groupview

import (
	"context"
	"database/sql"
	"errors"
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

const (
	lastOpenOrd  = "SELECT ord FROM applications WHERE gid = +? AND state = 0 AND position <= ? ORDER BY position DESC LIMIT 1"
	lastShutOrd  = "SELECT ord FROM applications WHERE gid = +? AND state > 0 AND position <= ? ORDER BY position DESC LIMIT 1"
	restOfBucket = `SELECT count(*) FROM (
			SELECT ord FROM applications WHERE gid = +? AND state = 0 AND position > ? ORDER BY position LIMIT 64
		) WHERE ord < ?`
	sumOfBuckets = "SELECT coalesce(sum(n), 0) FROM buckets WHERE gid = ? AND level = ? AND bucket > ? AND bucket < ?"
)

// unread adds up the groups' open applications that are newer than the user's mark.
func unread(ctx context.Context, tx *sql.Tx, uid int64, groups []approved) (int, error) {
	if len(groups) == 0 {
		return 0, nil
	}
	var mark int64
	if err := tx.QueryRowContext(ctx, "SELECT read_position FROM users WHERE uid = ?", uid).Scan(&mark); err != nil {
		return 0, err
	}
	total := 0
	for i := range groups {
		n, err := groups[i].newer(ctx, tx, mark)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// newer counts the group's open applications after a position. Mostly the answer is
// none or all, which the group's own row tells.
func (g *approved) newer(ctx context.Context, tx *sql.Tx, mark int64) (int, error) {
	switch {
	case g.pending == 0 || mark >= g.asked:
		return 0, nil
	case mark < g.created:
		return g.pending, nil
	}
	ord, err := g.ordAt(ctx, tx, mark)
	if err != nil {
		return 0, err
	}
	if ord == 0 {
		return g.pending, nil
	}
	// The rest of the 64 rows. They have the next ords in the order of positions, so
	// looking at 64 is enough.
	var total int
	err = tx.QueryRowContext(ctx, restOfBucket, g.gid, mark, ((ord>>bucketBits)+1)<<bucketBits).Scan(&total)
	if err != nil {
		return 0, err
	}
	for level := 1; level <= bucketLevels; level++ {
		own := ord >> (bucketBits * level)
		end := (own>>bucketBits + 1) << bucketBits
		if level == bucketLevels {
			end = 1 << 62
		}
		var n int
		err := tx.QueryRowContext(ctx, sumOfBuckets, g.gid, level, own, end).Scan(&n)
		if err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}

// ordAt is the ord of the last application at or before a position; zero if there is
// none.
func (g *approved) ordAt(ctx context.Context, tx *sql.Tx, position int64) (last int64, err error) {
	for _, query := range []string{lastOpenOrd, lastShutOrd} {
		var ord int64
		err := tx.QueryRowContext(ctx, query, g.gid, position).Scan(&ord)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return 0, err
		}
		last = max(last, ord)
	}
	return last, nil
}
