package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/jetstream"
	"github.com/grouplog/grouplog/eventstore/sqlite"
)

// Where the log is, when nobody says, and where the environment says it.
const (
	defaultDB = "groups.db"
	envDB     = "GROUPLOG_DB"
	envStore  = "GROUPLOG_STORE"
)

// locate says where the log is. What is typed counts before the environment: with --db
// alone, the log is that file.
func (a *app) locate(cmd *cobra.Command) {
	typed := cmd.Flags().Changed
	path, address := os.Getenv(envDB), os.Getenv(envStore)
	if !typed("store") && !typed("db") {
		a.store = address
	}
	switch {
	case typed("db"):
	case path != "":
		a.db = path
	case a.store != "":
		a.db = replicaOf(a.store)
	}
}

// replicaOf is the file for the replica of a log in a cluster: named after the log, in
// the working directory.
func replicaOf(address string) string {
	name, err := jetstream.NameOf(address)
	if err != nil {
		name = jetstream.DefaultName // opening it will say what is wrong
	}
	return name + ".db"
}

// openLog opens the log that the flags name.
func (a *app) openLog(ctx context.Context, options *sqlite.Options) (eventstore.Store, error) {
	if a.store != "" && !jetstream.IsAddress(a.store) {
		return nil, usage(fmt.Errorf("--store %s is no address of a log in a cluster, as nats://HOST:4222/NAME?sync=always is; for a file there is --db", a.store))
	}
	if _, err := jetstream.NameOf(a.store); a.store != "" && err != nil {
		return nil, usage(err)
	}
	if a.db == "" || a.db == ":memory:" {
		return nil, usage(fmt.Errorf("--db %q names no file", a.db))
	}
	return a.openAt(ctx, a.store, a.db, options)
}

// openAt opens the log at an address, with the replica at a path, or where there is no
// address the one at the path. Of the options, all but those of SQLite itself count for
// both.
func (a *app) openAt(ctx context.Context, address, path string, options *sqlite.Options) (eventstore.Store, error) {
	if address == "" {
		log, err := sqlite.Open(ctx, path, options)
		if err != nil {
			if options.MustExist || options.ReadOnly {
				err = noLog(path, err)
			}
			return nil, err
		}
		return log, nil
	}
	log, err := jetstream.Open(ctx, address, path, &jetstream.Options{
		MustExist: options.MustExist || options.ReadOnly, ID: options.ID, NATS: credentials(),
		Logger: newLogger(a.talk),
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w in the cluster: %w", errNoLog, err)
	}
	if err != nil {
		return nil, err
	}
	return log, nil
}

// noLog says that there is no log where one should be.
func noLog(path string, err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		if _, missing := os.Stat(path); errors.Is(missing, fs.ErrNotExist) {
			return fmt.Errorf("%w at %s", errNoLog, path)
		}
	}
	return err
}

// credentials are what the environment says of how to come into a cluster, by the names
// that the nats program has for them.
func credentials() (options []nats.Option) {
	if file := os.Getenv("NATS_CREDS"); file != "" {
		options = append(options, nats.UserCredentials(file))
	}
	if file := os.Getenv("NATS_CA"); file != "" {
		options = append(options, nats.RootCAs(file))
	}
	if cert, key := os.Getenv("NATS_CERT"), os.Getenv("NATS_KEY"); cert != "" && key != "" {
		options = append(options, nats.ClientCert(cert, key))
	}
	return options
}

func (a *app) storeCommand() *cobra.Command {
	c := parent(&cobra.Command{Use: "store", Short: "Where the log is kept: copy it, archive it, look at it",
		Long: `A log is kept in a file, or in a cluster of NATS JetStream servers, which has an address:

  nats://n1.example:4222,n2.example:4222,n3.example:4222/chess?sync=always

The name at its end may be left out (grouplog). sync=always says that the servers write to
their disks before they acknowledge (sync_interval: always), sync=lazy that they do not, and
that this will do. Credentials come from the address (nats://USER:PASSWORD@…) or from the
files that NATS_CREDS, NATS_CA, NATS_CERT and NATS_KEY name.

Every command takes such an address as --store, or from ` + envStore + `. It keeps a replica of the
log in a file of this machine, which --db names (NAME.db where it is not given), with the
read models beside it. A replica serves one process at a time, and can be deleted.`})
	c.AddCommand(a.storeCopyCommand(), a.storeArchiveCommand(), a.storeInfoCommand())
	return c
}
