package commands

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// inWords says an error of reading JSON so that a person sees what to change.
func inWords(err error) error {
	var (
		syntax *json.SyntaxError
		typ    *json.UnmarshalTypeError
		moment *time.ParseError
		base   base64.CorruptInputError
	)
	switch {
	case errors.As(err, &typ) && typ.Field == "":
		return fmt.Errorf("a line is a JSON object, and not a JSON %s", typ.Value)
	case errors.As(err, &typ):
		return fmt.Errorf("%q cannot be a JSON %s", typ.Field[strings.LastIndexByte(typ.Field, '.')+1:], typ.Value)
	case errors.As(err, &syntax):
		return fmt.Errorf("not JSON at byte %d: %w", syntax.Offset, err)
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return errors.New("the JSON ends too early")
	case errors.As(err, &moment):
		return fmt.Errorf("%q is no time: write it as in \"2018-08-23T04:11:39Z\"", moment.Value)
	case strings.HasPrefix(err.Error(), "Time.UnmarshalJSON"):
		return errors.New("a time is a JSON string: write it as in \"2018-08-23T04:11:39Z\"")
	case errors.As(err, &base):
		return fmt.Errorf("\"data\" is not base64: byte %d of it is none of its letters", int64(base))
	default:
		return err
	}
}

func unknownCommand(name string) error {
	if name == "" {
		return errors.New(`the line names no command: add "command"`)
	}
	for _, known := range Names() {
		if len(name) <= 2*len(known) && distance(strings.ToLower(known), strings.ToLower(name)) <= 2 {
			return fmt.Errorf("there is no command %q: do you mean %q?", name, known)
		}
	}
	return fmt.Errorf("there is no command %q: the commands are %s", name, strings.Join(Names(), ", "))
}

// distance is how many letters must be added, left out or replaced to make b of a.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(b)]
}
