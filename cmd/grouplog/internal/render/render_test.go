package render

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

func TestNumber(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1 000", 14066: "14 066", 1234567: "1 234 567", -1234: "-1 234", -123: "-123"} {
		require.Equal(t, want, Number(n))
	}
	require.Equal(t, "1 group", Count(1, "group", "groups"))
	require.Equal(t, "0 groups", Count(0, "group", "groups"))
}

func TestTable(t *testing.T) {
	table := NewTable("name", "#members")
	table.Row("chess\x1b[31m\nclub", "1 234")
	table.Row("gö", "5")
	var out bytes.Buffer
	require.NoError(t, table.WriteIndented(&out, "> "))
	require.Equal(t, "> NAME             MEMBERS\n> chess [31m club    1 234\n> gö                     5\n", out.String())
}

// A progress appears after a while, is drawn now and then, and leaves nothing behind.
func TestProgress(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &Progress{out: &out, visible: true, what: "import", unit: "commands", start: now, now: func() time.Time { return now }}
	p.Update(0, 0)
	require.Empty(t, out.String())
	now = now.Add(time.Second)
	p.Update(1234, 0.25)
	require.Equal(t, "\r\x1b[Kimport  ██████░░░░░░░░░░░░░░░░░░  25%  1 234 commands  1 234/s  3s left", out.String())
	p.Update(1235, 0.26)
	require.Equal(t, 1, strings.Count(out.String(), "\r"), "it is not drawn again at once")
	_, err := p.Write([]byte("x.jsonl:3: refused\n"))
	require.NoError(t, err)
	require.True(t, strings.HasSuffix(out.String(), "\r\x1b[Kx.jsonl:3: refused\n"))
	now = now.Add(time.Second)
	p.Update(3000, -1)
	require.True(t, strings.HasSuffix(out.String(), "import  3 000 commands  1 500/s"))
	p.Done()
	p.Update(4000, 0.9)
	require.True(t, strings.HasSuffix(out.String(), "\r\x1b[K"))
}

// What goes on from where it was, such as a rebuild, does not count that as its own.
func TestProgressThatGoesOn(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(0, 0)
	p := &Progress{out: &out, visible: true, what: "rebuild", unit: "events", start: now, now: func() time.Time { return now }}
	p.Update(800_000, 0.8)
	now = now.Add(2 * time.Second)
	p.Update(810_000, 0.81)
	require.Contains(t, out.String(), " 81%  810 000 events  5 000/s  38s left")
}

func TestNobodyLooks(t *testing.T) {
	var out bytes.Buffer
	p := NewProgress(&out, "import", "commands")
	p.start = time.Unix(0, 0)
	p.Update(1, 0.5)
	p.Done()
	require.Empty(t, out.String())
	require.Equal(t, "x", StyleFor(&out).Bold("x"))
	require.Equal(t, "\x1b[1mx\x1b[0m", Style{on: true}.Bold("x"))
}
