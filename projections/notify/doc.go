// Package notify is what users are told, derived from the log: every callback of
// the group document, to exactly those who should hear it.
//
// # What is told
//
// [Derive] is the table: event by event, which callbacks, to whom, with what. It is
// a function of the event, the state of its group and the policies, so whoever
// derives the log again gets the same notifications with the same IDs. Nothing is
// stored for any receiver: the dismissal of a group of 100 000 members is one
// event, and what a member is told of it is worked out when the member listens.
//
// # Live listeners
//
// [Hub] tells the listeners in this process, from when they are added. For one
// listener:
//
//   - it is called for its user's notifications only, one at a time, in the order of
//     the log, including the events of other processes on the same log (those are
//     noticed within Options.Poll);
//   - what it does delays no other listener and no command;
//   - it may be as slow as it likes: up to Backlog notifications wait in memory, and
//     beyond that the log itself is the queue. Nothing is dropped;
//   - if it panics, the panic is logged and the next notification comes;
//   - it may remove itself, and may carry out commands.
//
// Two listeners are not in step with each other: one may hear of an event before
// the command that caused it has returned, the other after.
//
// A live listener is gone with its process. What must be heard across restarts is
// for a durable one.
package notify
