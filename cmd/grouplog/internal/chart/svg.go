package chart

import (
	"bytes"
	"encoding/xml"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/render"
)

// Where things are, in units of which the picture is 800 wide and 400 high.
const (
	width, height = 800, 400
	left, right   = 56, 780
	top, bottom   = 88, 254  // of the members
	upper, lower  = 292, 360 // of the bars
)

// style is light, and dark for those who look at dark things.
const style = `
.back{fill:#fff}.ink{fill:#1f2328}.soft{fill:#59636e}
.grid{stroke:#e4e7eb}.axis{stroke:#9aa4af}.line{stroke:#2563eb}.area{fill:#2563eb;fill-opacity:.14}
.now{fill:#2563eb}.in{fill:#0d9488}.out{fill:#ea580c}.end{stroke:#be123c}.ended{fill:#be123c}
@media (prefers-color-scheme:dark){
.back{fill:#0f1419}.ink{fill:#e6edf3}.soft{fill:#9aa5b1}
.grid{stroke:#27303a}.axis{stroke:#5b6672}.line{stroke:#74a7ff}.area{fill:#74a7ff;fill-opacity:.18}
.now{fill:#74a7ff}.in{fill:#2dd4bf}.out{fill:#fb923c}.end{stroke:#fb7185}.ended{fill:#fb7185}
}
text{font:12px system-ui,-apple-system,"Segoe UI",Roboto,"Helvetica Neue",Arial,"DejaVu Sans",sans-serif}
.title{font-size:18px;font-weight:600}
.grid,.axis,.end{stroke-width:1;shape-rendering:crispEdges}.end{stroke-dasharray:4 3}
.line{fill:none;stroke-width:2;stroke-linejoin:round}
`

// picture is an SVG that is being drawn.
type picture struct {
	bytes.Buffer
	s *Series
}

// SVG draws a series. The same series gives the same bytes.
func (s *Series) SVG() []byte {
	p := &picture{s: s}
	fmt.Fprintf(p, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" role="img" aria-labelledby="title desc">`+"\n",
		width, height, width, height)
	p.element(`title id="title"`, "Members of "+s.title())
	p.element(`desc id="desc"`, s.describe())
	fmt.Fprintf(p, "<style>%s</style>\n<rect class=\"back\" width=\"%d\" height=\"%d\"/>\n", style, width, height)
	p.heading()
	p.timeAxis()
	p.members()
	p.bars()
	p.dismissals()
	p.WriteString("</svg>\n")
	return p.Bytes()
}

// title is what the group is called, as far as there is room.
func (s *Series) title() string {
	const room = 56
	name := s.Name
	if name == "" {
		name = s.GroupID
	}
	if letters := []rune(name); len(letters) > room {
		name = string(letters[:room-1]) + "…"
	}
	return name
}

// describe says what is to be seen, to those who cannot see it.
func (s *Series) describe() string {
	joined, left := s.Total()
	peak, at := s.Most()
	text := fmt.Sprintf("From %s to %s, the group %s went from %s to %s. It had most on %s: %s. %s joined and %s left.",
		date(s.From), date(s.lastDay()), s.GroupID, members(s.Before), render.Number(s.Last()), date(at), render.Number(peak), render.Number(joined), render.Number(left))
	for _, t := range s.Dismissals() {
		text += " It was dismissed on " + date(t) + "."
	}
	return text
}

func members(n int) string { return render.Count(n, "member", "members") }

func date(t time.Time) string { return t.UTC().Format("2 Jan 2006") }

// lastDay is the end as people say it: the last day that is included.
func (s *Series) lastDay() time.Time { return s.To.Add(-time.Microsecond) }

func (p *picture) heading() {
	s := p.s
	joined, gone := s.Total()
	p.text(left, 30, "ink title", "start", s.title())
	span := date(s.From) + " to " + date(s.lastDay())
	if s.title() != s.GroupID {
		span = s.GroupID + " · " + span
	}
	p.text(left, 52, "soft", "start", span)
	fmt.Fprintf(p, `<text x="%d" y="52" class="soft" text-anchor="end">`, right)
	for _, entry := range []struct{ attributes, mark, text string }{
		{`class="now"`, "━", members(s.Last())},
		{`class="in" dx="14"`, "■", render.Number(joined) + " joined"},
		{`class="out" dx="14"`, "■", render.Number(gone) + " left"},
	} {
		fmt.Fprintf(p, `<tspan %s>%s</tspan> %s`, entry.attributes, entry.mark, entry.text)
	}
	p.WriteString("</text>\n")
}

// x is where a time is.
func (p *picture) x(t time.Time) float64 {
	part := float64(t.Sub(p.s.From)) / float64(p.s.To.Sub(p.s.From))
	return left + (right-left)*min(max(part, 0), 1)
}

func (p *picture) timeAxis() {
	for _, t := range timeTicks(p.s.From, p.s.To) {
		x := p.x(t.at)
		fmt.Fprintf(p, `<path class="grid" d="M%s %dV%dM%s %dV%d"/>`+"\n", number(x), top, bottom, number(x), upper, lower+6)
		anchor := "middle"
		switch {
		case x > right-20:
			anchor = "end"
		case x < left+20:
			anchor = "start"
		}
		p.text(int(x), lower+22, "soft", anchor, t.text)
	}
}

