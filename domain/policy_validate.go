package domain

import (
	"errors"
	"fmt"
	"strings"
)

// maxTypeName is the longest name of a group type, in bytes.
const maxTypeName = 32

// assignedIDRandom is how many random characters follow the prefix of an assigned
// group ID.
const assignedIDRandom = 26

// Validate names every contradiction in the policies at once, or returns nil.
func (p Policies) Validate() error {
	var problems []error
	if len(p) == 0 {
		problems = append(problems, errors.New("policies: there is no group type; start from domain.Classic()"))
	}
	for _, name := range p.Types() {
		policy := p[name]
		for _, problem := range policy.contradictions(name) {
			problems = append(problems, fmt.Errorf("policy %q: %s", string(name), problem))
		}
	}
	return errors.Join(problems...)
}

// contradictions lists what cannot hold together in one policy.
func (p *Policy) contradictions(name GroupType) []string {
	var found []string
	when := func(wrong bool, format string, args ...any) {
		if wrong {
			found = append(found, fmt.Sprintf(format, args...))
		}
	}
	when(name == "" || len(name) > maxTypeName || !printableASCII(string(name)),
		"the name must be printable ASCII of 1 to %d bytes", maxTypeName)
	p.findInOptions(when)
	p.findInRights(when)
	p.findInNumbers(when)
	return found
}

type finder func(wrong bool, format string, args ...any)

func (p *Policy) findInOptions(when finder) {
	valid := func(o Option) bool { return o >= Forbid && o <= Any }
	when(!valid(p.DefaultJoinOption), "DefaultJoinOption must be Forbid, Auth or Any")
	when(!valid(p.DefaultInviteOption), "DefaultInviteOption must be Forbid, Auth or Any")
	for _, o := range p.JoinOptions {
		when(!valid(o), "JoinOptions holds %s, which is no option", o)
	}
	for _, o := range p.InviteOptions {
		when(!valid(o), "InviteOptions holds %s, which is no option", o)
	}
	when(len(p.JoinOptions) > 0 && p.ChangeJoinOption == Nobody,
		"JoinOptions may be changed to, yet ChangeJoinOption is nobody")
	when(len(p.InviteOptions) > 0 && p.EditProfile == Nobody,
		"InviteOptions may be changed to, yet EditProfile is nobody")
	when(!p.Invitations && p.DefaultInviteOption != Forbid,
		"Invitations is off, yet DefaultInviteOption is %s", p.DefaultInviteOption)
	when(!p.Invitations && len(p.InviteOptions) > 0, "Invitations is off, yet InviteOptions is not empty")
}

func (p *Policy) findInRights(when finder) {
	for _, r := range []struct {
		name  string
		right Right
	}{
		{"ChangeJoinOption", p.ChangeJoinOption}, {"Dismiss", p.Dismiss}, {"EditPresentation", p.EditPresentation},
		{"EditProfile", p.EditProfile}, {"Kick", p.Kick}, {"Mute", p.Mute}, {"SetAdmins", p.SetAdmins},
		{"TransferOwner", p.TransferOwner},
	} {
		when(r.right > AnyMember, "%s is %d, which is no right", r.name, r.right)
		when(!p.Admins && r.right == OwnerAndAdmins, "%s is for admins, yet the type has none", r.name)
	}
	when(p.Kick == AnyMember, "Kick is for any member, yet a plain member outranks nobody")
	when(p.Mute == AnyMember, "Mute is for any member, yet a plain member outranks nobody")
	when(!p.Admins && p.SetAdmins != Nobody, "SetAdmins allows admins, yet the type has none")
	when(p.OwnerQuit > OwnerLeavesNone, "OwnerQuit is %d, which is no way to quit", p.OwnerQuit)
	when(p.OwnerQuit == OwnerLeavesNone && p.TransferOwner == Nobody,
		"OwnerQuit leaves the group without an owner, yet nobody may name another: TransferOwner is nobody")
	when(p.JoinedList > ListedWithoutTopics, "JoinedList is %d, which is no value of the row", p.JoinedList)
	when(p.CustomIDPrefix != "" && p.ReservedIDPrefix != "" && strings.HasPrefix(p.CustomIDPrefix, p.ReservedIDPrefix),
		"a custom group ID must start with %q and must not start with %q", p.CustomIDPrefix, p.ReservedIDPrefix)
	for _, prefix := range []string{p.CustomIDPrefix, p.ReservedIDPrefix, p.AssignedIDPrefix} {
		when(!printableASCII(prefix), "the prefix %q is not printable ASCII", prefix)
	}
}

