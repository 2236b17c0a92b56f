package bench

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// fixture gives the path of a log with read models that are current, which it makes
// when it is first asked for. Trials that share it may add to it a little.
func (b *Bench) fixture(ctx context.Context, name string, write func(*scribe) error) (path string, err error) {
	if path, ok := b.fixtures[name]; ok {
		return path, nil
	}
	dir, err := os.MkdirTemp(b.options.Dir, name+"-")
	if err != nil {
		return "", err
	}
	path = filepath.Join(dir, "groups.db")
	b.progress("making a log: " + name)
	if err := writeLog(ctx, path, write); err != nil {
		return "", fmt.Errorf("make a log: %w", err)
	}
	b.progress("making its read models: " + name)
	engine, err := openEngine(ctx, path)
	if err != nil {
		return "", err
	}
	if err := errors.Join(current(ctx, engine), engine.Close()); err != nil {
		return "", err
	}
	b.fixtures[name] = path
	return path, nil
}

// stranger is a user whom no log of b knows: a round that leaves somebody in a group can be
// run again, by a later trial too.
func (b *Bench) stranger() string {
	b.came++
	return fmt.Sprintf("stranger-%d", b.came)
}

func writeLog(ctx context.Context, path string, write func(*scribe) error) (err error) {
	log, err := sqlite.Open(ctx, path, nil)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, log.Close()) }()
	s := &scribe{ctx: ctx, log: log, at: time.Date(2020, 1, 1, 0, 0, 0, 0, time.UTC)}
	if err := write(s); err != nil {
		return err
	}
	return s.flush()
}

// scribe writes events as commands would have recorded them, a millisecond apart, in
// large transactions.
type scribe struct {
	ctx    context.Context
	log    eventstore.Store
	at     time.Time
	batch  []eventstore.Commit
	events int // in the batch
}

// record records what one actor does to one group.
func (s *scribe) record(group, actor string, facts ...domain.Event) error {
	return s.write(domain.GroupStream(group), actor, facts...)
}

func (s *scribe) write(stream, actor string, facts ...domain.Event) error {
	commit := eventstore.Commit{Stream: stream}
	for _, fact := range facts {
		name, schema, data, err := domain.Encode(fact)
		if err != nil {
			return err
		}
		s.at = s.at.Add(time.Millisecond)
		commit.Events = append(commit.Events, eventstore.Event{Type: name, Schema: schema, Data: data, Actor: actor, Time: s.at})
	}
	s.batch = append(s.batch, commit)
	if s.events += len(facts); s.events >= 5_000 {
		return s.flush()
	}
	return nil
}

func (s *scribe) flush() error {
	_, err := s.log.Append(s.ctx, s.batch...)
	s.batch, s.events = s.batch[:0], 0
	return err
}

// founded is the creation of a group into which anybody may come.
func founded(owner string, members ...string) domain.GroupCreated {
	e := domain.GroupCreated{GroupType: domain.Meeting, Owner: owner, Name: "A group", JoinOption: domain.Any, InviteOption: domain.Any}
	for _, m := range members {
		e.Members = append(e.Members, domain.InitialMember{UserID: m})
	}
	return e
}

// Names in the log of groups.
func sizedGroup(members int) string { return fmt.Sprintf("of-%d", members) }
func smallGroup(n int) string       { return fmt.Sprintf("small-%d", n) }

// groups is a log of groups of all sizes: one of each size, and many of ten.
func (b *Bench) groups(ctx context.Context) (path string, err error) {
	sizes := append(slices.Clone(b.options.Sizes.WarmGroups), few, b.options.Sizes.Large)
	slices.Sort(sizes)
	return b.fixture(ctx, "groups", func(s *scribe) error {
		for _, size := range slices.Compact(sizes) {
			group := sizedGroup(size)
			if err := s.record(group, "founder", founded("founder")); err != nil {
				return err
			}
			for i := 0; i < size; i++ { // founders leave
				if err := s.record(group, callerID(i), domain.MemberJoined{UserID: callerID(i)}); err != nil {
					return err
				}
			}
		}
		random := rand.New(rand.NewPCG(1, 1))
		for i := range b.options.Sizes.Small {
			first := random.IntN(b.options.Sizes.Large)
			var members []string
			for k := range 9 {
				members = append(members, callerID((first+k)%b.options.Sizes.Large))
			}
			if err := s.record(smallGroup(i), "founder", founded("founder", members...)); err != nil {
				return err
			}
		}
		return nil
	})
}

