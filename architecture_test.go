package grouplog_test

import (
	"encoding/json"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

const module = "github.com/grouplog/grouplog"

// allowed says which packages of this module each may import, beside itself and
// what is internal to it. A package that is not here may not exist.
var allowed = map[string][]string{
	"":                                   {"domain", "commands", "eventstore", "eventstore/sqlite", "eventstore/memory", "projections", "projections/groupview", "projections/notify", "projections/audit", "projections/consumers", "projections/past", "internal/files"},
	"domain":                             {},
	"domain/domaintest":                  {"domain", "domain/internal/upcast", "commands", "eventstore"},
	"commands":                           {"domain", "eventstore"},
	"eventstore":                         {},
	"eventstore/sqlite":                  {"eventstore", "internal/bulk", "internal/files"},
	"eventstore/memory":                  {"eventstore"},
	"eventstore/transfer":                {"eventstore"},
	"eventstore/eventstoretest":          {"eventstore"},
	"eventstore/jetstream":               {"eventstore", "eventstore/sqlite"},
	"eventstore/jetstream/jetstreamtest": {},
	"eventstore/eventstoretest/powercut": {},
	"internal/bulk":                      {},
	"internal/files":                     {},
	"projections":                        {"domain", "eventstore", "internal/bulk"},
	"projections/groupview":              {"projections", "domain", "eventstore", "internal/bulk"},
	"projections/projectiontest":         {"projections", "domain/domaintest", "eventstore", "eventstore/memory"},
	"projections/audit":                  {"projections", "domain", "eventstore"},
	"projections/export":                 {"projections", "projections/audit", "domain", "eventstore"},
	"projections/consumers":              {"eventstore"},
	"projections/past":                   {"projections", "projections/groupview", "domain", "commands", "eventstore"},
	"projections/notify":                 {"projections", "projections/consumers", "domain", "eventstore"},
	"projections/notify/pubsub":          {"projections", "projections/notify", "projections/consumers", "domain", "eventstore"},
	"docs":                               {},
}

type listed struct {
	ImportPath string
	Imports    []string
	Deps       []string
	Standard   bool
	Module     *struct{ Path string }
}

// list runs go list -json.
func list(t *testing.T, arguments ...string) []listed {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "go", append([]string{"list", "-json=ImportPath,Imports,Deps,Standard,Module"}, arguments...)...).Output()
	require.NoError(t, err)
	var packages []listed
	for decoder := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p listed
		if err := decoder.Decode(&p); err == io.EOF {
			return packages
		} else {
			require.NoError(t, err)
		}
		packages = append(packages, p)
	}
}

// Arrows between packages go one way: those of the table.
func TestArrows(t *testing.T) {
	for _, p := range list(t, "./...") {
		name := strings.TrimPrefix(strings.TrimPrefix(p.ImportPath, module), "/")
		if strings.HasPrefix(name, "cmd/") {
			continue // may import everything
		}
		owner, _, _ := strings.Cut(name, "/internal")
		may, known := allowed[owner]
		require.True(t, known, "package %s is not in the table: say in design what it is for", name)
		for _, imported := range p.Imports {
			other, ours := strings.CutPrefix(imported, module)
			other = strings.TrimPrefix(other, "/")
			if !ours || other == owner || strings.HasPrefix(other, owner+"/internal") {
				continue
			}
			require.Contains(t, may, other, "%s must not import %s", name, other)
		}
	}
}

// The domain imports the standard library alone, and of it nothing that reads a
// clock's, a disk's or a network's state.
func TestDomainIsPure(t *testing.T) {
	for _, p := range list(t, "./domain", "./domain/internal/...") {
		for _, imported := range p.Imports {
			if strings.HasPrefix(imported, module+"/domain/internal/") {
				continue
			}
			require.NotContains(t, []string{"os", "net", "net/http", "database/sql", "math/rand", "math/rand/v2", "crypto/rand", "log", "log/slog"}, imported)
			require.NotContains(t, imported, ".", "%s is not of the standard library", imported)
		}
	}
}

// A program that imports the engine links these modules and no others: whoever adds
// one makes every embedder pay.
func TestLinkedModules(t *testing.T) {
	linked := map[string]bool{}
	for _, p := range list(t, "-deps", ".") {
		if p.Module != nil {
			linked[p.Module.Path] = true
		}
	}
	var names []string
	for name := range linked {
		names = append(names, name)
	}
	slices.Sort(names)
	require.Equal(t, []string{
		"github.com/gofrs/flock",
		"github.com/google/uuid",
		module,
		"github.com/mattn/go-sqlite3",
		"golang.org/x/sys",
	}, names)
}
