package commands

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/grouplog/grouplog/domain"
)

// CreateTopic opens a topic in a Community with topic support. An empty TopicID is
// assigned. A full ID is the group's ID, "@TOPIC#_" and a name of its own; it may be
// given in full or as that name, which of a custom one does not hold "@TGS#_".
type CreateTopic struct {
	GroupID      string `json:"groupID"`
	TopicID      string `json:"topicID,omitempty"`
	Name         string `json:"name"`
	Introduction string `json:"introduction,omitempty"`
	Notification string `json:"notification,omitempty"`
	FaceURL      string `json:"faceURL,omitempty"`
}

const (
	topicInfix = "@TOPIC#_"
	topicMark  = "@TGS#_" // of assigned names
)

func (CreateTopic) CommandName() string { return "CreateTopic" }

func (c CreateTopic) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c CreateTopic) check(s *Situation) *domain.Refusal {
	if c.TopicID != "" {
		if refusal := c.checkCustomID(&s.limits); refusal != nil {
			return refusal
		}
	}
	return first(s.limits.CheckGroupID(c.GroupID), checkName(&s.limits, c.Name),
		checkPresentation(&s.limits, &c.Introduction, &c.Notification, &c.FaceURL))
}

func (c CreateTopic) checkCustomID(l *domain.Limits) *domain.Refusal {
	id := fullTopicID(c.GroupID, c.TopicID)
	if refusal := domain.CheckLine(domain.CodeInvalidParameter, "topic ID", id, l.TopicID); refusal != nil {
		return refusal
	}
	switch name := strings.TrimPrefix(id, c.GroupID+topicInfix); {
	case name == "":
		return domain.Refuse(domain.CodeInvalidParameter, fmt.Sprintf("the topic ID %q has no name of its own", id),
			"add one, or leave the ID empty to have one assigned")
	case strings.Contains(name, topicMark):
		return domain.Refuse(domain.CodeInvalidParameter,
			fmt.Sprintf("the name in a custom topic ID does not hold %q, which marks assigned ones", topicMark),
			"choose another ID, or leave it empty to have one assigned")
	default:
		return nil
	}
}

// fullTopicID is the full form of an ID that may be given as the topic's name alone.
func fullTopicID(groupID, id string) string {
	prefix := groupID + topicInfix
	return prefix + strings.TrimPrefix(id, prefix)
}

func (c CreateTopic) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), topicsOpen(s)); err != nil {
		return err
	}
	id := fullTopicID(c.GroupID, c.TopicID)
	if c.TopicID == "" {
		// Numbered by the event that will create it, which no topic before it had.
		id += topicMark + strconv.Itoa(s.Group.Version()+1)
	}
	if _, taken := s.Group.Topic(id); taken {
		return domain.Refuse(domain.CodeInvalidArgument, fmt.Sprintf("there is a topic %q already", id), "choose another ID, or change the topic")
	}
	d.record(domain.TopicCreated{Topic: domain.Topic{
		ID: id, Name: c.Name, Introduction: c.Introduction, Notification: c.Notification, FaceURL: c.FaceURL,
	}})
	return nil
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

// SetTopicInfo changes the given fields of a topic. Its ID is given in full or as its
// name alone.
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
	id := fullTopicID(c.GroupID, c.TopicID)
	old, found := s.Group.Topic(id)
	if !found {
		return unknownTopic(c.TopicID)
	}
	event := domain.TopicChanged{
		TopicID: id, Name: unlessEqual(c.Name, old.Name), Introduction: unlessEqual(c.Introduction, old.Introduction),
		Notification: unlessEqual(c.Notification, old.Notification), FaceURL: unlessEqual(c.FaceURL, old.FaceURL),
	}
	if event != (domain.TopicChanged{TopicID: id}) {
		d.record(event)
	}
	return nil
}

// DeleteTopics closes topics, all of the named ones or, where one is unknown,
// none. IDs are given in full or as the topics' names alone.
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
	for _, given := range c.TopicIDs {
		id := fullTopicID(c.GroupID, given)
		if _, found := s.Group.Topic(id); !found {
			return unknownTopic(given)
		}
		if !deleted[id] {
			deleted[id] = true
			event.TopicIDs = append(event.TopicIDs, id)
		}
	}
	d.record(event)
	return nil
}
