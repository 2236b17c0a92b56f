package upcast

// Old is every form that a released version has written and this one does not write any
// more. Entries are never taken out again, and their golden files stay in
// domain/testdata/events. See docs/evolution.md.
var Old = Table{}

// Schemas are the versions of the events' JSON where they are not the first.
var Schemas = map[string]int{}
