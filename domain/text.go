package domain

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// CheckUserID refuses a user ID that is not printable ASCII of 1 to the limit's
// bytes (rules.md, section 2).
func (l *Limits) CheckUserID(id string) *Refusal {
	if id == System.UserID {
		return Refuse(CodeInvalidUserID, fmt.Sprintf("the user ID %q is reserved for the system", id), "use another one")
	}
	if id == "" || len(id) > l.UserID || !printableASCII(id) {
		return Refuse(CodeInvalidUserID,
			fmt.Sprintf("a user ID is 1 to %d bytes of printable ASCII, and %s is not", l.UserID, quoted(id)),
			"use the account name as your application knows it")
	}
	return nil
}

// CheckGroupID refuses a group ID that no group can have, whatever its type.
func (l *Limits) CheckGroupID(id string) *Refusal {
	if id == "" || len(id) > l.GroupID || !printableASCII(id) {
		return Refuse(CodeInvalidGroupID,
			fmt.Sprintf("a group ID is 1 to %d bytes of printable ASCII, and %s is not", l.GroupID, quoted(id)),
			"name the group by the ID it was created with")
	}
	return nil
}

// CheckCustomGroupID refuses an ID that a new group of the type must not have.
func (p *Policy) CheckCustomGroupID(id string) *Refusal {
	if refusal := p.Limits.CheckGroupID(id); refusal != nil {
		return Refuse(refusal.Code, refusal.Rule, "choose another ID, or leave it empty to have one assigned")
	}
	if p.ReservedIDPrefix != "" && strings.HasPrefix(id, p.ReservedIDPrefix) {
		return Refuse(CodeInvalidGroupID, fmt.Sprintf("a custom group ID of this type does not start with %q", p.ReservedIDPrefix),
			"choose another ID, or leave it empty to have one assigned")
	}
	if !strings.HasPrefix(id, p.CustomIDPrefix) {
		return Refuse(CodeInvalidGroupID, fmt.Sprintf("a custom group ID of this type starts with %q", p.CustomIDPrefix),
			"add the prefix, or leave the ID empty to have one assigned")
	}
	return nil
}

// CheckLine refuses text that is too long, is not UTF-8, or holds control
// characters other than newline and tab.
func CheckLine(code Code, field, text string, limit int) *Refusal {
	if len(text) > limit {
		return Refuse(code, fmt.Sprintf("the %s is at most %d bytes, and this has %d", field, limit, len(text)),
			"shorten it; letters outside ASCII take two to four bytes")
	}
	if !utf8.ValidString(text) {
		return Refuse(CodeInvalidParameter, fmt.Sprintf("the %s must be valid UTF-8", field), "encode it as UTF-8")
	}
	for _, r := range text {
		if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r < 0xa0 {
			return Refuse(CodeInvalidParameter, fmt.Sprintf("the %s holds the control character %U", field, r), "remove it")
		}
	}
	return nil
}

// CheckCustom refuses custom profile fields that break the limits, the first in
// the order of their keys. An empty value is fine: it deletes the field.
func (l *Limits) CheckCustom(fields map[string]string) *Refusal {
	for _, key := range slices.Sorted(maps.Keys(fields)) {
		value := fields[key]
		if key == "" || len(key) > l.CustomKey || !wordASCII(key) {
			return Refuse(CodeInvalidParameter,
				fmt.Sprintf("the key of a custom field is 1 to %d of A-Z a-z 0-9 _, and %s is not", l.CustomKey, quoted(key)), "rename it")
		}
		if refusal := CheckLine(CodeInvalidParameter, "custom field "+key, value, l.CustomValue); refusal != nil {
			return refusal
		}
	}
	return nil
}

func wordASCII(s string) bool {
	for i := range len(s) {
		c := s[i]
		if c != '_' && (c < '0' || c > '9') && (c < 'A' || c > 'Z') && (c < 'a' || c > 'z') {
			return false
		}
	}
	return true
}

// quoted shows a value in a message without letting it run on.
func quoted(s string) string {
	const most = 64
	if len(s) > most {
		return fmt.Sprintf("%q…", s[:most])
	}
	return fmt.Sprintf("%q", s)
}
