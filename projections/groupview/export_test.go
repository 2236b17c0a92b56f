package groupview

// NewKeeping is New with another number of rows kept in memory.
func NewKeeping(n int) *View { return &View{keep: n, fill: n} }

// Counts are the counts of open applications of these ords: level, bucket, n.
func Counts(ords []int) (rows [][3]int) {
	g := &group{buckets: map[bucket]int{}}
	for _, ord := range ords {
		g.countOpen(ord, +1)
	}
	for b, n := range g.buckets {
		rows = append(rows, [3]int{b.level, b.number, n})
	}
	return rows
}

// Plans are the statements that must find their rows by an index, with examples of
// their arguments.
var Plans = map[string]struct {
	SQL  string
	Args []any
}{
	"group":           {selectGroup + " WHERE g.id = +? ORDER BY g.incarnation DESC LIMIT 1", []any{"g"}},
	"groups, any":     {selectAnyGroups, []any{"", 0, "x", "", 10}},
	"groups, live":    {selectLiveGroups, []any{"", 0, "x", "", 10}},
	"ever in":         {selectEverIn, []any{1, 10}},
	"ever near":       {selectEverNear, []any{1, 10}},
	"members":         {membersQuery(MemberFilter{}), []any{1, 0, 10, 0}},
	"members, admins": {membersQuery(MemberFilter{Role: 300}), []any{1, 0, 10, 300}},
	"members, plain":  {membersQuery(MemberFilter{Role: 200}), []any{1, 0, 10, 200}},
	"member":          {selectMembership, []any{"u", 1}},
	"joined":          {selectJoined, []any{"u", 0, 10}},
	"one application": {selectOneApplication, []any{"g", 1, 1}},
	"applications":    {selectOfApprover, []any{"u", 10, 10, 0, ""}},
	"of a group":      {selectOfGroup, []any{1, 10, 10, 0, ""}},
	"unread":          {selectUnread, []any{"u"}},
	"unread since":    {selectUnreadSince, []any{1, 10}},
}

// LookUps are the statements that find what is open of one user, or under one ID, and what
// they must find it by.
var LookUps = map[string][]string{
	selectOpenOf: {
		"SEARCH a USING INDEX applications_candidate (candidate=? AND gid=? AND state=?)",
		"SEARCH a USING INDEX applications_from (gid=? AND from_uid=?)",
	},
	selectOpenByID: {"SEARCH a USING INDEX applications_id (gid=? AND n=?)"},
	selectOpenFor:  {"SEARCH applications USING INDEX applications_candidate (candidate=? AND gid=? AND state=?)"},
}

// Changes are the statements that must find their row without an index.
var Changes = []string{updateApplication, moveApplication}
