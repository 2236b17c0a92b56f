package commands

import (
	"errors"
	"fmt"
)

// Errors of carrying out a command, beside *domain.Refusal and the errors of the
// store.
var (
	// ErrClosed: the handler has been closed.
	ErrClosed = errors.New("engine is closed")
	// ErrIDReused: the command's ID was given to another command before.
	ErrIDReused = errors.New("command ID was used for another command")
	// ErrContended: other writers were faster, again and again.
	ErrContended = errors.New("gave up after repeated conflicts with other writers")
	// ErrMisuse: what the caller gave can never be carried out.
	ErrMisuse = errors.New("misuse")
)

func reused(id string) error {
	return fmt.Errorf("%w: %q; give every command an ID of its own", ErrIDReused, id)
}
