package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
)

// Somebody who becomes known later is known as they were at an earlier version: what
// has been closed since from the other side does not come back with them.
func TestLearningDoesNotReopenApplications(t *testing.T) {
	noon := time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)
	application := domain.Application{ID: "g/1/1", Kind: domain.InvitationForApprover, From: "inviter", Candidate: "candidate", At: noon}
	g := domain.NewSparse(domain.Header{
		ID: "g", Version: 9, Incarnation: 1, Status: domain.Live, Type: domain.Public, Owner: "owner", Count: 2, Joins: 2, ApplicationsSubmitted: 1,
	})
	require.False(t, g.Whole())
	require.False(t, g.Knows("candidate"))
	g.Learn("candidate", domain.Person{Applications: []domain.Application{application}})
	require.True(t, g.Knows("candidate"))
	open, found := g.Application("g/1/1")
	require.True(t, found)
	require.Equal(t, application, open)

	g.Apply(domain.MemberJoined{UserID: "candidate"}, domain.Meta{At: noon})
	g.Learn("inviter", domain.Person{
		Membership: &domain.Membership{UserID: "inviter", Role: domain.Member, JoinedAt: noon}, Applications: []domain.Application{application},
	})
	_, found = g.Application("g/1/1")
	require.False(t, found, "the application was superseded")
	require.Empty(t, g.OpenApplicationsFrom("inviter"))
	require.Equal(t, domain.Member, g.Role("inviter"))
	require.Equal(t, 3, g.Count(), "whoever becomes known had been counted")
}

func TestLearningWhoIsKnownChangesNothing(t *testing.T) {
	g := domain.NewSparse(domain.Header{ID: "g", Version: 1, Incarnation: 1, Status: domain.Live, Owner: "owner", Count: 2, Joins: 2})
	g.Learn("bob", domain.Person{Membership: &domain.Membership{UserID: "bob", Role: domain.Member}})
	g.Apply(domain.MemberLeft{UserID: "bob"}, domain.Meta{})
	g.Learn("bob", domain.Person{Membership: &domain.Membership{UserID: "bob", Role: domain.Member}})
	require.False(t, g.IsMember("bob"))
	require.Equal(t, 1, g.Count())
}
