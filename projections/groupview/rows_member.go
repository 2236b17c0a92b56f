package groupview

import (
	"database/sql"
	"errors"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// member is a row of members.
type member struct {
	gid        int64
	seq        int
	uid        int64 // the user's, at hand where rows are written
	role       domain.Role
	joinedAt   int64
	nameCard   string
	custom     string
	mutedUntil int64

	user                  *user
	stored, changed, gone bool
}

// member finds a user's membership; nil if there is none.
func (r *rows) member(g *group, userID string) (*member, error) {
	u, err := r.user(userID)
	if err != nil {
		return nil, err
	}
	return r.memberOf(g, u)
}

func (r *rows) memberOf(g *group, u *user) (*member, error) {
	m, known := g.members[u.uid]
	if known || g.whole || g.status != domain.Live {
		return m, nil
	}
	m = &member{gid: g.gid, uid: u.uid, user: u, stored: true}
	err := r.tx.QueryRow("SELECT seq, role, joined_at, name_card, custom, muted_until FROM members WHERE uid = ? AND gid = ?", u.uid, g.gid).
		Scan(&m.seq, &m.role, &m.joinedAt, &m.nameCard, &m.custom, &m.mutedUntil)
	switch {
	case errors.Is(err, sql.ErrNoRows):
		m = nil
	case err != nil:
		return nil, err
	}
	g.members[u.uid] = m
	r.kept++
	return m, nil
}

func (r *rows) touchMember(m *member) {
	if !m.changed {
		m.changed = true
		r.changed.members = append(r.changed.members, m)
	}
}

// admit begins a membership, as domain.Group does: it closes the user's open
// applications and lifts a ban.
func (r *rows) admit(g *group, userID string, role domain.Role, at time.Time, e *event) error {
	u, err := r.user(userID)
	if err != nil {
		return err
	}
	m, err := r.memberOf(g, u)
	if err != nil || m != nil || g.status != domain.Live {
		return err
	}
	m = &member{gid: g.gid, seq: g.joins, uid: u.uid, user: u, role: role, joinedAt: micros(at)}
	g.members[u.uid] = m
	g.joins++
	g.count++
	u.liveGroups++
	r.kept++
	r.touchUser(u)
	r.touchMember(m)
	switch role {
	case domain.Owner:
		g.owner = u.uid
	case domain.Admin:
		g.admins++
	}
	if err := r.closeFor(g, u, Superseded, e); err != nil {
		return err
	}
	if !g.banned {
		return nil
	}
	return r.tx.Exec("DELETE FROM bans WHERE gid = ? AND uid = ?", g.gid, u.uid)
}

// remove ends a membership. The group ends with its last member.
func (r *rows) remove(g *group, userID string, e *event) error {
	m, err := r.member(g, userID)
	if err != nil || m == nil {
		return err
	}
	r.unrank(g, m)
	if g.whole {
		delete(g.members, m.uid)
		r.kept--
	} else {
		g.members[m.uid] = nil
	}
	g.count--
	m.gone = true
	r.ended++
	m.user.liveGroups--
	r.touchUser(m.user)
	r.touchMember(m)
	if g.count == 0 {
		return r.dissolve(g, string(domain.Emptied), e)
	}
	return nil
}

// rank gives a member a role.
func (r *rows) rank(g *group, userID string, role domain.Role) error {
	if userID == "" {
		return nil
	}
	m, err := r.member(g, userID)
	if err != nil || m == nil {
		return err
	}
	r.unrank(g, m)
	m.role = role
	switch role {
	case domain.Owner:
		g.owner = m.uid
	case domain.Admin:
		g.admins++
	}
	r.touchMember(m)
	return nil
}

// unrank takes a member's role out of the group's own columns.
func (r *rows) unrank(g *group, m *member) {
	switch m.role {
	case domain.Owner:
		g.owner = 0
	case domain.Admin:
		g.admins--
	}
}

func (r *rows) ban(g *group, userID string, until time.Time, e *event) error {
	u, err := r.user(userID)
	if err != nil {
		return err
	}
	g.banned = true
	err = r.tx.Exec("INSERT INTO bans (gid, uid, until) VALUES (?, ?, ?) ON CONFLICT (gid, uid) DO UPDATE SET until = excluded.until",
		g.gid, u.uid, micros(until))
	if err != nil {
		return err
	}
	return r.closeFor(g, u, VoidBanned, e)
}

// dissolve ends a group and what belongs to it, for ever.
func (r *rows) dissolve(g *group, cause string, e *event) error {
	if g.status != domain.Live {
		return nil
	}
	if !g.whole && (g.count > 0 || g.pending > 0) {
		if err := r.dissolveStored(g, e); err != nil {
			return err
		}
	}
	for _, m := range g.members {
		if m != nil {
			m.user.liveGroups--
			m.gone, m.stored = true, false // its row goes with all others of the group
			r.ended++
			r.touchUser(m.user)
			r.touchMember(m)
		}
	}
	for _, a := range g.applications {
		if a != nil {
			r.shut(a, VoidDismissed, e)
		}
	}
	g.clear()
	profile, err := r.profileOf(g)
	if err != nil {
		return err
	}
	profile.attributes, profile.changed = nil, true
	g.status, g.cause, g.endedAt = domain.Dismissed, cause, micros(e.Time)
	g.owner, g.count, g.admins, g.pending = 0, 0, 0, 0
	g.whole, g.wipe = true, true
	return nil
}

// dissolveStored does in the tables what dissolve does in memory, for a group of which
// not everything is in memory: it may have a million members. Every user in memory
// may be one of them, so nothing is kept.
func (r *rows) dissolveStored(g *group, e *event) error {
	r.touchGroup(g)
	if err := r.flush(); err != nil {
		return err
	}
	err := r.tx.Exec("UPDATE users SET live_groups = live_groups - 1 WHERE uid IN (SELECT uid FROM members WHERE gid = ?)", g.gid)
	if err != nil {
		return err
	}
	err = r.tx.Exec("INSERT OR IGNORE INTO former (uid, gid) SELECT uid, gid FROM members WHERE gid = ?", g.gid)
	if err != nil {
		return err
	}
	err = r.tx.Exec("UPDATE applications SET state = ?, closed_at = ?, closed_position = ? WHERE gid = ? AND state = 0",
		int(VoidDismissed), micros(e.Time), uint64(e.Position), g.gid)
	if err != nil {
		return err
	}
	r.forget()
	g.clear()
	r.groups[g.id] = g
	return nil
}

func (m *member) write(tx *projections.Tx, rows, former *projections.Insert) error {
	m.changed = false
	switch {
	case m.gone:
		if m.stored {
			if err := tx.Exec("DELETE FROM members WHERE gid = ? AND seq = ?", &m.gid, &m.seq); err != nil {
				return err
			}
		}
		return former.Row(&m.uid, &m.gid)
	case m.stored:
		return tx.Exec("UPDATE members SET role = ?, name_card = ?, custom = ?, muted_until = ? WHERE gid = ? AND seq = ?",
			int(m.role), &m.nameCard, &m.custom, &m.mutedUntil, &m.gid, &m.seq)
	}
	m.stored = true
	return rows.Row(&m.gid, &m.seq, &m.uid, int(m.role), &m.joinedAt, &m.nameCard, &m.custom, &m.mutedUntil)
}
