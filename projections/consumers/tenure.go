package consumers

import (
	"context"
	"errors"
	"fmt"

	"github.com/grouplog/grouplog/eventstore"
)

var (
	errTaken  = fmt.Errorf("%w: another one has taken over, because the lease was not renewed in time", ErrReleased)
	errEdited = errors.New("edited")
)

func (t *cellTenure) look(ctx context.Context) (edited bool, err error) {
	if err := t.enter(ctx); err != nil {
		return false, err
	}
	defer t.leave()
	err = t.read(ctx)
	return t.page.Edits != t.edits, err
}

func (t *cellTenure) load(ctx context.Context) (Progress, error) {
	if err := t.enter(ctx); err != nil {
		return Progress{}, err
	}
	defer t.leave()
	if err := t.read(ctx); err != nil {
		return Progress{}, err
	}
	t.edits = t.page.Edits
	return t.page.Progress.clone(), nil
}

// store stores a step. Where an earlier one was stored although it had failed, the cursor
// may be behind this step's, and stays there.
func (t *cellTenure) store(ctx context.Context, p *Progress, s *Step, record []byte) (edited bool, err error) {
	var stored Progress
	err = t.change(ctx, maxPage, func(now *page) error {
		if now.Edits != t.edits {
			return errEdited
		}
		g := &now.Progress
		cursor, attempts, at := g.Cursor, g.Attempts, g.record
		g.apply(s, record)
		if g.Cursor.Before(cursor) {
			g.Cursor, g.Attempts, g.record = cursor, attempts, at
		}
		stored = g.clone()
		return nil
	})
	switch {
	case errors.Is(err, errEdited):
		return true, nil
	case err == nil:
		*p = stored
	}
	return false, err
}

// end gives the lease back, if it is still there to be given.
func (t *cellTenure) end() error {
	t.stop()
	<-t.renewed
	ctx, cancel := context.WithTimeout(context.Background(), t.book.lease)
	defer cancel()
	err := t.change(ctx, eventstore.MaxCell, func(p *page) error {
		p.Holder = ""
		return nil
	})
	switch {
	case errors.Is(err, ErrReleased):
		err = nil
	case err != nil:
		err = fmt.Errorf("another one must wait until the lease of %v is over: %w", t.book.lease, err)
	}
	return errors.Join(err, t.unlock())
}
