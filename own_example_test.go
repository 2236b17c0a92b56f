package grouplog_test

import (
	"context"
	"database/sql"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
)

// daily counts, for each day, who came into groups and who went.
type daily struct{}

func (daily) Name() string    { return "daily" }
func (daily) Version() int    { return 1 }
func (daily) Types() []string { return []string{"group.*", "member.*", "members.*"} }
func (daily) Schema() string {
	return "CREATE TABLE daily (day TEXT PRIMARY KEY, came INTEGER NOT NULL, went INTEGER NOT NULL) STRICT, WITHOUT ROWID"
}

func (daily) Apply(_ context.Context, tx *projections.Tx, events []projections.Event) error {
	for _, e := range events {
		came, went := 0, 0
		switch fact := e.Fact.(type) {
		case domain.GroupCreated:
			came = 1 + len(fact.Members)
		case domain.GroupImported:
			came = 1 + len(fact.Members)
		case domain.MemberJoined, domain.MemberImported:
			came = 1
		case domain.MembersInvited:
			came = len(fact.UserIDs)
		case domain.MemberLeft:
			went = 1
		case domain.MembersKicked:
			went = len(fact.UserIDs)
		default:
			continue
		}
		err := tx.Exec(`INSERT INTO daily (day, came, went) VALUES (?, ?, ?)
			ON CONFLICT (day) DO UPDATE SET came = came + excluded.came, went = went + excluded.went`,
			e.Time.UTC().Format(time.DateOnly), came, went)
		if err != nil {
			return err
		}
	}
	return nil
}

// Membership counts per day: a read model of one's own, as a table and a plot.
func ExampleEngine_Read() {
	now := time.Date(2024, time.May, 1, 9, 0, 0, 0, time.UTC)
	ctx := context.Background()
	engine, err := grouplog.Open(ctx, grouplog.Memory, &grouplog.Options{
		Projections: []projections.Projection{daily{}}, Clock: func() time.Time { return now },
	})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	engine.As("alice").CreateGroup(ctx, domain.Meeting, "chess", "Chess club")
	for day, joining := range []string{"bob carol", "dave eve frank grace", "heidi", ""} {
		for user := range strings.FieldsSeq(joining) {
			engine.As(user).JoinGroup(ctx, "chess", "")
		}
		if day == 2 {
			engine.As("bob").Quit(ctx, "chess")
			engine.As("eve").Quit(ctx, "chess")
		}
		now = now.AddDate(0, 0, 1)
	}

	err = engine.Read(ctx, "daily", func(tx *sql.Tx) error {
		rows, err := tx.QueryContext(ctx, "SELECT day, came, went, sum(came - went) OVER (ORDER BY day) FROM daily ORDER BY day")
		if err != nil {
			return err
		}
		defer rows.Close()
		fmt.Println("day         came  went  members")
		for rows.Next() {
			var day string
			var came, went, members int
			if err := rows.Scan(&day, &came, &went, &members); err != nil {
				return err
			}
			fmt.Printf("%s  %4d  %4d  %7d  %s\n", day, came, went, members, strings.Repeat("█", members))
		}
		return rows.Err()
	})
	if err != nil {
		log.Fatal(err)
	}
	// Output:
	// day         came  went  members
	// 2024-05-01     3     0        3  ███
	// 2024-05-02     4     0        7  ███████
	// 2024-05-03     1     2        6  ██████
}
