package groupview

import (
	"database/sql"
	"fmt"
)

// load reads every row that an event may need: where a fill goes on that was interrupted,
// they would be looked up one by one. If they are more than may be kept, it has the
// indexes made by which they are found.
func (r *rows) load(keep int) error {
	var n int
	err := r.tx.QueryRow(`SELECT (SELECT count(*) FROM users) + (SELECT count(*) FROM groups) +
		(SELECT count(*) FROM members) + (SELECT count(*) FROM applications WHERE state = 0)`).Scan(&n)
	if err != nil {
		return err
	}
	if n > keep {
		return r.tx.Index()
	}
	l := loading{rows: r, users: map[int64]*user{}, groups: map[int64]*group{}}
	for _, part := range []struct {
		query string
		row   func(*sql.Rows) error
	}{
		{"SELECT uid, id, live_groups, read_position, read_at FROM users", l.user},
		{"SELECT " + groupColumns + " FROM groups ORDER BY gid", l.group},
		{"SELECT gid, uid, seq, role, joined_at, name_card, custom, muted_until FROM members", l.member},
		{"SELECT gid, " + applicationColumns + " FROM applications WHERE state = 0 ORDER BY gid, n", l.application},
	} {
		rows, err := r.tx.Query(part.query)
		if err := scanAll(rows, err, part.row); err != nil {
			return err
		}
	}
	r.whole, r.kept = true, n
	return nil
}

// loading is rows on their way from the tables, by their keys.
type loading struct {
	rows   *rows
	users  map[int64]*user
	groups map[int64]*group
}

func (l *loading) user(from *sql.Rows) error {
	u := &user{stored: true}
	err := from.Scan(&u.uid, &u.id, &u.liveGroups, &u.readPosition, &u.readAt)
	l.users[u.uid], l.rows.users[u.id] = u, u
	return err
}

func (l *loading) group(from *sql.Rows) error {
	g := &group{stored: true, whole: true}
	err := from.Scan(g.fields()...)
	g.clear()
	l.groups[g.gid], l.rows.groups[g.id] = g, g // the newest incarnation comes last
	return err
}

func (l *loading) member(from *sql.Rows) error {
	m := &member{stored: true}
	if err := from.Scan(&m.gid, &m.uid, &m.seq, &m.role, &m.joinedAt, &m.nameCard, &m.custom, &m.mutedUntil); err != nil {
		return err
	}
	g := l.groups[m.gid]
	if m.user = l.users[m.uid]; m.user == nil || g == nil {
		return fmt.Errorf("member %d of group %d is of a user or a group that is not there", m.seq, m.gid)
	}
	g.members[m.uid] = m
	return nil
}

func (l *loading) application(from *sql.Rows) error {
	var gid int64
	a := &application{}
	if err := from.Scan(append([]any{&gid}, a.fields()...)...); err != nil {
		return err
	}
	a.key = a.position
	if a.group = l.groups[gid]; a.group == nil {
		return fmt.Errorf("application %d is to a group that is not there: %d", a.n, gid)
	}
	l.rows.keepApplication(a)
	return nil
}
