package domain

import (
	"fmt"
	"strings"
)

// cell is a row of the policy table: its title on the page, and where a policy
// keeps its value.
type cell[T any] struct {
	title string
	field func(*Policy) *T
}

// The rows of the policy table.
var (
	cellAdmins              = cell[bool]{"admins beside owner and member", func(p *Policy) *bool { return &p.Admins }}
	cellDefaultJoinOption   = cell[Option]{"default join option", func(p *Policy) *Option { return &p.DefaultJoinOption }}
	cellJoinOptions         = cell[[]Option]{"join options it may be changed to", func(p *Policy) *[]Option { return &p.JoinOptions }}
	cellChangeJoinOption    = cell[Right]{"who may change it", func(p *Policy) *Right { return &p.ChangeJoinOption }}
	cellDefaultInviteOption = cell[Option]{"default invite option", func(p *Policy) *Option { return &p.DefaultInviteOption }}
	cellInvitations         = cell[bool]{"anybody can be invited", func(p *Policy) *bool { return &p.Invitations }}
	cellInviteOptions       = cell[[]Option]{"invite option may be changed to", func(p *Policy) *[]Option { return &p.InviteOptions }}
	cellInitialMembers      = cell[bool]{"initial members at creation", func(p *Policy) *bool { return &p.InitialMembers }}
	cellOwnerQuit           = cell[OwnerQuit]{"owner may quit", func(p *Policy) *OwnerQuit { return &p.OwnerQuit }}
	cellDismiss             = cell[Right]{"who may dismiss, beside the app admin", func(p *Policy) *Right { return &p.Dismiss }}
	cellEditPresentation    = cell[Right]{"edit name, introduction, notification, face URL", func(p *Policy) *Right { return &p.EditPresentation }}
	cellEditProfile         = cell[Right]{"edit the rest of the profile", func(p *Policy) *Right { return &p.EditProfile }}
	cellKick                = cell[Right]{"kick those of lower rank", func(p *Policy) *Right { return &p.Kick }}
	cellMute                = cell[Right]{"mute a member of lower rank, mute all", func(p *Policy) *Right { return &p.Mute }}
	cellSetAdmins           = cell[Right]{"set and unset admins", func(p *Policy) *Right { return &p.SetAdmins }}
	cellTransferOwner       = cell[Right]{"transfer ownership", func(p *Policy) *Right { return &p.TransferOwner }}
	cellJoinedList          = cell[JoinedList]{"in the joined-group list", func(p *Policy) *JoinedList { return &p.JoinedList }}
	cellTopics              = cell[bool]{"may be created with topic support", func(p *Policy) *bool { return &p.Topics }}
	cellMemberLimit         = cell[int]{"member limit (0: none)", func(p *Policy) *int { return &p.MemberLimit }}
	cellAnnounceMembership  = cell[bool]{"members are told of enter, leave, invited, kicked", func(p *Policy) *bool { return &p.AnnounceMembership }}
	cellAnnounceModeration  = cell[bool]{"members are told of admin granted or revoked, mutes", func(p *Policy) *bool { return &p.AnnounceModeration }}
	cellCustomIDPrefix      = cell[string]{"a custom group ID starts with", func(p *Policy) *string { return &p.CustomIDPrefix }}
	cellReservedIDPrefix    = cell[string]{"a custom group ID does not start with", func(p *Policy) *string { return &p.ReservedIDPrefix }}
	cellAssignedIDPrefix    = cell[string]{"an assigned group ID starts with", func(p *Policy) *string { return &p.AssignedIDPrefix }}
	cellLimits              = cell[Limits]{"limits", func(p *Policy) *Limits { return &p.Limits }}
)

// RightRow is a row of the policy table that says who may do something.
type RightRow struct {
	Title string // in words, as on the page
	Of    func(*Policy) *Right
}

// RightRows lists them in the order of the page.
func RightRows() []RightRow {
	rows := []RightRow{{"who may change the join option", cellChangeJoinOption.field}}
	for _, c := range []cell[Right]{
		cellDismiss, cellEditPresentation, cellEditProfile, cellKick, cellMute, cellSetAdmins, cellTransferOwner,
	} {
		rows = append(rows, RightRow{c.title, c.field})
	}
	return rows
}

// setter fills one row into some policies.
type setter func(Policies)

// row gives a cell its value for each built-in type, in the page's order.
func row[T any](c cell[T], work, public, meeting, community, avChatRoom T) setter {
	return func(p Policies) {
		c.set(p, Work, work)
		c.set(p, Public, public)
		c.set(p, Meeting, meeting)
		c.set(p, Community, community)
		c.set(p, AVChatRoom, avChatRoom)
	}
}

// every gives a cell the same value for each built-in type.
func every[T any](c cell[T], value T) setter {
	return row(c, value, value, value, value, value)
}

func (c cell[T]) set(p Policies, name GroupType, value T) {
	policy := p[name]
	*c.field(&policy) = value
	p[name] = policy
}

func table(rows ...setter) Policies { return Policies{}.with(rows...) }

// with fills rows into p and returns it.
func (p Policies) with(rows ...setter) Policies {
	for _, fill := range rows {
		fill(p)
	}
	return p.Clone()
}

// Row is one row of the policy table in words.
type Row struct {
	Title string
	Cells []string // one for each of Types, in that order
}

// Rows says the policies as the rows of a table, for documentation.
func (p Policies) Rows() []Row {
	types := p.Types()
	return []Row{
		words(p, types, cellAdmins), words(p, types, cellDefaultJoinOption), words(p, types, cellJoinOptions),
		words(p, types, cellChangeJoinOption), words(p, types, cellDefaultInviteOption), words(p, types, cellInvitations),
		words(p, types, cellInviteOptions), words(p, types, cellInitialMembers), words(p, types, cellOwnerQuit),
		words(p, types, cellDismiss), words(p, types, cellEditPresentation), words(p, types, cellEditProfile),
		words(p, types, cellKick), words(p, types, cellMute), words(p, types, cellSetAdmins),
		words(p, types, cellTransferOwner), words(p, types, cellJoinedList), words(p, types, cellTopics),
		words(p, types, cellMemberLimit), words(p, types, cellAnnounceMembership), words(p, types, cellAnnounceModeration),
		words(p, types, cellCustomIDPrefix), words(p, types, cellReservedIDPrefix), words(p, types, cellAssignedIDPrefix),
	}
}

func words[T any](p Policies, types []GroupType, c cell[T]) Row {
	r := Row{Title: c.title}
	for _, name := range types {
		policy := p[name]
		r.Cells = append(r.Cells, inWords(*c.field(&policy)))
	}
	return r
}

func inWords(value any) string {
	switch v := value.(type) {
	case bool:
		if v {
			return "yes"
		}
		return "no"
	case []Option:
		names := make([]string, len(v))
		for i, o := range v {
			names[i] = o.String()
		}
		if len(v) == 0 {
			return "none"
		}
		return strings.Join(names, ", ")
	case string:
		if v == "" {
			return "–"
		}
		return "`" + v + "`"
	default:
		return fmt.Sprint(v)
	}
}
