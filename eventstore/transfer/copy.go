package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"hash"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// DefaultMaxBatch is how many records are written at once where nobody says.
const DefaultMaxBatch = 4096

// Options say how to copy. The zero value is good, and so is nil. What they call, they
// call from the goroutine that copies.
type Options struct {
	// Progress is called now and then with how far it is.
	Progress func(Progress)

	// CaughtUp is called by Follow each time that the target has what the source has,
	// compared. The digest is there where the outcomes were compared too.
	CaughtUp func(Report)

	// Trouble is called by Follow with an error that may pass, before it tries again after
	// a while.
	Trouble func(err error, again time.Duration)

	// MaxBatch is about how many records are written at once; DefaultMaxBatch when zero. A
	// commit is not cut.
	MaxBatch int

	// Poll is how often Follow looks for what other processes have appended to the source;
	// eventstore.DefaultPoll where it is not positive.
	Poll time.Duration
}

// Progress is how far a copy is: that many records of so many are copied, or compared.
type Progress struct {
	Comparing   bool
	Done, Total eventstore.Position
}

// Report says what a copy has come to.
type Report struct {
	LogID    string
	Copied   eventstore.Position // records that were written by this call
	Records  eventstore.Position // the same in both logs, up to this position
	Outcomes int                 // the same in both logs

	// Digest is SHA-256, in hexadecimal digits, of the fingerprints of all these records
	// and of their outcomes. Empty where not everything was compared.
	Digest string
}

// Copy writes to a log what it lacks of another, up to the head of that as of now, and
// compares the two. See the package documentation for what a copy is, and what is asked of
// the stores; both stay open.
//
// It goes through the records of the source once to copy and once to compare, in memory
// that does not depend on their number, and writes in large batches. What a call has
// written stays, whatever the error: the next one goes on there. Errors wrap
// eventstore.ErrOtherLog where the target is another log, ErrDifferent where it holds what
// the source does not, and those of the stores.
func Copy(ctx context.Context, from, to eventstore.Store, opts *Options) (Report, error) {
	c, err := newCopier(ctx, from, to, opts)
	if err == nil {
		err = c.all(ctx)
	}
	return c.report, c.about(err)
}

// copier is a copy under way.
type copier struct {
	from, to eventstore.Store
	options  Options
	report   Report
	records  hash.Hash // over the fingerprints of the records up to report.Records
	due      time.Time // when Follow goes through the outcomes next
}

// newCopier refuses a target that is no beginning of the source.
func newCopier(ctx context.Context, from, to eventstore.Store, opts *Options) (*copier, error) {
	c := &copier{from: from, to: to, report: Report{LogID: from.ID()}, records: sha256.New()}
	if opts != nil {
		c.options = *opts
	}
	if c.options.MaxBatch <= 0 {
		c.options.MaxBatch = DefaultMaxBatch
	}
	if from.ID() != to.ID() {
		return c, fmt.Errorf("%w: the target is log %s", eventstore.ErrOtherLog, to.ID())
	}
	had, _, err := c.heads(ctx)
	if err == nil && had > 0 {
		err = c.samePosition(ctx, had)
	}
	if err == nil {
		err = c.sameOutcomes(ctx, had)
	}
	return c, err
}

// heads are the last positions of the target and of the source.
func (c *copier) heads(ctx context.Context) (had, head eventstore.Position, err error) {
	if had, err = c.to.Head(ctx); err != nil {
		return 0, 0, fmt.Errorf("target: %w", err)
	}
	if head, err = c.from.Head(ctx); err != nil {
		return 0, 0, err
	}
	if had > head {
		return 0, 0, c.surplus(ctx, head+1)
	}
	return had, head, nil
}

// all copies and compares everything up to the head of the source.
func (c *copier) all(ctx context.Context) error {
	head, err := c.allRecords(ctx)
	if err != nil {
		return err
	}
	return c.allOutcomes(ctx, head)
}

// allRecords copies and compares the records, and returns the head of the source.
func (c *copier) allRecords(ctx context.Context) (head eventstore.Position, err error) {
	if head, err = c.copyRecords(ctx); err == nil {
		err = c.compareRecords(ctx, head)
	}
	return head, err
}

// allOutcomes copies and compares the outcomes, once that is done with the records up to
// the head.
func (c *copier) allOutcomes(ctx context.Context, head eventstore.Position) error {
	found, err := c.copyOutcomes(ctx, head)
	if err != nil {
		return err
	}
	return c.compareOutcomes(ctx, head, found)
}

