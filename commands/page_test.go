package commands_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// page is section 1 of the rules, as it stands there: what a cell says before the
// arrow is Classic, what it says after it is Current. The tests of this page read
// their expectations from here, cell by cell, and never from a policy.
const page = `
| rule | Work | Public | Meeting | Community | AVChatRoom |
|---|---|---|---|---|---|
| roles beside owner and member | – | admin | admin | admin | – → admin |
| default join option | Forbid | Auth | Any | Any | Any |
| join options it may be changed to | none → all | all three | none | none → all | none |
| who may change it | owner | owner, admin | – | owner, admin | – |
| who may invite (default invite option) | any member: Any | nobody: Forbid | nobody: Forbid | nobody: Forbid | nobody, and not changeable |
| invite option may be changed to | none → all | none → all | none → all | none → all | none |
| initial members at creation | yes | yes | yes | yes | no |
| owner may quit | yes: ownership passes on (see 3.6) → group becomes ownerless | no | no | no | no |
| who may dismiss | owner → app admin only | owner | owner | owner | owner |
| edit name, introduction, notification, face URL | any member | owner, admin | owner, admin | owner, admin | owner |
| edit the rest of the profile | owner | owner, admin | owner, admin | owner, admin | owner |
| kick | owner | owner, admin (plain members only) | as Public | as Public | nobody → as Public |
| mute a member / mute all | nobody | owner, admin (plain members only) | as Public | as Public | owner |
| set and unset admins | nobody | owner | owner | owner | nobody → owner |
| transfer ownership | owner | owner | owner | owner | nobody |
| in the joined-group list | yes | yes | yes | yes, unless it supports topics | no |
| topics | no | no | no | only if created with topic support | no |
| member limit | 200 | 2 000 | 6 000 | 100 000 | none |
| members are told of enter / leave / invited / kicked | yes | yes | yes → no | yes | yes |
| members are told of admin granted / revoked, mutes | yes | yes | no | yes | no |
| custom group ID | not starting with ` + "`@TGS#`" + ` | same | same | must start with ` + "`@TGS#_`" + ` | as Work |
`

// era is one of the built-in tables.
type era struct {
	name     string
	policies domain.Policies
	newer    bool // after the arrow
}

var eras = []era{{"Classic", domain.Classic(), false}, {"Current", domain.Current(), true}}

// cell is what the page says for a rule, a type and an era, with "same" and "as …"
// followed to where they point.
func (e era) cell(rule string, kind domain.GroupType) string {
	lines := strings.Split(strings.TrimSpace(page), "\n")
	columns := split(lines[0])
	for _, line := range lines[2:] {
		cells := split(line)
		if cells[0] != rule {
			continue
		}
		for i, column := range columns {
			if column == string(kind) {
				return e.follow(rule, cells, i)
			}
		}
	}
	panic(fmt.Sprintf("the page has no cell %q, %s", rule, kind))
}

func (e era) follow(rule string, cells []string, i int) string {
	before, after, changed := strings.Cut(cells[i], " → ")
	cell := before
	if changed && e.newer {
		cell = after
	}
	if other, ok := strings.CutPrefix(cell, "as "); ok {
		return e.cell(rule, domain.GroupType(other))
	}
	if cell == "same" {
		return e.follow(rule, cells, i-1)
	}
	return cell
}

func split(line string) []string {
	cells := strings.Split(strings.Trim(line, "|"), "|")
	for i := range cells {
		cells[i] = strings.TrimSpace(cells[i])
	}
	return cells
}

// standing is how somebody stands to a group.
type standing struct {
	name  string
	actor domain.Actor
	rank  int // 0 for who is not in the group
}

const (
	isStranger = iota
	isMember
	isAdmin
	isOwner
	isOperator
)

// everybody is one actor of each standing, in groups of the examples. Where the
// type has no admins, Adam is a plain member.
func everybody(admins bool) []standing {
	all := []standing{
		{"a stranger", User(Sven), isStranger},
		{"a member", User(Mary), isMember},
		{"an admin", User(Adam), isAdmin},
		{"the owner", User(Olga), isOwner},
		{"an app admin", AppAdmin(Root), isOperator},
		{"a member who is an app admin", AppAdmin(Mary), isOperator},
	}
	if !admins {
		all[2] = standing{"another member", User(Adam), isMember}
	}
	return all
}

// may reads a cell that says who may do something. The app admin may do what the
// owner may.
func may(t *testing.T, cell string, rank int) bool {
	t.Helper()
	who, _, _ := strings.Cut(cell, " (")
	switch who {
	case "any member":
		return rank >= isMember
	case "owner, admin":
		return rank >= isAdmin
	case "owner":
		return rank >= isOwner
	case "app admin only":
		return rank >= isOperator
	case "nobody", "–":
		return false
	}
	require.Failf(t, "unknown words", "the page says %q", cell)
	return false
}

// options reads a cell that lists options.
func options(t *testing.T, cell string) []domain.Option {
	t.Helper()
	switch cell {
	case "none":
		return nil
	case "all", "all three":
		return []domain.Option{domain.Forbid, domain.Auth, domain.Any}
	}
	require.Failf(t, "unknown words", "the page says %q", cell)
	return nil
}

func option(t *testing.T, name string) domain.Option {
	t.Helper()
	var o domain.Option
	require.NoError(t, o.UnmarshalText([]byte(name)))
	require.NotZero(t, o)
	return o
}

// yes reads a cell that says yes or no.
func yes(t *testing.T, cell string) bool {
	t.Helper()
	require.Contains(t, []string{"yes", "no"}, cell)
	return cell == "yes"
}

var types = []domain.GroupType{domain.Work, domain.Public, domain.Meeting, domain.Community, domain.AVChatRoom}

// eachColumn runs a test for each type in each era.
func eachColumn(t *testing.T, test func(t *testing.T, e era, kind domain.GroupType)) {
	for _, e := range eras {
		for _, kind := range types {
			t.Run(e.name+"/"+string(kind), func(t *testing.T) { test(t, e, kind) })
		}
	}
}

// eachStanding runs a test for everybody in a live group of each type in each era.
func eachStanding(t *testing.T, test func(t *testing.T, e era, kind domain.GroupType, who standing)) {
	eachColumn(t, func(t *testing.T, e era, kind domain.GroupType) {
		for _, who := range everybody(e.cell("roles beside owner and member", kind) == "admin") {
			t.Run(who.name, func(t *testing.T) { test(t, e, kind, who) })
		}
	})
}

// idFor is a custom ID that groups of the type may have.
func idFor(kind domain.GroupType) string {
	if kind == domain.Community {
		return "@TGS#_chess"
	}
	return GroupID
}

// The page has as many rows as the tests below read.
func TestPageIsWhole(t *testing.T) {
	lines := strings.Split(strings.TrimSpace(page), "\n")
	assert.Len(t, lines, 2+21)
	for _, line := range lines {
		assert.Len(t, split(line), 6, line)
	}
	assert.Equal(t, "owner, admin (plain members only)", eras[1].cell("kick", domain.AVChatRoom))
	assert.Equal(t, "nobody", eras[0].cell("kick", domain.AVChatRoom))
	assert.Equal(t, "not starting with `@TGS#`", eras[0].cell("custom group ID", domain.AVChatRoom))
}
