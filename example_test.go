package grouplog_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"slices"
	"time"

	"github.com/grouplog/grouplog"
	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections"
	"github.com/grouplog/grouplog/projections/audit"
	"github.com/grouplog/grouplog/projections/groupview"
)

// Bob asks to join Alice's group, Alice hears of it and lets him in.
func Example() {
	ctx := context.Background()
	engine, err := grouplog.Open(ctx, grouplog.Memory, nil)
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")

	alice.AddGroupListener(grouplog.Listener{OnReceiveJoinApplication: func(n grouplog.Notification) {
		fmt.Printf("alice hears: %s asks to join %s: %s\n", n.Members[0].UserID, n.GroupID, n.Message)
		_ = alice.AcceptApplication(ctx, n.Application, "welcome")
	}})
	bob.AddGroupListener(grouplog.Listener{OnApplicationProcessed: func(n grouplog.Notification) {
		fmt.Printf("bob hears: agreed: %t, %s\n", *n.Agreed, n.Reason)
	}})

	alice.CreateGroup(ctx, domain.Public, "chess", "Chess club")
	outcome, _ := bob.JoinGroup(ctx, "chess", "it's me!")
	fmt.Println("bob's request is", outcome)
	engine.WaitForListeners(ctx) // alice has accepted,
	engine.WaitForListeners(ctx) // and bob has heard of it
	for member, err := range engine.Members(ctx, "chess", groupview.MemberFilter{}) {
		fmt.Println(member.UserID, member.Role, err)
	}
	// Unordered output:
	// bob's request is pending
	// alice hears: bob asks to join chess: it's me!
	// bob hears: agreed: true, welcome
	// alice owner <nil>
	// bob member <nil>
}

// A durable listener goes on where it was: what happens while nobody listens comes
// later.
func ExampleEngine_Listen() {
	ctx, engine := open()
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")
	mail := func(_ context.Context, d grouplog.Delivery) error {
		fmt.Println(d.ID, d.Kind, d.Occasion, slices.Sorted(d.Receivers()))
		return nil
	}
	mailer, _ := engine.Listen(ctx, "mailer", mail)
	alice.CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	mailer.WaitFor(ctx, 1)
	mailer.Stop()
	bob.JoinGroup(ctx, "standup", "")
	mailer, _ = engine.Listen(ctx, "mailer", mail)
	mailer.WaitFor(ctx, 2)
	// Output:
	// 1/0 OnGroupCreated first [alice]
	// 2/0 OnMemberEnter first [alice bob]
}

func ExampleEngine_Watch() {
	ctx, engine := open()
	defer engine.Close()
	engine.As("alice").CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	go engine.As("bob").JoinGroup(ctx, "standup", "")
	for event, err := range engine.Watch(ctx, projections.Filter{Groups: []string{"standup"}}, 0) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Println(event.Position, audit.Sentence(event))
		if event.Position == 2 {
			break
		}
	}
	// Output:
	// 1 alice created the Meeting group standup, "Stand-up"
	// 2 bob joined standup
}

func ExampleUser_CatchUp() {
	ctx, engine := open()
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")
	alice.CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	bob.JoinGroup(ctx, "standup", "")
	alice.Dismiss(ctx, "standup")
	for n, err := range bob.CatchUp(ctx, 0) {
		fmt.Println(n.ID, n.Kind, err)
	}
	// Output:
	// 2/0 OnMemberEnter <nil>
	// 3/0 OnGroupDismissed <nil>
}

func ExampleUser_CreateGroup() {
	ctx, engine := open()
	defer engine.Close()
	id, err := engine.As("alice").CreateGroup(ctx, domain.Work, "team", "The team")
	fmt.Println(id, err)
	_, err = engine.As("bob").CreateGroup(ctx, domain.Work, "team", "Another team")
	fmt.Println(err)
	// Output:
	// team <nil>
	// refused (10021 group_id_taken): a live group has the ID "team"; choose another ID
}

func ExampleUser_CreateGroupWithMembers() {
	ctx, engine := open()
	defer engine.Close()
	id, err := engine.As("alice").CreateGroupWithMembers(ctx,
		commands.CreateGroup{GroupType: domain.Work, GroupID: "team", Name: "The team", Introduction: "We build it"},
		domain.InitialMember{UserID: "vinson"}, domain.InitialMember{UserID: "park"})
	fmt.Println(id, err)
	printMembers(ctx, engine, "team")
	// Output:
	// team <nil>
	// team: alice (owner) vinson (member) park (member)
}

// Anybody may join a Meeting.
func ExampleUser_JoinGroup_free() {
	ctx, engine := open()
	defer engine.Close()
	engine.As("alice").CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	outcome, err := engine.As("bob").JoinGroup(ctx, "standup", "")
	fmt.Println(outcome, err)
	printMembers(ctx, engine, "standup")
	// Output:
	// joined <nil>
	// standup: alice (owner) bob (member)
}

