package grouplog_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/anishathalye/porcupine"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// fewSeats has room for two beside the owner in a Meeting group.
func fewSeats() domain.Policies {
	policies := domain.Classic()
	meeting := policies[domain.Meeting]
	meeting.MemberLimit = 3
	policies[domain.Meeting] = meeting
	return policies
}

// call is a command that a client has a process carry out, and the reply.
type call struct {
	Number int     `json:"number"`
	ID     string  `json:"id"`
	User   string  `json:"user"`
	Group  string  `json:"group"`
	Quit   bool    `json:"quit"`
	Answer *answer `json:"answer,omitempty"`
	Error  string  `json:"error,omitempty"` // no answer: try again
}

func (c call) command() commands.Command {
	if c.Quit {
		return commands.Quit{GroupID: c.Group}
	}
	return commands.RequestJoin{GroupID: c.Group}
}

// childServe carries out what it is asked for, all at once, until it is killed.
func childServe(ctx context.Context, engine *grouplog.Engine) error {
	var mu sync.Mutex
	out := json.NewEncoder(os.Stdout)
	in := json.NewDecoder(os.Stdin)
	for {
		var c call
		if err := in.Decode(&c); err != nil {
			return err
		}
		go func() {
			var err error
			if c.Answer, err = answerOf(engine.Do(ctx, domain.Actor{UserID: c.User}, c.command(), commands.WithID(c.ID))); err != nil {
				c.Answer, c.Error = nil, err.Error()
			}
			mu.Lock()
			defer mu.Unlock()
			_ = out.Encode(c) // whoever waits for it will notice
		}()
	}
}

// server is a process that clients send commands to.
type server struct {
	path string

	mu      sync.Mutex
	cmd     *exec.Cmd
	in      io.WriteCloser
	calls   int
	waiting map[int]chan call // by number; closed when the process has gone
}

func (s *server) start(t *testing.T) {
	cmd, in, out := startChild(t, roleServe, s.path)
	waiting := map[int]chan call{}
	s.cmd, s.in, s.waiting = cmd, in, waiting
	go s.listen(out, waiting)
}

// listen hands replies out until the process has gone.
func (s *server) listen(out *bufio.Scanner, waiting map[int]chan call) {
	for out.Scan() {
		var c call
		if json.Unmarshal(out.Bytes(), &c) != nil {
			break // cut short by the kill
		}
		s.mu.Lock()
		waiting[c.Number] <- c
		delete(waiting, c.Number)
		s.mu.Unlock()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, ch := range waiting {
		close(ch)
	}
	clear(waiting)
}

// kill ends the process at once, and starts another.
func (s *server) kill(t *testing.T, again bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	_ = s.cmd.Process.Kill()
	_ = s.cmd.Wait()
	if again {
		s.start(t)
	}
}

var errNoAnswer = errors.New("no answer")

// do sends a command. A client without patience does not wait for the answer.
func (s *server) do(c call, patient bool) (*answer, error) {
	reply := make(chan call, 1)
	s.mu.Lock()
	s.calls++
	c.Number = s.calls
	s.waiting[c.Number] = reply
	err := json.NewEncoder(s.in).Encode(c)
	s.mu.Unlock()
	if err != nil || !patient {
		return nil, errNoAnswer
	}
	c, ok := <-reply
	if !ok || c.Answer == nil {
		return nil, errNoAnswer
	}
	return c.Answer, nil
}

// seats is a group with room for two beside its owner, as one who looks on from outside
// may think of it: the state is its members, in order, with commas between.
var seats = porcupine.Model{
	Init: func() any { return "" },
	Step: func(state, input, output any) (bool, any) {
		c, code := input.(call), output.(domain.Code)
		members := strings.FieldsFunc(state.(string), func(r rune) bool { return r == ',' })
		is := slices.Contains(members, c.User)
		want := domain.Code(0)
		switch {
		case c.Quit && !is:
			want = domain.CodeNotPermitted
		case c.Quit:
			members = slices.DeleteFunc(members, func(m string) bool { return m == c.User })
		case is:
			want = domain.CodeAlreadyMember
		case len(members) == 2:
			want = domain.CodeGroupFull
		default:
			members = append(members, c.User)
			slices.Sort(members)
		}
		return code == want, strings.Join(members, ",")
	},
}

// Clients of several processes on one log lose their patience, and the processes are
// killed. Who tries again with the same ID, wherever, finds one effect and one answer, and
// all answers together can be explained one after the other.
func TestExactlyOnceThroughKills(t *testing.T) {
	random := seeded(t)
	for range rounds(1) {
		exactlyOnce(t, random)
	}
}

func exactlyOnce(t *testing.T, random *rand.Rand) {
	path := filepath.Join(t.TempDir(), "groups.db")
	groups := []string{"a", "b", "c"}
	engine := openFile(t, path, nil)
	for _, group := range groups {
		_, err := engine.As("owner").CreateGroup(t.Context(), domain.Meeting, group, "G")
		require.NoError(t, err)
	}
	servers := []*server{{path: path}, {path: path}, {path: path}}
	for _, s := range servers {
		s.start(t)
	}
	var moment, kills atomic.Int64
	var mu sync.Mutex
	history := map[string][]porcupine.Operation{} // by group
	answers := map[call]*answer{}
	var wg sync.WaitGroup
	for client := range 5 {
		random := rand.New(rand.NewPCG(random.Uint64(), 0))
		wg.Go(func() {
			for n := range 12 {
				c := call{
					ID: fmt.Sprint(client, "/", n), User: fmt.Sprint("user-", random.IntN(3)),
					Group: groups[random.IntN(len(groups))], Quit: random.IntN(2) == 0,
				}
				begun := moment.Add(1)
				var got *answer
				for err := errNoAnswer; err != nil; {
					s := servers[random.IntN(len(servers))]
					if got, err = s.do(c, random.IntN(4) > 0); random.IntN(12) == 0 {
						kills.Add(1)
						s.kill(t, true)
					}
				}
				returned := moment.Add(1)
				mu.Lock()
				history[c.Group] = append(history[c.Group], porcupine.Operation{ClientId: client, Input: c, Call: begun, Output: got.Code, Return: returned})
				answers[c] = got
				mu.Unlock()
			}
		})
	}
	wg.Wait()
	for _, s := range servers {
		s.kill(t, false)
	}
	for group, operations := range history {
		require.True(t, porcupine.CheckOperations(seats, operations), "group %s", group)
	}
	log := wholeLog(t, engine.Log())
	for c, first := range answers {
		again, err := answerOf(engine.Do(t.Context(), domain.Actor{UserID: c.User}, c.command(), commands.WithID(c.ID)))
		require.NoError(t, err)
		require.Equal(t, first, again, "command %s", c.ID)
	}
	require.Len(t, wholeLog(t, engine.Log()), len(log), "a command that is repeated records nothing")
	t.Logf("%d events, %d kills", len(log), kills.Load())
}
