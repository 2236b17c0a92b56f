package audit_test

import (
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
)

// world is a random history in a log, with the attempts that were refused, and all of it
// as entries, oldest first.
type world struct {
	ctx      context.Context
	history  *domaintest.World
	log      *memory.Store
	views    *projections.Views
	refusals *audit.Refusals
	queries  *audit.Queries

	steps    int // of the history that are in the log
	head     eventstore.Position
	attempts int64
	now      time.Time // of the refusals' clock
	entries  []audit.Entry
}

// newWorld begins without anything in a world, whose index is at a path.
func newWorld(t require.TestingT, path string) *world {
	audit.Small()
	w := &world{ctx: context.Background(), log: memory.New(), now: domaintest.Morning}
	var err error
	w.views, err = projections.Open(w.ctx, path, w.log, &projections.Options{
		Projections: []projections.Projection{audit.New()}, PageSize: 3, Manual: true,
	})
	require.NoError(t, err)
	refusals := path
	if path != ":memory:" {
		refusals = filepath.Join(filepath.Dir(path), "refusals.db")
	}
	w.refusals = audit.NewRefusals(refusals, w.log.ID(), audit.RefusalOptions{Keep: 1_000, Clock: func() time.Time { return w.now }})
	w.queries = audit.NewQueries(w.views, w.log, w.refusals)
	return w
}

func (w *world) close(t require.TestingT) {
	require.NoError(t, w.refusals.Close())
	require.NoError(t, w.views.Close())
}

// happen records up to n random commands, at times that may go back from one group to
// another, as imports have them.
func (w *world) happen(t *rapid.T, n int) {
	if w.history == nil {
		w.history = domaintest.NewWorld(domaintest.Policies(t))
	}
	shift := map[string]time.Duration{}
	for range n {
		step := w.history.Draw(t)
		group := domaintest.GroupOf(step.Command)
		if _, drawn := shift[group]; !drawn {
			shift[group] = rapid.SampledFrom([]time.Duration{0, -50 * time.Hour, 90 * time.Hour}).Draw(t, "shift")
		}
		w.record(t, step, step.At.Add(shift[group]))
	}
	require.NoError(t, w.views.WaitFor(w.ctx, w.head))
	require.NoError(t, w.refusals.Flush(w.ctx))
}

func (w *world) record(t require.TestingT, step domaintest.Step, at time.Time) {
	w.steps++
	id := ""
	if w.steps%3 == 0 {
		id = fmt.Sprintf("command-%d", w.steps)
	}
	w.now = w.now.Add(time.Minute)
	if step.Refusal != nil {
		w.refuse(t, step, at, id)
		return
	}
	if len(step.Records) == 0 {
		return
	}
	commit := eventstore.Commit{Stream: step.Records[0].Stream}
	for _, r := range step.Records {
		r.Time, r.CommandID = at, id
		if w.steps%5 == 0 {
			r.Actor = "" // as of a publisher who names none
		}
		commit.Events = append(commit.Events, r.Event)
	}
	results, err := w.log.Append(w.ctx, commit)
	require.NoError(t, err)
	require.NoError(t, results[0].Err)
	for record, err := range w.log.ReadAll(w.ctx, w.head) {
		require.NoError(t, err)
		event, err := projections.Decode(record)
		require.NoError(t, err)
		w.head = record.Position
		w.entries = append(w.entries, audit.Entry{
			Position: record.Position, At: record.Time, Outcome: audit.Done, Action: record.Type, As: record.Actor, ID: record.CommandID,
			GroupID: groupOf(record.Stream), Persons: audit.Subjects(event), Data: record.Data, Fact: event.Fact,
		})
	}
}

func groupOf(stream string) string {
	if id, ok := domain.GroupOf(stream); ok {
		return id
	}
	return ""
}

