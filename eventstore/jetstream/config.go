package jetstream

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/grouplog/grouplog/eventstore"
)

// Metadata of the stream that has the log in its order.
const (
	metadataID     = "grouplog.id"
	metadataFormat = "grouplog.format"
	metadataShards = "grouplog.shards"
)

// duplicates is how long the servers know a message that is sent again by its ID. It
// only spares messages: what is accepted twice would break the chain of its subject,
// and is not accepted.
const duplicates = 2 * time.Minute

// keeping is how every stream of a log is set up: it keeps everything, refuses what does
// not fit, and lets nobody delete.
func keeping(name string, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              name,
		Description:       "event log of grouplog; do not edit",
		Retention:         jetstream.LimitsPolicy,
		Discard:           jetstream.DiscardNew,
		Storage:           jetstream.FileStorage,
		Replicas:          replicas,
		MaxMsgs:           -1,
		MaxBytes:          -1,
		MaxMsgsPerSubject: -1,
		MaxMsgSize:        -1,
		Duplicates:        duplicates,
		DenyDelete:        true,
		DenyPurge:         true,
		AllowDirect:       true,
	}
}

// configs are how the streams of a log are set up, that of its order last. Bells are
// republished from there without bodies, so that every process hears of every message.
func (s shards) configs(id string, replicas int) []jetstream.StreamConfig {
	log := keeping(s.address.stream(), replicas)
	log.RePublish = &jetstream.RePublish{Source: s.address.prefix("log") + ">", Destination: s.address.prefix("bell") + ">", HeadersOnly: true}
	log.Metadata = map[string]string{metadataID: id, metadataFormat: strconv.Itoa(format), metadataShards: strconv.Itoa(s.n)}
	if s.n == 1 {
		log.Subjects = []string{s.subjects(0)}
		return []jetstream.StreamConfig{log}
	}
	var all []jetstream.StreamConfig
	for shard := range s.n {
		c := keeping(s.name(shard), replicas)
		c.Subjects = []string{s.subjects(shard)}
		all = append(all, c)
		log.Sources = append(log.Sources, &jetstream.StreamSource{Name: c.Name})
	}
	return append(all, log)
}

// findStreams finds the streams of the log, or creates them, and reads which log it is.
func (s *Store) findStreams(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, s.options.ReadTimeout)
	defer cancel()
	s.shards = shards{&s.address, max(s.options.Shards, 1)}
	log, err := s.findStream(ctx, s.address.stream())
	if errors.Is(err, jetstream.ErrStreamNotFound) {
		if log, err = s.createStreams(ctx); errors.Is(err, jetstream.ErrStreamNotFound) {
			return fmt.Errorf("there is no stream %s: %w", s.address.stream(), fs.ErrNotExist)
		}
	}
	if err != nil {
		return fmt.Errorf("the stream %s: %w", s.address.stream(), explain(err))
	}
	return s.recognise(ctx, log)
}

// recognise sees to it that the streams are those of a log, and of which.
func (s *Store) recognise(ctx context.Context, log *jetstream.StreamInfo) error {
	metadata := log.Config.Metadata
	n, err := strconv.Atoi(metadata[metadataShards])
	s.id = metadata[metadataID]
	switch {
	case s.id == "" || err != nil || n < 1 || n > maxShards:
		return fmt.Errorf("%w of stream %s: it is no log of grouplog, as its metadata says nothing of one; give the log another name", ErrSettings, log.Config.Name)
	case s.options.ID != "" && s.options.ID != s.id:
		return fmt.Errorf("%w: the stream %s is log %s, and not %s", eventstore.ErrOtherLog, log.Config.Name, s.id, s.options.ID)
	case s.options.Shards != 0 && s.options.Shards != n:
		return fmt.Errorf("%w of stream %s: it has %d shards, and not %d; their number cannot be changed: copy it to another log", ErrSettings, log.Config.Name, n, s.options.Shards)
	}
	s.shards.n = n
	var errs []error
	for _, want := range s.shards.configs(s.id, s.options.Replicas) {
		found := log
		if want.Name != log.Config.Name {
			if found, err = s.findStream(ctx, want.Name); err != nil {
				return fmt.Errorf("the stream %s: %w", want.Name, explain(err))
			}
		}
		errs = append(errs, checkConfig(&found.Config, &want), s.checkState(found))
	}
	return errors.Join(errs...)
}

