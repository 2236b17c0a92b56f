package docs

// mutant is a change of the code that breaks something that is promised, and a test that
// must fail with it.
type mutant struct {
	name  string // what is broken, as in "the checkpoint is committed before the rows"
	edits []edit
	pkg   string // of the test, from the root
	test  string // its name, as go test -run takes it
	quick bool   // in the short form
}

// edit replaces a text, which must be in the file exactly once.
type edit struct{ file, old, new string }

// one is the usual mutant: one edit.
func one(name, file, old, new, pkg, test string) mutant {
	return mutant{name: name, edits: []edit{{file, old, new}}, pkg: pkg, test: test}
}

// quickly puts a mutant into the short form.
func quickly(m mutant) mutant {
	m.quick = true
	return m
}

// guarantee is something that is promised, the tests that show it, and the mutants that
// show that the tests can fail.
type guarantee struct {
	promise string
	tests   []string // "package.TestName", as pages name them
	mutants []mutant
}

// chapter is a part of the page.
type chapter struct {
	title      string
	guarantees []guarantee
}

const (
	inSQLite     = "eventstore/sqlite"
	inMemory     = "eventstore/memory"
	inTransfer   = "eventstore/transfer"
	inCommands   = "commands"
	inViews      = "projections"
	inListeners  = "projections/notify"
	inConsumers  = "projections/consumers"
	inWatermill  = "projections/notify/pubsub"
	inEngine     = "."
	courierFile  = "projections/notify/courier.go"
	leaseFile    = "projections/consumers/lease.go"
	writerFile   = "eventstore/sqlite/writer.go"
	laneFile     = "commands/lane.go"
	concludeFile = "commands/conclude.go"
	viewsWriter  = "projections/writer.go"
)

var chapters = []chapter{
	{"The log", logGuarantees},
	{"Commands", commandGuarantees},
	{"Read models", viewGuarantees},
	{"Listeners", listenerGuarantees},
	{"Durable listeners", durableGuarantees},
	{"A cluster", clusterGuarantees},
	{"Rules", ruleGuarantees},
}

