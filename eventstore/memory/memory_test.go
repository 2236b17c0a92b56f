package memory_test

import (
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{}, func(testing.TB, string) eventstore.Store { return memory.New() })
}

func TestCells(t *testing.T) {
	eventstoretest.RunCells(t, func(testing.TB) func() eventstore.Cells {
		store := memory.New()
		return func() eventstore.Cells { return store }
	})
	store := memory.New()
	require.NoError(t, store.Close())
	_, _, err := store.Cell(t.Context(), "a")
	require.ErrorIs(t, err, eventstore.ErrClosed)
	_, err = store.SetCell(t.Context(), "a", nil, 0)
	require.ErrorIs(t, err, eventstore.ErrClosed)
	_, err = store.CellNames(t.Context(), "")
	require.ErrorIs(t, err, eventstore.ErrClosed)
}
