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
			version := versions()
			if a.json {
				return a.writeJSON(version)
			}
			_, err := fmt.Fprintln(a.out, versionLine(version))
			return err
		}),
	}
}

func versions() map[string]string {
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
	return version
}

func versionLine(version map[string]string) string {
	return fmt.Sprintf("grouplog %s, %s %s/%s, SQLite %s", version["version"], version["go"], runtime.GOOS, runtime.GOARCH, version["sqlite"])
}
