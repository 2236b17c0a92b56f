package consumers

import (
	"errors"
	"fmt"
	"strings"

	"github.com/grouplog/grouplog/eventstore"
)

// Errors of the file and of consumers.
var (
	// ErrNotConsumers: the file is something else.
	ErrNotConsumers = errors.New("not a file of consumers")
	// ErrNewerFormat: the file was written by a newer version of the program.
	ErrNewerFormat = errors.New("file of consumers written by a newer version")
	// ErrOtherLog: the positions in the file are those of another log.
	ErrOtherLog = errors.New("consumers of another log")
	// ErrRestored: the log does not have what the consumer has seen; see RestoredError.
	ErrRestored = errors.New("the log was restored")
	// ErrName: nobody can have this name.
	ErrName = errors.New("invalid name of a consumer")
	// ErrUnknown: there is no consumer of this name.
	ErrUnknown = errors.New("no such consumer")
	// ErrNotHeld: the consumer does not hold this stream.
	ErrNotHeld = errors.New("the stream is not held")
	// ErrNotFailed: what stands at the place of the stream has not been tried, or nobody
	// knows yet what came of it. The consumer tries it by itself.
	ErrNotFailed = errors.New("only what has failed can be discarded")
	// ErrAhead: the position is beyond the end of the log.
	ErrAhead = errors.New("position is beyond the end of the log")
	// ErrChanged: somebody has reset the consumer, retried or discarded. Its Progress is
	// what they have made of it: go on from there.
	ErrChanged = errors.New("the consumer was changed by somebody else")
	// ErrReleased: the consumer is not active any more.
	ErrReleased = errors.New("the consumer is not active any more")
)

// RestoredError says that the log does not have the record that a consumer has come to.
// It has been restored from an older backup, or has gone another way since.
type RestoredError struct {
	Name     string
	Position eventstore.Position // where the consumer is
	Head     eventstore.Position // where the log ends
}

func (e *RestoredError) Error() string {
	what := fmt.Sprintf("the log has another record at position %d, where it is", e.Position)
	if e.Head < e.Position {
		what = fmt.Sprintf("it is at position %d and the log ends at %d", e.Position, e.Head)
	}
	return fmt.Sprintf("consumer %q: %s: the log was restored from a backup; say where to go on: grouplog listener reset %s --to …",
		e.Name, what, e.Name)
}

// Is makes errors.Is(err, ErrRestored) true.
func (e *RestoredError) Is(target error) bool { return target == ErrRestored }

// checkName refuses names that cannot be those of files.
func checkName(name string) error {
	if len(name) < 1 || len(name) > maxName {
		return fmt.Errorf("%w: %q has %d bytes, and 1 to %d are allowed", ErrName, name, len(name), maxName)
	}
	if i := strings.IndexFunc(name, notInName); i >= 0 {
		return fmt.Errorf("%w: %q has a %q in it; letters, digits, '.', '_' and '-' are allowed", ErrName, name, name[i])
	}
	return nil
}

func notInName(c rune) bool {
	return (c < 'a' || c > 'z') && (c < 'A' || c > 'Z') && (c < '0' || c > '9') && c != '.' && c != '_' && c != '-'
}

// maxName bounds names, in bytes.
const maxName = 64
