package domaintest

import (
	"slices"
	"time"

	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// The people and the groups of random histories. Any name may come to own any
// group, and a group's ID may be used again once it is dismissed.
var (
	Users    = []string{"ann", "bob", "cid", "dan", "eve", "fay"}
	Groups   = []string{"alpha", "beta", "@TGS#_gamma"}
	Operator = AppAdmin("root")
)

// Wish is a command that somebody gives at a time.
type Wish struct {
	Actor   domain.Actor
	At      time.Time
	Command commands.Command
}

// History draws a world in which up to that many random commands were given. Most
// of them are permitted, and some are refused.
func History(t *rapid.T, most int) *World {
	w := NewWorld(Policies(t))
	for range rapid.IntRange(1, most).Draw(t, "commands") {
		w.Draw(t)
	}
	return w
}

// Commands draws the policies and the commands of a history, for somebody else to
// carry out in this order.
func Commands(t *rapid.T, most int) (domain.Policies, []Wish) {
	w := History(t, most)
	wishes := make([]Wish, len(w.Steps))
	for i, step := range w.Steps {
		wishes[i] = Wish{Actor: step.Actor, At: step.At, Command: step.Command}
	}
	return w.Policies, wishes
}

// Policies draws policies: either of the built-in tables with two custom types
// beside, with low limits.
func Policies(t *rapid.T) domain.Policies {
	table := domain.Classic()
	if rapid.Bool().Draw(t, "current") {
		table = domain.Current()
	}
	return SmallPolicies(table, rapid.IntRange(3, 6).Draw(t, "limit"))
}

// Draw lets some time pass and has somebody give a random command.
func (w *World) Draw(t *rapid.T) Step {
	w.Later(rapid.SampledFrom(pauses).Draw(t, "pause"))
	return w.DrawNow(t)
}

// DrawNow has somebody give a random command without letting time pass.
func (w *World) DrawNow(t *rapid.T) Step {
	wish := w.draw(t)
	return w.Do(wish.Actor, wish.Command)
}

var pauses = []time.Duration{0, time.Microsecond, time.Second, time.Minute, time.Minute, time.Hour, 30 * time.Hour}

// drawer draws the parts of one wish about one group, most of them such that the
// wish makes sense.
type drawer struct {
	t     *rapid.T
	world *World
	group *domain.Group
}

func (w *World) draw(t *rapid.T) Wish {
	d := drawer{t: t, world: w, group: w.Group(rapid.SampledFrom(Groups).Draw(t, "group"))}
	if d.group.Status() != domain.Live && !d.rarely("in a group that is not") {
		return Wish{Actor: d.anybody(), Command: d.found()}
	}
	draw := rapid.SampledFrom(wishes).Draw(t, "wish")
	actor, cmd := draw(d)
	return Wish{Actor: actor, Command: cmd}
}

// rarely is true one time in eight.
func (d drawer) rarely(label string) bool { return rapid.SampledFrom(rareness).Draw(d.t, label) }

var rareness = []bool{false, false, false, false, false, false, false, true}

// often is true half of the time.
func (d drawer) often(label string) bool { return rapid.Bool().Draw(d.t, label) }

func one[T any](d drawer, label string, of ...T) T { return rapid.SampledFrom(of).Draw(d.t, label) }

// user is anybody who has a name.
func (d drawer) user() string { return one(d, "user", Users...) }

// anybody acts for themselves, or, rarely, as an app admin.
func (d drawer) anybody() domain.Actor {
	return domain.Actor{UserID: d.user(), AppAdmin: d.rarely("as app admin")}
}

// atLeast acts: a member of that rank or above, the operator, or, rarely, anybody.
func (d drawer) atLeast(rank domain.Role) domain.Actor {
	ranked := d.members(func(m domain.Membership) bool { return m.Role >= rank })
	if len(ranked) == 0 || d.rarely("anybody") {
		return d.anybody()
	}
	if d.rarely("operator") {
		return Operator
	}
	return User(one(d, "actor", ranked...))
}

// other is a member, or, rarely, anybody.
func (d drawer) other() string {
	members := d.members(func(domain.Membership) bool { return true })
	if len(members) == 0 || d.rarely("other") {
		return d.user()
	}
	return one(d, "member", members...)
}

// stranger is somebody who is not a member, or, rarely, anybody.
func (d drawer) stranger() string {
	strangers := slices.DeleteFunc(slices.Clone(Users), d.group.IsMember)
	if len(strangers) == 0 || d.rarely("no stranger") {
		return d.user()
	}
	return one(d, "stranger", strangers...)
}

func (d drawer) members(which func(domain.Membership) bool) []string {
	var ids []string
	for m := range d.group.Memberships() {
		if which(m) {
			ids = append(ids, m.UserID)
		}
	}
	return ids
}

// several draws up to four times, and seldom not at all.
func several[T any](d drawer, label string, draw func() T) []T {
	var drawn []T
	for range one(d, label, 0, 1, 1, 1, 1, 2, 2, 3, 4) {
		drawn = append(drawn, draw())
	}
	return drawn
}

func (d drawer) id() string { return d.group.ID() }

// text is short, long, not English, or none.
func (d drawer) text(label string) string {
	return one(d, label, "", "hello", "hello again", "囲碁", "it's me!\nagain")
}

// some is a value, or none.
func some[T any](d drawer, label string, of ...T) *T {
	if d.often(label + " given") {
		return nil
	}
	value := one(d, label, of...)
	return &value
}

func (d drawer) option(label string) domain.Option {
	return one(d, label, 0, 0, domain.Forbid, domain.Auth, domain.Any)
}

func (d drawer) custom(label string) map[string]string {
	if d.often("no " + label) {
		return nil
	}
	fields := map[string]string{}
	for range one(d, label, 1, 1, 2) {
		fields[one(d, "key", "rank", "elo", "side")] = one(d, "value", "", "1", "2")
	}
	return fields
}

func (d drawer) duration(label string) time.Duration {
	return one(d, label, 0, 0, time.Minute, time.Hour, 48*time.Hour)
}
