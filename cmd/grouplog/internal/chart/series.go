// Package chart draws how a group went: its members over time, who joined and who left.
package chart

import (
	"iter"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
)

// Series is how the number of a group's members went, in the wire form. Times are when
// the log says that things happened; what was imported counts from its import.
type Series struct {
	GroupID string    `json:"groupID"`
	Name    string    `json:"name"` // in the end
	From    time.Time `json:"from"`
	To      time.Time `json:"to"` // not included
	Before  int       `json:"before"`
	Points  []Point   `json:"points"` // in the order of time
	Unit    string    `json:"unit"`   // how long a bar is: hour, day, week, month, quarter or year
	Bars    []Bar     `json:"bars"`   // those in which anybody joined or left
}

// Point is a time at which the members changed. Whoever was a member when the group was
// dismissed has not left.
type Point struct {
	At        time.Time `json:"at"`
	Members   int       `json:"members"` // from then on
	Joined    int       `json:"joined,omitempty"`
	Left      int       `json:"left,omitempty"`
	Dismissed bool      `json:"dismissed,omitempty"`
}

// Bar is how many joined and left in a unit of time.
type Bar struct {
	From   time.Time `json:"from"`
	Joined int       `json:"joined"`
	Left   int       `json:"left"`
}

// Read folds the records of a group's stream, from its beginning. It keeps a point for
// each time at which members changed.
func Read(groupID string, records iter.Seq2[eventstore.Record, error]) (Series, error) {
	s := Series{GroupID: groupID, Points: []Point{}}
	g := domain.NewGroup(groupID)
	for record, err := range records {
		if err != nil {
			return s, err
		}
		event, err := projections.Decode(record)
		if err != nil {
			return s, err
		}
		if s.From.IsZero() {
			s.From = record.Time
		}
		s.To = record.Time
		before, live := g.Count(), g.Status() == domain.Live
		g.Apply(event.Fact, event.Meta())
		p := Point{At: record.Time, Members: g.Count(), Dismissed: live && g.Status() == domain.Dismissed}
		switch change := p.Members - before; {
		case change > 0:
			p.Joined = change
		case change < 0 && !ends(event.Fact):
			p.Left = -change
		}
		if p.Joined > 0 || p.Left > 0 || p.Dismissed {
			s.add(p)
		}
		s.Name = g.Profile().Name
	}
	return s.Between(time.Time{}, time.Time{}), nil
}

// ends reports whether an event ends a group, and with it all memberships at once.
func ends(fact domain.Event) bool {
	switch fact.(type) {
	case domain.GroupDismissed, domain.GroupRecycled:
		return true
	default:
		return false
	}
}

// add adds a point, to the last one where that is at the same time. After a dismissal a
// new point begins, though the ID be taken again at once: in it, members count from none.
func (s *Series) add(p Point) {
	if n := len(s.Points); n > 0 && s.Points[n-1].At.Equal(p.At) && !s.Points[n-1].Dismissed {
		last := &s.Points[n-1]
		last.Members, last.Joined, last.Left, last.Dismissed = p.Members, last.Joined+p.Joined, last.Left+p.Left, p.Dismissed
		return
	}
	s.Points = append(s.Points, p)
}

// Between is the part of a series from one time until another, or where those are zero,
// until its own beginning and end, rounded to whole units.
func (s Series) Between(from, until time.Time) Series {
	begin, end := s.From, s.To.Add(time.Microsecond)
	if !from.IsZero() {
		begin = from
	}
	if !until.IsZero() {
		end = until
	}
	if !begin.Before(end) { // it ended before, or had not begun
		if from.IsZero() {
			begin = end.AddDate(0, 0, -1)
		} else {
			end = begin.AddDate(0, 0, 1)
		}
	}
	u := unitFor(end.Sub(begin))
	if from.IsZero() {
		begin = u.floor(begin)
	}
	if until.IsZero() {
		end = u.ceil(end)
	}
	part := Series{GroupID: s.GroupID, Name: s.Name, From: begin.UTC(), To: end.UTC(), Before: s.Before, Points: []Point{}, Unit: u.name, Bars: []Bar{}}
	for _, p := range s.Points {
		switch {
		case p.At.Before(begin):
			part.Before = p.Members
		case p.At.Before(end):
			part.Points = append(part.Points, p)
		}
	}
	part.gather(u)
	return part
}

// gather makes the bars.
func (s *Series) gather(u unit) {
	for _, p := range s.Points {
		from := u.floor(p.At)
		if n := len(s.Bars); p.Joined+p.Left > 0 && (n == 0 || !s.Bars[n-1].From.Equal(from)) {
			s.Bars = append(s.Bars, Bar{From: from})
		}
		if n := len(s.Bars); n > 0 {
			s.Bars[n-1].Joined += p.Joined
			s.Bars[n-1].Left += p.Left
		}
	}
}

// Last is how many members there were in the end.
func (s *Series) Last() int {
	if n := len(s.Points); n > 0 {
		return s.Points[n-1].Members
	}
	return s.Before
}

// Most is when there were most members, and how many; the first time, if there were
// several.
func (s *Series) Most() (members int, at time.Time) {
	members, at = s.Before, s.From
	for _, p := range s.Points {
		if p.Members > members {
			members, at = p.Members, p.At
		}
	}
	return members, at
}

// Total is how many joined and left.
func (s *Series) Total() (joined, left int) {
	for _, b := range s.Bars {
		joined, left = joined+b.Joined, left+b.Left
	}
	return joined, left
}

// Dismissals are when the group was dismissed.
func (s *Series) Dismissals() []time.Time {
	var times []time.Time
	for _, p := range s.Points {
		if p.Dismissed {
			times = append(times, p.At)
		}
	}
	return times
}
