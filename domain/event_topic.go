package domain

// TopicCreated opens a topic in a Community that supports them.
type TopicCreated struct {
	Topic
}

func (TopicCreated) EventName() string { return "topic.created" }

func (e TopicCreated) evolve(g *Group, _ Meta) {
	if g.topics == nil {
		g.topics = map[string]Topic{}
	}
	g.topics[e.ID] = e.Topic
}

// TopicChanged holds the fields of a topic that changed, with their new values.
type TopicChanged struct {
	TopicID      string  `json:"topicID"`
	Name         *string `json:"name,omitempty"`
	Introduction *string `json:"introduction,omitempty"`
	Notification *string `json:"notification,omitempty"`
	FaceURL      *string `json:"faceURL,omitempty"`
}

func (TopicChanged) EventName() string { return "topic.changed" }

func (e TopicChanged) evolve(g *Group, _ Meta) {
	topic, ok := g.topics[e.TopicID]
	if !ok {
		return
	}
	set(&topic.Name, e.Name)
	set(&topic.Introduction, e.Introduction)
	set(&topic.Notification, e.Notification)
	set(&topic.FaceURL, e.FaceURL)
	g.topics[e.TopicID] = topic
}

// TopicsDeleted closes topics.
type TopicsDeleted struct {
	TopicIDs []string `json:"topicIDs"`
}

func (TopicsDeleted) EventName() string { return "topics.deleted" }

func (e TopicsDeleted) evolve(g *Group, _ Meta) {
	for _, id := range e.TopicIDs {
		delete(g.topics, id)
	}
}

// NotificationSent is a custom notification of the app admin's: opaque bytes, for
// all members, or for the listed ones. It changes nothing in the group.
type NotificationSent struct {
	Data    []byte   `json:"data"`
	UserIDs []string `json:"userIDs,omitempty"`
}

func (NotificationSent) EventName() string { return "notification.sent" }

func (NotificationSent) evolve(*Group, Meta) {}
