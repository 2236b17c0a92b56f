package export_test

import (
	"encoding/csv"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/export"
)

// A reader that knows nothing of us reads the records from the table.
func TestCSVReadBack(t *testing.T) {
	check := func(t require.TestingT, records []eventstore.Record) {
		text, _ := write(t, export.CSV{}, records)
		rows, err := csv.NewReader(strings.NewReader(text)).ReadAll()
		require.NoError(t, err)
		require.Equal(t, "position,time,event,schema,group,stream,version,actor,app_admin,command_id,users,data", strings.Join(rows[0], ","))
		require.Len(t, rows, len(records)+1)
		for i, want := range records {
			// That reader takes the carriage return out of a line end inside of a cell.
			want.Stream = strings.ReplaceAll(want.Stream, "\r\n", "\n")
			require.Equal(t, want, recordOf(t, rows[0], rows[i+1]))
		}
	}
	check(t, registry(t))
	rapid.Check(t, func(t *rapid.T) {
		records := histories(t)
		for i := range records { // people may be called anything that is printable
			records[i].Actor = rapid.StringMatching(`[ -~]{0,5}`).Draw(t, "actor")
			records[i].CommandID = rapid.StringMatching(`[=+@'",;\-][ -~]{0,3}`).Draw(t, "command")
		}
		check(t, records)
	})
}

func recordOf(t require.TestingT, names, row []string) eventstore.Record {
	cell := map[string]string{}
	for i, name := range names {
		cell[name] = export.Original(row[i])
	}
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(cell[name], 10, 64)
		require.NoError(t, err)
		return n
	}
	at, err := time.Parse(time.RFC3339Nano, cell["time"])
	require.NoError(t, err)
	r := eventstore.Record{
		Position: eventstore.Position(number("position")), Stream: cell["stream"], Version: eventstore.Version(number("version")),
		Event: eventstore.Event{
			Type: cell["event"], Schema: int(number("schema")), Data: []byte(cell["data"]), Actor: cell["actor"],
			AppAdmin: cell["app_admin"] == "true", Time: at, CommandID: cell["command_id"],
		},
	}
	event, err := projections.Decode(r)
	require.NoError(t, err)
	if group, ok := domain.GroupOf(cell["stream"]); ok {
		require.Equal(t, group, cell["group"])
	} else {
		require.Empty(t, cell["group"])
	}
	var users []string
	require.NoError(t, json.Unmarshal([]byte(cell["users"]), &users))
	require.ElementsMatch(t, audit.Subjects(event), users)
	return r
}

// No cell begins as a formula does, and every text can be had back.
func TestHarmless(t *testing.T) {
	for _, text := range []string{"=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "\r=1", "\n=1", "＝1", "－1", "'=1", "''", "'"} {
		require.Equal(t, "'"+text, export.Harmless(text))
	}
	for _, text := range []string{"", "a", "1", "a=1", "é", "囲碁", " =1", "\xff"} {
		require.Equal(t, text, export.Harmless(text))
	}
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.OneOf(rapid.String(), rapid.StringMatching(`[=+\-@\t\r\n＝＋－＠'a ]{0,4}`)).Draw(t, "text")
		cell := export.Harmless(text)
		require.Equal(t, text, export.Original(cell))
		for _, sign := range "=+-@\t\r\n＝＋－＠" {
			require.False(t, strings.HasPrefix(cell, string(sign)), cell)
		}
	})
}

// The table is as RFC 4180 has it: rows end with CRLF, and what a cell holds is not
// changed, line ends included.
func TestCSVBytes(t *testing.T) {
	r := registry(t)
	text, _ := write(t, export.CSV{}, r[len(r)-1:])
	_, row, _ := strings.Cut(text, "\r\n")
	require.Contains(t, row, ",\"message:=news, \"\"all\"\"\r\nof it\",")
	require.True(t, strings.HasSuffix(row, "\r\n"))

	lone := record("member.joined", []byte(`{"userID":"bob"}`))
	lone.CommandID = "a\rb"
	text, _ = write(t, export.CSV{}, []eventstore.Record{lone})
	require.Contains(t, text, ",\"a\rb\",")
}
