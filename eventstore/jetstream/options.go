package jetstream

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/nats-io/nats.go"
)

// Sync is when the servers write to their disks what they have acknowledged.
type Sync int

const (
	// SyncAsk: it is to be found out from Options.Monitors, and must be before every
	// acknowledgement.
	SyncAsk Sync = iota
	// SyncAlways: before every acknowledgement (sync_interval: always), as whoever says
	// so knows. Where Options.Monitors are given, they are asked all the same.
	SyncAlways
	// SyncLazy: some time later, two minutes unless the servers are told otherwise. What
	// was acknowledged since is lost if most servers lose their power at once.
	SyncLazy
)

func parseSync(s string) (Sync, error) {
	switch s {
	case "ask":
		return SyncAsk, nil
	case "always":
		return SyncAlways, nil
	case "lazy":
		return SyncLazy, nil
	}
	return 0, fmt.Errorf("sync=%s: it is always, lazy or ask", s)
}

// String is the word that stands for it in an address.
func (s Sync) String() string { return [...]string{"ask", "always", "lazy"}[s] }

// Defaults of Options.
const (
	DefaultReplicas      = 3
	DefaultAppendTimeout = 30 * time.Second
	DefaultReadTimeout   = 15 * time.Second
)

// maxShards is how many shards are of any use to machines of which there are at most a dozen.
const maxShards = 64

// Options say how to open a log. The zero value is good where Monitors or the address
// say what the disks promise.
type Options struct {
	// MustExist refuses to create a log where there is none, with an error that wraps
	// fs.ErrNotExist.
	MustExist bool

	// ID is that of the log to be made, for a copy of another; a new one when empty. A
	// log that is there keeps its own, and must have this one if it is given.
	ID string

	// Sync is what the servers' disks are trusted with. An address that says it counts
	// instead.
	Sync Sync

	// Monitors are the addresses of the servers' monitoring (http://HOST:8222), which are
	// asked whether the servers sync always. One for each server.
	Monitors []string

	// Replicas is how many servers hold the log: DefaultReplicas when zero. A log that
	// is there must have as many.
	Replicas int

	// Shards is over how many streams the messages are spread, by the streams of the log,
	// each with a leader of its own: 1 when zero, or as many as there are. One more stream
	// then brings them into one order, which costs a hop. A log keeps its number for ever.
	Shards int

	// AppendTimeout is how long an append goes on trying to learn what became of it,
	// before it answers ErrUnknown or ErrUnavailable; DefaultAppendTimeout when zero. The
	// election of another leader takes four to nine seconds.
	AppendTimeout time.Duration

	// ReadTimeout is how long a read waits for the cluster to say how far the log goes;
	// DefaultReadTimeout when zero.
	ReadTimeout time.Duration

	// NATS are options of the connection, for credentials and certificates.
	NATS []nats.Option

	// Logger hears of what an operator should look at; none when nil.
	Logger *slog.Logger
}

// Validate reports every mistake in the options at once. Nil is valid.
func (o *Options) Validate() error {
	if o == nil {
		return nil
	}
	var errs []error
	if o.Sync < SyncAsk || o.Sync > SyncLazy {
		errs = append(errs, fmt.Errorf("Sync is %d; use SyncAsk, SyncAlways or SyncLazy", o.Sync))
	}
	for _, m := range o.Monitors {
		if u, err := url.Parse(m); err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
			errs = append(errs, fmt.Errorf("monitor %q: it is an address such as http://HOST:8222", m))
		}
	}
	if o.Replicas < 0 || o.Replicas > 5 {
		errs = append(errs, fmt.Errorf("Replicas is %d; from 1 to 5, or 0 for %d", o.Replicas, DefaultReplicas))
	}
	if o.Shards < 0 || o.Shards > maxShards {
		errs = append(errs, fmt.Errorf("Shards is %d; from 1 to %d, or 0 for what there is", o.Shards, maxShards))
	}
	if o.AppendTimeout < 0 || o.ReadTimeout < 0 {
		errs = append(errs, errors.New("a timeout is negative; use 0 for the default"))
	}
	return errors.Join(errs...)
}

// withDefaults returns a copy in which nothing is left open.
func (o *Options) withDefaults() Options {
	var opts Options
	if o != nil {
		opts = *o
	}
	if opts.Replicas == 0 {
		opts.Replicas = DefaultReplicas
	}
	if opts.AppendTimeout == 0 {
		opts.AppendTimeout = DefaultAppendTimeout
	}
	if opts.ReadTimeout == 0 {
		opts.ReadTimeout = DefaultReadTimeout
	}
	if opts.Logger == nil {
		opts.Logger = slog.New(slog.DiscardHandler)
	}
	return opts
}
