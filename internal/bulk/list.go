package bulk

import (
	"database/sql/driver"
	"encoding/binary"
	"fmt"
	"math"
	"time"

	"github.com/mattn/go-sqlite3"
)

// The kinds of values in a pack. Integers and reals are eight bytes after the kind; texts
// and bytes are their size, in eight bytes, and themselves. No two rows of one query have
// the same bytes.
const (
	isNull    = 'n'
	isInteger = 'i'
	isReal    = 'f'
	isText    = 't'
	isBytes   = 'b'
	isMore    = '+' // at the end of a pack that was full before all rows were in it
)

// List is rows on their way to SQLite, value after value. The zero value is empty. Values
// are copied as they are added.
type List struct {
	bytes  []byte
	values int
}

// Int adds an integer.
func (l *List) Int(v int64) {
	l.values++
	l.bytes = binary.BigEndian.AppendUint64(append(l.bytes, isInteger), uint64(v))
}

// Bool adds 1 or 0.
func (l *List) Bool(v bool) {
	if v {
		l.Int(1)
	} else {
		l.Int(0)
	}
}

// Real adds a floating-point number; SQLite has no NaN and makes NULL of it.
func (l *List) Real(v float64) {
	l.values++
	l.bytes = binary.BigEndian.AppendUint64(append(l.bytes, isReal), math.Float64bits(v))
}

// Text adds a text.
func (l *List) Text(v string) {
	l.values++
	l.bytes = append(binary.BigEndian.AppendUint64(append(l.bytes, isText), uint64(len(v))), v...)
}

// Bytes adds bytes, or NULL for nil.
func (l *List) Bytes(v []byte) {
	if v == nil {
		l.Null()
		return
	}
	l.values++
	l.bytes = append(binary.BigEndian.AppendUint64(append(l.bytes, isBytes), uint64(len(v))), v...)
}

// Null adds NULL.
func (l *List) Null() {
	l.values++
	l.bytes = append(l.bytes, isNull)
}

// Add adds a value of any type that database/sql takes, as the driver would bind it. A
// pointer counts for what it points to, nil for NULL: unlike a value, it costs no allocation.
func (l *List) Add(value any) error {
	switch v := value.(type) {
	case int64:
		l.Int(v)
	case int:
		l.Int(int64(v))
	case string:
		l.Text(v)
	case bool:
		l.Bool(v)
	case []byte:
		l.Bytes(v)
	case float64:
		l.Real(v)
	case nil:
		l.Null()
	case time.Time:
		l.Text(v.Format(sqlite3.SQLiteTimestampFormats[0]))
	default:
		return l.addOther(v)
	}
	return nil
}

func (l *List) addOther(value any) error {
	switch v := value.(type) {
	case *int64:
		if v != nil {
			l.Int(*v)
			return nil
		}
	case *int:
		if v != nil {
			l.Int(int64(*v))
			return nil
		}
	case *uint64:
		if v != nil && *v <= math.MaxInt64 {
			l.Int(int64(*v))
			return nil
		}
	case *string:
		if v != nil {
			l.Text(*v)
			return nil
		}
	}
	converted, err := driver.DefaultParameterConverter.ConvertValue(value)
	if err != nil {
		return err
	}
	if !driver.IsValue(converted) {
		return fmt.Errorf("%T becomes %T, which is no value of a database", value, converted)
	}
	return l.Add(converted)
}

// AddRow adds the values of a row, all of them or none.
func (l *List) AddRow(row ...any) error {
	before := *l
	for i, value := range row {
		if err := l.Add(value); err != nil {
			*l = before
			return fmt.Errorf("argument %d: %w", i+1, err)
		}
	}
	return nil
}

// Size is how many bytes the list takes.
func (l *List) Size() int { return len(l.bytes) }

// Clear empties the list, to be filled again.
func (l *List) Clear() { l.bytes, l.values = l.bytes[:0], 0 }
