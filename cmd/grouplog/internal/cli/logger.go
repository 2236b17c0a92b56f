package cli

import (
	"context"
	"io"
	"log/slog"
	"slices"
	"strings"
	"sync"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
)

// reported is the message of what a command tells itself, if it has to do with it.
const reported = "views do not follow the log"

// newLogger writes what the engine warns of as the program says things: a line each.
func newLogger(out io.Writer) *slog.Logger { return slog.New(&lines{mu: new(sync.Mutex), out: out}) }

// lines are a slog.Handler. Groups of attributes have no names.
type lines struct {
	mu    *sync.Mutex
	out   io.Writer
	attrs []slog.Attr
}

func (l *lines) Enabled(_ context.Context, level slog.Level) bool { return level >= slog.LevelWarn }

func (l *lines) Handle(_ context.Context, r slog.Record) error {
	if r.Message == reported {
		return nil
	}
	var line strings.Builder
	line.WriteString("grouplog: " + render.Line(r.Message))
	separator := " ("
	add := func(attr slog.Attr) bool {
		line.WriteString(separator + attr.Key + ": " + render.Line(attr.Value.String()))
		separator = ", "
		return true
	}
	for _, attr := range l.attrs {
		add(attr)
	}
	if r.Attrs(add); separator == ", " {
		line.WriteString(")")
	}
	line.WriteString("\n")
	l.mu.Lock()
	defer l.mu.Unlock()
	_, err := io.WriteString(l.out, line.String())
	return err
}

func (l *lines) WithAttrs(attrs []slog.Attr) slog.Handler {
	more := *l
	more.attrs = slices.Concat(l.attrs, attrs)
	return &more
}

func (l *lines) WithGroup(string) slog.Handler { return l }
