package groupview_test

import (
	"iter"
	"testing"

	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/domain"
	"github.com/grouplog/grouplog/projections/groupview"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// collect reads an iterator to its end.
func collect[T any](t require.TestingT, seq iter.Seq2[T, error]) []T {
	var all []T
	for item, err := range seq {
		require.NoError(t, err)
		all = append(all, item)
	}
	return all
}

func userIDs(members []groupview.Member) []string {
	var ids []string
	for _, m := range members {
		ids = append(ids, m.UserID)
	}
	return ids
}

func TestSmoke(t *testing.T) {
	w := newWorld(t.Context())
	w.create(t, "chess", domain.Public, "alice", "bob")
	id := w.apply(t, "chess", "carol", "hello")
	q := w.ask(t)

	g, err := q.Group(w.ctx, "chess")
	require.NoError(t, err)
	require.Equal(t, 2, g.MemberCount)
	require.Equal(t, []string{"alice", "bob"}, userIDs(collect(t, q.Members(w.ctx, "chess", groupview.MemberFilter{}))))
	page, err := q.Applications(w.ctx, "alice", groupview.ApplicationFilter{})
	require.NoError(t, err)
	require.Len(t, page.Applications, 1)
	require.Equal(t, id, page.Applications[0].ApplicationID)
	require.Equal(t, 1, page.UnreadCount)
	require.Len(t, collect(t, q.JoinedGroups(w.ctx, "bob", domain.Classic())), 1)
}