var logGuarantees = []guarantee{
	{
		"A copy of a log in another store is the same, event by event and answer by answer, and one that was cut short goes on; what differs is told.",
		[]string{"transfer.TestCopyThroughFailures", "transfer.TestCopyRefusesOtherTargets", "transfer.TestCopyComparesWhatIsThere", "transfer.TestFollow"},
		[]mutant{
			one("answers are not copied with their events", "eventstore/transfer/commits.go", "			g.Outcome = &outcome\n", "			_ = &outcome\n", inTransfer, "TestCopyToSQLiteAndBack"),
			one("answers without events are not copied", "eventstore/transfer/copy.go", "if found++; to != nil {", "if true {", inTransfer, "TestCopyToSQLiteAndBack"),
			one("a command without an ID is cut in two", "eventstore/transfer/commits.go", "return len(g.Events) < maxGuess && ", "return len(g.Events) < 2 && ", inTransfer, "TestCopyThroughFailures"),
			one("the copy is not compared", "eventstore/transfer/compare.go", "if !bytes.Equal(fingerprint, to.Fingerprint()) {", "if false {", inTransfer, "TestCopyComparesWhatIsThere"),
			one("a target that holds something else is written to", "eventstore/transfer/copy.go", "if err == nil && had > 0 {", "if false {", inTransfer, "TestCopyRefusesOtherTargets"),
			one("it is not looked where the records of a copy came to stand", "eventstore/transfer/copy.go", "result.First != b.next {", "false {", inTransfer, "TestCopyBesideAnotherWriter"),
		},
	},
	{
		"Nothing is written over what belongs to a log, or where it would be looked for: no export, no copy, and no other file of an engine.",
		[]string{"files.TestSpare", "grouplog.TestEveryFileOfAnEngineIsSpared", "grouplog.TestFilesThatWouldBeTwo", "sqlite.TestBackupBesideWhatWasLeft"},
		[]mutant{
			one("a `-wal` is written over", "internal/files/files.go", `sides = []string{"-wal", "-shm"`, `sides = []string{"-shm"`, "internal/files", "TestSpare"),
			one("a link to a file of the log is written over", "internal/files/files.go", "p.info != nil && other.info != nil && os.SameFile(p.info, other.info)", "false && os.SameFile(p.info, other.info)", "internal/files", "TestSpare"),
			one("two files of an engine are the same", "engine.go", "opts.validate(path)", `opts.validate("")`, inEngine, "TestFilesThatWouldBeTwo"),
			one("a copy gets a name at which the `-wal` of another log lies", "eventstore/sqlite/backup.go", "if err := files.Free(to); err != nil {", "if err := files.Free(to); err != nil && false {", inSQLite, "TestBackupBesideWhatWasLeft"),
		},
	},
	{
		"What has been acknowledged survives a killed process and a loss of power, at any moment.",
		[]string{"sqlite.TestPowerCut", "sqlite.TestKill", "grouplog.TestPowerCut", "grouplog.TestCrash"},
		[]mutant{
			{name: "commits are not synced (`synchronous=NORMAL`)", edits: []edit{
				{"eventstore/sqlite/replica.go", `return "_synchronous=FULL"`, `return "_synchronous=NORMAL"`},
				{"eventstore/sqlite/writerconn.go", "const full = 2", "const full = 1"},
			}, pkg: inSQLite, test: "TestPowerCut"},
			{name: "appends are answered before the commit", edits: []edit{
				{writerFile, "	if _, err := w.conn.commit.exec(); err != nil {\n", "	for _, r := range w.batch {\n		r.answer(nil)\n	}\n	if _, err := w.conn.commit.exec(); err != nil {\n"},
				{writerFile, "			r.answer(answer)\n", "			select {\n			case <-r.done:\n			default:\n				r.answer(answer)\n			}\n"},
			}, pkg: inSQLite, test: "TestNobodyIsAnsweredBeforeTheCommit"},
		},
	},
	{
		"The durable settings are read back: a connection that does not have them is not used.",
		[]string{"sqlite.TestOpenReadsSettingsBack", "sqlite.TestOpenSettings"},
		[]mutant{one("the settings are not read back", "eventstore/sqlite/writerconn.go", "	if level != full {", "	if level > full {",
			inSQLite, "TestOpenReadsSettingsBack")},
	},
	{
		"A failure is told, whichever call to the disk it is: what is acknowledged is there, what is refused is not.",
		[]string{"sqlite.TestEveryCallToTheDisk", "sqlite.TestFailures", "sqlite.TestFull", "sqlite.TestBusy", "sqlite.TestAPanicLeavesNobodyWaiting"},
		[]mutant{
			one("the error of an append is swallowed", writerFile, "			r.answer(answer)\n", "			r.answer(nil)\n", inSQLite, "TestFull"),
			one("a commit of which nothing is known is called refused", writerFile, `return fmt.Errorf("%w: %w", eventstore.ErrUnknown, err)`, `return fmt.Errorf("%w", err)`,
				inSQLite, "TestFailures"),
			one("after a failure, what is remembered of the log stays", writerFile, "	w.versions.forget()\n	w.head = 0\n", "	w.head = 0\n", inSQLite, "TestFailureInAnEmptyLog"),
			one("a transaction in which the driver panicked stays open", writerFile, "		if panicked {\n", "		if panicked && false {\n", inSQLite, "TestAPanicLeavesNobodyWaiting"),
			one("a connection is trusted after a failed sync", writerFile, "errors.As(err, &e) && !leavesConnectionUsable(err) {", "errors.As(err, &e) && false {",
				inSQLite, "TestFailures"),
		},
	},
	{
		"Positions and versions have no gap and are used once, whoever appends.",
		[]string{"sqlite.TestStore", "sqlite.TestTwoProcesses", "sqlite.TestTheLockIsTakenBeforeLooking", "sqlite.TestLastLineOfDefence"},
		[]mutant{
			{name: "a position is used again", edits: []edit{
				{"eventstore/sqlite/writerconn.go", "{&w.insertEvent, `INSERT INTO events", "{&w.insertEvent, `INSERT OR REPLACE INTO events"},
			}, pkg: inSQLite, test: "TestLastLineOfDefence"},
			one("nothing keeps two records from one version of a stream", "eventstore/sqlite/schema.sql", "  checksum   INTEGER NOT NULL,          -- CRC-32C of everything above; see checksum.go\n  UNIQUE (stream, version)\n",
				"  checksum   INTEGER NOT NULL\n", inSQLite, "TestLastLineOfDefence"),
			one("a transaction begins without the lock (deferred `BEGIN`)", "eventstore/sqlite/writerconn.go", `{&w.begin, "BEGIN IMMEDIATE"}`, `{&w.begin, "BEGIN"}`,
				inSQLite, "TestTheLockIsTakenBeforeLooking"),
			one("what other processes have appended is not looked for", writerFile, "	if head != w.head {", "	if head < w.head || w.head == 0 {", inSQLite, "TestStore/TwoStores"),
			quickly(one("a gap is not seen when the log is verified", "eventstore/verify.go", "if o.last++; record.Position != o.last {", "if o.last++; record.Position < o.last {",
				"eventstore", "TestVerify")),
		},
	},
	{
		"A commit is refused where its stream is elsewhere than it expects, and so is what was decided on it.",
		[]string{"memory.TestStore", "sqlite.TestStore"},
		[]mutant{
			quickly(one("what follows a refused commit of the same call is accepted", "eventstore/refused.go", "follows := r.streams[c.Stream] && !c.Expect.IsAny()", "follows := false",
				inMemory, "TestStore/Batch")),
			one("an expected version is not compared", "eventstore/expectation.go", "return actual == e.version", "return actual >= e.version", inMemory, "TestStore/Expectations"),
		},
	},
	{
		"Damage is found wherever it is, and what is damaged is never returned.",
		[]string{"sqlite.TestFlippedByte", "sqlite.TestChangedColumn", "sqlite.TestMissingRecord", "sqlite.TestDamagedOutcome", "sqlite.TestCheck", "sqlite.TestALongRecordThatIsDamaged"},
		[]mutant{
			one("checksums are not compared", "eventstore/sqlite/read.go", "case h.event(&r) != checksum:", "case false:", inSQLite, "TestFlippedByte"),
			one("the checksum of an outcome is not compared", "eventstore/sqlite/read.go", "if h.outcome(o) != checksum {", "if false {", inSQLite, "TestDamagedOutcome"),
			one("what cannot be used of many records leaves no room for rows", "eventstore/sqlite/pack.go", "	for i, rest := 0, packed;", "	p.size = len(packed)\n	for i, rest := 0, packed;", inSQLite, "TestALongRecordThatIsDamaged"),
		},
	},
	{
		"A log whose file is moved, replaced or made shorter while it is open is not written to any more.",
		[]string{"sqlite.TestMoved", "sqlite.TestMovedWhileNotConnected", "sqlite.TestCut", "sqlite.TestMovedUnderReaders", "grouplog.TestLogIsReplacedUnderTheEngine"},
		[]mutant{
			one("nobody looks whether the file is in its place", writerFile, "	if err := w.guard.check(); err != nil {\n		return false, err\n	}\n", "", inSQLite, "TestMoved"),
			one("a new connection reads whatever is at the path", "eventstore/sqlite/conn.go", "	return c.check()\n", "	return nil\n", inSQLite, "TestMovedUnderReaders"),
			one("the writer connects anew to whatever is at the path", writerFile, "		check: w.guard.checkMain,\n", "", inSQLite, "TestMovedWhileNotConnected"),
			one("queries go on though the log is another one", "engine.go", "	if lost := e.views.Err(); err == nil && (", "	if lost := e.views.Err(); lost == nil && (", inEngine, "TestLogIsReplacedUnderTheEngine"),
		},
	},
	{
		"Whoever waits for the log is told after the commit, and not before.",
		[]string{"sqlite.TestNobodyIsAnsweredBeforeTheCommit", "sqlite.TestChangedTellsOfRecordsOnly"},
		[]mutant{{name: "others are told before the commit", edits: []edit{
			{writerFile, "	appended, err := w.transact()\n	if isTaken", "	w.db.changed.raise()\n	appended, err := w.transact()\n	if isTaken"},
			{writerFile, "	if appended {\n		w.db.changed.raise()\n	}\n", "	_ = appended\n"},
		}, pkg: inSQLite, test: "TestNobodyIsAnsweredBeforeTheCommit"}},
	},
}

