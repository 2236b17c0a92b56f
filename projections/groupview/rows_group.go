package groupview

import (
	"database/sql"
	"encoding/json"
	"errors"
	"strings"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// group is a row of groups, with what is in memory of the rows that belong to it.
type group struct {
	gid          int64
	id           string
	incarnation  int
	kind         domain.GroupType
	topics       bool
	status       domain.Status
	cause        string
	name         string
	faceURL      string
	joinOption   domain.Option
	inviteOption domain.Option
	muted        bool
	owner        int64
	count        int // members
	admins       int
	joins        int
	banned       bool
	attributes   int // their version
	submitted    int
	asked        int
	askedAt      uint64 // a position
	pending      int
	createdAt    int64
	created      uint64 // a position
	endedAt      int64
	lastAt       int64
	position     uint64
	version      uint64

	// whole: all members and all open applications are in memory, because the group
	// began here. What is missing does not exist.
	whole        bool
	members      map[int64]*member        // by uid; nil: known not to be one
	applications map[int]*application     // by n; nil: known not to be open
	byCandidate  map[int64][]*application // of those in memory
	buckets      map[bucket]int           // changes to the counts, not yet written
	profile      *profile                 // nil until it is needed
	prefix       string                   // of its applications' IDs; empty until it is needed

	stored, changed, wipe bool
}

// profile is a row of profiles.
type profile struct {
	introduction, notification string
	custom, attributes         map[string]string

	stored, changed bool
}

// found begins the next incarnation of a group ID.
func (r *rows) found(id string, e *domain.GroupCreated, at time.Time, position uint64) (*group, error) {
	before, err := r.group(id)
	if err != nil {
		return nil, err
	}
	r.lastGID++
	id = strings.Clone(id) // a part of the record, which would stay in memory with it
	g := &group{
		gid: r.lastGID, id: id, incarnation: 1, kind: e.GroupType, topics: e.SupportTopic, status: domain.Live,
		name: e.Name, faceURL: e.FaceURL, joinOption: e.JoinOption, inviteOption: e.InviteOption,
		createdAt: micros(at), created: position, whole: true,
		profile: &profile{introduction: e.Introduction, notification: e.Notification, custom: e.Custom, changed: true},
	}
	if before != nil {
		g.incarnation = before.incarnation + 1
	}
	g.clear()
	r.groups[id] = g
	r.kept++
	return g, nil
}

// clear forgets what belongs to the group.
func (g *group) clear() {
	g.members = map[int64]*member{}
	g.applications, g.byCandidate = map[int]*application{}, map[int64][]*application{}
	g.buckets = map[bucket]int{}
}

const groupColumns = `gid, id, incarnation, type, topics, status, cause, name, face_url, join_option, invite_option,
	muted, owner, members, admins, joins, banned, attributes_version, submitted, asked, asked_position, pending,
	created_at, created_position, ended_at, last_at, position, version`

func (g *group) fields() []any {
	return []any{
		&g.gid, &g.id, &g.incarnation, &g.kind, &g.topics, &g.status, &g.cause, &g.name, &g.faceURL, &g.joinOption, &g.inviteOption,
		&g.muted, &g.owner, &g.count, &g.admins, &g.joins, &g.banned, &g.attributes, &g.submitted, &g.asked, &g.askedAt, &g.pending,
		&g.createdAt, &g.created, &g.endedAt, &g.lastAt, &g.position, &g.version,
	}
}

// group finds the newest incarnation of a group; nil if the ID was never used.
func (r *rows) group(id string) (*group, error) {
	if g, ok := r.groups[id]; ok {
		return g, nil
	}
	if r.whole {
		return nil, nil
	}
	g := &group{stored: true}
	err := r.tx.QueryRow("SELECT "+groupColumns+" FROM groups WHERE id = +? ORDER BY incarnation DESC LIMIT 1", id).
		Scan(g.fields()...)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	g.clear()
	r.groups[id] = g
	r.kept++
	return g, nil
}

func (r *rows) touchGroup(g *group) {
	if !g.changed {
		g.changed = true
		r.changed.groups = append(r.changed.groups, g)
	}
}

// profileOf reads the long part of a group. Who changes it says so.
func (r *rows) profileOf(g *group) (*profile, error) {
	if g.profile != nil {
		return g.profile, nil
	}
	p := &profile{stored: true}
	var custom, attributes string
	err := r.tx.QueryRow("SELECT introduction, notification, custom, attributes FROM profiles WHERE gid = ?", g.gid).
		Scan(&p.introduction, &p.notification, &custom, &attributes)
	if err != nil {
		return nil, err
	}
	if p.custom, err = object(custom); err != nil {
		return nil, err
	}
	if p.attributes, err = object(attributes); err != nil {
		return nil, err
	}
	g.profile = p
	return p, nil
}

// writeRow writes the row itself, and before it, what a group that has ended takes with it.
func (g *group) writeRow(tx *projections.Tx) error {
	g.changed = false
	if g.wipe {
		g.wipe = false
		if err := g.writeWipe(tx); err != nil {
			return err
		}
	}
	if !g.stored {
		g.stored = true
		return tx.Exec("INSERT INTO groups ("+groupColumns+`)
			VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
			g.gid, g.id, g.incarnation, string(g.kind), g.topics, int(g.status), g.cause, g.name, g.faceURL, int(g.joinOption), int(g.inviteOption),
			g.muted, g.owner, g.count, g.admins, g.joins, g.banned, g.attributes, g.submitted, g.asked, g.askedAt, g.pending,
			g.createdAt, g.created, g.endedAt, g.lastAt, g.position, g.version)
	}
	return tx.Exec(`UPDATE groups SET status = ?, cause = ?, name = ?, face_url = ?, join_option = ?, invite_option = ?,
			muted = ?, owner = ?, members = ?, admins = ?, joins = ?, banned = ?, attributes_version = ?,
			submitted = ?, asked = ?, asked_position = ?, pending = ?, ended_at = ?, last_at = ?, position = ?, version = ?
			WHERE gid = ?`,
		int(g.status), g.cause, g.name, g.faceURL, int(g.joinOption), int(g.inviteOption),
		g.muted, g.owner, g.count, g.admins, g.joins, g.banned, g.attributes,
		g.submitted, g.asked, g.askedAt, g.pending, g.endedAt, g.lastAt, g.position, g.version,
		g.gid)
}

// writeWipe deletes what goes with a group that has ended.
func (g *group) writeWipe(tx *projections.Tx) error {
	for _, statement := range []string{
		"DELETE FROM members WHERE gid = ?",
		"DELETE FROM bans WHERE gid = ?",
		"DELETE FROM topics WHERE gid = ?",
		"DELETE FROM buckets WHERE gid = ?",
	} {
		if err := tx.Exec(statement, g.gid); err != nil {
			return err
		}
	}
	return nil
}

func (g *group) writeProfile(tx *projections.Tx) error {
	p, gid := g.profile, g.gid
	if p == nil || !p.changed {
		return nil
	}
	p.changed = false
	if p.stored {
		return tx.Exec("UPDATE profiles SET introduction = ?, notification = ?, custom = ?, attributes = ? WHERE gid = ?",
			p.introduction, p.notification, text(p.custom), text(p.attributes), gid)
	}
	p.stored = true
	return tx.Exec("INSERT INTO profiles (gid, introduction, notification, custom, attributes) VALUES (?, ?, ?, ?, ?)",
		gid, p.introduction, p.notification, text(p.custom), text(p.attributes))
}

// text is a map as it is stored: JSON with the keys in order, empty for none.
func text(m map[string]string) string {
	if len(m) == 0 {
		return ""
	}
	data, _ := json.Marshal(m) // strings cannot fail
	return string(data)
}

// object is a stored map.
func object(text string) (map[string]string, error) {
	if text == "" {
		return nil, nil
	}
	var m map[string]string // here, for it is allocated where it is declared
	err := json.Unmarshal([]byte(text), &m)
	return m, err
}

// merged is a copy of fields with the changes made; an empty value deletes.
func merged(fields, changes map[string]string) map[string]string {
	if len(changes) == 0 {
		return fields
	}
	result := make(map[string]string, len(fields)+len(changes))
	for _, m := range []map[string]string{fields, changes} {
		for key, value := range m {
			result[key] = value
			if value == "" {
				delete(result, key)
			}
		}
	}
	return result
}
