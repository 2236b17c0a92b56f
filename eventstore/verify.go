package eventstore

import (
	"context"
	"fmt"
)

// Summary says what a log holds.
type Summary struct {
	Records Position
	Streams int
}

// Verify reads the whole log and checks that every record is as it was written (the
// store compares checksums), that positions and the versions of every stream have
// no gap, and that check, where it is not nil, accepts every record. Its error is a
// *DamageError that names the first damage. It calls progress, where that is not
// nil, after every record. It keeps a few dozen bytes for each stream.
func Verify(ctx context.Context, s Store, check func(Record) error, progress func(Position)) (Summary, error) {
	var summary Summary
	versions := map[string]Version{}
	for record, err := range s.ReadAll(ctx, 0) {
		if err != nil {
			return summary, err
		}
		if record.Position != summary.Records+1 {
			return summary, &DamageError{Position: summary.Records + 1, Reason: fmt.Sprintf("the record is missing: position %d comes next", record.Position)}
		}
		if want := versions[record.Stream] + 1; record.Version != want {
			return summary, &DamageError{Position: record.Position, Stream: record.Stream,
				Reason: fmt.Sprintf("it has version %d, and the stream's next is %d", record.Version, want)}
		}
		if check != nil {
			if err := check(record); err != nil {
				return summary, &DamageError{Position: record.Position, Stream: record.Stream, Reason: err.Error()}
			}
		}
		versions[record.Stream] = record.Version
		summary.Records = record.Position
		if progress != nil {
			progress(record.Position)
		}
	}
	summary.Streams = len(versions)
	head, err := s.Head(ctx)
	if err == nil && head < summary.Records {
		err = &DamageError{Position: head + 1, Reason: "the log has become shorter while it was read"}
	}
	return summary, err
}
