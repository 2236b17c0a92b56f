// Package cli is the grouplog program: one file a command.
//
// What a program may want to read goes to standard output, everything else to
// standard error. With --json, standard output is one JSON object for a single result
// and one a line for lists; the fields are additive only. What an exit code means is
// said in exit.go, and nowhere else.
package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/spf13/cobra"
)

// Main runs the program and returns its exit code.
func Main(args []string, in io.Reader, out, talk io.Writer) int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	// The first Ctrl-C ends ctx; with the handler gone, the second ends the process.
	defer context.AfterFunc(ctx, stop)()

	signal.Ignore(syscall.SIGPIPE) // a write says it, and what is to be cleaned up is
	written := &output{Writer: out}
	a := &app{args: args, in: in, out: written, talk: talk}
	root := a.root()
	root.SetArgs(args)
	command, err := root.ExecuteContextC(ctx)
	if written.err != nil {
		a.started = true
		err = cmp.Or(err, written.err)
	}
	if err == nil {
		return exitDone
	}
	code := a.exitCode(err)
	a.explain(command, err, code)
	return code
}

// app is what the commands share.
type app struct {
	args []string
	in   io.Reader
	out  io.Writer // data
	talk io.Writer // everything else

	db    string // the log's file; with a store, that of its replica
	store string // the address of the log in a cluster; empty: it is a file
	json  bool

	started bool // a command has begun: what goes wrong from here on is not its usage
}

func (a *app) root() *cobra.Command {
	root := parent(&cobra.Command{
		Use:   "grouplog",
		Short: "Groups, who is in them, and how that came about",
		Long: `grouplog keeps groups: who may create, join, invite, approve, leave and dismiss
them. It writes what happened in an append-only log and answers questions from it.`,
		Example: `  grouplog demo                                        every flow, in a log that is thrown away
  grouplog do create-group --as alice --type Public --group chess --name "Chess club"
  grouplog do request-join --as bob --group chess --message "it's me!"
  grouplog application ls --as alice
  grouplog do accept-application --as alice --group chess --from bob
  grouplog member ls chess
  grouplog log tail`,
		Version:       versionLine(versions()),
		SilenceUsage:  true,
		SilenceErrors: true,
	})
	root.SetIn(a.in)
	root.SetOut(unheard{a.out})
	root.SetErr(a.talk)
	root.PersistentFlags().StringVar(&a.db, "db", defaultDB, "the log's `FILE`; also "+envDB+" in the environment")
	root.PersistentFlags().StringVar(&a.store, "store", "", "the log's `ADDRESS` in a cluster; --db is then its replica here; also "+envStore)
	root.PersistentFlags().BoolVar(&a.json, "json", false, "write JSON: one object, or one a line for lists")
	root.SetFlagErrorFunc(a.flagError)
	root.PersistentPreRun = func(cmd *cobra.Command, _ []string) { a.locate(cmd) }
	root.SetHelpTemplate(helpTemplate)
	root.SetUsageTemplate(usageTemplate)
	root.SetVersionTemplate("{{.Version}}\n")
	root.AddGroup(
		&cobra.Group{ID: "write", Title: "Commands that write:"},
		&cobra.Group{ID: "read", Title: "Questions:"},
		&cobra.Group{ID: "keep", Title: "Looking after a log:"},
	)
	add := func(group string, commands ...*cobra.Command) {
		for _, c := range commands {
			c.GroupID = group
			root.AddCommand(c)
		}
	}
	add("write", a.doCommand(), a.runCommand(), a.importCommand())
	add("read", a.groupCommand(), a.memberCommand(), a.joinedCommand(), a.applicationCommand(), a.logCommand(), a.auditCommand(), a.toldCommand(), a.exportCommand(),
		a.diffCommand(), a.whyCommand(), a.explainCommand())
	add("keep", a.verifyCommand(), a.rebuildCommand(), a.backupCommand(), a.storeCommand(), a.listenerCommand())
	root.AddCommand(a.demoCommand(), a.benchCommand(), a.versionCommand(), exitCodesTopic())
	root.InitDefaultHelpCmd()
	root.InitDefaultCompletionCmd()
	for _, c := range root.Commands() {
		switch c.Name() {
		case "help":
			refuseTopics(c)
		case "completion":
			parent(c)
		}
	}
	return root
}

// refuseTopics has help refuse to be about a command that is not there.
func refuseTopics(help *cobra.Command) {
	show := help.Run
	help.Run = nil
	help.RunE = func(cmd *cobra.Command, args []string) error {
		if found, rest, err := cmd.Root().Find(args); err == nil && found.HasSubCommands() && len(rest) > 0 {
			return noCommand(found, rest[0])
		}
		show(cmd, args)
		return nil
	}
}

