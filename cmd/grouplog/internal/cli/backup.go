package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/eventstore/transfer"
	"github.com/grouplog/grouplog/internal/files"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the log, while it is in use",
		Long: `Writes a copy of the log to a new file, while it is in use, and checks the copy. The
copy is a log: open it with --db, or move it in the place of one that was lost. The read
models are not copied: they come back from the log.

A file that is there stays; where there is only what SQLite keeps beside one, as FILE-wal, no
copy is made either: opened together, they would be another log.`,
		Example: "  grouplog backup groups-2026-01-02.db",
		Args:    exactly("FILE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			for _, path := range []string{args[0], args[0] + partial} {
				if err := a.spare(path); err != nil {
					return err
				}
			}
			if _, err := os.Stat(filepath.Dir(args[0])); err != nil { // SQLite would not say which
				return err
			}
			return a.withLog(ctx, func(log eventstore.Store) error {
				if err := backup(ctx, log, args[0]); err != nil {
					return err
				}
				if a.json {
					return a.writeJSON(map[string]any{"ok": true, "file": args[0], "logID": log.ID()})
				}
				_, err := fmt.Fprintf(a.out, "copied to %s, and checked\n", args[0])
				return err
			})
		}),
	}
}

// partial is what is added to the name of a copy that is not whole.
const partial = ".partial"

// backup writes a copy of a log to a file that is new. The log of a cluster is copied
// event by event, so that the copy is a log of its own, and no replica.
func backup(ctx context.Context, log eventstore.Store, path string) (err error) {
	if file, ok := log.(interface {
		Backup(context.Context, string) error
	}); ok {
		return file.Backup(ctx, path)
	}
	if err := files.Free(path); err != nil {
		return err
	}
	to, err := sqlite.Open(ctx, path+partial, &sqlite.Options{ID: log.ID()}) // one that was cut short is gone on with
	if err != nil {
		return err
	}
	_, err = transfer.Copy(ctx, log, to, nil)
	if err = errors.Join(err, to.Close()); err != nil {
		return err
	}
	if err := files.Free(path); err != nil { // it took a while
		return err
	}
	return os.Rename(path+partial, path)
}
