package groupview

import (
	"database/sql"
	"regexp"
	"testing"

	"github.com/stretchr/testify/require"
)

// BenchmarkOpenOf finds what is open of one user in a group that has had 300 000
// applications, 300 of them open; and lets SQLite choose how.
func BenchmarkOpenOf(b *testing.B) {
	const applications = `WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < 300000)
		INSERT INTO applications SELECT 1, x, 1, x, x, x % 1000 > 0, '', 0, 0, x, x, 0, 0, 0, 0, '' FROM n;
		INSERT INTO users SELECT n, 'u' || n, 0, 0, 0 FROM applications`
	db, err := sql.Open("sqlite3", ":memory:")
	require.NoError(b, err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.ExecContext(b.Context(), schema+applications)
	require.NoError(b, err)
	for name, query := range map[string]string{
		"named": selectOpenOf, "chosen": regexp.MustCompile(`INDEXED BY \w+|CROSS`).ReplaceAllString(selectOpenOf, ""),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var found int
				require.NoError(b, db.QueryRowContext(b.Context(), "SELECT count(*) FROM ("+query+")", 1, "u77000", 1, "u77000").Scan(&found))
				require.Equal(b, 1, found)
			}
		})
	}
}
