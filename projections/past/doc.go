// Package past answers questions about what was: who was in a group at a time, what has
// changed since, which events made it so, and whether a command would have been allowed.
//
// # Moments
//
// A [Moment] is a place in the log or a time. A position is exact for everything: what
// stands at it or before it had happened, and nothing else. A time is judged group by
// group, because times never go back within a group, and may over the whole log, where
// something was imported: of each group, the events up to the first that is later than
// the time had happened. An event of exactly that time had happened.
//
// A [Past] is the history as it stood when the Past was made. Its answers do not change
// when more is appended, not even when that is an import with earlier times.
//
// # Answers
//
// The answers are those of package groupview, in its types: at the end of the log they
// are what the read models say. Everything is what folding domain.Group over the events
// up to the moment gives. What is not stored in events is judged by the rules of today:
// which groups a list shows, and what a command may do, by the policies that the Past
// was made with.
//
// # Cost
//
// A group in which nothing has happened since the moment costs what it costs now, for the
// rows of the read models answer. Any other costs its own events up to the moment, some
// six microseconds each, whatever else is in the log. A user costs a row for each group
// that they were ever in, and the events of those that have changed since; so does a list
// of all groups. Reasons, and what a command may do, always cost the events of the group;
// a chain costs some dozen replays of the events that bear on it for each of its links, or
// one for each of them while they are few.
package past
