package grouplog_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/notify"
)

// digestOf is that of the rows which projections make of a log, live, by a page of some
// events, and again by a rebuild.
func digestOf(t require.TestingT, log eventstore.Store, page int, p projections.Projection) projections.Digest {
	ctx := context.Background()
	views, err := projections.Open(ctx, grouplog.Memory, log, &projections.Options{Projections: []projections.Projection{p}, PageSize: page, RebuildPageSize: page, Manual: true})
	require.NoError(t, err)
	defer views.Close()
	require.NoError(t, views.CatchUp(ctx))
	live, err := views.Digest(ctx)
	require.NoError(t, err)
	require.NoError(t, views.Rebuild(ctx, nil))
	again, err := views.Digest(ctx)
	require.NoError(t, err)
	require.Equal(t, live, again)
	return live
}

func logOf(t require.TestingT, records []eventstore.Record) *memory.Store {
	log := memory.New()
	for _, r := range records {
		_, err := log.Append(context.Background(), eventstore.Commit{Stream: r.Stream, Events: []eventstore.Event{r.Event}})
		require.NoError(t, err)
	}
	return log
}

// TestRowsOfAnOldLog: whatever form the events of a history were written in, the rows are
// the same, those of a projection that names its events too.
func TestRowsOfAnOldLog(t *testing.T) {
	domaintest.PretendPast(t)
	rapid.Check(t, func(rt *rapid.T) {
		records := domaintest.History(rt, 40).Records()
		old := slices.Clone(records)
		for i := range old {
			old[i] = domaintest.Aged(t, old[i], rapid.IntRange(0, 2).Draw(rt, "ages"))
		}
		page := rapid.IntRange(1, 9).Draw(rt, "page")
		for _, p := range []projections.Projection{groupview.New(), daily{}, joins{name: "joins"}} {
			require.Equal(rt, digestOf(rt, logOf(rt, records), 1000, p), digestOf(rt, logOf(rt, old), page, p))
		}
	})
}

// TestAnEngineOnAnOldLog: what was split counts as one version, so commands go on where the
// log is; queries, listeners and sentences say what the facts say.
func TestAnEngineOnAnOldLog(t *testing.T) {
	domaintest.PretendPast(t)
	created := eventstore.Event{Type: "group.created", Schema: 1, Actor: "olga", Time: domaintest.Morning, Data: []byte(
		`{"groupType":"Meeting","creator":"olga","name":"Chess","colour":"red","joinOption":"Any","attributes":{"board":"1"}}`)}
	entered := eventstore.Event{Type: "member.entered", Schema: 1, Actor: "sven", Time: domaintest.Morning, Data: []byte(`{"user":"sven","greeting":"hi"}`)}
	log := logOf(t, nil)
	_, err := log.Append(t.Context(), eventstore.Commit{Stream: domain.GroupStream("chess"), Events: []eventstore.Event{created, entered}})
	require.NoError(t, err)

	engine := openFile(t, grouplog.Memory, &grouplog.Options{Store: log, Projections: []projections.Projection{daily{}, joins{name: "joins"}}})
	group, err := engine.Group(t.Context(), "chess")
	require.NoError(t, err)
	require.Equal(t, map[string]string{"board": "1"}, group.Attributes)
	require.Equal(t, 2, group.Version)
	require.Equal(t, []string{"olga", "sven"}, memberIDs(t, engine, "chess"))
	require.Equal(t, 1, total(t, engine, "joins"))

	join(t, engine, "chess", "mary")
	loaded, err := commands.Load(t.Context(), log, "chess")
	require.NoError(t, err)
	require.Equal(t, 3, loaded.Version())
	require.True(t, loaded.IsMember("mary"))
	require.Equal(t, domain.Forbid, loaded.Profile().InviteOption, "a field that was added")

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var said []string
	for event, err := range engine.Watch(ctx, projections.Filter{Types: []string{"attributes.changed", "member.joined"}}, 0) {
		require.NoError(t, err)
		said = append(said, audit.Sentence(event))
		if event.Position == 3 {
			break
		}
	}
	require.Len(t, said, 3)
	require.Contains(t, said[0], "olga created")
	require.Contains(t, said[0], "board")
	require.Equal(t, "sven joined chess", said[1])

	var told []notify.Kind
	for d, err := range engine.As("olga").CatchUp(t.Context(), 0) {
		require.NoError(t, err)
		told = append(told, d.Kind)
	}
	require.Contains(t, told, notify.OnGroupAttributeChanged)

	require.NoError(t, engine.Rebuild(t.Context(), nil))
	again, err := engine.Group(t.Context(), "chess")
	require.NoError(t, err)
	require.Equal(t, 3, again.Version)
}
