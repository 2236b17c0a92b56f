package groupview_test

import (
	"database/sql"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"runtime"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// population is the size of the log that is rebuilt, in events.
func population() int {
	if testing.Short() {
		return 100_000
	}
	return 1_000_000
}

// populate writes a log of groups of some hundred events each: joins, applications
// and their decisions, changes of info and roles, people who leave.
func populate(tb testing.TB, path string, population int) {
	log, err := sqlite.Open(tb.Context(), path, nil)
	require.NoError(tb, err)
	defer log.Close()
	random := rand.New(rand.NewPCG(1, 2))
	now := time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	type state struct {
		members, open []string
		submitted     int
	}
	groups := make([]state, population/400)
	var batch []eventstore.Commit
	add := func(group, actor string, e domain.Event) {
		name, schema, data, err := domain.Encode(e)
		require.NoError(tb, err)
		now = now.Add(time.Millisecond)
		batch = append(batch, eventstore.Commit{Stream: domain.GroupStream(group), Events: []eventstore.Event{
			{Type: name, Schema: schema, Data: data, Actor: actor, Time: now},
		}})
		if len(batch) == 5_000 {
			_, err := log.Append(tb.Context(), batch...)
			require.NoError(tb, err)
			batch = batch[:0]
		}
	}
	for i := range population {
		n := random.IntN(len(groups))
		g, id := &groups[n], fmt.Sprint("group-", n)
		user := fmt.Sprint("user-", random.IntN(population/10))
		switch what := random.IntN(10); {
		case len(g.members) == 0:
			add(id, user, domain.GroupCreated{GroupType: domain.Public, Owner: user, Name: "a group", JoinOption: domain.Auth, InviteOption: domain.Any})
			g.members = append(g.members, user)
		case what < 4:
			add(id, user, domain.MemberJoined{UserID: user})
			g.members = append(g.members, user)
		case what < 6:
			g.submitted++
			app := domain.ApplicationID(id, 1, g.submitted)
			add(id, user, domain.ApplicationSubmitted{ApplicationID: app, From: user, UserID: user, Message: "let me in, please"})
			g.open = append(g.open, app)
		case what < 8 && len(g.open) > 0:
			add(id, g.members[0], domain.ApplicationRefused{ApplicationID: g.open[0], Reason: "full"})
			g.open = g.open[1:]
		case what == 8 && len(g.members) > 1:
			last := len(g.members) - 1
			add(id, g.members[last], domain.MemberLeft{UserID: g.members[last]})
			g.members = g.members[:last]
		default:
			card := fmt.Sprint("card ", i)
			add(id, user, domain.MemberInfoChanged{UserID: g.members[random.IntN(len(g.members))], NameCard: &card})
		}
	}
	_, err = log.Append(tb.Context(), batch...)
	require.NoError(tb, err)
}

// BenchmarkRebuild makes all rows anew from a log on disk, and verifies the log, in turn
// with a bare database/sql scan of the same records: machines have moods. It reports the
// medians of the rounds' rates, and of the ratios to the scan's. The steps on the way
// are there to tell where the time goes.
//
//	go test ./projections/groupview -run '^$' -bench Rebuild -benchtime 5x
func BenchmarkRebuild(b *testing.B) {
	dir, events := b.TempDir(), population()
	path := filepath.Join(dir, "groups.db")
	populate(b, path, events)
	log, err := sqlite.Open(b.Context(), path, nil)
	require.NoError(b, err)
	defer log.Close()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	require.NoError(b, err)
	defer db.Close()
	views, err := projections.Open(b.Context(), filepath.Join(dir, "views.db"), log,
		&projections.Options{Projections: []projections.Projection{groupview.New()}, Manual: true})
	require.NoError(b, err)
	defer views.Close()
	turns := []struct {
		name string
		run  func()
	}{
		{"scan", func() { scan(b, db) }},
		{"read", func() { read(b, log, func(eventstore.Record) error { return nil }) }},
		{"decode", func() { read(b, log, decode) }},
		{"verify", func() { verify(b, log, decode) }},
		{"verify+fold", func() { verify(b, log, folder()) }},
		{"rebuild", func() { require.NoError(b, views.Rebuild(b.Context(), nil)) }},
	}
	rates, ratios := map[string][]float64{}, map[string][]float64{}
	for b.Loop() {
		for _, turn := range turns {
			runtime.GC() // what the turn before has left is not this one's
			began := time.Now()
			turn.run()
			rates[turn.name] = append(rates[turn.name], float64(events)/time.Since(began).Seconds())
		}
		for _, turn := range turns[1:] {
			last := len(rates["scan"]) - 1
			ratios[turn.name] = append(ratios[turn.name], rates[turn.name][last]/rates["scan"][last])
		}
	}
	for _, turn := range turns {
		b.ReportMetric(median(rates[turn.name]), turn.name+"/s")
	}
	for _, turn := range turns[1:] {
		b.ReportMetric(median(ratios[turn.name]), turn.name+"/scan")
	}
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

func read(b *testing.B, log eventstore.Store, with func(eventstore.Record) error) {
	for r, err := range log.ReadAll(b.Context(), 0) {
		if err == nil {
			err = with(r)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}

func decode(r eventstore.Record) error {
	_, err := domain.Decode(r.Type, r.Schema, r.Data)
	return err
}

func verify(b *testing.B, log eventstore.Store, with func(eventstore.Record) error) {
	_, err := eventstore.Verify(b.Context(), log, with, nil)
	require.NoError(b, err)
}

// folder decodes records, and folds every group.
func folder() func(eventstore.Record) error {
	groups := map[string]*domain.Group{}
	return func(r eventstore.Record) error {
		event, err := projections.Decode(r)
		if err != nil {
			return err
		}
		group := groups[r.Stream]
		if group == nil {
			id, _ := domain.GroupOf(r.Stream)
			group = domain.NewGroup(id)
			groups[r.Stream] = group
		}
		group.Apply(event.Fact, event.Meta())
		return nil
	}
}

// scan reads every column of every event, as a program without grouplog would.
func scan(b *testing.B, db *sql.DB) {
	rows, err := db.Query("SELECT position, stream, version, type, schema, actor, app_admin, time, command_id, data FROM events ORDER BY position")
	require.NoError(b, err)
	defer rows.Close()
	for rows.Next() {
		var position, version, schema, at int64
		var stream, kind, actor, command string
		var admin bool
		var data []byte
		if err := rows.Scan(&position, &stream, &version, &kind, &schema, &actor, &admin, &at, &command, &data); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, rows.Err())
}
