package domain

// The two tables below are the policy table of the rules, row by row and cell by
// cell, in its order of columns. A row that Current does not name is as in Classic.

// Short names, so that a row fits a line.
const (
	no, yes = false, true

	nobody     = Nobody
	owner      = OwnerOnly
	ownerAdmin = OwnerAndAdmins
	anyMember  = AnyMember
)

var (
	none = []Option(nil)
	all  = []Option{Forbid, Auth, Any}
)

// Classic is what the group document says, and where it is silent what users
// expect. It is the default.
func Classic() Policies {
	return table(
		//                           Work           Public      Meeting     Community            AVChatRoom
		row(cellAdmins /*             */, no, yes, yes, yes, no),
		row(cellDefaultJoinOption /*  */, Forbid, Auth, Any, Any, Any),
		row(cellJoinOptions /*        */, none, all, none, none, none),
		row(cellChangeJoinOption /*   */, owner, ownerAdmin, nobody, ownerAdmin, nobody),
		row(cellDefaultInviteOption /**/, Any, Forbid, Forbid, Forbid, Forbid),
		row(cellInvitations /*        */, yes, yes, yes, yes, no),
		row(cellInviteOptions /*      */, none, none, none, none, none),
		row(cellInitialMembers /*     */, yes, yes, yes, yes, no),
		row(cellOwnerQuit /*          */, OwnerPassesOn, OwnerStays, OwnerStays, OwnerStays, OwnerStays),
		row(cellDismiss /*            */, owner, owner, owner, owner, owner),
		row(cellEditPresentation /*   */, anyMember, ownerAdmin, ownerAdmin, ownerAdmin, owner),
		row(cellEditProfile /*        */, owner, ownerAdmin, ownerAdmin, ownerAdmin, owner),
		row(cellKick /*               */, owner, ownerAdmin, ownerAdmin, ownerAdmin, nobody),
		row(cellMute /*               */, nobody, ownerAdmin, ownerAdmin, ownerAdmin, owner),
		row(cellSetAdmins /*          */, nobody, owner, owner, owner, nobody),
		row(cellTransferOwner /*      */, owner, owner, owner, owner, nobody),
		row(cellJoinedList /*         */, Listed, Listed, Listed, ListedWithoutTopics, Unlisted),
		row(cellTopics /*             */, no, no, no, yes, no),
		row(cellMemberLimit /*        */, 200, 2_000, 6_000, 100_000, 0),
		row(cellAnnounceMembership /* */, yes, yes, yes, yes, yes),
		row(cellAnnounceModeration /* */, yes, yes, no, yes, no),
		row(cellCustomIDPrefix /*     */, "", "", "", "@TGS#_", ""),
		row(cellReservedIDPrefix /*   */, "@TGS#", "@TGS#", "@TGS#", "", "@TGS#"),
		row(cellAssignedIDPrefix /*   */, "@TGS#", "@TGS#", "@TGS#", "@TGS#_", "@TGS#"),
		every(cellLimits, classicLimits),
	)
}

// Current is the vendor's newer behaviour: the values after the arrows.
func Current() Policies {
	return Classic().with(
		//                           Work           Public      Meeting     Community            AVChatRoom
		row(cellAdmins /*             */, no, yes, yes, yes, yes),
		row(cellJoinOptions /*        */, all, all, none, all, none),
		row(cellInviteOptions /*      */, all, all, all, all, none),
		row(cellOwnerQuit /*          */, OwnerLeavesNone, OwnerStays, OwnerStays, OwnerStays, OwnerStays),
		row(cellDismiss /*            */, nobody, owner, owner, owner, owner),
		row(cellKick /*               */, owner, ownerAdmin, ownerAdmin, ownerAdmin, ownerAdmin),
		row(cellSetAdmins /*          */, nobody, owner, owner, owner, owner),
		row(cellAnnounceMembership /* */, yes, yes, no, yes, yes),
		every(cellLimits, currentLimits),
	)
}

// classicLimits are the bounds of the group document.
var classicLimits = Limits{
	GroupID: 48, UserID: 32,
	Name: 30, Introduction: 240, Notification: 300, FaceURL: 100,
	NameCard: 50, Message: 1_000,
	CustomKeys: 10, CustomKey: 16, CustomValue: 512,
	Attributes: 16, AttributeKey: 32, AttributeValue: 4_000, AttributesTotal: 16_000,
	Invite: 20, Initial: 20, Kick: 100,
	InviteByAppAdmin: 20, InitialByAppAdmin: 20, KickByAppAdmin: 100,
	Notify: 10_000, CustomData: 8 << 10, TopicID: 96,
}

// currentLimits are the vendor's newer bounds.
var currentLimits = func() Limits {
	l := classicLimits
	l.Name, l.Introduction, l.Notification, l.FaceURL = 100, 400, 400, 500
	l.InviteByAppAdmin, l.InitialByAppAdmin, l.KickByAppAdmin = 300, 100, 100
	return l
}()
