package docs

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
)

var update = flag.Bool("update", false, "write the pages that are made from the code")

// generated compares a page with what the code gives, or writes it.
func generated(t *testing.T, page, text string) {
	t.Helper()
	text = strings.TrimRight(text, "\n") + "\n"
	if *update {
		require.NoError(t, os.WriteFile(page, []byte(text), 0o644))
		return
	}
	got, err := os.ReadFile(page)
	require.NoError(t, err)
	want, have := strings.Split(text, "\n"), strings.Split(string(got), "\n")
	for i := range min(len(want), len(have)) {
		if want[i] != have[i] {
			t.Fatalf("%s:%d is not as the code is: go test ./docs -update\nis:     %s\nshould: %s", page, i+1, have[i], want[i])
		}
	}
	require.Len(t, have, len(want), "%s is not as the code is: go test ./docs -update", page)
}

const notice = "<!-- Made from the code by: go test ./docs -update. Change the code, not this page. -->\n\n"

// comments are the doc comments of a package: of types by name, of fields by
// "Type.Field".
func comments(t *testing.T, dir string) map[string]string {
	t.Helper()
	found := map[string]string{}
	for _, file := range parse(t, dir) {
		ast.Inspect(file, func(n ast.Node) bool {
			decl, ok := n.(*ast.GenDecl)
			if !ok {
				return true
			}
			for _, spec := range decl.Specs {
				spec, ok := spec.(*ast.TypeSpec)
				if !ok {
					continue
				}
				doc := spec.Doc
				if doc == nil {
					doc = decl.Doc
				}
				found[spec.Name.Name] = oneLine(doc.Text())
				structure, ok := spec.Type.(*ast.StructType)
				if !ok {
					continue
				}
				for _, field := range structure.Fields.List {
					for _, name := range field.Names {
						found[spec.Name.Name+"."+name.Name] = oneLine(field.Doc.Text() + " " + field.Comment.Text())
					}
				}
			}
			return true
		})
	}
	return found
}

func parse(t *testing.T, dir string) []*ast.File {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(root, dir, "*.go"))
	require.NoError(t, err)
	var files []*ast.File
	for _, path := range paths {
		if strings.HasSuffix(path, "_test.go") {
			continue
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		require.NoError(t, err)
		files = append(files, file)
	}
	return files
}

func oneLine(text string) string { return strings.Join(strings.Fields(text), " ") }

// sentence is a comment without the name that it begins with in Go.
func sentence(name, comment string) string {
	text := strings.TrimPrefix(comment, name+" ")
	for _, verb := range []string{"is ", "are "} {
		text = strings.TrimPrefix(text, verb)
	}
	if text == "" {
		return ""
	}
	return strings.ToUpper(text[:1]) + text[1:]
}

// wrap breaks text into lines that fit a screen.
func wrap(text string) string {
	var b strings.Builder
	width := 0
	for i, word := range strings.Fields(text) {
		switch {
		case i > 0 && width+1+len(word) > 120:
			b.WriteByte('\n')
			width = 0
		case i > 0:
			b.WriteByte(' ')
			width++
		}
		b.WriteString(word)
		width += len(word)
	}
	return b.String()
}

// field is a field of a JSON object.
type field struct {
	name, kind, note string
	optional         bool
}

// fieldsOf lists the fields of a struct's JSON, with what the comments say of them.
func fieldsOf(typ reflect.Type, docs map[string]string) []field {
	var fields []field
	for _, f := range reflect.VisibleFields(typ) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "" || name == "-" {
			continue
		}
		owner := typ
		for _, i := range f.Index[:len(f.Index)-1] {
			owner = owner.Field(i).Type
		}
		fields = append(fields, field{
			name: name, kind: kindOf(f.Type), note: docs[owner.Name()+"."+f.Name], optional: strings.Contains(options, "omit"),
		})
	}
	return fields
}

func kindOf(typ reflect.Type) string {
	if typ.Kind() == reflect.Pointer {
		return kindOf(typ.Elem())
	}
	switch typ.String() {
	case "time.Time":
		return "time"
	case "time.Duration":
		return "duration"
	case "[]uint8":
		return "base64"
	case "domain.Option":
		return "`Forbid`, `Auth` or `Any`"
	case "domain.Role":
		return "`member`, `admin` or `owner`"
	case "domain.GroupType":
		return "group type"
	case "domain.ApplicationKind":
		return "0, 1 or 2"
	case "domain.DismissalCause":
		return "`asked` or `emptied`"
	case "[]domain.InitialMember":
		return "list of {userID, role}"
	}
	switch typ.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "true or false"
	case reflect.Int:
		return "number"
	case reflect.Slice:
		return "list of " + kindOf(typ.Elem())
	case reflect.Map:
		return "object of " + kindOf(typ.Elem())
	default:
		return typ.String()
	}
}

