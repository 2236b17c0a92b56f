package grouplog_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"strconv"
	"sync/atomic"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest/powercut"
)

// What a child process is told by its environment.
const (
	childRole  = "GROUPLOG_TEST_CHILD"
	childPath  = "GROUPLOG_TEST_PATH"
	childRound = "GROUPLOG_TEST_ROUND"
)

// Roles of child processes.
const (
	roleLoad  = "load"  // carry out commands for ever, and say what was answered
	roleServe = "serve" // carry out the commands that are asked for
	roleCrowd = "crowd" // carry out commands until the input ends, and say how many
)

func runChild(role string) int {
	run, options := childLoad, (*grouplog.Options)(nil)
	switch role {
	case roleServe:
		run, options = childServe, &grouplog.Options{Policies: fewSeats()}
	case roleCrowd:
		run = childCrowd
	}
	engine, err := grouplog.Open(context.Background(), os.Getenv(childPath), options)
	if err == nil {
		err = errors.Join(run(context.Background(), engine), engine.Close())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// line is what a child says: a command was answered, or somebody was told something. It
// is written in one piece, of less than a pipe takes at once.
type line struct {
	Moment powercut.Moment `json:"moment"` // when, where the disk is watched

	// A command: that is wish(Round, Caller, N).
	Round  int     `json:"round"`
	Caller int     `json:"caller"`
	N      int     `json:"n"`
	Answer *answer `json:"answer,omitempty"`

	// A notification.
	Listener string              `json:"listener,omitempty"`
	ID       string              `json:"id,omitempty"`
	Group    string              `json:"group,omitempty"`
	Position eventstore.Position `json:"position,omitempty"`
}

func (l line) say() error {
	l.Moment = powercut.Written()
	text, err := json.Marshal(l)
	if err != nil {
		return err
	}
	_, err = os.Stdout.Write(append(text, '\n'))
	return err
}

// answer is what a command came to.
type answer struct {
	Receipt commands.Receipt `json:"receipt"`
	Code    domain.Code      `json:"code,omitempty"` // of the refusal; zero where it was not refused
}

// answerOf is the answer, or an error that is none.
func answerOf(receipt commands.Receipt, err error) (*answer, error) {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return &answer{Code: refusal.Code}, nil
	}
	receipt.Repeated = false // it is the same answer
	return &answer{Receipt: receipt}, err
}

// wish is the n-th command of a caller in a round, always the same, with its ID.
func wish(round, caller, n int) (domain.Actor, commands.Command, string) {
	random := rand.New(rand.NewPCG(uint64(round)<<32|uint64(caller), uint64(n)))
	id := func(of string, among int) string { return fmt.Sprint(of, random.IntN(among)) }
	group, actor, other := id("group-", 6), domain.Actor{UserID: id("user-", 15), AppAdmin: random.IntN(4) == 0}, id("user-", 15)
	types := []domain.GroupType{domain.Public, domain.Meeting, domain.Work}
	wishes := []commands.Command{
		commands.CreateGroup{GroupType: types[random.IntN(len(types))], GroupID: group, Name: "G"},
		commands.CreateGroup{GroupType: types[random.IntN(len(types))], Name: "Assigned"},
		commands.RequestJoin{GroupID: group}, commands.RequestJoin{GroupID: group, Message: "again"},
		commands.InviteUsers{GroupID: group, UserIDs: []string{other, id("user-", 15)}},
		commands.AcceptApplication{GroupID: group, FromUser: other},
		commands.Quit{GroupID: group}, commands.KickMembers{GroupID: group, UserIDs: []string{other}},
		commands.SetMemberRole{GroupID: group, UserID: other, Role: domain.Admin},
		commands.SetGroupInfo{GroupID: group, Introduction: new(fmt.Sprint(n))},
		commands.SetAttributes{GroupID: group, Attributes: map[string]string{"turn": fmt.Sprint(n)}},
		commands.MarkApplicationsRead{},
	}
	command := wishes[random.IntN(len(wishes))]
	if random.IntN(60) == 0 {
		command = commands.Dismiss{GroupID: group}
	}
	return actor, command, fmt.Sprintf("%d/%d/%d", round, caller, n)
}

// childLoad carries out commands from several callers, with listeners attached and a
// rebuild now and then, until it is killed.
func childLoad(ctx context.Context, engine *grouplog.Engine) error {
	round, err := strconv.Atoi(os.Getenv(childRound))
	if err != nil {
		return err
	}
	failed := make(chan error)
	for _, w := range witnesses {
		if err := w.attach(ctx, engine); err != nil {
			return err
		}
	}
	var answered atomic.Int64
	for caller := range 8 {
		go func() {
			for n := 0; ; n++ {
				as, cmd, id := wish(round, caller, n)
				answer, err := answerOf(engine.Do(ctx, as, cmd, commands.WithID(id)))
				if err == nil {
					err = line{Round: round, Caller: caller, N: n, Answer: answer}.say()
				}
				if err == nil && answered.Add(1)%97 == 0 {
					err = engine.Rebuild(ctx, nil)
				}
				if err != nil {
					failed <- fmt.Errorf("%s: %w", id, err)
					return
				}
			}
		}()
	}
	return <-failed
}
