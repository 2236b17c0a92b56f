package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"syscall"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/eventstore/transfer"
	"github.com/grouplog/grouplog/internal/files"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/consumers"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// The exit codes. exitCodesText tells users of them.
const (
	exitDone        = 0
	exitUnexpected  = 1
	exitUsage       = 2
	exitRefused     = 3
	exitNotFound    = 4
	exitConflict    = 5
	exitDamaged     = 6
	exitInterrupted = 130
	exitUnread      = 141
)

const exitCodesText = `What the exit code of grouplog says:

  0    done, also where there was nothing to do
  1    something unexpected: the disk is full, a file is no log, read models differ,
       the cluster does not answer
  2    wrong usage; for run and import: a line is malformed
  3    refused by a rule; the message says which, and what to do
  4    not found: the log, the group, the user, the listener, the file
  5    a conflict: a command ID was used for another command, the log or the read
       models are locked, the file to write exists, belongs to a log, or holds
       something else than what is copied
  6    the log is damaged; "grouplog verify" says where
  130  interrupted
  141  whoever reads the output has ended before its end, as "head" does

run and import go through a whole file. Of what befell its lines, the exit code is
the first of: the failure that stopped them (1, 5 or 6), interrupted (130), a malformed
line (2), a command ID that was used for another command (5), a refusal (3).`

func exitCodesTopic() *cobra.Command {
	return &cobra.Command{Use: "exit-codes", Short: "What the exit code of grouplog says", Long: exitCodesText}
}

// exitCode is the one place that knows which error is which exit code.
func (a *app) exitCode(err error) int {
	var (
		told    *toldError
		wrong   *usageError
		refusal *domain.Refusal
	)
	is := func(targets ...error) bool {
		for _, target := range targets {
			if errors.Is(err, target) {
				return true
			}
		}
		return false
	}
	switch {
	case errors.As(err, &told):
		return told.code
	case is(errUnread):
		return exitUnread
	case is(context.Canceled):
		return exitInterrupted
	case !a.started, errors.As(err, &wrong), is(commands.ErrMisuse, commands.ErrMalformed, past.ErrAhead, past.ErrOrder):
		return exitUsage
	case errors.As(err, &refusal), is(consumers.ErrNotFailed):
		return exitRefused
	case is(eventstore.ErrDamaged):
		return exitDamaged
	case is(commands.ErrIDReused, commands.ErrContended, eventstore.ErrConflict, eventstore.ErrBusy, projections.ErrBusy, fs.ErrExist, files.ErrBelongs,
		eventstore.ErrOtherLog, transfer.ErrDifferent), isSQLite(err, sqlite3.ErrBusy):
		return exitConflict
	case is(groupview.ErrNotFound, errNoLog, errUnknownUser, consumers.ErrUnknown, consumers.ErrNotHeld), missing(err):
		return exitNotFound
	default:
		return exitUnexpected
	}
}

// missing reports whether a file or its directory is not there. SQLite says the same of
// files that it could not make.
func missing(err error) bool {
	var path *fs.PathError
	return errors.As(err, &path) && errors.Is(path, fs.ErrNotExist)
}

// usageError is a command line that cannot be carried out as it is written.
type usageError struct{ error }

func usage(err error) error { return &usageError{err} }

func (e *usageError) Unwrap() error { return e.error }

// hintError is an error with what to do about it.
type hintError struct {
	error
	hint string
}

func hint(err error, text string) error { return &hintError{err, text} }

func (e *hintError) Unwrap() error { return e.error }

// wordsError is an error in the words of this program, where Go has others for it.
type wordsError struct {
	error
	words string
}

func (e *wordsError) Error() string { return e.words }

func (e *wordsError) Unwrap() error { return e.error }

// toldError ends the program with a code when everything has been said.
type toldError struct{ code int }

func (e *toldError) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// Errors of questions.
var (
	errNoLog       = errors.New("there is no log")
	errUnknownUser = errors.New("no event names this user")
)

