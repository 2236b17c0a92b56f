package cli

import (
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
)

// errUnread is about an output that nobody reads any more.
var errUnread = errors.New("whoever reads the output has ended before its end")

// output is standard output. It keeps the first error, so that none is lost by who does
// not look at it, as the library that writes the help does not.
type output struct {
	io.Writer
	err error
}

func (o *output) Write(p []byte) (int, error) {
	n, err := o.Writer.Write(p)
	if errors.Is(err, syscall.EPIPE) {
		err = fmt.Errorf("%w: %w", errUnread, err)
	}
	if o.err == nil {
		o.err = err
	}
	return n, err
}

// Fd is the file's, for whoever asks whether it is a terminal; of no file where it is none.
func (o *output) Fd() uintptr {
	if file, ok := o.Writer.(*os.File); ok {
		return file.Fd()
	}
	return ^uintptr(0)
}

// unheard is an output for the library, which else would say itself what Main says.
type unheard struct{ io.Writer }

func (u unheard) Write(p []byte) (int, error) {
	_, _ = u.Writer.Write(p)
	return len(p), nil
}
