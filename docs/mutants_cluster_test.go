package docs

const (
	inJetStream   = "eventstore/jetstream"
	messageFile   = "eventstore/jetstream/message.go"
	laneOfStreams = "eventstore/jetstream/lane.go"
)

var clusterGuarantees = []guarantee{
	{
		"What a cluster has acknowledged is there, once and in order, when its leader is killed, cut off or paused, or all servers are; and whoever decides on one stream at the same time meets a conflict.",
		[]string{"jetstream.TestStore", "jetstream.TestStoreOfShards", "jetstream.TestFaults", "jetstream.TestCopyThroughKills", "grouplog.TestClusterFaults"},
		[]mutant{
			one("a message does not name the one that it follows", messageFile, "	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(follows, 10))\n", "	_ = strconv.FormatUint(follows, 10)\n", inJetStream, "TestStore"),
			one("a conflict is told without having asked the leader", laneOfStreams, "			if !at.confirmed {", "			if false {", inJetStream, "TestStore"),
			one("an append is answered before its message is judged", "eventstore/jetstream/publish.go", "			return p.wait(deadline)\n", "			return make([]eventstore.Result, 1), nil\n", inJetStream, "TestStore"),
		},
	},
	{
		"A node stops where a message is missing, damaged or not the one that its replica goes on with, and says what to do; it never passes over one.",
		[]string{"jetstream.TestDamage", "jetstream.TestDamageEverywhere", "jetstream.TestRestoredStream"},
		[]mutant{
			one("a message's checksum is not compared", messageFile, "sum != checksum(data) {", "sum == \"\" {", inJetStream, "TestForeignMessages"),
			one("a message on another stream's subject is applied", "eventstore/jetstream/fetch.go", "e.subject != want {", "want == \"\" {", inJetStream, "TestForeignMessages"),
		},
	},
	{
		"A stream with other settings is not opened, nor one whose servers promise less of their disks, unless somebody says so.",
		[]string{"jetstream.TestSettings", "jetstream.TestRefused", "jetstream.TestMonitors"},
		[]mutant{
			one("messages may be purged", "eventstore/jetstream/config.go", "must(found.DenyDelete && found.DenyPurge,", "must(found.DenyDelete,", inJetStream, "TestSettings"),
		},
	},
	{
		"A cell is replaced only by who has seen its last value, whoever leads.",
		[]string{"jetstream.TestCells", "jetstream.TestCellsThroughFaults"},
		[]mutant{
			one("a cell is replaced by whoever comes last", "eventstore/jetstream/cells.go", "	m.Header.Set(jetstream.ExpectedLastSubjSeqHeader, strconv.FormatUint(revision, 10))\n", "", inJetStream, "TestCells"),
		},
	},
}
