package past_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// A moment is written as it is read, and knows what it was given by.
func TestMoments(t *testing.T) {
	day := time.Date(2020, 6, 30, 0, 0, 0, 0, time.UTC)
	for text, want := range map[string][2]time.Time{
		"2020-06-30":                   {day, day.AddDate(0, 0, 1)},
		"2020-06-30T12:00:00Z":         {day.Add(12 * time.Hour), day.Add(12*time.Hour + time.Microsecond)},
		"2020-06-30T00:00:00.0000005Z": {day.Add(500), day.Add(time.Microsecond)},
		"9999-12-31":                   {time.Date(9999, 12, 31, 0, 0, 0, 0, time.UTC), time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)},
		"position:12345":               {},
		"position:9223372036854775807": {},
		"now":                          {},
	} {
		m, err := past.Parse(text)
		require.NoError(t, err, text)
		require.Equal(t, text, m.String())
		begin, end, timed := m.Span()
		require.Equal(t, !want[0].IsZero(), timed, text)
		require.True(t, begin.Equal(want[0]) && end.Equal(want[1]), "%s: %s to %s", text, begin, end)
		position, ok := m.Position()
		require.Equal(t, !timed && text != "now", ok, text)
		require.Equal(t, ok, position > 0, text)
	}
	for _, text := range []string{
		"", "yesterday", "2020", "12345", "2020-02-30", "2020-06-30 12:00:00", "position:", "position:-1", "position:18446744073709551616",
		"0000-12-31", "0001-01-01", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-01:00", "NOW", " now",
	} {
		_, err := past.Parse(text)
		require.ErrorIs(t, err, past.ErrMoment, "%q", text)
	}
}

// The zero time is one before everything, and not the present.
func TestZeroTime(t *testing.T) {
	kind, schema, data, err := domain.Encode(domain.GroupCreated{GroupType: domain.Work, Owner: "ann", Name: "g", JoinOption: domain.Forbid, InviteOption: domain.Any})
	require.NoError(t, err)
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	log := copyOf(t, []eventstore.Record{{
		Stream: domain.GroupStream("g"), Event: eventstore.Event{Type: kind, Schema: schema, Data: data, Actor: "ann", Time: now},
	}})
	rows, done := rowsOf(t, log, 1)
	defer done()
	asOf, err := past.New(past.Source{Log: log, Rows: rows, Head: 1, Policies: domain.Classic(), Now: now}, past.AtTime(time.Time{}))
	require.NoError(t, err)
	_, err = asOf.Group(context.Background(), "g")
	require.ErrorIs(t, err, groupview.ErrNotFound)
}
