// Package eventstore is the contract of an ordered, append-only log with
// optimistic locking. It knows bytes and names, and nothing about groups.
//
// # The model
//
// A log is a sequence of [Record]s. A record has a [Position] in the log and
// belongs to one stream, in which it has a [Version]. Positions and versions
// start at 1, rise by 1, have no gaps and are never used twice: a reader who
// has seen position p has seen everything that will ever stand at or before p.
//
// A [Commit] is what one command appends to one stream: all of its events or
// none, at consecutive versions and consecutive positions, provided that the
// stream is where the [Expectation] says. A commit may carry an [Outcome]:
// what the command with that ID was answered. Outcomes are stored in the same
// transaction as the events, one for an ID, for ever. A commit may have no
// events and only an outcome, and so records that a command was refused or had
// nothing to do.
//
// # What a store promises
//
//   - Atomic: a commit's events and outcome are stored together or not at all.
//   - Durable: when Append has returned no error, the commit survives whatever
//     the store's documentation says it survives (for eventstore/sqlite: the
//     process, the machine and its power).
//   - Ordered: commits to one stream passed to one call of Append are judged
//     and applied in the order given; the second sees what the first did. So are
//     those to different streams, unless the store says otherwise.
//   - Honest: a record whose stored bytes have changed is not returned. The
//     read fails with a [DamageError] that says where.
//
// # Concurrency
//
// Every method may be called from any number of goroutines. Several processes
// may use one log where the store says so; what another process has appended
// is visible at the next read, and [Store.Changed] may or may not tell of it.
//
// # Cells
//
// A store that several machines use may also have [Cells]: small named values, each
// replaced only by who has seen the last one. What its users must agree on stands there:
// which of them is active, and how far it has come. eventstoretest.RunCells is their
// contract.
//
// # Stability
//
// [Store] is public so that stores can be written elsewhere. A store proves
// itself by passing eventstoretest.Run; a method is added only together with a
// test there.
package eventstore
