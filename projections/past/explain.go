package past

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// Explanation says what would have become of a command, and by which rule.
type Explanation struct {
	GroupID  string // empty for a command about a user
	Allowed  bool
	At       time.Time        // when it would have been given
	Standing string           // whom the rules saw: "bob, a member of chess (Public)"
	Rule     string           // which allows or forbids it; empty where no rule stands against it
	Refusal  *domain.Refusal  // nil if it is allowed
	Outcome  commands.Outcome // what it would have come to
	Events   []domain.Event   // what it would have recorded
	// Because is the chain of events without any one of which the answer would be
	// another. See Reason.
	Because []projections.Event
}

// May says whether a command would have been allowed: nil, or the *domain.Refusal that it
// would have got. Anything else means that the past could not be read.
//
// The command is judged by the policies of today, on the group as it was, at the time of
// the moment: that of the event at the position, or the time itself. A ban that had
// passed by then does not count.
func (p *Past) May(ctx context.Context, as domain.Actor, cmd commands.Command) error {
	s, cmd, err := p.situation(ctx, as, cmd)
	if err == nil {
		_, err = commands.Decide(s, cmd)
	}
	return err
}

// situation is what a command would have been judged on, and the command as it would
// have been judged.
func (p *Past) situation(ctx context.Context, as domain.Actor, cmd commands.Command) (s commands.Situation, ready commands.Command, err error) {
	ready, groupID := commands.About(p.Policies, as, cmd)
	s = commands.Situation{
		Policies: p.Policies, Actor: as,
		GroupsOf: func(userID string) (int, error) { return p.groupsOf(ctx, userID) },
	}
	if s.Now, err = p.now(ctx); err != nil || groupID == "" {
		return s, ready, err
	}
	h, err := p.history(ctx, groupID)
	if err != nil {
		return s, ready, err
	}
	s.Group = h.group
	if last := h.group.LastEventAt(); s.Now.Before(last) {
		s.Now = last
	}
	return s, ready, nil
}

// Explain says whether a command would have been allowed, by which rule, what it would
// have recorded, and which events made the answer so. See May.
//
// It costs more than May: replays of the events about the users concerned and about the
// group itself, one for each while they are few, and else some dozen for each link of the
// chain. Where other members matter, all events of the group are replayed so. Where it is
// refused because the group is full, that costs a chain for each of the latest members.
func (p *Past) Explain(ctx context.Context, as domain.Actor, cmd commands.Command) (Explanation, error) {
	s, cmd, err := p.situation(ctx, as, cmd)
	if err != nil {
		return Explanation{}, err
	}
	decision, err := commands.Decide(s, cmd)
	e := Explanation{Allowed: err == nil, At: s.Now, Outcome: decision.Outcome, Events: decision.Events}
	if err != nil && !errors.As(err, &e.Refusal) {
		return Explanation{}, err
	}
	if e.Refusal != nil {
		e.Rule = e.Refusal.Rule
	} else {
		e.Rule = allowedBy(s, cmd)
	}
	if s.Group == nil {
		return e, nil
	}
	e.GroupID = s.Group.ID()
	e.Standing = standing(&s)
	e.Because, err = p.because(ctx, s, cmd)
	return e, err
}

// standing is who acts, as the rules see them.
func standing(s *commands.Situation) string {
	g, who := s.Group, s.Actor.UserID
	if s.Actor.AppAdmin {
		who += ", an app admin"
	}
	if g.Status() == domain.Unused {
		return who
	}
	role := "no member"
	if r := g.Role(s.Actor.UserID); r != domain.NotMember {
		role = r.String()
	}
	return fmt.Sprintf("%s, %s of %s (%s, %s)", who, role, g.ID(), g.Type(), g.Status())
}

