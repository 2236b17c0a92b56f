package jetstream_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

// round lets callers append for a while, each to streams of its own, and returns how many
// appends a second they made, and how long one took, in the middle.
func round(callers int, d time.Duration, appendOnce func(caller, n int) error) (rate float64, median time.Duration, err error) {
	var (
		mu    sync.Mutex
		took  []time.Duration
		all   sync.WaitGroup
		start = time.Now()
	)
	for caller := range callers {
		all.Go(func() {
			var mine []time.Duration
			for n := 0; time.Since(start) < d; n++ {
				before := time.Now()
				if failed := appendOnce(caller, n); failed != nil {
					mu.Lock()
					err = failed
					mu.Unlock()
					return
				}
				mine = append(mine, time.Since(before))
			}
			mu.Lock()
			defer mu.Unlock()
			took = append(took, mine...)
		})
	}
	all.Wait()
	slices.Sort(took)
	return float64(len(took)) / time.Since(start).Seconds(), took[len(took)/2], err
}

func BenchmarkAppend(b *testing.B) {
	for _, lazy := range []bool{false, true} {
		cluster := jetstreamtest.Start(b, &jetstreamtest.Options{Lazy: lazy})
		name, sync := "always", "always"
		if lazy {
			name, sync = "lazy", "lazy"
		}
		store, err := jetstream.Open(b.Context(), cluster.URL()+"/bench?sync="+sync, filepath.Join(b.TempDir(), "r.db"), nil)
		require.NoError(b, err)
		defer store.Close()
		bare := newBare(b, cluster.Connect(b))
		for _, callers := range []int{1, 8, 64} {
			b.Run(fmt.Sprintf("%s/%d", name, callers), func(b *testing.B) {
				var ratios []float64
				var mine, floor time.Duration
				var rate float64
				for i := 0; b.Loop(); i++ {
					ours, mineNow, err := round(callers, time.Second, func(caller, n int) error {
						_, err := store.Append(context.Background(), eventstore.Commit{
							Stream: fmt.Sprintf("group:%d-%d-%d", callers, i, caller), Expect: eventstore.Exactly(eventstore.Version(n)),
							Events: []eventstore.Event{{Type: "member.joined", Schema: 1, Data: payload, Actor: "alice", Time: time.Unix(1, 0)}},
						})
						return err
					})
					require.NoError(b, err)
					theirs, floorNow, err := round(callers, time.Second, bare.append(fmt.Sprintf("%d-%d", callers, i), callers))
					require.NoError(b, err)
					ratios, mine, floor, rate = append(ratios, ours/theirs), mineNow, floorNow, ours
				}
				slices.Sort(ratios)
				b.ReportMetric(ratios[len(ratios)/2], "x-bare")
				b.ReportMetric(rate, "appends/s")
				b.ReportMetric(float64(mine.Microseconds()), "p50-µs")
				b.ReportMetric(float64(floor.Microseconds()), "bare-p50-µs")
			})
		}
	}
}

var payload = []byte(`{"userID":"u-0123456789","by":"alice","via":"join","at":"2024-01-01T00:00:00Z","role":"member","filler":"0123456789012345678901234567890123456789012345678901234567890123456789"}`)

type bare struct {
	conn *nats.Conn
	mu   sync.Mutex
}

func newBare(b *testing.B, conn *nats.Conn) *bare {
	js, err := conn.JetStream()
	require.NoError(b, err)
	_, err = js.AddStream(&nats.StreamConfig{Name: "BARE", Subjects: []string{"bare.>"}, Replicas: 3})
	require.NoError(b, err)
	return &bare{conn: conn}
}

func (x *bare) append(round string, callers int) func(caller, n int) error {
	last := make([]uint64, callers)
	return func(caller, _ int) error {
		m := nats.NewMsg(fmt.Sprintf("bare.%s-%d", round, caller))
		m.Data = payload
		m.Header.Set("Nats-Expected-Last-Subject-Sequence", fmt.Sprint(last[caller]))
		m.Header.Set("Nats-Msg-Id", nats.NewInbox())
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
		return nil
	}
}