// history is a log of groups of some hundred events each: joins, applications and what
// is decided about them, name cards, people who leave.
func (b *Bench) history(ctx context.Context) (path string, err error) {
	events := b.options.Sizes.Replayed
	return b.fixture(ctx, "history", func(s *scribe) error {
		type state struct {
			members, open []string
			submitted     int
		}
		random := rand.New(rand.NewPCG(1, 2))
		groups := make([]state, max(1, events/400))
		for i := range events {
			n := random.IntN(len(groups))
			g, id, user := &groups[n], groupID(n), callerID(random.IntN(events/10))
			var fact domain.Event
			switch what := random.IntN(10); {
			case len(g.members) == 0:
				fact = domain.GroupCreated{GroupType: domain.Public, Owner: user, Name: "A group", JoinOption: domain.Auth, InviteOption: domain.Any}
				g.members = append(g.members, user)
			case what < 4:
				fact = domain.MemberJoined{UserID: user}
				g.members = append(g.members, user)
			case what < 6:
				g.submitted++
				id := domain.ApplicationID(id, 1, g.submitted)
				fact = domain.ApplicationSubmitted{ApplicationID: id, From: user, UserID: user, Message: "let me in, please"}
				g.open = append(g.open, id)
			case what < 8 && len(g.open) > 0:
				user = g.members[0]
				fact = domain.ApplicationRefused{ApplicationID: g.open[0], Reason: "full"}
				g.open = g.open[1:]
			case what == 8 && len(g.members) > 1:
				last := len(g.members) - 1
				user = g.members[last]
				fact = domain.MemberLeft{UserID: user}
				g.members = g.members[:last]
			default:
				card := fmt.Sprintf("card %d", i)
				user = g.members[random.IntN(len(g.members))]
				fact = domain.MemberInfoChanged{UserID: user, NameCard: &card}
			}
			if err := s.record(id, user, fact); err != nil {
				return err
			}
		}
		return nil
	})
}

// Users and groups in the log of lists. Each of the two worlds has a user who is in so
// many groups, one who approves for ten groups with so many applications, of which half
// are read, and a group of so many members.
type world struct {
	name string
	rows int
}

const approverGroups = 10

func (w world) joiner() string             { return w.name + "-joiner" }
func (w world) approver() string           { return w.name + "-approver" }
func (w world) group() string              { return w.name + "-group" }
func (w world) joined(n int) string        { return fmt.Sprintf("%s-joined-%07d", w.name, n) }
func (w world) approved(n int) string      { return fmt.Sprintf("%s-approved-%d", w.name, n) }
func (w world) applicant(n int) string     { return fmt.Sprintf("%s-user-%07d", w.name, n) }
func (s Sizes) worlds() (many, less world) { return world{"many", s.Rows}, world{"few", few} }

func (w world) write(s *scribe) error {
	for i := range w.rows {
		if err := s.record(w.joined(i), w.joiner(), founded(w.joiner())); err != nil {
			return err
		}
	}
	for i := range approverGroups {
		e := domain.GroupCreated{GroupType: domain.Public, Owner: w.approver(), Name: "A group", JoinOption: domain.Auth, InviteOption: domain.Any}
		if err := s.record(w.approved(i), w.approver(), e); err != nil {
			return err
		}
	}
	for i := range w.rows {
		group, user := w.approved(i%approverGroups), w.applicant(i)
		if err := s.record(group, user, domain.ApplicationSubmitted{
			ApplicationID: domain.ApplicationID(group, 1, i/approverGroups+1), From: user, UserID: user, Message: "let me in, please",
		}); err != nil {
			return err
		}
		if i == w.rows/2 {
			if err := s.write(domain.UserStream(w.approver()), w.approver(), domain.ApplicationsRead{UserID: w.approver()}); err != nil {
				return err
			}
		}
	}
	if err := s.record(w.group(), "founder", founded("founder")); err != nil {
		return err
	}
	for i := range w.rows {
		if err := s.record(w.group(), w.applicant(i), domain.MemberJoined{UserID: w.applicant(i)}); err != nil {
			return err
		}
	}
	return nil
}

// worlds is the log of lists.
func (b *Bench) worlds(ctx context.Context) (path string, err error) {
	return b.fixture(ctx, "lists", func(s *scribe) error {
		many, less := b.options.Sizes.worlds()
		return errors.Join(less.write(s), many.write(s))
	})
}
