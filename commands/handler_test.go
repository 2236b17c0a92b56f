package commands_test

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// log is a place where a log lives: opening it again opens the same log.
type log struct {
	name string
	open func() eventstore.Store
}

// eachLog runs a test with every kind of log, each time with an empty one.
func eachLog(t *testing.T, test func(t *testing.T, l log)) {
	t.Run("memory", func(t *testing.T) {
		store := memory.New()
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		test(t, log{"memory", func() eventstore.Store { return store }})
	})
	t.Run("shuffled", func(t *testing.T) {
		store := eventstoretest.Shuffled(memory.New(), 1)
		t.Cleanup(func() { require.NoError(t, store.Close()) })
		test(t, log{"shuffled", func() eventstore.Store { return store }})
	})
	t.Run("sqlite", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "groups.db")
		test(t, log{"sqlite", func() eventstore.Store {
			db, err := sqlite.Open(context.Background(), path, &sqlite.Options{BusyTimeout: time.Minute})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, db.Close()) })
			return db
		}})
	})
}

// clock stands still at noon until it is moved.
type clock struct{ now atomic.Pointer[time.Time] }

func (c *clock) Now() time.Time {
	if at := c.now.Load(); at != nil {
		return *at
	}
	return Noon
}

func (c *clock) Set(at time.Time) { c.now.Store(&at) }

var drawn atomic.Int64

// start runs a handler until the test ends.
func start(t *testing.T, store eventstore.Store, change ...func(*commands.Config)) *commands.Handler {
	t.Helper()
	config := commands.Config{
		Store: store, Policies: domain.Classic(), Clock: new(clock).Now,
		Random: func() string { return fmt.Sprintf("%026d", drawn.Add(1)) },
	}
	for _, c := range change {
		c(&config)
	}
	h, err := commands.NewHandler(t.Context(), config)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, h.Close()) })
	return h
}

func policies(p domain.Policies) func(*commands.Config) {
	return func(c *commands.Config) { c.Policies = p }
}

func at(c *clock) func(*commands.Config) {
	return func(config *commands.Config) { config.Clock = c.Now }
}

// must carries out a command that is not refused.
func must(t testing.TB, h *commands.Handler, as domain.Actor, cmd commands.Command, opts ...commands.Option) commands.Receipt {
	t.Helper()
	receipt, err := h.Do(t.Context(), as, cmd, opts...)
	require.NoError(t, err)
	return receipt
}

// refused carries out a command that is.
func refused(t testing.TB, code domain.Code, h *commands.Handler, as domain.Actor, cmd commands.Command, opts ...commands.Option) {
	t.Helper()
	receipt, err := h.Do(t.Context(), as, cmd, opts...)
	require.ErrorIs(t, err, &domain.Refusal{Code: code})
	require.Empty(t, receipt)
}

// records are all that is in the log.
func records(t testing.TB, store eventstore.Store) []eventstore.Record {
	t.Helper()
	var all []eventstore.Record
	for r, err := range store.ReadAll(t.Context(), 0) {
		require.NoError(t, err)
		all = append(all, r)
	}
	return all
}

// inLog is a group as its events say.
func inLog(t testing.TB, store eventstore.Store, id string) *domain.Group {
	t.Helper()
	g, err := commands.Load(t.Context(), store, id)
	require.NoError(t, err)
	return g
}

// anyone is a group that anybody may join.
func anyone(id string) commands.CreateGroup {
	return commands.CreateGroup{GroupType: domain.Meeting, GroupID: id, Name: "Chess"}
}

// gate holds the commits of a store until it is opened.
type gate struct {
	entered chan struct{} // gets a value when a commit arrives
	open    chan struct{}
}

// gated is a store with a gate before its commits.
func gated(store eventstore.Store) (*eventstoretest.FaultyStore, *gate) {
	g := &gate{entered: make(chan struct{}, 1000), open: make(chan struct{})}
	faulty := eventstoretest.Faulty(store)
	faulty.BeforeAppend(func(context.Context, []eventstore.Commit) error {
		g.entered <- struct{}{}
		<-g.open
		return nil
	})
	return faulty, g
}

func TestReceipts(t *testing.T) {
	eachLog(t, func(t *testing.T, l log) {
		store := l.open()
		h := start(t, store)
		assert.Equal(t, commands.Receipt{
			Outcome: commands.Done, GroupID: "go", Events: []string{"group.created"}, First: 1, Position: 1,
			Users: []commands.UserResult{{UserID: Mary, Result: commands.Succeeded}},
		}, must(t, h, User(Olga), commands.CreateGroup{GroupType: domain.Work, GroupID: "go", Name: "Go", Members: []domain.InitialMember{{UserID: Mary}}}))
		assert.Equal(t, commands.Receipt{
			Outcome: commands.Done, GroupID: "go", Events: []string{"owner.transferred", "member.left"}, First: 2, Position: 3,
		}, must(t, h, User(Olga), commands.Quit{GroupID: "go"}))
		assert.Equal(t, commands.Receipt{Outcome: commands.Nothing, GroupID: "go", Events: []string{}},
			must(t, h, User(Mary), commands.SetGroupInfo{GroupID: "go", Name: ptr("Go")}))
		assert.Equal(t, commands.Receipt{Outcome: commands.Done, Events: []string{"applications.read"}, First: 4, Position: 4},
			must(t, h, User(Mary), commands.MarkApplicationsRead{}))
		must(t, h, User(Olga), create(domain.Public))
		assert.Equal(t, commands.Receipt{
			Outcome: commands.Pending, GroupID: GroupID, Events: []string{"application.submitted"}, First: 6, Position: 6, ApplicationID: "chess/1/1",
		}, must(t, h, User(Mary), commands.RequestJoin{GroupID: GroupID}))
		refused(t, domain.CodeUnknownGroup, h, User(Mary), commands.Quit{GroupID: "none"})
		assert.EqualValues(t, 6, h.Position())

		all := records(t, store)
		require.Len(t, all, 6)
		assert.Equal(t, []any{domain.GroupStream("go"), Olga, false, Noon, ""},
			[]any{all[2].Stream, all[2].Actor, all[2].AppAdmin, all[2].Time, all[2].CommandID})
		assert.Equal(t, domain.UserStream(Mary), all[3].Stream)
	})
}

