package groupview

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/internal/bulk"
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
	var last int64
	if after != "" {
		if err := parseCursor('j', after, &last); err != nil {
			return JoinedGroupPage{}, fmt.Errorf("joined groups: %w", err)
		}
	}
	err := q.ask(ctx, func(ctx context.Context, conn *sql.Conn) error {
		// What is not listed does not count, so a page may take several packs.
		for page.Next == "" {
			rows, err := unpack(ctx, conn, selectJoined, userID, last, limit+1)
			if err != nil {
				return err
			}
			read := 0
			for ; rows.Next(); read++ {
				g, gid, topics := readJoined(rows)
				if policy := policies[g.GroupType]; policy.JoinedList.Shows(topics) {
					if len(page.Groups) == limit {
						page.Next = cursor('j', last)
						break
					}
					page.Groups = append(page.Groups, g)
				}
				last = gid
			}
			if err := rows.Err(); err != nil || read <= limit {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return JoinedGroupPage{}, fmt.Errorf("joined groups: %w", err)
	}
	return page, nil
}

// What a user's list has of a group g of owner o, and of their membership m.
const (
	joinedColumns = "gid, id, incarnation, type, topics, name, face_url, owner, members, muted, role, joined_at, created_at, last_at"
	joinedValues  = "g.gid, g.id, g.incarnation, g.type, g.topics, g.name, g.face_url, o.id AS owner, g.members, g.muted"
)

var selectJoined = packed(joinedColumns, `SELECT `+joinedValues+`, m.role, m.joined_at, g.created_at, g.last_at
	FROM members m CROSS JOIN groups g ON g.gid = m.gid LEFT JOIN users o ON o.uid = g.owner
	WHERE m.uid = (SELECT uid FROM users WHERE id = +?1) AND m.gid > ?2 ORDER BY m.gid LIMIT +?3`)

// readJoined takes joinedColumns.
func readJoined(rows *bulk.Rows) (g JoinedGroup, gid int64, topics bool) {
	gid, g.GroupID, g.Incarnation, g.GroupType = rows.Int(), rows.Text(), int(rows.Int()), domain.GroupType(rows.Text())
	topics = rows.Bool()
	g.Name, g.FaceURL, g.Owner, g.MemberCount, g.AllMuted = rows.Text(), rows.Text(), textOr(rows, ""), int(rows.Int()), rows.Bool()
	g.Role, g.JoinedAt = domain.Role(rows.Int()), moment(rows.Int())
	g.CreatedAt, g.LastEventAt = moment(rows.Int()), moment(rows.Int())
	return g, gid, topics
}

// GroupsOf is how many live groups the user is in, listed or not. It costs the same
// for any number of groups.
func (q *Queries) GroupsOf(ctx context.Context, userID string) (int, error) {
	var n int
	err := q.ask(ctx, func(ctx context.Context, conn *sql.Conn) error {
		err := conn.QueryRowContext(ctx, "SELECT live_groups FROM users WHERE id = ?", userID).Scan(&n)
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
