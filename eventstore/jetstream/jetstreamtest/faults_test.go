package jetstreamtest_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

// whole requires that every server, as the leader, gives all messages.
func (j journal) whole(t testing.TB, c *jetstreamtest.Cluster, want []string) {
	t.Helper()
	for i := range c.N() {
		require.Equal(t, want, j.textsOf(t, c, i), "server %d", i)
	}
}

// A server that is stopped hands over what it leads, and catches up when it is back.
func TestStop(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, nil)
	j := newJournal(t, c)
	j.fill(t, 5)
	leader := c.Leader(t, j.name)
	c.Stop(t, leader)
	require.NotEqual(t, leader, c.Leader(t, j.name))
	j.insist(t, "while one is away")
	c.Start(t, leader)
	c.Settle(t, j.name)
	want := j.texts(t)
	require.Contains(t, want, "while one is away")
	j.whole(t, c, want)
	c.Stop(t, 0, 1, 2)
	c.Start(t, 0, 1, 2)
	j.insist(t, "after all were away")
	require.Equal(t, append(want, "after all were away"), j.texts(t))
}

// A leader that is cut off acknowledges nothing, though clients reach it; the others
// choose another, and it follows that one when the network is whole.
func TestPartition(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, nil)
	j := newJournal(t, c)
	j.fill(t, 5)
	old := c.Leader(t, j.name)
	alone := journalOn(t, c.ConnectTo(t, old), j.name)
	others := journalOn(t, c.ConnectTo(t, (old+1)%3), j.name)
	c.Partition(t, old)
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
	defer cancel()
	require.Error(t, alone.publish(ctx, "to the old leader"), "acknowledged by one of three")

	others.insist(t, "to the new leader")
	require.NotEqual(t, old, c.Leader(t, j.name))
	others.insist(t, "again")

	c.Heal(t)
	c.Settle(t, j.name)
	alone.insist(t, "to the old leader, that leads no more")
	want := j.texts(t)
	require.Contains(t, want, "to the new leader")
	j.whole(t, c, want)
}

// Two servers that are cut off from one are those that go on.
func TestPartitionOfTwo(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, nil)
	j := newJournal(t, c)
	c.Lead(t, j.name, 2)
	c.Partition(t, 0, 1)
	require.NotEqual(t, 2, c.Leader(t, j.name))
	journalOn(t, c.ConnectTo(t, 0), j.name).insist(t, "to the two")
}

// Servers that start while the network is cut do not find a way around.
func TestStartInAPartition(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, nil)
	j := newJournal(t, c)
	j.fill(t, 3)
	c.Settle(t, j.name)
	c.Partition(t, 0)
	c.Stop(t, 1)
	c.Start(t, 1)
	journalOn(t, c.ConnectTo(t, 1), j.name).insist(t, "to the two")
	c.Settle(t, j.name)
	require.EqualValues(t, 4, c.State(t, 1, j.name).LastSeq)
	require.EqualValues(t, 3, c.State(t, 0, j.name).LastSeq)
	c.Stop(t, 0)
	c.Start(t, 0)
	require.EqualValues(t, 3, c.State(t, 0, j.name).LastSeq)
	c.Heal(t)
	c.Settle(t, j.name)
	require.EqualValues(t, 4, c.State(t, 0, j.name).LastSeq)
}

// A server that is killed catches up when it is back, and so do all.
func TestKill(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.StartProcesses(t, nil)
	j := newJournal(t, c)
	j.fill(t, 5)
	leader := c.Leader(t, j.name)
	c.Kill(t, leader)
	j.insist(t, "while one is dead")
	require.NotEqual(t, leader, c.Leader(t, j.name))
	c.Start(t, leader)
	c.Settle(t, j.name)
	want := j.texts(t)
	require.Contains(t, want, "while one is dead")
	c.KillAll(t)
	c.Start(t, 0, 1, 2)
	c.Settle(t, j.name)
	j.whole(t, c, want)
}