// Nobody joins a Work group by themselves: members invite.
func ExampleUser_InviteUsers() {
	ctx, engine := open()
	defer engine.Close()
	engine.As("alice").CreateGroup(ctx, domain.Work, "team", "The team")
	_, err := engine.As("bob").JoinGroup(ctx, "team", "")
	fmt.Println(err)
	results, err := engine.As("alice").InviteUsers(ctx, "team", "bob", "alice")
	for _, r := range results {
		fmt.Println(r.UserID, int(r.Result), r.Result)
	}
	fmt.Println(err)
	// Output:
	// refused (10007 not_permitted): nobody can join this group by themselves; ask to be invited
	// bob 1 done
	// alice 2 invalid
	// <nil>
}

// A Public group asks its owner and admins.
func ExampleUser_AcceptApplication() {
	ctx, engine := open()
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")
	alice.CreateGroup(ctx, domain.Public, "chess", "Chess club")
	outcome, _ := bob.JoinGroup(ctx, "chess", "it's me!")
	fmt.Println(outcome)

	page, _ := alice.Applications(ctx, groupview.ApplicationFilter{})
	application := page.Applications[0]
	fmt.Println(page.UnreadCount, "unread:", application.From, application.Message)
	alice.MarkApplicationsRead(ctx)
	fmt.Println(alice.AcceptApplication(ctx, application.ApplicationID, "welcome"))
	fmt.Println(errors.Is(alice.AcceptApplication(ctx, application.ApplicationID, "again"), domain.ErrApplicationDecided))
	printMembers(ctx, engine, "chess")
	// Output:
	// pending
	// 1 unread: bob it's me!
	// <nil>
	// true
	// chess: alice (owner) bob (member)
}

func ExampleUser_RefuseApplication() {
	ctx, engine := open()
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")
	alice.CreateGroup(ctx, domain.Public, "chess", "Chess club")
	bob.AddGroupListener(grouplog.Listener{OnApplicationProcessed: func(n grouplog.Notification) {
		fmt.Printf("bob hears: agreed: %t, %s\n", *n.Agreed, n.Reason)
	}})
	bob.JoinGroup(ctx, "chess", "let me in")
	page, _ := alice.Applications(ctx, groupview.ApplicationFilter{Select: groupview.PendingApplications})
	fmt.Println(alice.RefuseApplication(ctx, page.Applications[0].ApplicationID, "not today"))
	engine.WaitForListeners(ctx)
	printMembers(ctx, engine, "chess")
	// Unordered output:
	// <nil>
	// bob hears: agreed: false, not today
	// chess: alice (owner)
}

// Only the given fields change.
func ExampleUser_SetGroupInfo() {
	ctx, engine := open()
	defer engine.Close()
	alice := engine.As("alice")
	alice.CreateGroup(ctx, domain.Public, "chess", "Chess club")
	fmt.Println(alice.SetGroupInfo(ctx, "chess", commands.SetGroupInfo{JoinOption: domain.Any, Introduction: new("Come in")}))
	outcome, _ := engine.As("bob").JoinGroup(ctx, "chess", "")
	group, _ := engine.Group(ctx, "chess")
	fmt.Println(outcome, "|", group.Name, "|", group.Introduction, "|", group.JoinOption)
	// Output:
	// <nil>
	// joined | Chess club | Come in | Any
}

// Audio-video groups are not in the list.
func ExampleUser_JoinedGroups() {
	ctx, engine := open()
	defer engine.Close()
	alice := engine.As("alice")
	alice.CreateGroup(ctx, domain.Work, "team", "The team")
	alice.CreateGroup(ctx, domain.AVChatRoom, "live", "The live show")
	engine.As("bob").CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	alice.JoinGroup(ctx, "standup", "")
	for group, err := range alice.JoinedGroups(ctx) {
		fmt.Println(group.GroupID, group.Role, err)
	}
	// Output:
	// team owner <nil>
	// standup member <nil>
}

// The owner of a Work group may quit: the group passes to who has been in it longest.
func ExampleUser_Quit() {
	ctx, engine := open()
	defer engine.Close()
	alice := engine.As("alice")
	alice.CreateGroupWithMembers(ctx, commands.CreateGroup{GroupType: domain.Work, GroupID: "team", Name: "The team"},
		domain.InitialMember{UserID: "bob"}, domain.InitialMember{UserID: "carol"})
	fmt.Println(alice.Quit(ctx, "team"))
	printMembers(ctx, engine, "team")

	alice.CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	fmt.Println(alice.Quit(ctx, "standup"))
	// Output:
	// <nil>
	// team: bob (owner) carol (member)
	// refused (10009 owner_must_stay): the owner may not quit a group of this type; transfer ownership first, or dismiss the group
}

func ExampleUser_Dismiss() {
	ctx, engine := open()
	defer engine.Close()
	alice := engine.As("alice")
	alice.CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	fmt.Println(alice.Dismiss(ctx, "standup"))
	_, err := engine.As("bob").JoinGroup(ctx, "standup", "")
	fmt.Println(errors.Is(err, domain.ErrGroupDismissed))
	// Output:
	// <nil>
	// true
}

