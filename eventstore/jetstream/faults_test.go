package jetstream_test

import (
	"flag"
	"testing"

	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

var allFaults = flag.Bool("faults", false, "every fault and damage, instead of a few")

// onlyWithFaults skips a test that takes long in the short form.
func onlyWithFaults(t *testing.T) {
	t.Helper()
	if !*allFaults {
		t.Skip("with -faults only")
	}
}

// TestFaults lets servers fail while many append through three nodes. Nothing that was
// acknowledged is lost, nothing is stored twice, and the order of every stream holds.
func TestFaults(t *testing.T) {
	const stream = "GROUPLOG-faults"
	follower := func(c *jetstreamtest.Cluster) int { return (c.Leader(t, stream) + 1) % c.N() }
	for _, fault := range []struct {
		name   string
		always bool
		shards int // 0 for one
		do     func(t *testing.T, c *jetstreamtest.Cluster) (repair func())
	}{
		{"the leader is killed", true, 0, func(t *testing.T, c *jetstreamtest.Cluster) func() {
			leader := c.Leader(t, stream)
			c.Kill(t, leader)
			return func() { c.Start(t, leader) }
		}},
		{"a follower is killed", false, 0, func(t *testing.T, c *jetstreamtest.Cluster) func() {
			server := follower(c)
			c.Kill(t, server)
			return func() { c.Start(t, server) }
		}},
		{"all are killed", false, 0, func(t *testing.T, c *jetstreamtest.Cluster) func() {
			c.KillAll(t)
			c.Start(t, 0, 1, 2)
			return func() {}
		}},
		{"the leader is cut off", true, 0, func(t *testing.T, c *jetstreamtest.Cluster) func() {
			c.Partition(t, c.Leader(t, stream))
			return func() { c.Heal(t) }
		}},
		{"the leader is paused", false, 0, func(t *testing.T, c *jetstreamtest.Cluster) func() {
			leader := c.Leader(t, stream)
			c.Pause(t, leader)
			return func() { c.Resume(t, leader) }
		}},
		{"the leader of three shards is killed", false, 3, func(t *testing.T, c *jetstreamtest.Cluster) func() {
			leader := c.Leader(t, stream)
			c.Kill(t, leader)
			return func() { c.Start(t, leader) }
		}},
		{"the leader is stopped", false, 0, func(t *testing.T, c *jetstreamtest.Cluster) func() {
			leader := c.Leader(t, stream)
			c.Stop(t, leader)
			return func() { c.Start(t, leader) }
		}},
	} {
		t.Run(fault.name, func(t *testing.T) {
			if !fault.always {
				onlyWithFaults(t)
			}
			t.Parallel()
			c := jetstreamtest.StartProcesses(t, nil)
			address := c.URL() + "/faults?sync=always"
			sharded := func(o *jetstream.Options) { o.Shards = fault.shards }
			l := startLoad(t, node(t, address, sharded), node(t, address, sharded), node(t, address, sharded))
			defer l.end()
			l.untilAcks(t, 200)
			repair := fault.do(t, c)
			l.untilAcks(t, 200)
			repair()
			l.untilAcks(t, 200)
			l.end()
			t.Logf("%s: writers stalled for %s at most; %d appends were acknowledged, of %d the outcome was unknown",
				fault.name, l.stall.Round(10e6), len(l.stored), len(l.unknown))
			l.check(t, address)
		})
	}
}
