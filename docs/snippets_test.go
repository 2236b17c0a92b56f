package docs

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Whole programs on the pages run, and say what stands in the block after them.
func TestPrograms(t *testing.T) {
	programs := 0
	for page, text := range pages(t) {
		_, blocks := split(text)
		for i, b := range blocks {
			if b.language != "go" || !strings.Contains(b.text, "package main") {
				continue
			}
			programs++
			require.Less(t, i+1, len(blocks), "%s:%d: the program's output does not follow", page, b.line)
			path := filepath.Join(t.TempDir(), "main.go")
			require.NoError(t, os.WriteFile(path, []byte(b.text), 0o600))
			var stderr bytes.Buffer
			run := exec.CommandContext(t.Context(), "go", "run", path)
			run.Dir, run.Stderr = root, &stderr
			out, err := run.Output()
			require.NoError(t, err, "%s:%d\n%s", page, b.line, stderr.String())
			assert.Equal(t, blocks[i+1].text, string(out), "%s:%d", page, b.line)
		}
	}
	require.Positive(t, programs)
}

const preamble = `package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/ThreeDotsLabs/watermill/message"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/eventstore/transfer"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/export"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/notify"
	"github.com/grouplog/grouplog/projections/notify/pubsub"
	"github.com/grouplog/grouplog/projections/past"
	"github.com/grouplog/grouplog/projections/projectiontest"
)

var (
	_ = fmt.Sprint
	_ = errors.Is
	_ = log.Print
	_ = slog.Default
	_ = os.Getenv
	_ = filepath.Join
	_ testing.TB
	_ time.Time
	_ grouplog.Options
	_ commands.Command
	_ domain.Role
	_ domaintest.Recorded
	_ eventstore.Store
	_ eventstoretest.Features
	_ jetstream.Options
	_ transfer.Report
	_ = memory.New
	_ sqlite.Options
	_ = audit.Sentence
	_ export.Summary
	_ projections.Event
	_ groupview.Group
	_ notify.Kind
	_ consumers.Progress
	_ message.Message
	_ pubsub.Source
	_ past.Moment
	_ = projectiontest.Run
)

func main() {}
`

// The other Go on the pages compiles. A fragment stands in a function that has a
// context, an engine, a few users and a log.
func TestFragments(t *testing.T) {
	var source strings.Builder
	source.WriteString(preamble)
	fragments := 0
	for page, text := range pages(t) {
		if filepath.Base(page) == quickstart {
			continue // TestQuickstart
		}
		_, blocks := split(text)
		for _, b := range blocks {
			if b.language != "go" || strings.Contains(b.text, "package main") {
				continue
			}
			fragments++
			fmt.Fprintf(&source, "\n//line %s:%d\n", filepath.Base(page), b.line+1)
			if regexp.MustCompile(`^(//[^\n]*\n)*(func|type) `).MatchString(b.text) {
				source.WriteString(b.text)
				continue
			}
			fmt.Fprintf(&source, "func _(ctx context.Context, engine *grouplog.Engine, alice, bob *grouplog.User, store eventstore.Store, t *testing.T) error {\n{\n"+
				"//line %s:%d\n%s\n}\nreturn nil\n}\n", filepath.Base(page), b.line+1, b.text)
		}
	}
	require.Positive(t, fragments)
	compile(t, source.String())
}

const quickstart = "quickstart.md"

// The pieces of the quick start make one function, with the imports that it names.
func TestQuickstart(t *testing.T) {
	var imports, body strings.Builder
	for page, text := range pages(t) {
		if filepath.Base(page) != quickstart {
			continue
		}
		_, blocks := split(text)
		for _, b := range blocks {
			into := &body
			if strings.HasPrefix(b.text, "import ") {
				into = &imports
			}
			if b.language == "go" {
				fmt.Fprintf(into, "//line %s:%d\n%s\n", quickstart, b.line+1, b.text)
			}
		}
	}
	require.NotZero(t, imports.Len())
	compile(t, "package main\n"+imports.String()+"func main() {}\nfunc _(ctx context.Context) error {\n"+body.String()+"return nil\n}\n")
}

func compile(t *testing.T, source string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "fragments.go")
	require.NoError(t, os.WriteFile(path, []byte(source), 0o600))
	build := exec.CommandContext(t.Context(), "go", "build", "-o", os.DevNull, path)
	build.Dir = root
	out, err := build.CombinedOutput()
	require.NoError(t, err, string(out))
}
