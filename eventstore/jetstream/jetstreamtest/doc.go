// Package jetstreamtest is a NATS JetStream cluster on this machine, for tests: three
// servers that sync always, with what goes wrong with clusters at hand.
//
//	func TestMain(m *testing.M) { goleak.VerifyTestMain(jetstreamtest.Main(m)) }
//
//	func TestTheLeaderIsCutOff(t *testing.T) {
//		cluster := jetstreamtest.Start(t, nil)
//		connection := cluster.Connect(t)
//		// … make a stream ORDERS …
//		cluster.Partition(t, cluster.Leader(t, "ORDERS"))
//		// … another server leads soon, and what was acknowledged is there …
//		cluster.Heal(t)
//	}
//
// Start runs the servers in the test's own process, which takes a second or less.
// StartProcesses runs each in a process of its own, which can be killed and paused.
// Shared is one cluster for all tests of a package that do it no harm.
//
// Servers have numbers from 0. Their ports are theirs from before they start until the
// cluster ends, stopped or not. What they send each other goes through links that
// Partition cuts, as a network does that loses everything: connections stay, and nothing
// arrives. Clients reach every server at any time.
//
// Methods that stop, start or cut are called by one goroutine at a time; all others by
// any. Nothing here waits for a fixed time: what is waited for is asked for again until
// it is there, and the test fails where it is not within a minute.
package jetstreamtest
