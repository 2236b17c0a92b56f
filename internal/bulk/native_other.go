//go:build !linux || !cgo || grouplog_rowbyrow

package bulk

import "database/sql/driver"

// InC says that rows are moved by C.
const InC = false

// native is of no connection: here, the driver moves rows one by one.
type native struct{}

func (native) none() bool                  { return true }
func (native) prepare(string) (way, error) { panic("there is no connection of this kind") }

func dial(f func() (driver.Conn, error)) (driver.Conn, native, error) {
	c, err := f()
	return c, native{}, err
}

// GiveBack gives memory that SQLite has freed back to the system, where that can be done.
func GiveBack() {}
