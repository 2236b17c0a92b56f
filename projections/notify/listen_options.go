package notify

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
)

// Defaults of a durable listener.
const (
	DefaultAttempts     = 10
	DefaultFirstBackoff = 500 * time.Millisecond
	DefaultMostBackoff  = 5 * time.Minute
)

// ListenOption changes a durable listener.
type ListenOption func(*listenOptions)

type listenOptions struct {
	begin    func(head eventstore.Position) eventstore.Position
	attempts int
	first    time.Duration
	most     time.Duration
	jitter   func() float64
	user     string
	streams  []string
	kinds    []Kind
}

// FromStart has a new name begin with the first event of the log, instead of with what
// happens from now on. A name that is known goes on where it was.
func FromStart() ListenOption { return After(0) }

// After has a new name begin after a position of the log. A name that is known goes on
// where it was.
func After(p eventstore.Position) ListenOption {
	return func(o *listenOptions) { o.begin = func(eventstore.Position) eventstore.Position { return p } }
}

// Attempts is how often to try a notification before it is parked; DefaultAttempts where
// it is not given.
func Attempts(n int) ListenOption { return func(o *listenOptions) { o.attempts = n } }

// Backoff is how long to wait after the first failure, and at most. The time doubles
// with each failure, and up to half of it is left out at random.
func Backoff(first, most time.Duration) ListenOption {
	return func(o *listenOptions) { o.first, o.most = first, most }
}

// Jitter is where the randomness of the back-off comes from: numbers from 0 up to 1.
func Jitter(random func() float64) ListenOption { return func(o *listenOptions) { o.jitter = random } }

// OnlyUser lets through what this user is told.
func OnlyUser(userID string) ListenOption { return func(o *listenOptions) { o.user = userID } }

// OnlyGroups lets through what is told of these groups.
func OnlyGroups(groupIDs ...string) ListenOption {
	return func(o *listenOptions) {
		for _, id := range groupIDs {
			o.streams = append(o.streams, domain.GroupStream(id))
		}
	}
}

// OnlyKinds lets through these callbacks.
func OnlyKinds(kinds ...Kind) ListenOption {
	return func(o *listenOptions) { o.kinds = append(o.kinds, kinds...) }
}

func newListenOptions(opts []ListenOption) (listenOptions, error) {
	o := listenOptions{
		begin:    func(head eventstore.Position) eventstore.Position { return head },
		attempts: DefaultAttempts, first: DefaultFirstBackoff, most: DefaultMostBackoff, jitter: rand.Float64,
	}
	for _, opt := range opts {
		opt(&o)
	}
	var mistakes []error
	if o.attempts < 1 {
		mistakes = append(mistakes, fmt.Errorf("Attempts is %d: at least 1", o.attempts))
	}
	if o.first <= 0 || o.most < o.first {
		mistakes = append(mistakes, fmt.Errorf("Backoff is %v up to %v: the first must be more than 0, and the most not less", o.first, o.most))
	}
	if o.jitter == nil {
		mistakes = append(mistakes, errors.New("Jitter is nil"))
	}
	return o, errors.Join(mistakes...)
}

// wantsStream spares deriving what nobody wants.
func (o *listenOptions) wantsStream(stream string) bool {
	return len(o.streams) == 0 || slices.Contains(o.streams, stream)
}

func (o *listenOptions) wants(n *Notification, a Audience) bool {
	return (len(o.kinds) == 0 || slices.Contains(o.kinds, n.Kind)) && (o.user == "" || a.Has(o.user))
}

// backoff is how long to wait after the n-th failure, from 1.
func (o *listenOptions) backoff(n int) time.Duration {
	d := o.first
	for ; n > 1 && d < o.most; n-- {
		d *= 2
	}
	d = min(d, o.most)
	return d - time.Duration(o.jitter()*float64(d)/2)
}
