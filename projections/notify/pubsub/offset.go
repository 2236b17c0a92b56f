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
// first. A process that is killed has that much delivered again.
const (
	saveEvery = 64
	saveAfter = 100 * time.Millisecond
)

// offset is how far a subscription has come. Without a group it is in memory alone.
type offset struct {
	consumer *consumers.Consumer // nil without a group
	position eventstore.Position // acknowledged up to here
	saved    eventstore.Position // stored up to here
	unsaved  int                 // acknowledgements since then
	at       time.Time           // of the last save
	lost     bool                // saving has failed: what is stored is not to be touched again
}

// take waits for the group's lease on the topic, and gives its place. Without a group it
// is where the subscription has come.
func (s *subscription) take(ctx context.Context) (*offset, error) {
	o := &offset{position: s.after, at: time.Now()}
	if s.opts.Group == "" {
		return o, nil
	}
	var err error
	if o.consumer, err = s.opts.Consumers.Acquire(ctx, ConsumerName(s.opts.Group, s.topic), s.opts.After); err != nil {
		return nil, fmt.Errorf("take the place of group %q: %w", s.opts.Group, err)
	}
	o.position = o.consumer.Position()
	o.saved = o.position
	return o, nil
}

// reach takes note of an acknowledgement.
func (o *offset) reach(ctx context.Context, p eventstore.Position) error {
	o.position = p
	if o.unsaved++; o.unsaved < saveEvery && time.Since(o.at) < saveAfter {
		return nil
	}
	return o.save(ctx)
}

// save stores how far the group has come. What was acknowledged is stored even if the
// context has ended.
func (o *offset) save(ctx context.Context) error {
	if o.consumer == nil || o.lost || o.position == o.saved {
		return nil
	}
	if err := o.consumer.Save(context.WithoutCancel(ctx), o.position); err != nil {
		o.lost = true
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
	return errors.Join(o.save(ctx), o.consumer.Release())
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
