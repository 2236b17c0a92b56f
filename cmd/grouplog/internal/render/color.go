package render

import (
	"io"
	"os"
)

// Style marks text on a terminal. Where there is none, or who looks does not want
// colours, it leaves text as it is: no meaning is in colour alone.
type Style struct{ on bool }

// StyleFor is the style of what is written there.
func StyleFor(w io.Writer) Style {
	return Style{on: IsTerminal(w) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"}
}

func (s Style) wrap(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

// Bold is for what matters.
func (s Style) Bold(text string) string { return s.wrap("1", text) }

// Dim is for what matters less.
func (s Style) Dim(text string) string { return s.wrap("2", text) }

// Good is for what went well.
func (s Style) Good(text string) string { return s.wrap("32", text) }

// Bad is for what did not.
func (s Style) Bad(text string) string { return s.wrap("31", text) }
