package eventstore

import (
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"
)

// What a commit may hold, in bytes. The limits are the same for every store, so
// that a commit which one accepts is not refused by another.
const (
	// MaxNameSize bounds a stream's name, an event's type, an actor and a command ID.
	MaxNameSize = 4096
	// MaxDataSize bounds an event's Data and an outcome's Answer and Fingerprint, each.
	MaxDataSize = 64 << 20
)

// Years outside of these have no RFC 3339 form, and the zero time is a forgotten one.
const (
	minYear = 1
	maxYear = 9999
)

// Validate reports the first reason for which no store can ever store the commit,
// as an error that wraps ErrInvalid. It does not look at the log: a commit that is
// valid may still conflict.
func (c Commit) Validate() error {
	if err := validateName("stream", c.Stream, true); err != nil {
		return err
	}
	if len(c.Events) == 0 && c.Outcome == nil {
		return invalid("commit to %q has neither events nor an outcome", c.Stream)
	}
	for i := range c.Events {
		if err := c.Events[i].validate(); err != nil {
			return fmt.Errorf("event %d of the commit to %q: %w", i+1, c.Stream, err)
		}
	}
	if c.Outcome != nil {
		if err := c.Outcome.validate(); err != nil {
			return fmt.Errorf("outcome of the commit to %q: %w", c.Stream, err)
		}
	}
	return nil
}

// ValidateAll reports the first commit that is invalid, with its place in the call.
// Stores call it before they look at anything else.
func ValidateAll(commits []Commit) error {
	for i := range commits {
		if err := commits[i].Validate(); err != nil {
			return fmt.Errorf("commit %d of %d: %w", i+1, len(commits), err)
		}
	}
	return nil
}

func (e *Event) validate() error {
	if err := validateName("type", e.Type, true); err != nil {
		return err
	}
	if err := validateName("actor", e.Actor, false); err != nil {
		return err
	}
	if err := validateName("command ID", e.CommandID, false); err != nil {
		return err
	}
	if e.Schema < 1 {
		return invalid("schema is %d; schemas are counted from 1", e.Schema)
	}
	if e.Time.IsZero() {
		return invalid("time is not set")
	}
	if year := e.Time.UTC().Year(); year < minYear || year > maxYear {
		return invalid("time is in the year %d; years go from %d to %d", year, minYear, maxYear)
	}
	return validateData(e.Data)
}

func (o *Outcome) validate() error {
	if err := validateName("command ID", o.CommandID, true); err != nil {
		return err
	}
	if len(o.Fingerprint) > MaxDataSize {
		return invalid("fingerprint has %d bytes; at most %d", len(o.Fingerprint), MaxDataSize)
	}
	if len(o.Answer) > MaxDataSize {
		return invalid("answer has %d bytes; at most %d", len(o.Answer), MaxDataSize)
	}
	return nil
}

func validateName(what, s string, required bool) error {
	switch {
	case s == "" && required:
		return invalid("%s is empty", what)
	case len(s) > MaxNameSize:
		return invalid("%s has %d bytes; at most %d", what, len(s), MaxNameSize)
	case !utf8.ValidString(s):
		return invalid("%s %q is not valid UTF-8", what, s)
	case strings.IndexByte(s, 0) >= 0:
		return invalid("%s %q contains a NUL byte", what, s)
	}
	return nil
}

// validateData asks for UTF-8 as well as for JSON: json.Valid lets any byte from
// 0x80 up stand in a string.
func validateData(data []byte) error {
	switch {
	case len(data) > MaxDataSize:
		return invalid("data has %d bytes; at most %d", len(data), MaxDataSize)
	case !json.Valid(data):
		return invalid("data is not JSON")
	case !utf8.Valid(data):
		return invalid("data is not valid UTF-8")
	}
	return nil
}

func invalid(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrInvalid, fmt.Sprintf(format, args...))
}
