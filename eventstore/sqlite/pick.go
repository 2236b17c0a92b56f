package sqlite

import (
	"context"

	"github.com/grouplog/grouplog/eventstore"
)

var _ eventstore.Picker = (*DB)(nil)

const selectOne = selectRecord + `WHERE position = ? LIMIT +?`

// Pick reads the records at positions, in the order given, and checks their checksums.
func (db *DB) Pick(ctx context.Context, positions []eventstore.Position) ([]eventstore.Record, error) {
	records := make([]eventstore.Record, 0, len(positions))
	room := make([]eventstore.Record, 0, 1)
	one := order{query: selectOne}
	for _, p := range positions {
		found := db.readPage(ctx, one, uint64(p), room)
		if found.err != nil {
			return nil, found.err
		}
		if len(found.records) == 0 {
			return nil, db.readError(eventstore.NoRecord(p))
		}
		records = append(records, found.records[0])
	}
	return records, nil
}
