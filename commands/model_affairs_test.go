package commands_test

import (
	"slices"
	"strings"
	"time"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// setText sets a text, and reports whether that changes it. An empty one is none.
func (g *modelGroup) setText(name, value string) bool { return setOrDelete(g.info, name, value) }

func (m *model) setGroupInfo(a domain.Actor, c commands.SetGroupInfo) answer {
	g, code := m.alive(c.GroupID)
	if code != 0 {
		return no(code)
	}
	p := m.policies[g.kind]
	texts := map[string]*string{"name": c.Name, "introduction": c.Introduction, "notification": c.Notification, "faceURL": c.FaceURL}
	presents := c.Name != nil || c.Introduction != nil || c.Notification != nil || c.FaceURL != nil
	switch {
	case presents && !g.has(a, p.EditPresentation), c.JoinOption != 0 && !g.has(a, p.ChangeJoinOption),
		(c.InviteOption != 0 || len(c.Custom) > 0) && !g.has(a, p.EditProfile), g.rank(a) == domain.NotMember:
		return no(domain.CodeNotPermitted)
	case c.JoinOption != 0 && c.JoinOption != g.join && !slices.Contains(p.JoinOptions, c.JoinOption),
		c.InviteOption != 0 && c.InviteOption != g.invite && !slices.Contains(p.InviteOptions, c.InviteOption):
		return no(domain.CodeNotPermitted)
	}
	used := map[string]bool{}
	for name := range g.info {
		used[name] = strings.HasPrefix(name, "custom ")
	}
	for key, value := range c.Custom {
		used["custom "+key] = value != ""
	}
	if count(used) > p.Limits.CustomKeys {
		return no(domain.CodeInvalidParameter)
	}
	changed := false
	for name, text := range texts {
		if text != nil && g.setText(name, *text) {
			changed = true
		}
	}
	for key, value := range c.Custom {
		if g.setText("custom "+key, value) {
			changed = true
		}
	}
	if c.JoinOption != 0 && c.JoinOption != g.join {
		g.join, changed = c.JoinOption, true
	}
	if c.InviteOption != 0 && c.InviteOption != g.invite {
		g.invite, changed = c.InviteOption, true
	}
	return answer{nothing: !changed}
}

func count(of map[string]bool) int {
	n := 0
	for _, it := range of {
		if it {
			n++
		}
	}
	return n
}

func (m *model) setRole(a domain.Actor, c commands.SetMemberRole) answer {
	if c.Role != domain.Admin && c.Role != domain.Member {
		return no(domain.CodeInvalidArgument)
	}
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !g.has(a, m.policies[g.kind].SetAdmins):
		return no(domain.CodeNotPermitted)
	case g.find(c.UserID) == nil:
		return no(domain.CodeInvalidArgument)
	case g.owner() == c.UserID:
		return no(domain.CodeNotPermitted)
	case g.roleOf(c.UserID) == c.Role:
		return answer{nothing: true}
	}
	g.find(c.UserID).role = c.Role
	return answer{}
}

func (m *model) transfer(a domain.Actor, c commands.TransferOwner) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !g.has(a, m.policies[g.kind].TransferOwner):
		return no(domain.CodeNotPermitted)
	case g.find(c.UserID) == nil:
		return no(domain.CodeNotPermitted)
	case g.owner() == c.UserID && a.UserID == c.UserID:
		return no(domain.CodeInvalidArgument)
	case g.owner() == c.UserID:
		return answer{nothing: true}
	}
	if old := g.find(g.owner()); old != nil {
		old.role = domain.Member
	}
	g.find(c.UserID).role = domain.Owner
	return answer{}
}

func (m *model) mute(a domain.Actor, now time.Time, c commands.MuteMember) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !g.has(a, m.policies[g.kind].Mute):
		return no(domain.CodeNotPermitted)
	case g.find(c.UserID) == nil:
		return no(domain.CodeInvalidArgument)
	case c.UserID == a.UserID || g.roleOf(c.UserID) >= g.rank(a):
		return no(domain.CodeNotPermitted)
	}
	it, until := g.find(c.UserID), now.Add(c.Duration)
	if c.Duration == 0 {
		until = time.Time{}
		if !it.muted.After(now) {
			return answer{nothing: true}
		}
	}
	if it.muted.Equal(until) {
		return answer{nothing: true}
	}
	it.muted = until
	return answer{}
}

func (m *model) muteAll(a domain.Actor, c commands.MuteAll) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !g.has(a, m.policies[g.kind].Mute):
		return no(domain.CodeNotPermitted)
	}
	changed := g.muted != c.Muted
	g.muted = c.Muted
	return answer{nothing: !changed}
}

func (m *model) setMemberInfo(a domain.Actor, c commands.SetMemberInfo) answer {
	g, code := m.alive(c.GroupID)
	if code != 0 {
		return no(code)
	}
	user := c.UserID
	if user == "" {
		user = a.UserID
	}
	switch it := g.find(user); {
	case user != a.UserID && g.rank(a) < domain.Admin, user == a.UserID && it == nil:
		return no(domain.CodeNotPermitted)
	case it == nil:
		return no(domain.CodeInvalidArgument)
	case count(filled(it.custom, c.Custom)) > m.policies[g.kind].Limits.CustomKeys:
		return no(domain.CodeInvalidParameter)
	default:
		changed := c.NameCard != nil && *c.NameCard != it.card
		if changed {
			it.card = *c.NameCard
		}
		for key, value := range c.Custom {
			changed = setOrDelete(it.custom, key, value) || changed
		}
		return answer{nothing: !changed}
	}
}

