package docs

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// program builds grouplog once, and gives the folder that it is in.
var program = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "grouplog-docs-")
	if err != nil {
		return "", err
	}
	build := exec.Command("go", "build", "-o", dir, "./cmd/grouplog")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("build: %w: %s", err, out)
	}
	return dir, nil
})

func TestMain(m *testing.M) {
	code := m.Run()
	if dir, err := program(); err == nil {
		os.RemoveAll(dir)
	}
	os.Exit(code)
}

// shell runs a line in a folder, with grouplog in the path, and gives all output.
func shell(t *testing.T, dir, line string) string {
	t.Helper()
	built, err := program()
	require.NoError(t, err)
	run := exec.CommandContext(t.Context(), "sh", "-c", line)
	run.Dir = dir
	run.Env = append(os.Environ(), "PATH="+built+string(os.PathListSeparator)+os.Getenv("PATH"), "GROUPLOG_DB=", "COLUMNS=200")
	out, _ := run.CombinedOutput() // what failed shows in the output
	return string(out)
}

// What differs from run to run: how long it took, when it was, and which log it is.
var varying = map[*regexp.Regexp]string{
	regexp.MustCompile(`in [0-9.]+(ns|µs|ms|s)( \([0-9 ]+ a second\))?`):         "in SOME TIME",
	regexp.MustCompile(`20[0-9]{2}-[0-9]{2}-[0-9]{2}[ T][0-9:]{8}(\.[0-9]+)?Z?`): "SOME TIME",
	regexp.MustCompile(`"logID":"[0-9a-f-]+"`):                                   "SOME LOG",
}

func steady(text string) []string {
	for pattern, word := range varying {
		text = pattern.ReplaceAllString(text, word)
	}
	lines := strings.Split(strings.TrimRight(text, "\n"), "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], " ")
	}
	return lines
}

// matches compares output with what a page shows. A line that is "…" stands for any
// number of lines.
func matches(shown, said []string) bool {
	for i, line := range shown {
		if line == "…" {
			for skip := 0; skip <= len(said)-i; skip++ {
				if matches(shown[i+1:], said[i+skip:]) {
					return true
				}
			}
			return false
		}
		if i >= len(said) || said[i] != line {
			return false
		}
	}
	return len(shown) == len(said)
}

// What pages show of the command line is what the program says. The blocks of a page
// run one after the other in one folder.
func TestConsole(t *testing.T) {
	ran := 0
	for page, text := range pages(t) {
		_, blocks := split(text)
		dir := t.TempDir()
		for _, b := range blocks {
			if b.language != "console" {
				continue
			}
			for _, step := range strings.Split("\n"+b.text, "\n$ ")[1:] {
				lines := strings.Split(strings.TrimRight(step, "\n"), "\n")
				command := lines[0]
				shown := lines[1:]
				for len(shown) > 0 && strings.HasPrefix(shown[0], "> ") {
					command += "\n" + strings.TrimPrefix(shown[0], "> ")
					shown = shown[1:]
				}
				want := steady(strings.Join(shown, "\n"))
				said := steady(shell(t, dir, command))
				assert.True(t, matches(want, said), "%s:%d: %s\nsays:\n%s", page, b.line, command, strings.Join(said, "\n"))
				ran++
			}
		}
	}
	require.Greater(t, ran, 10)
}

var commandLine = regexp.MustCompile(`(?m)^  ([a-z][a-z-]+) {2,}\S`)

// verbs lists a command and those below it, each with its help.
func verbs(t *testing.T, path string) (names []string, help map[string]string) {
	t.Helper()
	text := shell(t, t.TempDir(), strings.TrimSpace("grouplog help "+path))
	names, help = []string{path}, map[string]string{path: text}
	_, below, found := strings.Cut(text, "Usage:\n")
	if !found {
		return names, help
	}
	below, _, _ = strings.Cut(below, "\nFlags:")
	for _, match := range commandLine.FindAllStringSubmatch(below, -1) {
		if match[1] == "completion" || match[1] == "grouplog" {
			continue // cobra's own
		}
		more, texts := verbs(t, strings.TrimSpace(path+" "+match[1]))
		names = append(names, more...)
		for name, text := range texts {
			help[name] = text
		}
	}
	return names, help
}

// The reference of the program is its own help.
func TestProgramReference(t *testing.T) {
	names, help := verbs(t, "")
	require.Greater(t, len(names), 30)
	var b strings.Builder
	b.WriteString("# Reference of the program\n\n" + notice)
	b.WriteString("What `grouplog help` says, verb by verb. How to work with it is in [cli.md](cli.md).\n")
	prose := pages(t)["docs/cli.md"]
	for _, name := range append(names, "exit-codes") {
		text, known := help[name]
		if !known {
			text = shell(t, t.TempDir(), "grouplog help "+name)
		}
		if name != "" {
			text, _, _ = strings.Cut(text, "\nFlags of every command:")
		}
		fmt.Fprintf(&b, "\n## %s\n\n```text\n%s\n```\n", strings.TrimSpace("grouplog "+name), strings.Trim(text, "\n"))
		if !strings.HasPrefix(name, "do ") && !strings.HasPrefix(name, "explain ") {
			assert.Contains(t, prose, "grouplog "+name, "docs/cli.md does not speak of it")
		}
	}
	generated(t, filepath.FromSlash("cli-reference.md"), b.String())
}
