package commands_test

import (
	"slices"
	"strings"
	"time"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
)

func groupIDOf(cmd commands.Command) string { return domaintest.GroupOf(cmd) }

func (m *model) create(a domain.Actor, owner string, now, created time.Time, c commands.CreateGroup) answer {
	p, known := m.policies[c.GroupType]
	if !known {
		return no(domain.CodeInvalidArgument)
	}
	if (p.ReservedIDPrefix != "" && strings.HasPrefix(c.GroupID, p.ReservedIDPrefix)) || !strings.HasPrefix(c.GroupID, p.CustomIDPrefix) {
		return no(domain.CodeInvalidGroupID)
	}
	if len(c.Members) > 20 {
		return no(domain.CodeTooManyUsers)
	}
	used := 0
	for _, value := range c.Custom {
		if value != "" {
			used++
		}
	}
	if used > p.Limits.CustomKeys {
		return no(domain.CodeInvalidParameter)
	}
	for _, member := range c.Members {
		if member.Role == domain.Owner {
			return no(domain.CodeOwnerNotGrantable)
		}
	}
	return m.createWellFormed(a, owner, now, created, c)
}

func (m *model) createWellFormed(a domain.Actor, owner string, now, created time.Time, c commands.CreateGroup) answer {
	p := m.policies[c.GroupType]
	if len(c.Members) > 0 && !p.InitialMembers {
		return no(domain.CodeNotPermitted)
	}
	for _, member := range c.Members {
		if member.Role == domain.Admin && !p.Admins {
			return no(domain.CodeNotPermitted)
		}
	}
	if c.SupportTopic && !p.Topics {
		return no(domain.CodeNotPermitted)
	}
	if c.JoinOption == 0 {
		c.JoinOption = p.DefaultJoinOption
	} else if c.JoinOption != p.DefaultJoinOption && !slices.Contains(p.JoinOptions, c.JoinOption) {
		return no(domain.CodeNotPermitted)
	}
	if c.InviteOption == 0 {
		c.InviteOption = p.DefaultInviteOption
	} else if c.InviteOption != p.DefaultInviteOption && !slices.Contains(p.InviteOptions, c.InviteOption) {
		return no(domain.CodeNotPermitted)
	}
	before := m.group(c.GroupID)
	if before != nil && before.live {
		if before.owner() == a.UserID {
			return no(domain.CodeGroupIDYours)
		}
		return no(domain.CodeGroupIDTaken)
	}
	if m.overQuota(c.GroupType, owner) {
		return no(domain.CodeQuotaExceeded)
	}
	g := &modelGroup{
		id: c.GroupID, incarnation: 1, live: true, kind: c.GroupType, topics: c.SupportTopic, created: created,
		join: c.JoinOption, invite: c.InviteOption, info: map[string]string{"name": c.Name}, attributes: map[string]string{},
	}
	g.setText("introduction", c.Introduction)
	for key, value := range c.Custom {
		g.setText("custom "+key, value)
	}
	if before != nil {
		g.incarnation = before.incarnation + 1
	}
	var users []commands.Result
	g.enter(owner, domain.Owner, created)
	seen := []string{owner}
	for _, member := range c.Members {
		if slices.Contains(seen, member.UserID) {
			continue
		}
		if m.overQuota(c.GroupType, member.UserID) {
			users = append(users, commands.OverQuota)
			continue
		}
		seen = append(seen, member.UserID)
		if member.Role == 0 {
			member.Role = domain.Member
		}
		g.enter(member.UserID, member.Role, created)
		users = append(users, commands.Succeeded)
	}
	if p.MemberLimit > 0 && len(g.members) > p.MemberLimit {
		return no(domain.CodeTooManyInitialMembers)
	}
	m.groups = append(m.groups, g)
	return answer{users: users}
}

func (m *model) importGroup(a domain.Actor, now time.Time, c commands.ImportGroup) answer {
	// What is malformed is so whoever asks; nobody but an app admin is told more.
	trial := model{policies: m.policies}
	if well := trial.create(a, a.UserID, now, now, c.CreateGroup); well.code != 0 && well.code != domain.CodeNotPermitted &&
		well.code != domain.CodeQuotaExceeded && well.code != domain.CodeTooManyInitialMembers {
		return well
	}
	if !a.AppAdmin {
		return no(domain.CodeNotPermitted)
	}
	if c.CreatedAt.After(now) {
		return no(domain.CodeInvalidArgument)
	}
	if c.CreatedAt.IsZero() {
		c.CreatedAt = now
	}
	return m.create(a, a.UserID, now, c.CreatedAt, c.CreateGroup)
}

func (m *model) requestJoin(a domain.Actor, now time.Time, c commands.RequestJoin) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case g.banned(a.UserID, now):
		return no(domain.CodeNotPermitted)
	case g.find(a.UserID) != nil:
		return no(domain.CodeAlreadyMember)
	case g.join == domain.Forbid:
		return no(domain.CodeNotPermitted)
	case m.overQuota(g.kind, a.UserID):
		return no(domain.CodeQuotaExceeded)
	case m.full(g, 1):
		return no(domain.CodeGroupFull)
	case g.join == domain.Any:
		g.enter(a.UserID, domain.Member, now)
	default:
		g.ask(domain.JoinRequest, a.UserID, a.UserID, c.Message, now)
	}
	return answer{}
}

