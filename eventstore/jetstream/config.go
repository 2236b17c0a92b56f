package jetstream

import (
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
)

// Metadata of the stream.
const (
	metadataID     = "grouplog.id"
	metadataFormat = "grouplog.format"
)

// duplicates is how long the servers know a message that is sent again by its ID. It
// only spares messages: what is accepted twice would break the chain of its subject,
// and is not accepted.
const duplicates = 2 * time.Minute

// config is how the stream of a log is set up: it keeps everything, refuses what does
// not fit, and lets nobody delete. Bells are republished without bodies, so that every
// process hears of every message that was stored.
func (a *address) config(id string, replicas int) jetstream.StreamConfig {
	return jetstream.StreamConfig{
		Name:              a.stream(),
		Description:       "event log of grouplog; do not edit",
		Subjects:          []string{a.prefix("log") + ">"},
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
		RePublish:         &jetstream.RePublish{Source: a.prefix("log") + ">", Destination: a.prefix("bell") + ">", HeadersOnly: true},
		Metadata:          map[string]string{metadataID: id, metadataFormat: fmt.Sprint(format)},
	}
}

// check reports everything that keeps a stream with these settings from being the log.
func check(found *jetstream.StreamConfig, want *jetstream.StreamConfig) error {
	var errs []error
	must := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	must(found.Metadata[metadataID] != "", "it is no log of grouplog: its metadata has no %s", metadataID)
	must(found.Metadata[metadataFormat] == want.Metadata[metadataFormat], "its format is %q, and this program writes %s", found.Metadata[metadataFormat], want.Metadata[metadataFormat])
	must(len(found.Subjects) == 1 && found.Subjects[0] == want.Subjects[0], "its subjects are %q instead of %q", found.Subjects, want.Subjects)
	must(found.Storage == want.Storage, "it is kept in memory instead of files")
	must(found.Replicas == want.Replicas, "it has %d replicas instead of %d", found.Replicas, want.Replicas)
	must(found.Retention == want.Retention, "its retention is %s: it would forget messages", found.Retention)
	must(found.Discard == want.Discard, "it discards old messages when it is full instead of refusing new ones")
	must(found.MaxMsgs <= 0 && found.MaxMsgsPerSubject <= 0 && found.MaxAge == 0, "it discards messages: it has a limit of messages, or of age")
	must(!found.NoAck, "it acknowledges nothing")
	must(!found.AllowRollup && !found.AllowMsgTTL, "it allows roll-ups or messages that expire")
	must(found.DenyDelete && found.DenyPurge, "messages can be deleted or purged")
	must(found.AllowDirect, "direct reading is not allowed")
	must(found.SubjectTransform == nil && found.Mirror == nil && len(found.Sources) == 0, "it transforms subjects, or takes messages from other streams")
	must(found.PersistMode == jetstream.DefaultPersistMode, "it is written asynchronously")
	bell := found.RePublish
	must(bell != nil && bell.Destination == want.RePublish.Destination && bell.HeadersOnly, "it does not republish headers to %s", want.RePublish.Destination)
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w of stream %s: %w", ErrSettings, found.Name, err)
	}
	return nil
}