// A server that is paused is one that is away, and takes its place when it goes on.
func TestPause(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.StartProcesses(t, nil)
	j := newJournal(t, c)
	j.fill(t, 5)
	leader := c.Leader(t, j.name)
	other := journalOn(t, c.ConnectTo(t, (leader+1)%3), j.name)
	c.Pause(t, leader)
	other.insist(t, "while one stands still")
	require.NotEqual(t, leader, c.Leader(t, j.name))
	c.Resume(t, leader)
	c.Settle(t, j.name)
	j.whole(t, c, other.texts(t))
	c.Stop(t, leader)
	c.Start(t, leader)
}

// A server that has lost its disk gets everything from the others.
func TestWipe(t *testing.T) {
	t.Parallel()
	c := jetstreamtest.Start(t, nil)
	j := newJournal(t, c)
	j.fill(t, 50)
	want := j.texts(t)
	c.Stop(t, 1)
	c.Wipe(t, 1)
	require.NoDirExists(t, c.StoreDir(1))
	c.Start(t, 1)
	c.Settle(t, j.name)
	c.Stop(t, 1)
	require.NotEmpty(t, c.Blocks(t, 1, j.name))
	c.Start(t, 1)
	j.whole(t, c, want)
}

// damage damages what server 0 keeps of 24 messages in two blocks while it does not run,
// and returns what it says and gives as the leader afterwards, beside what the others
// give.
func damage(t *testing.T, how func(c *jetstreamtest.Cluster, stream string)) (state jetstream.StreamState, damaged, sound []string) {
	t.Parallel()
	c := jetstreamtest.Start(t, nil)
	j := newJournal(t, c)
	long := strings.Repeat(" ", long) // a block is of 8 MB
	for i := range 24 {
		j.insist(t, fmt.Sprintf("message %d.%s", i+1, long))
	}
	c.Settle(t, j.name)
	c.Stop(t, 0)
	require.Len(t, c.Blocks(t, 0, j.name), 2)
	how(c, j.name)
	c.Start(t, 0)
	c.Settle(t, j.name)
	state = c.State(t, 0, j.name)
	damaged, sound = j.textsOf(t, c, 0), j.textsOf(t, c, 1)
	require.Len(t, sound, 24)
	require.NotContains(t, sound, "!")
	return state, damaged, sound
}

// long is of how many bytes a message is that soon fills a block.
const long = 500_000

// missing are the numbers of the messages that there are not.
func missing(texts []string) (numbers []int) {
	for i, text := range texts {
		if text == "!" {
			numbers = append(numbers, i+1)
		}
	}
	return numbers
}

// A message of which a bit is wrong cannot be read, and its server does not know.
func TestFlipBit(t *testing.T) {
	state, damaged, _ := damage(t, func(c *jetstreamtest.Cluster, stream string) { c.FlipBit(t, 0, stream, "message 5.") })
	require.Equal(t, []int{5}, missing(damaged))
	require.Zero(t, state.NumDeleted)
}

// Without the index, the rest of the block is lost as well.
func TestFlipBitWithoutIndex(t *testing.T) {
	state, damaged, _ := damage(t, func(c *jetstreamtest.Cluster, stream string) {
		c.FlipBit(t, 0, stream, "message 5.")
		c.LoseIndex(t, 0, stream)
	})
	lost := missing(damaged)
	require.Equal(t, 5, lost[0])
	require.Greater(t, len(lost), 5)
	require.Equal(t, len(lost), state.NumDeleted)
}

// The messages that were cut off are lost, and their server goes on from where it was.
func TestTruncate(t *testing.T) {
	state, damaged, _ := damage(t, func(c *jetstreamtest.Cluster, stream string) { c.Truncate(t, 0, stream, 3*long/2) })
	require.Equal(t, []int{23, 24}, missing(damaged))
	require.EqualValues(t, 24, state.LastSeq)
}

// Without the index, the server notices, and gets them from the others.
func TestTruncateWithoutIndex(t *testing.T) {
	state, damaged, sound := damage(t, func(c *jetstreamtest.Cluster, stream string) {
		c.Truncate(t, 0, stream, 3*long/2)
		c.LoseIndex(t, 0, stream)
	})
	require.EqualValues(t, 24, state.Msgs, "settled")
	require.True(t, slices.Equal(sound, damaged)) // too long to be shown
}
