package notify

import (
	"context"
	"fmt"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// deriverMembers bounds the groups that a deriver keeps in memory, by their members
// together.
const deriverMembers = 1_000_000

// deriver follows the log from any position and derives what users are told. It
// keeps the groups it has met at the version it has met them, and reads a group's
// own events where it has not met it before or has been elsewhere. It is not safe
// for concurrent use.
type deriver struct {
	log      eventstore.Store
	policies domain.Policies
	groups   map[string]*domain.Group
	weight   int
}

func newDeriver(log eventstore.Store, policies domain.Policies) *deriver {
	return &deriver{log: log, policies: policies, groups: map[string]*domain.Group{}}
}

// step derives the notifications of one record.
func (d *deriver) step(ctx context.Context, record eventstore.Record, tell func(Notification, Audience)) error {
	groupID, ok := domain.GroupOf(record.Stream)
	if !ok {
		return nil
	}
	event, err := projections.Decode(record)
	if err != nil {
		return err
	}
	g, err := d.group(ctx, groupID, record.Version-1)
	if err != nil {
		return err
	}
	before := g.Count()
	Derive(d.policies, g, event, tell)
	d.weight += g.Count() - before
	if d.weight > deriverMembers {
		clear(d.groups)
		d.groups[groupID] = g // what is in use stays, whatever it weighs
		d.weight = g.Count()
	}
	return nil
}

// group is the state of a group at a version.
func (d *deriver) group(ctx context.Context, groupID string, version eventstore.Version) (*domain.Group, error) {
	g, ok := d.groups[groupID]
	if !ok || eventstore.Version(g.Version()) > version {
		g = domain.NewGroup(groupID)
		d.groups[groupID] = g
		d.weight++
	}
	if eventstore.Version(g.Version()) == version {
		return g, nil
	}
	before := g.Count()
	for record, err := range d.log.ReadStream(ctx, domain.GroupStream(groupID), eventstore.Version(g.Version())) {
		if err != nil {
			return nil, fmt.Errorf("read group %q: %w", groupID, err)
		}
		event, err := projections.Decode(record)
		if err != nil {
			return nil, err
		}
		g.Apply(event.Fact, event.Meta())
		if record.Version == version {
			break
		}
	}
	d.weight += g.Count() - before
	return g, nil
}
