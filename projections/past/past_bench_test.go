package past_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// BenchmarkPast asks one group or one user about the middle of a log: of 100 000 events,
// or as many as GROUPLOG_BENCH_EVENTS says. Groups have 100 events and some 50 members,
// and one in a hundred of the events is in a large group; users are in some 20 groups.
func BenchmarkPast(b *testing.B) {
	ctx := context.Background()
	events := 100_000
	if text := os.Getenv("GROUPLOG_BENCH_EVENTS"); text != "" {
		var err error
		events, err = strconv.Atoi(text)
		require.NoError(b, err)
	}
	source := largeLog(b, events)
	at := source.Head / 2
	small, user := "g"+strconv.Itoa(events/400), "u7"
	for _, question := range []struct {
		name string
		ask  func(*past.Past) error
	}{
		{"group", func(p *past.Past) error { _, err := p.Group(ctx, small); return err }},
		{"members", func(p *past.Past) error { _, err := all(p.Members(ctx, small, groupview.MemberFilter{})); return err }},
		{"large-group", func(p *past.Past) error { _, err := p.Group(ctx, "large"); return err }},
		{"joined", func(p *past.Past) error { _, err := all(p.JoinedGroups(ctx, user)); return err }},
		{"why-role", func(p *past.Past) error { _, err := p.WhyRole(ctx, small, "owner"); return err }},
		{"may", func(p *past.Past) error {
			return p.May(ctx, domain.Actor{UserID: "owner"}, commands.MuteAll{GroupID: small, Muted: true})
		}},
		{"explain", func(p *past.Past) error {
			_, err := p.Explain(ctx, domain.Actor{UserID: "owner"}, commands.MuteAll{GroupID: small, Muted: true})
			return err
		}},
	} {
		b.Run(question.name, func(b *testing.B) {
			for b.Loop() {
				asOf, err := past.New(source, past.AtPosition(at))
				require.NoError(b, err)
				require.NoError(b, question.ask(asOf))
			}
		})
	}
	// The large group has not changed since the end of the log, and changes in its last event.
	for _, question := range []struct {
		name string
		ask  func(*past.Past) error
	}{
		{"group", func(p *past.Past) error { _, err := p.Group(ctx, "large"); return err }},
		{"joined", func(p *past.Past) error { _, err := all(p.JoinedGroups(ctx, "owner")); return err }},
		{"member", func(p *past.Past) error { _, err := p.Member(ctx, "large", "l0-0"); return err }},
		{"joined-by-one", func(p *past.Past) error { _, err := all(p.JoinedGroups(ctx, "l0-0")); return err }},
		{"applications", func(p *past.Past) error {
			_, err := p.Applications(ctx, "owner", groupview.ApplicationFilter{})
			return err
		}},
		{"diff-user", func(p *past.Past) error {
			now, err := past.New(source, past.Moment{})
			if err == nil {
				_, err = past.DiffUser(ctx, p, now, "l0-0")
			}
			return err
		}},
		{"may", func(p *past.Past) error {
			return p.May(ctx, domain.Actor{UserID: "owner"}, commands.MuteAll{GroupID: "large", Muted: true})
		}},
		{"explain", func(p *past.Past) error {
			_, err := p.Explain(ctx, domain.Actor{UserID: "owner"}, commands.MuteAll{GroupID: "large", Muted: true})
			return err
		}},
	} {
		for name, at := range map[string]past.Moment{"unchanged-": {}, "changed-": past.AtPosition(source.Head - eventstore.Position(events/100*2))} {
			b.Run("large/"+name+question.name, func(b *testing.B) {
				for b.Loop() {
					asOf, err := past.New(source, at)
					require.NoError(b, err)
					require.NoError(b, question.ask(asOf))
				}
			})
		}
	}
}

