package groupview

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// Part is one group as the rows show it at one moment: what a decision about a few
// of its users needs, without reading the others. It is valid until the function
// that it was given to returns.
type Part struct {
	ctx     context.Context
	tx      *sql.Tx
	groupID string

	gid         int64 // 0: not looked for yet, or not there
	incarnation int
	version     int
	pending     int
	banned      bool
}

// Part calls read with a part of a group, all of whose answers are of the same
// moment, which may be behind the log.
func (q *Queries) Part(ctx context.Context, groupID string, read func(*Part) error) error {
	return q.views.Read(ctx, func(tx *sql.Tx) error {
		return read(&Part{ctx: ctx, tx: tx, groupID: groupID})
	})
}

// Version is that of the group's stream, and which incarnation is the newest; found
// is false where there is none. It must be asked for first.
func (p *Part) Version() (version, incarnation int, found bool, err error) {
	err = p.tx.QueryRowContext(p.ctx,
		"SELECT gid, incarnation, version, pending, banned FROM groups WHERE id = +? ORDER BY incarnation DESC LIMIT 1", p.groupID).
		Scan(&p.gid, &p.incarnation, &p.version, &p.pending, &p.banned)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, false, nil
	}
	if err != nil {
		return 0, 0, false, fmt.Errorf("version of group %q: %w", p.groupID, err)
	}
	return p.version, p.incarnation, true, nil
}

// Header is the newest incarnation of the group.
func (p *Part) Header() (h domain.Header, err error) {
	var g Group
	_, err = scanGroup(p.tx.QueryRowContext(p.ctx, selectGroup+" WHERE g.gid = +?", p.gid), &g)
	if err == nil {
		err = addTopics(p.ctx, p.tx, p.gid, &g)
	}
	if err == nil {
		err = p.tx.QueryRowContext(p.ctx, "SELECT status, joins, submitted FROM groups WHERE gid = ?", p.gid).
			Scan(&h.Status, &h.Joins, &h.ApplicationsSubmitted)
	}
	if err != nil {
		return h, fmt.Errorf("header of group %q: %w", p.groupID, err)
	}
	h.ID, h.Version, h.Incarnation, h.Type = g.GroupID, g.Version, g.Incarnation, g.GroupType
	h.SupportsTopics, h.CreatedAt, h.LastEventAt, h.EndedAt = g.SupportTopic, g.CreatedAt, g.LastEventAt, g.EndedAt
	h.Profile, h.AllMuted, h.Owner = g.Profile, g.AllMuted, g.Owner
	h.Count, h.Admins = g.MemberCount, g.Roles.Admin
	h.Attributes, h.AttributesVersion = g.Attributes, g.AttributesVersion
	for _, topic := range g.Topics {
		if h.Topics == nil {
			h.Topics = make(map[string]domain.Topic, len(g.Topics))
		}
		h.Topics[topic.ID] = topic
	}
	return h, nil
}

// Person is all that the group holds of a user. Its cost does not depend on the
// number of members, only on the open applications of that user.
func (p *Part) Person(userID string) (domain.Person, error) {
	var person domain.Person
	m, seq, err := membership(p.ctx, p.tx, userID, p.gid)
	switch {
	case err == nil:
		person.Membership = &domain.Membership{
			UserID: userID, Role: m.Role, JoinedAt: m.JoinedAt, Order: int(seq), NameCard: m.NameCard, Custom: m.Custom, MutedUntil: m.MutedUntil,
		}
	case !errors.Is(err, sql.ErrNoRows):
		return person, fmt.Errorf("member %q of group %q: %w", userID, p.groupID, err)
	}
	if person.BannedUntil, err = p.bannedUntil(userID); err != nil {
		return person, fmt.Errorf("ban of %q from group %q: %w", userID, p.groupID, err)
	}
	if person.Applications, err = p.open(selectOpenOf, p.gid, userID, p.gid, userID); err != nil {
		return person, fmt.Errorf("applications of %q to group %q: %w", userID, p.groupID, err)
	}
	return person, nil
}

