package pubsub

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/consumers"
)

// An offset is stored when the topic has been read to its end, when the subscription
// ends, and meanwhile after so many acknowledgements or so much time, whichever is
// first. A process that is killed has that much delivered again. Where only others have
// written to the log, it is stored less often: all that it says then is that there was
// nothing to deliver.
const (
	saveEvery = 64
	saveAfter = 100 * time.Millisecond
	restEvery = time.Second
)

// offset is how far a subscription has come. Without a group it is in memory alone.
type offset struct {
	consumer *consumers.Consumer // nil without a group
	position eventstore.Position // acknowledged up to here
	record   *eventstore.Record  // the last one that was acknowledged; nil if others stand between it and position
	saved    eventstore.Position // stored up to here
	unsaved  int                 // acknowledgements since then
	at       time.Time           // of the last save
}

// take waits for the group's lease on the topic, and gives its place. Without a group it
// is where the subscription has come.
func (s *subscription) take(ctx context.Context) (*offset, error) {
	o := &offset{position: s.after, at: time.Now()}
	if s.opts.Group == "" {
		return o, nil
	}
	consumer, err := s.opts.Consumers.Acquire(ctx, ConsumerName(s.opts.Group, s.topic), s.opts.After)
	if err != nil {
		return o, fmt.Errorf("take the place of group %q: %w", s.opts.Group, err)
	}
	o.consumer, o.position = consumer, consumer.Position()
	o.saved = o.position
	return o, nil
}

// reach takes note of an acknowledgement.
func (o *offset) reach(ctx context.Context, r *eventstore.Record) error {
	o.position, o.record = r.Position, r
	if o.unsaved++; o.unsaved < saveEvery && time.Since(o.at) < saveAfter {
		return nil
	}
	return o.save(ctx)
}

// rest takes note that the topic holds nothing more up to a position. From time to time
// it looks whether somebody has said that the group is to go on elsewhere.
func (o *offset) rest(ctx context.Context, p eventstore.Position) error {
	if o.unsaved > 0 {
		if err := o.save(ctx); err != nil {
			return err
		}
	}
	if p > o.position {
		o.position, o.record = p, nil
	}
	if o.consumer == nil || time.Since(o.at) < restEvery {
		return nil
	}
	return o.store(ctx)
}

// save stores how far the group has come, where that is news.
func (o *offset) save(ctx context.Context) error {
	if o.consumer == nil || o.position == o.saved {
		return nil
	}
	return o.store(ctx)
}

// store stores how far the group has come, even if the context has ended: what was
// acknowledged was.
func (o *offset) store(ctx context.Context) (err error) {
	ctx = context.WithoutCancel(ctx)
	if o.record != nil && o.position > o.saved {
		err = o.consumer.Advance(ctx, consumers.Step{Cursor: consumers.After(o.position), Record: o.record})
	} else {
		err = o.consumer.Save(ctx, o.position)
	}
	if err != nil {
		return fmt.Errorf("store the offset %d: %w", o.position, err)
	}
	o.saved, o.unsaved, o.at = o.position, 0, time.Now()
	return nil
}

// leave stores the offset and gives the lease back.
func (o *offset) leave(ctx context.Context) error {
	if o.consumer == nil {
		return nil
	}
	err := o.save(ctx)
	if errors.Is(err, consumers.ErrChanged) {
		err = nil // the group goes on where somebody has said
	}
	return errors.Join(err, o.consumer.Release())
}

// ConsumerName is the name under which a registry keeps the offset of a group on a topic:
// as much of both as is legible in it, and a hash, which is what tells it from others.
func ConsumerName(group, topic string) string {
	const legible = 32
	hash := sha256.Sum256(fmt.Appendf(nil, "%d %s%s", len(group), group, topic))
	name := strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '.' || r == '_' || r == '-' {
			return r
		}
		return '_'
	}, group+"."+topic)
	return "sub." + name[:min(len(name), legible)] + "." + hex.EncodeToString(hash[:10])
}
