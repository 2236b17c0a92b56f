package notify

import (
	"context"
	"errors"
	"iter"
)

// Handler is what a durable listener does with a notification. When it returns nil, the
// notification is handled and does not come again, but after a crash or a reset. Any
// other return, and a panic, is a failure: the notification is tried again after a
// while, and what follows in its group waits; see Listen.
//
// The context ends when the listening does. A handler that fails because of that has
// not failed: the notification comes again when somebody listens under the name.
type Handler func(ctx context.Context, d Delivery) error

// ErrUnavailable, wrapped by the error of a handler, says that what failed is not the
// notification: nothing can be handled at the moment, because the mail server is down,
// say. It does not count as an attempt, and the listener as a whole waits and tries the
// same again.
var ErrUnavailable = errors.New("the receiver is unavailable")

// Occasion is why a notification is told.
type Occasion string

// The occasions.
const (
	First  Occasion = "first"  // as far as is known, nobody has tried to handle it
	Retry  Occasion = "retry"  // handling it has been begun before, and has failed or ended with the process
	Replay Occasion = "replay" // it had been handled before the listener was reset
)

// Delivery is a notification as a durable listener is told it.
type Delivery struct {
	Notification
	Attempt  int // from 1; it is counted before the handler is called
	Occasion Occasion

	audience Audience
}

// Receivers yields the users who are told this, in no particular order. It is valid
// until the handler returns.
func (d *Delivery) Receivers() iter.Seq[string] { return d.audience.Users() }

// Has reports whether a user is told this, without looking at the others. It is valid
// until the handler returns.
func (d *Delivery) Has(userID string) bool { return d.audience.Has(userID) }