var commandGuarantees = []guarantee{
	{
		"The same command ID has one effect and gets the first answer again, through restarts, kills and lost acknowledgements, in any process.",
		[]string{"commands.TestCommandIDs", "commands.TestLostAcknowledgements", "grouplog.TestExactlyOnceThroughKills", "grouplog.TestCrash"},
		[]mutant{
			one("answers are not stored", "commands/request.go", `	if r.options.id == "" {
		return nil, nil`, `	if r.options.id != "" {
		return nil, nil`, inCommands, "TestLostAcknowledgements"),
			one("a duplicate is stored again", "eventstore/memory/memory.go", "if stored, ok := s.outcomes[c.Outcome.CommandID]; ok {", `if stored, ok := s.outcomes[c.Outcome.CommandID]; ok && len(c.Events) == 0 {`,
				inMemory, "TestStore/ConcurrentDuplicates"),
			one("a conflict hides that it is with one's own first attempt", "eventstore/sqlite/commit.go", "		if c.Outcome != nil {\n			if refusal, err := w.duplicate", "		if c.Outcome == nil {\n			if refusal, err := w.duplicate",
				inSQLite, "TestStore/Duplicates"),
		},
	},
	{
		"The same command ID with other content is an error.",
		[]string{"commands.TestCommandIDs"},
		[]mutant{quickly(one("fingerprints are not compared", "commands/request.go", "if string(first.Fingerprint) != string(r.fingerprint) {", "if len(first.Fingerprint) != len(r.fingerprint) {",
			inCommands, "TestCommandIDs"))},
	},
	{
		"Commands take effect one after the other, each between its call and its answer, on the state that its events are appended to.",
		[]string{"commands.TestCommandsAreLinearizable", "commands.TestAnOvertakenDecisionIsDecidedAnew", "commands.TestAnotherHandlersEventsAreSeenAtOnce", "commands.TestTwoHandlersOnOneLog"},
		[]mutant{
			one("a decision that was overtaken is not taken again", concludeFile, "			spoiled[stream] = true\n			again = h.retry(again, v.request)\n", "			spoiled[stream] = true\n			v.request.reply(Receipt{}, result.Err)\n",
				inCommands, "TestAnOvertakenDecisionIsDecidedAnew"),
			one("an answer without events does not ask what others did", concludeFile, "		alone = head == h.seen\n", "		alone = true\n", inCommands, "TestAnotherHandlersEventsAreSeenAtOnce"),
			one("a commit expects nothing of its stream", "commands/decide.go", "commit.Expect = eventstore.Exactly(eventstore.Version(group.Version()))", "commit.Expect = eventstore.Any()",
				inCommands, "TestCommandsAreLinearizable"),
		},
	},
	{
		"A handler whose log ends before what it held decides nothing any more.",
		[]string{"commands.TestALogThatGoesBack", "grouplog.TestLogIsWrittenOverUnderTheEngine"},
		[]mutant{quickly(one("a log that has gone back is gone on with", concludeFile, "		if result.First <= h.seen {", "		if result.First == 0 {", inCommands, "TestALogThatGoesBack"))},
	},
	{
		"What could not be committed is forgotten, with everything that was decided on it.",
		[]string{"commands.TestACommitThatFails", "commands.TestABatchThatFailsTakesNothingAlong", "commands.TestABatchThatIsOvertakenTakesNothingAlong"},
		[]mutant{
			one("groups in memory stay as they were decided after a failure", concludeFile, "	if b.err != nil {\n		h.forgetGroups(b)\n", "	if b.err != nil {\n", inCommands, "TestACommitThatFails"),
			one("what was decided on a batch that failed is committed", concludeFile, "		return nil, false\n	}\n	others", "		return nil, true\n	}\n	others",
				inCommands, "TestABatchThatFailsTakesNothingAlong"),
		},
	},
	{
		"A group that is loaded in part decides as the whole one, whoever else changes it.",
		[]string{"commands.TestSparseGroupsDecideAsWholeOnes", "commands.TestSparseGroupsAreNotCompletedFromThePast", "grouplog.TestSparseGroupAndAnotherProcess"},
		[]mutant{one("a part is taken from rows of another version than the group in memory", "commands/part.go",
			"case !found || version < group.Since() || version > group.Version() || incarnation != group.Incarnation():", "case version < 0, incarnation < 0, !found:",
			inCommands, "TestSparseGroupsAreNotCompletedFromThePast")},
	},
	{
		"A group that another node decides about is decided about once: each command has one effect, in the order in which its caller gave them, whatever gets lost on the way.",
		[]string{"commands.TestCommandsThroughPeersAreLinearizable", "commands.TestIDsAreDoneOnceThroughPeers", "commands.TestOrderThroughPeers", "commands.TestOrderWhenAGroupChangesHands",
			"commands.TestAnAnswerThatIsLostWithoutAnID", "grouplog.TestClusterKeepsTheRules", "grouplog.TestClusterFaults"},
		[]mutant{
			one("a command whose answer was lost is decided again, with an ID or without", laneFile, "		if r.options.id != \"\" || r.options.dryRun {", "		if true {", inCommands, "TestAnAnswerThatIsLostWithoutAnID"),
			one("a node is asked while commands are under way here", laneFile, "			l.drain(lane)\n", "", inCommands, "TestOrderWhenAGroupChangesHands"),
			one("who asked a node does not see what it did", laneFile, "	l.handler.tell(answers.Position)\n", "", inCommands, "TestAConflictLeavesAGroupToItsOwner"),
		},
	},
	{
		"After a command has been answered, every query through the same engine shows its effect.",
		[]string{"grouplog.TestReadYourWrites"},
		[]mutant{one("queries do not wait for the rows", "engine.go", "	err := e.views.WaitFor(ctx, e.handler.Position())\n	if errors.Is", "	var err error\n	if errors.Is", inEngine, "TestReadYourWrites")},
	},
}

