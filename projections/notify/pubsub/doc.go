// Package pubsub joins the log to Watermill, in both directions. [Subscriber] is the
// log as a message.Subscriber, [Publisher] puts messages of others into it, and
// [Forward] carries notifications to any message.Publisher. It is the only package that
// imports Watermill: who does not import it does not link it.
//
// # Inwards
//
// A [Subscriber] delivers a topic: all events of the log ([Events]), those of one group
// ([GroupTopic]), or what a [Publisher] has published under any other name.
//
//   - In order, one at a time: the next message comes after the acknowledgement of the
//     last one, for any number of subscriptions of a group in any number of processes.
//     One of them is delivered to; the others stand by and take over when it ends.
//   - At least once: a group's offset is stored after acknowledgements, some together,
//     and never before. A process that is killed has up to 64 messages delivered again.
//     What must be exact keeps [SourceOf]'s position with its state, and passes over
//     what is not beyond it.
//   - A message that is refused comes again, after a delay that doubles, and nothing
//     overtakes it. Source.Attempt counts. Who cannot handle a message and can do
//     without it puts it aside and acknowledges it; nothing is put aside here.
//   - Without a group a subscription is ephemeral: it begins at the beginning, or
//     after SubscriberOptions.After, and nobody remembers how far it came.
//   - What the log or the registry cannot do at the moment is logged and tried again.
//     Nothing is passed over. Where the log has been closed, the channel is.
//
// The message of an event has the stored JSON as its payload (domain.Decode reads it,
// with the kind and the schema), a UUID that is the same for ever, and the metadata of
// the constants here. A published message comes back as it was given, with nothing
// added.
//
// # Outwards
//
// [Forward] is a handler for a durable listener, which brings the retries, the order
// within a group, and the parking:
//
//	engine.Listen(ctx, "to-broker", pubsub.Forward(publisher, pubsub.ForwardOptions{}))
//
// Every notification is published at least once, and the same one has the same UUID
// each time, so that the other side can tell. See docs/watermill.md for what Watermill
// itself does with messages on the way.
package pubsub
