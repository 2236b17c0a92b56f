package chart_test

import (
	"encoding/xml"
	"errors"
	"flag"
	"fmt"
	"io"
	"iter"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/cmd/grouplog/internal/chart"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
)

var update = flag.Bool("update", false, "write the golden file")

var monday = time.Date(2024, 1, 1, 9, 30, 0, 0, time.UTC)

// at is an event so many days after the beginning.
func at(t testing.TB, days int, fact domain.Event) eventstore.Record {
	name, schema, data, err := domain.Encode(fact)
	require.NoError(t, err)
	return eventstore.Record{Stream: domain.GroupStream("chess"), Event: eventstore.Event{
		Type: name, Schema: schema, Data: data, Actor: "alice", Time: monday.AddDate(0, 0, days),
	}}
}

func all(records []eventstore.Record) iter.Seq2[eventstore.Record, error] {
	return func(yield func(eventstore.Record, error) bool) {
		for _, r := range records {
			if !yield(r, nil) {
				return
			}
		}
	}
}

func read(t require.TestingT, records ...eventstore.Record) chart.Series {
	s, err := chart.Read("chess", all(records))
	require.NoError(t, err)
	return s
}

func founded(name string) domain.GroupCreated {
	return domain.GroupCreated{GroupType: domain.Meeting, Owner: "alice", Name: name, Members: []domain.InitialMember{{UserID: "bob"}}}
}

// story is a group that ends, and another with its ID.
func story(t testing.TB) []eventstore.Record {
	return []eventstore.Record{
		at(t, 0, founded("Chess")),
		at(t, 3, domain.MembersInvited{UserIDs: []string{"carol", "dave", "erin"}}),
		at(t, 3, domain.MemberLeft{UserID: "bob"}),
		at(t, 9, domain.MembersKicked{UserIDs: []string{"carol", "dave"}}),
		at(t, 12, domain.MemberRoleChanged{UserID: "erin", Role: domain.Admin}),
		at(t, 14, domain.GroupDismissed{Cause: domain.Asked}),
		at(t, 20, founded(`Chess <b>"&"</b>`)),
		at(t, 28, domain.MemberJoined{UserID: "carol"}),
	}
}

func TestSeries(t *testing.T) {
	s := read(t, story(t)...)
	require.Equal(t, []chart.Point{
		{At: monday, Members: 2, Joined: 2},
		{At: monday.AddDate(0, 0, 3), Members: 4, Joined: 3, Left: 1},
		{At: monday.AddDate(0, 0, 9), Members: 2, Left: 2},
		{At: monday.AddDate(0, 0, 14), Members: 0, Dismissed: true}, // nobody has left
		{At: monday.AddDate(0, 0, 20), Members: 2, Joined: 2},
		{At: monday.AddDate(0, 0, 28), Members: 3, Joined: 1},
	}, s.Points)
	require.Equal(t, "day", s.Unit)
	require.Equal(t, chart.Bar{From: monday.AddDate(0, 0, 3).Truncate(24 * time.Hour), Joined: 3, Left: 1}, s.Bars[1])
	require.Equal(t, []time.Time{monday.AddDate(0, 0, 14)}, s.Dismissals())
	joined, left := s.Total()
	require.Equal(t, []int{8, 3, 3}, []int{joined, left, s.Last()})
	require.Equal(t, monday.Truncate(24*time.Hour), s.From)
	require.Equal(t, monday.AddDate(0, 0, 29).Truncate(24*time.Hour), s.To)

	part := s.Between(monday.AddDate(0, 0, 4), monday.AddDate(0, 0, 10))
	require.Equal(t, 4, part.Before)
	require.Len(t, part.Points, 1)
	require.Equal(t, 2, part.Last())
}

// Whose last member leaves is dismissed, and that member has left.
func TestEmptied(t *testing.T) {
	founded := founded("Chess")
	founded.Members = nil
	s := read(t, at(t, 0, founded), at(t, 1, domain.MemberLeft{UserID: "alice"}), at(t, 1, domain.GroupDismissed{Cause: domain.Emptied}))
	require.Equal(t, chart.Point{At: monday.AddDate(0, 0, 1), Left: 1, Dismissed: true}, s.Points[1])
}

// An ID that is taken again at the moment of a dismissal is another group from then on.
func TestTakenAgainAtOnce(t *testing.T) {
	s := read(t, at(t, 0, founded("Chess")), at(t, 1, domain.GroupDismissed{Cause: domain.Asked}), at(t, 1, founded("Chess")))
	require.Equal(t, []chart.Point{
		{At: monday.AddDate(0, 0, 1), Dismissed: true},
		{At: monday.AddDate(0, 0, 1), Members: 2, Joined: 2},
	}, s.Points[1:])
	requireSound(t, &s)
}

// What cannot be read comes back.
func TestUnreadable(t *testing.T) {
	wrong := at(t, 0, founded("Chess"))
	wrong.Data = []byte(`{"owner":7}`)
	_, err := chart.Read("chess", all([]eventstore.Record{wrong}))
	require.ErrorContains(t, err, "cannot be read")
	broken := errors.New("broken")
	_, err = chart.Read("chess", func(yield func(eventstore.Record, error) bool) { yield(eventstore.Record{}, broken) })
	require.ErrorIs(t, err, broken)
}

