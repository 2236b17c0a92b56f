package audit_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// writeLog writes a log of so many events over three years: joins, applications with
// messages, decisions with reasons, name cards, people who leave. A fourth have a command
// ID. One group in a hundred is imported later, with the times it had.
func writeLog(b *testing.B, path string, events int) *sqlite.DB {
	log, err := sqlite.Open(b.Context(), path, nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	random := rand.New(rand.NewPCG(1, 5))
	user := func() string { return fmt.Sprintf("user-%06d", random.IntN(events/10)) }
	begin, step := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC), 3*365*24*time.Hour/time.Duration(events)
	var commits []eventstore.Commit
	for i := range events {
		group, actor := random.IntN(events/400+1), user()
		var fact domain.Event
		switch what := random.IntN(20); {
		case i < 3:
			group, fact = i, domain.GroupCreated{GroupType: domain.Public, Owner: actor, Name: "Chess club", JoinOption: domain.Auth}
		case what < 8:
			fact = domain.MemberJoined{UserID: actor}
		case what < 12:
			fact = domain.ApplicationSubmitted{ApplicationID: fmt.Sprintf("g/1/%d", i), From: actor, UserID: actor, Message: "let me in, please"}
		case what < 15:
			fact = domain.ApplicationRefused{ApplicationID: fmt.Sprintf("g/1/%d", i), From: user(), UserID: user(), Reason: "full, sorry"}
		case what < 17:
			fact = domain.MemberLeft{UserID: actor}
		default:
			card := fmt.Sprintf("card %d", i)
			fact = domain.MemberInfoChanged{UserID: actor, NameCard: &card}
		}
		name, schema, data, err := domain.Encode(fact)
		require.NoError(b, err)
		event := eventstore.Event{Type: name, Schema: schema, Data: data, Actor: actor, Time: begin.Add(time.Duration(i) * step)}
		if group%100 == 1 {
			event.Time = event.Time.Add(-300 * 24 * time.Hour)
		}
		if i%4 == 0 {
			event.CommandID = fmt.Sprintf("client-%d", i)
		}
		commits = append(commits, eventstore.Commit{Stream: domain.GroupStream(fmt.Sprintf("group-%05d", group)), Events: []eventstore.Event{event}})
		if len(commits) == 5_000 || i == events-1 {
			_, err := log.Append(b.Context(), commits...)
			require.NoError(b, err)
			commits = commits[:0]
		}
	}
	return log
}

// BenchmarkQueries: a page of fifty by each filter alone and by some together, from a log
// of 20 000 events; of a million with GROUPLOG_BENCH=full.
func BenchmarkQueries(b *testing.B) {
	events := 20_000
	if os.Getenv("GROUPLOG_BENCH") == "full" {
		events = 1_000_000
	}
	dir := b.TempDir()
	if given := os.Getenv("GROUPLOG_BENCH_DIR"); given != "" {
		dir = given
	}
	log := writeLog(b, filepath.Join(dir, "groups.db"), events)
	start := time.Now()
	views, err := projections.Open(b.Context(), filepath.Join(dir, "groups.audit.db"), log, &projections.Options{
		Projections: []projections.Projection{audit.New()},
	})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, views.Close()) })
	require.NoError(b, views.CatchUp(b.Context()))
	took := time.Since(start)
	info, err := os.Stat(filepath.Join(dir, "groups.audit.db"))
	require.NoError(b, err)
	b.Run("fill", func(b *testing.B) {
		b.ReportMetric(float64(events)/took.Seconds(), "events/s")
		b.ReportMetric(float64(info.Size())/float64(events), "B/event")
	})
	queries := audit.NewQueries(views, log, nil)
	half := eventstore.Position(events / 2)
	middle := time.Date(2021, 6, 1, 0, 0, 0, 0, time.UTC)
	for _, trial := range []struct {
		name  string
		query audit.Query
	}{
		{"everything", audit.Query{}},
		{"actor", audit.Query{Actors: []string{"user-000007"}}},
		{"person", audit.Query{Persons: []string{"user-000007"}}},
		{"group", audit.Query{Groups: []string{"group-00007"}}},
		{"action", audit.Query{Actions: []string{"application.refused"}}},
		{"action-rare", audit.Query{Actions: []string{"*.created"}}},
		{"action-wildcard", audit.Query{Actions: []string{"member.*"}}},
		{"text", audit.Query{Text: "please"}},
		{"text-rare", audit.Query{Text: "chess club"}},
		{"text-two", audit.Query{Text: "full please"}},
		{"command", audit.Query{CommandID: "client-4000"}},
		{"day", audit.Query{Since: middle, Until: middle.Add(24 * time.Hour)}},
		{"minute", audit.Query{Since: middle, Until: middle.Add(time.Minute)}},
		{"year", audit.Query{Since: middle, Until: middle.AddDate(1, 0, 0)}},
		{"before", audit.Query{Until: middle}},
		{"positions", audit.Query{From: half, To: half + 10_000}},
		{"nobody", audit.Query{Actors: []string{"nobody"}}},
		{"group-and-year", audit.Query{Groups: []string{"group-00007"}, Since: middle, Until: middle.AddDate(1, 0, 0)}},
		{"action-and-text", audit.Query{Actions: []string{"application.*"}, Text: "sorry"}},
		{"action-and-day", audit.Query{Actions: []string{"application.*"}, Since: middle, Until: middle.Add(24 * time.Hour)}},
	} {
		for _, order := range []string{"newest", "oldest"} {
			trial.query.Oldest = order == "oldest"
			b.Run(trial.name+"/"+order, func(b *testing.B) {
				for b.Loop() {
					if _, err := queries.Page(context.Background(), trial.query); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
	b.Run("facets", func(b *testing.B) {
		for b.Loop() {
			if _, err := queries.Facets(context.Background(), audit.Query{}); err != nil {
				b.Fatal(err)
			}
		}
	})
	b.Run("facets-group", func(b *testing.B) {
		for b.Loop() {
			if _, err := queries.Facets(context.Background(), audit.Query{Groups: []string{"group-00007"}}); err != nil {
				b.Fatal(err)
			}
		}
	})
}