// largeLog is a log in a file, with its read models.
func largeLog(b *testing.B, events int) past.Source {
	ctx := context.Background()
	dir := b.TempDir()
	log, err := sqlite.Open(ctx, filepath.Join(dir, "groups.db"), nil)
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, log.Close()) })
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	var commits []eventstore.Commit
	users, groups := max(events/40, 200), events/100
	add := func(groupID string, facts ...domain.Event) {
		now = now.Add(time.Second)
		c := eventstore.Commit{Stream: domain.GroupStream(groupID)}
		for _, fact := range facts {
			name, schema, data, err := domain.Encode(fact)
			require.NoError(b, err)
			c.Events = append(c.Events, eventstore.Event{Type: name, Schema: schema, Data: data, Actor: "owner", Time: now})
		}
		if commits = append(commits, c); len(commits) == 4096 {
			_, err := log.Append(ctx, commits...)
			require.NoError(b, err)
			commits = commits[:0]
		}
	}
	found := func(id string) {
		add(id, domain.GroupCreated{GroupType: domain.Community, Owner: "owner", Name: id, JoinOption: domain.Any, InviteOption: domain.Any})
	}
	found("large")
	for g := range groups {
		found("g" + strconv.Itoa(g))
	}
	// Round after round, so that the middle of the log is the middle of every group.
	for round := range 99 {
		for g := range groups {
			member := fmt.Sprintf("u%d", (g*49+round/2*1009)%users)
			if round%2 == 0 || round%8 == 1 {
				add("g"+strconv.Itoa(g), domain.MemberJoined{UserID: member})
			} else {
				name := fmt.Sprint(round)
				add("g"+strconv.Itoa(g), domain.GroupProfileChanged{Introduction: &name})
			}
			if g%100 == 0 {
				add("large", domain.MemberJoined{UserID: fmt.Sprintf("l%d-%d", round, g)})
			}
		}
	}
	_, err = log.Append(ctx, commits...)
	require.NoError(b, err)
	views, err := projections.Open(ctx, filepath.Join(dir, "views.db"), log, &projections.Options{Projections: []projections.Projection{groupview.New()}})
	require.NoError(b, err)
	b.Cleanup(func() { require.NoError(b, views.Close()) })
	head, err := log.Head(ctx)
	require.NoError(b, err)
	require.NoError(b, views.WaitFor(ctx, head))
	return past.Source{Log: log, Rows: groupview.NewQueries(views), Head: head, Policies: domain.Classic(), Now: now}
}

// BenchmarkLongHistory asks for the reasons in one group whose name was changed ten
// thousand times, and of whom was muted ten thousand times.
func BenchmarkLongHistory(b *testing.B) {
	ctx := context.Background()
	now := time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)
	facts := []domain.Event{
		domain.GroupCreated{GroupType: domain.Public, Owner: "owner", Name: "g", JoinOption: domain.Any, InviteOption: domain.Any},
		domain.MemberJoined{UserID: "ann"},
	}
	for n := range 10_000 {
		name := strconv.Itoa(n)
		facts = append(facts, domain.GroupProfileChanged{Name: &name}, domain.MemberMuted{UserID: "ann", Until: now.Add(time.Duration(n) * time.Hour)})
	}
	records := make([]eventstore.Record, len(facts))
	for i, fact := range facts {
		kind, schema, data, err := domain.Encode(fact)
		require.NoError(b, err)
		records[i].Stream = domain.GroupStream("g")
		records[i].Event = eventstore.Event{Type: kind, Schema: schema, Data: data, Actor: "owner", Time: now.Add(time.Duration(i) * time.Second)}
	}
	log, head := copyOf(b, records), eventstore.Position(len(records))
	rows, done := rowsOf(b, log, head)
	defer done()
	asOf, err := past.New(past.Source{Log: log, Rows: rows, Head: head, Policies: domain.Classic(), Now: now.AddDate(1, 0, 0)}, past.Moment{})
	require.NoError(b, err)
	b.Run("why", func(b *testing.B) {
		for b.Loop() {
			reason, err := asOf.WhyMuted(ctx, "g", "ann")
			require.NoError(b, err)
			require.Len(b, reason.Events, 3)
		}
	})
	b.Run("explain", func(b *testing.B) {
		for b.Loop() {
			e, err := asOf.Explain(ctx, domain.Actor{UserID: "owner"}, commands.MuteMember{GroupID: "g", UserID: "ann", Duration: time.Hour})
			require.NoError(b, err)
			require.Len(b, e.Because, 2)
		}
	})
}
