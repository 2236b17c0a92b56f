// Package transfer copies a log from one store to another: from SQLite to JetStream when
// a team outgrows one machine, back again, or into an archive that follows it.
//
// A copy is the same log: it has the same ID, and the same records at the same positions
// and versions, with the same outcomes of commands. So whatever is kept by position, read
// models and the progress of listeners, goes on with the copy.
//
// # Again and again
//
// [Copy] into a log that was begun goes on where that ends, whatever ended it, and a copy
// of what has been copied only compares. A target that holds something else is refused
// before anything is written to it.
//
// # Compared
//
// What has been written is read back and compared with what it was made from, every record
// and every outcome. A difference is a [*DifferenceError], which says where the logs part.
// [Report] has a digest of all that was compared: two copies of one log have the same,
// whoever makes them.
//
// # What it asks of a store
//
// Both must list their outcomes ([eventstore.OutcomeLister]), and the target must keep the
// order in which it is given commits ([eventstore.Importer], or Append where it does that by
// itself). Nobody else may append to the target meanwhile. The source may grow: Copy takes
// what is there when it begins, [Follow] also what comes.
//
// The outcome of a command is found by its ID in the first event that it brought about,
// where the engine writes it. A log in which it stands nowhere cannot be copied: the
// comparison says so.
package transfer
