// Package sqlite is the default log: one SQLite file, durable, fast, and readable
// with any SQLite tool.
//
// # Durability
//
// The file is in WAL mode with synchronous=FULL: what Append has answered survives
// the process, the machine and its power, as far as the disk keeps its promises.
// Every row carries a checksum over all of its columns, and every read checks it. What
// a file alone cannot show is that its end is missing: who needs to notice that keeps
// a head of the log somewhere else.
//
// # Writing
//
// One goroutine writes. Calls of Append that wait at the same moment share a
// transaction and its fsync, so that throughput grows with the number of callers:
// call Append from many goroutines, or with many commits.
//
// # Reading
//
// Records are read in pages, each in a transaction of its own, ahead of who looks at
// them. Where there are many, a function in C hands them over a thousand at a time. Its
// connections find it under the name grouplog_pack, and nobody else's do, but for those
// that the process opens at the same moment.
//
// # Several processes
//
// Any number of processes on one machine may open the same file, and one process may
// open it several times. Each transaction looks at the head first, so that what others
// have appended is seen; positions stay gapless. They share one lock to write, and
// SQLite's waiting for it is not fair: one process that writes is the fast case. Never
// put the file on a network file system, and never copy it while it is open: use
// [DB.Backup].
//
// # Files
//
// Beside the file lie its -wal and -shm while it is open, and after a crash. They
// belong to it: a log that is moved without its -wal has lost its latest commits.
package sqlite
