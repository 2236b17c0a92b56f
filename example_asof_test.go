package grouplog_test

import (
	"context"
	"fmt"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/groupview"
)

// The past answers the questions of the present: who was in a group, what has changed
// since, why it was so, and what would have been allowed.
func ExampleEngine_AsOf() {
	ctx := context.Background()
	engine, err := grouplog.Open(ctx, grouplog.Memory, nil)
	if err != nil {
		panic(err)
	}
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")
	alice.CreateGroup(ctx, domain.Meeting, "go", "Go")
	bob.JoinGroup(ctx, "go", "")
	receipt, _ := alice.Do(ctx, commands.SetMemberRole{GroupID: "go", UserID: "bob", Role: domain.Admin})
	bob.Quit(ctx, "go")

	then := grouplog.AtPosition(receipt.Position)
	asOf, err := engine.AsOf(ctx, then)
	if err != nil {
		panic(err)
	}
	for member := range asOf.Members(ctx, "go", groupview.MemberFilter{}) {
		fmt.Println(member.UserID, member.Role)
	}
	why, _ := asOf.WhyRole(ctx, "go", "bob")
	fmt.Println(why.Fact)
	for _, event := range why.Events {
		fmt.Println(event.Position, event.Type)
	}
	fmt.Println("may mute:", asOf.May(ctx, bob.Actor(), commands.MuteAll{GroupID: "go", Muted: true}) == nil)
	changes, _ := engine.DiffGroup(ctx, "go", then, grouplog.Moment{})
	fmt.Println(changes)
	// Output:
	// alice owner
	// bob admin
	// bob is admin of go
	// 1 group.created
	// 2 member.joined
	// 3 member.role_changed
	// may mute: true
	// [bob left go, having been admin]
}
