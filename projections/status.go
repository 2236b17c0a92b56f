package projections

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/grouplog/grouplog/eventstore"
)

// Status is how far the rows of a projection go, and what keeps them.
type Status struct {
	Name     string              `json:"name"`
	Version  int                 `json:"version"`
	Position eventstore.Position `json:"position"`          // of the last event in the rows
	Head     eventstore.Position `json:"head"`              // of the last event in the log
	Parked   bool                `json:"parked,omitempty"`  // waits for Retry, a rebuild or a new version
	Failure  string              `json:"failure,omitempty"` // why the rows do not follow the log at the moment
}

// Lag is how many events of the log are not in the rows yet.
func (s *Status) Lag() int {
	if s.Head < s.Position { // the log went on between the two
		return 0
	}
	return int(s.Head - s.Position)
}

// Status tells of each projection of the file.
func (v *Views) Status(ctx context.Context) ([]Status, error) {
	at := map[string]checkpoint{}
	err := v.Read(ctx, func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, selectCheckpoints)
		if err == nil {
			at, err = scanCheckpoints(rows)
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("status of views: %w", err)
	}
	head, err := v.log.Head(ctx)
	if err != nil {
		return nil, fmt.Errorf("status of views: %w", err)
	}
	failure := v.Err()
	var parked *ParkedError
	all := make([]Status, len(v.opts.Projections))
	for i, p := range v.opts.Projections {
		all[i] = Status{Name: p.Name(), Version: p.Version(), Position: at[p.Name()].position, Head: head}
		if failure != nil {
			all[i].Failure, all[i].Parked = failure.Error(), errors.As(failure, &parked)
		}
	}
	return all, nil
}
