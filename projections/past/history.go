package past

import (
	"cmp"
	"maps"
	"slices"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// history is what the events of one group ID come to: the group, and what rows know of
// it that the group does not.
type history struct {
	group    *domain.Group
	born     eventstore.Position // the newest incarnation's first event
	position eventstore.Position // of the last event
	cause    string              // why it ended

	applications []*groupview.Application            // to the newest incarnation, in the order of submission
	open         map[string][]*groupview.Application // of those, by who would become a member

	earlier []groupview.Group // incarnations before
	closed  []groupview.Application
}

func newHistory(groupID string) *history {
	return &history{group: domain.NewGroup(groupID), open: map[string][]*groupview.Application{}}
}

// apply folds one event.
func (h *history) apply(e *projections.Event) {
	switch e.Fact.(type) {
	case domain.GroupCreated, domain.GroupImported:
		h.begin(e.Position)
	}
	live := h.group.Status() == domain.Live
	h.group.Apply(e.Fact, e.Meta())
	h.position = e.Position
	if !live {
		return
	}
	switch f := e.Fact.(type) {
	case domain.ApplicationSubmitted:
		h.submit(&f, e)
	case domain.ApplicationRefreshed:
		h.refresh(&f, e)
	case domain.ApplicationAccepted:
		h.decide(f.ApplicationID, f.UserID, groupview.Accepted, f.Reason, e)
	case domain.ApplicationRefused:
		h.decide(f.ApplicationID, f.UserID, groupview.Refused, f.Reason, e)
	}
	h.settle(e)
	if h.group.Status() == domain.Dismissed {
		h.end(e)
	}
}

// begin puts the incarnation before away.
func (h *history) begin(at eventstore.Position) {
	if h.group.Incarnation() > 0 {
		h.earlier = append(h.earlier, h.view())
		for _, a := range h.applications {
			h.closed = append(h.closed, *a)
		}
	}
	h.born, h.cause, h.applications = at, "", nil
	clear(h.open)
}

func (h *history) submit(f *domain.ApplicationSubmitted, e *projections.Event) {
	a := &groupview.Application{
		ApplicationID: f.ApplicationID, GroupID: h.group.ID(), Kind: f.Kind, From: f.From, UserID: f.UserID, Message: f.Message,
		SubmittedAt: e.Time.UTC(), At: e.Time.UTC(), Position: e.Position,
	}
	h.applications = append(h.applications, a)
	h.open[f.UserID] = append(h.open[f.UserID], a)
}

func (h *history) refresh(f *domain.ApplicationRefreshed, e *projections.Event) {
	for _, a := range h.open[f.UserID] {
		if a.ApplicationID == f.ApplicationID {
			a.Message, a.At, a.Position = f.Message, e.Time.UTC(), e.Position
		}
	}
}

// decide closes an open application by somebody's decision.
func (h *history) decide(id, candidate string, state groupview.ApplicationState, reason string, e *projections.Event) {
	for _, a := range h.open[candidate] {
		if a.ApplicationID == id {
			h.shut(a, state, e)
			a.HandledBy, a.ByAppAdmin, a.Reason = e.Actor, e.AppAdmin, reason
			return
		}
	}
}

// settle closes what the group itself has closed because of what became of a user.
func (h *history) settle(e *projections.Event) {
	state := groupview.Superseded
	if f, kicked := e.Fact.(domain.MembersKicked); kicked {
		state = groupview.VoidBanned
		if f.BannedUntil.IsZero() {
			return
		}
	}
	if len(h.open) == 0 {
		return
	}
	for _, candidate := range domain.Concerned(e.Fact) {
		for _, a := range slices.Clone(h.open[candidate]) {
			if _, open := h.group.Application(a.ApplicationID); !open {
				h.shut(a, state, e)
			}
		}
	}
}

// end closes what the end of the group leaves open, and says why it ended.
func (h *history) end(e *projections.Event) {
	for _, candidate := range slices.Collect(maps.Keys(h.open)) {
		for _, a := range slices.Clone(h.open[candidate]) {
			h.shut(a, groupview.VoidDismissed, e)
		}
	}
	switch f := e.Fact.(type) {
	case domain.GroupDismissed:
		h.cause = string(f.Cause)
	case domain.GroupRecycled:
		h.cause = groupview.Recycled
	default:
		h.cause = string(domain.Emptied)
	}
}

func (h *history) shut(a *groupview.Application, state groupview.ApplicationState, e *projections.Event) {
	a.State, a.HandledAt = state, e.Time.UTC()
	left := slices.DeleteFunc(h.open[a.UserID], func(other *groupview.Application) bool { return other == a })
	if h.open[a.UserID] = left; len(left) == 0 {
		delete(h.open, a.UserID)
	}
}

// exists reports whether a group has had the ID.
func (h *history) exists() bool { return h.group.Incarnation() > 0 }

// view is the newest incarnation as rows show it.
func (h *history) view() groupview.Group {
	g := h.group
	v := groupview.Group{
		GroupID: g.ID(), Incarnation: g.Incarnation(), GroupType: g.Type(), Status: g.Status().String(), Cause: h.cause,
		SupportTopic: g.SupportsTopics(), Profile: g.Profile(), AllMuted: g.AllMuted(), Owner: g.Owner(), MemberCount: g.Count(),
		Attributes: fields(g.Attributes()), AttributesVersion: g.AttributesVersion(), CreatedAt: g.CreatedAt().UTC(), EndedAt: g.EndedAt(),
		LastEventAt: g.LastEventAt().UTC(), Version: g.Version(), Position: h.position,
	}
	v.Custom = fields(v.Custom)
	if v.Owner != "" {
		v.Roles.Owner = 1
	}
	v.Roles.Admin = g.AdminCount()
	v.Roles.Member = v.MemberCount - v.Roles.Admin - v.Roles.Owner
	for _, open := range h.open {
		v.Pending += len(open)
	}
	for _, topic := range g.Topics() {
		v.Topics = append(v.Topics, topic)
	}
	slices.SortFunc(v.Topics, func(a, b domain.Topic) int { return cmp.Compare(a.ID, b.ID) })
	return v
}

// memberView is a membership as rows show it.
func memberView(m *domain.Membership) groupview.Member {
	return groupview.Member{
		UserID: m.UserID, Role: m.Role, JoinedAt: m.JoinedAt, NameCard: m.NameCard, Custom: fields(m.Custom), MutedUntil: utc(m.MutedUntil),
	}
}

func utc(t time.Time) time.Time {
	if t.IsZero() {
		return time.Time{}
	}
	return t.UTC()
}

// fields is a map as rows show it: none is nil.
func fields(m map[string]string) map[string]string {
	if len(m) == 0 {
		return nil
	}
	return m
}

// seenBy is an application as a viewer sees it; empty: nobody in particular.
func seenBy(a *groupview.Application, viewer string) groupview.Application {
	seen := *a
	switch {
	case a.State == groupview.Pending:
		seen.HandleStatus = groupview.Unhandled
	case viewer != "" && a.HandledBy == viewer:
		seen.HandleStatus = groupview.HandledByMe
	default:
		seen.HandleStatus = groupview.HandledByOther
	}
	if a.State == groupview.Accepted || a.State == groupview.Superseded {
		seen.HandleResult = groupview.ResultAccepted
	}
	return seen
}