func writeFields(b *strings.Builder, fields []field) {
	if len(fields) == 0 {
		b.WriteString("No fields.\n\n")
		return
	}
	b.WriteString("| field | value | |\n|---|---|---|\n")
	for _, f := range fields {
		var notes []string
		if f.optional {
			notes = append(notes, "optional")
		}
		if f.note != "" {
			notes = append(notes, f.note)
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", f.name, f.kind, strings.Join(notes, "; "))
	}
	b.WriteString("\n")
}

// The refusals, with the rules that the code gives them.
func TestRefusals(t *testing.T) {
	rules := rulesByCode(t)
	sentinels := sentinelNames(t)
	var b strings.Builder
	b.WriteString("# Refusals\n\n" + notice)
	b.WriteString("A rule that forbids a wish answers with a refusal: a code, the rule, and a hint what to do next. In Go it is a\n" +
		"`*domain.Refusal`; `errors.Is` compares by code with the values in the third column. On the wire it is\n" +
		"`{\"ok\":false,\"code\":…,\"error\":\"name\",\"rule\":\"…\",\"hint\":\"…\"}`. The numbers are those of the group document. Which refusal\n" +
		"wins where several fit is in [rules.md](rules.md#the-order-of-refusals).\n\n" +
		"`…` stands for what depends on the command. The texts of rules and hints may become better; the codes and names stay.\n\n")
	b.WriteString("| code | name | Go | meaning |\n|---|---|---|---|\n")
	for _, code := range domain.Codes() {
		fmt.Fprintf(&b, "| %d | `%s` | `domain.%s` | %s |\n", int(code), code, sentinels[constOf(sentinels, code)], code.Meaning())
	}
	b.WriteString("\n## The rules of each\n\n")
	for _, code := range domain.Codes() {
		fmt.Fprintf(&b, "### %d %s\n\n", int(code), code)
		list := rules[constOf(sentinels, code)]
		require.NotEmpty(t, list, "no rule gives %s", code)
		for _, rule := range list {
			fmt.Fprintf(&b, "* %s\n", rule)
		}
		b.WriteString("\n")
	}
	generated(t, "refusals.md", b.String())
}

// constOf is the name of the constant of a code, by the name of its sentinel: those of
// CodeX and ErrX are alike.
func constOf(sentinels map[string]string, code domain.Code) string {
	var name strings.Builder
	for _, word := range strings.Split(code.String(), "_") {
		switch word {
		case "id":
			word = "ID"
		case "url":
			word = "URL"
		}
		name.WriteString(strings.ToUpper(word[:1]) + word[1:])
	}
	constant := "Code" + name.String()
	if _, ok := sentinels[constant]; !ok {
		panic("no constant " + constant)
	}
	return constant
}

// sentinelNames maps the name of a code's constant to that of its sentinel.
func sentinelNames(t *testing.T) map[string]string {
	t.Helper()
	names := map[string]string{}
	for _, file := range parse(t, "domain") {
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.ValueSpec)
			if !ok || len(spec.Values) != 1 {
				return true
			}
			call, ok := spec.Values[0].(*ast.CallExpr)
			if !ok {
				return true
			}
			if f, ok := call.Fun.(*ast.Ident); ok && f.Name == "sentinel" {
				names[call.Args[0].(*ast.Ident).Name] = spec.Names[0].Name
			}
			return true
		})
	}
	return names
}

var verb = regexp.MustCompile(`%[+]?[a-zA-Z]`)

// rulesByCode reads the texts of all refusals from the code.
func rulesByCode(t *testing.T) map[string][]string {
	t.Helper()
	rules := map[string][]string{}
	add := func(code, rule string) {
		rule = strings.TrimSpace(verb.ReplaceAllString(rule, "…"))
		if code != "" && rule != "" && !slices.Contains(rules[code], rule) {
			rules[code] = append(rules[code], rule)
		}
	}
	for _, dir := range []string{"domain", "commands"} {
		for _, file := range parse(t, dir) {
			ast.Inspect(file, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.FuncDecl: // these make texts that stand at their callers
					return n.Name.Name != "appAdminOnly" && n.Name.Name != "inTheFuture"
				case *ast.CallExpr:
					code, rule := refuseCall(n)
					add(code, rule)
				case *ast.CompositeLit:
					if len(n.Elts) == 4 { // a row of checkPresentation
						add(codeName(n.Elts[0]), tooLong(literal(n.Elts[1])))
					}
				case *ast.AssignStmt:
					if len(n.Lhs) == 2 && len(n.Rhs) == 2 {
						add(codeName(n.Rhs[0]), literal(n.Rhs[1]))
					}
				}
				return true
			})
		}
	}
	return rules
}

func tooLong(what string) string {
	if what == "" {
		return ""
	}
	return "the " + strings.TrimSpace(what) + " is at most … bytes"
}

