package groupview

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"testing"
	"time"
)

func TestTmpStatements(t *testing.T) {
	p := os.Getenv("PERF_VIEWS")
	if p == "" {
		t.Skip()
	}
	db, err := sql.Open("sqlite3", "file:"+p+"?_busy_timeout=5000&_txlock=deferred&_stmt_cache_size=64")
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	bg := context.Background()
	conn, _ := db.Conn(bg)
	conn.ExecContext(bg, "PRAGMA query_only = 1; PRAGMA cache_size = -8000;")
	defer conn.Close()
	whose := ofApprover
	head := `WITH RECURSIVE queue (gid, open, position) AS (
		SELECT g.gid, 1, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.pending > 0 AND ?4 <> 2
		UNION ALL
		SELECT g.gid, 0, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.submitted > g.pending AND ?4 <> 1
		UNION ALL `
	_ = head
	v2 := `WITH RECURSIVE queue (gid, open, n, position) AS (
		SELECT g.gid, 1, 0, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.pending > 0 AND ?4 <> 2
		UNION ALL
		SELECT g.gid, 0, 0, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.submitted > g.pending AND ?4 <> 1
		UNION ALL
		SELECT q.gid, q.open, 1, iif(q.open,
			(SELECT position FROM applications WHERE gid = q.gid AND state = 0 AND position < q.position ORDER BY position DESC LIMIT 1),
			(SELECT position FROM applications WHERE gid = q.gid AND state > 0 AND position < q.position ORDER BY position DESC LIMIT 1)) FROM queue q WHERE q.position IS NOT NULL
		ORDER BY 4 DESC
	)
	` + selectApplication + `FROM queue q CROSS JOIN groups g ON g.gid = q.gid CROSS JOIN applications a ON a.gid = q.gid AND a.n = iif(q.open,
	(SELECT n FROM applications WHERE gid = q.gid AND state = 0 AND position = +q.position LIMIT 1),
	(SELECT n FROM applications WHERE gid = q.gid AND state > 0 AND position = +q.position LIMIT 1))
		CROSS JOIN users f ON f.uid = a.from_uid WHERE q.n > 0 LIMIT +?3`
	v4 := `WITH RECURSIVE queue (gid, open, n, position) AS (
		SELECT g.gid, 1, 0, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.pending > 0 AND ?4 <> 2
		UNION ALL
		SELECT g.gid, 0, 0, min(g.asked_position + 1, ?2) FROM ` + whose + ` AND g.submitted > g.pending AND ?4 <> 1
		UNION ALL
		SELECT q.gid, q.open, a.n, a.position FROM queue q CROSS JOIN applications a ON a.gid = q.gid AND a.n = iif(q.open,
			(SELECT n FROM applications WHERE gid = q.gid AND state = 0 AND position < q.position ORDER BY position DESC LIMIT 1),
			(SELECT n FROM applications WHERE gid = q.gid AND state > 0 AND position < q.position ORDER BY position DESC LIMIT 1))
		ORDER BY 4 DESC
	)
	SELECT q.gid, q.n, q.position FROM queue q WHERE q.n > 0 LIMIT +?3`
	v5 := `WITH mine (gid) AS (SELECT g.gid FROM ` + whose + ` AND g.pending > 0 AND ?4 <> 2), queue (gid, n, position) AS MATERIALIZED (
	   SELECT m.gid, a.n, a.position FROM mine m CROSS JOIN applications a ON a.gid = m.gid AND a.state = 0 AND a.position < ?2 ORDER BY a.position DESC LIMIT +?3 )
	SELECT count(*) FROM queue q`
	_ = v5
	random := rand.New(rand.NewPCG(1, 1))
	run := func(q, who string, pos int64) int {
		n := 0
		conn.Raw(func(c any) error {
			rows, err := c.(driver.QueryerContext).QueryContext(bg, q, []driver.NamedValue{{Ordinal: 1, Value: who}, {Ordinal: 2, Value: pos}, {Ordinal: 3, Value: int64(51)}, {Ordinal: 4, Value: int64(1)}, {Ordinal: 5, Value: ""}})
			if err != nil {
				t.Fatal(err)
			}
			dest := make([]driver.Value, len(rows.Columns()))
			for rows.Next(dest) == nil {
				n++
			}
			return rows.Close()
		})
		return n
	}
	list := []struct{ name, q string }{{"now", selectOfApprover}, {"v2", v2}, {"queue only", v4}}
	for _, who := range []string{"few-approver", "many-approver"} {
		var lo, hi int64
		db.QueryRow(`SELECT min(position), max(position) FROM applications a WHERE gid IN (SELECT gid FROM members m JOIN users u ON u.uid = m.uid WHERE u.id = ?)`, who).Scan(&lo, &hi)
		times := make([][]time.Duration, len(list))
		cpus := make([]time.Duration, len(list))
		const n = 2000
		for r := 0; r < 10; r++ {
			for i, v := range list {
				for range 20 {
					run("SELECT count(*) FROM ("+v.q+")", who, lo+60+random.Int64N(hi-lo-60))
				}
				cpu := cpuNow()
				for range n / 10 {
					pos := lo + 60 + random.Int64N(hi-lo-60)
					b := time.Now()
					run("SELECT count(*) FROM ("+v.q+")", who, pos)
					times[i] = append(times[i], time.Since(b))
				}
				cpus[i] += cpuNow() - cpu
			}
		}
		for i, v := range list {
			slices.Sort(times[i])
			fmt.Printf("%-14s %-10s p50 %7.1f p99 %7.1f us cpu %7.1f rows %d\n", who, v.name, float64(times[i][n/2].Nanoseconds())/1e3, float64(times[i][n*99/100].Nanoseconds())/1e3, float64(cpus[i].Nanoseconds())/1e3/n, run(v.q, who, hi))
		}
	}
}