// maxBatchBytes bounds what the records that are written at once hold.
const maxBatchBytes = 4 << 20

// copyRecords writes the records that the target lacks, with the outcomes of their
// commands, and returns the head of the source.
func (c *copier) copyRecords(ctx context.Context) (head eventstore.Position, err error) {
	had, head, err := c.heads(ctx)
	if err != nil || had == head {
		return head, err
	}
	b := batch{copier: c, next: had + 1}
	for commit, err := range c.commits(ctx, had, head) {
		if err == nil {
			err = b.add(ctx, commit)
		}
		if err != nil {
			return head, err
		}
		if len(b.commits) == 0 {
			c.progress(Progress{Done: b.next - 1, Total: head})
		}
	}
	return head, b.flush(ctx)
}

// copyOutcomes writes the outcomes without events that the target lacks, and returns how
// many there are. Those of commands with events came with them.
func (c *copier) copyOutcomes(ctx context.Context, head eventstore.Position) (found int, err error) {
	b := batch{copier: c, next: head + 1}
	err = c.outcomes(ctx, func(from, to *eventstore.Outcome) error {
		if from == nil || from.First > 0 {
			return nil // what is wrong is found by comparing
		}
		if found++; to != nil {
			return nil
		}
		// The stream of a command that did nothing is told nowhere, and means nothing.
		return b.add(ctx, eventstore.Commit{Stream: outcomesStream, Outcome: from})
	})
	if err != nil {
		return found, err
	}
	return found, b.flush(ctx)
}

// outcomesStream is the stream to which outcomes without events are appended. It stays
// empty.
const outcomesStream = "outcomes"

// batch gathers commits and writes many at once.
type batch struct {
	*copier
	next    eventstore.Position // of the first record that is to be written
	commits []eventstore.Commit
	records int
	size    int
}

// add takes a commit for the batch, and writes the batch where it is full.
func (b *batch) add(ctx context.Context, commit eventstore.Commit) error {
	b.commits = append(b.commits, commit)
	b.records += max(1, len(commit.Events))
	for i := range commit.Events {
		b.size += len(commit.Events[i].Data)
	}
	if commit.Outcome != nil {
		b.size += len(commit.Outcome.Answer)
	}
	if b.records < b.options.MaxBatch && b.size < maxBatchBytes {
		return nil
	}
	return b.flush(ctx)
}

// flush writes the commits of the batch, and sees to it that they stand where they should.
func (b *batch) flush(ctx context.Context) error {
	if len(b.commits) == 0 {
		return nil
	}
	results, err := eventstore.Import(ctx, b.to, b.commits...)
	if errors.Is(err, eventstore.ErrConflict) {
		return fmt.Errorf("%w: target: %w", ErrDifferent, err)
	}
	if err != nil {
		return fmt.Errorf("target: %w", err)
	}
	for i, result := range results {
		if err := result.Err; err != nil && !errors.Is(err, eventstore.ErrConflict) && !errors.Is(err, eventstore.ErrDuplicate) {
			return fmt.Errorf("target: %w", err)
		}
		if result.Err == nil && result.Last > 0 && result.First != b.next {
			result.Err = fmt.Errorf("the records that belong at position %d came to stand at %d", b.next, result.First)
		}
		if result.Err != nil {
			return fmt.Errorf("%w: somebody else appends to the target, which does not take what follows position %d: %w", ErrDifferent, b.next-1, result.Err)
		}
		n := eventstore.Position(len(b.commits[i].Events))
		b.next += n
		b.report.Copied += n
	}
	clear(b.commits)
	b.commits, b.records, b.size = b.commits[:0], 0, 0
	return nil
}

func (c *copier) progress(p Progress) {
	if c.options.Progress != nil {
		c.options.Progress(p)
	}
}

// digest is the one of the report, given that of the outcomes.
func (c *copier) digest(outcomes hash.Hash) string {
	all := sha256.New()
	all.Write(c.records.Sum(nil))
	all.Write(outcomes.Sum(nil))
	return hex.EncodeToString(all.Sum(nil))
}

// about says which log an error is about.
func (c *copier) about(err error) error {
	if err != nil {
		err = fmt.Errorf("copy log %s: %w", c.from.ID(), err)
	}
	return err
}