var viewGuarantees = []guarantee{
	{
		"Rows and checkpoint are one: whatever ends the process, the rows are the fold of the log up to the checkpoint.",
		[]string{"groupview.TestRowsAreTheFold", "projections.TestAFailedPageIsRolledBackAndARebuildResumes", "grouplog.TestCrash", "grouplog.TestPowerCut"},
		[]mutant{
			one("the checkpoint is committed before the rows", viewsWriter, "	if events := known.given(rest); len(events) > 0 {\n", `	if w.filling == nil {
		ahead := checkpoint{position: last, record: page[len(page)-1].Fingerprint()}
		if err := errors.Join(w.move(p.Name(), ahead), w.exec("COMMIT"), w.exec("BEGIN IMMEDIATE")); err != nil {
			return 0, err
		}
	}
	if events := known.given(rest); len(events) > 0 {
`, inViews, "TestAFailedPageIsRolledBackAndARebuildResumes"),
			one("half of a page is kept where the other half failed", viewsWriter, `_ = w.script("ROLLBACK")`, `_ = w.script("COMMIT")`,
				inViews, "TestAFailedPageIsRolledBackAndARebuildResumes"),
			one("what was remembered of a page that failed is used", viewsWriter, `		_ = w.script("ROLLBACK")
		w.forget()
`, `		_ = w.script("ROLLBACK")
`, inViews, "TestNothingIsRememberedOfAPageThatFailed"),
		},
	},
	{
		"Each event is applied once, however many processes share the file.",
		[]string{"projections.TestTwoShareAFile", "projections.TestAPageThatIsHalfAppliedIsAppliedByHalf"},
		[]mutant{one("a page is applied from its beginning, whatever others have applied of it", viewsWriter, "rest := page[at.position+1-page[0].Position:]", "rest := page",
			inViews, "TestAPageThatIsHalfAppliedIsAppliedByHalf")},
	},
	{
		"Rows that the log does not explain, as after a restore, are dropped and come back; rows of another log are refused.",
		[]string{"projections.TestRowsThatTheLogDoesNotExplainAreDroppedAndComeBack", "projections.TestTwoCopiesOfALogDoNotShareAFile", "projections.TestALogThatChangesUnderTheRows", "projections.TestViewsOfAnotherLogAreRefused", "grouplog.TestRestoredLog"},
		[]mutant{
			one("nobody looks whether the rows are ahead of the log", "projections/views.go", `	if err == nil && found {`, `	if err == nil && found && at.position < 0 {`,
				inViews, "TestRowsThatTheLogDoesNotExplainAreDroppedAndComeBack"),
			one("the record at the checkpoint is not compared", "projections/views.go", "if record.Position != at.position || !bytes.Equal(record.Fingerprint(), at.record) {", "if _ = bytes.Equal; record.Position != at.position {",
				inViews, "TestRowsThatTheLogDoesNotExplainAreDroppedAndComeBack"),
			one("rows are continued though the log has changed under them", viewsWriter, "!bytes.Equal(applied.Fingerprint(), at.record) {", "len(at.record) != len(applied.Fingerprint()) || bytes.Equal(nil, at.record) {", inViews, "TestALogThatChangesUnderTheRows"),
			one("rows of another log are taken", "projections/bookkeeping.go", "	if stored != logID {", "	if stored == \"\" {", inViews, "TestViewsOfAnotherLogAreRefused"),
		},
	},
	{
		"A rebuild gives the same rows while commands and queries go on, and none goes back.",
		[]string{"projections.TestRebuildGivesTheSameRows", "projections.TestARebuildDoesNotGoBack", "projections.TestTheSwapTakesWhatIsNewest", "grouplog.TestRebuildKeepsAnswering"},
		[]mutant{one("what was applied during a rebuild is left out", "projections/rebuild.go", "		if err := v.fillHere(ctx, w, reached, live.position); err != nil {", "		if err := v.fillHere(ctx, w, reached, reached); err != nil {",
			inViews, "TestTheSwapTakesWhatIsNewest")},
	},
	{
		"What is appended while nobody looks is noticed.",
		[]string{"projections.TestNoWakeUpIsLost", "notify.TestNoWakeUpIsLost"},
		[]mutant{
			one("a wake-up is lost between reading and waiting, for rows", "projections/runner.go", "		changed := v.log.Changed() // before reading, so that no append falls between\n		err := v.pass(ctx)\n", "		err := v.pass(ctx)\n		changed := v.log.Changed()\n",
				inViews, "TestNoWakeUpIsLost"),
			quickly(one("a wake-up is lost between reading and waiting, for listeners", "projections/notify/hub.go", "		changed := h.log.Changed()\n		err := h.follow(d)\n", "		err := h.follow(d)\n		changed := h.log.Changed()\n",
				inListeners, "TestNoWakeUpIsLost")),
		},
	},
}