func (w *world) refuse(t require.TestingT, step domaintest.Step, at time.Time, id string) {
	switch w.steps % 7 {
	case 0:
		step.Actor = domain.Actor{UserID: domain.System.UserID}
	case 1:
		step.Actor.UserID = ""
	}
	data, err := json.Marshal(step.Command)
	require.NoError(t, err)
	w.refusals.Record(audit.Attempt{
		At: at, Position: w.head, Actor: step.Actor, Command: step.Command.CommandName(), GroupID: domaintest.GroupOf(step.Command),
		CommandID: id, Refusal: *step.Refusal,
	}, func() (json.RawMessage, error) { return data, nil })
	w.attempts++
	w.entries = append(w.entries, audit.Entry{
		Position: w.head, Attempt: w.attempts, At: at, Outcome: audit.Refused, Action: step.Command.CommandName(), As: step.Actor.UserID, AppAdmin: step.Actor.AppAdmin,
		GroupID: domaintest.GroupOf(step.Command), ID: id, Persons: namedIn(step.Command), Data: data, Code: step.Refusal.Code,
	})
}

// namedIn are the users whom a command names, in another way than the audit finds them.
func namedIn(c commands.Command) []string {
	switch c := c.(type) {
	case commands.CreateGroup:
		var users []string
		for _, m := range c.Members {
			users = append(users, m.UserID)
		}
		return users
	case commands.ImportGroup:
		return namedIn(c.CreateGroup)
	case commands.InviteUsers:
		return c.UserIDs
	case commands.AcceptApplication:
		return []string{c.FromUser}
	case commands.RefuseApplication:
		return []string{c.FromUser}
	case commands.KickMembers:
		return c.UserIDs
	case commands.SetMemberRole:
		return []string{c.UserID}
	case commands.TransferOwner:
		return []string{c.UserID}
	case commands.MuteMember:
		return []string{c.UserID}
	case commands.SetMemberInfo:
		return []string{c.UserID}
	case commands.SendCustomNotification:
		return c.UserIDs
	case commands.ImportMember:
		return []string{c.UserID}
	default:
		return nil
	}
}

// words are those of an entry's names, messages and reasons, from its JSON.
func words(e *audit.Entry) []string {
	var fields struct{ Name, NameCard, Message, Reason string }
	_ = json.Unmarshal(e.Data, &fields)
	text := strings.Join([]string{fields.Name, fields.NameCard, fields.Message, fields.Reason}, " ")
	return audit.WordsOf(text)
}

// actorOf is who a query and the counts take the actor of an entry for.
func actorOf(e *audit.Entry) string {
	switch {
	case e.Outcome == audit.Done && e.As == "":
		return domain.System.UserID
	case e.Outcome == audit.Refused && (e.As == "" || e.As == domain.System.UserID && !e.AppAdmin):
		return strconv.Quote(e.As) + " (not the system)"
	default:
		return e.As
	}
}

// wants is the meaning of a query, entry by entry.
func wants(q *audit.Query, e *audit.Entry) bool {
	in := func(values []string, value string) bool { return len(values) == 0 || slices.Contains(values, value) }
	any := func(values []string, holds func(string) bool) bool {
		return len(values) == 0 || slices.ContainsFunc(values, holds)
	}
	for word := range strings.FieldsFuncSeq(q.Text, func(r rune) bool { return r == ',' || r == ' ' }) {
		begun, begins := strings.CutSuffix(strings.ToLower(word), "*")
		for _, part := range audit.WordsOf(begun) {
			if !slices.ContainsFunc(words(e), func(has string) bool { return has == part || begins && strings.HasPrefix(has, part) }) {
				return false
			}
		}
	}
	return in(q.Actors, actorOf(e)) && in(q.Groups, e.GroupID) &&
		any(q.Persons, func(p string) bool { return slices.Contains(e.Persons, p) }) &&
		any(q.Actions, func(pattern string) bool { return audit.Like(pattern, e.Action) }) &&
		(q.Since.IsZero() || !e.At.Before(q.Since)) && (q.Until.IsZero() || e.At.Before(q.Until)) &&
		e.Position >= q.From && (q.To == 0 || e.Position <= q.To) &&
		(q.CommandID == "" || e.ID == q.CommandID) && (q.Outcome == "" || e.Outcome == q.Outcome)
}

