package eventstore_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

func TestExpectation(t *testing.T) {
	for _, test := range []struct {
		expect  eventstore.Expectation
		accepts [3]bool // versions 0, 1, 2
		text    string
	}{
		{eventstore.Expectation{}, [3]bool{true, true, true}, "any version"},
		{eventstore.Any(), [3]bool{true, true, true}, "any version"},
		{eventstore.Absent(), [3]bool{true, false, false}, "no stream"},
		{eventstore.Exactly(0), [3]bool{true, false, false}, "no stream"},
		{eventstore.Present(), [3]bool{false, true, true}, "an existing stream"},
		{eventstore.Exactly(1), [3]bool{false, true, false}, "version 1"},
	} {
		require.Equal(t, test.text, test.expect.String())
		require.Equal(t, test.accepts == [3]bool{true, true, true}, test.expect.IsAny(), test.text)
		for version, want := range test.accepts {
			require.Equal(t, want, test.expect.Accepts(eventstore.Version(version)), "%s at %d", test.text, version)
		}
	}
}

func TestErrors(t *testing.T) {
	cause := errors.New("disk says no")
	for _, test := range []struct {
		err  error
		is   error
		text string
	}{
		{
			&eventstore.ConflictError{Stream: "s", Expected: eventstore.Exactly(1), Actual: 2}, eventstore.ErrConflict,
			`append to "s": expected version 1, found version 2; read the stream again and decide anew`,
		},
		{
			&eventstore.DuplicateError{Stored: eventstore.Outcome{CommandID: "c"}}, eventstore.ErrDuplicate,
			`command "c" has been answered before`,
		},
		{
			&eventstore.DamageError{Position: 3, Stream: "s", Reason: "why", Err: cause}, eventstore.ErrDamaged,
			`log at position 3 (stream "s") is damaged: why; restore a backup`,
		},
		{
			&eventstore.DamageError{Reason: "why"}, eventstore.ErrDamaged,
			`log is damaged: why; restore a backup`,
		},
	} {
		wrapped := fmt.Errorf("wrapped: %w", test.err)
		require.ErrorIs(t, wrapped, test.is)
		require.NotErrorIs(t, wrapped, context.Canceled)
		require.EqualError(t, test.err, test.text)
	}
	require.ErrorIs(t, &eventstore.DamageError{Err: cause}, cause, "what the storage said is kept")
}
