package commands

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grouplog/grouplog/domain"
)

// Line is a command in its wire form: one JSON object, one line of a command file.
//
//	{"as":"bob","command":"RequestJoin","groupID":"chess","message":"it's me!","id":"client-42"}
type Line struct {
	At      time.Time // when it happened; zero for now. Only imports keep it.
	As      domain.Actor
	ID      string // the command ID; empty for none
	Command Command
}

// MaxLine is the longest line, in bytes.
const MaxLine = 1 << 20

// envelope are the keys that every line may have.
type envelope struct {
	At       time.Time `json:"at,omitzero"`
	As       string    `json:"as"`
	AppAdmin bool      `json:"appAdmin,omitempty"`
	ID       string    `json:"id,omitempty"`
	Command  string    `json:"command"`
}

// ErrMalformed is the cause of every error of ParseLine.
var ErrMalformed = errors.New("malformed command")

// ParseLine reads a command from its wire form. Its errors say what is wrong and
// what would be right; nothing in a line makes it panic.
func ParseLine(line []byte) (Line, error) {
	parsed, err := parseLine(line)
	if err != nil {
		return Line{}, fmt.Errorf("%w: %w", ErrMalformed, err)
	}
	return parsed, nil
}

func parseLine(line []byte) (Line, error) {
	if len(line) > MaxLine {
		return Line{}, fmt.Errorf("the line has %d bytes, and at most %d are read", len(line), MaxLine)
	}
	if !utf8.Valid(line) {
		return Line{}, errors.New("the line is not valid UTF-8")
	}
	var fields map[string]json.RawMessage
	if err := unmarshal(line, &fields); err != nil {
		return Line{}, err
	}
	if fields == nil {
		return Line{}, errors.New("a line is a JSON object, and not a JSON null")
	}
	if err := noKeyTwice(line); err != nil {
		return Line{}, err
	}
	var e envelope
	if err := unmarshal(line, &e); err != nil {
		return Line{}, err
	}
	typ, ok := byName[e.Command]
	if !ok {
		return Line{}, unknownCommand(e.Command)
	}
	if err := knownFields(fields, typ, e.Command); err != nil {
		return Line{}, err
	}
	value := reflect.New(typ)
	if err := unmarshal(line, value.Interface()); err != nil {
		return Line{}, err
	}
	command := value.Elem().Interface().(Command)
	return Line{
		At: e.At.UTC(), As: domain.Actor{UserID: e.As, AppAdmin: e.AppAdmin}, ID: e.ID,
		Command: inThePast(command, e.At.UTC()),
	}, nil
}

// inThePast gives the commands that import a past the line's time, unless they
// have one of their own.
func inThePast(c Command, at time.Time) Command {
	switch c := c.(type) {
	case ImportGroup:
		if c.CreatedAt.IsZero() {
			c.CreatedAt = at
		}
		return c
	case ImportMember:
		if c.JoinedAt.IsZero() {
			c.JoinedAt = at
		}
		return c
	default:
		return c
	}
}

// unmarshal reads exactly one JSON value, and says in a person's words what is
// wrong with it.
func unmarshal(data []byte, into any) error {
	decoder := json.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(into); err != nil {
		return inWords(err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return errors.New("there is more after the JSON object: write one command a line")
	}
	return nil
}

// Names lists the names of all commands, in the order of the rules' table.
func Names() []string {
	names := make([]string, len(registry))
	for i, c := range registry {
		names[i] = c.CommandName()
	}
	return names
}

var (
	envelopeFields = fieldsOf(reflect.TypeFor[envelope]())
	memberFields   = fieldsOf(reflect.TypeFor[domain.InitialMember]())
)

// knownFields refuses fields that the command does not have: a misspelt field
// would otherwise be a wish that is silently not fulfilled.
func knownFields(given map[string]json.RawMessage, typ reflect.Type, command string) error {
	own := fieldsOf(typ)
	for _, key := range slices.Sorted(maps.Keys(given)) {
		if !slices.Contains(own, key) && !slices.Contains(envelopeFields, key) {
			return fmt.Errorf("%s has no field %q: its fields are %s", command, key, strings.Join(append(own, envelopeFields...), ", "))
		}
	}
	var members []map[string]json.RawMessage
	if err := json.Unmarshal(given["members"], &members); err != nil {
		return nil // there are none, or they are found to be malformed later
	}
	for _, member := range members {
		for _, key := range slices.Sorted(maps.Keys(member)) {
			if !slices.Contains(memberFields, key) {
				return fmt.Errorf("a member has no field %q: its fields are %s", key, strings.Join(memberFields, ", "))
			}
		}
	}
	return nil
}

// noKeyTwice refuses a JSON value in which an object has the same key twice: which
// of the two is meant cannot be known. The value is known to be well-formed.
func noKeyTwice(data []byte) error {
	type object struct {
		keys map[string]bool // nil: an array
		due  bool            // a key has been read, and its value comes next
	}
	decoder := json.NewDecoder(bytes.NewReader(data))
	open := []object{{}}
	for {
		token, err := decoder.Token()
		if err != nil {
			return nil
		}
		inner := &open[len(open)-1]
		key, isText := token.(string)
		if isText && inner.keys != nil && !inner.due {
			if inner.keys[key] {
				return fmt.Errorf("the key %q is there twice: give it once", key)
			}
			inner.keys[key], inner.due = true, true
			continue
		}
		inner.due = false
		switch token {
		case json.Delim('{'):
			open = append(open, object{keys: map[string]bool{}})
		case json.Delim('['):
			open = append(open, object{})
		case json.Delim('}'), json.Delim(']'):
			open = open[:len(open)-1]
		}
	}
}

// fieldsOf lists the JSON names of a struct's fields, in order.
func fieldsOf(typ reflect.Type) []string {
	var names []string
	for _, f := range reflect.VisibleFields(typ) {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		if f.IsExported() && name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

// MarshalJSON gives the wire form, the same bytes for the same line.
func (l Line) MarshalJSON() ([]byte, error) {
	head, err := json.Marshal(envelope{At: l.At, As: l.As.UserID, AppAdmin: l.As.AppAdmin, ID: l.ID, Command: l.Command.CommandName()})
	if err != nil {
		return nil, err
	}
	body, err := json.Marshal(l.Command)
	if err != nil {
		return nil, err
	}
	if len(body) == len("{}") {
		return head, nil
	}
	return append(append(head[:len(head)-1], ','), body[1:]...), nil
}

// UnmarshalJSON reads the wire form, as ParseLine does.
func (l *Line) UnmarshalJSON(data []byte) error {
	parsed, err := ParseLine(data)
	*l = parsed
	return err
}
