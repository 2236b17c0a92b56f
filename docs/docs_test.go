package docs

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

const module = "github.com/grouplog/grouplog"

// root is the repository, as seen from this folder.
const root = ".."

// pages are all pages of prose, by path from the root.
func pages(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, pattern := range []string{"*.md", "docs/*.md", "docs/adr/*.md"} {
		paths, err := filepath.Glob(filepath.Join(root, pattern))
		require.NoError(t, err)
		for _, path := range paths {
			text, err := os.ReadFile(path)
			require.NoError(t, err)
			name, err := filepath.Rel(root, path)
			require.NoError(t, err)
			found[filepath.ToSlash(name)] = string(text)
		}
	}
	require.Greater(t, len(found), 20)
	return found
}

// block is a fenced piece of a page.
type block struct {
	language, text string
	line           int
}

// split parts a page into its prose and its fenced blocks.
func split(text string) (prose []string, blocks []block) {
	var open *block
	for i, line := range strings.Split(text, "\n") {
		fence, isFence := strings.CutPrefix(strings.TrimSpace(line), "```")
		switch {
		case isFence && open == nil:
			open = &block{language: strings.TrimSpace(fence), line: i + 1}
			prose = append(prose, "")
		case isFence:
			blocks = append(blocks, *open)
			open = nil
			prose = append(prose, "")
		case open != nil:
			open.text += line + "\n"
			prose = append(prose, "")
		default:
			prose = append(prose, line)
		}
	}
	return prose, blocks
}

var link = regexp.MustCompile(`\]\(([^)\s]+)\)`)

// slug is the anchor that GitHub gives a heading.
func slug(heading string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(heading) {
		switch {
		case unicode.IsLetter(r), unicode.IsDigit(r), r == '-', r == '_':
			b.WriteRune(r)
		case r == ' ':
			b.WriteByte('-')
		}
	}
	return b.String()
}

func anchors(text string) []string {
	var found []string
	prose, _ := split(text)
	for _, line := range prose {
		if heading, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && strings.HasPrefix(line, "#") {
			found = append(found, slug(strings.ReplaceAll(heading, "`", "")))
		}
	}
	return found
}

// Relative links lead to files and headings that there are, and every page of this
// folder can be reached from the README.
func TestLinks(t *testing.T) {
	all := pages(t)
	leads := map[string][]string{}
	for page, text := range all {
		prose, _ := split(text)
		for i, line := range prose {
			for _, match := range link.FindAllStringSubmatch(line, -1) {
				target, anchor, _ := strings.Cut(match[1], "#")
				if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
					continue
				}
				path := page
				if target != "" {
					path = filepath.ToSlash(filepath.Join(filepath.Dir(page), target))
				}
				require.False(t, strings.HasPrefix(path, ".."), "%s:%d: %s leads out of the repository", page, i+1, match[1])
				_, err := os.Stat(filepath.Join(root, path))
				assert.NoError(t, err, "%s:%d: %s", page, i+1, match[1])
				if anchor != "" {
					assert.Contains(t, anchors(all[path]), anchor, "%s:%d: %s", page, i+1, match[1])
				}
				leads[page] = append(leads[page], path)
			}
		}
	}
	reached := map[string]bool{}
	for next := []string{"README.md"}; len(next) > 0; next = next[1:] {
		if !reached[next[0]] {
			reached[next[0]] = true
			next = append(next, leads[next[0]]...)
		}
	}
	for page := range all {
		assert.True(t, reached[page], "nothing leads to %s", page)
	}
}

// Pages name no place of the machine that they were written on, and fit a screen.
func TestPagesArePlain(t *testing.T) {
	places := regexp.MustCompile(`(^|[\s"'(=` + "`" + `])/(work|tmp|root|home|Users)\b`)
	for page, text := range pages(t) {
		prose, blocks := split(text)
		for i, line := range strings.Split(text, "\n") {
			assert.False(t, places.MatchString(line), "%s:%d names a place: %s", page, i+1, line)
		}
		for i, line := range prose {
			if !strings.HasPrefix(line, "|") && (page == "README.md" || strings.HasPrefix(page, "docs/")) {
				assert.LessOrEqual(t, utf8.RuneCountInString(line), 130, "%s:%d is long", page, i+1)
			}
		}
		for _, b := range blocks {
			assert.NotEmpty(t, b.language, "%s:%d: say what the block is: go, console, text, …", page, b.line)
		}
	}
}

// packages are the packages of the module, by path from the root; the root's own is
// "grouplog".
func packages(t *testing.T) []string {
	t.Helper()
	list := exec.CommandContext(t.Context(), "go", "list", "./...")
	list.Dir = root
	out, err := list.Output()
	require.NoError(t, err)
	var names []string
	for path := range strings.FieldsSeq(string(out)) {
		name := strings.TrimPrefix(strings.TrimPrefix(path, module), "/")
		if name == "" {
			name = "grouplog"
		}
		names = append(names, name)
	}
	return names
}

// Every package is in the table of architecture.md, with the imports that the test of
// the arrows allows.
func TestArchitectureTable(t *testing.T) {
	prose, _ := split(pages(t)["docs/architecture.md"])
	rows := map[string]string{}
	for _, line := range prose {
		cells := strings.Split(line, "|")
		if len(cells) == 5 && strings.HasPrefix(cells[1], " `") {
			rows[strings.Trim(cells[1], " `")] = cells[3]
		}
	}
	for _, name := range packages(t) {
		owner, _, private := strings.Cut(name, "/internal")
		if private {
			require.Contains(t, rows, owner)
			continue
		}
		assert.Contains(t, rows, name, "docs/architecture.md does not say what package %s is for", name)
	}
	quoted := regexp.MustCompile("`([^`]+)`")
	for name, allowed := range allowedImports(t) {
		if name == "" {
			name = "grouplog"
		}
		var listed []string
		for _, match := range quoted.FindAllStringSubmatch(rows[name], -1) {
			listed = append(listed, match[1])
		}
		assert.ElementsMatch(t, allowed, listed, "imports of %s", name)
	}
}

