package consumers

import (
	"context"
	"errors"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Leases only say when another consumer may try to take over, and are watched on clocks
// of one machine each. What keeps two from writing is the page: it has the number of the
// tenure and the progress, and is replaced only by who has seen it as it is. So when a
// tenure begins, none before it stores anything any more, however late its writes come,
// and what the new one has read is all that was ever stored.

// watches is how often in a lease to look whether it is renewed, and renewals how often
// to renew it.
const (
	watches  = 10
	renewals = 3
)

// take waits until the name's lease is given back or over, and begins a tenure.
func (b *cellBook) take(ctx context.Context, name string) (tenure, Progress, error) {
	unlock, err := b.local.wait(ctx, name)
	if err != nil {
		return nil, Progress{}, err
	}
	t := &cellTenure{book: b, name: name, unlock: unlock, turn: make(chan struct{}, 1), renewed: make(chan struct{})}
	if err := t.begin(ctx); err != nil {
		return nil, Progress{}, errors.Join(err, unlock())
	}
	progress := t.page.Progress.clone() // before somebody else uses it
	ctx, t.stop = context.WithCancel(b.life)
	b.renewals.Go(func() {
		defer close(t.renewed)
		t.renew(ctx)
	})
	return t, progress, nil
}

// cellTenure is a lease that is renewed until it ends or is lost.
type cellTenure struct {
	book    *cellBook
	name    string
	number  int64
	edits   int64 // when the progress was loaded
	unlock  func() error
	stop    context.CancelFunc
	renewed chan struct{} // closed when it is not renewed any more

	turn     chan struct{} // has an element while somebody uses what follows
	page     page          // as it was stored last
	revision uint64        // of the page; 0: it is to be read again
}

// begin waits until nobody else holds the name. It holds it with the write that raises the number.
func (t *cellTenure) begin(ctx context.Context) error {
	tick := time.NewTicker(min(t.book.lease/watches, time.Second))
	defer tick.Stop()
	var (
		seen  uint64
		since time.Time // when it was seen first
	)
	for {
		asked := time.Now()
		p, revision, err := t.book.read(ctx, t.name)
		if err != nil {
			return err
		}
		if revision != seen {
			seen, since = revision, time.Now()
		}
		if p.Holder == "" || p.Holder == t.book.id || asked.Sub(since) >= p.Lease {
			p.Tenure++
			p.hold(t.book)
			next, err := t.book.write(ctx, t.name, &p, revision, eventstore.MaxCell)
			if err == nil {
				t.page, t.revision, t.number, t.edits = p, next, p.Tenure, p.Edits
				return nil
			}
			if !errors.Is(err, eventstore.ErrConflict) {
				return err
			}
			continue
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
	}
}

// hold says who is at work, now.
func (p *page) hold(b *cellBook) { p.Holder, p.Renewed, p.Lease = b.id, micros(time.Now()), b.lease }

// renew renews the lease until the context ends, or there is nothing to renew. What fails
// is tried again at the next turn.
func (t *cellTenure) renew(ctx context.Context) {
	every := t.book.lease / renewals
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		once, cancel := context.WithTimeout(ctx, every)
		err := t.change(once, eventstore.MaxCell, func(*page) error { return nil })
		cancel()
		if errors.Is(err, ErrReleased) {
			return
		}
	}
}

// change replaces the page by what f makes of it, of so many bytes at most, as long as it
// is this tenure's, and renews the lease with that. f may be called several times. After an error that is not
// f's, the page may be stored all the same: it is read before it is changed again.
func (t *cellTenure) change(ctx context.Context, most int, f func(*page) error) error {
	if err := t.enter(ctx); err != nil {
		return err
	}
	defer t.leave()
	for {
		if t.revision == 0 {
			if err := t.read(ctx); err != nil {
				return err
			}
		}
		p := t.page.clone()
		p.hold(t.book)
		if err := f(&p); err != nil {
			return err
		}
		next, err := t.book.write(ctx, t.name, &p, t.revision, most)
		switch {
		case err == nil:
			t.page, t.revision = p, next
			return nil
		case errors.Is(err, eventstore.ErrCellSize):
			return err
		}
		if t.revision = 0; !errors.Is(err, eventstore.ErrConflict) {
			return err
		}
	}
}

// enter waits for the turn.
func (t *cellTenure) enter(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (t *cellTenure) leave() { <-t.turn }

// read reads the page, which must be this tenure's. The caller has the turn.
func (t *cellTenure) read(ctx context.Context) error {
	p, revision, err := t.book.read(ctx, t.name)
	if err != nil {
		return err
	}
	if p.Tenure != t.number || p.Holder != t.book.id {
		return errTaken
	}
	t.page, t.revision = p, revision
	return nil
}
