package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

func TestExitCodes(t *testing.T) {
	a := &app{started: true}
	for _, test := range []struct {
		err  error
		want int
	}{
		{errors.New("out of the blue"), exitUnexpected},
		{eventstore.ErrFull, exitUnexpected},
		{eventstore.ErrReadOnly, exitUnexpected},
		{eventstore.ErrNotALog, exitUnexpected},
		{eventstore.ErrNewerSchema, exitUnexpected},
		{eventstore.ErrUnknown, exitUnexpected},
		{usage(errors.New("no")), exitUsage},
		{commands.ErrMisuse, exitUsage},
		{domain.ErrNotPermitted, exitRefused},
		{domain.ErrUnknownGroup, exitRefused},
		{groupview.ErrNotFound, exitNotFound},
		{errNoLog, exitNotFound},
		{errUnknownUser, exitNotFound},
		{&fs.PathError{Op: "open", Path: "x", Err: fs.ErrNotExist}, exitNotFound},
		{commands.ErrIDReused, exitConflict},
		{commands.ErrContended, exitConflict},
		{&eventstore.ConflictError{}, exitConflict},
		{eventstore.ErrBusy, exitConflict},
		{projections.ErrBusy, exitConflict},
		{sqlite3.Error{Code: sqlite3.ErrBusy}, exitConflict},
		{&fs.PathError{Op: "create", Path: "x", Err: fs.ErrExist}, exitConflict},
		{&eventstore.DamageError{}, exitDamaged},
		{context.Canceled, exitInterrupted},
		{errUnread, exitUnread},
		{&toldError{exitRefused}, exitRefused},
	} {
		require.Equal(t, test.want, a.exitCode(test.err), test.err)
		require.Equal(t, test.want, a.exitCode(fmt.Errorf("while trying: %w", test.err)), test.err)
		require.Equal(t, test.want, a.exitCode(hint(test.err, "try harder")), test.err)
	}
	a.started = false
	require.Equal(t, exitUsage, a.exitCode(errors.New("required flag(s) not set")))
}

// TestAFullDiskHasAHint: SQLite says it in words that are no advice.
func TestAFullDiskHasAHint(t *testing.T) {
	_, next := (&app{}).wordsFor(fmt.Errorf("compare views: %w", sqlite3.Error{Code: sqlite3.ErrFull}))
	require.Contains(t, next, "make room")
}

func TestWarningsAreSaidAsTheProgramSaysThings(t *testing.T) {
	var said strings.Builder
	logger := newLogger(&said)
	logger.Info("of no interest")
	logger.Error("views do not follow the log", "error", "the command reports it")
	logger.Warn("nothing else")
	logger.With("listener", "mailer").Warn("it waits", "position", 7, "error", errors.New("one\ntwo"))
	require.Equal(t, "grouplog: nothing else\ngrouplog: it waits (listener: mailer, position: 7, error: one two)\n", said.String())
}

// Whoever adds a command finds out here what the command line wants to know of it.
func TestEveryCommandHasHelp(t *testing.T) {
	for _, command := range commands.All() {
		require.NotEmpty(t, shortHelp[command.CommandName()], command.CommandName())
		for _, f := range fieldsOf(reflect.TypeOf(command)) {
			require.NotEmpty(t, f.help, "%s has a field that the command line does not explain: %s", command.CommandName(), f.Name)
			if f.required && f.Type.Kind() != reflect.Bool {
				require.NotEmpty(t, f.example, f.Name)
			}
		}
	}
}

// Every field of every command can be typed: what commandLine writes, the flags read.
func TestEveryFieldCanBeTyped(t *testing.T) {
	for _, command := range commands.All() {
		want := filled(t, reflect.TypeOf(command)).Interface().(commands.Command)
		line := commandLine(domain.Actor{UserID: "root", AppAdmin: true}, want)

		got := reflect.New(reflect.TypeOf(command)).Elem()
		a := &app{}
		c := &cobra.Command{Use: "test", SilenceErrors: true, SilenceUsage: true, RunE: func(*cobra.Command, []string) error { return nil }}
		e := &envelope{}
		a.addEnvelope(c, e)
		a.addFields(c, got)
		prefix := "grouplog do " + kebab(command.CommandName()) + " "
		require.True(t, strings.HasPrefix(line, prefix), line)
		c.SetArgs(shellWords(t, strings.TrimPrefix(line, prefix)))
		require.NoError(t, c.Execute(), line)
		require.Equal(t, want, got.Interface(), line)
		require.Equal(t, domain.Actor{UserID: "root", AppAdmin: true}, e.actor())
	}
}

