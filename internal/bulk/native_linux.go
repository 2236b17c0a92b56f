//go:build cgo && !grouplog_rowbyrow

package bulk

// #include "native_linux.h"
// #include <stdlib.h>
import "C"

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"runtime"
	"unsafe"

	"github.com/mattn/go-sqlite3"
)

// InC says that rows are moved by C. It is for tests: the answers are the same.
const InC = true

// native is SQLite's own handle of a connection; nil where it is not known.
type native struct{ db *C.sqlite3 }

// GiveBack gives memory that SQLite has freed back to the system, where that can be done.
// Otherwise much of what a large cache has taken stays with the process.
func GiveBack() { C.bulk_give_back() }

func (n native) none() bool { return n.db == nil }

// dial has f open a connection in this thread, and takes its handle as SQLite opens it.
func dial(f func() (driver.Conn, error)) (driver.Conn, native, error) {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	C.bulk_expect()
	c, err := f()
	return c, native{C.bulk_opened()}, err
}

func (n native) prepare(query string) (way, error) {
	text := C.CString(query)
	defer C.free(unsafe.Pointer(text))
	s := &compiled{db: n}
	if code := C.bulk_prepare(n.db, text, C.int(len(query)), &s.statement); code != 0 {
		return nil, n.failure(code)
	}
	return s, nil
}

// failure is what a code says, right after the call that returned it.
func (n native) failure(code C.int) error {
	if code == C.BULK_FORM {
		return errors.New("it is not of the form of a pack, or of one statement")
	}
	err := sqlite3.Error{Code: sqlite3.ErrNo(code & 0xff), ExtendedCode: sqlite3.ErrNoExtended(code)}
	message := C.GoString(C.bulk_message(n.db))
	if message == err.Error() {
		return err
	}
	return fmt.Errorf("%s (%w)", message, err)
}

// compiled is a statement that SQLite runs by itself for many rows.
type compiled struct {
	db        native
	statement *C.sqlite3_stmt
	pack      C.pack
}

func (s *compiled) parameters() int { return int(C.bulk_parameters(s.statement)) }

func (s *compiled) run(list *List, rows int) (int, error) {
	var row C.int
	from := (*C.uchar)(unsafe.SliceData(list.bytes))
	if code := C.bulk_run(s.statement, C.int(rows), from, C.uint64_t(len(list.bytes)), &row); code != 0 {
		return int(row), s.db.failure(code)
	}
	return rows, nil
}

func (s *compiled) read(limit int) (pack string, last bool, err error) {
	code := C.bulk_read(s.statement, C.uint64_t(limit), &s.pack)
	if code != C.BULK_MORE && code != C.BULK_DONE {
		return "", true, s.db.failure(code)
	}
	return unsafe.String((*byte)(s.pack.bytes), int(s.pack.size)), code == C.BULK_DONE, nil
}

func (s *compiled) reset() error {
	C.bulk_reset(s.statement)
	return nil
}

func (s *compiled) close() error {
	C.bulk_finalize(s.statement)
	C.bulk_free(&s.pack)
	return nil
}
