package pubsub_test

import (
	"context"
	"fmt"
	"log"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/notify"
	"github.com/grouplog/grouplog/projections/notify/pubsub"
)

// A consumer group reads what happens in all groups, and goes on where it was when the
// process starts again.
func ExampleSubscriber() {
	ctx := context.Background()
	engine, err := grouplog.Open(ctx, grouplog.Memory, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	registry, err := engine.Consumers(ctx)
	if err != nil {
		log.Fatal(err)
	}
	engine.As("alice").CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	engine.As("bob").JoinGroup(ctx, "standup", "")

	subscriber, err := pubsub.NewSubscriber(engine.Log(), pubsub.SubscriberOptions{Group: "search-index", Consumers: registry})
	if err != nil {
		log.Fatal(err)
	}
	messages, err := subscriber.Subscribe(ctx, pubsub.Events)
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		m := <-messages
		fmt.Println(m.Metadata.Get(pubsub.PositionKey), m.Metadata.Get(pubsub.KindKey), m.Metadata.Get(pubsub.GroupKey), string(m.Payload))
		m.Ack()
	}
	fmt.Println(subscriber.Close())
	// Output:
	// 1 group.created standup {"groupType":"Meeting","owner":"alice","name":"Stand-up","joinOption":"Any","inviteOption":"Forbid"}
	// 2 member.joined standup {"userID":"bob"}
	// <nil>
}

// Messages of other parts of a product stand in the same log, in one order with what
// happens in groups.
func ExamplePublisher() {
	store := memory.New()
	defer store.Close()
	publisher := pubsub.NewPublisher(store, pubsub.PublisherOptions{Actor: "shop"})
	if err := publisher.Publish("orders", message.NewMessage("o-1", []byte("a board")), message.NewMessage("o-2", []byte("a clock"))); err != nil {
		log.Fatal(err)
	}
	subscriber, err := pubsub.NewSubscriber(store, pubsub.SubscriberOptions{})
	if err != nil {
		log.Fatal(err)
	}
	defer subscriber.Close()
	orders, err := subscriber.Subscribe(context.Background(), "orders")
	if err != nil {
		log.Fatal(err)
	}
	for range 2 {
		m := <-orders
		source, _ := pubsub.SourceOf(m)
		fmt.Printf("%s %s, at position %d, attempt %d\n", m.UUID, m.Payload, source.Record.Position, source.Attempt)
		m.Ack()
	}
	// Output:
	// o-1 a board, at position 1, attempt 1
	// o-2 a clock, at position 2, attempt 1
}

// printer stands for the publisher of a broker.
type printer struct{}

func (printer) Publish(topic string, messages ...*message.Message) error {
	for _, m := range messages {
		fmt.Printf("%s %s %s by %q\n", topic, m.Metadata.Get(pubsub.KindKey), m.Metadata.Get(pubsub.IDKey), m.Metadata.Get(pubsub.ActorKey))
	}
	return nil
}

func (printer) Close() error { return nil }

// What users are told goes to a broker, each group's on a topic of its own.
func ExampleForward() {
	ctx := context.Background()
	engine, err := grouplog.Open(ctx, grouplog.Memory, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	engine.As("alice").CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	engine.As("bob").JoinGroup(ctx, "standup", "")
	engine.As("alice").Dismiss(ctx, "standup")

	forward := pubsub.Forward(printer{}, pubsub.ForwardOptions{Topic: pubsub.TopicByGroup("told")})
	listening, err := engine.Listen(ctx, "to-broker", forward, notify.FromStart())
	if err != nil {
		log.Fatal(err)
	}
	defer listening.Stop()
	head, _ := engine.Log().Head(ctx)
	if err := listening.WaitFor(ctx, head); err != nil {
		log.Fatal(err)
	}
	// Output:
	// told.standup OnGroupCreated 1/0 by "alice"
	// told.standup OnMemberEnter 2/0 by ""
	// told.standup OnGroupDismissed 3/0 by "alice"
}
