// Package powercut is a disk whose power fails, for tests of what is written through
// SQLite: to kill a process shows what survives the process, and nothing about what was
// never synced, which the system writes in its own time.
//
// A small library in C is compiled and loaded before libc (LD_PRELOAD) into a child
// process. It writes down every write, truncation, sync and name of the files below one
// directory. The test then has the power fail, at as many moments of that journal as it
// likes, long after the child has ended: Restore makes the files that a machine would
// find. What was synced is there. Of the rest, nothing is, or any part is: each write in
// any order, torn between sectors; names in the order in which they were made.
//
//	disk := powercut.Watch(t, dir)
//	cmd.Env = append(os.Environ(), disk.Env()...)
//	// … the child says powercut.Written() with each acknowledgement, and is killed …
//	for moment := range disk.Moments(random, 20) {
//		disk.Restore(t, elsewhere, moment, powercut.SomeOfIt(random))
//		// what was acknowledged by then must be elsewhere
//	}
//
// A test that uses it should also be seen to fail: run it with a log that does not
// sync.
//
// It needs Linux, glibc and a C compiler (which the SQLite driver needs anyhow), and
// skips the test where they are not. It sees what goes through libc, that is SQLite's
// calls and not Go's own, nor what is written through shared memory. Files in
// directories below the one that is watched are taken to be in it.
package powercut
