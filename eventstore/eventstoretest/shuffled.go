package eventstoretest

import (
	"context"
	"iter"
	"math/rand/v2"
	"runtime"
	"sync"

	"github.com/grouplog/grouplog/eventstore"
)

var (
	_ eventstore.Store         = (*ShuffledStore)(nil)
	_ eventstore.Importer      = (*ShuffledStore)(nil)
	_ eventstore.OutcomeLister = (*ShuffledStore)(nil)
)

// ShuffledStore is a store that keeps the order of each stream only, as stores may that
// are spread over machines: of the commits of one call, those to each stream are stored
// apart, in an order that is drawn, and others may append in between. Where one of these
// appends fails, the results of its commits say so, and those of the others do not. Its
// methods may be called from any number of goroutines.
type ShuffledStore struct {
	eventstore.Store

	closing sync.RWMutex // held for reading by every append
	mu      sync.Mutex
	random  *rand.Rand
}

// Shuffled wraps a store. The same seed draws the same orders.
func Shuffled(store eventstore.Store, seed uint64) *ShuffledStore {
	return &ShuffledStore{Store: store, random: rand.New(rand.NewPCG(seed, 0))}
}

// Append stores the commits, stream by stream.
func (s *ShuffledStore) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if err := eventstore.ValidateAll(commits); err != nil || len(commits) == 0 {
		return nil, err
	}
	s.closing.RLock()
	defer s.closing.RUnlock()
	results := make([]eventstore.Result, len(commits))
	for turn, places := range s.draw(commits) {
		some := make([]eventstore.Commit, len(places))
		for i, place := range places {
			some[i] = commits[place]
		}
		stored, err := s.Store.Append(ctx, some...)
		if err != nil && turn == 0 {
			return nil, err
		}
		for i, place := range places {
			if results[place].Err = err; err == nil {
				results[place] = stored[i]
			}
		}
		ctx = context.WithoutCancel(ctx) // some of it is stored
		runtime.Gosched()
	}
	return results, nil
}

// draw is the places of the commits to each stream, the streams in a drawn order.
func (s *ShuffledStore) draw(commits []eventstore.Commit) [][]int {
	var streams [][]int
	known := map[string]int{}
	for place, c := range commits {
		at, ok := known[c.Stream]
		if !ok {
			at = len(streams)
			known[c.Stream], streams = at, append(streams, nil)
		}
		streams[at] = append(streams[at], place)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.random.Shuffle(len(streams), func(i, k int) { streams[i], streams[k] = streams[k], streams[i] })
	return streams
}

// Import keeps the order of all commits, as the store does.
func (s *ShuffledStore) Import(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	return eventstore.Import(ctx, s.Store, commits...)
}

// Outcomes lists the outcomes of the store.
func (s *ShuffledStore) Outcomes(ctx context.Context, after string) iter.Seq2[eventstore.Outcome, error] {
	return eventstore.Outcomes(ctx, s.Store, after)
}

// Close waits for appends, and closes the store.
func (s *ShuffledStore) Close() error {
	s.closing.Lock()
	defer s.closing.Unlock()
	return s.Store.Close()
}
