// Package grouplog is a group engine: it decides who may create, join, invite,
// approve, leave and dismiss a group, writes what happened in an append-only event
// log, and derives everything else from that log.
//
//	engine, err := grouplog.Open(ctx, "groups.db", nil)
//	if err != nil {
//		return err
//	}
//	defer engine.Close()
//
//	alice, bob := engine.As("alice"), engine.As("bob")
//	alice.CreateGroup(ctx, domain.Public, "chess", "Chess club")
//	bob.JoinGroup(ctx, "chess", "it's me!") // commands.Pending: a Public group asks its approvers
//
// # Users and commands
//
// [Engine.As] is the engine as one user sees it, with the functions of the group
// document. Every wish is a command (package commands), so [Engine.Do] carries out
// those that [User] has no function for, with options such as a command ID. A
// command is done or refused: [domain.Refusal] says by which rule, with the code
// that the group document gives it, and what to do next.
//
//	_, err = engine.Do(ctx, domain.Actor{UserID: "bob"}, commands.RequestJoin{GroupID: "chess"}, commands.WithID("client-42"))
//	if errors.Is(err, domain.ErrAlreadyMember) { … }
//
// What the rules are is data: [domain.Classic] is the default, [domain.Current] the
// vendor's newer behaviour, and any cell may be changed or type added in
// [Options.Policies].
//
// # What is promised
//
//   - A command that has been answered is durable: it survives the process, the
//     machine and its power. With the default SQLite log that is WAL with
//     synchronous=FULL.
//   - A command's events are recorded all or none, in one order for the whole log,
//     at positions without gaps.
//   - A rule is judged against the state that the events are appended to, whoever
//     else writes, in this process or another.
//   - The same command ID gives the same answer and records nothing, for ever.
//   - After a command has been answered, every query through the same engine shows
//     its effect.
//   - Listeners are told in the order of the log, exactly what package notify's
//     table says. Durable ones ([Engine.Listen]) are told across restarts and crashes,
//     at least once.
//   - Read models are derived: their file can be deleted, and comes back.
//
// # The past
//
// [Engine.AsOf] answers the same questions as of any position of the log or any time,
// and says why something was so and whether a command would have been allowed.
//
// # Concurrency and failure
//
// An Engine may be used from any number of goroutines, and several processes may
// open the same log: they see each other's events, within [Options.Poll] where
// nothing else makes them look, and decide on fresh state. Commands of one engine
// share durable commits, so sixty-four callers are much faster than one.
//
// If the log cannot be written, commands answer the error, nothing is half
// recorded, and what the engine holds in memory is as the log says. If an answer is
// an eventstore.ErrUnknown, the command may have been recorded: repeat it with the
// same command ID to find out.
//
// # The files
//
// groups.db is the log: the only thing that cannot be replaced. groups.views.db holds
// the read models, and comes back from the log, and so do the files of projections of
// your own ([Options.Projections]), groups.own.NAME.db, and groups.audit.db, the index of
// the audit, made when it is asked first. groups.consumers.db holds how far durable
// listeners have come: without it they begin anew. groups.refusals.db holds the newest
// attempts that were refused, which only the audit knows of.
package grouplog
