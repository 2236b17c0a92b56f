// Package jetstream keeps a log in a cluster of NATS JetStream servers, for teams that
// have outgrown one machine. It is an eventstore.Store like the others: any number of
// processes on any machines open the same log, and each decides, reads and listens as
// if it were alone.
//
//	store, err := jetstream.Open(ctx, "nats://n1:4222,n2:4222,n3:4222/chess?sync=always", "groups.db", nil)
//	engine, err := grouplog.Open(ctx, "groups.db", &grouplog.Options{Store: store})
//
// # How it works
//
// JetStream decides the order, SQLite remembers. Commits are published as messages, each
// checked by the servers against the last message on its subject, of which every stream
// of the log has one. Every process follows the messages and applies them, in order, to
// a replica: a log in a SQLite file, the same on all machines. It answers appends and
// reads from there; see docs/adr/0016.
//
// # What is promised
//
//   - What was acknowledged is stored by most servers of the cluster. Whether that means
//     their disks is up to the servers' sync_interval, which must be said: see Sync.
//   - An append is stored once or not at all, however often it had to be sent. If that
//     cannot be learned in time, it is answered with eventstore.ErrUnknown; with a command
//     ID it can be asked again for ever.
//   - Commits to one stream of the log are stored in the order given. Those of one call to
//     different streams are stored in any order, and may fail one by one.
//   - A read sees what any process was acknowledged before the call. While the cluster is
//     cut in two, it may see what the lesser part knows, for some seconds, until that part
//     notices; appends never rest on that.
//   - Every message is checked: that none is missing, that it is as it was written, that
//     it continues its stream. The first that is not stops the log with an
//     eventstore.ErrDamaged that says what to do. Nothing is skipped.
//
// # Cells
//
// What the processes must agree on beside the log, such as how far durable listeners have
// come and where they are active, is in the bucket GROUPLOG-NAME of the cluster, which is
// made when it is needed first (eventstore.Cells). It is replicated as the log is. It is
// not in the replica, and nothing brings it back: without it, listeners begin anew.
//
// # Nodes
//
// Processes whose engines are open are nodes: each says four times a second that it lives,
// and one that has been silent for a second owns no streams. An engine leaves commands
// about a group that several nodes append to, to the group's owner: see Owner, Ask, Answer.
// That is a matter of speed alone.
//
// # What it costs
//
// An append costs a round trip to the leader of its shard, what the disks of two servers
// take, and the judging of its message behind those before it; a read costs a round trip
// that all who wait share, and the writing of the replica's file. The replica holds
// everything and is filled before Open returns.
package jetstream