// advice is what to do about errors that do not say it themselves.
var advice = []struct {
	target error
	text   string
}{
	{errNoLog, `name the log with --db or ` + envDB + `, or begin one: "grouplog do create-group --help"`},
	{eventstore.ErrNotALog, "name another file with --db; nothing in this one was touched"},
	{eventstore.ErrOtherLog, "begin the copy in a new file, or under a new name in the cluster; nothing was written"},
	{transfer.ErrDifferent, `"grouplog verify" says which of them is damaged; where neither is, one has gone another way, and a copy is begun in a new place`},
	{eventstore.ErrNewerSchema, "use the newer version of grouplog; nothing in the file was touched"},
	{eventstore.ErrBusy, "somebody else is writing; try again, or end the other program"},
	{eventstore.ErrReadOnly, "grouplog needs to write to the file and its directory, which also holds the read models"},
	{eventstore.ErrFull, "make room and try again; what was recorded is kept"},
	{eventstore.ErrUnknown, "try again with the same command ID (--id) to find out whether it was recorded"},
	{eventstore.ErrDamaged, `"grouplog verify" says where; restore a backup`},
	{commands.ErrIDReused, "use another --id"},
	{commands.ErrContended, "try again when the other programs are done"},
	{projections.ErrBusy, "nothing is wrong with the log; try again when the other program is done, or end it"},
	{projections.ErrNotViews, "that file would hold what is derived from the log; move it out of the way"},
	{projections.ErrOtherHistory, "a backup was put in the place of the log, or another program follows a copy of it: end the other programs, and do it again"},
	{sqlite.ErrMoved, "put the file back, or do it again with the one that is there now; never move a log while a program has it open"},
	{groupview.ErrNotFound, `"grouplog group ls --all" lists the groups`},
	{consumers.ErrUnknown, `"grouplog listener ls" lists the listeners`},
	{consumers.ErrNotConsumers, "that file would hold the progress of listeners; move it out of the way"},
	{audit.ErrOtherLog, "the file of refused attempts stands beside a log that is not theirs: put the right ones together"},
	{consumers.ErrOtherLog, "the listeners' file stands beside a log that is not theirs: put the right ones together"},
	{past.ErrAhead, `"grouplog log tail" shows how far the log has come`},
	{errUnknownUser, `"grouplog log ls" shows who there is`},
	{syscall.ENOSPC, "make room and do it again; what has been written is not whole"},
	{fs.ErrPermission, "have whoever owns the file and its directory allow it, or name another file"},
}

// wordsFor is an error as a person should read it, and what to do next.
func (a *app) wordsFor(err error) (text, next string) {
	var refusal *domain.Refusal
	if errors.As(err, &refusal) {
		return fmt.Sprintf("refused (%d %s): %s", int(refusal.Code), refusal.Code, refusal.Rule), refusal.Hint
	}
	var hinted *hintError
	if errors.As(err, &hinted) {
		return err.Error(), hinted.hint
	}
	for _, known := range advice {
		if errors.Is(err, known.target) {
			return err.Error(), known.text
		}
	}
	switch {
	case isSQLite(err, sqlite3.ErrFull):
		return err.Error(), "make room and try again; the log is not affected"
	case isSQLite(err, sqlite3.ErrBusy):
		return err.Error(), "another program has the file locked; try again, or end that one"
	case missing(err):
		return err.Error(), "check the path: a file that is read must be there, and the directory of one that is made"
	}
	return err.Error(), a.adviceOnFiles(err)
}

// adviceOnFiles is what to do about errors of the files beside a log.
func (a *app) adviceOnFiles(err error) string {
	switch {
	case errors.Is(err, projections.ErrOtherLog):
		return fmt.Sprintf("delete %s: it comes back from the log", a.derivedPath(err))
	case errors.Is(err, projections.ErrNewerFormat):
		return fmt.Sprintf("delete %s, which comes back from the log, or use the newer version of grouplog", a.derivedPath(err))
	case !isCorrupt(err):
		return ""
	case errors.Is(err, audit.ErrRefusals):
		return aboutRefusals(a.refusalsPath())
	default:
		return fmt.Sprintf("the log is not affected: \"grouplog rebuild\" makes %s anew", cmp.Or(a.derivedPath(err), "what is derived from it"))
	}
}

// aboutRefusals is what to do where the file of refused attempts is damaged.
func aboutRefusals(path string) string {
	return fmt.Sprintf("the log is not affected. %s holds the attempts that rules have refused, which nothing makes anew: "+
		"put an older copy in its place, or delete it, and the attempts in it are lost", path)
}

// aboutConsumers is what to do where the file of the listeners' progress is damaged.
func aboutConsumers(path string) string {
	return fmt.Sprintf("the log is not affected. %s holds how far listeners have come, which nothing makes anew: put an older copy in its place, "+
		"and what they have handled since comes again; or delete it, and each begins as a new one does, most from now on: "+
		"then \"grouplog listener reset\" has it go on from where you say", path)
}
