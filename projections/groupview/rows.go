package groupview

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/grouplog/grouplog/projections"
)

// How many rows may stay in memory from one page to the next, each of some two hundred
// bytes. While tables are filled they are more: to look a row up takes ten times as long
// as to find it in memory.
const (
	keptRows   = 1 << 18
	filledRows = 1 << 20
)

// rows are those rows of the tables that are in memory: what the page at hand changes,
// and what earlier pages left. Events change rows in memory, and flush writes each
// changed row once. A row that is not here is read when an event needs it, unless it
// is known that there is none.
type rows struct {
	tx *projections.Tx

	// whole: every user and every group there is, is here, because the tables were
	// empty when this began. What is missing does not exist, and need not be asked for.
	whole            bool
	lastUID, lastGID int64
	users            map[string]*user
	groups           map[string]*group // the newest incarnation, by group ID
	fresh            []user            // for the users to come
	ids              *strings.Builder  // of the users that came last

	changed struct {
		users        []*user
		groups       []*group
		members      []*member
		applications []*application
	}
	kept  int // rows in memory
	ended int // memberships and applications among the changed, about
}

// begin starts a page. While tables are filled, it reads what they hold already, up to so
// many rows.
func (r *rows) begin(tx *projections.Tx, fill int) error {
	r.tx = tx
	if r.users != nil {
		return nil
	}
	err := tx.QueryRow("SELECT (SELECT coalesce(max(uid), 0) FROM users), (SELECT coalesce(max(gid), 0) FROM groups)").
		Scan(&r.lastUID, &r.lastGID)
	if err != nil {
		return err
	}
	r.forget()
	r.whole = r.lastUID == 0 && r.lastGID == 0
	if tx.Filling() && !r.whole {
		return r.load(fill)
	}
	return nil
}

// end writes what the page changed, and keeps the rows for the next one unless they
// are more than may be kept.
func (r *rows) end(keep int) error {
	if err := r.flush(); err != nil {
		return err
	}
	if r.kept <= keep {
		return nil
	}
	r.forget()
	return r.tx.Index() // what is forgotten will be looked up
}

// forget drops all rows from memory. Nothing may be unwritten.
func (r *rows) forget() {
	r.users, r.groups = map[string]*user{}, map[string]*group{}
	r.fresh, r.ids = nil, new(strings.Builder)
	r.whole, r.kept = false, 0
}

// flush writes every changed row once, in the order of the tables: rows that follow
// one another go to the same page.
func (r *rows) flush() error {
	c := &r.changed
	order(c.users, func(u *user) int64 { return u.uid })
	order(c.groups, func(g *group) int64 { return g.gid })
	users := r.tx.Insert("users (uid, id, live_groups, read_position, read_at)", 5)
	for _, u := range c.users {
		if err := u.write(r.tx, users); err != nil {
			return fmt.Errorf("write user %q: %w", u.id, err)
		}
	}
	// One statement after the other, each for all groups: the same goes over together.
	for _, write := range []func(*group, *projections.Tx) error{(*group).writeRow, (*group).writeProfile, (*group).writeBuckets} {
		for _, g := range c.groups {
			if err := write(g, r.tx); err != nil {
				return fmt.Errorf("write group %q: %w", g.id, err)
			}
		}
	}
	if err := errors.Join(users.End(), r.writeMembers(c.members), r.writeApplications(c.applications)); err != nil {
		return err
	}
	c.users, c.groups = emptied(c.users), emptied(c.groups)
	c.members, c.applications = emptied(c.members), emptied(c.applications)
	r.ended = 0
	return nil
}

// flushEnded writes the memberships and applications that have ended: no event will change
// them again.
func (r *rows) flushEnded() error {
	c := &r.changed
	var gone []*member
	var closed []*application
	c.members = slices.DeleteFunc(c.members, func(m *member) bool {
		if m.gone {
			gone = append(gone, m)
		}
		return m.gone
	})
	c.applications = slices.DeleteFunc(c.applications, func(a *application) bool {
		if a.state != Pending {
			closed = append(closed, a)
		}
		return a.state != Pending
	})
	r.ended = 0
	return errors.Join(r.writeMembers(gone), r.writeApplications(closed))
}