// allowedImports reads the table in architecture_test.go.
func allowedImports(t *testing.T) map[string][]string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join(root, "architecture_test.go"), nil, 0)
	require.NoError(t, err)
	allowed := map[string][]string{}
	text := func(e ast.Expr) string {
		s, err := strconv.Unquote(e.(*ast.BasicLit).Value)
		require.NoError(t, err)
		return s
	}
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok || spec.Names[0].Name != "allowed" {
			return true
		}
		for _, element := range spec.Values[0].(*ast.CompositeLit).Elts {
			pair := element.(*ast.KeyValueExpr)
			imports := []string{}
			for _, value := range pair.Value.(*ast.CompositeLit).Elts {
				imports = append(imports, text(value))
			}
			allowed[text(pair.Key)] = imports
		}
		return false
	})
	require.NotEmpty(t, allowed)
	return allowed
}

// declared are the exported names of a package, with "Type.Method" and "Type.Field",
// and the names of its tests.
func declared(t *testing.T, dir string) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	files, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	require.NoError(t, err)
	for _, path := range files {
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		require.NoError(t, err)
		for _, d := range file.Decls {
			switch d := d.(type) {
			case *ast.FuncDecl:
				name := d.Name.Name
				if d.Recv != nil {
					receiver := d.Recv.List[0].Type
					if star, ok := receiver.(*ast.StarExpr); ok {
						receiver = star.X
					}
					if id, ok := receiver.(*ast.Ident); ok {
						name = id.Name + "." + name
					}
				}
				names[name] = true
			case *ast.GenDecl:
				for _, spec := range d.Specs {
					declare(names, spec)
				}
			}
		}
	}
	return names
}

func declare(names map[string]bool, spec ast.Spec) {
	switch spec := spec.(type) {
	case *ast.ValueSpec:
		for _, id := range spec.Names {
			names[id.Name] = true
		}
	case *ast.TypeSpec:
		names[spec.Name.Name] = true
		var fields *ast.FieldList
		switch typ := spec.Type.(type) {
		case *ast.StructType:
			fields = typ.Fields
		case *ast.InterfaceType:
			fields = typ.Methods
		default:
			return
		}
		for _, field := range fields.List {
			for _, id := range field.Names {
				names[spec.Name.Name+"."+id.Name] = true
			}
		}
	}
}

// What a page names in the form `package.Name` is there: types, functions, methods,
// fields, and the tests that prove something.
func TestNamesExist(t *testing.T) {
	folders := map[string]string{}
	for _, name := range packages(t) {
		folders[name] = name
		folders[name[strings.LastIndexByte(name, '/')+1:]] = name
	}
	folders["grouplog"] = ""
	known := map[string]map[string]bool{}
	for short, dir := range folders {
		known[short] = declared(t, dir)
	}
	// grouplog.Listener is notify's.
	for name := range known["notify"] {
		if strings.HasPrefix(name, "Listener.") || strings.HasPrefix(name, "Notification.") {
			known["grouplog"][name] = true
		}
	}
	quoted := regexp.MustCompile("`([a-z][a-z/]*)\\.([A-Z][A-Za-z0-9_]*(?:\\.[A-Z][A-Za-z0-9]*)?)(?:[({\\[][^`]*)?`")
	for page, text := range pages(t) {
		prose, _ := split(text)
		for i, line := range prose {
			for _, match := range quoted.FindAllStringSubmatch(line, -1) {
				names, ours := known[match[1]]
				if ours {
					assert.True(t, names[match[2]], "%s:%d: there is no %s.%s", page, i+1, match[1], match[2])
				}
			}
		}
	}
}

// Every line of the coverage table says which test shows it.
func TestCoverageNamesTests(t *testing.T) {
	prose, _ := split(pages(t)["docs/coverage.md"])
	test := regexp.MustCompile("`[a-z/]+\\.(Test|Example)[A-Za-z0-9_]*`")
	rows := 0
	for i, line := range prose {
		cells := strings.Split(strings.Trim(line, "|"), "|")
		if !strings.HasPrefix(line, "|") || strings.HasPrefix(line, "|-") || strings.Contains(line, "shown by |") {
			continue
		}
		rows++
		assert.True(t, test.MatchString(cells[len(cells)-1]), "docs/coverage.md:%d names no test: %s", i+1, line)
	}
	require.Greater(t, rows, 40)
}

// Every decision record has the parts that one has, and is in the list.
func TestDecisionRecords(t *testing.T) {
	all := pages(t)
	for page, text := range all {
		if !strings.HasPrefix(page, "docs/adr/0") {
			continue
		}
		require.Contains(t, all["docs/adr/README.md"], filepath.Base(page))
		for _, part := range []string{"status:", "## Context", "## Decision", "## Consequences", "## Alternatives"} {
			require.Contains(t, text, part, page)
		}
	}
	require.True(t, slices.IsSorted(adrLinks(all["docs/adr/README.md"])), "the list is in the order of the numbers")
}

func adrLinks(text string) []string {
	var found []string
	for _, match := range link.FindAllStringSubmatch(text, -1) {
		if strings.HasPrefix(match[1], "0") {
			found = append(found, match[1])
		}
	}
	return found
}
