package jetstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// round lets callers append for a second, each to a stream of its own, and returns how
// many appends a second they made, and how many milliseconds one took, in the middle.
func round(b *testing.B, callers int, appendOnce func(caller, n int) error) (rate, median float64) {
	b.Helper()
	var (
		mu    sync.Mutex
		took  []float64
		all   sync.WaitGroup
		start = time.Now()
	)
	for caller := range callers {
		all.Go(func() {
			var mine []float64
			for n := 0; time.Since(start) < time.Second; n++ {
				before := time.Now()
				if err := appendOnce(caller, n); err != nil {
					b.Error(err)
					return
				}
				mine = append(mine, float64(time.Since(before).Microseconds())/1000)
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	all.Wait()
	require.NotEmpty(b, took)
	slices.Sort(took)
	return float64(len(took)) / time.Since(start).Seconds(), took[len(took)/2]
}

// BenchmarkAppend compares appends to a log in a cluster with bare publishing, checked in
// the same way, with publishing the whole message and hearing of it, and with a SQLite
// log on the same disk: four sides in turn, a second each. The servers are processes.
// The figures are medians of the rounds (-benchtime 5x).
func BenchmarkAppend(b *testing.B) {
	for _, sync := range []string{"always", "lazy"} {
		cluster := jetstreamtest.StartProcesses(b, &jetstreamtest.Options{Lazy: sync == "lazy", Direct: true})
		store := node(b, cluster.URL()+"/bench?sync="+sync)
		bare := newBare(b, cluster.Connect(b), "bare", false)
		seen := newBare(b, cluster.Connect(b), "seen", true)
		file, err := sqlite.Open(b.Context(), filepath.Join(b.TempDir(), "groups.db"), nil)
		require.NoError(b, err)
		b.Cleanup(func() { require.NoError(b, file.Close()) })
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", sync, callers), func(b *testing.B) {
				var x, xSeen, xFile, rates, medians, floors []float64
				for i := 0; b.Loop(); i++ {
					name := fmt.Sprintf("%d-%d", callers, i)
					ours, median := round(b, callers, appendTo(store, name))
					theirs, floor := round(b, callers, bare.append(name, callers))
					heard, _ := round(b, callers, seen.append(name, callers))
					alone, _ := round(b, callers, appendTo(file, name))
					x, xSeen, xFile = append(x, ours/theirs), append(xSeen, ours/heard), append(xFile, ours/alone)
					rates, medians, floors = append(rates, ours), append(medians, median), append(floors, floor)
				}
				for unit, values := range map[string][]float64{
					"x-bare": x, "x-seen": xSeen, "x-sqlite": xFile, "appends/s": rates, "p50-ms": medians, "bare-p50-ms": floors,
				} {
					slices.Sort(values)
					b.ReportMetric(values[len(values)/2], unit)
				}
				b.ReportMetric(0, "ns/op")
			})
		}
	}
}

// BenchmarkFill fills an empty replica from a log of so many messages (GROUPLOG_BENCH_EVENTS,
// 50 000 unless said), as a node does that opens it for the first time.
func BenchmarkFill(b *testing.B) {
	n := 50_000
	if text := os.Getenv("GROUPLOG_BENCH_EVENTS"); text != "" {
		var err error
		n, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	cluster := jetstreamtest.Start(b, &jetstreamtest.Options{Lazy: true, Direct: true})
	address := cluster.URL() + "/bench?sync=lazy"
	store := node(b, address)
	for from := 0; from < n; from += 500 {
		var commits []eventstore.Commit
		for i := from; i < min(from+500, n); i++ {
			commits = append(commits, commitTo(fmt.Sprint("group:", i), 0))
		}
		_, err := store.Append(b.Context(), commits...)
		require.NoError(b, err)
	}
	var rates []float64
	for b.Loop() {
		begun := time.Now()
		node(b, address)
		rates = append(rates, float64(n)/time.Since(begun).Seconds())
	}
	slices.Sort(rates)
	b.ReportMetric(rates[len(rates)/2], "records/s")
	b.ReportMetric(0, "ns/op")
}

func commitTo(stream string, after int) eventstore.Commit {
	return eventstore.Commit{
		Stream: stream, Expect: eventstore.Exactly(eventstore.Version(after)),
		Events: []eventstore.Event{{Type: "member.joined", Schema: 1, Data: payload, Actor: "alice", Time: time.Unix(1, 0)}},
	}
}

// appendTo appends to a stream for each caller.
func appendTo(store eventstore.Store, name string) func(caller, n int) error {
	return func(caller, n int) error {
		results, err := store.Append(context.Background(), commitTo(fmt.Sprintf("group:%s-%d", name, caller), n))
		if err != nil {
			return err
		}
		return results[0].Err
	}
}

var payload = []byte(`{"userID":"u-0123456789","by":"alice","via":"join","at":"2024-01-01T00:00:00Z","role":"member","filler":"0123456789012345678901234567890123456789012345678901234567890123456789"}`)

// bare publishes messages like those of a log, with the same check, and nothing else. One
// that sees has the servers tell of each, as a log does, and an append ends when this
// process has heard of it: what is left of an append when nothing is done with its message.
type bare struct {
	conn *nats.Conn
	name string
	sees bool

	mu   sync.Mutex
	seen map[string]chan struct{} // by the message's ID; closed when it was heard of
}

// envelope is what a message of a log has around an event's data.
const envelope = `{"format":1,"stream":"group:1-1-1","after":%d,"commits":[{"events":[` +
	`{"type":"member.joined","schema":1,"time":"1970-01-01T00:00:01Z","actor":"alice","data":%s}]}]}`

func newBare(b testing.TB, conn *nats.Conn, name string, sees bool) *bare {
	x := &bare{conn: conn, name: name, sees: sees, seen: map[string]chan struct{}{}}
	js, err := conn.JetStream()
	require.NoError(b, err)
	config := &nats.StreamConfig{Name: name, Subjects: []string{name + ".>"}, Replicas: 3}
	if sees {
		config.RePublish = &nats.RePublish{Source: name + ".>", Destination: "bell." + name + ".>", HeadersOnly: true}
		_, err = conn.Subscribe("bell."+name+".>", x.hear)
		require.NoError(b, err)
	}
	_, err = js.AddStream(config)
	require.NoError(b, err)
	return x
}

func (x *bare) hear(m *nats.Msg) {
	id := m.Header.Get("Nats-Msg-Id")
	x.mu.Lock()
	defer x.mu.Unlock()
	close(x.seen[id])
	delete(x.seen, id)
}

// expect returns what is closed when a message was heard of.
func (x *bare) expect(id string) chan struct{} {
	seen := make(chan struct{})
	if !x.sees {
		close(seen)
		return seen
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	x.seen[id] = seen
	return seen
}

func (x *bare) append(round string, callers int) func(caller, n int) error {
	last := make([]uint64, callers)
	return func(caller, _ int) error {
		id := nats.NewInbox()
		seen := x.expect(id)
		m := nats.NewMsg(fmt.Sprintf("%s.%s-%d", x.name, round, caller))
		m.Data = fmt.Appendf(nil, envelope, last[caller], payload)
		m.Header.Set("Nats-Expected-Stream", x.name)
		m.Header.Set("Grouplog-Checksum", "01234567")
		m.Header.Set("Nats-Expected-Last-Subject-Sequence", fmt.Sprint(last[caller]))
		m.Header.Set("Nats-Msg-Id", id)
		var ack struct {
			Seq   uint64 `json:"seq"`
			Error *struct {
				Code int `json:"err_code"`
			} `json:"error"`
		}
		for { // the leader may still think of the last one as being on its way
			reply, err := x.conn.RequestMsg(m, 10*time.Second)
			if err != nil {
				return err
			}
			ack.Error = nil
			if err := json.Unmarshal(reply.Data, &ack); err != nil {
				return err
			}
			if ack.Error == nil || ack.Error.Code != 10164 {
				break
			}
		}
		if ack.Error != nil {
			return fmt.Errorf("error %d", ack.Error.Code)
		}
		last[caller] = ack.Seq
		<-seen
		return nil
	}
}
