package domain_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// An event's effect is total: whatever is read from a log, in whatever order, is
// applied, and counts as a version.
func TestEffectsAreTotal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		events := rapid.SliceOf(rapid.SampledFrom(append(domain.Events(), samples...))).Draw(t, "events")
		g := domain.NewGroup(GroupID)
		for i, e := range events {
			incarnation, status := g.Incarnation(), g.Status()
			g.Apply(e, domain.Meta{Actor: domain.System, At: Morning.Add(time.Duration(i) * time.Second)})
			require.Equal(t, i+1, g.Version())
			require.Equal(t, g.Count(), len(slices.Collect(g.Memberships())))
			if status == domain.Dismissed && g.Status() == domain.Dismissed {
				require.Equal(t, incarnation, g.Incarnation())
				require.Zero(t, g.Count(), "I4: nothing happens to a group that is gone")
				require.Empty(t, slices.Collect(g.OpenApplications()))
				require.Empty(t, g.Topics())
				require.Empty(t, g.Attributes())
			}
		}
	})
}

func TestAGroupBeforeItsFirstEvent(t *testing.T) {
	g := domain.NewGroup("x")
	assert.Equal(t, "x", g.ID())
	assert.Equal(t, domain.Unused, g.Status())
	assert.Zero(t, g.Version())
	assert.False(t, g.IsMember("a"))
	assert.Equal(t, domain.NotMember, g.Role("a"))
	assert.False(t, g.Banned("a", time.Time{}))
	assert.Empty(t, g.Successor())
	assert.Equal(t, []string{"unused", "live", "dismissed"}, []string{domain.Unused.String(), domain.Live.String(), domain.Dismissed.String()})
}

func TestWhoIsInAGroup(t *testing.T) {
	g := Given(t, domain.Classic(), Live(domain.Classic(), domain.Public)...).
		And(domain.MemberRoleChanged{UserID: Max, Role: domain.Admin}).Group()
	var ids []string
	for m := range g.Memberships() {
		ids = append(ids, m.UserID)
	}
	assert.Equal(t, []string{Olga, Adam, Mary, Max}, ids, "in the order of joining")
	assert.Equal(t, []string{Olga, Adam, Max}, slices.Collect(g.AdminsAndOwner()))
	assert.Equal(t, 2, g.AdminCount())
	for range g.Memberships() {
		break // an iteration may end early
	}
	for range g.AdminsAndOwner() {
		break
	}
}

func TestApplicationsAreListedInTheOrderOfSubmission(t *testing.T) {
	scene := Given(t, domain.Classic(), Live(domain.Classic(), domain.Public)...)
	var want []string
	for n := 1; n <= 12; n++ {
		id := domain.ApplicationID(GroupID, 1, n)
		scene = scene.And(domain.ApplicationSubmitted{ApplicationID: id, Kind: domain.InvitationForApprover, From: Mary, UserID: fmt.Sprint("user", n)})
		want = append(want, id)
	}
	g := scene.And(domain.ApplicationRefused{ApplicationID: "chess/1/3"}).Group()
	want = slices.Delete(want, 2, 3)
	var all, from []string
	for a := range g.OpenApplications() {
		all = append(all, a.ID)
	}
	for _, a := range g.OpenApplicationsFrom(Mary) {
		from = append(from, a.ID)
	}
	assert.Equal(t, want, all)
	assert.Equal(t, want, from)
	assert.Equal(t, 12, g.ApplicationsSubmitted())
	_, open := g.OpenApplication(domain.InvitationForApprover, Mary, "user4")
	assert.True(t, open)
	_, open = g.OpenApplication(domain.InvitationForApprover, Mary, "user3")
	assert.False(t, open)
	_, open = g.OpenApplication(domain.JoinRequest, Mary, "user4")
	assert.False(t, open)
	_, open = g.OpenApplication(domain.InvitationForApprover, Max, "user4")
	assert.False(t, open)
}

func TestApplicationIDs(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		groupID := rapid.StringMatching(`[ -~]{1,48}`).Draw(t, "group")
		incarnation, n := rapid.IntRange(1, 1<<40).Draw(t, "incarnation"), rapid.IntRange(1, 1<<40).Draw(t, "n")
		g, i, m, ok := domain.ParseApplicationID(domain.ApplicationID(groupID, incarnation, n))
		require.True(t, ok)
		require.Equal(t, []any{groupID, incarnation, n}, []any{g, i, m})
	})
	for _, id := range []string{"", "a", "a/1", "/1/1", "a/1/", "a//1", "a/0/1", "a/1/0", "a/-1/1", "a/01/1", "a/1/+1", "a/1/1 ", "a/1/99999999999999999999"} {
		_, _, _, ok := domain.ParseApplicationID(id)
		assert.False(t, ok, id)
	}
}

