package groupview

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/internal/bulk"
)

// Member is somebody's membership in a live group.
type Member struct {
	UserID     string            `json:"userID"`
	Role       domain.Role       `json:"role"`
	JoinedAt   time.Time         `json:"joinedAt"`
	NameCard   string            `json:"nameCard,omitempty"`
	Custom     map[string]string `json:"custom,omitempty"`
	MutedUntil time.Time         `json:"mutedUntil,omitzero"` // may have passed
}

// MemberFilter says which members to list. The zero value is all of them.
type MemberFilter struct {
	Role domain.Role // exactly this one; zero: any
}

// MemberPage is a part of a group's member list.
type MemberPage struct {
	Members []Member `json:"members"`
	Next    string   `json:"next,omitempty"` // the cursor of the next page; empty on the last
}

// memberPage is how many members an iterator reads at once.
const memberPage = 500

// Members lists the members of a group's newest incarnation in the order of joining.
// A dismissed group has none; an unknown one gives ErrNotFound.
func (q *Queries) Members(ctx context.Context, groupID string, filter MemberFilter) iter.Seq2[Member, error] {
	return paged(func(after string) ([]Member, string, error) {
		page, err := q.MemberPage(ctx, groupID, filter, after, memberPage)
		return page.Members, page.Next, err
	})
}

// MemberPage lists at most limit members (DefaultLimit for zero, MaxLimit at most)
// after a cursor; the empty one is before the first member. A cursor belongs to one
// incarnation of the group: after its end there are no more pages.
func (q *Queries) MemberPage(ctx context.Context, groupID string, filter MemberFilter, after string, limit int) (MemberPage, error) {
	limit = limited(limit)
	page := MemberPage{Members: paper[Member](limit)}
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gid, seq, err := memberCursor(ctx, tx, groupID, after)
		if err != nil {
			return err
		}
		rows, err := unpack(ctx, tx, membersQuery(filter), gid, seq, limit+1, int(filter.Role))
		if err != nil {
			return err
		}
		for rows.Next() {
			if len(page.Members) == limit {
				page.Next = cursor('m', gid, seq)
				break
			}
			var m Member
			if m, seq, err = readMember(rows); err != nil {
				return err
			}
			page.Members = append(page.Members, m)
		}
		return rows.Err()
	})
	if err != nil {
		return MemberPage{}, fmt.Errorf("members: %w", err)
	}
	return page, nil
}

// memberCursor is where a page begins: after the member seq of group gid.
func memberCursor(ctx context.Context, tx *sql.Tx, groupID, after string) (gid, seq int64, err error) {
	if after == "" {
		gid, _, err = newest(ctx, tx, groupID)
		return gid, -1, err
	}
	if err := parseCursor('m', after, &gid, &seq); err != nil {
		return 0, 0, err
	}
	var id string
	err = tx.QueryRowContext(ctx, "SELECT id FROM groups WHERE gid = ?", gid).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) || err == nil && id != groupID {
		return 0, 0, fmt.Errorf("%w %q: it is not of group %q", ErrCursor, after, groupID)
	}
	return gid, seq, err
}

// What is shown of a member m who is user u.
const (
	memberColumns = "seq, id, role, joined_at, name_card, custom, muted_until"
	selectMember  = "SELECT m.seq, u.id, m.role, m.joined_at, m.name_card, m.custom, m.muted_until FROM "
)

var selectMembership = packed(memberColumns, selectMember+`users u CROSS JOIN members m ON m.uid = u.uid WHERE u.id = +? AND m.gid = +? LIMIT 1`)

// The texts of membersQuery. All take the same parameters.
var (
	selectAllMembers = packed(memberColumns, selectMember+`members m CROSS JOIN users u ON u.uid = m.uid
	WHERE m.gid = +?1 AND m.seq > ?2 AND ?4 = 0 ORDER BY m.seq LIMIT +?3`)
	selectByRole = packed(memberColumns, selectMember+`members m CROSS JOIN users u ON u.uid = m.uid
	WHERE m.gid = +?1 AND m.seq > ?2 AND m.role = +?4 ORDER BY m.seq LIMIT +?3`)
	selectFewByRole = packed(memberColumns, selectMember+`members m INDEXED BY members_role CROSS JOIN users u ON u.uid = m.uid
	WHERE m.gid = +?1 AND m.seq > ?2 AND m.role = +?4 AND m.role >= 300 ORDER BY m.seq LIMIT +?3`)
)

// membersQuery is the text for a filter. Admins and owners are few among many, and
// have an index, which SQLite would not choose by itself.
func membersQuery(filter MemberFilter) string {
	switch {
	case filter.Role == domain.NotMember:
		return selectAllMembers
	case filter.Role >= domain.Admin:
		return selectFewByRole
	default:
		return selectByRole
	}
}

// readMember takes memberColumns.
func readMember(rows *bulk.Rows) (m Member, seq int64, err error) {
	seq = rows.Int()
	m.UserID, m.Role, m.JoinedAt = rows.Text(), domain.Role(rows.Int()), moment(rows.Int())
	m.NameCard = rows.Text()
	custom := rows.Text()
	m.MutedUntil = clock(rows.Int())
	if err := rows.Err(); err != nil {
		return m, 0, err
	}
	m.Custom, err = object(custom)
	return m, seq, err
}

// membership is a user's in a group, with its seq; sql.ErrNoRows where there is none.
func membership(ctx context.Context, tx *sql.Tx, userID string, gid int64) (m Member, seq int64, err error) {
	rows, err := unpack(ctx, tx, selectMembership, userID, gid)
	if err != nil {
		return m, 0, err
	}
	if !rows.Next() {
		return m, 0, cmp.Or(rows.Err(), sql.ErrNoRows)
	}
	return readMember(rows)
}

// Member finds a user's membership in a group's newest incarnation. Both an unknown
// group and a user who is not a member give ErrNotFound.
func (q *Queries) Member(ctx context.Context, groupID, userID string) (Member, error) {
	var m Member
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gid, _, err := newest(ctx, tx, groupID)
		if err != nil {
			return err
		}
		m, _, err = membership(ctx, tx, userID, gid)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("%q is not a member of group %q", userID, groupID)
		}
		return err
	})
	if err != nil {
		return Member{}, fmt.Errorf("member: %w", err)
	}
	return m, nil
}

// Ban keeps somebody out of a live group.
type Ban struct {
	UserID string    `json:"userID"`
	Until  time.Time `json:"until"` // may have passed
}

// Bans lists the bans of a group's newest incarnation, by the order in which users
// were first seen. It reads them at once: bans are few.
func (q *Queries) Bans(ctx context.Context, groupID string) ([]Ban, error) {
	bans := []Ban{}
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gid, _, err := newest(ctx, tx, groupID)
		if err != nil {
			return err
		}
		rows, err := tx.QueryContext(ctx, "SELECT u.id, b.until FROM bans b CROSS JOIN users u ON u.uid = b.uid WHERE b.gid = +? ORDER BY b.uid", gid)
		return scanAll(rows, err, func(rows *sql.Rows) error {
			var b Ban
			var until int64
			err := rows.Scan(&b.UserID, &until)
			b.Until = clock(until)
			bans = append(bans, b)
			return err
		})
	})
	if err != nil {
		return nil, fmt.Errorf("bans: %w", err)
	}
	return bans, nil
}