// run is what a command does, given its arguments: once it has begun, its usage was
// right.
func (a *app) run(f func(ctx context.Context, args []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		a.started = true
		return f(cmd.Context(), args)
	}
}

// parent is a command that only holds others.
func parent(c *cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.SuggestionsMinimumDistance = 2
	c.RunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return cmd.Help()
		}
		return noCommand(cmd, args[0])
	}
	return c
}

func noCommand(parent *cobra.Command, name string) error {
	err := usage(fmt.Errorf("there is no command %q", parent.CommandPath()+" "+name))
	meant := ""
	if suggestions := parent.SuggestionsFor(name); len(suggestions) > 0 {
		meant = parent.CommandPath() + " " + suggestions[0]
	}
	if c, _, unknown := parent.Find([]string{"do", name}); unknown == nil && c.Parent() != parent && !parent.HasParent() {
		meant = c.CommandPath()
	}
	if meant == "" {
		return err
	}
	return hint(err, fmt.Sprintf("do you mean %q?", meant))
}

// flagError is about a flag that a command does not have. If it is because the command
// is misspelt, and so its parent is asked, it is about that.
func (a *app) flagError(cmd *cobra.Command, err error) error {
	if _, rest, _ := cmd.Root().Find(a.args); cmd.HasSubCommands() {
		cmd.FParseErrWhitelist.UnknownFlags = true
		if cmd.ParseFlags(rest) == nil && cmd.Flags().NArg() > 0 {
			return noCommand(cmd, cmd.Flags().Arg(0))
		}
	}
	return usage(err)
}

// exactly asks for that many arguments, and says which.
func exactly(names ...string) cobra.PositionalArgs {
	return func(_ *cobra.Command, args []string) error {
		switch {
		case len(args) < len(names):
			return usage(fmt.Errorf("%s is missing", strings.Join(names[len(args):], " ")))
		case len(args) > len(names):
			return usage(fmt.Errorf("%q is one argument too many", args[len(names)]))
		default:
			return nil
		}
	}
}

// say writes a line to the person at the terminal.
func (a *app) say(format string, args ...any) { fmt.Fprintf(a.talk, format+"\n", args...) }

// explain says what went wrong, and what to do about it.
func (a *app) explain(command *cobra.Command, err error, code int) {
	var told *toldError
	if errors.As(err, &told) {
		return
	}
	text, advice := a.wordsFor(err)
	if code == exitInterrupted {
		text = "interrupted"
	}
	if code == exitUnread && advice == "" {
		return
	}
	for line := range strings.Lines(text) {
		a.say("grouplog: %s", strings.TrimRight(line, "\n"))
	}
	if code == exitUsage && advice == "" {
		advice = fmt.Sprintf("see %q", command.CommandPath()+" --help")
	}
	if advice != "" {
		a.say("hint: %s", advice)
	}
}

const helpTemplate = `{{with (or .Long .Short)}}{{. | trimTrailingWhitespaces}}

{{end}}{{if or .Runnable .HasSubCommands}}{{.UsageString}}{{end}}`

// usageTemplate puts the examples first.
const usageTemplate = `{{if .HasExample}}Examples:
{{.Example}}

{{end}}Usage:{{if .Runnable}}{{if .HasAvailableSubCommands}}
  {{.CommandPath}} COMMAND{{else}}
  {{.UseLine}}{{end}}{{end}}{{if .HasAvailableSubCommands}}{{$cmds := .Commands}}{{if eq (len .Groups) 0}}

Commands:{{range $cmds}}{{if .IsAvailableCommand}}
  {{rpad .Name .NamePadding }}  {{.Short}}{{end}}{{end}}{{else}}{{range $group := .Groups}}

{{.Title}}{{range $cmds}}{{if (and (eq .GroupID $group.ID) .IsAvailableCommand)}}
  {{rpad .Name .NamePadding }}  {{.Short}}{{end}}{{end}}{{end}}

More:{{range $cmds}}{{if (and (eq .GroupID "") .IsAvailableCommand)}}
  {{rpad .Name .NamePadding }}  {{.Short}}{{end}}{{end}}{{end}}{{end}}{{if .HasAvailableLocalFlags}}

Flags:
{{.LocalFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasAvailableInheritedFlags}}

Flags of every command:
{{.InheritedFlags.FlagUsages | trimTrailingWhitespaces}}{{end}}{{if .HasHelpSubCommands}}

Topics:{{range .Commands}}{{if .IsAdditionalHelpTopicCommand}}
  {{rpad .CommandPath .CommandPathPadding}}  {{.Short}}{{end}}{{end}}{{end}}
`
