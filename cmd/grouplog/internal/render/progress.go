package render

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"
)

// Progress is one line on a terminal that says how far something is: a bar, a count,
// the rate and the time left. It appears once something takes longer than patience,
// and is gone when it is done. Where nobody looks there is none. The zero value shows
// nothing.
//
// Other lines for the same terminal are written through the Progress, which puts them
// above its own.
type Progress struct {
	mu      sync.Mutex
	out     io.Writer
	visible bool // the out is a terminal
	what    string
	unit    string
	start   time.Time
	first   mark      // of the first Update: what goes on from somewhere is not that fast
	drawn   time.Time // when it was last drawn; zero: it is not there
	now     func() time.Time
}

// mark is how far it was when.
type mark struct {
	at   time.Time
	done int
	part float64
}

const (
	patience = 500 * time.Millisecond
	interval = 100 * time.Millisecond
	barWidth = 24
)

// NewProgress is the progress of something on a terminal. Unit is what is counted:
// "commands".
func NewProgress(out io.Writer, what, unit string) *Progress {
	return &Progress{out: out, visible: IsTerminal(out), what: what, unit: unit, start: time.Now(), now: time.Now}
}

// Update says how far it is: how many are done, and which part of the whole, from 0 to
// 1, that is; less than 0 where it cannot be told.
func (p *Progress) Update(done int, part float64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.visible {
		return
	}
	now := p.now()
	if p.first.at.IsZero() {
		p.first = mark{now, done, part}
	}
	if now.Sub(p.start) < patience || now.Sub(p.drawn) < interval {
		return
	}
	p.drawn = now
	_, _ = io.WriteString(p.out, "\r\x1b[K"+p.line(mark{now, done, part}))
}

// line says how far it is now. The rate is that since the first Update, or, where this is
// the first, since the start.
func (p *Progress) line(now mark) string {
	since := p.first
	if !now.at.After(since.at) || now.done < since.done || now.part < since.part {
		since = mark{at: p.start}
	}
	part, took := now.part, now.at.Sub(since.at)
	rate := float64(now.done-since.done) / took.Seconds()
	text := fmt.Sprintf("%s %s  %s/s", Number(now.done), p.unit, Number(int(rate)))
	if part < 0 {
		return p.what + "  " + text
	}
	part = min(part, 1)
	filled := int(part * barWidth)
	bar := strings.Repeat("█", filled) + strings.Repeat("░", barWidth-filled)
	line := fmt.Sprintf("%s  %s %3d%%  %s", p.what, bar, int(part*100), text)
	if gone := part - since.part; gone > 0 {
		left := time.Duration(float64(took) * (1 - part) / gone)
		line += "  " + left.Round(time.Second).String() + " left"
	}
	return line
}

// Hide keeps the progress from appearing, where other output goes to the terminal.
func (p *Progress) Hide() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.visible = false
}

// Write writes whole lines above the progress.
func (p *Progress) Write(lines []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	return p.out.Write(lines)
}

// Done takes the progress away.
func (p *Progress) Done() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.erase()
	p.visible = false
}

func (p *Progress) erase() {
	if !p.drawn.IsZero() {
		_, _ = io.WriteString(p.out, "\r\x1b[K")
		p.drawn = time.Time{}
	}
}