func (r *rows) writeMembers(changed []*member) error {
	order(changed, func(m *member) int64 { return m.gid<<32 | int64(m.seq) })
	members := r.tx.Insert("members (gid, seq, uid, role, joined_at, name_card, custom, muted_until)", 8)
	former := r.tx.InsertMissing("former (uid, gid)", 2)
	for _, m := range changed {
		if err := m.write(r.tx, members, former); err != nil {
			return fmt.Errorf("write member %d of group %d: %w", m.seq, m.gid, err)
		}
	}
	if err := errors.Join(members.End(), former.End()); err != nil {
		return fmt.Errorf("write members: %w", err)
	}
	return nil
}

func (r *rows) writeApplications(changed []*application) error {
	order(changed, func(a *application) int64 { return int64(a.position) })
	applications := r.tx.Insert("applications (gid, "+applicationColumns+")", 16)
	for _, a := range changed {
		if err := a.write(r.tx, applications); err != nil {
			return fmt.Errorf("write application %d to group %d: %w", a.n, a.group.gid, err)
		}
	}
	if err := applications.End(); err != nil {
		return fmt.Errorf("write applications: %w", err)
	}
	return nil
}

// order sorts rows by their keys, each of which is looked at once.
func order[T any](rows []*T, key func(*T) int64) {
	type keyed struct {
		key int64
		row *T
	}
	keys := make([]keyed, len(rows))
	for i, row := range rows {
		keys[i] = keyed{key(row), row}
	}
	slices.SortFunc(keys, func(a, b keyed) int { return cmp.Compare(a.key, b.key) })
	for i := range keys {
		rows[i] = keys[i].row
	}
}

// user is a row of users.
type user struct {
	uid          int64
	id           string
	liveGroups   int
	readPosition uint64
	readAt       int64

	stored, changed bool
}

// user finds the row of a user, or makes it: whoever is named has one.
func (r *rows) user(id string) (*user, error) {
	if u, ok := r.users[id]; ok {
		return u, nil
	}
	u := r.newUser(id)
	if !r.whole {
		err := r.tx.QueryRow("SELECT uid, live_groups, read_position, read_at FROM users WHERE id = ?", id).
			Scan(&u.uid, &u.liveGroups, &u.readPosition, &u.readAt)
		if err != nil && !errors.Is(err, sql.ErrNoRows) {
			return nil, err
		}
		u.stored = err == nil
	}
	if !u.stored {
		r.lastUID++
		u.uid = r.lastUID
		r.touchUser(u)
	}
	r.users[u.id] = u
	r.kept++
	return u, nil
}

// newUser makes a row of a user. Users and their IDs lie close together, for they are
// looked up at random; and they stay until all are forgotten.
func (r *rows) newUser(id string) *user {
	if r.ids.Cap()-r.ids.Len() < len(id) {
		r.ids = new(strings.Builder)
		r.ids.Grow(max(len(id), 1<<12))
	}
	if len(r.fresh) == 0 {
		r.fresh = make([]user, 64)
	}
	u := &r.fresh[0]
	r.fresh = r.fresh[1:]
	from := r.ids.Len()
	r.ids.WriteString(id)
	u.id = r.ids.String()[from:]
	return u
}

func (r *rows) touchUser(u *user) {
	if !u.changed {
		u.changed = true
		r.changed.users = append(r.changed.users, u)
	}
}

func (u *user) write(tx *projections.Tx, rows *projections.Insert) error {
	u.changed = false
	if u.stored {
		return tx.Exec("UPDATE users SET live_groups = ?, read_position = ?, read_at = ? WHERE uid = ?",
			&u.liveGroups, &u.readPosition, &u.readAt, &u.uid)
	}
	u.stored = true
	return rows.Row(&u.uid, &u.id, &u.liveGroups, &u.readPosition, &u.readAt)
}

// emptied is a list ready to be filled again, which holds on to nothing.
func emptied[T any](list []*T) []*T {
	clear(list)
	return list[:0]
}