var listenerGuarantees = []guarantee{
	{
		"A live listener misses nothing while it is attached, and is told everything once, in the order of the log, however slow it is.",
		[]string{"notify.TestSlowListenerDelaysNobodyAndMissesNothing", "notify.TestTellingGoesOnAfterAFailure", "grouplog.TestCrash"},
		[]mutant{
			one("a listener that lags is not told what its backlog has no room for", "projections/notify/subscription.go", "		s.lagging = true\n		return\n", "		return\n",
				inListeners, "TestSlowListenerDelaysNobodyAndMissesNothing"),
			quickly(one("the position moves before what stands there has been offered", "projections/notify/hub.go", "	if err == nil {\n		h.position = record.Position\n", "	if h.position = record.Position; err != nil {\n		h.position = record.Position\n",
				inListeners, "TestTellingGoesOnAfterAFailure")),
		},
	},
	{
		"After a listener has been removed, it is not called.",
		[]string{"notify.TestRemoval", "notify.TestRemovalWaitsForTheCallUnderWay"},
		[]mutant{one("removal does not wait for the call under way", "projections/notify/subscription.go", "	for s.calling != 0 {\n		s.wake.Wait()\n	}\n", "",
			inListeners, "TestRemovalWaitsForTheCallUnderWay")},
	},
	{
		"Each user is told what the table says, and nobody else.",
		[]string{"notify.TestWhoIsToldWhat", "notify.TestPolicySwitches", "notify.TestPayloads"},
		[]mutant{one("members are told of a dismissal after they have left", "projections/notify/derive.go", "			t.ending(fact)\n			apply(fact, e.Meta())\n", "			apply(fact, e.Meta())\n			t.ending(fact)\n",
			inListeners, "TestWhoIsToldWhat")},
	},
}

