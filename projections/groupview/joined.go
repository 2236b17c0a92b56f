package groupview

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/grouplog/grouplog/domain"
)

// JoinedGroup is a live group as one of its members sees it in their list.
type JoinedGroup struct {
	GroupID     string           `json:"groupID"`
	Incarnation int              `json:"incarnation"`
	GroupType   domain.GroupType `json:"groupType"`
	Name        string           `json:"name"`
	FaceURL     string           `json:"faceURL,omitempty"`
	Owner       string           `json:"owner,omitempty"`
	MemberCount int              `json:"memberCount"`
	AllMuted    bool             `json:"allMuted,omitempty"`
	Role        domain.Role      `json:"role"`     // the user's own
	JoinedAt    time.Time        `json:"joinedAt"` // the user
	CreatedAt   time.Time        `json:"createdAt"`
	LastEventAt time.Time        `json:"lastEventAt"`
}

// JoinedGroupPage is a part of a user's joined-group list.
type JoinedGroupPage struct {
	Groups []JoinedGroup `json:"groups"`
	Next   string        `json:"next,omitempty"` // the cursor of the next page; empty on the last
}

// joinedPage is how many groups an iterator reads at once.
const joinedPage = 200

// JoinedGroups lists the live groups that the user is in, in the order in which the
// groups were created, as far as the policies have them listed (Policy.JoinedList). A
// type without a policy is not listed. A user whom nobody has heard of is in none.
func (q *Queries) JoinedGroups(ctx context.Context, userID string, policies domain.Policies) iter.Seq2[JoinedGroup, error] {
	return paged(func(after string) ([]JoinedGroup, string, error) {
		page, err := q.JoinedGroupPage(ctx, userID, policies, after, joinedPage)
		return page.Groups, page.Next, err
	})
}

// JoinedGroupPage lists at most limit groups (DefaultLimit for zero, MaxLimit at
// most) after a cursor; the empty one is before the first group.
func (q *Queries) JoinedGroupPage(ctx context.Context, userID string, policies domain.Policies, after string, limit int) (JoinedGroupPage, error) {
	limit = limited(limit)
	page := JoinedGroupPage{Groups: paper[JoinedGroup](limit)}
	var row joinedRow
	if after != "" {
		if err := parseCursor('j', after, &row.gid); err != nil {
			return JoinedGroupPage{}, fmt.Errorf("joined groups: %w", err)
		}
	}
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Not limited by SQL: what is not listed does not count. Rows are read as they are
		// asked for, so the rest costs nothing.
		rows, err := tx.QueryContext(ctx, selectJoined, userID, row.gid)
		if err != nil {
			return err
		}
		defer rows.Close()
		fields := row.fields()
		for rows.Next() {
			last := row.gid
			if err := rows.Scan(fields...); err != nil {
				return err
			}
			policy := policies[row.GroupType]
			if !policy.JoinedList.Shows(row.topics) {
				continue
			}
			if len(page.Groups) == limit {
				page.Next = cursor('j', last)
				return nil
			}
			page.Groups = append(page.Groups, row.group())
		}
		return rows.Err()
	})
	if err != nil {
		return JoinedGroupPage{}, fmt.Errorf("joined groups: %w", err)
	}
	return page, nil
}

const selectJoined = `SELECT g.gid, g.id, g.incarnation, g.type, g.topics, g.name, g.face_url, coalesce(o.id, ''), g.members, g.muted,
		m.role, m.joined_at, g.created_at, g.last_at
	FROM members m CROSS JOIN groups g ON g.gid = m.gid LEFT JOIN users o ON o.uid = g.owner
	WHERE m.uid = (SELECT uid FROM users WHERE id = +?) AND m.gid > ? ORDER BY m.gid`

// joinedRow is a row of selectJoined. One takes in all rows of a page, one after the other.
type joinedRow struct {
	JoinedGroup
	gid                         int64
	topics                      bool
	incarnation, members, role  int64 // to other integers, database/sql goes by way of text
	joinedAt, createdAt, lastAt int64
}

func (r *joinedRow) fields() []any {
	return []any{
		&r.gid, &r.GroupID, &r.incarnation, (*string)(&r.GroupType), &r.topics, &r.Name, &r.FaceURL, &r.Owner, &r.members, &r.AllMuted,
		&r.role, &r.joinedAt, &r.createdAt, &r.lastAt,
	}
}

func (r *joinedRow) group() JoinedGroup {
	r.Incarnation, r.MemberCount, r.Role = int(r.incarnation), int(r.members), domain.Role(r.role)
	r.JoinedAt, r.CreatedAt, r.LastEventAt = moment(r.joinedAt), moment(r.createdAt), moment(r.lastAt)
	return r.JoinedGroup
}

// GroupsOf is how many live groups the user is in, listed or not. It costs the same
// for any number of groups.
func (q *Queries) GroupsOf(ctx context.Context, userID string) (int, error) {
	var n int
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		err := tx.QueryRowContext(ctx, "SELECT live_groups FROM users WHERE id = ?", userID).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) {
			return nil
		}
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("groups of %q: %w", userID, err)
	}
	return n, nil
}

// userKey finds a user's key; zero if no event names them.
func userKey(ctx context.Context, tx *sql.Tx, userID string) (uid int64, err error) {
	err = tx.QueryRowContext(ctx, "SELECT uid FROM users WHERE id = ?", userID).Scan(&uid)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return uid, err
}
