package bench

import (
	"context"
	"fmt"
	"path"
	"slices"
)

// trial is what gives one or several rows.
type trial struct {
	specs  []Spec
	open   func(context.Context, *Session) error
	rounds func(Sizes) int
	cold   bool // the first round counts
}

// warmSizes are the groups of the rows of warm joins.
var warmSizes = []int{10, 1_000, 100_000, 1_000_000}

// trials in the order in which they are run. Memory comes first, while the process has
// used little.
var trials = []trial{
	{
		specs: []Spec{
			{"memory", "the most memory that the process holds at once (resident, floors' and SQLite's caches included) while the owner of a group of a million members quits, whom the member follows who has been in for longest, and a command is carried out in each of 100 000 groups of ten, with default options", "MiB", valueAtMost(512)},
		},
		open: openMemory, rounds: once, cold: true,
	},
	{
		specs: []Spec{
			{"commands-64", "commands a second by 64 callers, half joins and half leaves, over 5 000 groups, until they are durable and the read models show them; the floor is the same events inserted by one goroutine with group commit, without decisions, encoding and read models", "commands/s", ratioAtLeast(0.7)},
			{"one-group-64", "the same with every caller in one group; the floor is commands-64", "commands/s", ratioAtLeast(0.8)},
			{"versus-transaction-64", "commands-64 again; the floor is the same events inserted in a transaction each: BEGIN IMMEDIATE, INSERT, COMMIT, database/sql with one connection", "commands/s", ratioAtLeast(8)},
			{"tail-64", "the 99th percentile of the time that a command takes, by the median, with 64 callers; the floor is that of the insertions", "p99/p50", ratioAtMost(1.5)},
		},
		open: openCommands(64), rounds: common,
	},
	{
		specs: []Spec{
			{"commands-512", "commands-64 with 512 callers", "commands/s", ratioAtLeast(0.7)},
			{"versus-transaction-512", "versus-transaction-64 with 512 callers", "commands/s", ratioAtLeast(15)},
		},
		open: openCommands(512), rounds: common,
	},
	{
		specs: []Spec{
			{"import", "commands a second of a command file that begins a log (a group is created for every twenty lines, the rest are joins and leaves), from the start of the import until the read models show it; the floor is what commands-512 measures", "commands/s", ratioAtLeast(0.5)},
		},
		open: openImport, rounds: common,
	},
	{
		specs: []Spec{
			{"latency-1", "the median of the time that a command takes, with one caller; the floor is that of the insertion of the same event, durable, on a connection of its own", "ms", ratioAtMost(1.4)},
			{"append-1", "the median of the time that one caller's append of the same event to a store takes; the floor is that of latency-1", "ms", ratioAtMost(1.2)},
		},
		open: openLatency, rounds: common,
	},
	{
		specs: warmSpecs(),
		open:  openWarm, rounds: func(s Sizes) int { return s.WarmRounds },
	},
	{
		specs: []Spec{
			{"cold-first", "the time that the first command after opening the log takes, a join of a group of a million members; the floor is the same in a group of 1 000 in the same log", "ms", ratioAtMost(3)},
		},
		open: openCold, rounds: func(s Sizes) int { return s.Openings }, cold: true,
	},
	{
		specs: []Spec{
			{"rebuild", "events a second by which the read models are made anew, on disk, and put in the place of the old ones; the floor is a scan of the same rows by database/sql, every column but the checksum, nothing decoded", "events/s", ratioAtLeast(0.6)},
			{"verify", "events a second that are read, compared with their checksums, decoded and folded into groups; the floor is the scan", "events/s", ratioAtLeast(1)},
		},
		open: openReplay, rounds: func(s Sizes) int { return s.Replays },
	},
	{
		specs: listSpecs(),
		open:  openLists, rounds: common,
	},
}

func common(s Sizes) int { return s.Rounds }
func once(Sizes) int     { return 1 }

func warmSpecs() (specs []Spec) {
	for _, size := range warmSizes {
		what := fmt.Sprintf("a join or a leave (as many of each, so that the group stays as large as it is) in a group of %d members that is in memory, the read models' part included", size)
		specs = append(specs,
			Spec{warmRow(size), "processor time of " + what + "; the floor is the same in a group of 10", "µs", ratioAtMost(1.2)},
			Spec{warmRow(size) + allocations, "allocations of " + what + "; the floor is the same in a group of 10", "allocations", ratioAtMost(1.2)},
		)
	}
	return specs
}

const allocations = "-allocations"

func warmRow(size int) string { return fmt.Sprintf("warm-join-%d", size) }

func listSpecs() (specs []Spec) {
	for _, list := range lists {
		specs = append(specs,
			Spec{list.name, "the 99th percentile of the time that " + list.what + " takes, where there are a million of them; the floor is that of one statement by database/sql that " + list.bare.what, "ms", valueAtMost(1)},
			Spec{list.name + flat, "the median of the same among a million, by that among 1 000; the floor is the same of the one statement", "p50/p50", ratioAtMost(1.5)},
		)
	}
	return specs
}

const flat = "-flat"

// Specs are those of all rows, in the order of the table.
func Specs() (all []Spec) {
	for _, t := range trials {
		all = append(all, t.specs...)
	}
	return all
}

// Select gives the names of the rows that patterns name ("commands-64", "warm-*"), all
// that these sizes measure without patterns. A pattern that names none of those is refused.
func (s Sizes) Select(patterns []string) (chosen []string, err error) {
	known, used := make([]bool, len(patterns)), make([]bool, len(patterns))
	for _, spec := range Specs() {
		measured := s.measures(spec.Name)
		take := len(patterns) == 0
		for i, pattern := range patterns {
			match, err := path.Match(pattern, spec.Name)
			if err != nil {
				return nil, fmt.Errorf("%q is no name of a row, nor a pattern: %w", pattern, err)
			}
			known[i] = known[i] || match
			used[i] = used[i] || match && measured
			take = take || match
		}
		if take && measured {
			chosen = append(chosen, spec.Name)
		}
	}
	if i := slices.Index(known, false); i >= 0 {
		return nil, fmt.Errorf("there is no row %q", patterns[i])
	}
	if i := slices.Index(used, false); i >= 0 {
		return nil, fmt.Errorf("%q is measured with --full, not with %s sizes", patterns[i], s.Name)
	}
	return chosen, nil
}

// measures reports whether a row is measured with these sizes: large groups take long
// to make.
func (s Sizes) measures(row string) bool {
	for _, size := range warmSizes {
		if row == warmRow(size) || row == warmRow(size)+allocations {
			return slices.Contains(s.WarmGroups, size)
		}
	}
	return true
}
