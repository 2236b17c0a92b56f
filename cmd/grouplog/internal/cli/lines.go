package cli

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/grouplog/grouplog/commands"
)

// source is a command file that is being read, plain or gzip.
type source struct {
	name  string // as it is called in messages
	input io.Reader
	file  io.Closer
	size  int64        // of the file in bytes; 0 where it cannot be told
	read  atomic.Int64 // bytes of the file
}

// openSource opens a command file; "-" is standard input.
func openSource(path string, stdin io.Reader) (*source, error) {
	if path == "-" {
		return &source{name: "standard input", input: stdin}, nil
	}
	file, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	s := &source{name: filepath.Base(path), input: file, file: file}
	info, err := file.Stat()
	if err == nil && info.IsDir() {
		err = hint(fmt.Errorf("%s is a directory, not a command file", path), `name a file, or "-" for standard input`)
	}
	if err != nil {
		return nil, errors.Join(err, file.Close())
	}
	if info.Mode().IsRegular() {
		s.size = info.Size()
	}
	return s, nil
}

func (s *source) Close() error {
	if s.file == nil {
		return nil
	}
	return s.file.Close()
}

// Read counts what is read of the file, for the progress.
func (s *source) Read(p []byte) (int, error) {
	n, err := s.input.Read(p)
	s.read.Add(int64(n))
	return n, err
}

// part is how much of the file has been read, from 0 to 1; less than 0 where it
// cannot be told.
func (s *source) part() float64 {
	if s.size == 0 {
		return -1
	}
	return float64(s.read.Load()) / float64(s.size)
}

// item is a line of a command file that holds something: a command, or what is wrong.
type item struct {
	number int
	line   commands.Line
	err    error
}

// items reads a command file and passes on what its lines hold, until emit says no.
// Empty lines and those that begin with # hold nothing. What is wrong with a line is
// passed on; the error is what is wrong with the file. What could not be read to its
// end is no line.
func (s *source) items(emit func(item) bool) error {
	reader, err := unzipped(s)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	for number := 1; ; number++ {
		text, tooLong, err := readLine(reader)
		if err != nil && !errors.Is(err, io.EOF) {
			return fmt.Errorf("%s: cannot be read after line %d: %w", s.name, number-1, inWords(err))
		}
		if number == 1 {
			text = bytes.TrimPrefix(text, []byte("\ufeff"))
		}
		if i := (item{number: number}); tooLong || holdsSomething(text) {
			if tooLong {
				i.err = fmt.Errorf("%w: the line has more than %d bytes", commands.ErrMalformed, commands.MaxLine)
			} else {
				i.line, i.err = commands.ParseLine(text)
			}
			if !emit(i) {
				return nil
			}
		}
		if err != nil {
			return nil
		}
	}
}

func holdsSomething(text []byte) bool {
	text = bytes.TrimSpace(text)
	return len(text) > 0 && text[0] != '#'
}

// unzipped reads through gzip where the first bytes say that it is that, whatever the
// name says.
func unzipped(r io.Reader) (*bufio.Reader, error) {
	const buffer = 64 << 10
	reader := bufio.NewReaderSize(r, buffer)
	magic, err := reader.Peek(2)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, err
	}
	if !bytes.Equal(magic, []byte{0x1f, 0x8b}) {
		return reader, nil
	}
	zipped, err := gzip.NewReader(reader)
	if err != nil {
		return nil, inWords(err)
	}
	return bufio.NewReaderSize(zipped, buffer), nil
}

func inWords(err error) error {
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("the gzip data ends in the middle: %w", err)
	case errors.Is(err, gzip.ErrChecksum), errors.Is(err, gzip.ErrHeader):
		return fmt.Errorf("the gzip data is damaged: %w", err)
	default:
		return err
	}
}

// readLine reads a line without its end. Of one that is too long it keeps nothing, and
// reads on to its end.
func readLine(r *bufio.Reader) (line []byte, tooLong bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if !tooLong {
			line = append(line, part...)
		}
		if len(bytes.TrimRight(line, "\r\n")) > commands.MaxLine {
			line, tooLong = nil, true
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		return bytes.TrimRight(line, "\r\n"), tooLong, err
	}
}
