package domain

import (
	"fmt"
	"strings"
)

// Option says how somebody may come in: by joining (the join option) or by being
// invited (the invite option). The zero value is "not given".
type Option uint8

// The options of the group document.
const (
	Forbid Option = iota + 1 // nobody
	Auth                     // with an approver's consent
	Any                      // at once
)

var optionNames = [...]string{"", "Forbid", "Auth", "Any"}

// String is the option's name in the wire form; empty when not given.
func (o Option) String() string {
	if int(o) < len(optionNames) {
		return optionNames[o]
	}
	return fmt.Sprintf("option(%d)", int(o))
}

// MarshalText gives the option's name in the wire form.
func (o Option) MarshalText() ([]byte, error) {
	if int(o) >= len(optionNames) {
		return nil, fmt.Errorf("no option has the number %d", int(o))
	}
	return []byte(optionNames[o]), nil
}

// UnmarshalText reads an option's name, in any case.
func (o *Option) UnmarshalText(text []byte) error {
	for i, name := range optionNames {
		if strings.EqualFold(name, string(text)) {
			*o = Option(i)
			return nil
		}
	}
	return fmt.Errorf("unknown option %q: use Forbid, Auth or Any", text)
}
