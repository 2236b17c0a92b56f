// Package export writes the log in forms that other programs read: [JSONLines],
// [CSV], [CloudEvents] and [OCSF].
//
// A [Selection] says which events, and [Write] writes them, one after the other: it
// needs the memory of one event, however long the log is. What is written of an event
// depends on its record and on nothing else, so that the same events give the same
// bytes, today and tomorrow, in one piece or in several.
package export
