package consumers

import (
	"context"
	"errors"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// Status is how a consumer does.
type Status struct {
	Name     string
	Active   bool                // some process is at work under the name
	Position eventstore.Position // everything up to here has been handled, but what is held
	Lag      eventstore.Position // how many records stand after that
	Waiting  time.Time           // when the first of those was recorded; zero where there is none
	Holds    []Hold              // in the order of the log
	Trouble  Trouble             // what went wrong last, even if it is over
	Restored error               // a *RestoredError where the log is not the one it has seen; Lag is 0
}

// Parked is how many streams wait for somebody to retry or discard what they hold.
func (s *Status) Parked() int {
	n := 0
	for i := range s.Holds {
		if s.Holds[i].Parked() {
			n++
		}
	}
	return n
}

// List is the status of all consumers, by name.
func (r *Registry) List(ctx context.Context) ([]Status, error) {
	names, err := r.book.names(ctx)
	if err != nil {
		return nil, err
	}
	list := make([]Status, len(names))
	for i, name := range names {
		if list[i], err = r.Status(ctx, name); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// Status is how one consumer does; ErrUnknown if there is none of the name.
func (r *Registry) Status(ctx context.Context, name string) (Status, error) {
	p, err := r.book.find(ctx, name)
	if err != nil {
		return Status{}, err
	}
	s := Status{Name: name, Position: p.Cursor.Done(), Trouble: p.Trouble}
	for _, h := range p.Holds {
		s.Holds = append(s.Holds, h)
	}
	sortHolds(s.Holds)
	if s.Active, err = r.book.active(ctx, name); err != nil {
		return s, err
	}
	if err := r.check(ctx, name, &p); err != nil {
		if !errors.Is(err, ErrRestored) {
			return s, err
		}
		s.Restored = err
		return s, nil
	}
	head, err := r.log.Head(ctx)
	if err != nil {
		return s, err
	}
	s.Lag = head - s.Position
	for record, err := range r.log.ReadAll(ctx, s.Position) {
		if err != nil {
			return s, err
		}
		s.Waiting = record.Time
		break
	}
	return s, nil
}
