package jetstreamtest

import (
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/stretchr/testify/require"
)

// Options say what a cluster is like. The zero value is three servers that sync always
// and let everybody in.
type Options struct {
	Servers      int           // 3, or 1: a server by itself; 0 is 3
	Lazy         bool          // sync as servers do unless told otherwise, every two minutes
	Direct       bool          // servers connect without the links that Partition cuts, which take a third of the speed
	MaxFileStore int64         // bytes that all streams of a server may take; 0: most of the disk
	App          *url.Userinfo // who may connect; nil: everybody, as "app"
	System       *url.Userinfo // who may look at the servers; nil: "sys" with the password "sys"
	Config       string        // more of their configuration, in the language of nats-server

	// Files are configurations to start the servers from, one each, as they stand but for
	// addresses and directories. App and System must be users in them; the fields above
	// and Config do not count.
	Files []string
}

// Cluster is a cluster of NATS servers on loopback.
type Cluster struct {
	options Options
	foreign bool // the configuration is the caller's
	run     func(node) (runner, error)

	mu      sync.Mutex // guards what runs, what is paused and what is cut
	members []*member
	cut     map[int]bool // servers that are partitioned from the others
}

// member is a server of a cluster, running or not.
type member struct {
	node
	ports  []*port
	links  []*link // from it to each server, by number; nil to itself, or with Direct
	runs   runner  // nil while it does not
	paused bool
}

// Start starts a cluster in this process, which ends with the test.
func Start(t testing.TB, options *Options) *Cluster {
	t.Helper()
	return start(t, options, runEmbedded)
}

// StartProcesses starts a cluster of which every server is a process, this test binary
// run again, so that it can be killed and paused. TestMain must call Main.
func StartProcesses(t testing.TB, options *Options) *Cluster {
	t.Helper()
	requireMain(t)
	return start(t, options, runProcess)
}

func start(t testing.TB, options *Options, run func(node) (runner, error)) *Cluster {
	t.Helper()
	c := newCluster(t, t.TempDir(), options, run)
	t.Cleanup(func() {
		c.close()
		if t.Failed() {
			c.logTails(t)
		}
	})
	c.Start(t, c.all()...)
	return c
}

// newCluster prepares a cluster, of which nothing runs yet.
func newCluster(t testing.TB, dir string, options *Options, run func(node) (runner, error)) *Cluster {
	t.Helper()
	c := &Cluster{run: run}
	if options != nil {
		c.options = *options
	}
	o := &c.options
	c.foreign = len(o.Files) > 0
	if o.System == nil {
		o.System = url.UserPassword("sys", "sys")
	}
	if !c.foreign {
		if o.Servers == 0 {
			o.Servers = 3
		}
		file := filepath.Join(dir, "nats.conf")
		require.NoError(t, os.WriteFile(file, []byte(o.file()), 0o600))
		for range o.Servers {
			o.Files = append(o.Files, file)
		}
	}
	require.Contains(t, []int{1, 3}, len(o.Files), "a cluster here has three servers, or one")
	for i, file := range o.Files {
		m := &member{node: node{File: file, Number: i, Alone: len(o.Files) == 1, Dir: filepath.Join(dir, strconv.Itoa(i))}}
		c.members = append(c.members, m)
		require.NoError(t, m.reserve())
		name, err := m.name()
		require.NoError(t, err)
		m.Name = name
	}
	require.NoError(t, c.connect())
	return c
}

// close ends whatever runs, at once where that can be done.
func (c *Cluster) close() {
	var ending sync.WaitGroup
	for _, m := range c.members {
		if m.runs != nil {
			ending.Go(m.runs.end)
		}
	}
	ending.Wait()
	for _, m := range c.members {
		for _, l := range m.links {
			if l != nil {
				l.close()
			}
		}
		for _, p := range m.ports {
			p.release()
		}
	}
}

// logTails says what the servers have said last.
func (c *Cluster) logTails(t testing.TB) {
	for _, m := range c.members {
		text, _ := os.ReadFile(m.log()) // there may be none yet
		lines := slices.DeleteFunc(strings.SplitAfter(string(text), "\n"), func(line string) bool {
			return strings.Contains(line, "Healthcheck failed") || strings.Contains(line, " connection c") // too many
		})
		t.Logf("the last that %s has said:\n%s", m.Name, strings.Join(lines[max(0, len(lines)-20):], ""))
	}
}

// N is the number of servers.
func (c *Cluster) N() int { return len(c.members) }

func (c *Cluster) all() []int {
	all := make([]int, c.N())
	for i := range all {
		all[i] = i
	}
	return all
}

// URL is where clients find the cluster, all servers of it: what nats.Connect takes.
func (c *Cluster) URL() string { return c.urls(c.options.App) }

func (c *Cluster) urls(user *url.Userinfo) string {
	urls := make([]string, c.N())
	for i := range urls {
		urls[i] = c.urlOf(i, user)
	}
	return strings.Join(urls, ",")
}

// URLOf is where clients find one server, and are told of no other.
func (c *Cluster) URLOf(server int) string { return c.urlOf(server, c.options.App) }

func (c *Cluster) urlOf(server int, user *url.Userinfo) string {
	u := url.URL{Scheme: "nats", Host: address(c.members[server].Client), User: user}
	return u.String()
}

// Monitor is the URL of a server's HTTP monitoring, without a slash at the end.
func (c *Cluster) Monitor(server int) string {
	return "http://" + address(c.members[server].Monitor)
}

// Name is what a server calls itself, as JetStream names leaders.
func (c *Cluster) Name(server int) string { return c.members[server].Name }

// Connect is a connection to the cluster that comes back as often as it is lost. It is
// closed with the test.
func (c *Cluster) Connect(t testing.TB, options ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, c.URL(), options...)
}

// ConnectTo is a connection to one server, as Connect's.
func (c *Cluster) ConnectTo(t testing.TB, server int, options ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, c.URLOf(server), options...)
}

// ConnectSystem is a connection of the system account, which may ask the servers of
// themselves.
func (c *Cluster) ConnectSystem(t testing.TB, options ...nats.Option) *nats.Conn {
	t.Helper()
	return connect(t, c.urls(c.options.System), options...)
}

func connect(t testing.TB, url string, options ...nats.Option) *nats.Conn {
	t.Helper()
	usual := []nats.Option{
		nats.MaxReconnects(-1), nats.ReconnectWait(tick), nats.Timeout(longest),
		nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}), // it would say what the test means to happen
	}
	connection, err := nats.Connect(url, append(usual, options...)...)
	require.NoError(t, err)
	t.Cleanup(connection.Close)
	return connection
}
