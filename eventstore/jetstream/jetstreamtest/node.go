package jetstreamtest

import (
	"fmt"
	"net"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/nats-io/nats-server/v2/server"
)

// node is how one server is run, which a process is told as JSON.
type node struct {
	File   string // its configuration
	Number int
	Name   string
	Dir    string // its store
	Alone  bool   // it is no part of a cluster

	Client, Route, Monitor int   // its ports
	Routes                 []int // ports at which it finds the servers of the cluster, itself too
	Advertise              int   // port at which others are told to find it
}

func (n node) log() string { return filepath.Join(n.Dir, "..", fmt.Sprint(n.Number, ".log")) }

func address(port int) string { return net.JoinHostPort("127.0.0.1", strconv.Itoa(port)) }

// probe is who tries whether streams can be made, in an account apart: a server removes the
// directory of an account some time after its last stream was deleted, and whoever makes the
// next stream there at that moment is refused.
var probe = url.UserPassword("probe", "probe")

// file is the configuration of every server of a cluster that is given none.
func (o *Options) file() string {
	var b strings.Builder
	b.WriteString("jetstream {\n")
	if !o.Lazy {
		b.WriteString("  sync_interval: always\n")
	}
	if o.MaxFileStore > 0 {
		fmt.Fprintf(&b, "  max_file_store: %d\n", o.MaxFileStore)
	}
	app, anybody := o.App, ""
	if app == nil {
		app, anybody = url.UserPassword("app", "app"), "no_auth_user: app\n"
	}
	user := func(u *url.Userinfo) string {
		password, _ := u.Password()
		return fmt.Sprintf("users: [{user: %q, password: %q}]", u.Username(), password)
	}
	fmt.Fprintf(&b, "}\naccounts {\n  APP: {jetstream: enabled, %s}\n  PROBE: {jetstream: enabled, %s}\n  SYS: {%s}\n}\nsystem_account: SYS\n%s%s\n",
		user(app), user(probe), user(o.System), anybody, o.Config)
	return b.String()
}

// name is what the configuration calls the server, or what it is called here.
func (n node) name() (string, error) {
	o, err := server.ProcessConfigFile(n.File)
	if err != nil {
		return "", fmt.Errorf("the configuration of server %d: %w", n.Number, err)
	}
	if o.ServerName != "" {
		return o.ServerName, nil
	}
	return fmt.Sprint("n", n.Number), nil
}

// start starts the server, as its configuration says but for where it stands.
func (n node) start() (*server.Server, error) {
	o, err := server.ProcessConfigFile(n.File)
	if err != nil {
		return nil, err
	}
	o.ServerName, o.StoreDir, o.JetStream = n.Name, n.Dir, true
	o.Host, o.Port = "127.0.0.1", n.Client
	o.HTTPHost, o.HTTPPort = "127.0.0.1", n.Monitor
	o.NoSigs, o.LogFile = true, n.log()
	o.Logtime = true
	if o.AuthTimeout == 0 {
		o.AuthTimeout = longest.Seconds()
	}
	if !n.Alone {
		n.join(o)
	}
	s, err := server.NewServer(o)
	if err != nil {
		return nil, err
	}
	s.ConfigureLogger()
	s.Start()
	return s, nil
}

// join has the server find the others by way of the links alone. Servers tell each other
// of servers, at the address that each advertises: that is one where nobody is. Clients
// are told of none.
func (n node) join(o *server.Options) {
	if o.Cluster.Name == "" {
		o.Cluster.Name = "test"
	}
	o.Cluster.Host, o.Cluster.Port = "127.0.0.1", n.Route
	o.Cluster.Advertise, o.Cluster.NoAdvertise = address(n.Advertise), true
	o.Routes = nil
	for _, port := range n.Routes {
		route := &url.URL{Scheme: "nats-route", Host: address(port)}
		if o.Cluster.Username != "" {
			route.User = url.UserPassword(o.Cluster.Username, o.Cluster.Password)
		}
		o.Routes = append(o.Routes, route)
	}
}

// runner is a server that runs.
type runner interface {
	stop()            // as an operator does, and waits until it has ended
	end()             // the quickest way, without a thought for what it holds
	kill() error      // at once, as the system does
	pause(bool) error // or go on
	ended() error     // nil while it runs
}

// embedded is a server in this process.
type embedded struct{ *server.Server }

func runEmbedded(n node) (runner, error) {
	s, err := n.start()
	return embedded{s}, err
}

func (e embedded) stop() {
	e.Shutdown()
	e.WaitForShutdown()
}

func (e embedded) end() { e.stop() }

func (e embedded) ended() error { return nil }

var errEmbedded = fmt.Errorf("the server is part of this process: StartProcesses makes those that can be killed and paused")

func (embedded) kill() error { return errEmbedded }

func (embedded) pause(bool) error { return errEmbedded }
