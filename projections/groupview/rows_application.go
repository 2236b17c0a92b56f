package groupview

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// application is a row of applications.
type application struct {
	n               int
	kind            domain.ApplicationKind
	from, candidate int64
	state           ApplicationState
	message         string
	submittedAt, at int64
	position        uint64
	ord             int
	closedAt        int64
	closed          uint64 // a position
	decidedBy       int64
	byAppAdmin      bool
	reason          string

	group   *group
	key     uint64 // the position that the stored row has, which is its key; 0: none is stored
	changed bool
}

// bucket counts open applications of a group; see unread.go.
type bucket struct{ level, number int }

// number is n of an application's ID. It belongs to the group whose stream it is in,
// or the log is not what the engine writes.
func (g *group) number(applicationID string) (int, error) {
	if g.prefix == "" {
		g.prefix = strings.TrimSuffix(domain.ApplicationID(g.id, g.incarnation, 0), "0")
	}
	digits, ours := strings.CutPrefix(applicationID, g.prefix)
	n, err := strconv.Atoi(digits)
	if !ours || err != nil || n < 1 || digits[0] < '1' { // not +1, nor 01
		return 0, fmt.Errorf("application %q is none of incarnation %d of group %q", applicationID, g.incarnation, g.id)
	}
	return n, nil
}

// submit opens an application.
func (r *rows) submit(g *group, f domain.ApplicationSubmitted, e *event) error {
	n, err := g.number(f.ApplicationID)
	if err != nil {
		return err
	}
	from, err := r.user(f.From)
	if err != nil {
		return err
	}
	candidate := from
	if f.UserID != f.From {
		if candidate, err = r.user(f.UserID); err != nil {
			return err
		}
	}
	a := &application{
		group: g, n: n, kind: f.Kind, from: from.uid, candidate: candidate.uid,
		message: f.Message, submittedAt: micros(e.Time),
	}
	g.submitted++
	g.pending++
	r.keepApplication(a)
	r.ask(a, e)
	return nil
}

// ask puts an application at the end of the group's order.
func (r *rows) ask(a *application, e *event) {
	g := a.group
	g.asked++
	g.askedAt = uint64(e.Position)
	a.ord, a.at, a.position = g.asked, micros(e.Time), uint64(e.Position)
	g.countOpen(a.ord, +1)
	r.touchApplication(a)
}

// refresh makes an open application anew.
func (r *rows) refresh(g *group, f domain.ApplicationRefreshed, e *event) error {
	a, err := r.open(g, f.ApplicationID)
	if err != nil || a == nil {
		return err
	}
	g.countOpen(a.ord, -1)
	a.message = f.Message
	r.ask(a, e)
	return nil
}

// decide closes an application by somebody's decision.
func (r *rows) decide(g *group, applicationID string, state ApplicationState, reason string, e *event) error {
	a, err := r.open(g, applicationID)
	if err != nil || a == nil {
		return err
	}
	r.shut(a, state, e)
	a.reason, a.byAppAdmin = reason, e.AppAdmin
	if e.Actor == "" {
		return nil
	}
	by, err := r.user(e.Actor)
	if err != nil {
		return err
	}
	a.decidedBy = by.uid
	return nil
}

// shut closes an application, for whatever reason.
func (r *rows) shut(a *application, state ApplicationState, e *event) {
	g := a.group
	g.pending--
	r.ended++
	g.countOpen(a.ord, -1)
	a.state, a.closedAt, a.closed = state, micros(e.Time), uint64(e.Position)
	r.touchApplication(a)
	if g.whole {
		delete(g.applications, a.n)
		r.kept--
	} else {
		g.applications[a.n] = nil
	}
	left := slices.DeleteFunc(g.byCandidate[a.candidate], func(other *application) bool { return other == a })
	if len(left) == 0 {
		delete(g.byCandidate, a.candidate)
	} else {
		g.byCandidate[a.candidate] = left
	}
}

// closeFor closes the open applications that would make a user a member.
func (r *rows) closeFor(g *group, candidate *user, state ApplicationState, e *event) error {
	if g.pending == 0 {
		return nil
	}
	if !g.whole {
		if err := r.loadFor(g, candidate); err != nil {
			return err
		}
	}
	for _, a := range slices.Clone(g.byCandidate[candidate.uid]) {
		r.shut(a, state, e)
	}
	return nil
}

const applicationColumns = `n, kind, from_uid, candidate, state, message, submitted_at, at, position, ord,
	closed_at, closed_position, decided_by, by_app_admin, reason`

