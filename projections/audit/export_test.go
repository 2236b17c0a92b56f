package audit

import (
	"context"
	"database/sql"
	"sync"
)

// Small makes short histories take every way that long ones take. Benchmarks do without.
var Small = sync.OnceFunc(func() { blockBits, few = 2, 5 })

// WordsOf is what is found of texts.
var WordsOf = wordsOf

// Like compares a name with a pattern.
var Like = like

// Flush has the attempts that were recorded written.
func (r *Refusals) Flush(ctx context.Context) error { return r.flush(ctx) }

// PageStatement is the statement for the positions of a query's first page; empty where
// nothing can match. Soon says that few events lie between its times.
func PageStatement(ctx context.Context, tx *sql.Tx, q *Query) (statement string, args []any, soon bool, err error) {
	s, err := q.compile(ctx, tx)
	if err != nil || s.nothing {
		return "", nil, false, err
	}
	t := s.page(q.Oldest, 10)
	return t.String(), t.args, s.soon, nil
}
