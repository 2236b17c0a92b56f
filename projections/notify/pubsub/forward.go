package pubsub

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/grouplog/grouplog/projections/notify"
)

// Notifications is the topic to which notifications are forwarded where nothing else is
// said: one for all, so that they keep their order.
const Notifications = "grouplog.notifications"

// Keys of the metadata of forwarded notifications, beside those of events.
const (
	IDKey       = "id"       // the notification's ID in its log, "57/0"
	OccasionKey = "occasion" // "first", "retry" or "replay": whether it may have been sent before
)

// ForwardOptions say how notifications become messages. The zero value is good.
type ForwardOptions struct {
	// Topic names the topic of a notification; nil: Notifications for all of them. See
	// TopicByGroup.
	Topic func(notify.Notification) string

	// Receivers is how many users a message may name as those who are to be told. A
	// notification to more than that names none and says so; 0 names nobody ever. The
	// dismissal of a group of 100 000 members is one message, whatever is chosen.
	Receivers int

	// Permanent reports whether an error of the publisher is about this message, which
	// is too large, say, and not about the broker. Such an attempt counts, and after
	// some the notification is parked. Any other error says that the broker is
	// unavailable, and all notifications wait; so do they where Permanent is nil.
	Permanent func(error) bool
}

// Notified is the payload of a forwarded notification, as JSON.
type Notified struct {
	notify.Notification
	Receivers     []string `json:"receivers,omitempty"`     // who is to be told, in the order of the alphabet; see ForwardOptions
	MoreReceivers bool     `json:"moreReceivers,omitempty"` // they are too many to be named
}

// TopicByGroup gives every group a topic of its own: the prefix, a dot, and the group ID,
// of which everything but ASCII letters, digits and "-" is written as "_" and two hex
// digits. No broker takes exception to that.
func TopicByGroup(prefix string) func(notify.Notification) string {
	return func(n notify.Notification) string {
		topic := strings.Builder{}
		topic.WriteString(prefix + ".")
		for _, c := range []byte(n.GroupID) {
			if c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || c == '-' {
				topic.WriteByte(c)
			} else {
				fmt.Fprintf(&topic, "_%02x", c)
			}
		}
		return topic.String()
	}
}

// Forward is the handler of a durable listener that publishes every notification. The
// same notification has the same UUID, whenever and by whichever process it is
// published. The publisher must have the message when Publish returns; it may be shared,
// and is never closed here.
func Forward(publisher message.Publisher, opts ForwardOptions) notify.Handler {
	if opts.Topic == nil {
		opts.Topic = func(notify.Notification) string { return Notifications }
	}
	return func(ctx context.Context, d notify.Delivery) error {
		m, err := forwarded(ctx, &d, opts.Receivers)
		if err != nil {
			return err
		}
		topic := opts.Topic(d.Notification)
		err = publisher.Publish(topic, m)
		switch {
		case err == nil:
			return nil
		case opts.Permanent != nil && opts.Permanent(err):
			return fmt.Errorf("publish on %q: %w", topic, err)
		default:
			return fmt.Errorf("publish on %q: %w: %w", topic, notify.ErrUnavailable, err)
		}
	}
}

// forwarded is the message of a notification.
func forwarded(ctx context.Context, d *notify.Delivery, receivers int) (*message.Message, error) {
	content := Notified{Notification: d.Notification}
	if receivers > 0 {
		for user := range d.Receivers() {
			if content.MoreReceivers = len(content.Receivers) == receivers; content.MoreReceivers {
				content.Receivers = nil
				break
			}
			content.Receivers = append(content.Receivers, user)
		}
		slices.Sort(content.Receivers)
	}
	payload, err := json.Marshal(content)
	if err != nil {
		return nil, err
	}
	m := message.NewMessageWithContext(ctx, identify("notification", d.GroupID, d.ID, d.At), payload)
	m.Metadata.Set(IDKey, d.ID)
	m.Metadata.Set(KindKey, string(d.Kind))
	m.Metadata.Set(GroupKey, d.GroupID)
	m.Metadata.Set(PositionKey, strconv.FormatUint(uint64(d.Position), 10))
	m.Metadata.Set(TimeKey, d.At.Format(time.RFC3339Nano))
	m.Metadata.Set(OccasionKey, string(d.Occasion))
	if d.By != nil {
		setActor(m, *d.By)
	}
	return m, nil
}