// key names an entry.
func key(e audit.Entry) string { return fmt.Sprintf("%d/%d", e.Position, e.Attempt) }

// expected are the keys of the entries that a query lets through, in its order.
func (w *world) expected(q *audit.Query) []string {
	keys := []string{}
	for i := range w.entries {
		if wants(q, &w.entries[i]) {
			keys = append(keys, key(w.entries[i]))
		}
	}
	if !q.Oldest {
		slices.Reverse(keys)
	}
	return keys
}

// drawQuery draws a query, of which most things are there to be found.
func (w *world) drawQuery(t *rapid.T) audit.Query {
	var q audit.Query
	often := func(label string) bool { return rapid.IntRange(0, 3).Draw(t, label) == 0 }
	users := func() []string {
		return rapid.SliceOfN(rapid.SampledFrom(append([]string{
			"root", "nobody", domain.System.UserID, `"@system" (not the system)`, `"" (not the system)`,
		}, domaintest.Users...)), 1, 3).Draw(t, "users")
	}
	if often("by actor") {
		q.Actors = users()
	}
	if often("by person") {
		q.Persons = users()
	}
	if often("by group") {
		q.Groups = rapid.SliceOfN(rapid.SampledFrom(append([]string{"nogroup"}, domaintest.Groups...)), 1, 2).Draw(t, "groups")
	}
	if often("by action") {
		q.Actions = rapid.SliceOfN(rapid.SampledFrom([]string{
			"member.*", "*.created", "*", "group.*", "application*", "members.invited", "*er.*d", "Set*", "RequestJoin", "*Member*", "Invite*s",
		}), 1, 2).Draw(t, "actions")
	}
	moment := func() time.Time {
		return domaintest.Morning.Add(time.Duration(rapid.IntRange(-60, 200).Draw(t, "hours"))*time.Hour + time.Duration(rapid.IntRange(-1, 1).Draw(t, "ns")))
	}
	if len(w.entries) > 0 && often("at a time of an entry") {
		q.Since = rapid.SampledFrom(w.entries).Draw(t, "entry").At
	} else if often("since") {
		q.Since = moment()
	}
	if often("until") {
		q.Until = moment()
		if len(w.entries) > 0 && rapid.Bool().Draw(t, "until an entry") {
			q.Until = rapid.SampledFrom(w.entries).Draw(t, "entry").At
		}
		if !q.Until.After(q.Since) {
			q.Until = q.Since.Add(time.Hour)
		}
	}
	if often("from") {
		q.From = eventstore.Position(rapid.IntRange(0, int(w.head)+2).Draw(t, "position"))
	}
	if often("to") {
		q.To = q.From + eventstore.Position(rapid.IntRange(0, int(w.head)+2).Draw(t, "positions"))
	}
	if rapid.IntRange(0, 9).Draw(t, "by command") == 0 {
		q.CommandID = fmt.Sprintf("command-%d", rapid.IntRange(0, w.steps/3).Draw(t, "command")*3)
	}
	if often("by outcome") {
		q.Outcome = rapid.SampledFrom([]audit.Outcome{audit.Done, audit.Refused}).Draw(t, "outcome")
	}
	if often("by text") {
		q.Text = w.drawText(t)
	}
	q.Oldest = rapid.Bool().Draw(t, "oldest")
	return q
}

// drawText draws a word or two that stand in some entry.
func (w *world) drawText(t *rapid.T) string {
	said := []string{"nothing-like-it"}
	for i := range w.entries {
		for _, word := range words(&w.entries[i]) {
			said = append(said, word, string([]rune(word)[:1])+"*")
		}
	}
	return strings.ToUpper(strings.Join(rapid.SliceOfN(rapid.SampledFrom(said), 1, 2).Draw(t, "words"), ", "))
}

func keysOf(t require.TestingT, entries []audit.Entry) []string {
	keys := []string{}
	for _, e := range entries {
		require.NotEmpty(t, e.Sentence)
		keys = append(keys, key(e))
	}
	return keys
}
