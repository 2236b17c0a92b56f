package eventstore

import "fmt"

// Expectation is where a commit wants its stream to be. The zero value is Any.
type Expectation struct {
	kind    expectationKind
	version Version
}

type expectationKind uint8

const (
	expectAny expectationKind = iota
	expectAbsent
	expectPresent
	expectExactly
)

// Any accepts the stream wherever it is.
func Any() Expectation { return Expectation{} }

// Absent accepts only a stream without records.
func Absent() Expectation { return Expectation{kind: expectAbsent} }

// Present accepts only a stream with at least one record.
func Present() Expectation { return Expectation{kind: expectPresent} }

// Exactly accepts only a stream whose last record has the given version.
// Exactly(0) is Absent.
func Exactly(v Version) Expectation {
	if v == 0 {
		return Absent()
	}
	return Expectation{kind: expectExactly, version: v}
}

// Accepts reports whether a stream whose last record has version actual is where
// the expectation wants it.
func (e Expectation) Accepts(actual Version) bool {
	switch e.kind {
	case expectAbsent:
		return actual == 0
	case expectPresent:
		return actual > 0
	case expectExactly:
		return actual == e.version
	default:
		return true
	}
}

// IsAny reports whether the expectation accepts every stream, so that a store
// need not look.
func (e Expectation) IsAny() bool { return e.kind == expectAny }

// String says the expectation as in "expected version 3".
func (e Expectation) String() string {
	switch e.kind {
	case expectAbsent:
		return "no stream"
	case expectPresent:
		return "an existing stream"
	case expectExactly:
		return fmt.Sprintf("version %d", e.version)
	default:
		return "any version"
	}
}
