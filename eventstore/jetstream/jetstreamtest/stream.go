package jetstreamtest

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// Leader waits until a stream has a leader among the servers that run and reach most
// others, and is its number.
func (c *Cluster) Leader(t testing.TB, stream string) (server int) {
	t.Helper()
	await(t, "a leader of stream "+stream, func(ctx context.Context) error {
		info, err := c.info(ctx, stream)
		if err == nil {
			server, err = c.number(info.Cluster.Leader)
		}
		return err
	})
	return server
}

// number is that of the server of a name.
func (c *Cluster) number(name string) (int, error) {
	for _, i := range c.together() {
		if c.Name(i) == name {
			return i, nil
		}
	}
	return 0, fmt.Errorf("%q is no server that runs", name)
}

// info is what a stream's leader says of it, to one of the servers that can know.
func (c *Cluster) info(ctx context.Context, stream string) (*jetstream.StreamInfo, error) {
	var failed error
	for _, i := range c.together() {
		connection, err := nats.Connect(c.URLOf(i), nats.NoReconnect())
		if err == nil {
			var info *jetstream.StreamInfo
			info, err = infoBy(ctx, connection, stream)
			connection.Close()
			if err == nil {
				return info, nil
			}
		}
		failed = errors.Join(failed, fmt.Errorf("%s: %w", c.Name(i), err))
	}
	return nil, failed
}

func infoBy(ctx context.Context, connection *nats.Conn, stream string) (*jetstream.StreamInfo, error) {
	js, err := jetstream.New(connection)
	if err != nil {
		return nil, err
	}
	s, err := js.Stream(ctx, stream)
	if err != nil {
		return nil, err
	}
	info := s.CachedInfo()
	if info.Cluster == nil { // a server by itself
		info.Cluster = &jetstream.ClusterInfo{Leader: connection.ConnectedServerName()}
	}
	return info, nil
}

// Lead has a server lead a stream.
func (c *Cluster) Lead(t testing.TB, stream string, server int) {
	t.Helper()
	subject, order := "$JS.API.STREAM.LEADER.STEPDOWN."+stream, fmt.Appendf(nil, `{"placement":{"preferred":%q}}`, c.Name(server))
	await(t, fmt.Sprintf("server %d leads stream %s", server, stream), func(ctx context.Context) error {
		info, err := c.info(ctx, stream)
		if err != nil || info.Cluster.Leader == c.Name(server) {
			return err
		}
		connection, err := nats.Connect(c.URLOf(server), nats.NoReconnect())
		if err != nil {
			return err
		}
		defer connection.Close()
		answer, err := connection.RequestWithContext(ctx, subject, order)
		if err != nil {
			return err
		}
		return fmt.Errorf("%s leads, and has answered %s", info.Cluster.Leader, answer.Data)
	})
}

// State is what one server itself holds of a stream, and says that it holds: a server
// whose files are damaged may not know.
func (c *Cluster) State(t testing.TB, server int, stream string) (state jetstream.StreamState) {
	t.Helper()
	await(t, fmt.Sprintf("server %d has stream %s", server, stream), func(ctx context.Context) error {
		var err error
		state, err = c.state(ctx, server, stream)
		return err
	})
	return state
}

func (c *Cluster) state(ctx context.Context, server int, stream string) (jetstream.StreamState, error) {
	var jsz struct {
		Accounts []struct {
			Streams []struct {
				Name  string                `json:"name"`
				State jetstream.StreamState `json:"state"`
			} `json:"stream_detail"`
		} `json:"account_details"`
	}
	text, err := c.ask(ctx, server, "/jsz?accounts=true&streams=true")
	if err == nil {
		err = json.Unmarshal(text, &jsz)
	}
	for _, account := range jsz.Accounts {
		for _, s := range account.Streams {
			if s.Name == stream {
				return s.State, err
			}
		}
	}
	return jetstream.StreamState{}, errors.Join(err, fmt.Errorf("%s has no stream %s", c.Name(server), stream))
}

// Settle waits until all servers that run and reach most others have as much of a stream
// as its leader, as far as they know.
func (c *Cluster) Settle(t testing.TB, stream string) {
	t.Helper()
	await(t, "the replicas of stream "+stream, func(ctx context.Context) error {
		info, err := c.info(ctx, stream)
		if err != nil {
			return err
		}
		for _, i := range c.together() {
			state, err := c.state(ctx, i, stream)
			if err != nil {
				return err
			}
			if state.LastSeq != info.State.LastSeq {
				return fmt.Errorf("%s has come to %d of %d", c.Name(i), state.LastSeq, info.State.LastSeq)
			}
		}
		for _, replica := range info.Cluster.Replicas {
			if _, err := c.number(replica.Name); err == nil && !replica.Current {
				return fmt.Errorf("%s is %d behind", replica.Name, replica.Lag)
			}
		}
		return nil
	})
}

// requireStopped fails the test where a server runs whose files are to be touched.
func (c *Cluster) requireStopped(t testing.TB, server int) {
	t.Helper()
	require.Nil(t, c.members[server].runs, "server %d must be stopped before its files are touched", server)
}