func (a *application) fields() []any {
	return []any{
		&a.n, &a.kind, &a.from, &a.candidate, &a.state, &a.message, &a.submittedAt, &a.at, &a.position, &a.ord,
		&a.closedAt, &a.closed, &a.decidedBy, &a.byAppAdmin, &a.reason,
	}
}

const selectOpenFor = "SELECT " + applicationColumns + " FROM applications WHERE gid = ? AND candidate = ? AND state = 0"

// loadFor reads a user's open applications that are not in memory. One that is stored
// as open may have been closed by this page: then it is known to be, in memory.
func (r *rows) loadFor(g *group, candidate *user) error {
	stored, err := r.tx.Query(selectOpenFor, g.gid, candidate.uid)
	if err != nil {
		return err
	}
	defer stored.Close()
	for stored.Next() {
		a := &application{group: g}
		if err := stored.Scan(a.fields()...); err != nil {
			return err
		}
		a.key = a.position
		if _, known := g.applications[a.n]; !known {
			r.keepApplication(a)
		}
	}
	slices.SortFunc(g.byCandidate[candidate.uid], func(a, b *application) int { return cmp.Compare(a.n, b.n) })
	return stored.Err()
}

// open finds an open application; nil if it is closed or was never made.
func (r *rows) open(g *group, applicationID string) (*application, error) {
	n, err := g.number(applicationID)
	if err != nil {
		return nil, err
	}
	if a, ok := g.applications[n]; ok || g.whole {
		return a, nil
	}
	a := &application{group: g}
	err = r.tx.QueryRow("SELECT "+applicationColumns+" FROM applications WHERE gid = ? AND n = ? AND state = 0", g.gid, n).
		Scan(a.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	a.key = a.position
	r.keepApplication(a)
	return a, nil
}

func (r *rows) keepApplication(a *application) {
	g := a.group
	g.applications[a.n] = a
	g.byCandidate[a.candidate] = append(g.byCandidate[a.candidate], a)
	r.kept++
}

func (r *rows) touchApplication(a *application) {
	if !a.changed {
		a.changed = true
		r.changed.applications = append(r.changed.applications, a)
	}
}

// How a stored row is changed, which is found by its key: while tables are filled, they
// have no indexes.
const (
	updateApplication = `UPDATE applications SET state = ?, closed_at = ?, closed_position = ?, decided_by = ?, by_app_admin = ?, reason = ?
		WHERE position = ?`
	moveApplication = `UPDATE applications SET state = ?, message = ?, at = ?, position = ?, ord = ?,
		closed_at = ?, closed_position = ?, decided_by = ?, by_app_admin = ?, reason = ? WHERE position = ?`
)

func (a *application) write(tx *projections.Tx, rows *projections.Insert) error {
	key := a.key
	a.changed, a.key = false, a.position
	switch key {
	case 0:
		return rows.Row(&a.group.gid, &a.n, int(a.kind), &a.from, &a.candidate, int(a.state), &a.message, &a.submittedAt, &a.at, &a.position, &a.ord,
			&a.closedAt, &a.closed, &a.decidedBy, a.byAppAdmin, &a.reason)
	case a.position:
		return tx.Exec(updateApplication, int(a.state), &a.closedAt, &a.closed, &a.decidedBy, a.byAppAdmin, &a.reason, &key)
	default:
		return tx.Exec(moveApplication, int(a.state), &a.message, &a.at, &a.position, &a.ord,
			&a.closedAt, &a.closed, &a.decidedBy, a.byAppAdmin, &a.reason, &key)
	}
}

// countOpen adds to the counts of open applications around an ord.
func (g *group) countOpen(ord, change int) {
	for level := 1; level <= bucketLevels; level++ {
		number := ord >> (bucketBits * level)
		if number == 0 {
			return
		}
		g.buckets[bucket{level, number}] += change
	}
}

// writeBuckets adds the changes to the stored counts. A count of zero has no row.
func (g *group) writeBuckets(tx *projections.Tx) error {
	for b, change := range g.buckets {
		if change == 0 {
			continue
		}
		err := tx.Exec(`INSERT INTO buckets (gid, level, bucket, n) VALUES (?, ?, ?, ?)
			ON CONFLICT (gid, level, bucket) DO UPDATE SET n = n + excluded.n`, g.gid, b.level, b.number, change)
		if err != nil {
			return err
		}
		if change < 0 {
			err = tx.Exec("DELETE FROM buckets WHERE gid = ? AND level = ? AND bucket = ? AND n = 0", g.gid, b.level, b.number)
		}
		if err != nil {
			return err
		}
	}
	clear(g.buckets)
	return nil
}
