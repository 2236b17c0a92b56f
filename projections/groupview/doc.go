// Package groupview is the read models of groups: groups, members, who is in which
// groups, applications and how many of them are unread. It is a projection, [View],
// and the questions to its rows, [Queries].
//
// Rows are what folding domain.Group over the same events gives, and nothing that a
// policy decides: policies may change, and history does not. What depends on them,
// such as whether a group is listed, is given to the query.
//
// A group ID is used again after a dismissal. Rows belong to one incarnation of it,
// by an integer key, so that the next one inherits nothing. The keys of groups and
// users count them in the order of the log: a rebuild gives the same rows, and
// cursors survive it.
//
// What belongs to a membership goes with it, and what belongs to a live group goes
// when it ends: members, bans, topics and attributes. Applications stay as history.
package groupview