// members draws the line, the area below, and the numbers.
func (p *picture) members() {
	peak, _ := p.s.Most()
	ticks := countTicks(max(peak, 1), 5)
	y := func(n int) float64 { return bottom - float64(bottom-top)*float64(n)/float64(ticks[len(ticks)-1]) }
	p.text(left, top-10, "soft", "start", "members")
	p.countAxis(ticks, y)
	var path strings.Builder
	fmt.Fprintf(&path, "M%d %s", left, number(y(p.s.Before)))
	for i, point := range p.s.Points {
		// What is closer than the eye can tell is drawn as one step.
		if next := i + 1; next < len(p.s.Points) && p.x(p.s.Points[next].At)-p.x(point.At) < 0.1 && !point.Dismissed {
			continue
		}
		fmt.Fprintf(&path, "H%sV%s", number(p.x(point.At)), number(y(point.Members)))
	}
	fmt.Fprintf(&path, "H%d", right)
	fmt.Fprintf(p, `<path class="area" d="%sV%dH%dZ"/>`+"\n"+`<path class="line" d="%s"/>`+"\n", path.String(), bottom, left, path.String())
}

func (p *picture) countAxis(ticks []int, y func(int) float64) {
	for _, n := range ticks {
		class := "grid"
		if n == 0 {
			class = "axis"
		}
		fmt.Fprintf(p, `<path class="%s" d="M%d %sH%d"/>`+"\n", class, left, number(y(n)), right)
		p.text(left-8, int(y(n))+4, "soft", "end", render.Number(max(n, -n)))
	}
}

// bars draws who joined, upwards, and who left, downwards, on one scale.
func (p *picture) bars() {
	p.text(left, upper-10, "soft", "start", "joined and left by "+p.s.Unit)
	var joined, gone []int
	for _, b := range p.s.Bars {
		joined, gone = append(joined, b.Joined), append(gone, b.Left)
	}
	in, out := limits(joined, gone)
	if in+out == 0 {
		p.text((left+right)/2, (upper+lower)/2+4, "soft", "middle", "nobody joined or left")
		return
	}
	scale := float64(lower-upper) / float64(in+out)
	y := func(n int) float64 { return upper + float64(in-n)*scale }
	ticks := []int{0}
	for _, n := range []int{round(in), -round(out)} {
		if n != 0 && float64(max(n, -n))*scale > 12 {
			ticks = append(ticks, n)
		}
	}
	p.countAxis(ticks, y)
	u := unitNamed(p.s.Unit)
	for _, b := range p.s.Bars {
		from, to := p.x(b.From), p.x(u.after(b.From, 1))
		gap := min((to-from)*0.15, 3)
		when := b.From.Format(u.format)
		p.bar("in", from+gap, to-gap, y(min(b.Joined, in)), y(0), when, b.Joined, "joined")
		p.bar("out", from+gap, to-gap, y(0), y(-min(b.Left, out)), when, b.Left, "left")
		if b.Joined > in {
			p.text(int(to)+4, upper+10, "soft", "start", "↑ "+render.Number(b.Joined))
		}
		if b.Left > out {
			p.text(int(to)+4, lower, "soft", "start", "↓ "+render.Number(b.Left))
		}
	}
}

// limits are how high bars are drawn, upwards and downwards: as high as the highest, but
// where that one would leave the others no room, as when a group is founded with many
// members. What is cut off has its number written beside it.
func limits(joined, gone []int) (in, out int) {
	all := slices.Sorted(slices.Values(slices.Concat([]int{0, 0}, joined, gone)))
	highest, next := all[len(all)-1], all[len(all)-2]
	const much = 4
	if next > 0 && highest > much*next {
		highest = 2 * next
	}
	return min(slices.Max(append(joined, 0)), highest), min(slices.Max(append(gone, 0)), highest)
}

func (p *picture) bar(class string, from, to, above, below float64, when string, n int, what string) {
	if n == 0 {
		return
	}
	fmt.Fprintf(p, `<rect class="%s" x="%s" y="%s" width="%s" height="%s"><title>%s: %s %s</title></rect>`+"\n",
		class, number(from), number(above), number(max(to-from, 1)), number(max(below-above, 0.5)), when, render.Number(n), what)
}

// round is the largest round number up to n: 1, 2 or 5 times a power of ten.
func round(n int) int {
	if n < 1 {
		return 0
	}
	last := 1
	for _, next := range cycle() {
		if next > n {
			break
		}
		last = next
	}
	return last
}

// dismissals marks when the group ended. Labels that would lie on each other are left
// out.
func (p *picture) dismissals() {
	labelled := -1000.0
	for _, t := range p.s.Dismissals() {
		x := p.x(t)
		fmt.Fprintf(p, `<path class="end" d="M%s %dV%d"/>`+"\n", number(x), top-4, lower)
		if x-labelled < 80 {
			continue
		}
		labelled = x
		anchor, at := "start", max(int(x)+6, left+64) // beside "members"
		if x > right-80 {
			anchor, at = "end", int(x)-6
		}
		p.text(at, top-10, "ended", anchor, "dismissed")
	}
}

func unitNamed(name string) unit {
	for _, u := range []unit{hour, daily, week, month, third} {
		if u.name == name {
			return u
		}
	}
	return year
}

func (p *picture) text(x, y int, class, anchor, text string) {
	fmt.Fprintf(p, `<text x="%d" y="%d" class="%s" text-anchor="%s">`, x, y, class, anchor)
	p.escape(text)
	p.WriteString("</text>\n")
}

func (p *picture) element(open, text string) {
	fmt.Fprintf(p, "<%s>", open)
	p.escape(text)
	name, _, _ := strings.Cut(open, " ")
	fmt.Fprintf(p, "</%s>\n", name)
}

// escape writes what users have written as text, and nothing but text.
func (p *picture) escape(text string) {
	_ = xml.EscapeText(p, []byte(render.Line(text))) // a buffer takes everything
}

// number is a coordinate, to a tenth.
func number(x float64) string {
	text := strconv.FormatFloat(x, 'f', 1, 64)
	return strings.TrimSuffix(text, ".0")
}