func (m *model) inviteUsers(a domain.Actor, now time.Time, c commands.InviteUsers) answer {
	if len(c.UserIDs) == 0 {
		return no(domain.CodeEmptyInvitation)
	}
	// What is too many is the type's to say; where there is none, what no type allows.
	limit := 3
	if a.AppAdmin {
		limit = 4
	}
	if len(c.UserIDs) > limit {
		return no(domain.CodeTooManyUsers)
	}
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !m.policies[g.kind].Invitations:
		return no(domain.CodeNotPermitted)
	case !a.AppAdmin && g.find(a.UserID) == nil:
		return no(domain.CodeNotPermitted)
	case !a.AppAdmin && g.invite == domain.Forbid:
		return no(domain.CodeNotPermitted)
	}
	needsApproval := g.invite == domain.Auth && g.rank(a) < domain.Admin
	result := answer{nothing: true}
	var added, asked []string
	for _, user := range c.UserIDs {
		r := commands.Succeeded
		switch {
		case g.find(user) != nil || slices.Contains(added, user):
			r = commands.Invalid
		case !a.AppAdmin && g.banned(user, now):
			r = commands.Failed
		case m.overQuota(g.kind, user):
			r = commands.OverQuota
		case needsApproval:
			r = commands.Waiting
			if !slices.Contains(asked, user) {
				asked = append(asked, user)
			}
		default:
			added = append(added, user)
		}
		result.users = append(result.users, r)
	}
	if m.full(g, len(added)) {
		return no(domain.CodeGroupFull)
	}
	for _, user := range added {
		g.enter(user, domain.Member, now)
		result.nothing = false
	}
	for _, user := range asked {
		g.ask(domain.InvitationForApprover, a.UserID, user, "", now)
		result.nothing = false
	}
	return result
}

// decide is AcceptApplication and RefuseApplication. The history names applications
// by an ID of two numbers, or by the group and who asked.
func (m *model) decide(a domain.Actor, now time.Time, agree bool, id, groupID, from string) answer {
	incarnation, number := 0, 0
	if id != "" {
		groupID, incarnation, number, _ = domain.ParseApplicationID(id)
	}
	if g := m.group(groupID); g != nil && id != "" && g.incarnation > incarnation {
		return no(domain.CodeGroupDismissed)
	}
	g, code := m.alive(groupID)
	if code != 0 {
		return no(code)
	}
	if g.rank(a) < domain.Admin {
		return no(domain.CodeNotPermitted)
	}
	var it *modelApplication
	if id == "" {
		found := 0
		for i := range g.asked {
			if g.asked[i].open && g.asked[i].from == from {
				it = &g.asked[i]
				found++
			}
		}
		if found != 1 {
			return no(domain.CodeInvalidArgument)
		}
	} else {
		if g.incarnation != incarnation || number > len(g.asked) {
			return no(domain.CodeInvalidArgument)
		}
		it = &g.asked[number-1]
	}
	switch {
	case !it.open:
		return no(domain.CodeApplicationDecided)
	case !agree:
		it.open = false
		return answer{}
	case g.banned(it.candidate, now):
		return no(domain.CodeNotPermitted)
	case m.overQuota(g.kind, it.candidate):
		return no(domain.CodeQuotaExceeded)
	case m.full(g, 1):
		return no(domain.CodeGroupFull)
	}
	it.open = false
	g.enter(it.candidate, domain.Member, now)
	return answer{}
}

func (m *model) quit(a domain.Actor, c commands.Quit) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case g.find(a.UserID) == nil:
		return no(domain.CodeNotPermitted)
	}
	if g.owner() == a.UserID {
		switch m.policies[g.kind].OwnerQuit {
		case domain.OwnerStays:
			return no(domain.CodeOwnerMustStay)
		case domain.OwnerPassesOn:
			var heir *modelMember
			for i := range g.members {
				if it := &g.members[i]; it.user != a.UserID && (heir == nil || it.joined.Before(heir.joined)) {
					heir = it
				}
			}
			if heir != nil {
				heir.role = domain.Owner
			}
		}
	}
	g.leave(a.UserID)
	return answer{}
}

func (m *model) kick(a domain.Actor, now time.Time, c commands.KickMembers) answer {
	if len(c.UserIDs) == 0 {
		return no(domain.CodeInvalidArgument)
	}
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !g.has(a, m.policies[g.kind].Kick):
		return no(domain.CodeNotPermitted)
	}
	result, rank := answer{nothing: true}, g.rank(a)
	for _, user := range c.UserIDs {
		switch {
		case g.find(user) == nil:
			result.users = append(result.users, commands.Invalid)
		case user == a.UserID || g.roleOf(user) >= rank:
			result.users = append(result.users, commands.Failed)
		default:
			result.users, result.nothing = append(result.users, commands.Succeeded), false
			if c.BanTime > 0 {
				g.unban(user)
				g.bans = append(g.bans, modelBan{user, now.Add(c.BanTime)})
			}
			g.leave(user)
		}
	}
	return result
}

func (m *model) importMember(a domain.Actor, now time.Time, c commands.ImportMember) answer {
	if c.Role == domain.Owner {
		return no(domain.CodeOwnerNotGrantable)
	}
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case g.find(c.UserID) != nil:
		return no(domain.CodeAlreadyMember)
	case !a.AppAdmin:
		return no(domain.CodeNotPermitted)
	case c.Role == domain.Admin && !m.policies[g.kind].Admins:
		return no(domain.CodeNotPermitted)
	}
	if c.JoinedAt.IsZero() {
		c.JoinedAt = now
	}
	switch {
	case c.JoinedAt.After(now) || c.JoinedAt.Before(g.created):
		return no(domain.CodeInvalidArgument)
	case m.overQuota(g.kind, c.UserID):
		return no(domain.CodeQuotaExceeded)
	case m.full(g, 1):
		return no(domain.CodeGroupFull)
	}
	if c.Role == 0 {
		c.Role = domain.Member
	}
	g.enter(c.UserID, c.Role, c.JoinedAt)
	return answer{}
}