func TestRolesAndOptionsInWords(t *testing.T) {
	for role, word := range map[domain.Role]string{domain.NotMember: "", domain.Member: "member", domain.Admin: "admin", domain.Owner: "owner"} {
		text, err := role.MarshalText()
		require.NoError(t, err)
		var back domain.Role
		require.NoError(t, back.UnmarshalText(text))
		assert.Equal(t, []any{word, word, role}, []any{string(text), role.String(), back})
	}
	assert.Equal(t, []domain.Role{0, 200, 300, 400}, []domain.Role{domain.NotMember, domain.Member, domain.Admin, domain.Owner}, "the document's numbers")
	assert.Equal(t, "role(7)", domain.Role(7).String())
	for o, word := range map[domain.Option]string{0: "", domain.Forbid: "Forbid", domain.Auth: "Auth", domain.Any: "Any"} {
		text, err := json.Marshal(o)
		require.NoError(t, err)
		assert.Equal(t, `"`+word+`"`, string(text))
		var back domain.Option
		require.NoError(t, json.Unmarshal(text, &back))
		assert.Equal(t, o, back)
	}
	var o domain.Option
	require.NoError(t, o.UnmarshalText([]byte("aUTH")), "in any case")
	assert.Equal(t, domain.Auth, o)
	assert.Equal(t, "option(7)", domain.Option(7).String())
}

func TestRefusals(t *testing.T) {
	names := map[string]bool{}
	codes := domain.Codes()
	assert.True(t, slices.IsSorted(codes))
	for _, code := range codes {
		assert.NotEmpty(t, code.Meaning())
		assert.Regexp(t, `^[a-z_]+$`, code.String())
		assert.False(t, names[code.String()], code.String())
		names[code.String()] = true
	}
	refusal := domain.Refuse(domain.CodeNotPermitted, "the rule", "the hint")
	assert.Equal(t, "refused (10007 not_permitted): the rule; the hint", refusal.Error())
	assert.Equal(t, "refused (10007 not_permitted): the rule", domain.Refuse(domain.CodeNotPermitted, "the rule", "").Error())
	wrapped := fmt.Errorf("line 3: %w", refusal)
	assert.ErrorIs(t, wrapped, domain.ErrNotPermitted)
	assert.NotErrorIs(t, wrapped, domain.ErrGroupFull)
	assert.False(t, refusal.Is(errors.New("other")))
	assert.Equal(t, "code_7", domain.Code(7).String())
	assert.Empty(t, domain.Code(7).Meaning())
	for _, sentinel := range []*domain.Refusal{
		domain.ErrInvalidParameter, domain.ErrInvalidUserID, domain.ErrInvalidGroupID, domain.ErrInvalidName, domain.ErrInvalidIntroduction,
		domain.ErrInvalidNotification, domain.ErrInvalidFaceURL, domain.ErrInvalidNameCard, domain.ErrOwnerNotGrantable, domain.ErrEmptyInvitation,
		domain.ErrInvalidArgument, domain.ErrTooManyUsers, domain.ErrNotPermitted, domain.ErrOwnerMustStay, domain.ErrGroupDismissed,
		domain.ErrAlreadyMember, domain.ErrGroupFull, domain.ErrUnknownGroup, domain.ErrGroupIDTaken, domain.ErrApplicationDecided,
		domain.ErrGroupIDYours, domain.ErrQuotaExceeded, domain.ErrTooManyInitialMembers, domain.ErrAttributeKeyTooLong,
		domain.ErrAttributeValueTooLong, domain.ErrTooManyAttributes, domain.ErrAttributesTooLarge, domain.ErrAttributeConflict, domain.ErrNoPolicy,
	} {
		assert.Contains(t, codes, sentinel.Code)
		codes = slices.DeleteFunc(codes, func(c domain.Code) bool { return c == sentinel.Code })
	}
	assert.Empty(t, codes, "each code has a value to compare with")
}

// The numbers are those of the document's clients.
func TestCodesAreTheDocuments(t *testing.T) {
	for code, want := range map[domain.Code]int{
		domain.CodeInvalidParameter: 6017, domain.CodeInvalidUserID: 7003, domain.CodeInvalidGroupID: 8501, domain.CodeInvalidName: 8502,
		domain.CodeInvalidIntroduction: 8503, domain.CodeInvalidNotification: 8504, domain.CodeInvalidFaceURL: 8505, domain.CodeInvalidNameCard: 8506,
		domain.CodeOwnerNotGrantable: 8509, domain.CodeEmptyInvitation: 8510, domain.CodeInvalidArgument: 10004, domain.CodeTooManyUsers: 10005,
		domain.CodeNotPermitted: 10007, domain.CodeOwnerMustStay: 10009, domain.CodeGroupDismissed: 10010, domain.CodeAlreadyMember: 10013,
		domain.CodeGroupFull: 10014, domain.CodeUnknownGroup: 10015, domain.CodeGroupIDTaken: 10021, domain.CodeApplicationDecided: 10024,
		domain.CodeGroupIDYours: 10025, domain.CodeQuotaExceeded: 10037, domain.CodeTooManyInitialMembers: 10038,
		domain.CodeAttributeKeyTooLong: 10045, domain.CodeAttributeValueTooLong: 10046, domain.CodeTooManyAttributes: 10047,
		domain.CodeAttributesTooLarge: 10048, domain.CodeAttributeConflict: 10056, domain.CodeNoPolicy: 10059,
	} {
		assert.EqualValues(t, want, code)
	}
}
