package audit

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/grouplog/grouplog/domain"
)

// termKind is the first letter of a term in the index: of what kind it is. The letters
// are on disk.
type termKind string

const (
	actorTerm  termKind = "a" // who acted
	personTerm termKind = "p" // whom it is about
	groupTerm  termKind = "g"
	actionTerm termKind = "t" // the event's name
	wordTerm   termKind = "w" // of a name, a message or a reason
)

func (k termKind) term(text string) string { return string(k) + text }

// textsOf are the names, messages and reasons that an event holds.
func textsOf(fact domain.Event) []string {
	switch fact := fact.(type) {
	case domain.GroupCreated:
		return []string{fact.Name}
	case domain.GroupImported:
		return []string{fact.Name}
	case domain.MembersKicked:
		return []string{fact.Reason}
	case domain.GroupProfileChanged:
		return given(fact.Name)
	case domain.MemberInfoChanged:
		return given(fact.NameCard)
	case domain.ApplicationSubmitted:
		return []string{fact.Message}
	case domain.ApplicationRefreshed:
		return []string{fact.Message}
	case domain.ApplicationAccepted:
		return []string{fact.Reason}
	case domain.ApplicationRefused:
		return []string{fact.Reason}
	case domain.TopicCreated:
		return []string{fact.Name}
	case domain.TopicChanged:
		return given(fact.Name)
	default:
		return nil
	}
}

func given(text *string) []string {
	if text == nil {
		return nil
	}
	return []string{*text}
}

// wordsOf are the words of texts, each once, in lower case: runs of letters and digits.
// Where a script writes without spaces, every character is a word.
func wordsOf(texts ...string) []string {
	var words []string
	for _, text := range texts {
		for _, word := range runsOf(text) {
			if !slices.Contains(words, word) {
				words = append(words, word)
			}
		}
	}
	return words
}

// runsOf are the words of a text, in their order.
func runsOf(text string) []string {
	var words []string
	var run strings.Builder
	end := func() {
		if run.Len() > 0 {
			words = append(words, run.String())
		}
		run.Reset()
	}
	for _, r := range text {
		switch {
		case r < unicode.MaxASCII && unicode.IsLetter(r) || r >= '0' && r <= '9':
			run.WriteRune(unicode.ToLower(r))
		case r < unicode.MaxASCII:
			end()
		case unicode.In(r, unicode.Han, unicode.Hiragana, unicode.Katakana, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar):
			end()
			run.WriteRune(r)
			end()
		case unicode.In(r, unicode.L, unicode.N, unicode.M):
			run.WriteRune(unicode.ToLower(r))
		default:
			end()
		}
	}
	end()
	return words
}

// sought is a word that a query looks for, or how words begin.
type sought struct {
	text   string
	begins bool
}

// soughtIn are the words of a query's text, each once: of those that a * follows, the
// beginning is meant.
func soughtIn(text string) []sought {
	var all []sought
	for part := range strings.SplitAfterSeq(text, "*") {
		words := runsOf(part)
		begun, starred := strings.CutSuffix(part, "*")
		last, _ := utf8.DecodeLastRuneInString(begun)
		starred = starred && begun != "" && len(runsOf(string(last))) > 0
		for i, word := range words {
			if s := (sought{word, starred && i == len(words)-1}); !slices.Contains(all, s) {
				all = append(all, s)
			}
		}
	}
	return all
}
