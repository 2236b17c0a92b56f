package groupview

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"iter"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Why a group ended, beside domain.Asked and domain.Emptied.
const Recycled = "recycled"

// Group is one incarnation of a group.
type Group struct {
	GroupID      string           `json:"groupID"`
	Incarnation  int              `json:"incarnation"` // from 1
	GroupType    domain.GroupType `json:"groupType"`
	Status       string           `json:"status"`          // "live" or "dismissed"
	Cause        string           `json:"cause,omitempty"` // why it was dismissed: "asked", "emptied" or "recycled"
	SupportTopic bool             `json:"supportTopic,omitempty"`
	domain.Profile
	AllMuted          bool                `json:"allMuted,omitempty"`
	Owner             string              `json:"owner,omitempty"` // empty: ownerless, or dismissed
	MemberCount       int                 `json:"memberCount"`     // of all roles
	Roles             RoleCounts          `json:"roles"`
	Pending           int                 `json:"pendingApplications,omitempty"`
	Attributes        map[string]string   `json:"attributes,omitempty"`
	AttributesVersion int                 `json:"attributesVersion,omitempty"`
	Topics            []domain.Topic      `json:"topics,omitempty"` // by ID
	CreatedAt         time.Time           `json:"createdAt"`
	EndedAt           time.Time           `json:"endedAt,omitzero"`
	LastEventAt       time.Time           `json:"lastEventAt"`
	Version           int                 `json:"version"`  // of the group's stream, over all incarnations
	Position          eventstore.Position `json:"position"` // of the last event
}

// RoleCounts are the members of a group by role.
type RoleCounts struct {
	Owner  int `json:"owner"`
	Admin  int `json:"admin"`
	Member int `json:"member"`
}

// Group finds the newest incarnation of a group, live or not. An ID that no group has
// had gives an error that wraps ErrNotFound.
func (q *Queries) Group(ctx context.Context, groupID string) (Group, error) {
	var g Group
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		gid, err := scanGroup(tx.QueryRowContext(ctx, selectGroup+" WHERE g.id = +? ORDER BY g.incarnation DESC LIMIT 1", groupID), &g)
		if errors.Is(err, sql.ErrNoRows) {
			return notFound("no group has the ID %q", groupID)
		}
		if err != nil {
			return err
		}
		return addTopics(ctx, tx, gid, &g)
	})
	if err != nil {
		return Group{}, fmt.Errorf("group: %w", err)
	}
	return g, nil
}

// GroupFilter says which groups to list. The zero value is all live ones.
type GroupFilter struct {
	Type             domain.GroupType // empty: any
	Prefix           string           // of the group ID
	IncludeDismissed bool             // every incarnation, not only those that are live
}

// groupPage is how many groups an iterator reads at once.
const groupPage = 100

// Groups lists groups by ID and incarnation.
func (q *Queries) Groups(ctx context.Context, filter GroupFilter) iter.Seq2[Group, error] {
	return func(yield func(Group, error) bool) {
		lastID, lastIncarnation := filter.Prefix, 0
		paged(func(string) ([]Group, string, error) {
			page, err := q.groupPage(ctx, filter, lastID, lastIncarnation)
			if err != nil {
				return nil, "", fmt.Errorf("groups: %w", err)
			}
			if len(page) < groupPage {
				return page, "", nil
			}
			last := page[len(page)-1]
			lastID, lastIncarnation = last.GroupID, last.Incarnation
			return page, "more", nil
		})(yield)
	}
}

// Two texts, so that each finds its index: one of all groups, one of the live ones.
const (
	selectAnyGroups = selectGroup + ` WHERE (g.id, g.incarnation) > (?1, ?2) AND g.id < ?3
		AND (?4 = '' OR g.type = +?4) ORDER BY g.id, g.incarnation LIMIT +?5`
	selectLiveGroups = selectGroup + ` WHERE g.status = 1 AND (g.id > ?1 OR g.id = +?1 AND +?2 = 0) AND g.id >= ?1 AND g.id < ?3
		AND (?4 = '' OR g.type = +?4) ORDER BY g.id LIMIT +?5`
)

