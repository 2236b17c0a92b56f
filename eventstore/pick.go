package eventstore

import (
	"context"
	"fmt"
)

// Picker is a Store that reads single records faster than ReadAll does.
type Picker interface {
	// Pick reads the records at positions, in the order given. A position that the log
	// does not have is an error.
	Pick(ctx context.Context, positions []Position) ([]Record, error)
}

// Pick reads the records at positions, in the order given, from any store.
func Pick(ctx context.Context, store Store, positions []Position) ([]Record, error) {
	if picker, ok := store.(Picker); ok {
		return picker.Pick(ctx, positions)
	}
	records := make([]Record, 0, len(positions))
	for _, p := range positions {
		record, err := pickOne(ctx, store, p)
		if err != nil {
			return nil, err
		}
		records = append(records, record)
	}
	return records, nil
}

func pickOne(ctx context.Context, store Store, p Position) (Record, error) {
	for record, err := range store.ReadAll(ctx, p-min(p, 1)) {
		if err != nil {
			return Record{}, err
		}
		if record.Position == p {
			return record, nil
		}
		break
	}
	return Record{}, NoRecord(p)
}

// NoRecord is the error of a position that the log does not have.
func NoRecord(p Position) error { return fmt.Errorf("the log has no record at position %d", p) }
