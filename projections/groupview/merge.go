package groupview

import (
	"container/heap"
	"context"
	"database/sql"
	"errors"
)

// approved is a group whose applications are looked at.
type approved struct {
	gid            int64
	id             string
	incarnation    int
	pending        int
	created, asked int64 // positions: of its creation, and of the last submission or refresh
}

// approverGroups are the live groups in which the user is owner or admin.
func approverGroups(ctx context.Context, tx *sql.Tx, uid int64) (groups []approved, err error) {
	rows, err := tx.QueryContext(ctx, selectApproved, uid)
	err = scanAll(rows, err, func(rows *sql.Rows) error {
		var g approved
		err := rows.Scan(&g.gid, &g.id, &g.incarnation, &g.pending, &g.created, &g.asked)
		groups = append(groups, g)
		return err
	})
	return groups, err
}

const selectApproved = `SELECT g.gid, g.id, g.incarnation, g.pending, g.created_position, g.asked_position
	FROM members m CROSS JOIN groups g ON g.gid = m.gid WHERE m.uid = +? AND m.role >= 300`

// applicationGroup is the newest incarnation of a group, whoever looks.
func applicationGroup(ctx context.Context, tx *sql.Tx, groupID string) (g approved, err error) {
	err = tx.QueryRowContext(ctx, `SELECT gid, id, incarnation, pending, created_position, asked_position
			FROM groups WHERE id = +? ORDER BY incarnation DESC LIMIT 1`, groupID).
		Scan(&g.gid, &g.id, &g.incarnation, &g.pending, &g.created, &g.asked)
	if errors.Is(err, sql.ErrNoRows) {
		return approved{}, notFound("no group has the ID %q", groupID)
	}
	return g, err
}

func only(groups []approved, groupID string) []approved {
	for _, g := range groups {
		if g.id == groupID {
			return []approved{g}
		}
	}
	return nil
}

// source yields one group's applications of one kind, open or closed, newest first.
// Until it is read, its newest is assumed at the group's last submission or refresh:
// a source that does not come to the top of the heap is never read.
type source struct {
	group  *approved
	query  string
	top    int64 // position of the first of batch, or no less than that of the newest unread one
	batch  []Application
	unread bool // there may be more than batch
}

// The two kinds. Each has an index of its own, so neither reads past the other.
const (
	openBefore = selectApplication + " WHERE a.gid = +? AND a.state = 0 AND a.position <= ? ORDER BY a.position DESC LIMIT +?"
	shutBefore = selectApplication + " WHERE a.gid = +? AND a.state > 0 AND a.position <= ? ORDER BY a.position DESC LIMIT +?"

	// sourceBatch is how many rows of a source are read at once.
	sourceBatch = 16
)

// newestFirst merges the applications to several groups into a page.
func newestFirst(ctx context.Context, tx *sql.Tx, groups []approved, filter ApplicationFilter, viewer int64) (page []Application, next string, err error) {
	limit, start := limited(filter.Limit), int64(1<<62)
	if filter.Cursor != "" {
		if err := parseCursor('a', filter.Cursor, &start); err != nil {
			return nil, "", err
		}
	}
	page = []Application{}
	for merged := sources(groups, filter.Select, start); len(merged) > 0; {
		s := merged[0]
		if len(s.batch) == 0 {
			if err := s.read(ctx, tx, viewer); err != nil {
				return nil, "", err
			}
			if len(s.batch) == 0 {
				heap.Pop(&merged)
				continue
			}
			heap.Fix(&merged, 0)
			continue
		}
		if len(page) == limit {
			return page, cursor('a', int64(page[limit-1].Position)-1), nil
		}
		page = append(page, s.batch[0])
		if s.take() {
			heap.Fix(&merged, 0)
		} else {
			heap.Pop(&merged)
		}
	}
	return page, "", nil
}

func sources(groups []approved, selection Selection, start int64) (all sourceHeap) {
	for i := range groups {
		g := &groups[i]
		top := min(g.asked, start)
		if g.pending > 0 && selection != HandledApplications {
			all = append(all, &source{group: g, query: openBefore, top: top, unread: true})
		}
		if g.asked > 0 && selection != PendingApplications {
			all = append(all, &source{group: g, query: shutBefore, top: top, unread: true})
		}
	}
	heap.Init(&all)
	return all
}

// read fills the batch; it stays empty if there is nothing more.
func (s *source) read(ctx context.Context, tx *sql.Tx, viewer int64) error {
	rows, err := tx.QueryContext(ctx, s.query, s.group.gid, s.top, sourceBatch)
	err = scanAll(rows, err, func(rows *sql.Rows) error {
		a, err := scanApplication(rows, s.group, viewer)
		s.batch = append(s.batch, a)
		return err
	})
	if err != nil {
		return err
	}
	s.unread = len(s.batch) == sourceBatch
	if len(s.batch) > 0 {
		s.top = int64(s.batch[0].Position)
	}
	return nil
}

// take drops the first of the batch, and reports whether there may be more.
func (s *source) take() bool {
	s.top = int64(s.batch[0].Position) - 1
	s.batch = s.batch[1:]
	if len(s.batch) > 0 {
		s.top = int64(s.batch[0].Position)
		return true
	}
	return s.unread
}

// sourceHeap has the source with the newest application on top.
type sourceHeap []*source

func (h sourceHeap) Len() int           { return len(h) }
func (h sourceHeap) Less(i, j int) bool { return h[i].top > h[j].top }
func (h sourceHeap) Swap(i, j int)      { h[i], h[j] = h[j], h[i] }
func (h *sourceHeap) Push(x any)        { *h = append(*h, x.(*source)) }
func (h *sourceHeap) Pop() any {
	last := (*h)[len(*h)-1]
	*h = (*h)[:len(*h)-1]
	return last
}
