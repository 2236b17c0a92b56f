// Package domaintest proves rules about groups: by example, and by random
// histories.
//
// # By example
//
// A spec says what was, what is wished, and what comes of it:
//
//	Given(t, domain.Classic(), Live(domain.Classic(), domain.Public)...).
//		When(User(Mary), commands.Dismiss{GroupID: GroupID}).
//		ThenRefused(domain.CodeNotPermitted)
//
// The people of the examples carry their role in their initial: Olga owns the
// group, Adam is an admin (a plain member where the type has no admins), Mary and
// Max are plain members, Sven and Sara are strangers, and Root is the operator of
// the application.
//
// Every When also checks what holds for all commands: that deciding changes
// nothing and answers the same every time, that what is decided survives the form
// on disk, that every invariant holds after every event, and that the same wish
// again is answered as the rules say.
//
// # By random histories
//
// [History] draws a [World]: a few users and groups of every type, living through
// random commands, most of which are permitted. [World.Records] is the log of it,
// [Commands] its commands alone, for a handler to carry out.
package domaintest
