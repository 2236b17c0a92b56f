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
// A live listener is gone with its process. Who comes back asks [CatchUp] for what it
// has missed; what has to be handled, by whatever process is there, is for a durable one.
//
// # Durable listeners
//
// [Listen] has a handler called for every notification there is, whoever receives it,
// under a name whose progress is stored. For one name:
//
//   - every notification is handled at least once: the handler has returned nil for it,
//     or an operator has discarded it, or has reset the listener beyond it. It comes
//     again where the process ends between the handler's work and the next write, and
//     then it has the same ID;
//   - notifications of one group are handled in the order of the log: none before those
//     that precede it in its group have been handled or discarded. Groups do not wait for
//     each other;
//   - one call at a time, in all processes on the machine: others that listen under the
//     name stand by, and take over when the one that is active ends, is killed or closes.
//     One that is paused or slow stays active. Where progress is in cells
//     (consumers.OpenCells), it is in all processes on all machines, but for one that was
//     paused for longer than its lease: the call that it was in, or about to make, may end
//     late, and its successor makes the same one, with the same ID;
//   - before the handler is called, the attempt is counted durably. A notification that
//     fails, or ends the process, is tried again after a back-off with jitter, while the
//     other groups go on. After as many attempts as Attempts allows it is parked: its
//     group waits until somebody retries or discards it (consumers.Registry);
//   - a handler whose receiver is down returns an error that wraps [ErrUnavailable]: no
//     attempt is counted and no group is held, and the listener as a whole waits;
//   - no more than [MaxHeld] groups are held: then the listener waits as a whole;
//   - a [Delivery] says whether the notification is told for the first time, again, or as
//     a replay: it had been handled before the listener was reset. What a group that was
//     held at the reset had not been told is no replay;
//   - where the progress cannot be stored, or the log cannot be read, the listener tells
//     nothing, says so (Listening.Err, the logger), and tries again. Nothing is skipped.
//
// Derived as they are, notifications depend on the policies that the engine has now: what
// has not been told yet is told by these.
//
// Each call costs one write to the file of consumers, which is not synced, or to a cell;
// a listener that begins in the midst of a log folds each group when it meets it first.
package notify
