package commands

import "context"

// Peers are the handlers of other processes that share the log, and how to reach them.
// With them, commands about a group that several processes append to are decided by one,
// its owner, which can put many into one commit, where each would disturb the others.
//
// Who owns a group is a hint. What keeps two from deciding on the same state is the log's
// versions, as always: two owners are slow, and never wrong.
//
// The methods may be called from any number of goroutines.
type Peers interface {
	// Owner is who decides about a stream, as far as this process knows: a peer by its
	// name, or, where here is true, this process.
	Owner(stream string) (peer string, here bool)
	// Ask gives a request to a peer, at most once, and returns its answer. An error that is
	// an eventstore.ErrNoPeer means that the peer surely has not got the request, and never
	// will; after any other it may have, now or later. It returns when ctx ends, or when
	// the peer seems to have died.
	Ask(ctx context.Context, peer string, request []byte) ([]byte, error)
	// Answer has requests of peers answered, several at a time, but for a bounded number.
	// stop makes it known that this process owns nothing any more, and returns when
	// everything that it was asked is answered.
	Answer(answer func(ctx context.Context, request []byte) []byte) (stop func())
}
