package consumers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/grouplog/grouplog/eventstore"
)

// DefaultLease is how long a consumer in cells may be silent before another takes over.
const DefaultLease = 10 * time.Second

// minLease keeps a lease from being over while it is renewed.
const minLease = 100 * time.Millisecond

// cellPrefix is what the names of the consumers' cells begin with.
const cellPrefix = "consumers/"

// CellOptions say how consumers are kept in cells. The zero value is good.
type CellOptions struct {
	// Lease is how long an active consumer may be silent before another one takes over,
	// which it renews three times as often: DefaultLease when 0. Registries may differ:
	// what holds is what the active consumer's says.
	Lease time.Duration
}

// Validate reports what is wrong with the options.
func (o CellOptions) Validate() error {
	if o.Lease != 0 && o.Lease < minLease {
		return fmt.Errorf("a lease of %v is too short: at least %v, or 0 for the default", o.Lease, minLease)
	}
	return nil
}

// OpenCells opens the consumers of a log that are kept in cells, for all machines that
// have the log open. The log must be the one that the cells are beside, and both must
// stay open until the Registry is closed. Nil options are good defaults.
func OpenCells(ctx context.Context, cells eventstore.Cells, log eventstore.Store, opts *CellOptions) (*Registry, error) {
	b := &cellBook{cells: cells, log: log.ID(), id: uuid.NewString(), lease: DefaultLease, local: locks{held: map[string]bool{}}}
	if opts != nil {
		if err := opts.Validate(); err != nil {
			return nil, fmt.Errorf("open consumers in cells: %w", err)
		}
		if opts.Lease != 0 {
			b.lease = opts.Lease
		}
	}
	if _, err := b.names(ctx); err != nil {
		return nil, fmt.Errorf("open consumers in cells: %w", err)
	}
	b.life, b.cancel = context.WithCancel(context.Background())
	return &Registry{log: log, book: b}, nil
}

// cellBook is the book in cells, one for each consumer.
type cellBook struct {
	cells eventstore.Cells
	log   string // its ID
	id    string // of this book, as a holder
	lease time.Duration
	local locks // what keeps a name to one consumer of this book

	life     context.Context // ends when the book is closed
	cancel   context.CancelFunc
	renewals sync.WaitGroup
}

func (b *cellBook) close() error {
	b.cancel()
	b.renewals.Wait()
	return nil
}

// read reads the page of a consumer; ErrUnknown if there is none of the name.
func (b *cellBook) read(ctx context.Context, name string) (page, uint64, error) {
	value, revision, err := b.cells.Cell(ctx, cellPrefix+name)
	switch {
	case err != nil:
		return page{}, 0, err
	case revision == 0:
		return page{}, 0, fmt.Errorf("%w: %q", ErrUnknown, name)
	}
	p, err := decode(value, b.log)
	if err != nil {
		err = fmt.Errorf("consumer %q: %w", name, err)
	}
	return p, revision, err
}

// write replaces the page that has a revision, by one of so many bytes at most.
func (b *cellBook) write(ctx context.Context, name string, p *page, revision uint64, most int) (next uint64, err error) {
	value, err := p.encode(most)
	if err != nil {
		return 0, err
	}
	return b.cells.SetCell(ctx, cellPrefix+name, value, revision)
}

func (b *cellBook) find(ctx context.Context, name string) (Progress, error) {
	p, _, err := b.read(ctx, name)
	return p.Progress, err
}

func (b *cellBook) names(ctx context.Context) ([]string, error) {
	names, err := b.cells.CellNames(ctx, cellPrefix)
	for i, name := range names {
		names[i] = strings.TrimPrefix(name, cellPrefix)
	}
	return names, err
}

func (b *cellBook) insert(ctx context.Context, name string, p *Progress) error {
	_, err := b.write(ctx, name, &page{Format: pageFormat, Log: b.log, Progress: *p}, 0, maxPage)
	if errors.Is(err, eventstore.ErrConflict) {
		return nil // somebody was faster
	}
	return err
}

// active goes by the clocks of this machine and the holder's: good enough to be looked
// at, and nothing is decided by it.
func (b *cellBook) active(ctx context.Context, name string) (bool, error) {
	p, _, err := b.read(ctx, name)
	return p.alive(), err
}

// maxTries is how often an edit is tried that fails and may be stored all the same.
const maxTries = 3

// edit changes a page, and finds out whether it has where it was not told: the page says
// who has edited it last.
func (b *cellBook) edit(ctx context.Context, name string, change func(*Progress) error) error {
	editor := uuid.NewString()
	doubtful := int64(0) // the number of this edit where it may be stored
	for tries := 1; ; {
		p, revision, err := b.read(ctx, name)
		switch {
		case err != nil && doubtful > 0:
			return fmt.Errorf("consumer %q: %w; look at it before you try again: %w", name, errDoubtful, err)
		case err != nil:
			return err
		case p.Editor == editor:
			return nil
		case doubtful > 0 && p.Edits > doubtful:
			return fmt.Errorf("consumer %q: %w; somebody has edited it meanwhile: look at it before you try again", name, errDoubtful)
		}
		if err := change(&p.Progress); err != nil {
			return err
		}
		p.Edits, p.Editor = p.Edits+1, editor
		_, err = b.write(ctx, name, &p, revision, maxPage)
		switch {
		case err == nil:
			return nil
		case errors.Is(err, eventstore.ErrConflict):
			continue
		case errors.Is(err, eventstore.ErrCellSize):
			return err
		case tries == maxTries || ctx.Err() != nil:
			return fmt.Errorf("consumer %q: %w; look at it before you try again: %w", name, errDoubtful, err)
		}
		doubtful = p.Edits
		tries++
	}
}

var errDoubtful = errors.New("the change may have been stored, or not")
