package commands_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// broken is a rule that a command may break, with the refusal that says so. Which
// refusal wins is fixed: that of the first in the list.
type broken struct {
	name  string
	code  domain.Code
	words string
}

// eachSubset runs a test for every set of rules that can be broken together, with
// the refusal that must win.
func eachSubset(t *testing.T, rules []broken, never [][2]string, test func(t *testing.T, breaks func(name string) bool) *Verdict) {
	for bits := range 1 << len(rules) {
		breaks := func(name string) bool {
			i := slices.IndexFunc(rules, func(b broken) bool { return b.name == name })
			if i < 0 {
				panic(name)
			}
			return bits>>i&1 == 1
		}
		impossible := slices.ContainsFunc(never, func(pair [2]string) bool { return breaks(pair[0]) && breaks(pair[1]) })
		if impossible {
			continue
		}
		v := test(t, breaks)
		first := slices.IndexFunc(rules, func(b broken) bool { return breaks(b.name) })
		if first < 0 {
			assert.Truef(t, v.Permitted(), "no rule is broken: %v", v.Err)
			continue
		}
		v.ThenRefused(rules[first].code, rules[first].words)
	}
}

func TestOrderOfRefusalsToJoin(t *testing.T) {
	eachSubset(t, []broken{
		{"malformed", domain.CodeInvalidParameter, "message"},
		{"unknown", domain.CodeUnknownGroup, ""},
		{"dismissed", domain.CodeGroupDismissed, ""},
		{"banned", domain.CodeNotPermitted, "banned"},
		{"member", domain.CodeAlreadyMember, ""},
		{"forbidden", domain.CodeNotPermitted, "by themselves"},
		{"quota", domain.CodeQuotaExceeded, ""},
		{"full", domain.CodeGroupFull, ""},
	}, [][2]string{
		{"unknown", "dismissed"}, {"unknown", "banned"}, {"unknown", "member"}, {"unknown", "forbidden"}, {"unknown", "full"},
		{"banned", "member"}, // being let in lifts a ban
	}, func(t *testing.T, breaks func(string) bool) *Verdict {
		p := Changed(classic, domain.Public, func(p *domain.Policy) {
			p.Limits.GroupsPerUser = 1
			if breaks("full") {
				p.MemberLimit = 3
			}
		})
		past := with(p, domain.Public, domain.Any, domain.Forbid)
		if breaks("forbidden") {
			past = with(p, domain.Public, domain.Forbid, domain.Forbid)
		}
		if breaks("unknown") {
			past = nil
		}
		scene := Given(t, p, past...)
		if breaks("member") {
			scene = scene.And(domain.MemberJoined{UserID: Sven})
		}
		if breaks("banned") {
			scene = scene.And(domain.MemberJoined{UserID: Sven}, domain.MembersKicked{UserIDs: []string{Sven}, BannedUntil: Noon.AddDate(1, 0, 0)})
		}
		if breaks("dismissed") {
			scene = scene.And(domain.GroupDismissed{Cause: domain.Asked})
		}
		if breaks("quota") {
			scene = scene.Counting(map[string]int{Sven: 1})
		}
		cmd := commands.RequestJoin{GroupID: GroupID}
		if breaks("malformed") {
			cmd.Message = "\xff"
		}
		return scene.When(User(Sven), cmd)
	})
}

func TestOrderOfRefusalsToInvite(t *testing.T) {
	eachSubset(t, []broken{
		{"empty", domain.CodeEmptyInvitation, ""},
		{"malformed", domain.CodeInvalidUserID, ""},
		{"unknown", domain.CodeUnknownGroup, ""},
		{"dismissed", domain.CodeGroupDismissed, ""},
		{"stranger", domain.CodeNotPermitted, "only members"},
		{"forbidden", domain.CodeNotPermitted, "cannot invite"},
		{"full", domain.CodeGroupFull, ""},
	}, [][2]string{
		{"empty", "malformed"}, {"unknown", "dismissed"}, {"unknown", "forbidden"}, {"unknown", "full"},
	}, func(t *testing.T, breaks func(string) bool) *Verdict {
		p := classic
		if breaks("full") {
			p = Changed(classic, domain.Work, func(p *domain.Policy) { p.MemberLimit = 4 })
		}
		past := with(p, domain.Work, domain.Forbid, domain.Any)
		if breaks("forbidden") {
			past = with(p, domain.Work, domain.Forbid, domain.Forbid)
		}
		if breaks("unknown") {
			past = nil
		}
		scene := Given(t, p, past...)
		if breaks("dismissed") {
			scene = scene.And(domain.GroupDismissed{Cause: domain.Asked})
		}
		cmd := invite(Sara)
		if breaks("empty") {
			cmd = invite()
		}
		if breaks("malformed") {
			cmd = invite(Sara, "")
		}
		actor := User(Mary)
		if breaks("stranger") {
			actor = User(Sven)
		}
		return scene.When(actor, cmd)
	})
}