var durableGuarantees = []guarantee{
	{
		"A durable listener is told everything at least once, in the order of the log in each group, through kills and losses of power.",
		[]string{"notify.TestListenThroughEverything", "grouplog.TestCrash", "grouplog.TestPowerCut"},
		[]mutant{
			one("a notification is acknowledged before the handler is called", courierFile, "	failure, spared := c.call(n, a, record.Stream, c.Attempts)\n", `	at := c.Cursor
	c.advance(at.Next(), nil)
	if err := c.save(); err != nil {
		return err
	}
	c.Cursor = at
	failure, spared := c.call(n, a, record.Stream, c.Attempts)
`, inListeners, "TestListenThroughEverything"),
			one("a name that has been enrolled does not survive a loss of power", "projections/consumers/filebook.go", "	return durably(ctx, f.db, func(tx *sql.Tx) error {\n		_, err := tx.ExecContext(ctx, `INSERT", "	return transact(ctx, f.db, func(tx *sql.Tx) error {\n		_, err := tx.ExecContext(ctx, `INSERT",
				inEngine, "TestPowerCut"),
		},
	},
	{
		"What fails holds its own group and no other, and a bounded number of times: attempts are counted before the handler runs.",
		[]string{"notify.TestFailureHoldsItsGroupAlone", "notify.TestParkRetryDiscard", "notify.TestDiscardWhereTheProcessEnded", "notify.TestWhatKillsIsParked"},
		[]mutant{
			one("what follows a failure in its group is told", courierFile, "err != nil || held || at.Before(c.Cursor)", "err != nil || held && false || at.Before(c.Cursor)",
				inListeners, "TestFailureHoldsItsGroupAlone"),
			one("an attempt is not counted before the handler runs", courierFile, "	if err := c.save(); err != nil {\n		c.Attempts--\n		return err\n	}\n", "", inListeners, "TestWhatKillsIsParked"),
			one("what was never tried is discarded", "projections/consumers/edit.go", "		if !h.Failed() {", "		if false {",
				inListeners, "TestDiscardWhereTheProcessEnded"),
			one("what fails is tried for ever", courierFile, "	return h.Attempts-h.Forgiven >= c.options.attempts\n", "	return false\n", inListeners, "TestWhatKillsIsParked"),
		},
	},
	{
		"On several machines, one consumer of a name is active at a time, another takes over when it falls silent, and one that was only paused cannot write any more: nothing is skipped.",
		[]string{"consumers.TestLeasesThroughEverything", "consumers.TestTakeOver", "consumers.TestPausedBeyondTheLease", "consumers.TestUnheardSaves", "grouplog.TestListenOnSeveralNodes"},
		[]mutant{
			one("who has lost the lease writes on top of what it finds", leaseFile, "	if p.Tenure != t.number || p.Holder != t.book.id {", "	if false {", inConsumers, "TestPausedBeyondTheLease"),
			one("a consumer's value is replaced without having been seen", "projections/consumers/cellbook.go", "	return b.cells.SetCell(ctx, cellPrefix+name, value, revision)",
				"	_, revision, _ = b.cells.Cell(ctx, cellPrefix+name)\n	return b.cells.SetCell(ctx, cellPrefix+name, value, revision)", inConsumers, "TestLeasesThroughEverything"),
			one("a lease is taken before it is over", leaseFile, "asked.Sub(since) >= p.Lease", "asked.Sub(since) >= 0*p.Lease", inConsumers, "TestTakeOver"),
			one("a save that was stored, although it failed, is undone by the next one", "projections/consumers/tenure.go", "		if g.Cursor.Before(cursor) {", "		if false {", inConsumers, "TestUnheardSaves"),
			one("an operator's edit is overwritten", "projections/consumers/tenure.go", "		if now.Edits != t.edits {", "		if false {", inConsumers, "TestEditsAreNoticed"),
		},
	},
	{
		"A consumer that has seen another history of the log is refused until somebody says where to go on.",
		[]string{"consumers.TestRestoredLog", "pubsub.TestRestoredLog"},
		[]mutant{one("a restored log is gone on with", "projections/consumers/registry.go", "if err == nil && bytes.Equal(record, p.record) {", "if err == nil && (bytes.Equal(record, p.record) || true) {",
			inConsumers, "TestRestoredLog")},
	},
	{
		"Over Watermill: the same message has the same UUID after a crash, none is missing, and a subscriber's group is served in order.",
		[]string{"pubsub.TestSuite", "pubsub.TestKillForwarding", "pubsub.TestForwardToJetStream", "pubsub.TestKill", "pubsub.TestNack"},
		[]mutant{one("a message that was not acknowledged is passed over", "projections/notify/pubsub/subscription.go", "	case <-m.Nacked():\n		return false, nil\n", "	case <-m.Nacked():\n		return true, nil\n",
			inWatermill, "TestNack")},
	},
}