// Longest is the user who has been a member for longest, of those whom known does not
// report and who are not the owner; empty where there is none. It reads all members in
// SQL, a million in a fraction of a second: it is for an owner who quits.
func (p *Part) Longest(known func(userID string) bool) (string, error) {
	for limit := 16; ; limit *= 16 {
		seen, longest := 0, ""
		rows, err := p.tx.QueryContext(p.ctx, selectLongest, p.gid, limit)
		err = scanAll(rows, err, func(rows *sql.Rows) error {
			var id string
			err := rows.Scan(&id)
			if seen++; longest == "" && !known(id) {
				longest = id
			}
			return err
		})
		if err != nil {
			return "", fmt.Errorf("longest-standing member of group %q: %w", p.groupID, err)
		}
		if longest != "" || seen < limit {
			return longest, nil
		}
	}
}

// Times of joining need not rise with seq: imported members have pasts of their own.
const selectLongest = `SELECT u.id FROM (
		SELECT uid, joined_at, seq FROM members WHERE gid = +? AND role < 400 ORDER BY joined_at, seq LIMIT +?
	) m CROSS JOIN users u ON u.uid = m.uid ORDER BY m.joined_at, m.seq`

func (p *Part) bannedUntil(userID string) (time.Time, error) {
	if !p.banned {
		return time.Time{}, nil
	}
	var until int64
	err := p.tx.QueryRowContext(p.ctx, "SELECT until FROM bans WHERE gid = ? AND uid = (SELECT uid FROM users WHERE id = ?)", p.gid, userID).Scan(&until)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	return clock(until), err
}

// What is open to a group, of one user or with one ID. Left to itself, SQLite reads all
// applications that the group ever had, as those come in the order that is asked for.
var (
	selectOpenByID = openBy("applications_id") + `a.gid = +? AND a.n = +?`
	selectOpenOf   = openBy("applications_candidate") + `a.gid = +? AND a.candidate = (SELECT uid FROM users WHERE id = ?) UNION ` +
		openBy("applications_from") + `a.gid = +? AND a.from_uid = (SELECT uid FROM users WHERE id = ?) ORDER BY 1`
)

// openBy begins a statement that looks open applications up in an index.
func openBy(index string) string {
	return `SELECT a.n, a.kind, f.id, c.id, a.message, a.at FROM applications a INDEXED BY ` + index + `
		CROSS JOIN users f ON f.uid = a.from_uid CROSS JOIN users c ON c.uid = a.candidate WHERE a.state = 0 AND `
}

// open reads open applications, in the order of submission.
func (p *Part) open(query string, arguments ...any) ([]domain.Application, error) {
	if p.pending == 0 {
		return nil, nil
	}
	rows, err := p.tx.QueryContext(p.ctx, query, arguments...)
	var open []domain.Application
	err = scanAll(rows, err, func(rows *sql.Rows) error {
		var (
			a     domain.Application
			n     int
			asked int64
		)
		err := rows.Scan(&n, &a.Kind, &a.From, &a.Candidate, &a.Message, &asked)
		a.ID, a.At = domain.ApplicationID(p.groupID, p.incarnation, n), moment(asked)
		open = append(open, a)
		return err
	})
	return open, err
}

// OpenApplication is an open application to the newest incarnation by its ID; found
// is false where there is none.
func (p *Part) OpenApplication(id string) (a domain.Application, found bool, err error) {
	groupID, incarnation, n, ok := domain.ParseApplicationID(id)
	if !ok || groupID != p.groupID || incarnation != p.incarnation {
		return a, false, nil
	}
	open, err := p.open(selectOpenByID, p.gid, n)
	if err != nil || len(open) == 0 {
		return a, false, err
	}
	return open[0], true, nil
}
