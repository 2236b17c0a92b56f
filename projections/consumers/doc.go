// Package consumers keeps how far named consumers of a log have come, so that each
// goes on where it was after a restart. It knows positions and streams, and nothing of
// what a consumer does with the records.
//
// # The file
//
// Positions cannot be derived from the log, and must not vanish with the read models,
// so they stand in a file of their own: groups.consumers.db beside groups.db. It is
// written in WAL mode with synchronous=NORMAL: what has been written survives the
// process whenever it is killed. When the power fails the newest writes may be gone;
// then consumers are told again what they were told last, and nothing is skipped.
//
// The file names its log and is refused beside any other. A position is kept with the
// fingerprint of the record there. Where the log is shorter or has another record
// there, because it was restored from a backup, [Registry.Acquire] fails with a
// [RestoredError], until [Registry.Reset] says where to go on.
//
// # Cells
//
// Where several machines share a log, [OpenCells] keeps all of that in cells that the
// log's store has for them (eventstore.Cells), which are as durable as the log.
//
// # One at a time
//
// A name has one active [Consumer] at a time. With a file that is in all processes on the
// machine: it holds a lock on a file in the directory groups.consumers.locks. The
// operating system drops the lock when the process ends, however it ends, and keeps it for
// one that is paused. No clock is involved, so nobody takes over from a consumer that is
// only slow. The directory must not be deleted while a consumer is active.
//
// With cells it is on all machines, and the consumer has a lease, which is renewed from a
// goroutine of its own until it is released. Another one takes over when it has seen no
// renewal for a whole lease, on its own monotonic clock: no clocks are compared. So one
// that is paused or cut off for longer loses the name and cannot know it. It can do no
// harm: lease and progress are one value, which is replaced only by who has seen it as it
// is, so whatever it writes is refused with ErrReleased, and what the other one has found
// is all that was ever stored.
//
// # Progress
//
// A [Progress] is a cursor in the log and the streams that are held: left behind, each
// at a place of its own, because what stands there could not be handled. Consumers that
// never hold anything need [Consumer.Position] and [Consumer.Save] alone.
//
// A cell has room for a thousand streams that are held, whatever went wrong with them, of
// which it keeps 400 bytes each. A step that does not fit is refused with
// eventstore.ErrCellSize, and nothing is forgotten.
//
// Everything may be used from any number of goroutines, a Consumer by one at a time.
package consumers
