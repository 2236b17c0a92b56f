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
	page := JoinedGroupPage{Groups: []JoinedGroup{}}
	limit = limited(limit)
	var gid int64
	if after != "" {
		if err := parseCursor('j', after, &gid); err != nil {
			return JoinedGroupPage{}, fmt.Errorf("joined groups: %w", err)
		}
	}
	err := q.views.Read(ctx, func(tx *sql.Tx) error {
		uid, err := userKey(ctx, tx, userID)
		if uid == 0 {
			return err
		}
		// Not limited by SQL: what is not listed does not count. Rows are read as they are
		// asked for, so the rest costs nothing.
		rows, err := tx.QueryContext(ctx, selectJoined, uid, gid)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			last := gid
			var g JoinedGroup
			topics, err := scanJoined(rows, &gid, &g)
			if err != nil {
				return err
			}
			policy := policies[g.GroupType]
			if !policy.JoinedList.Shows(topics) {
				continue
			}
			if len(page.Groups) == limit {
				page.Next = cursor('j', last)
				return nil
			}
			page.Groups = append(page.Groups, g)
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
	WHERE m.uid = +? AND m.gid > ? ORDER BY m.gid`

func scanJoined(rows *sql.Rows, gid *int64, g *JoinedGroup) (topics bool, err error) {
	var joinedAt, createdAt, eventAt int64
	err = rows.Scan(gid, &g.GroupID, &g.Incarnation, &g.GroupType, &topics, &g.Name, &g.FaceURL, &g.Owner, &g.MemberCount, &g.AllMuted,
		&g.Role, &joinedAt, &createdAt, &eventAt)
	g.JoinedAt, g.CreatedAt, g.LastEventAt = moment(joinedAt), moment(createdAt), moment(eventAt)
	return topics, err
}

// GroupsOf is how many live groups the user is in, listed or not. It costs the same
// for any number of groups.
func (q *Queries) GroupsOf(ctx context.Context, userID string) (int, error) {
	var n int
	err := q.views.Read(ctx, func(tx *sql.Tx) error {
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
