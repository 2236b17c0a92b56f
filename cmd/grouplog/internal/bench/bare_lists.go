package bench

import (
	"context"
	"database/sql"
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// bareList is the floor of a list of a million: a page that a statement reads which knows
// where it begins. It merges nothing, counts nothing, and looks nobody up.
type bareList struct {
	what  string
	key   string // the key that the rows share, and the place before the first; ? is whose they are
	page  string // ?1 is the key, ?2 the place before the first row
	reads int    // rows
	of    func(world) (whose string, rows int)
}

const sameRows = "reads as many of the same rows, by a key, from anywhere among the million"

var (
	bareJoined = bareList{
		sameRows,
		"SELECT m.uid, min(m.gid) - 1 FROM users u JOIN members m ON m.uid = u.uid WHERE u.id = ?",
		`SELECT g.id, g.incarnation, g.type, g.topics, g.name, g.face_url, o.id, g.members, g.muted, m.role, m.joined_at, g.created_at, g.last_at
			FROM members m CROSS JOIN groups g ON g.gid = m.gid CROSS JOIN users o ON o.uid = g.owner
			WHERE m.uid = +?1 AND m.gid > ?2 ORDER BY m.gid LIMIT 50`,
		pageSize,
		func(w world) (string, int) { return w.joiner(), w.rows },
	}
	bareMembers = bareList{
		sameRows,
		"SELECT gid, -1 FROM groups WHERE id = ?",
		`SELECT u.id, m.role, m.joined_at, m.name_card, m.custom, m.muted_until
			FROM members m CROSS JOIN users u ON u.uid = m.uid WHERE m.gid = +?1 AND m.seq > ?2 ORDER BY m.seq LIMIT 50`,
		pageSize,
		func(w world) (string, int) { return w.group(), w.rows },
	}
	bareApplications = bareList{ // five to each of the ten groups, as a page has them
		sameRows,
		"SELECT uid, 0 FROM users WHERE id = ?",
		`SELECT a.n, a.kind, f.id, a.message, a.state, a.by_app_admin, a.reason, a.submitted_at, a.at, a.closed_at, a.position
			FROM members m CROSS JOIN applications a ON a.gid = m.gid AND a.n > ?2 AND a.n <= ?2 + 5 CROSS JOIN users f ON f.uid = a.from_uid
			WHERE m.uid = +?1 ORDER BY a.gid, a.n`,
		pageSize,
		func(w world) (string, int) { return w.approver(), w.rows / approverGroups },
	}
	barePending = bareList{
		"reads the counts of pending applications that the ten groups have",
		"SELECT uid, 0 FROM users WHERE id = ?",
		"SELECT g.pending FROM members m CROSS JOIN groups g ON g.gid = m.gid WHERE m.uid = +?1 AND m.gid > ?2",
		approverGroups,
		func(w world) (string, int) { return w.approver(), 0 },
	}
)

// barePage asks for pages of a bareList of one world.
type barePage struct {
	statement  *sql.Stmt
	key, first int64
	rows       int // of the list
	reads      int // of a page
}

// barePages are those of a list in both worlds.
type barePages struct{ many, less barePage }

// openBarePages opens the read models of a log by database/sql, for each of the lists.
func openBarePages(ctx context.Context, s *Session, path string) ([]barePages, error) {
	views, err := address(strings.TrimSuffix(path, ".db") + ".views.db")
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite3", views+"?mode=ro&_busy_timeout=5000&_cache_size=-8000")
	if err != nil {
		return nil, err
	}
	s.later(db.Close)
	db.SetMaxOpenConns(1)
	many, less := s.sizes.worlds()
	pages := make([]barePages, len(lists))
	for i, l := range lists {
		statement, err := db.PrepareContext(ctx, l.bare.page)
		if err == nil {
			pages[i].many, err = l.bare.in(ctx, db, many, statement)
		}
		if err == nil {
			pages[i].less, err = l.bare.in(ctx, db, less, statement)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: the floor: %w", l.name, err)
		}
	}
	return pages, nil
}

// in finds where the list begins in a world.
func (l bareList) in(ctx context.Context, db *sql.DB, w world, statement *sql.Stmt) (p barePage, err error) {
	var whose string
	p.statement, p.reads = statement, l.reads
	whose, p.rows = l.of(w)
	err = db.QueryRowContext(ctx, l.key, whose).Scan(&p.key, &p.first)
	return p, err
}

// timed reads a page from anywhere and notes how long it takes.
func (p *barePage) timed(ctx context.Context, random *rand.Rand, times *[]time.Duration) func() error {
	return func() error {
		start := time.Now()
		rows, err := p.statement.QueryContext(context.WithoutCancel(ctx), p.key, p.first+random.Int64N(int64(max(1, p.rows-pageSize))))
		if err != nil {
			return err
		}
		defer rows.Close()
		columns, err := rows.Columns()
		if err != nil {
			return err
		}
		values := make([]any, len(columns))
		for i := range values {
			values[i] = new(any)
		}
		read := 0
		for ; rows.Next(); read++ {
			if err := rows.Scan(values...); err != nil {
				return err
			}
		}
		*times = append(*times, time.Since(start))
		if err := rows.Err(); err != nil || read == p.reads {
			return err
		}
		return fmt.Errorf("the floor of a list has read %d rows, not %d", read, p.reads)
	}
}