func refuseCall(call *ast.CallExpr) (code, rule string) {
	name := ""
	switch f := call.Fun.(type) {
	case *ast.Ident:
		name = f.Name
	case *ast.SelectorExpr:
		name = f.Sel.Name
	}
	switch name {
	case "Refuse":
		return codeName(call.Args[0]), literal(call.Args[1])
	case "CheckLine":
		return codeName(call.Args[0]), tooLong(literal(call.Args[1]))
	case "notPermitted":
		return "CodeNotPermitted", literal(call.Args[0])
	case "appAdminOnly":
		return "CodeNotPermitted", "only the app admin may " + literal(call.Args[0])
	case "inTheFuture":
		return "CodeInvalidArgument", "the time of " + literal(call.Args[0]) + " is in the future"
	}
	return "", ""
}

func codeName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		if strings.HasPrefix(e.Name, "Code") {
			return e.Name
		}
	case *ast.SelectorExpr:
		return codeName(e.Sel)
	}
	return ""
}

// literal is the text that an expression begins with.
func literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		return strings.Trim(e.Value, "`\"")
	case *ast.BinaryExpr:
		return literal(e.X) + "…"
	case *ast.CallExpr:
		if len(e.Args) > 0 {
			return strings.ReplaceAll(literal(e.Args[0]), `\"`, `"`)
		}
	}
	return ""
}

// The policy table, with both built-in columns in a cell where they differ.
func TestPolicies(t *testing.T) {
	classic, current := domain.Classic(), domain.Current()
	var b strings.Builder
	b.WriteString("# Policies\n\n" + notice)
	b.WriteString("The rules of a group type are a `domain.Policy`, a column of this table. `domain.Classic` is the default;\n" +
		"`domain.Current` is the vendor's newer behaviour. A cell that shows `a → b` is `a` in Classic and `b` in Current; where they agree\n" +
		"there is one value. What the rows mean together, and how to change a cell or add a type, is in [rules.md](rules.md) and\n" +
		"[embedding.md](embedding.md#policies-of-your-own).\n\n")
	types := classic.Types()
	b.WriteString("| rule |")
	for _, name := range types {
		fmt.Fprintf(&b, " %s |", name)
	}
	b.WriteString("\n|---|" + strings.Repeat("---|", len(types)) + "\n")
	newer := current.Rows()
	for i, row := range classic.Rows() {
		fmt.Fprintf(&b, "| %s |", row.Title)
		for j, cell := range row.Cells {
			fmt.Fprintf(&b, " %s |", arrow(cell, newer[i].Cells[j]))
		}
		b.WriteString("\n")
	}
	b.WriteString("\nIdle groups are recycled by neither table (`RecycleAfter` is 0).\n")
	writeLimits(t, &b, classic, current)
	generated(t, "policies.md", b.String())
}

func arrow(old, current string) string {
	if old == current {
		return old
	}
	return old + " → " + current
}

// limitsInWords says what each field of domain.Limits bounds.
var limitsInWords = map[string]string{
	"GroupID": "bytes of a group ID", "UserID": "bytes of a user ID", "Name": "bytes of a name, of a group or topic",
	"Introduction": "bytes of an introduction", "Notification": "bytes of a notification", "FaceURL": "bytes of a face URL",
	"NameCard": "bytes of a name card", "Message": "bytes of a join message, a decision's reason, a kick's reason",
	"CustomKeys": "custom fields of a group, and of a member", "CustomKey": "bytes of a custom field's key",
	"CustomValue": "bytes of a custom field's value", "Attributes": "attributes of a group", "AttributeKey": "bytes of an attribute's key",
	"AttributeValue": "bytes of an attribute's value", "AttributesTotal": "bytes of all keys and values of a group's attributes",
	"Invite": "users in one invitation", "Initial": "initial members", "Kick": "users in one kick",
	"InviteByAppAdmin": "users in one invitation by an app admin", "InitialByAppAdmin": "initial members of a group that an app admin creates",
	"KickByAppAdmin": "users in one kick by an app admin", "CustomData": "bytes of a custom notification",
	"Notify":  "users that one custom notification may list",
	"TopicID": "bytes of a topic ID, the group's ID in it included", "GroupsPerUser": "groups that a user is in (0: no limit)",
}

func writeLimits(t *testing.T, b *strings.Builder, classic, current domain.Policies) {
	t.Helper()
	b.WriteString("\n## Limits\n\nThe same for all built-in types. Lengths are bytes of UTF-8.\n\n| `domain.Limits` | at most | Classic → Current |\n|---|---|---|\n")
	for _, name := range classic.Types() {
		require.Equal(t, classic[domain.Work].Limits, classic[name].Limits)
		require.Equal(t, current[domain.Work].Limits, current[name].Limits)
	}
	old, newer := reflect.ValueOf(classic[domain.Work].Limits), reflect.ValueOf(current[domain.Work].Limits)
	for i := range old.NumField() {
		name := old.Type().Field(i).Name
		require.NotEmpty(t, limitsInWords[name], "say what Limits.%s bounds", name)
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", name, limitsInWords[name], arrow(fmt.Sprint(old.Field(i)), fmt.Sprint(newer.Field(i))))
	}
}
