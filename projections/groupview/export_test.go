package groupview

import (
	"context"
	"database/sql"

	"github.com/grouplog/grouplog/eventstore"
)

// NewKeeping is New with another number of rows kept in memory.
func NewKeeping(n int) *View { return &View{keep: n, fill: n} }

// CountNewer is UnreadCount for a read mark that the user does not have.
func (q *Queries) CountNewer(ctx context.Context, userID string, mark eventstore.Position) (total int, err error) {
	err = q.views.Read(ctx, func(tx *sql.Tx) error {
		uid, err := userKey(ctx, tx, userID)
		if err != nil {
			return err
		}
		groups, err := approverGroups(ctx, tx, uid)
		for i := range groups {
			n, err := groups[i].newer(ctx, tx, int64(mark))
			if err != nil {
				return err
			}
			total += n
		}
		return err
	})
	return total, err
}

// Plans are the statements that must find their rows by an index, with examples of
// their arguments.
var Plans = map[string]struct {
	SQL  string
	Args []any
}{
	"group":             {selectGroup + " WHERE g.id = +? ORDER BY g.incarnation DESC LIMIT 1", []any{"g"}},
	"groups, any":       {selectAnyGroups, []any{"", 0, "x", "", 10}},
	"groups, live":      {selectLiveGroups, []any{"", 0, "x", "", 10}},
	"members":           {membersQuery(MemberFilter{}), []any{1, 0, 10, 0}},
	"members, admins":   {membersQuery(MemberFilter{Role: 300}), []any{1, 0, 10, 300}},
	"members, plain":    {membersQuery(MemberFilter{Role: 200}), []any{1, 0, 10, 200}},
	"member":            {selectMembership, []any{"u", 1}},
	"joined":            {selectJoined, []any{1, 0}},
	"approver groups":   {selectApproved, []any{1}},
	"open applications": {openBefore, []any{1, 10, 10}},
	"shut applications": {shutBefore, []any{1, 10, 10}},
	"last ord, open":    {lastOpenOrd, []any{1, 10}},
	"last ord, shut":    {lastShutOrd, []any{1, 10}},
	"rest of a bucket":  {restOfBucket, []any{1, 10, 64}},
	"buckets":           {sumOfBuckets, []any{1, 1, 1, 64}},
}