func TestAssignedGroupIDs(t *testing.T) {
	h := start(t, memory.New())
	seen := map[string]bool{}
	for _, kind := range types {
		for _, cmd := range []commands.Command{
			commands.CreateGroup{GroupType: kind, Name: "X"},
			commands.ImportGroup{CreateGroup: commands.CreateGroup{GroupType: kind, Name: "X"}},
		} {
			receipt := must(t, h, AppAdmin(Root), cmd)
			prefix := "@TGS#0"
			if kind == domain.Community {
				prefix = "@TGS#_0"
			}
			assert.True(t, strings.HasPrefix(receipt.GroupID, prefix), receipt.GroupID)
			assert.LessOrEqual(t, len(receipt.GroupID), 48)
			assert.False(t, seen[receipt.GroupID])
			seen[receipt.GroupID] = true
			must(t, h, AppAdmin(Root), commands.Dismiss{GroupID: receipt.GroupID})
		}
	}
	refused(t, domain.CodeInvalidArgument, h, User(Olga), commands.CreateGroup{GroupType: "Clan", Name: "X"})
}

// What an app admin did is recorded as done by an app admin.
func TestWhoDidItIsRecorded(t *testing.T) {
	store := memory.New()
	h := start(t, store)
	must(t, h, User(Olga), anyone("go"))
	must(t, h, AppAdmin(Root), commands.InviteUsers{GroupID: "go", UserIDs: []string{Mary}})
	must(t, h, domain.System, commands.Dismiss{GroupID: "go"})
	all := records(t, store)
	assert.Equal(t, domain.Meta{Actor: User(Olga), At: Noon}, commands.MetaOf(all[0]))
	assert.Equal(t, domain.Meta{Actor: AppAdmin(Root), At: Noon}, commands.MetaOf(all[1]))
	assert.Equal(t, domain.Meta{Actor: domain.System, At: Noon}, commands.MetaOf(all[2]))
}

// I17: bans and mutes end by the engine's clock, and a restart does not lift them.
func TestExpirySurvivesRestarts(t *testing.T) {
	eachLog(t, func(t *testing.T, l log) {
		c := new(clock)
		h := start(t, l.open(), at(c))
		must(t, h, User(Olga), anyone("go"))
		must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"})
		must(t, h, User(Olga), commands.KickMembers{GroupID: "go", UserIDs: []string{Mary}, BanTime: time.Hour})
		require.NoError(t, h.Close())

		h = start(t, l.open(), at(c))
		c.Set(Noon.Add(time.Hour - time.Microsecond))
		refused(t, domain.CodeNotPermitted, h, User(Mary), commands.RequestJoin{GroupID: "go"})
		c.Set(Noon.Add(time.Hour))
		assert.Equal(t, commands.Joined, must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"}).Outcome)
	})
}

// A clock that is set back does not reorder what happens in a group, and does not
// make a ban longer.
func TestAClockThatIsSetBack(t *testing.T) {
	store, c := memory.New(), new(clock)
	h := start(t, store, at(c))
	must(t, h, User(Olga), anyone("go"))
	must(t, h, User(Mary), commands.RequestJoin{GroupID: "go"})
	c.Set(Noon.Add(-time.Hour))
	must(t, h, User(Olga), commands.KickMembers{GroupID: "go", UserIDs: []string{Mary}, BanTime: time.Hour})
	assert.Equal(t, Noon, records(t, store)[2].Time)
	assert.Equal(t, Noon.Add(time.Hour), inLog(t, store, "go").BannedUntil(Mary))
	must(t, h, User(Olga), anyone("other"))
	assert.Equal(t, Noon.Add(-time.Hour), records(t, store)[3].Time, "other groups are not concerned")
}

func TestClockToTheMicrosecondInUTC(t *testing.T) {
	store, c := memory.New(), new(clock)
	c.Set(time.Date(2024, 5, 1, 12, 0, 0, 123456789, time.FixedZone("", 3600)))
	h := start(t, store, at(c))
	must(t, h, User(Olga), anyone("go"))
	assert.Equal(t, time.Date(2024, 5, 1, 11, 0, 0, 123456000, time.UTC), records(t, store)[0].Time)
	assert.Equal(t, records(t, store)[0].Time, inLog(t, store, "go").CreatedAt())
}
