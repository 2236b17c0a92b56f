package commands

import (
	"container/list"

	"github.com/grouplog/grouplog/domain"
)

// cache holds the groups used last, up to a total weight. It belongs to the
// handler's writer and is not safe for concurrent use.
type cache struct {
	limit, weight int
	order         *list.List // of *cached; the one used last in front
	byID          map[string]*list.Element
}

type cached struct {
	group   *domain.Group
	weight  int
	lookups int // of users that the group did not know
}

// weightOf approximates what a group costs in memory, in members: a small one
// costs about as much as sixteen of them.
func weightOf(g *domain.Group) int { return 16 + g.Known() }

func newCache(limit int) *cache {
	return &cache{limit: limit, order: list.New(), byID: map[string]*list.Element{}}
}

func (c *cache) get(id string) (*domain.Group, bool) {
	element, ok := c.byID[id]
	if !ok {
		return nil, false
	}
	c.order.MoveToFront(element)
	return element.Value.(*cached).group, true
}

// put adds a group, or takes note of its growth, and drops those unused longest
// where the limit is passed. The group itself stays whatever it weighs.
func (c *cache) put(g *domain.Group) {
	element, ok := c.byID[g.ID()]
	if !ok {
		element = c.order.PushFront(&cached{group: g})
		c.byID[g.ID()] = element
	}
	entry := element.Value.(*cached)
	c.weight += weightOf(g) - entry.weight
	entry.weight = weightOf(g)
	for c.weight > c.limit && c.order.Len() > 1 {
		c.drop(c.order.Back().Value.(*cached).group.ID())
	}
}

// lookedUp counts a look-up in a group that is in the cache, and returns how many
// there have been.
func (c *cache) lookedUp(id string) int {
	entry := c.byID[id].Value.(*cached)
	entry.lookups++
	return entry.lookups
}

func (c *cache) drop(id string) {
	element, ok := c.byID[id]
	if !ok {
		return
	}
	delete(c.byID, id)
	c.order.Remove(element)
	c.weight -= element.Value.(*cached).weight
}