// allowedBy is the row of the policy table without which a command would be refused.
func allowedBy(s commands.Situation, cmd commands.Command) string {
	if s.Group == nil || s.Group.Status() != domain.Live {
		return ""
	}
	kind := s.Group.Type()
	policies := s.Policies
	for _, row := range domain.RightRows() {
		policy := policies[kind]
		right := *row.Of(&policy)
		*row.Of(&policy) = domain.Nobody
		s.Policies = policies.Clone()
		s.Policies[kind] = policy
		if _, err := commands.Decide(s, cmd); errors.Is(err, domain.ErrNotPermitted) {
			text := fmt.Sprintf("%s: %s", row.Title, right)
			if s.Actor.AppAdmin {
				text += "; an app admin may do what the owner may"
			}
			return text
		}
	}
	return ""
}

// because finds the chain of a decision: among the events about the users whom the
// command names, and, if the others matter too, among all.
func (p *Past) because(ctx context.Context, s commands.Situation, cmd commands.Command) ([]projections.Event, error) {
	groupID := s.Group.ID()
	events, err := p.incarnation(ctx, groupID)
	if errors.Is(err, groupview.ErrNotFound) {
		return nil, nil // nothing had happened
	}
	if err != nil {
		return nil, err
	}
	q := verdict(s, cmd)
	is := q.answer(events)
	few := bearing(events, append(named(cmd, events), s.Actor.UserID)...)
	if q.answer(few) == is {
		links := q.chain(few)
		if q.all(events, links, is) {
			return links, nil
		}
	} else if is == full {
		links := crowd(s, cmd, events, few)
		same := func(others []projections.Event) bool { return q.answer(others) == is }
		if same(links) && len(links) <= eachOne { // who came in twice may be there once too often
			links = fewest(links, make([]bool, len(links)), same)
		}
		if same(links) {
			return links, nil
		}
	}
	return q.chain(events), nil
}

// answer is what is said to a command, as far as the chain has to explain it.
type answer struct {
	code domain.Code
	rule string // empty where it says how many there are
}

var full = answer{code: domain.CodeGroupFull}

// verdict asks how a command would be answered.
func verdict(s commands.Situation, cmd commands.Command) *question[answer] {
	return &question[answer]{groupID: s.Group.ID(), fact: func(g *domain.Group) answer {
		s := s
		s.Group = g
		_, err := commands.Decide(s, cmd)
		var refusal *domain.Refusal
		switch {
		case err == nil:
			return answer{}
		case !errors.As(err, &refusal):
			return answer{rule: err.Error()}
		case refusal.Code == full.code:
			return full
		default:
			return answer{refusal.Code, refusal.Rule}
		}
	}}
}

// all reports whether each of the links is missed in the whole history, too.
func (q *question[F]) all(events, links []projections.Event, is F) bool {
	next := 0
	for i := range events {
		if next < len(links) && events[i].Position == links[next].Position {
			if next++; q.answer(without(events, i)) == is {
				return false
			}
		}
	}
	return true
}

// bearing are the events about some users, and those about the group itself.
func bearing(events []projections.Event, userIDs ...string) []projections.Event {
	var few []projections.Event
	for i := range events {
		if about := domain.Concerned(events[i].Fact); len(about) == 0 || concern(about, userIDs) {
			few = append(few, events[i])
		}
	}
	return few
}

// named are the users whom a command names, by themselves or by an application.
func named(cmd commands.Command, events []projections.Event) []string {
	var users []string
	value := reflect.ValueOf(cmd)
	for _, field := range reflect.VisibleFields(value.Type()) {
		if !field.IsExported() {
			continue
		}
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch v := value.FieldByIndex(field.Index).Interface().(type) {
		case string:
			switch name {
			case "userID", "fromUser":
				users = append(users, v)
			case "applicationID":
				users = append(users, parties(v, events)...)
			}
		case []string:
			if name == "userIDs" {
				users = append(users, v...)
			}
		}
	}
	return users
}

// parties are who asked and who would become a member by an application.
func parties(applicationID string, events []projections.Event) []string {
	for i := range events {
		if f, ok := events[i].Fact.(domain.ApplicationSubmitted); ok && f.ApplicationID == applicationID {
			return []string{f.From, f.UserID}
		}
	}
	return nil
}
