package pubsub_test

import (
	"context"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/ThreeDotsLabs/watermill/message"
	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
)

// broker is a NATS server with JetStream in this process, on a port of its own.
func broker(t *testing.T) *server.Server {
	t.Helper()
	s, err := server.NewServer(&server.Options{
		Host: "127.0.0.1", Port: server.RANDOM_PORT, JetStream: true, StoreDir: t.TempDir(), NoLog: true, NoSigs: true,
	})
	require.NoError(t, err)
	s.Start()
	t.Cleanup(func() {
		s.Shutdown()
		s.WaitForShutdown()
	})
	require.True(t, s.ReadyForConnections(patience))
	return s
}

// connect is JetStream at a server.
func connect(t testing.TB, url string) jetstream.JetStream {
	t.Helper()
	connection, err := nats.Connect(url, nats.Timeout(patience))
	require.NoError(t, err)
	t.Cleanup(connection.Close)
	js, err := jetstream.New(connection, jetstream.WithDefaultTimeout(patience))
	require.NoError(t, err)
	return js
}

// stream is a stream of everything that is forwarded.
func stream(t *testing.T, js jetstream.JetStream) jetstream.Stream {
	t.Helper()
	s, err := js.CreateStream(t.Context(), jetstream.StreamConfig{Name: "grouplog", Subjects: []string{"grouplog.>"}, MaxMsgSize: 10_000})
	require.NoError(t, err)
	return s
}

// natsPublisher publishes to JetStream, topic by topic to the subject of that name, and
// returns when the messages are stored. JetStream leaves out what comes again within the
// stream's window, if it is given an ID.
type natsPublisher struct {
	jetstream.JetStream
	id bool
}

const uuidHeader = "Watermill-UUID"

func (p natsPublisher) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		out := nats.NewMsg(topic)
		out.Data = m.Payload
		out.Header.Set(uuidHeader, m.UUID)
		if p.id {
			out.Header.Set(jetstream.MsgIDHeader, topic+"/"+m.UUID)
		}
		for key, value := range m.Metadata {
			out.Header.Set(key, value)
		}
		ctx, cancel := context.WithTimeout(m.Context(), patience)
		_, err := p.PublishMsg(ctx, out)
		cancel()
		if err != nil {
			return err
		}
	}
	return nil
}

func (natsPublisher) Close() error { return nil } // the connection is its owner's

// refused reports whether JetStream will not have a message, ever.
func refused(err error) bool {
	var api *jetstream.APIError
	return errors.Is(err, nats.ErrMaxPayload) || errors.As(err, &api) && strings.Contains(api.Description, "message size exceeds")
}

// stored reads all messages of a stream.
func stored(t *testing.T, s jetstream.Stream) []*jetstream.RawStreamMsg {
	t.Helper()
	info, err := s.Info(t.Context())
	require.NoError(t, err)
	var all []*jetstream.RawStreamMsg
	for n := info.State.FirstSeq; n <= info.State.LastSeq; n++ {
		m, err := s.GetMsg(t.Context(), n)
		require.NoError(t, err)
		all = append(all, m)
	}
	return all
}

const childBroker = "GROUPLOG_TEST_BROKER"

func brokerURL() string { return os.Getenv(childBroker) }
