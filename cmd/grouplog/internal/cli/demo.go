package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/internal/files"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/groupview"
)

func (a *app) demoCommand() *cobra.Command {
	var keep string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Play a story that shows every flow, and who is told of what",
		Long: `Plays a story in a log of its own: groups are created, joined, applied to, moderated and
ended. Of every step it shows the command, what it came to, the events that were recorded,
and what each user's listener was told. The log is thrown away, unless --keep.`,
		Example: "  grouplog demo\n  grouplog demo --keep demo.db",
		Args:    exactly(),
	}
	c.Flags().StringVar(&keep, "keep", "", "keep the log in this `FILE`, which must not exist")
	c.RunE = a.run(func(ctx context.Context, _ []string) (err error) {
		if a.json {
			return usage(errors.New("a demo is for people: there is no --json of it"))
		}
		path := keep
		if path == "" {
			dir, err := os.MkdirTemp("", "grouplog-demo-")
			if err != nil {
				return err
			}
			defer os.RemoveAll(dir)
			path = filepath.Join(dir, "demo.db")
		} else if err := a.mayKeep(path); err != nil {
			return err
		}
		a.db, a.store = path, ""
		return a.demo(ctx, keep)
	})
	return c
}

// mayKeep refuses what is no place for a new log.
func (a *app) mayKeep(path string) error {
	if err := files.Free(path); err != nil {
		return hint(err, "the story begins with an empty log: name a new file")
	}
	if _, err := os.Stat(a.db); err != nil { // there is no log that it could be in the way of
		return nil
	}
	return a.spare(path)
}

// demo plays the story.
func (a *app) demo(ctx context.Context, keep string) error {
	policies := domain.Classic()
	meeting := policies[domain.Meeting]
	meeting.RecycleAfter = 30 * 24 * time.Hour
	policies[domain.Meeting] = meeting
	s := &stage{app: a, style: render.StyleFor(a.out), now: time.Date(2026, 1, 5, 9, 0, 0, 0, time.UTC)}
	options := &grouplog.Options{Policies: policies, Clock: func() time.Time { return s.now }}
	return a.withWriter(ctx, options, func(engine *grouplog.Engine) error {
		s.engine = engine
		s.printf("%s\n", introduction)
		for _, user := range cast {
			defer engine.AddGroupListener(user, grouplog.Listener{OnAny: s.hear(user)})()
		}
		for _, scene := range story {
			if err := s.play(ctx, scene); err != nil {
				return err
			}
		}
		return s.close(ctx, keep)
	})
}

const introduction = `A story in a log of its own. Each step shows what somebody does and how to type it, what
it comes to, what is recorded (#, by its position in the log), and who is told of it (→).`

// cast are those who are listened for, in the order in which they are named.
var cast = []string{"alice", "bob", "carol", "dave"}

// scene is one thing that happens.
type scene struct {
	heading string // of a new part of the story
	title   string
	after   time.Duration // since the scene before; a minute where not given
	as      string
	command commands.Command
	look    func(context.Context, *stage) error // in place of a command
}

var story = []scene{
	{
		heading: "A Public group: who wants to come in asks", title: "alice creates a group, with dave as an admin from the start", as: "alice",
		command: commands.CreateGroup{
			GroupType: domain.Public, GroupID: "chess", Name: "Chess club",
			Members: []domain.InitialMember{{UserID: "dave", Role: domain.Admin}},
		},
	},
	{title: "bob asks to join", as: "bob", command: commands.RequestJoin{GroupID: "chess", Message: "it is me"}},
	{title: "dave, an approver, accepts", as: "dave", command: commands.AcceptApplication{GroupID: "chess", FromUser: "bob", Reason: "welcome"}},
	{title: "bob asks once more, which is refused: he is in", as: "bob", command: commands.RequestJoin{GroupID: "chess"}},
	{title: "carol asks to join", as: "carol", command: commands.RequestJoin{GroupID: "chess", Message: "me too"}},
	{title: "alice refuses", as: "alice", command: commands.RefuseApplication{GroupID: "chess", FromUser: "carol", Reason: "not this month"}},
	{title: "alice opens the door", as: "alice", command: commands.SetGroupInfo{GroupID: "chess", JoinOption: domain.Any}},
	{title: "carol joins, and nobody has to approve", as: "carol", command: commands.RequestJoin{GroupID: "chess"}},

	{
		heading: "A Work group: by invitation", title: "bob creates a group for himself", as: "bob",
		command: commands.CreateGroup{GroupType: domain.Work, GroupID: "plan", Name: "Tournament plan"},
	},
	{title: "he brings in two others, who need not consent", as: "bob", command: commands.InviteUsers{GroupID: "plan", UserIDs: []string{"alice", "carol"}}},
	{title: "dave would like to join, and cannot", as: "dave", command: commands.RequestJoin{GroupID: "plan"}},
	{title: "bob quits: who has been in longest is the new owner", as: "bob", command: commands.Quit{GroupID: "plan"}},

	{
		heading: "A Meeting: everybody may walk in", title: "carol opens a meeting", as: "carol",
		command: commands.CreateGroup{GroupType: domain.Meeting, GroupID: "standup", Name: "Stand-up"},
	},
	{title: "bob walks in", as: "bob", command: commands.RequestJoin{GroupID: "standup"}},
	{title: "these are carol's groups now", look: func(ctx context.Context, s *stage) error { return s.joined(ctx, "carol") }},

	{
		heading: "Keeping order", title: "alice mutes bob for an hour", as: "alice",
		command: commands.MuteMember{GroupID: "chess", UserID: "bob", Duration: time.Hour},
	},
	{
		title: "alice kicks bob, and keeps him out for a day", as: "alice",
		command: commands.KickMembers{GroupID: "chess", UserIDs: []string{"bob"}, Reason: "spam", BanTime: 24 * time.Hour},
	},
	{title: "bob knocks in vain", as: "bob", command: commands.RequestJoin{GroupID: "chess"}},
	{title: "carol sets an attribute", as: "carol", command: commands.SetAttributes{GroupID: "chess", Attributes: map[string]string{"opening": "e4"}}},
	{title: "the application itself has something to say", as: "root", command: commands.SendCustomNotification{GroupID: "chess", Data: []byte("round 3 begins")}},

	{heading: "The end of groups", title: "alice dismisses the club", as: "alice", command: commands.Dismiss{GroupID: "chess"}},
	{
		title: "forty days later, idle meetings are recycled, as this log's policy says", after: 40 * 24 * time.Hour,
		look: func(ctx context.Context, s *stage) error { return s.recycle(ctx) },
	},
}