func TestOrderOfRefusalsToAccept(t *testing.T) {
	eachSubset(t, []broken{
		{"malformed", domain.CodeInvalidParameter, "reason"},
		{"dismissed", domain.CodeGroupDismissed, ""},
		{"no approver", domain.CodeNotPermitted, "approvers"},
		{"decided", domain.CodeApplicationDecided, ""},
		{"banned", domain.CodeNotPermitted, "banned"},
		{"quota", domain.CodeQuotaExceeded, ""},
		{"full", domain.CodeGroupFull, ""},
	}, nil, func(t *testing.T, breaks func(string) bool) *Verdict {
		p := Changed(classic, domain.Public, func(p *domain.Policy) {
			p.Limits.GroupsPerUser = 1
			if breaks("full") {
				p.MemberLimit = 4
			}
		})
		scene := Given(t, p, with(p, domain.Public, domain.Auth, domain.Auth)...)
		if breaks("banned") {
			scene = scene.And(domain.MembersKicked{UserIDs: []string{Sven}, BannedUntil: Noon.AddDate(1, 0, 0)})
		}
		scene = scene.And(domain.ApplicationSubmitted{ApplicationID: "chess/1/1", From: Sven, UserID: Sven})
		if breaks("decided") {
			scene = scene.And(domain.ApplicationRefused{ApplicationID: "chess/1/1", From: Sven, UserID: Sven})
		}
		if breaks("dismissed") {
			scene = scene.And(domain.GroupDismissed{Cause: domain.Asked})
		}
		if breaks("quota") {
			scene = scene.Counting(map[string]int{Sven: 1})
		}
		cmd := accept("chess/1/1")
		if breaks("malformed") {
			cmd.Reason = "\xff"
		}
		actor := User(Olga)
		if breaks("no approver") {
			actor = User(Mary)
		}
		return scene.When(actor, cmd)
	})
}

func TestOrderOfRefusalsToImportAMember(t *testing.T) {
	eachSubset(t, []broken{
		{"malformed", domain.CodeOwnerNotGrantable, ""},
		{"dismissed", domain.CodeGroupDismissed, ""},
		{"member", domain.CodeAlreadyMember, ""},
		{"no app admin", domain.CodeNotPermitted, ""},
		{"future", domain.CodeInvalidArgument, "future"},
		{"quota", domain.CodeQuotaExceeded, ""},
		{"full", domain.CodeGroupFull, ""},
	}, nil, func(t *testing.T, breaks func(string) bool) *Verdict {
		p := Changed(classic, domain.Public, func(p *domain.Policy) {
			p.Limits.GroupsPerUser = 1
			if breaks("full") {
				p.MemberLimit = 3
			}
		})
		scene := Given(t, p, Live(p, domain.Public)...)
		if breaks("member") {
			scene = scene.And(domain.MemberJoined{UserID: Sven})
		}
		if breaks("dismissed") {
			scene = scene.And(domain.GroupDismissed{Cause: domain.Asked})
		}
		if breaks("quota") {
			scene = scene.Counting(map[string]int{Sven: 1})
		}
		cmd := commands.ImportMember{GroupID: GroupID, UserID: Sven}
		if breaks("malformed") {
			cmd.Role = domain.Owner
		}
		if breaks("future") {
			cmd.JoinedAt = Noon.AddDate(1, 0, 0)
		}
		actor := AppAdmin(Root)
		if breaks("no app admin") {
			actor = User(Olga)
		}
		return scene.When(actor, cmd)
	})
}