func (s *Store) findStream(ctx context.Context, name string) (*jetstream.StreamInfo, error) {
	return retry(ctx, func(ctx context.Context) (*jetstream.StreamInfo, error) {
		stream, err := s.js.Stream(ctx, name)
		if err != nil {
			return nil, err
		}
		info := stream.CachedInfo()
		if info.Cluster != nil && info.Cluster.Leader == "" {
			return nil, errNoLeader(name)
		}
		return info, nil
	})
}

// createStreams makes the streams of a new log, that of its order last, and returns it.
// Where another process does the same, it makes the log.
func (s *Store) createStreams(ctx context.Context) (*jetstream.StreamInfo, error) {
	if s.options.MustExist {
		return nil, jetstream.ErrStreamNotFound
	}
	id := s.options.ID
	if id == "" {
		id = uuid.Must(uuid.NewV7()).String()
	}
	for _, c := range s.shards.configs(id, s.options.Replicas) {
		_, err := retry(ctx, func(ctx context.Context) (jetstream.Stream, error) { return s.js.CreateStream(ctx, c) })
		if err != nil && !errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil, err
		}
	}
	// Where another process makes it, it is not to be found at once.
	for {
		log, err := s.findStream(ctx, s.address.stream())
		if !errors.Is(err, jetstream.ErrStreamNotFound) || ctx.Err() != nil {
			return log, err
		}
		time.Sleep(firstPause)
	}
}

// retry repeats what fails because the cluster is not ready, until the context ends.
func retry[T any](ctx context.Context, try func(context.Context) (T, error)) (T, error) {
	for {
		attempt, cancel := context.WithTimeout(ctx, 5*time.Second)
		result, err := try(attempt)
		cancel()
		if err == nil || !errors.Is(err, ErrUnavailable) && !errors.Is(explain(err), ErrUnavailable) || ctx.Err() != nil {
			return result, err
		}
		select {
		case <-time.After(longestPause):
		case <-ctx.Done():
			return result, err
		}
	}
}

// checkConfig reports everything in a stream's settings by which it could not be what
// it is wanted for.
func checkConfig(found, want *jetstream.StreamConfig) error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	must(found.Metadata[metadataFormat] == want.Metadata[metadataFormat], "its format is %q, and this program writes %q", found.Metadata[metadataFormat], want.Metadata[metadataFormat])
	must(slices.Equal(found.Subjects, want.Subjects), "its subjects are %q instead of %q", found.Subjects, want.Subjects)
	must(slices.Equal(sources(found), sources(want)), "it takes messages from the streams %q instead of %q", sources(found), sources(want))
	must(found.Storage == want.Storage, "it is kept in memory instead of files")
	must(found.Replicas == want.Replicas, "it has %d replicas instead of %d", found.Replicas, want.Replicas)
	must(found.Retention == want.Retention, "its retention is %s, so that it forgets messages", found.Retention)
	must(found.Discard == want.Discard, "it discards old messages when it is full instead of refusing new ones")
	must(found.MaxMsgs <= 0 && found.MaxMsgsPerSubject <= 0 && found.MaxAge == 0, "it discards messages, as there is a limit to their number or age")
	must(!found.NoAck, "it acknowledges nothing")
	must(!found.AllowRollup && !found.AllowMsgTTL, "it allows roll-ups, or messages that expire")
	must(found.DenyDelete && found.DenyPurge, "messages can be deleted or purged")
	must(found.AllowDirect, "direct reading is not allowed")
	must(found.SubjectTransform == nil && found.Mirror == nil, "it transforms subjects, or mirrors another stream")
	must(found.PersistMode == jetstream.DefaultPersistMode, "it is written asynchronously")
	if bell := want.RePublish; bell != nil {
		must(found.RePublish != nil && *found.RePublish == *bell, "it does not republish headers to %s", bell.Destination)
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w of stream %s: %w; the log was not opened, and nothing was changed", ErrSettings, found.Name, err)
	}
	return nil
}

// sources are the names of the streams that a stream takes messages from.
func sources(c *jetstream.StreamConfig) []string {
	var names []string
	for _, source := range c.Sources {
		names = append(names, source.Name)
	}
	return names
}
