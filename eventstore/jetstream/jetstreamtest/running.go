package jetstreamtest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// Start starts servers that do not run, with the stores and ports that they had, and
// waits until they take part: where most of the servers reach each other, until those
// follow a leader; where all do, until all can be given a stream to keep (but not with
// Files, whose users may not be allowed to make and delete one); else until clients are
// taken.
func (c *Cluster) Start(t testing.TB, servers ...int) {
	t.Helper()
	for _, i := range servers {
		m := c.members[i]
		require.Nil(t, m.runs, "server %d runs", i)
		runs, err := c.run(m.node)
		require.NoError(t, err, "server %d", i)
		c.mu.Lock()
		m.runs, m.paused = runs, false
		c.mu.Unlock()
	}
	together := c.together()
	for _, i := range servers {
		await(t, fmt.Sprintf("server %d takes clients", i), func(ctx context.Context) error { return c.listens(ctx, i) })
	}
	if 2*len(together) <= c.N() {
		return
	}
	for _, i := range together {
		await(t, fmt.Sprintf("server %d has a leader to follow", i), func(ctx context.Context) error {
			_, err := c.ask(ctx, i, "/healthz?js-meta-only=true")
			return err
		})
	}
	if len(together) == c.N() && !c.foreign {
		await(t, "a stream can be made", c.tryStream)
	}
}

// tryStream makes a stream that all servers keep, and deletes it. For some time after a
// leader is there, it has not heard from all, and makes none.
func (c *Cluster) tryStream(ctx context.Context) error {
	connection, err := nats.Connect(c.urls(probe), nats.NoReconnect())
	if err != nil {
		return err
	}
	defer connection.Close()
	js, err := jetstream.New(connection)
	if err != nil {
		return err
	}
	const name = "jetstreamtest-can-streams-be-made"
	_, err = js.CreateOrUpdateStream(ctx, jetstream.StreamConfig{Name: name, Subjects: []string{name}, Replicas: c.N()})
	if err != nil {
		return err
	}
	return js.DeleteStream(ctx, name)
}

func (c *Cluster) listens(ctx context.Context, i int) error {
	m := c.members[i]
	if err := m.runs.ended(); err != nil {
		return err
	}
	var dialer net.Dialer
	connection, err := dialer.DialContext(ctx, "tcp", address(m.Client))
	if err != nil {
		return err
	}
	return connection.Close()
}

// ask is an answer of a server's monitoring.
func (c *Cluster) ask(ctx context.Context, i int, what string) ([]byte, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, c.Monitor(i)+what, nil)
	if err != nil {
		return nil, err
	}
	request.Close = true // leaves nothing behind
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }() // it is read
	text, err := io.ReadAll(response.Body)
	if err == nil && response.StatusCode != http.StatusOK {
		err = fmt.Errorf("%s %s answers %s", c.Name(i), what, text)
	}
	return text, err
}

// Stop stops servers as an operator does. What they lead, others lead at once.
func (c *Cluster) Stop(t testing.TB, servers ...int) {
	t.Helper()
	for _, i := range servers {
		runs := c.take(t, i)
		runs.stop()
	}
}

// take is what runs of a server, which is to end.
func (c *Cluster) take(t testing.TB, i int) runner {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	m := c.members[i]
	require.NotNil(t, m.runs, "server %d does not run", i)
	require.False(t, m.paused, "server %d is paused", i)
	runs := m.runs
	m.runs = nil
	return runs
}

// Kill kills the processes of servers.
func (c *Cluster) Kill(t testing.TB, servers ...int) {
	t.Helper()
	for _, i := range servers {
		c.mu.Lock()
		m := c.members[i]
		runs := m.runs
		require.NotNil(t, runs, "server %d does not run", i)
		c.mu.Unlock()
		require.NoError(t, runs.kill(), "server %d", i)
		c.mu.Lock()
		m.runs, m.paused = nil, false
		c.mu.Unlock()
	}
}

// KillAll kills all servers that run.
func (c *Cluster) KillAll(t testing.TB) {
	t.Helper()
	for i, m := range c.members {
		if m.runs != nil {
			c.Kill(t, i)
		}
	}
}

// Pause has the processes of servers stand still: they answer nothing, and do not know.
func (c *Cluster) Pause(t testing.TB, servers ...int) { t.Helper(); c.pause(t, true, servers) }

// Resume has them go on.
func (c *Cluster) Resume(t testing.TB, servers ...int) { t.Helper(); c.pause(t, false, servers) }

func (c *Cluster) pause(t testing.TB, on bool, servers []int) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, i := range servers {
		m := c.members[i]
		require.NotNil(t, m.runs, "server %d does not run", i)
		require.NoError(t, m.runs.pause(on), "server %d", i)
		m.paused = on
	}
}

const (
	patience = 3 * time.Minute       // after which a test gives up
	tick     = 20 * time.Millisecond // between two looks at what it waits for
	longest  = 10 * time.Second      // for one answer, or a connection: two seconds are few on a busy machine
)

// await asks for something until it is there, which is when there is no error. Each time
// it waits longer for an answer: who has none in a moment is asked once more at first,
// and a slow machine gets its time.
func await(t testing.TB, what string, ask func(context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	again := time.NewTicker(tick)
	defer again.Stop()
	for long := 200 * time.Millisecond; ; long = min(2*long, longest) {
		one, stop := context.WithTimeout(ctx, long)
		err := ask(one)
		stop()
		if err == nil {
			return
		}
		select {
		case <-again.C:
		case <-ctx.Done():
			require.FailNow(t, fmt.Sprintf("waited for this: %s: %v", what, err))
		}
	}
}