// At every time, a series says what folding the events until then does, and joining and
// leaving add up to that; and every picture of any part of it is sound.
func TestHistories(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		world := domaintest.History(t, 60)
		group := rapid.SampledFrom(domaintest.Groups).Draw(t, "group")
		var records []eventstore.Record
		for _, r := range world.Records() {
			if r.Stream == domain.GroupStream(group) {
				r.Time = monday.Add(r.Time.Sub(world.Records()[0].Time))
				records = append(records, r)
			}
		}
		if len(records) == 0 {
			return
		}
		s := read(t, records...)
		g, next := domain.NewGroup(group), 0
		members := 0
		for i, r := range records {
			fact, err := domain.Decode(r.Type, r.Schema, r.Data)
			require.NoError(t, err)
			g.Apply(fact, domain.Meta{Actor: domain.Actor{UserID: r.Actor, AppAdmin: r.AppAdmin}, At: r.Time})
			if i+1 < len(records) && records[i+1].Time.Equal(r.Time) {
				continue // of what happens at one time, the end counts
			}
			for next < len(s.Points) && !s.Points[next].At.After(r.Time) {
				p := s.Points[next]
				if members += p.Joined - p.Left; p.Dismissed {
					members = 0
				}
				require.Equal(t, p.Members, members)
				next++
			}
			require.Equal(t, g.Count(), members)
		}
		require.Equal(t, len(s.Points), next)
		joined, left := s.Total()
		for _, p := range s.Points {
			joined, left = joined-p.Joined, left-p.Left
		}
		require.Equal(t, [2]int{}, [2]int{joined, left}, "the bars hold all")

		from := monday.Add(time.Duration(rapid.Int64Range(-1e15, 1e16).Draw(t, "from")))
		part := s.Between(from, from.Add(time.Duration(rapid.Int64Range(1, 1e18).Draw(t, "length"))))
		for _, s := range []chart.Series{s, part, s.Between(from, time.Time{}), s.Between(time.Time{}, from)} {
			requireSound(t, &s)
		}
	})
}

// requireSound asks for well-formed XML without anything that is not a number in it, the
// same each time, and not large.
func requireSound(t require.TestingT, s *chart.Series) {
	picture := s.SVG()
	require.Equal(t, string(picture), string(s.SVG()))
	require.Less(t, len(picture), 64<<10)
	require.NotContains(t, string(picture), "NaN")
	require.NotContains(t, string(picture), "Inf")
	for decoder := xml.NewDecoder(strings.NewReader(string(picture))); ; {
		if _, err := decoder.Token(); err == io.EOF {
			return
		} else {
			require.NoError(t, err, string(picture))
		}
	}
}

// What users have written is text.
func TestNamesAreText(t *testing.T) {
	for _, name := range []string{`<script>alert("1")</script>`, "]]>", "a\x00b\nc", "\xff", strings.Repeat("囲", 200), ""} {
		s := read(t, at(t, 0, founded(name)))
		requireSound(t, &s)
		require.NotContains(t, string(s.SVG()), "<script")
		require.Less(t, strings.Count(string(s.SVG()), "囲"), 200)
	}
}

// A million points do not make a picture of a million steps.
func TestLargeGroup(t *testing.T) {
	s := chart.Series{GroupID: "large", From: monday, To: monday.AddDate(2, 0, 0), Points: []chart.Point{}}
	for i := range 1_000_000 {
		s.Points = append(s.Points, chart.Point{At: monday.Add(time.Duration(i) * time.Minute), Members: i + 1, Joined: 1})
	}
	whole := s.Between(time.Time{}, time.Time{})
	require.Less(t, len(whole.SVG()), 256<<10)
	require.Equal(t, 1_000_000, whole.Last())
}

// club is a group that grows for two years, faster in winter, and once lets go of those
// who have not come for long.
func club(t testing.TB) []eventstore.Record {
	founded := founded("Chess club")
	for i := range 9 {
		founded.Members = append(founded.Members, domain.InitialMember{UserID: fmt.Sprint("founder", i)})
	}
	records := []eventstore.Record{at(t, 7, founded)}
	var here []string
	for week := range 104 {
		winter := max(0, 26-abs(week%52-2), 26-abs(week%52-54)) / 9
		for i := range winter + (week*7)%3 {
			user := fmt.Sprintf("user%d-%d", week, i)
			here = append(here, user)
			records = append(records, at(t, 8+7*week+i, domain.MemberJoined{UserID: user}))
		}
		if week%3 == 1 && len(here) > 4 {
			records = append(records, at(t, 13+7*week, domain.MemberLeft{UserID: here[0]}))
			here = here[1:]
		}
		if week == 70 {
			records = append(records, at(t, 14+7*week, domain.MembersKicked{UserIDs: here[:31], Reason: "not seen for a year"}))
			here = here[31:]
		}
	}
	return records
}

func abs(n int) int { return max(n, -n) }

// The pictures stay as they are, until somebody has looked at others. One of them is
// shown in the documentation.
func TestGolden(t *testing.T) {
	for file, records := range map[string][]eventstore.Record{
		"testdata/chess.svg":         story(t),
		"../../../../docs/chart.svg": club(t),
	} {
		s := read(t, records...)
		if *update {
			require.NoError(t, os.WriteFile(file, s.SVG(), 0o644))
		}
		want, err := os.ReadFile(file)
		require.NoError(t, err)
		require.Equal(t, string(want), string(s.SVG()), "look at it, and then: go test ./cmd/grouplog/internal/chart -update")
	}
}