// stage is where the story is played.
type stage struct {
	app    *app
	engine *grouplog.Engine
	style  render.Style
	now    time.Time
	seen   eventstore.Position // events up to here have been shown
	news   newsroom
}

func (s *stage) printf(format string, args ...any) { fmt.Fprintf(s.app.out, format, args...) }

// play plays a scene, and shows what came of it.
func (s *stage) play(ctx context.Context, scene scene) error {
	s.now = s.now.Add(max(scene.after, time.Minute))
	if scene.heading != "" {
		s.printf("\n%s\n", s.style.Bold(scene.heading))
	}
	s.printf("\n%s  %s\n", s.style.Dim(s.now.Format("Jan _2 15:04")), s.style.Bold(scene.title))
	if scene.look != nil {
		return scene.look(ctx, s)
	}
	actor := domain.Actor{UserID: scene.as, AppAdmin: scene.as == "root"}
	for line := range strings.Lines("$ " + wrapFlags(commandLine(actor, scene.command), 90)) {
		s.printf("    %s\n", s.style.Dim(strings.TrimRight(line, "\n")))
	}
	receipt, err := s.engine.Do(ctx, actor, scene.command)
	var refusal *domain.Refusal
	switch {
	case errors.As(err, &refusal):
		s.printf("    %s (%d): %s\n", s.style.Bad("refused"), int(refusal.Code), refusal.Rule)
	case err != nil:
		return err
	default:
		s.printf("    %s\n", s.style.Good(summary(receipt)))
	}
	return s.show(ctx)
}

// show shows the events since it was called last, and who was told of what.
func (s *stage) show(ctx context.Context) error {
	if err := s.engine.WaitForListeners(ctx); err != nil {
		return err
	}
	for record, err := range s.engine.Log().ReadAll(ctx, s.seen) {
		if err != nil {
			return err
		}
		event, err := projections.Decode(record)
		if err != nil {
			return err
		}
		s.seen = record.Position
		s.printf("    #%-3d %s\n", record.Position, audit.Sentence(event))
	}
	for _, told := range s.news.take() {
		s.printf("         %s %s\n", s.style.Dim(fmt.Sprintf("%-26s", "→ "+strings.Join(told.users, ", "))), told.text())
	}
	return nil
}

func (s *stage) joined(ctx context.Context, user string) error {
	s.printf("    %s\n", s.style.Dim("$ grouplog joined "+user))
	table := render.NewTable("group", "type", "name", "role", "#members")
	for g, err := range s.engine.JoinedGroups(ctx, user) {
		if err != nil {
			return err
		}
		table.Row(g.GroupID, string(g.GroupType), g.Name, g.Role.String(), render.Number(g.MemberCount))
	}
	return table.WriteIndented(s.app.out, "    ")
}

func (s *stage) recycle(ctx context.Context) error {
	n, err := s.engine.RecycleIdle(ctx)
	if err != nil {
		return err
	}
	s.printf("    %s\n", s.style.Good(render.Count(n, "group", "groups")+" recycled"))
	return s.show(ctx)
}

// close shows what is left, and where to look next.
func (s *stage) close(ctx context.Context, keep string) error {
	s.printf("\n%s\n\n", s.style.Bold("What is left"))
	table := render.NewTable("group", "type", "name", "status", "owner", "#members", "#events")
	for g, err := range s.engine.Groups(ctx, groupview.GroupFilter{IncludeDismissed: true}) {
		if err != nil {
			return err
		}
		status := g.Status
		if g.Cause == groupview.Recycled {
			status = g.Cause
		}
		table.Row(g.GroupID, string(g.GroupType), g.Name, status, g.Owner, render.Number(g.MemberCount), render.Number(g.Version))
	}
	if err := table.WriteIndented(s.app.out, "    "); err != nil {
		return err
	}
	s.printf("\n%s\n\n", s.style.Bold("Where to look next"))
	db := keep
	if db == "" {
		db = "demo.db"
		s.printf("    This log is gone now. To keep one, and look around in it:\n\n    grouplog demo --keep demo.db\n")
	}
	for _, line := range []string{
		"log ls                           # the whole story, a sentence an event",
		"member ls plan",
		"joined alice",
		"application ls --group chess",
		"do quit --as alice --group plan --dry-run",
		"verify",
	} {
		verb, comment, _ := strings.Cut(line, "#")
		text := fmt.Sprintf("grouplog --db %s %s", db, strings.TrimSpace(verb))
		if comment != "" {
			text = fmt.Sprintf("%-56s", text) + s.style.Dim("#"+comment)
		}
		s.printf("    %s\n", text)
	}
	s.printf("    %s\n", fmt.Sprintf("%-56s", "grouplog --help")+s.style.Dim("# everything else"))
	return nil
}
