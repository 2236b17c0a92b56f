package commands

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Part is a read model's answers about one group, all as of the same version of it.
type Part interface {
	// Version is that of the group's stream, and the newest incarnation; found is false
	// where the read model knows of none. It is asked for first.
	Version() (version, incarnation int, found bool, err error)
	// Header is the newest incarnation of the group.
	Header() (domain.Header, error)
	// Person is what the group holds of a user.
	Person(userID string) (domain.Person, error)
	// Longest is the user who has been a member for longest, of those whom known does
	// not report and who are not the owner; empty where there is none.
	Longest(known func(userID string) bool) (userID string, err error)
	// OpenApplication is an open application by its ID; found is false where there is
	// none.
	OpenApplication(id string) (a domain.Application, found bool, err error)
}

// How a group is loaded. Reading an event costs about a thirtieth of looking up a
// user, so a small group is read whole at once, and a larger one when as much has
// been spent on looking up its users as reading it all would cost. A very large one
// is never read whole for that: everybody would wait meanwhile.
var (
	smallGroup     = 32     // events
	lookupsPerRead = 32     // events read in the time of one look-up
	largeGroup     = 50_000 // events
)

// worthWhole reports whether looking users up has cost as much as reading the
// whole group would.
func worthWhole(group *domain.Group, lookups int) bool {
	return group.Version() <= largeGroup && lookups*lookupsPerRead > group.Version()
}

// errBehind is a read model that cannot complete the group in memory: it is newer,
// because somebody else has written, or was set back.
var errBehind = errors.New("the group in memory is not of the read model's past")

// errLater is a group that must be loaded anew, and cannot be before the commands
// that have been decided about it are in the log.
var errLater = errors.New("the group must be loaded after this batch")

// sparse loads what a request is about, of a group that may be large: the header
// and the people from the read model, and what has happened since from the log. It
// returns nil where the read model knows too little.
func (h *Handler) sparse(ctx context.Context, r *request, groupID string) (*domain.Group, error) {
	var group *domain.Group
	err := h.config.Parts(ctx, groupID, func(p Part) error {
		version, _, found, err := p.Version()
		if err != nil || !found || version <= smallGroup {
			return err
		}
		header, err := p.Header()
		if err != nil {
			return err
		}
		group = domain.NewSparse(header)
		tail, err := readTail(ctx, h.config.Store, groupID, eventstore.Version(header.Version))
		if err != nil {
			return err
		}
		for _, e := range tail {
			if err := learn(p, group, domain.Concerned(e.event)...); err != nil {
				return err
			}
		}
		if err := learn(p, group, header.Owner); err != nil {
			return err
		}
		if err := learnFor(p, group, r); err != nil {
			return err
		}
		for _, e := range tail {
			group.Apply(e.event, e.meta)
		}
		return h.learnHeir(p, group, r)
	})
	if err != nil {
		return nil, fmt.Errorf("load group %q: %w", groupID, err)
	}
	return group, nil
}

// complete makes known whom a request is about, in a sparse group that is in memory
// already.
func (h *Handler) complete(ctx context.Context, r *request, group *domain.Group) error {
	return h.config.Parts(ctx, group.ID(), func(p Part) error {
		version, incarnation, found, err := p.Version()
		switch {
		case err != nil:
			return err
		case !found || version < group.Since() || version > group.Version() || incarnation != group.Incarnation():
			return errBehind
		}
		if err := learnFor(p, group, r); err != nil {
			return err
		}
		return h.learnHeir(p, group, r)
	})
}

// learn makes users known to a sparse group.
func learn(p Part, group *domain.Group, userIDs ...string) error {
	for _, id := range userIDs {
		if id == "" || group.Knows(id) {
			continue
		}
		person, err := p.Person(id)
		if err != nil {
			return err
		}
		group.Learn(id, person)
	}
	return nil
}

// learnFor makes everybody known whom the rule for a request looks at.
func learnFor(p Part, group *domain.Group, r *request) error {
	if err := learn(p, group, people(r)...); err != nil {
		return err
	}
	deciding, ok := r.command.(interface{ which() whichApplication })
	if !ok {
		return nil
	}
	which := deciding.which()
	if which.ApplicationID == "" {
		for _, a := range group.OpenApplicationsFrom(which.FromUser) {
			if err := learn(p, group, a.Candidate); err != nil {
				return err
			}
		}
		return nil
	}
	a, found, err := p.OpenApplication(which.ApplicationID)
	if err != nil || !found {
		return err
	}
	return learn(p, group, a.From, a.Candidate)
}

// passesOn reports whether a request is that of an owner who quits and whom the
// member follows who has been in the group for longest.
func (h *Handler) passesOn(r *request, group *domain.Group) bool {
	_, quits := r.command.(Quit)
	return quits && group.Owner() == r.actor.UserID && h.config.Policies[group.Type()].OwnerQuit == domain.OwnerPassesOn
}

// learnHeir makes known who follows an owner who quits. To those who are not known,
// nothing has happened since what the read model shows, so of them it is the first
// there; and the group can tell whether one whom it knows has been in for longer.
func (h *Handler) learnHeir(p Part, group *domain.Group, r *request) error {
	if !h.passesOn(r, group) {
		return nil
	}
	heir, err := p.Longest(group.Knows)
	if err != nil {
		return err
	}
	return learn(p, group, heir)
}

// knowsFor reports whether learnFor and learnHeir would have nothing to do.
func (h *Handler) knowsFor(group *domain.Group, r *request) bool {
	if group.Whole() {
		return true
	}
	if h.passesOn(r, group) {
		return false
	}
	if slices.ContainsFunc(people(r), func(id string) bool { return !group.Knows(id) }) {
		return false
	}
	deciding, ok := r.command.(interface{ which() whichApplication })
	if !ok {
		return true
	}
	which := deciding.which()
	if which.ApplicationID != "" {
		a, open := group.Application(which.ApplicationID)
		return open && group.Knows(a.From) && group.Knows(a.Candidate)
	}
	return !slices.ContainsFunc(group.OpenApplicationsFrom(which.FromUser), func(a domain.Application) bool { return !group.Knows(a.Candidate) })
}

// people are the users whom a request names, and who acts.
func people(r *request) []string {
	people := []string{r.actor.UserID}
	if c, ok := r.command.(interface{ about() []string }); ok {
		people = append(people, c.about()...)
	}
	return slices.DeleteFunc(people, func(id string) bool { return id == "" })
}

// knowsAll reports whether a group knows everybody whom events are about, so that
// they can be applied to it.
func knowsAll(group *domain.Group, events []domain.Event) bool {
	for _, e := range events {
		for _, id := range domain.Concerned(e) {
			if id != "" && !group.Knows(id) {
				return false
			}
		}
	}
	return true
}

// dated is an event with who recorded it when.
type dated struct {
	event domain.Event
	meta  domain.Meta
}

// readTail reads a group's events after a version.
func readTail(ctx context.Context, store eventstore.Store, groupID string, after eventstore.Version) ([]dated, error) {
	var tail []dated
	for record, err := range store.ReadStream(ctx, domain.GroupStream(groupID), after) {
		if err != nil {
			return nil, err
		}
		event, err := domain.Decode(record.Type, record.Schema, record.Data)
		if err != nil {
			return nil, fmt.Errorf("position %d: %w", record.Position, err)
		}
		tail = append(tail, dated{event, MetaOf(record)})
	}
	return tail, nil
}
