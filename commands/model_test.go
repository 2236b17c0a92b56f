package commands_test

import (
	"slices"
	"time"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// The model is the rules again, as naive as can be: lists, searched from end to
// end, and one function a command, in the words of the rules' table. It shares
// nothing with the engine but the policies, and predicts what the engine answers.

type model struct {
	policies domain.Policies
	groups   []*modelGroup // the newest of an ID is the last
}

type modelGroup struct {
	id          string
	incarnation int
	live        bool
	kind        domain.GroupType
	topics      bool
	created     time.Time
	last        time.Time
	info        map[string]string // fields of the profile that are texts
	join        domain.Option
	invite      domain.Option
	members     []modelMember // in the order of joining
	bans        []modelBan
	asked       []modelApplication // all of them, for ever
	muted       bool
	attributes  map[string]string
	changes     int // of the attributes
	topicList   []modelTopic
}

type modelMember struct {
	user   string
	role   domain.Role
	joined time.Time
	muted  time.Time
	card   string
	custom map[string]string
}

type modelTopic struct{ id, name, introduction string }

// topic is the place of a topic; -1 if there is none.
func (g *modelGroup) topic(id string) int {
	return slices.IndexFunc(g.topicList, func(t modelTopic) bool { return t.id == id })
}

type modelBan struct {
	user  string
	until time.Time
}

type modelApplication struct {
	kind            domain.ApplicationKind
	from, candidate string
	message         string
	at              time.Time
	open            bool
}

// answer is what the model predicts: a refusal with a code, nothing, or done; and
// a number for each named user.
type answer struct {
	code    domain.Code
	nothing bool
	users   []commands.Result
}

func no(code domain.Code) answer { return answer{code: code} }

func (m *model) group(id string) *modelGroup {
	for _, g := range slices.Backward(m.groups) {
		if g.id == id {
			return g
		}
	}
	return nil
}

// groupsOf counts the groups that a user is in.
func (m *model) groupsOf(user string) int {
	n := 0
	for _, g := range m.groups {
		if g.live && g.find(user) != nil {
			n++
		}
	}
	return n
}

func (m *model) overQuota(kind domain.GroupType, user string) bool {
	limit := m.policies[kind].Limits.GroupsPerUser
	return limit > 0 && m.groupsOf(user) >= limit
}

func (g *modelGroup) find(user string) *modelMember {
	for i := range g.members {
		if g.members[i].user == user {
			return &g.members[i]
		}
	}
	return nil
}

func (g *modelGroup) roleOf(user string) domain.Role {
	if m := g.find(user); m != nil {
		return m.role
	}
	return domain.NotMember
}

func (g *modelGroup) owner() string {
	for _, m := range g.members {
		if m.role == domain.Owner {
			return m.user
		}
	}
	return ""
}

// rank is the role with which somebody acts: an app admin's is the owner's.
func (g *modelGroup) rank(a domain.Actor) domain.Role {
	if a.AppAdmin {
		return domain.Owner
	}
	return g.roleOf(a.UserID)
}

// has reports whether somebody has a right.
func (g *modelGroup) has(a domain.Actor, r domain.Right) bool {
	least := map[domain.Right]domain.Role{domain.AnyMember: domain.Member, domain.OwnerAndAdmins: domain.Admin, domain.OwnerOnly: domain.Owner}
	role, somebody := least[r]
	return somebody && g.rank(a) >= role
}

func (g *modelGroup) banned(user string, now time.Time) bool {
	for _, ban := range g.bans {
		if ban.user == user && now.Before(ban.until) {
			return true
		}
	}
	return false
}

func (g *modelGroup) unban(user string) {
	g.bans = slices.DeleteFunc(g.bans, func(b modelBan) bool { return b.user == user })
}

// enter makes somebody a member, which supersedes what was asked for them.
func (g *modelGroup) enter(user string, role domain.Role, at time.Time) {
	if g.find(user) != nil {
		return
	}
	g.members = append(g.members, modelMember{user: user, role: role, joined: at, custom: map[string]string{}})
	g.closeFor(user)
	g.unban(user)
}

func (g *modelGroup) closeFor(user string) {
	for i := range g.asked {
		if g.asked[i].candidate == user {
			g.asked[i].open = false
		}
	}
}

// leave ends a membership, and the group with the last.
func (g *modelGroup) leave(user string) {
	g.members = slices.DeleteFunc(g.members, func(m modelMember) bool { return m.user == user })
	if len(g.members) == 0 {
		g.die()
	}
}

func (g *modelGroup) die() {
	g.live, g.members = false, nil
	for i := range g.asked {
		g.asked[i].open = false
	}
}

// ask opens an application, or makes the open one anew.
func (g *modelGroup) ask(kind domain.ApplicationKind, from, candidate, message string, at time.Time) {
	for i := range g.asked {
		if a := &g.asked[i]; a.open && a.kind == kind && a.from == from && a.candidate == candidate {
			a.message, a.at = message, at
			return
		}
	}
	g.asked = append(g.asked, modelApplication{kind, from, candidate, message, at, true})
}

// alive refuses commands about a group that is not, or is no longer.
func (m *model) alive(id string) (*modelGroup, domain.Code) {
	g := m.group(id)
	switch {
	case g == nil:
		return nil, domain.CodeUnknownGroup
	case !g.live:
		return nil, domain.CodeGroupDismissed
	default:
		return g, 0
	}
}

func (m *model) full(g *modelGroup, more int) bool {
	limit := m.policies[g.kind].MemberLimit
	return limit > 0 && len(g.members)+more > limit
}

// do carries out a command in the model.
func (m *model) do(a domain.Actor, now time.Time, cmd commands.Command) answer {
	result := m.judge(a, now, cmd)
	if g := m.group(groupIDOf(cmd)); g != nil && result.code == 0 && !result.nothing {
		g.last = now
	}
	return result
}

func (m *model) judge(a domain.Actor, now time.Time, cmd commands.Command) answer {
	switch c := cmd.(type) {
	case commands.CreateGroup:
		return m.create(a, a.UserID, now, now, c)
	case commands.ImportGroup:
		return m.importGroup(a, now, c)
	case commands.RequestJoin:
		return m.requestJoin(a, now, c)
	case commands.InviteUsers:
		return m.inviteUsers(a, now, c)
	case commands.AcceptApplication:
		return m.decide(a, now, true, c.ApplicationID, c.GroupID, c.FromUser)
	case commands.RefuseApplication:
		return m.decide(a, now, false, c.ApplicationID, c.GroupID, c.FromUser)
	case commands.MarkApplicationsRead:
		return answer{}
	case commands.SetGroupInfo:
		return m.setGroupInfo(a, c)
	case commands.Quit:
		return m.quit(a, c)
	case commands.KickMembers:
		return m.kick(a, now, c)
	case commands.SetMemberRole:
		return m.setRole(a, c)
	case commands.TransferOwner:
		return m.transfer(a, c)
	case commands.MuteMember:
		return m.mute(a, now, c)
	case commands.MuteAll:
		return m.muteAll(a, c)
	case commands.SetMemberInfo:
		return m.setMemberInfo(a, c)
	case commands.SetAttributes:
		return m.setAttributes(a, c)
	case commands.DeleteAttributes:
		return m.deleteAttributes(a, c)
	case commands.Dismiss:
		return m.dismiss(a, c)
	case commands.Recycle:
		return m.recycle(a, now, c)
	case commands.SendCustomNotification:
		return m.notify(a, c)
	case commands.CreateTopic:
		return m.createTopic(a, c)
	case commands.SetTopicInfo:
		return m.setTopic(a, c)
	case commands.DeleteTopics:
		return m.deleteTopics(a, c)
	case commands.ImportMember:
		return m.importMember(a, now, c)
	}
	panic(cmd.CommandName())
}
