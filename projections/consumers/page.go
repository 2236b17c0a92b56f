package consumers

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/grouplog/grouplog/eventstore"
)

// pageFormat is the version of the JSON in a cell.
const pageFormat = 1

// maxText bounds what is kept in a cell of the text of an error, in bytes: a thousand
// streams that are held, each with such a text, fit.
const maxText = 400

// maxPage bounds a page, in bytes: so much less than a cell may have that a lease can be
// taken and renewed on any page there is.
const maxPage = eventstore.MaxCell - 1_000

// page is a consumer as its cell has it: all of it, so that whoever replaces one part of
// it has seen the others.
type page struct {
	Format  int           `json:"format"`
	Log     string        `json:"log"`    // its ID
	Tenure  int64         `json:"tenure"` // how often the consumer has become active
	Edits   int64         `json:"edits"`  // how often somebody has reset it, retried or discarded
	Editor  string        `json:"editor,omitempty"`
	Holder  string        `json:"holder,omitempty"` // the registry that is active; empty: none is
	Renewed time.Time     `json:"renewed,omitzero"` // when the holder has said so last, by its clock: for people
	Lease   time.Duration `json:"lease,omitempty"`  // ns: how long the holder may say nothing

	Progress Progress `json:"-"`
}

// sheet is the JSON of a page.
type sheet struct {
	page
	Cursor   Place    `json:"cursor"`
	Record   []byte   `json:"record"`
	Attempts int      `json:"attempts,omitempty"`
	Since    Place    `json:"since"`
	Trouble  *Trouble `json:"trouble,omitempty"`
	Holds    []Hold   `json:"holds,omitempty"` // by stream
	Runs     []run    `json:"runs,omitempty"`
}

// encode writes a page in so many bytes at most. Where it is more, the oldest resets are
// forgotten, so that less is known to be a repetition; holds never are.
func (p *page) encode(most int) ([]byte, error) {
	g := &p.Progress
	s := sheet{page: *p, Cursor: g.Cursor, Record: g.record, Attempts: g.Attempts, Since: g.since, Runs: g.runs}
	if g.Trouble != (Trouble{}) {
		s.Trouble = &Trouble{Text: shorten(g.Trouble.Text), At: micros(g.Trouble.At)}
	}
	for _, stream := range slices.Sorted(maps.Keys(g.Holds)) {
		h := g.Holds[stream]
		h.Due, h.Since, h.Error = micros(h.Due), micros(h.Since), shorten(h.Error)
		s.Holds = append(s.Holds, h)
	}
	for {
		value, err := json.Marshal(&s)
		if err != nil {
			return nil, err
		}
		switch {
		case len(value) <= most:
			return value, nil
		case len(s.Runs) == 0:
			return nil, fmt.Errorf("%w: %d streams are held, which are %d bytes with what went wrong, and there is room for %d; discard some",
				eventstore.ErrCellSize, len(s.Holds), len(value), most)
		}
		s.Runs = s.Runs[1:]
	}
}

// decode reads the page of a consumer of a log.
func decode(value []byte, logID string) (page, error) {
	var s sheet
	switch err := json.Unmarshal(value, &s); {
	case s.Format > pageFormat:
		return page{}, fmt.Errorf("%w (format %d, this one knows %d): use that version", ErrNewerFormat, s.Format, pageFormat)
	case err != nil || s.Format < 1:
		return page{}, errors.Join(fmt.Errorf("%w: its cell has something else in it", ErrNotConsumers), err)
	case s.Log != logID:
		return page{}, fmt.Errorf("%w: its position is one of log %s, and this is log %s", ErrOtherLog, s.Log, logID)
	}
	p := s.page
	p.Progress = Progress{Cursor: s.Cursor, Attempts: s.Attempts, Holds: make(map[string]Hold, len(s.Holds)), record: s.Record, since: s.Since, runs: s.Runs}
	if s.Trouble != nil {
		p.Progress.Trouble = *s.Trouble
	}
	for _, h := range s.Holds {
		p.Progress.Holds[h.Stream] = h
	}
	return p, nil
}

// clone is a copy that can be changed by itself.
func (p *page) clone() page {
	c := *p
	c.Progress = p.Progress.clone()
	return c
}

// alive reports whether the holder should be at work, as far as clocks tell.
func (p *page) alive() bool { return p.Holder != "" && time.Since(p.Renewed) < p.Lease }

// micros is a time as it is stored, the same in cells as in a file.
func micros(t time.Time) time.Time { return timeOf(microsOf(t)) }

// shorten cuts a text that is too long.
func shorten(text string) string {
	text = strings.ToValidUTF8(text, "�")
	if len(text) <= maxText {
		return text
	}
	cut := maxText - len("…")
	for !utf8.RuneStart(text[cut]) {
		cut--
	}
	return text[:cut] + "…"
}