// Groups in which nothing happens are recycled if the policy says so.
func ExampleEngine_RecycleIdle() {
	ctx := context.Background()
	now := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	policies := domain.Classic()
	meeting := policies[domain.Meeting]
	meeting.RecycleAfter = 30 * 24 * time.Hour
	policies[domain.Meeting] = meeting
	engine, err := grouplog.Open(ctx, grouplog.Memory, &grouplog.Options{Policies: policies, Clock: func() time.Time { return now }})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	alice := engine.As("alice")
	alice.AddGroupListener(grouplog.Listener{OnGroupRecycled: func(n grouplog.Notification) {
		fmt.Println("alice hears:", n.GroupID, "was recycled")
	}})
	alice.CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	now = now.Add(31 * 24 * time.Hour)
	fmt.Println(engine.RecycleIdle(ctx))
	engine.WaitForListeners(ctx)
	// Unordered output:
	// 1 <nil>
	// alice hears: standup was recycled
}

// The operator of the application may tell members what it likes.
func ExampleUser_Do() {
	ctx, engine := open()
	defer engine.Close()
	alice := engine.As("alice")
	alice.AddGroupListener(grouplog.Listener{OnReceiveCustomNotification: func(n grouplog.Notification) {
		fmt.Printf("alice hears: %s\n", n.Data)
	}})
	alice.CreateGroup(ctx, domain.Work, "team", "The team")
	receipt, err := engine.AsAppAdmin("operator").Do(ctx,
		commands.SendCustomNotification{GroupID: "team", Data: []byte("maintenance at noon")}, commands.WithID("notice-7"))
	fmt.Println(receipt.Events, err)
	engine.WaitForListeners(ctx)
	// Unordered output:
	// [notification.sent] <nil>
	// alice hears: maintenance at noon
}

// Whoever asks twice with the same command ID is answered twice, and it happens
// once.
func ExampleEngine_Do_idempotent() {
	ctx, engine := open()
	defer engine.Close()
	engine.As("alice").CreateGroup(ctx, domain.Meeting, "standup", "Stand-up")
	for range 2 {
		receipt, err := engine.Do(ctx, domain.Actor{UserID: "bob"}, commands.RequestJoin{GroupID: "standup"}, commands.WithID("client-42"))
		fmt.Println(receipt.Outcome, receipt.Position, "repeated:", receipt.Repeated, err)
	}
	// Output:
	// joined 2 repeated: false <nil>
	// joined 2 repeated: true <nil>
}

// A type of one's own is a column of the policy table.
func ExampleOptions() {
	ctx := context.Background()
	policies := domain.Classic()
	clan := policies[domain.Public]
	clan.MemberLimit = 2
	policies["Clan"] = clan
	engine, err := grouplog.Open(ctx, grouplog.Memory, &grouplog.Options{Policies: policies})
	if err != nil {
		log.Fatal(err)
	}
	defer engine.Close()

	engine.As("alice").CreateGroupWithMembers(ctx, commands.CreateGroup{GroupType: "Clan", GroupID: "wolves", Name: "Wolves"}, domain.InitialMember{UserID: "bob"})
	_, err = engine.As("carol").JoinGroup(ctx, "wolves", "")
	fmt.Println(err)
	// Output:
	// refused (10014 group_full): a Clan group has at most 2 members, this one has 2, and 1 would come; wait until somebody leaves, or ask the operator to raise the limit
}

// The audit finds what was done, and what was tried and refused.
func ExampleEngine_Audit() {
	ctx, engine := open()
	defer engine.Close()
	alice, bob := engine.As("alice"), engine.As("bob")
	alice.CreateGroup(ctx, domain.Public, "chess", "Chess club")
	bob.JoinGroup(ctx, "chess", "it's me!")
	bob.Dismiss(ctx, "chess")
	alice.RefuseApplication(ctx, "chess/1/1", "full")

	show := func(q audit.Query) {
		for entry, err := range engine.Audit(ctx, q) {
			if err != nil {
				log.Fatal(err)
			}
			fmt.Println(entry.Outcome, entry.Action+":", entry.Sentence)
		}
	}
	show(audit.Query{Persons: []string{"bob"}, Actions: []string{"application.*"}, Oldest: true})
	show(audit.Query{Actors: []string{"bob"}, Outcome: audit.Refused})
	// Output:
	// done application.submitted: bob applied to join chess: it's me!
	// done application.refused: alice refused bob's application to chess: full
	// refused Dismiss: bob tried Dismiss in chess and was refused, not_permitted: who may dismiss this group: owner
}

func open() (context.Context, *grouplog.Engine) {
	ctx := context.Background()
	engine, err := grouplog.Open(ctx, grouplog.Memory, nil)
	if err != nil {
		log.Fatal(err)
	}
	return ctx, engine
}

func printMembers(ctx context.Context, engine *grouplog.Engine, groupID string) {
	fmt.Print(groupID, ":")
	for member, err := range engine.Members(ctx, groupID, groupview.MemberFilter{}) {
		if err != nil {
			log.Fatal(err)
		}
		fmt.Printf(" %s (%s)", member.UserID, member.Role)
	}
	fmt.Println()
}
