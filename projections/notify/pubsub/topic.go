package pubsub

import (
	"fmt"
	"strings"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// Events is the topic of every event of the log: those of all groups, and those of
// users. Publisher publishes nothing on it.
const Events = "events"

// The topics of single groups are named as their streams.
var groupTopic = domain.GroupStream("")

// GroupTopic is the topic of one group's events, over all of its incarnations.
// Publisher publishes nothing on it.
func GroupTopic(groupID string) string { return domain.GroupStream(groupID) }

// streamOf is the stream that holds what a topic is made of; empty for Events.
func streamOf(topic string) (string, error) {
	switch groupID, ok := domain.GroupOf(topic); {
	case topic == "", ok && groupID == "":
		return "", fmt.Errorf("subscribe to %q: a topic is %q, %q with a group ID, or one that a Publisher has been given", topic, Events, groupTopic)
	case topic == Events:
		return "", nil
	case ok:
		return topic, nil
	default:
		return projections.MessageStream(topic), nil
	}
}

// checkPublished says why nothing can be published on a topic.
func checkPublished(topic string) error {
	switch {
	case topic == "":
		return fmt.Errorf("publish: the topic is empty; name one")
	case topic == Events, strings.HasPrefix(topic, groupTopic):
		return fmt.Errorf("publish on %q: events are recorded by commands alone; choose a topic that is neither %q nor begins with %q", topic, Events, groupTopic)
	}
	return nil
}
