package projectiontest

import (
	"context"
	"errors"

	"github.com/grouplog/grouplog/projections"
)

var errInterrupted = errors.New("interrupted by the test")

// interruption has a projection fail in the middle of its next page.
type interruption struct{ armed, panics bool }

// of is the projection, to be interrupted.
func (i *interruption) of(p projections.Projection) projections.Projection {
	interrupted := interrupted{p, i}
	if selective, ok := p.(projections.Selective); ok {
		return interruptedSelective{interrupted, selective}
	}
	return interrupted
}

type interrupted struct {
	projections.Projection
	by *interruption
}

func (p interrupted) Apply(ctx context.Context, tx *projections.Tx, events []projections.Event) error {
	if !p.by.armed {
		return p.Projection.Apply(ctx, tx, events)
	}
	p.by.armed = false
	if err := p.Projection.Apply(ctx, tx, events[:(len(events)+1)/2]); err != nil {
		return err
	}
	if p.by.panics {
		panic(errInterrupted)
	}
	return errInterrupted
}

type interruptedSelective struct {
	interrupted
	selective projections.Selective
}

func (p interruptedSelective) Types() []string { return p.selective.Types() }

// bystander is another projection in the same file.
type bystander struct{}

func (bystander) Name() string { return "projectiontest" }
func (bystander) Version() int { return 1 }
func (bystander) Schema() string {
	return "CREATE TABLE projectiontest_bystander (n INTEGER PRIMARY KEY) STRICT"
}
func (bystander) Apply(context.Context, *projections.Tx, []projections.Event) error { return nil }
