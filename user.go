package grouplog

import (
	"context"
	"iter"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/notify"
)

// Listener is what a user wants to be told: functions named as the callbacks of
// the group document, any of which may be nil.
type Listener = notify.Listener

// Notification is what a listener is told.
type Notification = notify.Notification

// User is the engine as one user sees it, with the functions of the group
// document. Commands that it has no function for are carried out by Do. A User
// holds nothing, may be kept or thrown away, and may be used concurrently.
type User struct {
	engine *Engine
	actor  domain.Actor
}

// Actor is who acts.
func (u *User) Actor() domain.Actor { return u.actor }

// Do carries out any command as this user. See Engine.Do.
func (u *User) Do(ctx context.Context, cmd commands.Command, opts ...commands.Option) (commands.Receipt, error) {
	return u.engine.Do(ctx, u.actor, cmd, opts...)
}

// CreateGroup makes the user owner and first member of a new group, and returns
// its ID, which is assigned where groupID is empty.
func (u *User) CreateGroup(ctx context.Context, groupType domain.GroupType, groupID, name string) (string, error) {
	return u.CreateGroupWithMembers(ctx, commands.CreateGroup{GroupType: groupType, GroupID: groupID, Name: name})
}

// CreateGroupWithMembers is CreateGroup with a profile, and with members beside
// the owner, who need not consent.
func (u *User) CreateGroupWithMembers(ctx context.Context, group commands.CreateGroup, members ...domain.InitialMember) (string, error) {
	group.Members = append(group.Members[:len(group.Members):len(group.Members)], members...)
	receipt, err := u.Do(ctx, group)
	return receipt.GroupID, err
}

// JoinGroup asks to become a member. The answer is commands.Joined, or
// commands.Pending where an approver has to consent.
func (u *User) JoinGroup(ctx context.Context, groupID, message string) (commands.Outcome, error) {
	receipt, err := u.Do(ctx, commands.RequestJoin{GroupID: groupID, Message: message})
	return receipt.Outcome, err
}

// InviteUsers brings users into a group, and answers for each, in the order given,
// what became of it.
func (u *User) InviteUsers(ctx context.Context, groupID string, userIDs ...string) ([]commands.UserResult, error) {
	receipt, err := u.Do(ctx, commands.InviteUsers{GroupID: groupID, UserIDs: userIDs})
	return receipt.Users, err
}

// Applications is a page of the applications to all groups in which the user may
// decide them now, pending and handled, newest first, and the number of unread.
func (u *User) Applications(ctx context.Context, filter groupview.ApplicationFilter) (groupview.ApplicationPage, error) {
	return u.engine.Applications(ctx, u.actor.UserID, filter)
}

// AcceptApplication makes whom an open application is about a member.
func (u *User) AcceptApplication(ctx context.Context, applicationID, reason string) error {
	_, err := u.Do(ctx, commands.AcceptApplication{ApplicationID: applicationID, Reason: reason})
	return err
}

// RefuseApplication closes an open application.
func (u *User) RefuseApplication(ctx context.Context, applicationID, reason string) error {
	_, err := u.Do(ctx, commands.RefuseApplication{ApplicationID: applicationID, Reason: reason})
	return err
}

// MarkApplicationsRead has all applications there are, to any group, count as read.
func (u *User) MarkApplicationsRead(ctx context.Context) error {
	_, err := u.Do(ctx, commands.MarkApplicationsRead{})
	return err
}

// SetGroupInfo changes the given fields of a group's profile, and no others.
func (u *User) SetGroupInfo(ctx context.Context, groupID string, changes commands.SetGroupInfo) error {
	changes.GroupID = groupID
	_, err := u.Do(ctx, changes)
	return err
}

// JoinedGroups yields the groups that the user is in, but for those of types that
// the policies do not list.
func (u *User) JoinedGroups(ctx context.Context) iter.Seq2[groupview.JoinedGroup, error] {
	return u.engine.JoinedGroups(ctx, u.actor.UserID)
}

// Quit ends the user's membership.
func (u *User) Quit(ctx context.Context, groupID string) error {
	_, err := u.Do(ctx, commands.Quit{GroupID: groupID})
	return err
}

// Dismiss ends a group for good.
func (u *User) Dismiss(ctx context.Context, groupID string) error {
	_, err := u.Do(ctx, commands.Dismiss{GroupID: groupID})
	return err
}

// AddGroupListener has the listener called for everything that the user is told
// from now on: of everything that follows the commands which have returned by now.
// It is called in the order of the log, one call at a time, and may be slow, panic,
// remove itself or carry out commands. Adding the same listener twice does not
// double it.
//
// The function returned removes it, at any time. When that has returned, the
// listener is not called again.
func (u *User) AddGroupListener(l Listener) (remove func()) {
	return u.engine.AddGroupListener(u.actor.UserID, l)
}

// CatchUp yields what the user should have been told of everything that stands after a
// position of the log, up to its end: exactly what a listener of theirs would have been
// told. Keep the Position of the last notification of a call that came to its end, to
// go on from there; 0 is the beginning of the log.
func (u *User) CatchUp(ctx context.Context, after eventstore.Position) iter.Seq2[Notification, error] {
	return notify.CatchUp(ctx, u.engine.log, u.engine.options.Policies, u.actor.UserID, after)
}
