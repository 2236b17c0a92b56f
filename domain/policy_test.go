package domain_test

import (
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

func TestBuiltInPoliciesAreValid(t *testing.T) {
	assert.NoError(t, domain.Classic().Validate())
	assert.NoError(t, domain.Current().Validate())
	assert.NoError(t, SmallPolicies(domain.Classic(), 3).Validate())
	assert.NoError(t, SmallPolicies(domain.Current(), 6).Validate())
}

// Every contradiction has its own words, and is found in any type.
func TestContradictions(t *testing.T) {
	for words, contradict := range map[string]func(*domain.Policy){
		"DefaultJoinOption must be":              func(p *domain.Policy) { p.DefaultJoinOption = 0 },
		"DefaultInviteOption must be":            func(p *domain.Policy) { p.DefaultInviteOption = 4 },
		"JoinOptions holds option(4)":            func(p *domain.Policy) { p.JoinOptions = []domain.Option{domain.Any, 4} },
		"InviteOptions holds option(9)":          func(p *domain.Policy) { p.InviteOptions = []domain.Option{9} },
		"yet ChangeJoinOption is nobody":         func(p *domain.Policy) { p.ChangeJoinOption = domain.Nobody },
		"yet EditProfile is nobody":              func(p *domain.Policy) { p.EditProfile, p.InviteOptions = domain.Nobody, []domain.Option{domain.Any} },
		"yet DefaultInviteOption is Any":         func(p *domain.Policy) { p.Invitations, p.DefaultInviteOption = false, domain.Any },
		"yet InviteOptions is not empty":         func(p *domain.Policy) { p.Invitations, p.InviteOptions = false, []domain.Option{domain.Any} },
		"ChangeJoinOption is 4":                  func(p *domain.Policy) { p.ChangeJoinOption = 4 },
		"Dismiss is 4":                           func(p *domain.Policy) { p.Dismiss = 4 },
		"EditPresentation is 4":                  func(p *domain.Policy) { p.EditPresentation = 4 },
		"EditProfile is 4":                       func(p *domain.Policy) { p.EditProfile = 4 },
		"Kick is 4":                              func(p *domain.Policy) { p.Kick = 4 },
		"Mute is 4":                              func(p *domain.Policy) { p.Mute = 4 },
		"SetAdmins is 4":                         func(p *domain.Policy) { p.SetAdmins = 4 },
		"TransferOwner is 4":                     func(p *domain.Policy) { p.TransferOwner = 4 },
		"Kick is for any member":                 func(p *domain.Policy) { p.Kick = domain.AnyMember },
		"Mute is for any member":                 func(p *domain.Policy) { p.Mute = domain.AnyMember },
		"EditProfile is for admins":              func(p *domain.Policy) { p.Admins, p.SetAdmins = false, domain.Nobody },
		"SetAdmins allows admins":                func(p *domain.Policy) { p.Admins = false },
		"OwnerQuit is 3":                         func(p *domain.Policy) { p.OwnerQuit = 3 },
		"nobody may name another":                func(p *domain.Policy) { p.OwnerQuit, p.TransferOwner = domain.OwnerLeavesNone, domain.Nobody },
		"JoinedList is 3":                        func(p *domain.Policy) { p.JoinedList = 3 },
		`must start with "@x" and must not`:      func(p *domain.Policy) { p.CustomIDPrefix, p.ReservedIDPrefix = "@x", "@" },
		`the prefix "é" is not`:                  func(p *domain.Policy) { p.CustomIDPrefix, p.ReservedIDPrefix = "é", "" },
		"MemberLimit is negative":                func(p *domain.Policy) { p.MemberLimit = -1 },
		"no room for InitialMembers":             func(p *domain.Policy) { p.MemberLimit = 1 },
		"RecycleAfter is negative":               func(p *domain.Policy) { p.RecycleAfter = -time.Hour },
		"GroupsPerUser is negative":              func(p *domain.Policy) { p.Limits.GroupsPerUser = -1 },
		"Limits.Name must be at least 1":         func(p *domain.Policy) { p.Limits.Name = 0 },
		"Limits.CustomData must be at least 1":   func(p *domain.Policy) { p.Limits.CustomData = -5 },
		"leaves no room for an assigned ID":      func(p *domain.Policy) { p.Limits.GroupID = 30 },
		"leaves no room after CustomIDPrefix":    func(p *domain.Policy) { p.CustomIDPrefix = strings.Repeat("x", 48) },
		"Limits.GroupID must be at most 1000":    func(p *domain.Policy) { p.Limits.GroupID = 1001 },
		"Limits.UserID must be at most 1000":     func(p *domain.Policy) { p.Limits.UserID = 1001 },
		"Limits.AttributeKey must be at least 1": func(p *domain.Policy) { p.Limits.AttributeKey = 0 },
	} {
		t.Run(words, func(t *testing.T) {
			p := domain.Classic()
			p["Clan"] = p[domain.Public]
			require.NoError(t, p.Validate())
			err := Changed(p, "Clan", contradict).Validate()
			require.ErrorContains(t, err, words)
			require.ErrorContains(t, err, `policy "Clan"`)
		})
	}
}

func TestEveryContradictionIsNamedAtOnce(t *testing.T) {
	p := domain.Classic()
	p = Changed(p, domain.Work, func(p *domain.Policy) { p.DefaultJoinOption, p.MemberLimit, p.Limits.Name = 0, -1, 0 })
	p = Changed(p, domain.Meeting, func(p *domain.Policy) {
		p.Admins, p.ChangeJoinOption, p.SetAdmins = false, domain.OwnerAndAdmins, domain.Nobody
		p.EditPresentation, p.EditProfile, p.Kick, p.Mute = domain.OwnerOnly, domain.OwnerOnly, domain.OwnerOnly, domain.OwnerOnly
	})
	p["\n"] = p[domain.Public]
	p[""] = p[domain.Public]
	err := p.Validate()
	require.Error(t, err)
	assert.Equal(t, `policy "Work": DefaultJoinOption must be Forbid, Auth or Any
policy "Work": MemberLimit is negative; 0 means none
policy "Work": Limits.Name must be at least 1
policy "Meeting": ChangeJoinOption is for admins, yet the type has none
policy "": the name must be printable ASCII of 1 to 32 bytes
policy "\n": the name must be printable ASCII of 1 to 32 bytes`, err.Error())
}

func TestNoPoliciesAtAll(t *testing.T) {
	assert.ErrorContains(t, domain.Policies(nil).Validate(), "no group type")
	assert.ErrorContains(t, domain.Policies{}.Validate(), "no group type")
}

func TestPoliciesAreFreshCopies(t *testing.T) {
	changed := domain.Current()
	public := changed[domain.Public]
	public.JoinOptions[0], public.InviteOptions[0], public.MemberLimit = domain.Any, domain.Any, 1
	changed[domain.Public] = public
	assert.Equal(t, domain.Forbid, domain.Current()[domain.Public].JoinOptions[0])
	assert.Equal(t, domain.Forbid, domain.Current()[domain.Public].InviteOptions[0])
	assert.Equal(t, domain.Forbid, domain.Current()[domain.Work].JoinOptions[0], "nor do types share")
	assert.Equal(t, domain.Forbid, changed[domain.Work].JoinOptions[0])
	assert.Equal(t, domain.Forbid, domain.Classic()[domain.Public].JoinOptions[0])
}

func TestTypesAreInTheOrderOfThePage(t *testing.T) {
	p := domain.Classic()
	p["Zoo"], p["Clan"] = p[domain.Public], p[domain.Public]
	delete(p, domain.Meeting)
	assert.Equal(t, []domain.GroupType{"Work", "Public", "Community", "AVChatRoom", "Clan", "Zoo"}, p.Types())
}

func TestRows(t *testing.T) {
	rows := domain.Classic().Rows()
	cells := map[string][]string{}
	for _, row := range rows {
		assert.Len(t, row.Cells, 5, row.Title)
		cells[row.Title] = row.Cells
	}
	assert.Len(t, cells, len(rows), "titles differ")
	assert.Equal(t, []string{"no", "yes", "yes", "yes", "no"}, cells["admins beside owner and member"])
	assert.Equal(t, []string{"Forbid", "Auth", "Any", "Any", "Any"}, cells["default join option"])
	assert.Equal(t, []string{"none", "Forbid, Auth, Any", "none", "none", "none"}, cells["join options it may be changed to"])
	assert.Equal(t, []string{"owner", "owner, admin", "owner, admin", "owner, admin", "nobody"}, cells["kick those of lower rank"])
	assert.Equal(t, []string{"200", "2000", "6000", "100000", "0"}, cells["member limit (0: none)"])
	assert.Equal(t, []string{"–", "–", "–", "`@TGS#_`", "–"}, cells["a custom group ID starts with"])
	assert.Equal(t, []string{"yes: ownership passes on", "no", "no", "no", "no"}, cells["owner may quit"])
}

func TestWidest(t *testing.T) {
	p := Changed(domain.Classic(), domain.Meeting, func(p *domain.Policy) { p.Limits.Name = 31 })
	p = Changed(p, domain.Public, func(p *domain.Policy) { p.Limits.NameCard = 5 })
	widest := p.Widest()
	assert.Equal(t, 31, widest.Name)
	assert.Equal(t, 50, widest.NameCard)
	assert.Equal(t, 240, widest.Introduction)
}

func TestAssignID(t *testing.T) {
	work, community := domain.Classic()[domain.Work], domain.Classic()[domain.Community]
	assert.Equal(t, "@TGS#abc", work.AssignID("abc"))
	assert.Equal(t, "@TGS#_"+strings.Repeat("x", 26), community.AssignID(strings.Repeat("x", 99)))
}
