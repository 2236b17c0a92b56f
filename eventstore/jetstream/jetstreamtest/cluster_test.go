package jetstreamtest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(jetstreamtest.Main(m)) }

// journal is a stream of a test's own.
type journal struct {
	jetstream.JetStream
	name string
}

// newJournal makes a stream with as many replicas as there are servers. An answer may be
// lost where routes have just been made.
func newJournal(t testing.TB, c *jetstreamtest.Cluster) journal {
	t.Helper()
	j := journalOn(t, c.Connect(t), jetstreamtest.StreamName(t))
	insist(t, func(ctx context.Context) error {
		_, err := j.CreateStream(ctx, jetstream.StreamConfig{Name: j.name, Subjects: []string{j.name}, Replicas: c.N()})
		return err
	})
	return j
}

// insist asks until there is no error, and each time waits longer for an answer.
func insist(t testing.TB, ask func(context.Context) error) {
	t.Helper()
	begun := time.Now()
	for long := time.Second; ; long = min(2*long, time.Minute) {
		ctx, cancel := context.WithTimeout(t.Context(), long)
		err := ask(ctx)
		cancel()
		if err == nil {
			return
		}
		require.Less(t, time.Since(begun), 5*time.Minute, err)
	}
}

func journalOn(t testing.TB, connection *nats.Conn, name string) journal {
	t.Helper()
	js, err := jetstream.New(connection)
	require.NoError(t, err)
	return journal{js, name}
}

// publish publishes a message, which the stream keeps once however often it comes.
func (j journal) publish(ctx context.Context, text string) error {
	_, err := j.Publish(ctx, j.name, []byte(text), jetstream.WithMsgID(strings.TrimSpace(text)), jetstream.WithRetryAttempts(0))
	return err
}

// insist publishes a message until it is acknowledged.
func (j journal) insist(t testing.TB, text string) {
	t.Helper()
	insist(t, func(ctx context.Context) error { return j.publish(ctx, text) })
}

// fill publishes so many messages, each acknowledged.
func (j journal) fill(t testing.TB, n int) {
	t.Helper()
	for i := range n {
		j.insist(t, fmt.Sprintf("message %d", i+1))
	}
}

// texts are the messages as the stream's leader gives them, and "!" where it has none.
func (j journal) texts(t testing.TB) (all []string) {
	t.Helper()
	var s jetstream.Stream
	insist(t, func(ctx context.Context) (err error) {
		s, err = j.Stream(ctx, j.name)
		return err
	})
	for n := uint64(1); n <= s.CachedInfo().State.LastSeq; n++ {
		insist(t, func(ctx context.Context) error {
			m, err := s.GetMsg(ctx, n)
			var none *jetstream.APIError
			switch {
			case errors.As(err, &none) && none.Code != http.StatusServiceUnavailable:
				all = append(all, "!")
			case err != nil:
				return err
			default:
				all = append(all, string(m.Data))
			}
			return nil
		})
	}
	return all
}

// textsOf are the messages as a server gives them that leads the stream all the while.
func (j journal) textsOf(t testing.TB, c *jetstreamtest.Cluster, server int) []string {
	t.Helper()
	for {
		c.Lead(t, j.name, server)
		if all := j.texts(t); c.Leader(t, j.name) == server {
			return all
		}
	}
}

// get asks a server's monitoring.
func get(t testing.TB, url string, into any) {
	t.Helper()
	request, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	require.NoError(t, err)
	request.Close = true
	response, err := http.DefaultClient.Do(request)
	require.NoError(t, err)
	defer response.Body.Close()
	require.Equal(t, http.StatusOK, response.StatusCode)
	require.NoError(t, json.NewDecoder(response.Body).Decode(into))
}

type varz struct {
	JetStream struct {
		Config struct {
			SyncAlways bool  `json:"sync_always"`
			MaxStorage int64 `json:"max_storage"`
		} `json:"config"`
	} `json:"jetstream"`
}

func TestShared(t *testing.T) {
	c := jetstreamtest.Shared(t)
	j := newJournal(t, c)
	j.fill(t, 10)
	require.Len(t, j.texts(t), 10)
	for i := range c.N() {
		var v varz
		get(t, c.Monitor(i)+"/varz", &v)
		require.True(t, v.JetStream.Config.SyncAlways)
		require.Len(t, j.textsOf(t, c, i), 10)
	}
	require.Same(t, c, jetstreamtest.Shared(t))
}

func TestOptions(t *testing.T) {
	c := jetstreamtest.Start(t, &jetstreamtest.Options{Servers: 1, Lazy: true, MaxFileStore: 1 << 20, App: url.UserPassword("me", "it is I"), Config: "max_payload: 1000"})
	newJournal(t, c).fill(t, 1)
	var v varz
	get(t, c.Monitor(0)+"/varz", &v)
	require.False(t, v.JetStream.Config.SyncAlways)
	require.EqualValues(t, 1<<20, v.JetStream.Config.MaxStorage)
	require.EqualValues(t, 1000, c.Connect(t).MaxPayload())

	requireStranger(t, c, nil)
	requireStranger(t, c, url.UserPassword("me", "it is you"))
	answer, err := c.ConnectSystem(t).RequestWithContext(t.Context(), "$SYS.REQ.SERVER.PING", nil)
	require.NoError(t, err)
	require.Contains(t, string(answer.Data), c.Name(0))
}

// requireStranger requires that a user is not let in.
func requireStranger(t testing.TB, c *jetstreamtest.Cluster, who *url.Userinfo) {
	t.Helper()
	where, err := url.Parse(c.URLOf(0))
	require.NoError(t, err)
	where.User = who
	_, err = nats.Connect(where.String(), nats.Timeout(time.Minute))
	require.ErrorIs(t, err, nats.ErrAuthorization)
}