// filled is a command with something in every field.
func filled(t *testing.T, typ reflect.Type) reflect.Value {
	value := reflect.New(typ).Elem()
	text, number := `it's "so" $much`, 7
	for _, f := range fieldsOf(typ) {
		field := value.FieldByIndex(f.Index)
		switch into := field.Addr().Interface().(type) {
		case *time.Duration:
			*into = 90 * time.Minute
		case *time.Time:
			*into = time.Date(2018, 8, 23, 4, 11, 39, 0, time.UTC)
		case *domain.Role:
			*into = domain.Admin
		case *domain.Option:
			*into = domain.Auth
		case **string:
			*into = &text
		case **int:
			*into = &number
		case *bool:
			*into = true
		case *[]string:
			*into = []string{"bob", "u,v"}
		case *[]byte:
			*into = []byte(text)
		case *map[string]string:
			*into = map[string]string{"a": "1=2", "b": ""}
		case *[]domain.InitialMember:
			*into = []domain.InitialMember{{UserID: "bob"}, {UserID: "u:v", Role: domain.Admin}}
		default:
			require.Equal(t, reflect.String, field.Kind(), "%s is of a kind that the command line does not know", f.Name)
			field.SetString(text)
		}
	}
	return value
}

// A user ID may have a colon in it, and a role is not taken for a part of one.
func TestInitialMembersAreTyped(t *testing.T) {
	for text, want := range map[string]domain.InitialMember{
		"bob":        {UserID: "bob"},
		"bob:admin":  {UserID: "bob", Role: domain.Admin},
		"bob:owner":  {UserID: "bob", Role: domain.Owner}, // the rules refuse it
		"u:v:member": {UserID: "u:v", Role: domain.Member},
	} {
		got, err := memberOf(text)
		require.NoError(t, err, text)
		require.Equal(t, want, got)
	}
	for _, text := range []string{"carol:admn", "b:boss", "u:v", "bob:", "bob:Admin"} {
		_, err := memberOf(text)
		require.ErrorContains(t, err, "is no role: after the colon stands member or admin, as in "+text+":member", text)
	}
	line := commandLine(domain.Actor{UserID: "alice"}, commands.CreateGroup{Members: []domain.InitialMember{{UserID: "u:v"}}})
	require.Contains(t, line, "--member u:v:member")
}

// The hints of refusals name what can be typed.
func TestHintsAreTyped(t *testing.T) {
	for hint, want := range map[string]string{
		"give applicationID, or groupID and fromUser": "give --application, or --group and --from",
		"leave supportTopic out":                      "leave --support-topic out",
		"an owner is named by TransferOwner":          `an owner is named by "grouplog do transfer-owner"`,
		"use one of Work, AVChatRoom":                 "use one of Work, AVChatRoom",
		"choose another name":                         "choose another name",
	} {
		require.Equal(t, want, asTyped(hint))
	}
}

// shellWords takes a line apart as a shell does.
func shellWords(t *testing.T, line string) []string {
	var words []string
	var word strings.Builder
	quote := rune(0)
	escaped, begun := false, false
	for _, r := range line {
		switch {
		case escaped:
			word.WriteRune(r)
			escaped = false
		case r == '\\' && quote != '\'':
			escaped, begun = true, true
		case quote != 0 && r == quote:
			quote = 0
		case quote == 0 && (r == '"' || r == '\''):
			quote, begun = r, true
		case quote == 0 && r == ' ':
			if begun || word.Len() > 0 {
				words = append(words, word.String())
			}
			word.Reset()
			begun = false
		default:
			word.WriteRune(r)
		}
	}
	require.Zero(t, quote, line)
	return append(words, word.String())
}

func TestDurationsAreShort(t *testing.T) {
	for want, d := range map[string]time.Duration{
		"24h": 24 * time.Hour, "1h30m": 90 * time.Minute, "10m": 10 * time.Minute, "1h0m30s": time.Hour + 30*time.Second,
		"0s": 0, "1.5s": 1500 * time.Millisecond, "1h10m": 70 * time.Minute, "20m10s": 20*time.Minute + 10*time.Second,
	} {
		require.Equal(t, want, duration(d))
		parsed, err := time.ParseDuration(duration(d))
		require.NoError(t, err)
		require.Equal(t, d, parsed)
	}
}

// A command ID is printable ASCII and not too long, whatever the file is called; two
// names never make the same IDs.
func TestCommandIDsOfFiles(t *testing.T) {
	require.Equal(t, "moves.jsonl", idPrefix("moves.jsonl"))
	seen := map[string]bool{}
	for _, name := range []string{"züge.jsonl", "züge_jsonl", "z\nge.jsonl", strings.Repeat("a", 255), strings.Repeat("a", 254) + "b", strings.Repeat("é", 120)} {
		id := idPrefix(name) + ":1000000000"
		require.LessOrEqual(t, len(id), commands.MaxID)
		require.False(t, strings.ContainsFunc(id, func(r rune) bool { return r < 0x20 || r > 0x7e }), id)
		require.False(t, seen[id], id)
		seen[id] = true
	}
}
