package groupview_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

func cpuOf() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func TestTmpRebuild(b *testing.T) {
	dir := os.Getenv("PERF_LOG")
	if dir == "" {
		b.Skip()
	}
	events, _ := strconv.Atoi(os.Getenv("PERF_EVENTS"))
	path := filepath.Join(dir, fmt.Sprint("groups-", events, ".db"))
	if _, err := os.Stat(path); err != nil {
		populate(b, path, events)
	}
	log, err := sqlite.Open(b.Context(), path, nil)
	require.NoError(b, err)
	defer log.Close()
	db, err := sql.Open("sqlite3", "file:"+path+"?mode=ro")
	require.NoError(b, err)
	defer db.Close()
	vp := filepath.Join(b.TempDir(), "views.db")
	views, err := projections.Open(b.Context(), vp, log,
		&projections.Options{Projections: []projections.Projection{groupview.New()}, Manual: true})
	require.NoError(b, err)
	defer views.Close()
	turns := []struct {
		name string
		run  func()
	}{
		{"scan", func() { scan2(b, db) }},
		{"read", func() { read2(b, log, func(eventstore.Record) error { return nil }) }},
		{"decode", func() { read2(b, log, decode) }},
		{"rebuild", func() { require.NoError(b, views.Rebuild(b.Context(), nil)) }},
	}
	only := os.Getenv("PERF_TURNS")
	n, _ := strconv.Atoi(os.Getenv("PERF_N"))
	require.NoError(b, views.Rebuild(b.Context(), nil))
	for range n {
		for _, turn := range turns {
			if only != "" && !strings.Contains(only, turn.name) {
				continue
			}
			runtime.GC()
			var m0, m1 runtime.MemStats
			runtime.ReadMemStats(&m0)
			began, cpu := time.Now(), cpuOf()
			turn.run()
			wall := time.Since(began)
			cpu = cpuOf() - cpu
			runtime.ReadMemStats(&m1)
			fmt.Printf("%s %s wall %.2f cpu %.2f us/event  allocs %.2f bytes %.0f per event gcs %d\n", os.Getenv("PERF_TAG"), turn.name, float64(wall.Nanoseconds())/1e3/float64(events), float64(cpu.Nanoseconds())/1e3/float64(events),
				float64(m1.Mallocs-m0.Mallocs)/float64(events), float64(m1.TotalAlloc-m0.TotalAlloc)/float64(events), m1.NumGC-m0.NumGC)
		}
	}
	d, err := views.Digest(b.Context())
	require.NoError(b, err)
	fmt.Println("digest", d)
}
func scan2(b testing.TB, db *sql.DB) {
	rows, err := db.Query("SELECT position, stream, version, type, schema, actor, app_admin, time, command_id, data FROM events ORDER BY position")
	require.NoError(b, err)
	defer rows.Close()
	for rows.Next() {
		var position, version, schema, at int64
		var stream, kind, actor, command string
		var admin bool
		var data []byte
		if err := rows.Scan(&position, &stream, &version, &kind, &schema, &actor, &admin, &at, &command, &data); err != nil {
			b.Fatal(err)
		}
	}
	require.NoError(b, rows.Err())
}
func read2(b testing.TB, log eventstore.Store, with func(eventstore.Record) error) {
	for r, err := range log.ReadAll(context.Background(), 0) {
		if err == nil {
			err = with(r)
		}
		if err != nil {
			b.Fatal(err)
		}
	}
}
