// Package domain is what a group is: its state, the events that change it, the
// policies that rule it, and the refusals with which a rule answers.
//
// Everything here is pure. Nothing reads a clock, draws a random number or
// touches a disk; time and identities come in as values. The package imports the
// standard library alone.
//
// # The parts
//
//   - [Policy] is the rules of one group type, as data: a column of the policy
//     table. [Classic] and [Current] are the built-in tables. The code asks the
//     policy and never the type, so that a changed cell or a type of your own
//     behaves as its column says.
//   - [Group] is the state of one group ID, folded from its events. Rules look at
//     it through narrow questions (Role, IsMember, Count, Banned, …), each of
//     which costs the same in a group of ten and of a million.
//   - [Event] is a fact. Each event's block holds its fields, its name on disk and
//     its effect. Applying an event cannot fail and happens in place.
//   - [Refusal] is a wish that a rule forbids: a [Code] with the number that the
//     group document gives it, the rule, and what to do next.
//
// What users wish, and the rules that decide it, is package commands.
//
// # Incarnations
//
// A dismissed group's ID is free again. The next group with it is a new
// incarnation in the same stream of events, inherits nothing, and everything that
// outlives a group (application IDs, rows of read models) names the incarnation.
package domain
