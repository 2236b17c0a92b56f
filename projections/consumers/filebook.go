package consumers

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
)

// file is the book in a file, or in the memory of this process.
type file struct {
	db    *sql.DB
	locks locks
}

func (f *file) close() error { return f.db.Close() }

func (f *file) find(ctx context.Context, name string) (Progress, error) {
	p, _, err := find(ctx, f.db, name)
	return p, err
}

func (f *file) names(ctx context.Context) ([]string, error) {
	rows, err := f.db.QueryContext(ctx, "SELECT name FROM consumers ORDER BY name")
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			return nil, err
		}
		names = append(names, name)
	}
	return names, rows.Err()
}

func (f *file) insert(ctx context.Context, name string, p *Progress) error {
	return durably(ctx, f.db, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO consumers
			(name, tenure, edits, position, place, record, attempts, since, since_place, trouble, trouble_at)
			VALUES (?, 0, 0, ?, ?, ?, 0, ?, ?, '', 0) ON CONFLICT DO NOTHING`,
			name, uint64(p.Cursor.Position), p.Cursor.Index, p.record, uint64(p.since.Position), p.since.Index)
		return err
	})
}

// edit changes a consumer under the file's write lock.
func (f *file) edit(ctx context.Context, name string, change func(*Progress) error) error {
	return durably(ctx, f.db, func(tx *sql.Tx) error {
		p, _, err := find(ctx, tx, name)
		if err != nil {
			return err
		}
		if err := change(&p); err != nil {
			return err
		}
		return rewrite(ctx, tx, name, &p)
	})
}

// active reports whether some process has the lock of a name.
func (f *file) active(_ context.Context, name string) (bool, error) {
	unlock, err := f.locks.try(name)
	if unlock == nil || err != nil {
		return err == nil, err
	}
	return false, unlock()
}

// take waits for the lock of a name.
func (f *file) take(ctx context.Context, name string) (tenure, Progress, error) {
	unlock, err := f.locks.wait(ctx, name)
	if err != nil {
		return nil, Progress{}, err
	}
	t := &fileTenure{file: f, name: name, unlock: unlock}
	var p Progress
	err = transact(ctx, f.db, func(tx *sql.Tx) (err error) {
		if _, err := tx.ExecContext(ctx, "UPDATE consumers SET tenure = tenure + 1 WHERE name = ?", name); err != nil {
			return err
		}
		p, t.stamp, err = find(ctx, tx, name)
		return err
	})
	if err != nil {
		return nil, p, errors.Join(err, unlock())
	}
	return t, p, nil
}

// fileTenure is the lock of a name, and what tells that nobody else has changed the rows.
type fileTenure struct {
	file   *file
	name   string
	stamp  stamp
	unlock func() error
}

func (t *fileTenure) end() error { return t.unlock() }

func (t *fileTenure) look(ctx context.Context) (edited bool, err error) {
	var now stamp
	err = t.file.db.QueryRowContext(ctx, "SELECT tenure, edits FROM consumers WHERE name = ?", t.name).Scan(&now.tenure, &now.edits)
	return now != t.stamp, err
}

func (t *fileTenure) load(ctx context.Context) (Progress, error) {
	p, now, err := find(ctx, t.file.db, t.name)
	if err != nil {
		return p, err
	}
	if now.tenure != t.stamp.tenure {
		return p, fmt.Errorf("%w: another one is; has the directory of the locks been deleted?", ErrReleased)
	}
	t.stamp = now
	return p, nil
}

// store writes a step. Most move the cursor and nothing else: one statement, which is a
// transaction by itself.
func (t *fileTenure) store(ctx context.Context, p *Progress, s *Step, record []byte) (edited bool, err error) {
	if len(s.Put) == 0 && len(s.Drop) == 0 {
		edited, err = t.move(ctx, t.file.db, s, record)
	} else {
		err = transact(ctx, t.file.db, func(tx *sql.Tx) error {
			if edited, err = t.move(ctx, tx, s, record); edited || err != nil {
				return err
			}
			return t.hold(ctx, tx, s)
		})
	}
	if !edited && err == nil {
		p.apply(s, record)
	}
	return edited, err
}

// move writes where the cursor is.
func (t *fileTenure) move(ctx context.Context, to execer, s *Step, record []byte) (edited bool, err error) {
	result, err := to.ExecContext(ctx, `UPDATE consumers SET position = ?, place = ?, record = ?, attempts = ?, trouble = ?, trouble_at = ?
		WHERE name = ? AND tenure = ? AND edits = ?`,
		uint64(s.Cursor.Position), s.Cursor.Index, record, s.Attempts, s.Trouble.Text, microsOf(s.Trouble.At),
		t.name, t.stamp.tenure, t.stamp.edits)
	if err != nil {
		return false, err
	}
	n, err := result.RowsAffected()
	return n == 0, err
}

// hold writes which streams are held now, and which are not any more.
func (t *fileTenure) hold(ctx context.Context, tx *sql.Tx, s *Step) error {
	for i := range s.Put {
		if err := putHold(ctx, tx, t.name, &s.Put[i]); err != nil {
			return err
		}
	}
	for _, stream := range s.Drop {
		if _, err := tx.ExecContext(ctx, "DELETE FROM consumer_holds WHERE consumer = ? AND stream = ?", t.name, stream); err != nil {
			return err
		}
	}
	return nil
}
