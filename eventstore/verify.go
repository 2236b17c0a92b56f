package eventstore

import (
	"context"
	"fmt"
	"iter"
	"strings"
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
//
// Records are read ahead, but check and progress are called in their order, from the
// calling goroutine.
func Verify(ctx context.Context, s Store, check func(Record) error, progress func(Position)) (Summary, error) {
	var (
		summary Summary
		order   = order{next: map[string]*Version{}, spare: make(chan []Record, batchesAhead+2)}
	)
	for batch := range ahead(order.batches(s.ReadAll(ctx, 0))) {
		for i := range batch.records {
			record := &batch.records[i]
			if check != nil {
				if err := check(*record); err != nil {
					return summary, &DamageError{Position: record.Position, Stream: record.Stream, Reason: err.Error()}
				}
			}
			summary.Records = record.Position
			if progress != nil {
				progress(record.Position)
			}
		}
		if batch.err != nil {
			return summary, batch.err
		}
		order.spare <- batch.records[:0] // which has room for all there are
	}
	summary.Streams = len(order.next)
	head, err := s.Head(ctx)
	if err == nil && head < summary.Records {
		err = &DamageError{Position: head + 1, Reason: "the log has become shorter while it was read"}
	}
	return summary, err
}

// batch is a run of records, and what came after them where that is an error.
type batch struct {
	records []Record
	err     error
}

// Records are handed from one goroutine to the next so many at a time, and so many times
// ahead.
const (
	batchSize    = 1024
	batchesAhead = 4
)

// order is what comes next in a log.
type order struct {
	last  Position
	next  map[string]*Version // by stream
	spare chan []Record       // batches that have been looked at
}

// batches yields records in order, up to the first that is not.
func (o *order) batches(records iter.Seq2[Record, error]) iter.Seq[batch] {
	return func(yield func(batch) bool) {
		run := o.empty()
		for record, err := range records {
			if err == nil {
				err = o.follow(&record)
			}
			if err != nil {
				yield(batch{run, err})
				return
			}
			if run = append(run, record); len(run) == batchSize {
				if !yield(batch{records: run}) {
					return
				}
				run = o.empty()
			}
		}
		yield(batch{records: run})
	}
}

// empty is room for a batch.
func (o *order) empty() []Record {
	select {
	case run := <-o.spare:
		return run
	default:
		return make([]Record, 0, batchSize)
	}
}

// follow checks that a record is the next one.
func (o *order) follow(record *Record) error {
	if o.last++; record.Position != o.last {
		return &DamageError{Position: o.last, Reason: fmt.Sprintf("the record is missing: position %d comes next", record.Position)}
	}
	next := o.next[record.Stream]
	if next == nil {
		next = new(Version)
		*next = 1
		o.next[strings.Clone(record.Stream)] = next // it may share its memory with all of the record
	}
	if record.Version != *next {
		return &DamageError{Position: record.Position, Stream: record.Stream,
			Reason: fmt.Sprintf("it has version %d, and the stream's next is %d", record.Version, *next)}
	}
	*next++
	return nil
}

// ahead runs a sequence in a goroutine of its own, a few batches ahead. The goroutine
// has ended when the returned sequence has.
func ahead(seq iter.Seq[batch]) iter.Seq[batch] {
	return func(yield func(batch) bool) {
		batches, stop := make(chan batch, batchesAhead), make(chan struct{})
		go func() {
			defer close(batches)
			for b := range seq {
				select {
				case batches <- b:
				case <-stop:
					return
				}
			}
		}()
		defer func() {
			close(stop)
			for range batches { // until the goroutine has closed it
			}
		}()
		for b := range batches {
			if !yield(b) {
				return
			}
		}
	}
}
