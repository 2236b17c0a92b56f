package failstop_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/failstop"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

func TestStore(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{}, func(testing.TB, string) eventstore.Store { return failstop.New(memory.New()) })
}

// failing fails the appends that it is told to.
type failing struct {
	*memory.Store
	err error
}

func (f *failing) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if f.err != nil {
		return nil, f.err
	}
	return f.Store.Append(ctx, commits...)
}

func TestNothingIsWrittenAfterAFailure(t *testing.T) {
	below := &failing{Store: memory.New()}
	store := failstop.New(below)
	commit := eventstore.Commit{Stream: "s", Events: []eventstore.Event{{Type: "e", Schema: 1, Data: []byte("{}"), Time: time.Unix(1, 0)}}}
	_, err := store.Append(t.Context(), commit)
	require.NoError(t, err)

	below.err = errors.New("no space")
	_, err = store.Append(t.Context(), commit)
	require.ErrorIs(t, err, below.err)

	cause := below.err
	below.err = nil // there is space again
	_, err = store.Append(t.Context(), commit)
	require.ErrorIs(t, err, cause)
	head, err := store.Head(t.Context())
	require.NoError(t, err)
	require.EqualValues(t, 1, head)
}
