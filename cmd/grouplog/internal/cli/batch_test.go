package cli

import (
	"bytes"
	"context"
	"errors"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/failstop"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
)

// hiccup is a log of which one append fails, and the next would go well.
type hiccup struct {
	*memory.Store
	left atomic.Int32 // appends until then
}

var errHiccup = errors.New("the disk was full for a moment")

func (h *hiccup) Append(ctx context.Context, commits ...eventstore.Commit) ([]eventstore.Result, error) {
	if h.left.Add(-1) == 0 {
		return nil, errHiccup
	}
	return h.Store.Append(ctx, commits...)
}

// A failure in the middle of a file stops it there, although the log has recovered
// before the commands in flight are through: none of them is decided without those that
// were lost. The same again ends as if nothing had happened.
func TestAFailureStopsTheFile(t *testing.T) {
	defer goleak.VerifyNone(t)
	file, lines := storyFile(t, 500)
	for fails := int32(1); fails <= 3; fails++ { // the file needs more appends than that
		log := &hiccup{Store: memory.New()}
		log.left.Store(fails)
		failed, talk, err := runOn(t, failstop.New(log), file)
		require.ErrorIs(t, err, errHiccup)
		require.Contains(t, err.Error(), "stopped at story.jsonl:")
		require.NotContains(t, talk, "refused")
		recorded := records(t, log)
		require.Less(t, len(recorded), lines)
		require.Equal(t, failed.tally.done, len(recorded), "every line that is recorded was told of, and no other")

		again, talk, err := runOn(t, failstop.New(log), file)
		require.NoError(t, err, talk)
		require.Equal(t, tally{lines: lines, done: lines - len(recorded), repeated: len(recorded), last: lines}, again.tally)

		straight := memory.New()
		_, _, err = runOn(t, straight, file)
		require.NoError(t, err)
		require.Equal(t, records(t, straight), records(t, log))
	}
}

// runOn imports a file into a log.
func runOn(t *testing.T, log eventstore.Store, file string) (*batch, string, error) {
	t.Helper()
	var out, talk bytes.Buffer
	a := &app{out: &out, talk: &talk}
	handler, err := commands.NewHandler(t.Context(), commands.Config{
		Store: log, Policies: domain.Classic(), Random: func() string { return "" },
	})
	require.NoError(t, err)
	source, err := openSource(file, nil)
	require.NoError(t, err)
	b := a.newBatch(fileOptions{verb: "import", path: file, past: true}, source, handler, log)
	err = b.goThrough(t.Context())
	require.NoError(t, handler.Close())
	require.NoError(t, source.Close())
	return b, talk.String(), err
}

// records are what a log holds, without the times that come from the clock.
func records(t *testing.T, log eventstore.Store) []string {
	t.Helper()
	var all []string
	for record, err := range log.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		all = append(all, record.Stream+" "+record.Type+" "+record.CommandID+" "+string(record.Data))
	}
	return all
}
