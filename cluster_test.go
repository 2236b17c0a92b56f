package grouplog_test

import (
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/projections/groupview"
)

// openNode opens an engine on a log in a cluster, as a machine of its own would.
func openNode(t testing.TB, address string, options grouplog.Options) *grouplog.Engine {
	t.Helper()
	path := filepath.Join(t.TempDir(), "groups.db")
	store, err := jetstream.Open(t.Context(), address, path, &jetstream.Options{Logger: options.Logger})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, store.Close()) })
	options.Store = store
	engine, err := grouplog.Open(t.Context(), path, &options)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, engine.Close()) })
	return engine
}

// Whatever is decided on a cluster, in turn by three nodes, is what one engine decides in
// memory: the same answers, the same events at the same positions, the same read models.
func TestClusterKeepsTheRules(t *testing.T) {
	cluster := jetstreamtest.Shared(t)
	runs := 0
	rapid.Check(t, func(rt *rapid.T) {
		runs++
		if runs > 5 {
			return // a cluster takes its time; TestClusterFaults says more than many of these
		}
		policies, wishes := domaintest.Commands(rt, 60)
		now := domaintest.Morning
		options := grouplog.Options{Policies: policies, Clock: func() time.Time { return now }}
		alone, err := grouplog.Open(t.Context(), grouplog.Memory, &options)
		require.NoError(t, err)
		defer func() { require.NoError(t, alone.Close()) }()
		address := cluster.URL() + "/" + jetstreamtest.StreamName(t) + "?sync=always"
		nodes := []*grouplog.Engine{openNode(t, address, options), openNode(t, address, options), openNode(t, address, options)}
		for i, w := range wishes {
			if c, ok := w.Command.(commands.CreateGroup); ok && c.GroupID == "" {
				continue // its ID is another one each time
			}
			now = w.At
			want, wantErr := alone.Do(t.Context(), w.Actor, w.Command)
			got, gotErr := nodes[i%len(nodes)].Do(t.Context(), w.Actor, w.Command)
			require.Equal(t, wantErr, gotErr, "%T", w.Command)
			require.Equal(t, want, got, "%T", w.Command)
		}
		want := wholeLog(t, alone.Log())
		for _, node := range nodes {
			require.Equal(t, want, wholeLog(t, node.Log()))
			require.NoError(t, node.WaitFor(t.Context(), eventstore.Position(len(want))))
			requireSameGroups(t, alone, node)
		}
	})
}

// requireSameGroups compares the groups and members of two engines.
func requireSameGroups(t testing.TB, a, b *grouplog.Engine) {
	t.Helper()
	for group, err := range a.Groups(t.Context(), groupview.GroupFilter{}) {
		require.NoError(t, err)
		other, err := b.Group(t.Context(), group.GroupID)
		require.NoError(t, err)
		if group.Incarnation != other.Incarnation {
			continue // an older one
		}
		require.Equal(t, group, other)
		var members [2][]groupview.Member
		for i, engine := range []*grouplog.Engine{a, b} {
			for m, err := range engine.Members(t.Context(), group.GroupID, groupview.MemberFilter{}) {
				require.NoError(t, err)
				members[i] = append(members[i], m)
			}
		}
		require.Equal(t, members[0], members[1])
	}
}

// Clients of three nodes try again, with the same ID, through any node, until they are
// answered, while servers of the cluster fail. Each command has one effect and one
// answer, and all answers together can be explained one after the other.
func TestClusterFaults(t *testing.T) {
	const stream = "GROUPLOG-seats"
	faults := map[string]func(c *jetstreamtest.Cluster){
		"the leader is killed, and comes back": func(c *jetstreamtest.Cluster) {
			leader := c.Leader(t, stream)
			c.Kill(t, leader)
			c.Start(t, leader)
		},
	}
	if *crashTime > 0 {
		faults["the leader is cut off"] = func(c *jetstreamtest.Cluster) { c.Partition(t, c.Leader(t, stream)) }
		faults["all are killed"] = func(c *jetstreamtest.Cluster) {
			c.KillAll(t)
			c.Start(t, 0, 1, 2)
		}
	}
	for name, fail := range faults {
		t.Run(name, func(t *testing.T) {
			cluster := jetstreamtest.StartProcesses(t, nil)
			address := cluster.URL() + "/seats?sync=always"
			nodes := make([]*grouplog.Engine, 3)
			for i := range nodes {
				nodes[i] = openNode(t, address, grouplog.Options{Policies: fewSeats()})
			}
			c := &clusterClients{nodes: nodes, answers: map[call]*answer{}, history: map[string][]porcupine.Operation{}}
			c.run(t, seeded(t), func() { fail(cluster) })
			c.check(t)
		})
	}
}

// clusterClients are clients who join and quit a few groups, through any node.
type clusterClients struct {
	nodes  []*grouplog.Engine
	moment atomic.Int64

	mu      sync.Mutex
	answers map[call]*answer
	history map[string][]porcupine.Operation // by group
	longest time.Duration
}

var clusterGroups = []string{"a", "b", "c"}

func (c *clusterClients) run(t *testing.T, random *rand.Rand, fail func()) {
	for _, group := range clusterGroups {
		_, err := c.nodes[0].As("owner").CreateGroup(t.Context(), domain.Meeting, group, "G")
		require.NoError(t, err)
	}
	const clients, each = 6, 60
	var all sync.WaitGroup
	var done atomic.Int64
	for client := range clients {
		random := rand.New(rand.NewPCG(random.Uint64(), 0))
		all.Go(func() {
			for n := range each {
				c.do(t, client, random, call{
					ID: fmt.Sprint(client, "/", n), User: fmt.Sprint("user-", random.IntN(3)),
					Group: clusterGroups[random.IntN(len(clusterGroups))], Quit: random.IntN(2) == 0,
				})
				done.Add(1)
			}
		})
	}
	require.Eventually(t, func() bool { return done.Load() > clients*each/3 }, 5*time.Minute, time.Millisecond)
	fail()
	all.Wait()
	t.Logf("the longest that a client waited: %s", c.longest.Round(10*time.Millisecond))
}

// do has a command carried out, however often it must be tried.
func (c *clusterClients) do(t *testing.T, client int, random *rand.Rand, call call) {
	begun, start := c.moment.Add(1), time.Now()
	var got *answer
	for err := errNoAnswer; err != nil; {
		node := c.nodes[random.IntN(len(c.nodes))]
		got, err = answerOf(node.Do(t.Context(), domain.Actor{UserID: call.User}, call.command(), commands.WithID(call.ID)))
	}
	returned := c.moment.Add(1)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.history[call.Group] = append(c.history[call.Group], porcupine.Operation{ClientId: client, Input: call, Call: begun, Output: got.Code, Return: returned})
	c.answers[call] = got
	c.longest = max(c.longest, time.Since(start))
}

func (c *clusterClients) check(t *testing.T) {
	for group, operations := range c.history {
		require.True(t, porcupine.CheckOperations(seats, operations), "group %s", group)
	}
	log := wholeLog(t, c.nodes[0].Log())
	for call, first := range c.answers {
		again, err := answerOf(c.nodes[1].Do(t.Context(), domain.Actor{UserID: call.User}, call.command(), commands.WithID(call.ID)))
		require.NoError(t, err)
		require.Equal(t, first, again, "command %s", call.ID)
	}
	for _, node := range c.nodes {
		require.Equal(t, log, wholeLog(t, node.Log()), "every node has the same log, to which a command that is repeated adds nothing")
		require.NoError(t, node.WaitFor(t.Context(), eventstore.Position(len(log))))
		requireSameGroups(t, c.nodes[0], node)
	}
}
