package cli

import (
	"context"
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/mattn/go-sqlite3"
	"github.com/spf13/cobra"
)

func (a *app) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "version",
		Short: "Say which version this is",
		Args:  exactly(),
		RunE: a.run(func(context.Context, []string) error {
			sqlite, _, _ := sqlite3.Version()
			version := map[string]string{"version": "(devel)", "go": runtime.Version(), "sqlite": sqlite}
			if info, ok := debug.ReadBuildInfo(); ok {
				if info.Main.Version != "" {
					version["version"] = info.Main.Version
				}
				for _, setting := range info.Settings {
					if setting.Key == "vcs.revision" {
						version["revision"] = setting.Value
					}
				}
			}
			if a.json {
				return a.writeJSON(version)
			}
			_, err := fmt.Fprintf(a.out, "grouplog %s, %s %s/%s, SQLite %s\n",
				version["version"], version["go"], runtime.GOOS, runtime.GOARCH, version["sqlite"])
			return err
		}),
	}
}
