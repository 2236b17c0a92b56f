package commands

import (
	"fmt"
	"strings"

	"github.com/grouplog/grouplog/domain"
)

// CreateTopic opens a topic in a Community with topic support. An empty TopicID is
// assigned. A full ID is the group's ID, "@TOPIC#_" and a name of its own; a
// custom one may be given in full or as that name.
type CreateTopic struct {
	GroupID      string `json:"groupID"`
	TopicID      string `json:"topicID,omitempty"`
	Name         string `json:"name"`
	Introduction string `json:"introduction,omitempty"`
	Notification string `json:"notification,omitempty"`
	FaceURL      string `json:"faceURL,omitempty"`
}

const topicInfix = "@TOPIC#_"

func (CreateTopic) CommandName() string { return "CreateTopic" }

func (c CreateTopic) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c CreateTopic) check(s *Situation) *domain.Refusal {
	if id := c.fullID(); c.TopicID != "" {
		if refusal := domain.CheckLine(domain.CodeInvalidParameter, "topic ID", id, s.limits.TopicID); refusal != nil {
			return refusal
		}
		if id == c.GroupID+topicInfix {
			return domain.Refuse(domain.CodeInvalidParameter, fmt.Sprintf("the topic ID %q has no name of its own", id),
				"add one, or leave the ID empty to have one assigned")
		}
	}
	return first(s.limits.CheckGroupID(c.GroupID), checkName(&s.limits, c.Name),
		checkPresentation(&s.limits, &c.Introduction, &c.Notification, &c.FaceURL))
}

func (c CreateTopic) fullID() string {
	prefix := c.GroupID + topicInfix
	return prefix + strings.TrimPrefix(c.TopicID, prefix)
}

func (c CreateTopic) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), topicsOpen(s)); err != nil {
		return err
	}
	id := c.fullID()
	if c.TopicID == "" {
		id = freeTopicID(s.Group, id)
	}
	if _, taken := s.Group.Topic(id); taken {
		return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("there is a topic %q already", id), "choose another ID, or change the topic")
	}
	d.record(domain.TopicCreated{Topic: domain.Topic{
		ID: id, Name: c.Name, Introduction: c.Introduction, Notification: c.Notification, FaceURL: c.FaceURL,
	}})
	return nil
}

// freeTopicID numbers a topic by the event that will create it, which no topic
// before it had.
func freeTopicID(g *domain.Group, prefix string) string {
	for n := g.Version() + 1; ; n++ {
		id := fmt.Sprintf("%s%d", prefix, n)
		if _, taken := g.Topic(id); !taken {
			return id
		}
	}
}

// topicsOpen refuses groups without topics, and who may not change them.
func topicsOpen(s *Situation) *domain.Refusal {
	if !s.Group.SupportsTopics() {
		return domain.Refuse(domain.CodeNotPermitted, "this group was created without topic support", "create a Community with supportTopic")
	}
	if s.role() < domain.Admin {
		return s.notPermitted("who may change topics: owner, admin", domain.OwnerAndAdmins)
	}
	return nil
}

func unknownTopic(id string) *domain.Refusal {
	return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("there is no topic %q", id), "show the group to see its topics")
}

// SetTopicInfo changes the given fields of a topic.
type SetTopicInfo struct {
	GroupID      string  `json:"groupID"`
	TopicID      string  `json:"topicID"`
	Name         *string `json:"name,omitempty"`
	Introduction *string `json:"introduction,omitempty"`
	Notification *string `json:"notification,omitempty"`
	FaceURL      *string `json:"faceURL,omitempty"`
}

func (SetTopicInfo) CommandName() string { return "SetTopicInfo" }

func (c SetTopicInfo) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c SetTopicInfo) check(s *Situation) *domain.Refusal {
	refusal := first(s.limits.CheckGroupID(c.GroupID), checkPresentation(&s.limits, c.Introduction, c.Notification, c.FaceURL))
	if refusal == nil && c.Name != nil {
		refusal = checkName(&s.limits, *c.Name)
	}
	return refusal
}

func (c SetTopicInfo) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), topicsOpen(s)); err != nil {
		return err
	}
	old, found := s.Group.Topic(c.TopicID)
	if !found {
		return unknownTopic(c.TopicID)
	}
	event := domain.TopicChanged{
		TopicID: c.TopicID, Name: unlessEqual(c.Name, old.Name), Introduction: unlessEqual(c.Introduction, old.Introduction),
		Notification: unlessEqual(c.Notification, old.Notification), FaceURL: unlessEqual(c.FaceURL, old.FaceURL),
	}
	if event != (domain.TopicChanged{TopicID: c.TopicID}) {
		d.record(event)
	}
	return nil
}

// DeleteTopics closes topics, all of the named ones or, where one is unknown,
// none.
type DeleteTopics struct {
	GroupID  string   `json:"groupID"`
	TopicIDs []string `json:"topicIDs"`
}

func (DeleteTopics) CommandName() string { return "DeleteTopics" }

func (c DeleteTopics) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c DeleteTopics) check(s *Situation) *domain.Refusal {
	if len(c.TopicIDs) == 0 {
		return domain.Refuse(domain.CodeInvalidArgument, "the command names no topic", "name those to delete")
	}
	return s.limits.CheckGroupID(c.GroupID)
}

func (c DeleteTopics) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), topicsOpen(s)); err != nil {
		return err
	}
	var event domain.TopicsDeleted
	deleted := make(map[string]bool, len(c.TopicIDs))
	for _, id := range c.TopicIDs {
		if _, found := s.Group.Topic(id); !found {
			return unknownTopic(id)
		}
		if !deleted[id] {
			deleted[id] = true
			event.TopicIDs = append(event.TopicIDs, id)
		}
	}
	d.record(event)
	return nil
}