func (p *Policy) findInNumbers(when finder) {
	when(p.MemberLimit < 0, "MemberLimit is negative; 0 means none")
	when(p.MemberLimit == 1 && p.InitialMembers, "MemberLimit leaves no room for InitialMembers")
	when(p.RecycleAfter < 0, "RecycleAfter is negative; 0 means never")
	l := &p.Limits
	when(l.GroupsPerUser < 0, "Limits.GroupsPerUser is negative; 0 means none")
	for _, limit := range l.named() {
		when(*limit.value < 1, "Limits.%s must be at least 1", limit.name)
	}
	when(l.GroupID > maxID, "Limits.GroupID must be at most %d", maxID)
	when(l.UserID > maxID, "Limits.UserID must be at most %d", maxID)
	when(l.GroupID < len(p.AssignedIDPrefix)+assignedIDRandom,
		"Limits.GroupID of %d leaves no room for an assigned ID of %d bytes", l.GroupID, len(p.AssignedIDPrefix)+assignedIDRandom)
	when(l.GroupID <= len(p.CustomIDPrefix), "Limits.GroupID of %d leaves no room after CustomIDPrefix", l.GroupID)
}

// maxID is the longest group or user ID that policies may allow, in bytes: every
// log can name a stream after it.
const maxID = 1_000

type namedLimit struct {
	name  string
	value *int
}

// named lists the limits that must be positive: all but GroupsPerUser.
func (l *Limits) named() []namedLimit {
	return []namedLimit{
		{"GroupID", &l.GroupID}, {"UserID", &l.UserID}, {"Name", &l.Name}, {"Introduction", &l.Introduction},
		{"Notification", &l.Notification}, {"FaceURL", &l.FaceURL}, {"NameCard", &l.NameCard}, {"Message", &l.Message},
		{"CustomKeys", &l.CustomKeys}, {"CustomKey", &l.CustomKey}, {"CustomValue", &l.CustomValue},
		{"Attributes", &l.Attributes}, {"AttributeKey", &l.AttributeKey}, {"AttributeValue", &l.AttributeValue},
		{"AttributesTotal", &l.AttributesTotal}, {"Invite", &l.Invite}, {"Initial", &l.Initial}, {"Kick", &l.Kick},
		{"InviteByAppAdmin", &l.InviteByAppAdmin}, {"InitialByAppAdmin", &l.InitialByAppAdmin},
		{"KickByAppAdmin", &l.KickByAppAdmin}, {"Notify", &l.Notify}, {"CustomData", &l.CustomData}, {"TopicID", &l.TopicID},
	}
}

// Widest is, limit by limit, the most that any of the policies allows: what breaks
// it is malformed whatever the group's type, even if there is no such group.
func (p Policies) Widest() Limits {
	var widest Limits
	most := widest.named()
	for _, policy := range p {
		for i, limit := range policy.Limits.named() {
			*most[i].value = max(*most[i].value, *limit.value)
		}
	}
	return widest
}

// AssignID makes a group ID of the type from random text, of which the first 26
// characters are used.
func (p *Policy) AssignID(random string) string {
	return p.AssignedIDPrefix + random[:min(len(random), assignedIDRandom)]
}

func printableASCII(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] > 0x7e {
			return false
		}
	}
	return true
}
