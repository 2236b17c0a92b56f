// Package projections keeps read models: rows that are derived from the log, for
// the questions that the log itself answers slowly.
//
// # The model
//
// A [Projection] turns events into rows of its own tables. [Open] keeps any number
// of projections in one SQLite file, the views file, beside the log. With the rows
// of each it keeps a checkpoint, which says up to which record of the log they were
// made; rows and checkpoint are written in one transaction, so that each event
// counts exactly once, whatever is interrupted when.
//
// Views are derived data. The file can be deleted at any time and comes back from
// the log; its writes survive the process but not always the machine's power, after
// which the projections resume from an older checkpoint.
//
// A projection that fails stops the runner, which tries again all the while; or its rows
// are parked, where [Options.Park] says so. Package projectiontest checks any projection.
//
// # Freshness
//
// A runner follows the log: it is told of appends through this process's store and
// looks for those of other processes at an interval. [Views.WaitFor] waits until a
// position is in the rows, which is how a caller reads its own writes. An event that
// cannot be read or applied stops the runner, and every later WaitFor says why;
// nothing is ever skipped.
//
// # When rows and log do not belong together
//
//   - A file of another log is refused with [ErrOtherLog], any other file with
//     [ErrNotViews].
//   - A checkpoint beyond the end of the log, or one that names a record which the
//     log does not have there, means that the log was restored from an older backup
//     or has gone another way since. The rows are dropped, with a warning, and come
//     back from the log.
//   - The rows of another [Projection.Version] are dropped and come back likewise.
//
// # Rebuilding and proving
//
// [Views.Rebuild] fills a second file from the log at full speed and swaps the rows
// in one transaction: a query sees the old rows or the new, never an error and never
// half. What interrupts it, a later one goes on from. The first rows of an empty file
// come the same way. [Views.Compare] does the same without the swap and tells how the rows differ,
// and [Views.Digest] sums rows up so that two files can be held against each other.
//
// # Concurrency
//
// Every method of [Views] may be called from any number of goroutines. Several
// processes may share a views file: each page of events is applied under the file's
// write lock after reading the checkpoint anew, so that none is applied twice.
package projections
