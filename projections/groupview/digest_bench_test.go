package groupview_test

import (
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore/sqlite"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/groupview"
)

// BenchmarkDigest measures the digest of all rows, which a rebuild takes twice before the
// swap, and what one that is kept incrementally would add to every row that an event
// changes: the row is read by its key and hashed, before and after.
//
//	go test -short ./projections/groupview -run '^$' -bench Digest -benchtime 3x
func BenchmarkDigest(b *testing.B) {
	dir := b.TempDir()
	populate(b, filepath.Join(dir, "groups.db"), population())
	log, err := sqlite.Open(b.Context(), filepath.Join(dir, "groups.db"), nil)
	require.NoError(b, err)
	defer log.Close()
	views, err := projections.Open(b.Context(), filepath.Join(dir, "views.db"), log,
		&projections.Options{Projections: []projections.Projection{groupview.New()}, Manual: true})
	require.NoError(b, err)
	defer views.Close()
	began := time.Now()
	require.NoError(b, views.CatchUp(b.Context()))
	filling := time.Since(began)

	const changed = 20_000
	var whole, each time.Duration
	rows := 0
	for b.Loop() {
		began := time.Now()
		digest, err := views.Digest(b.Context())
		require.NoError(b, err)
		whole += time.Since(began)
		rows = 0
		for _, table := range digest.Tables {
			var n int
			_, err := fmt.Sscanf(strings.SplitN(table, ":", 2)[0], "%d", &n)
			require.NoError(b, err)
			rows += n
		}
		began = time.Now()
		hashRows(b, views, changed)
		each += time.Since(began)
	}
	b.ReportMetric(whole.Seconds()/float64(b.N)/float64(rows)*1e6, "s/million-rows")
	b.ReportMetric(float64(rows)/float64(population()), "rows/event")
	b.ReportMetric(float64(each.Microseconds())/float64(b.N)/changed, "µs/row-changed")
	b.ReportMetric(float64(filling.Microseconds())/float64(population()), "µs/event-filled")
}

// hashRows reads members by their keys, each twice, and hashes them.
func hashRows(b *testing.B, views *projections.Views, times int) {
	random := rand.New(rand.NewPCG(3, 4))
	require.NoError(b, views.Read(b.Context(), func(tx *sql.Tx) error {
		var most int
		if err := tx.QueryRow("SELECT max(gid) FROM members").Scan(&most); err != nil {
			return err
		}
		statement, err := tx.Prepare("SELECT * FROM members WHERE gid = ? AND seq = ?")
		if err != nil {
			return err
		}
		defer statement.Close()
		for range times {
			gid, seq := 1+random.IntN(most), 1+random.IntN(40)
			for range 2 {
				if err := hashRow(statement, gid, seq); err != nil {
					return err
				}
			}
		}
		return nil
	}))
}

func hashRow(statement *sql.Stmt, key ...any) error {
	rows, err := statement.Query(key...)
	if err != nil {
		return err
	}
	defer rows.Close()
	columns, err := rows.Columns()
	if err != nil {
		return err
	}
	values, into := make([]any, len(columns)), make([]any, len(columns))
	for i := range values {
		into[i] = &values[i]
	}
	var total uint64
	for rows.Next() {
		if err := rows.Scan(into...); err != nil {
			return err
		}
		hash := sha256.Sum256(fmt.Append(nil, values...))
		total += binary.BigEndian.Uint64(hash[:])
	}
	return rows.Err()
}
