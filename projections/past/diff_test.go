package past_test

import (
	"context"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/domain/domaintest"
	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/projections/groupview"
	"github.com/grouplog/grouplog/projections/past"
)

// TestDiffLeadsFromOneToTheOther: for random histories and any two positions, what was
// and what has changed make what came to be: members, roles, profile, applications. What
// has changed for each user is what has changed for them in the groups.
func TestDiffLeadsFromOneToTheOther(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ctx := context.Background()
		w := domaintest.History(t, 60)
		source, done := sourceOf(t, w)
		defer done()
		from := rapid.IntRange(0, int(source.Head)).Draw(t, "from")
		to := rapid.IntRange(from, int(source.Head)).Draw(t, "to")
		before, err := past.New(source, past.AtPosition(eventstore.Position(from)))
		require.NoError(t, err)
		after, err := past.New(source, past.AtPosition(eventstore.Position(to)))
		require.NoError(t, err)

		byUser := map[string][]past.Change{}
		for _, id := range domaintest.Groups {
			changes, err := past.DiffGroup(ctx, before, after, id)
			now, unknown := after.Group(ctx, id)
			if unknown != nil {
				require.ErrorIs(t, err, groupview.ErrNotFound)
				continue
			}
			require.NoError(t, err)
			roles := rolesOf(t, before, id)
			was, _ := before.Group(ctx, id)
			pending := pendingOf(t, before, id)
			for _, c := range changes {
				require.Equal(t, id, c.GroupID)
				require.NotEmpty(t, c.String())
				switch c.Kind {
				case past.Left:
					require.Equal(t, roles[c.UserID], c.From)
					delete(roles, c.UserID)
				case past.Joined:
					require.NotContains(t, roles, c.UserID)
					roles[c.UserID] = c.To
				case past.Ranked:
					require.Equal(t, roles[c.UserID], c.From)
					roles[c.UserID] = c.To
				case past.Began:
					was.Name = now.Name
				case past.Edited:
					if c.Field == "name" {
						require.Equal(t, was.Name, c.From)
						was.Name = c.To
					}
				case past.Opened:
					pending = append(pending, c.Field)
				case past.Decided:
					require.Contains(t, pending, c.Field)
					pending = slices.DeleteFunc(pending, func(id string) bool { return id == c.Field })
				}
				if slices.Contains([]string{past.Left, past.Joined, past.Ranked, past.Informs, past.Opened, past.Decided}, c.Kind) {
					byUser[c.UserID] = append(byUser[c.UserID], c)
				}
			}
			require.Equal(t, rolesOf(t, after, id), roles)
			require.Equal(t, now.Name, was.Name)
			require.ElementsMatch(t, pendingOf(t, after, id), pending)
			if from == to {
				require.Empty(t, changes)
			}
		}
		for _, user := range everybody {
			changes, err := past.DiffUser(ctx, before, after, user)
			require.NoError(t, err)
			require.ElementsMatch(t, byUser[user], changes)
		}
	})
}

func rolesOf(t require.TestingT, asOf *past.Past, groupID string) map[string]string {
	roles := map[string]string{}
	for m, err := range asOf.Members(context.Background(), groupID, groupview.MemberFilter{}) {
		if err != nil {
			require.ErrorIs(t, err, groupview.ErrNotFound)
			break
		}
		roles[m.UserID] = m.Role.String()
	}
	return roles
}

func pendingOf(t require.TestingT, asOf *past.Past, groupID string) []string {
	ids := []string{}
	filter := groupview.ApplicationFilter{Select: groupview.PendingApplications}
	for a, err := range asOf.GroupApplications(context.Background(), groupID, filter) {
		if err != nil {
			require.ErrorIs(t, err, groupview.ErrNotFound)
			break
		}
		ids = append(ids, a.ApplicationID)
	}
	return ids
}
