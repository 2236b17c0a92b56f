package groupview_test

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/groupview"
)

// TestLongest: whoever is known already, the next of the others is found, also where
// members were imported with pasts that are not in the order of their coming.
func TestLongest(t *testing.T) {
	w := newWorld(t.Context())
	random := rand.New(rand.NewPCG(1, 4))
	w.create(t, "g", domain.Public, "owner")
	for i := range 300 {
		joined := w.now.Add(-time.Duration(random.IntN(100)) * time.Hour)
		w.record(t, "g", "root", domain.MemberImported{UserID: fmt.Sprint("user", i), Role: domain.Member, JoinedAt: joined})
	}
	w.record(t, "g", "user7", domain.MemberLeft{UserID: "user7"})
	var inOrder []domain.Membership
	for m := range w.group("g").Memberships() {
		if m.Role != domain.Owner {
			inOrder = append(inOrder, m)
		}
	}
	slices.SortStableFunc(inOrder, func(a, b domain.Membership) int { return cmp.Or(a.JoinedAt.Compare(b.JoinedAt), a.Order-b.Order) })
	known := map[string]bool{"owner": true}
	require.NoError(t, w.ask(t).Part(w.ctx, "g", func(p *groupview.Part) error {
		_, _, _, err := p.Version()
		require.NoError(t, err)
		for _, want := range append(inOrder, domain.Membership{}) {
			got, err := p.Longest(func(userID string) bool { return known[userID] })
			require.NoError(t, err)
			require.Equal(t, want.UserID, got)
			known[got] = true
		}
		return nil
	}))
	require.Equal(t, w.group("g").Successor(), inOrder[0].UserID)
}
