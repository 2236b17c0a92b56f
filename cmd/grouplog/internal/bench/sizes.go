package bench

import "time"

// Sizes say how much is measured.
type Sizes struct {
	Name string

	Rounds int           // of each row, where nothing else is said
	Round  time.Duration // for which callers call, in a round
	Groups int           // "many groups"

	SingleCommands int // in a round with one caller
	ImportLines    int // in a round
	WarmGroups     []int
	WarmRounds     int
	WarmCommands   int // in a round, for each group
	Openings       int // of the cold start
	Large          int // members of a large group, at least those of WarmGroups
	Small          int // groups of ten members
	Replayed       int // events
	Replays        int // rounds of them
	Rows           int // that a list is cut from
	Queries        int // in a round

	Fsyncs int // to describe the machine
}

// few is what a large group or list is compared with.
const few = 1_000

// Quick are sizes for about a minute.
func Quick() Sizes {
	return Sizes{
		Name: "quick", Rounds: 5, Round: 400 * time.Millisecond, Groups: 5_000,
		SingleCommands: 200, ImportLines: 20_000, WarmGroups: []int{10, 1_000, 100_000}, WarmRounds: 15, WarmCommands: 4_000,
		Openings: 5, Large: 100_000, Small: 10_000, Replayed: 200_000, Replays: 3, Rows: 100_000, Queries: 300,
		Fsyncs: 200,
	}
}

// Full are sizes for about ten minutes.
func Full() Sizes {
	return Sizes{
		Name: "full", Rounds: 9, Round: time.Second, Groups: 5_000,
		SingleCommands: 500, ImportLines: 40_000, WarmGroups: []int{10, 1_000, 100_000, 1_000_000}, WarmRounds: 25, WarmCommands: 10_000,
		Openings: 7, Large: 1_000_000, Small: 100_000, Replayed: 1_000_000, Replays: 3, Rows: 1_000_000, Queries: 500,
		Fsyncs: 1_000,
	}
}

// Tiny are sizes that tests run through every trial with. What they give means nothing.
func Tiny() Sizes {
	return Sizes{
		Name: "tiny", Rounds: 2, Round: 5 * time.Millisecond, Groups: 20,
		SingleCommands: 4, ImportLines: 40, WarmGroups: []int{10, 1_000}, WarmRounds: 2, WarmCommands: 20,
		Openings: 2, Large: 2_000, Small: 20, Replayed: 2_000, Replays: 2, Rows: 2_000, Queries: 10,
		Fsyncs: 5,
	}
}
