package grouplog_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/internal/files"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/notify"
)

// TestFilesThatWouldBeTwo: no file is written to for two purposes, and all that would be are
// told at once.
func TestFilesThatWouldBeTwo(t *testing.T) {
	own := []projections.Projection{joins{name: "joins"}}
	for name, test := range map[string]struct {
		options  grouplog.Options
		mistakes []string
	}{
		"the log": {grouplog.Options{ViewsPath: "groups.db"}, []string{"ViewsPath is groups.db, which is the log: give each a file of its own"}},
		"all of them": {
			grouplog.Options{ViewsPath: "groups.db", AuditPath: "groups.db", RefusalsPath: "groups.db", ConsumersPath: "groups.db", Poll: -1},
			[]string{"ViewsPath", "AuditPath", "RefusalsPath", "ConsumersPath", "Poll is negative"},
		},
		"each other":          {grouplog.Options{ViewsPath: "x.db", RefusalsPath: "./x.db"}, []string{"RefusalsPath is ./x.db, which is the read models (ViewsPath)"}},
		"a default":           {grouplog.Options{RefusalsPath: "groups.consumers.db"}, []string{"ConsumersPath is groups.consumers.db, which is the refused attempts"}},
		"the -wal of the log": {grouplog.Options{AuditPath: "groups.db-wal"}, []string{"AuditPath is groups.db-wal, which is the -wal of the log"}},
		"a rebuild":           {grouplog.Options{ConsumersPath: "groups.views.db.rebuild"}, []string{"which is the .rebuild of the read models"}},
		"a projection's":      {grouplog.Options{Projections: own, AuditPath: "groups.own.joins.db"}, []string{"the file of Projections[0] is groups.own.joins.db, which is the index of the audit"}},
		"a projection's beside the read models": {
			grouplog.Options{Projections: own, ViewsPath: "rows.db", RefusalsPath: "rows.own.joins.db-wal"}, []string{"RefusalsPath is rows.own.joins.db-wal, which is the -wal of that of the projection joins"},
		},
		"a link":              {grouplog.Options{ViewsPath: "link.db"}, []string{"ViewsPath is link.db, which is the log"}},
		"its own locks":       {grouplog.Options{ConsumersPath: "x.locks"}, []string{"the folder beside ConsumersPath is x.locks, which is the progress of listeners"}},
		"its own":             {grouplog.Options{ViewsPath: "a.db", AuditPath: "b.db", RefusalsPath: "c.db", ConsumersPath: "d.db", Projections: own}, nil},
		"in memory":           {grouplog.Options{ViewsPath: grouplog.Memory, AuditPath: grouplog.Memory, RefusalsPath: grouplog.Memory, ConsumersPath: grouplog.Memory}, nil},
		"what there is not":   {grouplog.Options{NoRefusals: true, RefusalsPath: "groups.db"}, nil},
		"a log in memory":     {grouplog.Options{Store: memory.New(), ViewsPath: "groups.db"}, nil},
		"a log that is given": {grouplog.Options{Store: storeAt{memory.New(), "other.db"}, ViewsPath: "other.db-shm"}, []string{"ViewsPath is other.db-shm, which is the -shm of the log"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			require.NoError(t, os.Symlink("groups.db", "link.db"))
			engine, err := grouplog.Open(t.Context(), "groups.db", &test.options)
			if test.mistakes == nil {
				require.NoError(t, err)
				require.NoError(t, engine.Close())
				return
			}
			for _, mistake := range test.mistakes {
				require.ErrorContains(t, err, mistake)
			}
			require.NoFileExists(t, "groups.db", "nothing is made of mistaken options")
		})
	}
	require.ErrorContains(t, (&grouplog.Options{ViewsPath: "x", AuditPath: "x"}).Validate(), "AuditPath is x")
}

// storeAt is a log that says which file it is in.
type storeAt struct {
	*memory.Store
	path string
}

func (s storeAt) Path() string { return s.path }

// TestEveryFileOfAnEngineIsSpared: whatever an engine makes, nothing else is written there.
func TestEveryFileOfAnEngineIsSpared(t *testing.T) {
	path := filepath.Join(t.TempDir(), "groups.db")
	engine := openFile(t, path, &grouplog.Options{Projections: []projections.Projection{joins{name: "joins"}}})
	meeting(t, engine, "chess")
	require.ErrorIs(t, second(engine.As("alice").JoinGroup(t.Context(), "chess", "")), domain.ErrAlreadyMember)
	require.NoError(t, second(engine.AuditPage(t.Context(), audit.Query{})))
	_, err := engine.Listen(t.Context(), "mailer", func(context.Context, notify.Delivery) error { return nil })
	require.NoError(t, err)

	found := 0
	require.NoError(t, filepath.WalkDir(filepath.Dir(path), func(at string, _ fs.DirEntry, err error) error {
		if at != filepath.Dir(path) {
			found++
			require.Error(t, files.Spare(path, at), at)
		}
		return err
	}))
	require.Greater(t, found, 15)
	require.NoError(t, engine.Log().(*sqlite.DB).Backup(t.Context(), filepath.Join(filepath.Dir(path), "copy.db")))
}
