package cli

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/eventstore/sqlite"
)

func (a *app) backupCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the log, while it is in use",
		Long: `Writes a copy of the log to a new file, while it is in use, and checks the copy. The
copy is a log: open it with --db, or move it in the place of one that was lost. The read
models are not copied: they come back from the log.`,
		Example: "  grouplog backup groups-2026-01-02.db",
		Args:    exactly("FILE"),
		RunE: a.run(func(ctx context.Context, args []string) error {
			if _, err := os.Stat(filepath.Dir(args[0])); err != nil { // SQLite would not say which
				return err
			}
			return a.withLog(ctx, func(log *sqlite.DB) error {
				if err := log.Backup(ctx, args[0]); err != nil {
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