// filled says which keys have a value when the changes are made.
func filled(fields, changes map[string]string) map[string]bool {
	after := map[string]bool{}
	for key := range fields {
		after[key] = true
	}
	for key, value := range changes {
		after[key] = value != ""
	}
	return after
}

// setOrDelete reports whether it changed anything.
func setOrDelete(fields map[string]string, key, value string) bool {
	if fields[key] == value {
		return false
	}
	if fields[key] = value; value == "" {
		delete(fields, key)
	}
	return true
}

func (m *model) setAttributes(a domain.Actor, c commands.SetAttributes) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case g.rank(a) == domain.NotMember:
		return no(domain.CodeNotPermitted)
	case c.Version != nil && *c.Version != g.changes:
		return no(domain.CodeAttributeConflict)
	}
	after, changed := map[string]string{}, false
	for key, value := range g.attributes {
		after[key] = value
	}
	for key, value := range c.Attributes {
		if old, there := after[key]; !there || old != value {
			after[key], changed = value, true
		}
	}
	if !changed {
		return answer{nothing: true}
	}
	if len(after) > m.policies[g.kind].Limits.Attributes {
		return no(domain.CodeTooManyAttributes)
	}
	g.attributes = after
	g.changes++
	return answer{}
}

func (m *model) deleteAttributes(a domain.Actor, c commands.DeleteAttributes) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case g.rank(a) == domain.NotMember:
		return no(domain.CodeNotPermitted)
	case c.Version != nil && *c.Version != g.changes:
		return no(domain.CodeAttributeConflict)
	}
	before := len(g.attributes)
	for _, key := range c.Keys {
		delete(g.attributes, key)
	}
	if len(c.Keys) == 0 {
		clear(g.attributes)
	}
	if len(g.attributes) == before {
		return answer{nothing: true}
	}
	g.changes++
	return answer{}
}

func (m *model) dismiss(a domain.Actor, c commands.Dismiss) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !a.AppAdmin && !g.has(a, m.policies[g.kind].Dismiss):
		return no(domain.CodeNotPermitted)
	}
	g.die()
	return answer{}
}

func (m *model) recycle(a domain.Actor, now time.Time, c commands.Recycle) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !a.AppAdmin:
		return no(domain.CodeNotPermitted)
	}
	after := m.policies[g.kind].RecycleAfter
	if after == 0 || !now.After(g.last.Add(after)) {
		return answer{nothing: true}
	}
	g.die()
	return answer{}
}

func (m *model) notify(a domain.Actor, c commands.SendCustomNotification) answer {
	g, code := m.alive(c.GroupID)
	switch {
	case code != 0:
		return no(code)
	case !a.AppAdmin:
		return no(domain.CodeNotPermitted)
	}
	result := answer{nothing: len(c.UserIDs) > 0}
	var told []string
	for _, user := range c.UserIDs {
		if g.find(user) == nil || slices.Contains(told, user) {
			result.users = append(result.users, commands.Invalid)
			continue
		}
		told = append(told, user)
		result.users, result.nothing = append(result.users, commands.Succeeded), false
	}
	return result
}

// topicRights refuses who may not change topics, or where there are none.
func (m *model) topicRights(a domain.Actor, id string) (*modelGroup, domain.Code) {
	g, code := m.alive(id)
	if code == 0 && (!g.topics || g.rank(a) < domain.Admin) {
		code = domain.CodeNotPermitted
	}
	return g, code
}

func (m *model) createTopic(a domain.Actor, c commands.CreateTopic) answer {
	g, code := m.topicRights(a, c.GroupID)
	switch full := c.GroupID + "@TOPIC#_" + c.TopicID; {
	case code != 0:
		return no(code)
	case c.TopicID == "":
		g.topicList = append(g.topicList, modelTopic{name: c.Name}) // the engine chooses its ID
	case g.topic(full) >= 0:
		return no(domain.CodeInvalidArgument)
	default:
		g.topicList = append(g.topicList, modelTopic{full, c.Name, ""})
	}
	return answer{}
}

func (m *model) setTopic(a domain.Actor, c commands.SetTopicInfo) answer {
	g, code := m.topicRights(a, c.GroupID)
	if code != 0 {
		return no(code)
	}
	i := g.topic(c.TopicID)
	if i < 0 {
		return no(domain.CodeInvalidArgument)
	}
	before := g.topicList[i]
	if c.Name != nil {
		g.topicList[i].name = *c.Name
	}
	if c.Introduction != nil {
		g.topicList[i].introduction = *c.Introduction
	}
	return answer{nothing: g.topicList[i] == before}
}

func (m *model) deleteTopics(a domain.Actor, c commands.DeleteTopics) answer {
	if len(c.TopicIDs) == 0 {
		return no(domain.CodeInvalidArgument)
	}
	g, code := m.topicRights(a, c.GroupID)
	if code != 0 {
		return no(code)
	}
	for _, id := range c.TopicIDs {
		if g.topic(id) < 0 {
			return no(domain.CodeInvalidArgument)
		}
	}
	g.topicList = slices.DeleteFunc(g.topicList, func(it modelTopic) bool { return slices.Contains(c.TopicIDs, it.id) })
	return answer{}
}
