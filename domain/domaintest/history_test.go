package domaintest_test

import (
	"testing"

	"github.com/stretchr/testify/assert"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// Random histories are worth something only if everything happens in them.
func TestHistoriesHoldEverything(t *testing.T) {
	events, types, permitted, refused, codes := map[string]int{}, map[domain.GroupType]int{}, map[string]int{}, map[string]int{}, map[domain.Code]int{}
	steps, accepted := 0, 0
	example := rapid.Custom(func(t *rapid.T) *World { return History(t, 80) })
	for seed := range 600 {
		for _, step := range example.Example(seed).Steps {
			steps++
			name := step.Command.CommandName()
			if step.Refusal != nil {
				refused[name]++
				codes[step.Refusal.Code]++
				continue
			}
			accepted++
			permitted[name]++
			for _, e := range step.Decision.Events {
				events[e.EventName()]++
				if created, ok := e.(domain.GroupCreated); ok {
					types[created.GroupType]++
				}
			}
		}
	}
	for _, e := range domain.Events() {
		assert.NotZero(t, events[e.EventName()], "histories hold %s", e.EventName())
	}
	for _, c := range commands.All() {
		assert.NotZero(t, permitted[c.CommandName()], "histories hold a permitted %s", c.CommandName())
		if c.CommandName() != "MarkApplicationsRead" {
			assert.NotZero(t, refused[c.CommandName()], "histories hold a refused %s", c.CommandName())
		}
	}
	for _, name := range SmallPolicies(domain.Classic(), 5).Types() {
		assert.NotZero(t, types[name], "histories hold groups of the type %s", name)
	}
	assert.Greater(t, accepted, steps/2, "most commands are permitted")
	t.Logf("%d steps, %d permitted\nevents %v\ncodes %v\ntypes %v", steps, accepted, events, codes, types)
}

func TestHistoryKeepsTheInvariants(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		w := History(t, 60)
		for _, id := range w.GroupIDs() {
			assert.NoError(t, Invariants(w.Group(id), w.Policies))
		}
	})
}
