// Package commands is what users may wish of a group, the rules that decide it,
// and the handler that carries it out.
//
// # One block a command
//
// Every command is one block: what it carries, what makes it malformed, and the
// rule, which looks at a [Situation] and records events or refuses. The rule is
// pure: [Decide] can be called with any state, by tests and by tools that ask
// what would happen.
//
// # The order of refusals
//
// The first that matches is the answer: malformed input, unknown group, dismissed
// group, banned (to join), already a member, not permitted, forbidden by an
// option, over the user's quota, group full.
//
// # Carrying out
//
// [Handler] loads the group, decides, appends and answers, with many commands in
// one durable commit. See its documentation for concurrency and failure.
//
// Handlers of several processes that share a log may know each other as [Peers]. Where
// one has met a conflict about a group, it leaves commands about that group to the group's
// owner for a while, who commits many at once. Callers see no difference, but for one
// error: where the owner's answer is lost and the command has no ID, its fate is unknown.
// See docs/adr/0018.
//
// # The wire form
//
// [Line] is a command as one JSON object on one line: the form of command files
// and of the command line.
package commands
