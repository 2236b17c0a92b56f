package bulk

import (
	"errors"
	"fmt"
	"math"
	"unsafe"
)

// Rows are a pack's values, one after the other:
//
//	for rows := bulk.Read(pack); rows.Next(); {
//		m := Member{UserID: rows.Text(), Role: rows.Int()}
//	}
//	err := rows.Err()
//
// Texts are parts of the pack, which stays in memory as long as one of them does: that is
// right for rows that are used together. Whoever keeps one of many clones it.
type Rows struct {
	rest string
	more bool
	err  error
}

// Read begins to read a pack, as grouplog_rows makes it.
func Read(pack string) *Rows { return &Rows{rest: pack} }

// Next reports whether there is another value. After an error, there is none.
func (r *Rows) Next() bool {
	if r.err != nil || r.rest == "" {
		return false
	}
	if r.rest[0] == isMore {
		r.more, r.rest = true, r.rest[1:]
		if r.rest != "" {
			r.fail(errors.New("something follows the end of a pack"))
		}
		return false
	}
	return true
}

// More reports that the query had more rows than the pack has. It is known when Next has
// said that there are no more values.
func (r *Rows) More() bool { return r.more }

// Err is the first thing that was not as it should be: a value of another kind than was
// asked for, or a pack that was cut off.
func (r *Rows) Err() error { return r.err }

func (r *Rows) fail(err error) {
	if r.err == nil {
		r.err = err
	}
	r.rest = ""
}

// Int takes an integer.
func (r *Rows) Int() int64 { return int64(r.fixed(isInteger)) }

// Bool takes an integer that is 0 or something else.
func (r *Rows) Bool() bool { return r.Int() != 0 }

// Real takes a floating-point number.
func (r *Rows) Real() float64 { return math.Float64frombits(r.fixed(isReal)) }

// Text takes a text.
func (r *Rows) Text() string { return r.data(isText) }

// Bytes takes bytes.
func (r *Rows) Bytes() []byte { return []byte(r.data(isBytes)) }

// Null takes the next value if it is NULL, and reports whether it was.
func (r *Rows) Null() bool {
	if r.rest == "" || r.rest[0] != isNull {
		return false
	}
	r.rest = r.rest[1:]
	return true
}

// Raw passes over so many values, and returns them as they are in the pack: as bytes that
// must not be changed, and which are valid as long as the pack is.
func (r *Rows) Raw(values int) []byte {
	from := r.rest
	for range values {
		if r.rest == "" {
			r.cut()
			return nil
		}
		switch kind := r.rest[0]; kind {
		case isNull:
			r.rest = r.rest[1:]
		case isInteger, isReal:
			r.fixed(kind)
		default:
			r.data(kind)
		}
	}
	if r.err != nil {
		return nil
	}
	return unsafe.Slice(unsafe.StringData(from), len(from)-len(r.rest))
}

// Value takes a value of any kind: nil, int64, float64, string or []byte.
func (r *Rows) Value() any {
	if r.rest == "" {
		r.cut()
		return nil
	}
	switch r.rest[0] {
	case isNull:
		r.rest = r.rest[1:]
		return nil
	case isReal:
		return r.Real()
	case isText:
		return r.Text()
	case isBytes:
		return r.Bytes()
	default:
		return r.Int()
	}
}

const headSize = 1 + 8

// fixed takes a value of eight bytes.
func (r *Rows) fixed(kind byte) uint64 {
	if len(r.rest) < headSize || r.rest[0] != kind {
		r.unlike(kind)
		return 0
	}
	s := r.rest[1:headSize]
	r.rest = r.rest[headSize:]
	return uint64(s[7]) | uint64(s[6])<<8 | uint64(s[5])<<16 | uint64(s[4])<<24 |
		uint64(s[3])<<32 | uint64(s[2])<<40 | uint64(s[1])<<48 | uint64(s[0])<<56
}

// data takes a value that says its size.
func (r *Rows) data(kind byte) string {
	if kind != isText && kind != isBytes {
		r.unlike(isText)
		return ""
	}
	size := r.fixed(kind)
	if size > uint64(len(r.rest)) {
		r.cut()
		return ""
	}
	data := r.rest[:size]
	r.rest = r.rest[size:]
	return data
}

func (r *Rows) cut() { r.fail(errors.New("a pack of rows is cut off")) }

// unlike says that the next value is not of a kind, or not whole.
func (r *Rows) unlike(kind byte) {
	if r.rest == "" || r.rest[0] == kind {
		r.cut()
		return
	}
	r.fail(fmt.Errorf("a pack of rows has a value of kind %q where %q is wanted", r.rest[0], kind))
}