func TestOrderOfRefusalsToCreate(t *testing.T) {
	eachSubset(t, []broken{
		{"type", domain.CodeInvalidArgument, "type"},
		{"name", domain.CodeInvalidName, ""},
		{"introduction", domain.CodeInvalidIntroduction, ""},
		{"ID", domain.CodeInvalidGroupID, ""},
		{"owner", domain.CodeOwnerNotGrantable, ""},
		{"admin", domain.CodeNotPermitted, "admins"},
		{"topics", domain.CodeNotPermitted, "topics"},
		{"taken", domain.CodeGroupIDTaken, ""},
		{"quota", domain.CodeQuotaExceeded, ""},
		{"limit", domain.CodeTooManyInitialMembers, ""},
	}, nil, func(t *testing.T, breaks func(string) bool) *Verdict {
		p := Changed(classic, domain.Work, func(p *domain.Policy) { p.Limits.GroupsPerUser = 1; p.MemberLimit = 3 })
		cmd := create(domain.Work)
		cmd.Members = []domain.InitialMember{{UserID: Mary}}
		if breaks("type") {
			cmd.GroupType = "Clan"
		}
		if breaks("name") {
			cmd.Name = ""
		}
		if breaks("introduction") {
			cmd.Introduction = strings.Repeat("x", 1000)
		}
		if breaks("ID") {
			cmd.GroupID = "@TGS#chess"
		}
		if breaks("admin") {
			cmd.Members[0].Role = domain.Admin
		}
		if breaks("owner") {
			cmd.Members = append(cmd.Members, domain.InitialMember{UserID: Max, Role: domain.Owner})
		}
		if breaks("limit") {
			cmd.Members = append(cmd.Members, initial(2)...)
		}
		cmd.SupportTopic = breaks("topics")
		var past []domain.Event
		if breaks("taken") {
			past = Live(p, domain.Public)
		}
		scene := Given(t, p, past...).InGroup(cmd.GroupID)
		if breaks("quota") {
			scene = scene.Counting(map[string]int{Sven: 1})
		}
		return scene.When(User(Sven), cmd)
	})
}

// For every command: what is malformed is so wherever; then comes whether there is
// such a group; then whether it is alive; then who asks.
func TestOrderOfRefusalsOfEveryCommand(t *testing.T) {
	p := Changed(classic, domain.Public, func(p *domain.Policy) { p.Topics = true })
	founded := Founded(p, domain.Public)
	founded.SupportTopic = true
	live := Populated(p, founded)
	gone := append(slices.Clone(live), domain.GroupDismissed{Cause: domain.Asked})
	long := strings.Repeat("x", 49)
	wellFormed := inGroup(GroupID)
	for i, malformed := range inGroup(long) {
		for _, past := range [][]domain.Event{nil, gone, live} {
			for _, who := range everybody(true) {
				Given(t, p, past...).When(who.actor, malformed).ThenRefused(domain.CodeInvalidGroupID)
			}
		}
		cmd := wellFormed[i]
		switch cmd.(type) {
		case commands.CreateGroup, commands.ImportGroup:
			continue // they need no group
		}
		for _, who := range everybody(true) {
			Given(t, p).When(who.actor, cmd).ThenRefused(domain.CodeUnknownGroup, GroupID)
			Given(t, p, gone...).When(who.actor, cmd).ThenRefused(domain.CodeGroupDismissed, GroupID)
		}
		if _, joins := cmd.(commands.RequestJoin); !joins {
			Given(t, p, live...).When(User(Sven), cmd).ThenRefused(domain.CodeNotPermitted)
		}
	}
}

func TestUsersInOneCommandIsMalformedInput(t *testing.T) {
	for _, cmd := range []commands.Command{
		invite(names(21)...),
		commands.KickMembers{GroupID: GroupID, UserIDs: names(101)},
	} {
		Given(t, classic).When(User(Sven), cmd).ThenRefused(domain.CodeTooManyUsers)
		Given(t, classic, Live(classic, domain.Public)...).When(User(Sven), cmd).ThenRefused(domain.CodeTooManyUsers)
	}
}
