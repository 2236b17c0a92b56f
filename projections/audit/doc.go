// Package audit says who did what to whom, when.
//
// [Sentence] is one event in plain English, for people: logs, audit trails, chat
// windows. [Subjects] are the users whom an event is about. Both look at one event
// and at nothing else, so they work on any record of any log, in any order.
//
//	alice created the Public group chess, "Chess club", with dave (admin)
//	bob applied to join chess: it's me!
//	alice accepted bob's application to chess: welcome
//	root (app admin) kicked bob from chess, who is banned until 2026-01-02 03:04:05 UTC
//
// Sentences are for reading: their words may become better. Programs read the
// event itself.
//
// # Searching
//
// [Index] is a projection that knows where everything is found: each actor, person,
// group, type of event and word. [Queries] answer a [Query] from it, and read what
// happened from the log. [Refusals] keep the attempts that rules have refused, which are
// no events; queries put them among the events where they were made.
//
// A page of any one filter costs the same in a short log and in a long one. Of several
// together, the rarest is followed, and the others are looked up for each entry.
package audit
