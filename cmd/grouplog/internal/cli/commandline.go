package cli

import (
	"encoding"
	"fmt"
	"maps"
	"reflect"
	"slices"
	"strings"
	"time"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// commandLine is what to type for a command: the reverse of its flags.
func commandLine(actor domain.Actor, command commands.Command) string {
	words := []string{"grouplog do", kebab(command.CommandName()), "--as", actor.UserID}
	if actor.AppAdmin {
		words = append(words, "--app-admin")
	}
	value := reflect.ValueOf(command)
	for _, f := range fieldsOf(value.Type()) {
		field := value.FieldByIndex(f.Index)
		if field.IsZero() && !f.required {
			continue
		}
		for _, text := range textsOf(field) {
			if field.Kind() == reflect.Bool {
				words = append(words, "--"+f.flag+"="+text)
				continue
			}
			words = append(words, "--"+f.flag, shellWord(text))
		}
	}
	return strings.Join(words, " ")
}

// textsOf is a field's value as flags take it, once for each time the flag is given.
func textsOf(field reflect.Value) []string {
	switch value := field.Interface().(type) {
	case time.Duration:
		return []string{duration(value)}
	case time.Time:
		return []string{value.Format(time.RFC3339)}
	case *string:
		return []string{*value}
	case *int:
		return []string{fmt.Sprint(*value)}
	case []string:
		return value
	case []byte:
		return []string{string(value)}
	case map[string]string:
		var texts []string
		for _, key := range slices.Sorted(maps.Keys(value)) {
			texts = append(texts, key+"="+value[key])
		}
		return texts
	case []domain.InitialMember:
		var texts []string
		for _, m := range value {
			if m.Role == domain.NotMember && strings.Contains(m.UserID, ":") {
				m.Role = domain.Member
			}
			texts = append(texts, strings.TrimSuffix(m.UserID+":"+m.Role.String(), ":"))
		}
		return texts
	case encoding.TextMarshaler:
		text, err := value.MarshalText()
		must(err)
		return []string{string(text)}
	default:
		return []string{fmt.Sprint(value)}
	}
}

// duration is a duration without the zeros at its end: 24h, not 24h0m0s.
func duration(d time.Duration) string {
	text := d.String()
	if d != 0 {
		text = strings.TrimSuffix(strings.Replace(text, "m0s", "m", 1), "h0m")
		if !strings.HasSuffix(text, "s") && !strings.HasSuffix(text, "m") {
			text += "h"
		}
	}
	return text
}

// wrapFlags breaks a command line before a flag where it is longer than width.
func wrapFlags(line string, width int) string {
	const indent = "      "
	var b strings.Builder
	column := 0
	for i, part := range strings.Split(line, " --") {
		switch {
		case i > 0 && column+len(part)+3 > width:
			b.WriteString(" \\\n" + indent + "--" + part)
			column = len(indent) + 2 + len(part)
		case i > 0:
			b.WriteString(" --" + part)
			column += 3 + len(part)
		default:
			b.WriteString(part)
			column = len(part)
		}
	}
	return b.String()
}

// shellWord quotes a word for a shell, where it needs that.
func shellWord(text string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@%+,", r)
	}
	if text != "" && strings.IndexFunc(text, func(r rune) bool { return !plain(r) }) < 0 {
		return text
	}
	if !strings.ContainsAny(text, "\"$`\\!") {
		return `"` + text + `"`
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