func (q *Queries) groupPage(ctx context.Context, filter GroupFilter, lastID string, lastIncarnation int) ([]Group, error) {
	query := selectLiveGroups
	if filter.IncludeDismissed {
		query = selectAnyGroups
	}
	var page []Group
	err := q.read(ctx, func(ctx context.Context, tx *sql.Tx) error {
		// Group IDs are printable ASCII: 0x7f is beyond all that begin with the prefix.
		rows, err := tx.QueryContext(ctx, query, lastID, lastIncarnation, filter.Prefix+"\x7f", string(filter.Type), groupPage)
		var gids []int64
		err = scanAll(rows, err, func(rows *sql.Rows) error {
			var g Group
			gid, err := scanGroup(rows, &g)
			page, gids = append(page, g), append(gids, gid)
			return err
		})
		for i := range page {
			if err == nil {
				err = addTopics(ctx, tx, gids[i], &page[i])
			}
		}
		return err
	})
	return page, err
}

const selectGroup = `SELECT g.gid, g.id, g.incarnation, g.type, g.status, g.cause, g.topics,
		g.name, p.introduction, p.notification, g.face_url, g.join_option, g.invite_option, p.custom,
		g.muted, coalesce(o.id, ''), g.members, g.admins, g.pending, p.attributes, g.attributes_version,
		g.created_at, g.ended_at, g.last_at, g.version, g.position
	FROM groups g JOIN profiles p ON p.gid = g.gid LEFT JOIN users o ON o.uid = g.owner`

// scanGroup reads a row of selectGroup.
func scanGroup(row interface{ Scan(...any) error }, g *Group) (gid int64, err error) {
	var (
		status                      domain.Status
		custom, attributes          string
		createdAt, endedAt, eventAt int64
	)
	err = row.Scan(&gid, &g.GroupID, &g.Incarnation, &g.GroupType, &status, &g.Cause, &g.SupportTopic,
		&g.Name, &g.Introduction, &g.Notification, &g.FaceURL, &g.JoinOption, &g.InviteOption, &custom,
		&g.AllMuted, &g.Owner, &g.MemberCount, &g.Roles.Admin, &g.Pending, &attributes, &g.AttributesVersion,
		&createdAt, &endedAt, &eventAt, &g.Version, &g.Position)
	if err != nil {
		return 0, err
	}
	g.Status = status.String()
	g.CreatedAt, g.EndedAt, g.LastEventAt = moment(createdAt), clock(endedAt), moment(eventAt)
	if g.Owner != "" {
		g.Roles.Owner = 1
	}
	g.Roles.Member = g.MemberCount - g.Roles.Admin - g.Roles.Owner
	if g.Custom, err = object(custom); err != nil {
		return 0, err
	}
	g.Attributes, err = object(attributes)
	return gid, err
}

func addTopics(ctx context.Context, tx *sql.Tx, gid int64, g *Group) error {
	if !g.SupportTopic {
		return nil
	}
	rows, err := tx.QueryContext(ctx, "SELECT id, name, introduction, notification, face_url FROM topics WHERE gid = +? ORDER BY id", gid)
	return scanAll(rows, err, func(rows *sql.Rows) error {
		var t domain.Topic
		err := rows.Scan(&t.ID, &t.Name, &t.Introduction, &t.Notification, &t.FaceURL)
		g.Topics = append(g.Topics, t)
		return err
	})
}

// newest finds the key of the newest incarnation of a group.
func newest(ctx context.Context, tx *sql.Tx, groupID string) (gid int64, incarnation int, err error) {
	err = tx.QueryRowContext(ctx, "SELECT gid, incarnation FROM groups WHERE id = +? ORDER BY incarnation DESC LIMIT 1", groupID).
		Scan(&gid, &incarnation)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, 0, notFound("no group has the ID %q", groupID)
	}
	return gid, incarnation, err
}
