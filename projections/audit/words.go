package audit

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/grouplog/grouplog/domain"
)

// maxText is how much of a free text a sentence repeats, in characters; maxList how
// many things it names before it counts the others.
const (
	maxText = 120
	maxList = 5
)

// plain is text on one line, without control characters, and not too long: what
// users have written must not steer the terminal of who reads it.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return ' '
	}, text)
	if characters := []rune(text); len(characters) > maxText {
		text = string(characters[:maxText-1]) + "…"
	}
	return text
}

func quoted(text string) string { return `"` + plain(text) + `"` }

// because is what somebody said about it.
func because(reason string) string {
	if strings.TrimSpace(reason) == "" {
		return ""
	}
	return ": " + plain(reason)
}

// list is "a", "a and b", "a, b and c", or "a, b, c, d, e and 12 more".
func list(items []string) string {
	if len(items) > maxList+1 {
		items = append(items[:maxList:maxList], fmt.Sprintf("%d more", len(items)-maxList))
	}
	switch n := len(items); n {
	case 0:
		return "nothing"
	case 1:
		return items[0]
	default:
		return strings.Join(items[:n-1], ", ") + " and " + items[n-1]
	}
}

func users(ids []string) string { return list(named("", ids)) }

// named are names with a word before each.
func named(what string, names []string) []string {
	all := make([]string, len(names))
	for i, name := range names {
		all[i] = what + plain(name)
	}
	return all
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

// position is a role with its article.
func position(r domain.Role) string {
	switch r {
	case domain.Owner:
		return "the owner"
	case domain.Admin:
		return "an admin"
	default:
		return "a plain member"
	}
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05 UTC") }
