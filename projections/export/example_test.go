package export_test

import (
	"context"
	"fmt"
	"log"
	"os"
	"time"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/memory"
	"github.com/grouplog/grouplog/projections/export"
)

// Who came and went in one group, as CloudEvents.
func ExampleWrite() {
	ctx := context.Background()
	store := memory.New() // or engine.Log()
	defer store.Close()
	now := time.Date(2026, 1, 2, 12, 0, 0, 0, time.UTC)
	_, err := store.Append(ctx, eventstore.Commit{Stream: domain.GroupStream("chess"), Expect: eventstore.Any(), Events: []eventstore.Event{
		{Type: "group.muted", Schema: 1, Data: []byte(`{"muted":true}`), Actor: "alice", Time: now},
		{Type: "member.joined", Schema: 1, Data: []byte(`{"userID":"bob"}`), Actor: "bob", Time: now},
	}})
	if err != nil {
		log.Fatal(err)
	}

	var wanted export.Selection
	wanted.Groups, wanted.Types = []string{"chess"}, []string{"member.*", "members.*"}
	if err := wanted.Validate(); err != nil {
		log.Fatal(err)
	}
	summary, err := export.Write(ctx, os.Stdout, export.CloudEvents{LogID: "0198f2a0-0000-7000-8000-000000000001"}, wanted.Records(ctx, store), nil)
	fmt.Println(summary.Events, err)
	// Output:
	// {"specversion":"1.0","id":"2","source":"urn:uuid:0198f2a0-0000-7000-8000-000000000001","type":"io.github.grouplog.member.joined.v1","subject":"chess","time":"2026-01-02T12:00:00Z","datacontenttype":"application/json","sequence":"00000000000000000002","authtype":"app_user","authid":"bob","stream":"group:chess","streamversion":"2","data":{"userID":"bob"}}
	// 1 <nil>
}
