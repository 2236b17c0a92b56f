package jetstreamtest

import (
	"testing"

	"github.com/stretchr/testify/require"
)

// connect makes a link from each server to each other.
func (c *Cluster) connect() error {
	for i, from := range c.members {
		from.links = make([]*link, c.N())
		for j, to := range c.members {
			port := to.Route // its own too: servers count the routes that they are given, to know how many they are
			if i != j && !c.options.Direct {
				l, err := newLink(address(to.Route))
				if err != nil {
					return err
				}
				from.links[j], port = l, l.port()
			}
			from.Routes = append(from.Routes, port)
		}
	}
	return nil
}

// Partition cuts the named servers off from the rest, in both directions, after the last
// partition is healed. Clients reach all of them.
func (c *Cluster) Partition(t testing.TB, servers ...int) {
	t.Helper()
	require.False(t, c.options.Direct, "a cluster with Direct has no links to cut")
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cut = map[int]bool{}
	for _, i := range servers {
		c.cut[i] = true
	}
	for i, from := range c.members {
		for j, l := range from.links {
			switch {
			case l == nil:
			case c.cut[i] != c.cut[j]:
				l.cut()
			default:
				l.mend()
			}
		}
	}
}

// Heal ends a partition. What the servers have sent each other meanwhile arrives.
func (c *Cluster) Heal(t testing.TB) {
	t.Helper()
	c.Partition(t)
}

// together are the servers that run and that reach each other, the most there are.
func (c *Cluster) together() []int {
	c.mu.Lock()
	defer c.mu.Unlock()
	sides := map[bool][]int{}
	for i, m := range c.members {
		if m.runs != nil && !m.paused {
			sides[c.cut[i]] = append(sides[c.cut[i]], i)
		}
	}
	if len(sides[true]) > len(sides[false]) {
		return sides[true]
	}
	return sides[false]
}
