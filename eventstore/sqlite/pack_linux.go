//go:build cgo

package sqlite

// #include "pack_linux.h"
import "C"

import (
	"database/sql/driver"
	"sync"
)

// packing is held while connections are opened with the function that packs: SQLite
// gives it to every connection that the process opens meanwhile.
var packing sync.Mutex

// dialPacking opens a connection that knows selectPacked's function. See pack_linux.c.
func dialPacking(dial dialer) dialer {
	return func(dsn string) (driver.Conn, error) {
		packing.Lock()
		defer packing.Unlock()
		if C.grouplog_pack_offer() != 0 {
			defer C.grouplog_pack_withdraw()
		}
		return dial(dsn)
	}
}