var ruleGuarantees = []guarantee{
	{
		"A live group has exactly one owner at every version.",
		[]string{"commands.TestOwnerQuitsAndOwnershipPassesOn", "domaintest.TestHistoryKeepsTheInvariants"},
		[]mutant{one("the owner leaves before ownership has passed on", "commands/joining.go", `	d.record(domain.MemberLeft{UserID: user})
	if s.Group.Count() == 1 {`, `	if s.Group.Owner() == user && len(d.Events) == 1 {
		passed := d.Events[0]
		d.Events = nil
		d.record(domain.MemberLeft{UserID: user})
		d.Events = append(d.Events, passed)
		return nil
	}
	d.record(domain.MemberLeft{UserID: user})
	if s.Group.Count() == 1 {`, inCommands, "TestOwnerQuitsAndOwnershipPassesOn")},
	},
	{
		"A ban beats every way in.",
		[]string{"commands.TestBan", "commands.TestABanBeatsEveryWayIn"},
		[]mutant{one("a banned applicant can be accepted", "commands/application.go", "	if err := or(s.limits.CheckUserID(a.Candidate), s.notBanned(a.Candidate)); err != nil {", "	if err := or(s.notBanned(\"\")); err != nil {", inCommands, "TestBan")},
	},
	{
		"Limits hold under concurrency.",
		[]string{"commands.TestMemberLimitHoldsUnderConcurrency", "commands.TestQuotaHoldsUnderConcurrency", "commands.TestQuotaCountsWhatOthersHaveDone", "commands.TestAcceptApplication"},
		[]mutant{
			one("an applicant is accepted into a full group", "commands/application.go", "	if err := or(s.full(1)); err != nil {", "	if err := or(s.full(0)); err != nil {", inCommands, "TestAcceptApplication"),
			one("groups are counted without those that the batch has decided", "commands/decide.go", "	if h.pending(func(b *batch) bool { return b.everybody || b.users[userID] }) {", "	if h.pending(func(b *batch) bool { return false }) {",
				inCommands, "TestQuotaHoldsUnderConcurrency"),
			one("groups are counted as this process last saw the log", "commands/decide.go", "max(head, h.seen)", "max(0*head, h.seen)", inCommands, "TestQuotaCountsWhatOthersHaveDone"),
		},
	},
}
