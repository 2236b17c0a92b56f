package bench

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"time"

	"github.com/grouplog/grouplog/eventstore"
)

// transactions is the other floor of commands, what is usual: database/sql with one
// connection, and a transaction for each event.
type transactions struct {
	db       *sql.DB
	insert   *sql.Stmt
	position int64 // of who holds the connection
}

func openTransactions(ctx context.Context, path string) (*transactions, error) {
	if err := newLog(ctx, path); err != nil {
		return nil, err
	}
	dsn, err := durable(path)
	if err != nil {
		return nil, err
	}
	db, err := sql.Open("sqlite3", dsn)
	if err != nil {
		return nil, err
	}
	db.SetMaxOpenConns(1)
	t := &transactions{db: db}
	if err = t.prepare(ctx); err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return t, nil
}

func (t *transactions) prepare(ctx context.Context) error {
	conn, err := t.db.Conn(ctx)
	if err != nil {
		return err
	}
	if err := errors.Join(conn.Raw(func(c any) error { return settle(c.(driver.Conn)) }), conn.Close()); err != nil {
		return err
	}
	t.insert, err = t.db.PrepareContext(ctx, insertEvent)
	return err
}

// put inserts an event in a transaction of its own. The context is one that does not
// end: with another, the driver starts a goroutine for every call.
func (t *transactions) put(to *stream, e *eventstore.Event) error {
	tx, err := t.db.BeginTx(context.Background(), nil)
	if err != nil {
		return err
	}
	t.position++
	to.version++
	_, err = tx.StmtContext(context.Background(), t.insert).ExecContext(context.Background(),
		t.position, to.name, to.version, e.Type, e.Schema, e.Actor, e.AppAdmin,
		time.Now().UnixMicro(), e.CommandID, string(e.Data), t.position*2_654_435_761&0xffffffff)
	if err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

func (t *transactions) close() error { return errors.Join(t.insert.Close(), t.db.Close()) }
