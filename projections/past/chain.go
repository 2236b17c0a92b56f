package past

import (
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// A chain is found by leaving events out of a copy of a history and folding the rest.
// The rest is not a history that an engine would have written, so it has to be said what
// it comes to:
//
//   - Events are applied in their order, by whom and when they were recorded.
//   - One that presupposes what is missing has no effect: nothing, before the group
//     begins and after it has ended; who is not a member is not kicked, nor banned by
//     that, and does not become owner; an application that is not open is not decided.
//   - Everything else is as domain.Group has it: who is not a member has no role, and
//     whoever is one does not join.
//   - Who had the right to do it is not judged again.
//   - For facts about one user, the others are taken to be as the events presuppose, and
//     the group does not end because nobody is left among the events that remain; it ends
//     when it says so.

// stays is nobody's user ID: a member who keeps a group from ending.
const stays = "\x00"

// replay folds what remains of a history, for a fact about one user, or, where that is
// empty, about the group. It calls after, where that is not nil, after every event.
func replay(groupID string, events []projections.Event, userID string, after func(*domain.Group)) *domain.Group {
	g := domain.NewGroup(groupID)
	for i := range events {
		e := &events[i]
		if fact, possible := possible(g, e.Fact, userID); possible {
			g.Apply(fact, e.Meta())
			if userID != "" && begins(fact) {
				g.Apply(domain.MemberJoined{UserID: stays}, e.Meta())
			}
		}
		if after != nil {
			after(g)
		}
	}
	return g
}

// possible is an event as far as it can happen to the group, and whether it can at all:
// judged for one user, or for all.
func possible(g *domain.Group, fact domain.Event, userID string) (domain.Event, bool) {
	if live := g.Status() == domain.Live; live == begins(fact) {
		return nil, false
	}
	stranger := func(id string) bool { return (userID == "" || userID == id) && !g.IsMember(id) }
	open := func(id string) bool {
		_, open := g.Application(id)
		return open
	}
	switch f := fact.(type) {
	case domain.MembersKicked:
		f.UserIDs = slices.DeleteFunc(slices.Clone(f.UserIDs), stranger)
		return f, len(f.UserIDs) > 0
	case domain.OwnerTransferred:
		return f, !stranger(f.To)
	case domain.ApplicationAccepted:
		return f, open(f.ApplicationID)
	case domain.ApplicationRefused:
		return f, open(f.ApplicationID)
	default:
		return fact, true
	}
}

// concerning are the events that bear on one user: those that are about them, and those
// that begin and end the group.
func concerning(events []projections.Event, userID string) []projections.Event {
	var about []projections.Event
	for _, e := range events {
		switch e.Fact.(type) {
		case domain.GroupCreated, domain.GroupImported, domain.GroupDismissed, domain.GroupRecycled:
			about = append(about, e)
			continue
		}
		if concern(domain.Concerned(e.Fact), []string{userID}) {
			about = append(about, e)
		}
	}
	return about
}

func concern(about, userIDs []string) bool {
	return slices.ContainsFunc(about, func(id string) bool { return slices.Contains(userIDs, id) })
}

// question is what is asked of a history: of the newest incarnation of a group.
type question[F comparable] struct {
	groupID string
	userID  string // whom the fact is about; empty: the group
	fact    func(*domain.Group) F
}

func (q *question[F]) answer(events []projections.Event) F {
	return q.fact(replay(q.groupID, events, q.userID, nil))
}

// begun is the history up to the event with which the fact came to be what it is.
func (q *question[F]) begun(events []projections.Event) []projections.Event {
	last, n, since := q.fact(domain.NewGroup(q.groupID)), 0, 0
	replay(q.groupID, events, q.userID, func(g *domain.Group) {
		n++
		if fact := q.fact(g); fact != last {
			last, since = fact, n
		}
	})
	return events[:since]
}

// eachOne is how long a history may be for each event of it to be left out in turn: that
// takes as many replays, of as many events. In a longer one, events are left out in
// blocks first, and a block without which the fact is the same has nothing that is
// needed: some replays for each link are enough. A variable for tests.
var eachOne = 256

// chain are the events without any one of which the fact would be another than it is:
// each is left out in turn of the history up to where the fact came to be what it is.
// Where they are not enough to make it so, because others would do in one another's
// place, the latest of those are added that are enough.
func (q *question[F]) chain(events []projections.Event) []projections.Event {
	events = q.begun(events)
	if len(events) == 0 {
		return nil
	}
	is := q.answer(events)
	same := func(others []projections.Event) bool { return q.answer(others) == is }
	needed := make([]bool, len(events))
	last := len(events) - 1
	needed[last] = true // with it, the fact came to be what it is
	step := last
	if len(events) <= eachOne {
		step = 1
	}
	for i := 0; i < last; i += step {
		missed(events, i, min(i+step, last), needed, same)
	}
	var links []projections.Event
	for i := range events {
		if needed[i] {
			links = append(links, events[i])
		}
	}
	if same(links) {
		return links
	}
	return fewest(events, needed, same)
}

// missed marks the events from one to another that are needed, by halving.
func missed(events []projections.Event, from, to int, needed []bool, same func([]projections.Event) bool) {
	if from == to || same(slices.Concat(events[:from], events[to:])) {
		return
	}
	if needed[from] = to-from == 1; needed[from] {
		return
	}
	half := (from + to) / 2
	missed(events, from, half, needed, same)
	missed(events, half, to, needed, same)
}

// fewest leaves out of the events, the oldest first, what is not needed and not missed:
// one by one, and of a long history as many at once as can be.
func fewest(events []projections.Event, needed []bool, same func([]projections.Event) bool) []projections.Event {
	for again := true; again; {
		again = false
		for i := 0; i < len(events); {
			size := 1
			if len(events) > eachOne {
				size = len(events) - i
			}
			for ; size > 0; size /= 2 {
				fewer := slices.Concat(events[:i], events[i+size:])
				if !slices.Contains(needed[i:i+size], true) && same(fewer) {
					events, needed, again = fewer, slices.Concat(needed[:i], needed[i+size:]), true
					break
				}
			}
			if size == 0 {
				i++
			}
		}
	}
	return events
}

func without(events []projections.Event, i int) []projections.Event {
	return slices.Concat(events[:i], events[i+1:])
}
