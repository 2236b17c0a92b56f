package domaintest

import (
	"maps"
	"slices"
	"time"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// wishes draw a command and who gives it. What brings a group to life stands in
// the list more often than what ends it.
var wishes = []func(drawer) (domain.Actor, commands.Command){
	drawer.join, drawer.join, drawer.invite, drawer.invite,
	drawer.accept, drawer.accept, drawer.refuse, drawer.markRead,
	drawer.setInfo, drawer.setInfo, drawer.quit, drawer.quit, drawer.kick,
	drawer.setRole, drawer.setRole, drawer.transfer, drawer.mute, drawer.mute, drawer.muteAll, drawer.setMemberInfo,
	drawer.setAttributes, drawer.deleteAttributes, drawer.dismiss, drawer.recycle, drawer.notify,
	drawer.createTopic, drawer.setTopic, drawer.deleteTopics, drawer.create, drawer.importMember,
}

// found draws the creation of a group with an ID that is free.
func (d drawer) found() commands.Command {
	group := commands.CreateGroup{
		GroupType: one(d, "type", d.types()...), GroupID: d.id(), Name: one(d, "name", "Chess", "Go", "囲碁"),
		Introduction: d.text("introduction"), Custom: d.custom("custom"),
	}
	policy := d.world.Policies[group.GroupType]
	if policy.InitialMembers || d.rarely("members of a type without") {
		for range one(d, "initial", 0, 1, 2, 4) {
			group.Members = append(group.Members, domain.InitialMember{UserID: d.user(), Role: d.initialRole(policy.Admins)})
		}
	}
	if d.rarely("options") {
		group.JoinOption, group.InviteOption = d.option("join option"), d.option("invite option")
	}
	group.SupportTopic = policy.Topics && d.often("topics")
	if !d.rarely("import") {
		return group
	}
	return commands.ImportGroup{CreateGroup: group, CreatedAt: d.past("created")}
}

func (d drawer) initialRole(admins bool) domain.Role {
	if admins {
		return one(d, "role", domain.NotMember, domain.Member, domain.Admin)
	}
	return one(d, "role", domain.NotMember, domain.Member)
}

// types are those that may have the group's ID, and now and then others.
func (d drawer) types() []domain.GroupType {
	all := d.world.Policies.Types()
	return slices.DeleteFunc(slices.Clone(all), func(name domain.GroupType) bool {
		policy := d.world.Policies[name]
		return policy.CheckCustomGroupID(d.id()) != nil
	})
}

// past is a time of the past, or none, or, rarely, one of the future.
func (d drawer) past(label string) time.Time {
	if d.rarely(label + " in the future") {
		return d.world.Now.Add(time.Hour)
	}
	if d.often(label + " now") {
		return time.Time{}
	}
	return d.world.Now.Add(-one(d, label, time.Second, time.Hour, 100*time.Hour))
}

// create is rare where there is a group: the ID is taken.
func (d drawer) create() (domain.Actor, commands.Command) {
	if !d.rarely("taken ID") {
		return d.mute()
	}
	actor, cmd := d.anybody(), d.found()
	if _, imported := cmd.(commands.ImportGroup); imported && !d.rarely("imported by anybody") {
		actor = Operator
	}
	return actor, cmd
}

func (d drawer) join() (domain.Actor, commands.Command) {
	if d.full() {
		return d.quit()
	}
	return domain.Actor{UserID: d.stranger(), AppAdmin: d.rarely("as app admin")},
		commands.RequestJoin{GroupID: d.id(), Message: d.text("message")}
}

// full reports whether nobody more can come in, most of the times that it is so.
func (d drawer) full() bool {
	limit := d.world.Policies[d.group.Type()].MemberLimit
	return limit > 0 && d.group.Count() >= limit && !d.rarely("into a full group")
}

func (d drawer) invite() (domain.Actor, commands.Command) {
	if d.full() {
		return d.kick()
	}
	return d.atLeast(domain.Member), commands.InviteUsers{GroupID: d.id(), UserIDs: several(d, "invited", d.stranger)}
}

// application draws an open application, one that is closed, or one that never was.
func (d drawer) application() (id, groupID, fromUser string) {
	open := slices.Collect(d.group.OpenApplications())
	switch {
	case len(open) > 0 && d.rarely("by who asked"):
		return "", d.id(), one(d, "application", open...).From
	case len(open) > 0 && !d.rarely("not open"):
		return one(d, "application", open...).ID, "", ""
	default:
		return domain.ApplicationID(d.id(), one(d, "incarnation", 1, 1, 2), one(d, "number", 1, 2, 3)), "", ""
	}
}

// nothingOpen reports whether there is nothing to decide, most of the times that
// there is not.
func (d drawer) nothingOpen() bool {
	for range d.group.OpenApplications() {
		return false
	}
	return !d.rarely("decide nothing")
}

func (d drawer) accept() (domain.Actor, commands.Command) {
	if d.nothingOpen() {
		return d.join()
	}
	id, groupID, from := d.application()
	return d.atLeast(domain.Admin), commands.AcceptApplication{ApplicationID: id, GroupID: groupID, FromUser: from, Reason: d.text("reason")}
}

func (d drawer) refuse() (domain.Actor, commands.Command) {
	if d.nothingOpen() {
		return d.invite()
	}
	id, groupID, from := d.application()
	return d.atLeast(domain.Admin), commands.RefuseApplication{ApplicationID: id, GroupID: groupID, FromUser: from, Reason: d.text("reason")}
}

func (d drawer) markRead() (domain.Actor, commands.Command) {
	return d.anybody(), commands.MarkApplicationsRead{}
}

func (d drawer) setInfo() (domain.Actor, commands.Command) {
	return d.atLeast(domain.Admin), commands.SetGroupInfo{
		GroupID: d.id(), Name: some(d, "name", "Chess", "Go"), Introduction: some(d, "introduction", "", "for beginners"),
		Notification: some(d, "notification", "", "tonight"), FaceURL: some(d, "face URL", "", "https://example.org/face"),
		JoinOption: d.option("join option"), InviteOption: d.option("invite option"), Custom: d.custom("custom"),
	}
}

func (d drawer) quit() (domain.Actor, commands.Command) {
	return d.atLeast(domain.Member), commands.Quit{GroupID: d.id()}
}

func (d drawer) kick() (domain.Actor, commands.Command) {
	return d.atLeast(domain.Admin), commands.KickMembers{
		GroupID: d.id(), UserIDs: several(d, "kicked", d.other), Reason: d.text("reason"), BanTime: d.duration("ban"),
	}
}

func (d drawer) setRole() (domain.Actor, commands.Command) {
	return d.atLeast(domain.Owner), commands.SetMemberRole{
		GroupID: d.id(), UserID: d.other(), Role: one(d, "role", domain.Admin, domain.Admin, domain.Member, domain.Owner),
	}
}

func (d drawer) transfer() (domain.Actor, commands.Command) {
	return d.atLeast(domain.Owner), commands.TransferOwner{GroupID: d.id(), UserID: d.other()}
}

func (d drawer) mute() (domain.Actor, commands.Command) {
	muted := d.members(func(m domain.Membership) bool { return m.Muted(d.world.Now) })
	if len(muted) > 0 && d.often("unmute") {
		return d.atLeast(domain.Admin), commands.MuteMember{GroupID: d.id(), UserID: one(d, "muted", muted...)}
	}
	return d.atLeast(domain.Admin), commands.MuteMember{GroupID: d.id(), UserID: d.other(), Duration: d.duration("mute")}
}

func (d drawer) muteAll() (domain.Actor, commands.Command) {
	return d.atLeast(domain.Admin), commands.MuteAll{GroupID: d.id(), Muted: d.often("muted")}
}

func (d drawer) setMemberInfo() (domain.Actor, commands.Command) {
	return d.atLeast(domain.Member), commands.SetMemberInfo{
		GroupID: d.id(), UserID: one(d, "whose", "", d.other()), NameCard: some(d, "name card", "", "the great"), Custom: d.custom("custom"),
	}
}

// version is that of the attributes, or, rarely, an old one.
func (d drawer) version() *int {
	if d.often("whatever the version") {
		return nil
	}
	v := d.group.AttributesVersion() - one(d, "behind", 0, 0, 1)
	return &v
}

func (d drawer) setAttributes() (domain.Actor, commands.Command) {
	attributes := map[string]string{}
	for range one(d, "attributes", 1, 2, 3) {
		attributes[one(d, "key", "board", "clock", "round")] = one(d, "value", "", "1", "2")
	}
	return d.atLeast(domain.Member), commands.SetAttributes{GroupID: d.id(), Attributes: attributes, Version: d.version()}
}

func (d drawer) deleteAttributes() (domain.Actor, commands.Command) {
	keys := several(d, "keys", func() string { return one(d, "key", "board", "clock", "round") })
	return d.atLeast(domain.Member), commands.DeleteAttributes{GroupID: d.id(), Keys: keys, Version: d.version()}
}

// dismiss is rare: it says nothing of the life of groups.
func (d drawer) dismiss() (domain.Actor, commands.Command) {
	if !d.rarely("really") {
		return d.join()
	}
	return d.atLeast(domain.Owner), commands.Dismiss{GroupID: d.id()}
}

func (d drawer) recycle() (domain.Actor, commands.Command) {
	return one(d, "recycler", domain.System, domain.System, d.anybody()), commands.Recycle{GroupID: d.id()}
}

func (d drawer) notify() (domain.Actor, commands.Command) {
	return one(d, "notifier", Operator, Operator, d.anybody()), commands.SendCustomNotification{
		GroupID: d.id(), Data: []byte(d.text("data")), UserIDs: several(d, "notified", d.other),
	}
}

// topic draws the ID of a topic that there is, or, rarely, of one that is not.
func (d drawer) topic() string {
	ids := slices.Sorted(maps.Keys(d.group.Topics()))
	if len(ids) == 0 || d.rarely("no topic") {
		return d.id() + "@TOPIC#_none"
	}
	return one(d, "topic", ids...)
}

func (d drawer) createTopic() (domain.Actor, commands.Command) {
	if !d.group.SupportsTopics() && !d.rarely("topic without support") {
		return d.setAttributes()
	}
	return d.atLeast(domain.Admin), commands.CreateTopic{
		GroupID: d.id(), TopicID: one(d, "topic ID", "", "openings", "endgames"), Name: one(d, "name", "Openings", "Endgames"),
	}
}

func (d drawer) setTopic() (domain.Actor, commands.Command) {
	if len(d.group.Topics()) == 0 && !d.rarely("no topics") {
		return d.createTopic()
	}
	return d.atLeast(domain.Admin), commands.SetTopicInfo{
		GroupID: d.id(), TopicID: d.topic(), Name: some(d, "name", "Openings", "Tactics"), Introduction: some(d, "introduction", "", "e4"),
	}
}

func (d drawer) deleteTopics() (domain.Actor, commands.Command) {
	if len(d.group.Topics()) == 0 && !d.rarely("no topics") {
		return d.deleteAttributes()
	}
	return d.atLeast(domain.Admin), commands.DeleteTopics{GroupID: d.id(), TopicIDs: several(d, "topics", d.topic)}
}

func (d drawer) importMember() (domain.Actor, commands.Command) {
	policy := d.world.Policies[d.group.Type()]
	return one(d, "importer", Operator, Operator, d.anybody()), commands.ImportMember{
		GroupID: d.id(), UserID: d.stranger(), Role: d.initialRole(policy.Admins || d.rarely("an admin")), JoinedAt: d.past("joined"),
	}
}
