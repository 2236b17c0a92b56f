package docs

import (
	"bytes"
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// mutate says which mutants are run against their tests:
//
//	go test ./docs -run TestMutants -mutants short            # a handful, for every change
//	go test ./docs -run TestMutants -mutants all -timeout 2h  # each
//	go test ./docs -run TestMutants -mutants 'wake-up'        # those with this in their names
var mutate = flag.String("mutants", "", "mutants to run: short, all, or a part of their names")

// The promises, the tests that show them, and what these tests have been seen to notice.
func TestGuarantees(t *testing.T) {
	var b strings.Builder
	b.WriteString("# What is guaranteed\n\n" + notice)
	b.WriteString("Each promise, the tests that show it, and changes of the code that make one of these tests fail. `make mutants` makes every one\n" +
		"of the changes, one at a time, in a copy, and requires the test to fail; `.ci/run` does so for a few. A change whose place in the\n" +
		"code is gone is an error of its own, so this page cannot grow old. How the tests are run, long forms included, is in\n" +
		"[testing.md](testing.md).\n")
	for _, c := range chapters {
		fmt.Fprintf(&b, "\n## %s\n\n| promise | shown by | seen to notice that |\n|---|---|---|\n", c.title)
		for _, g := range c.guarantees {
			var names []string
			for _, m := range g.mutants {
				names = append(names, m.name)
			}
			fmt.Fprintf(&b, "| %s | `%s` | %s |\n", g.promise, strings.Join(g.tests, "`, `"), strings.Join(names, "; "))
		}
	}
	generated(t, "guarantees.md", b.String())
}

// Each mutant can be made, in its own way, and its test is one that the promise names.
func TestMutantsCanBeMade(t *testing.T) {
	names := map[string]bool{}
	for _, c := range chapters {
		for _, g := range c.guarantees {
			assert.NotEmpty(t, g.mutants, "nothing shows that the tests of this can fail: %s", g.promise)
			for _, m := range g.mutants {
				assert.False(t, names[m.name], "two mutants are called %q", m.name)
				names[m.name] = true
				_, err := m.changed()
				assert.NoError(t, err, m.name)
				function, _, _ := strings.Cut(m.test, "/")
				assert.True(t, declared(t, m.pkg)[function], "%s: there is no %s in %s", m.name, function, m.pkg)
			}
		}
	}
	require.GreaterOrEqual(t, len(names), 18)
}

// A mutant makes its test fail, which otherwise passes.
func TestMutants(t *testing.T) {
	if *mutate == "" {
		t.Skip("give -mutants short, all, or a part of a name")
	}
	sound := map[string]bool{}
	ran := 0
	for _, c := range chapters {
		for _, g := range c.guarantees {
			for _, m := range g.mutants {
				if !m.chosen() {
					continue
				}
				ran++
				t.Run(m.name, func(t *testing.T) {
					if key := m.pkg + " " + m.test; !sound[key] && *mutate != "short" { // who asks for that has run the tests
						out, err := m.run(t.Context()) // from the cache, where it has passed before
						require.NoError(t, err, "the test fails without the mutant:\n%s", out)
						sound[key] = true
					}
					out, err := m.run(t.Context(), "-count=1", "-overlay", m.overlay(t))
					require.Error(t, err, "it survives: %s does not notice", m.test)
					require.NotContains(t, out, "[build failed]", "the mutant does not compile")
					require.NotContains(t, out, "[setup failed]", "the mutant does not compile")
					require.Contains(t, out, "FAIL", "the test did not run")
				})
			}
		}
	}
	require.Positive(t, ran, "there is no mutant %q", *mutate)
}

// chosen reports whether the mutant is to be run.
func (m *mutant) chosen() bool {
	return *mutate == "all" || *mutate == "short" && m.quick || strings.Contains(m.name, *mutate)
}

// changed are the files that the mutant changes, by path from the root, with their new
// content.
func (m *mutant) changed() (map[string]string, error) {
	files := map[string]string{}
	for _, e := range m.edits {
		if _, ok := files[e.file]; !ok {
			text, err := os.ReadFile(filepath.Join(root, e.file))
			if err != nil {
				return nil, err
			}
			files[e.file] = string(text)
		}
		if n := strings.Count(files[e.file], e.old); n != 1 {
			return nil, fmt.Errorf("%s holds this %d times, and should hold it once: the mutant must follow the code\n%s", e.file, n, e.old)
		}
		files[e.file] = strings.Replace(files[e.file], e.old, e.new, 1)
	}
	return files, nil
}

// overlay writes the changed files somewhere else, and returns what tells go of them.
func (m *mutant) overlay(t *testing.T) string {
	t.Helper()
	files, err := m.changed()
	require.NoError(t, err)
	dir := t.TempDir()
	replace := map[string]string{}
	for path, text := range files {
		abs, err := filepath.Abs(filepath.Join(root, path))
		require.NoError(t, err)
		replace[abs] = filepath.Join(dir, strings.ReplaceAll(path, "/", "_"))
		require.NoError(t, os.WriteFile(replace[abs], []byte(text), 0o600))
	}
	content, err := json.Marshal(map[string]any{"Replace": replace})
	require.NoError(t, err)
	list := filepath.Join(dir, "overlay.json")
	require.NoError(t, os.WriteFile(list, content, 0o600))
	return list
}

// run runs the mutant's test, with more arguments for go test. A mutant may let it hang;
// those of the short form have tests that take no time otherwise.
func (m *mutant) run(ctx context.Context, arguments ...string) (string, error) {
	var parts []string
	for part := range strings.SplitSeq(m.test, "/") {
		parts = append(parts, "^"+part+"$")
	}
	patience := "-timeout=60s"
	if m.quick {
		patience = "-timeout=10s"
	}
	arguments = append([]string{"test", patience, "-vet=off", "-run", strings.Join(parts, "/")}, arguments...)
	cmd := exec.CommandContext(ctx, "go", append(arguments, "./"+m.pkg)...)
	cmd.Dir = root
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	err := cmd.Run()
	if err == nil && strings.Contains(out.String(), "no tests to run") {
		err = fmt.Errorf("there is no test %s in %s", m.test, m.pkg)
	}
	return out.String(), err
}
