package domaintest

import (
	"errors"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// Verdict is the last part of a spec: what came of a command.
type Verdict struct {
	Decision commands.Decision
	Err      error

	t       testing.TB
	scene   *Scene
	after   *Scene
	actor   domain.Actor
	command commands.Command
}

// Then says which events are recorded, all of them in their order.
func (v *Verdict) Then(events ...domain.Event) *Verdict {
	v.t.Helper()
	require.NoError(v.t, v.Err)
	require.Equal(v.t, events, v.Decision.Events)
	assert.NotEqual(v.t, commands.Nothing, v.Decision.Outcome)
	return v
}

// ThenNothing says that the wish holds already: nothing is recorded, and that is
// no error.
func (v *Verdict) ThenNothing() *Verdict {
	v.t.Helper()
	require.NoError(v.t, v.Err)
	require.Empty(v.t, v.Decision.Events)
	assert.Equal(v.t, commands.Nothing, v.Decision.Outcome)
	return v
}

// ThenRefused says that a rule forbids it, with this code. The refusal must name
// the rule and what to do next; words that are given must be in it.
func (v *Verdict) ThenRefused(code domain.Code, words ...string) *Verdict {
	v.t.Helper()
	var refusal *domain.Refusal
	require.Truef(v.t, errors.As(v.Err, &refusal), "refused with %d, not %v with %v", int(code), v.Err, v.Decision.Events)
	require.Equalf(v.t, code, refusal.Code, "the code of %q", refusal.Error())
	assert.NotEmpty(v.t, refusal.Rule, "the rule that was broken")
	assert.NotEmpty(v.t, refusal.Hint, "what to do next")
	for _, word := range words {
		assert.Contains(v.t, refusal.Error(), word)
	}
	return v
}

// ThenFails says that the command could not be judged.
func (v *Verdict) ThenFails(target error) *Verdict {
	v.t.Helper()
	require.ErrorIs(v.t, v.Err, target)
	var refusal *domain.Refusal
	assert.False(v.t, errors.As(v.Err, &refusal), "a failure is not a refusal")
	return v
}

// ThenUsers says what came of each named user, in their order.
func (v *Verdict) ThenUsers(results ...commands.Result) *Verdict {
	v.t.Helper()
	require.NoError(v.t, v.Err)
	var got []commands.Result
	for _, user := range v.Decision.Users {
		got = append(got, user.Result)
		assert.Equalf(v.t, user.Result == commands.Failed, user.Code != 0, "%q: a failure has a code, and nothing else has", user.UserID)
		assert.Equalf(v.t, user.Code != 0, user.Rule != "", "%q: a code has its rule", user.UserID)
	}
	require.Equal(v.t, results, got)
	return v
}

// ThenOutcome says what came of it in a word.
func (v *Verdict) ThenOutcome(outcome commands.Outcome) *Verdict {
	v.t.Helper()
	require.NoError(v.t, v.Err)
	require.Equal(v.t, outcome, v.Decision.Outcome)
	return v
}

// ThenApplication says which application it was about.
func (v *Verdict) ThenApplication(id string) *Verdict {
	v.t.Helper()
	require.NoError(v.t, v.Err)
	require.Equal(v.t, id, v.Decision.ApplicationID)
	return v
}

// Permitted reports whether the command was not refused.
func (v *Verdict) Permitted() bool {
	v.t.Helper()
	var refusal *domain.Refusal
	if v.Err != nil {
		require.ErrorAs(v.t, v.Err, &refusal)
	}
	return v.Err == nil
}

// Group is the group after the command.
func (v *Verdict) Group() *domain.Group { return v.after.Group() }

// Afterwards is the scene after the command, for what happens next.
func (v *Verdict) Afterwards() *Scene { return v.after }

// When has somebody give the next command.
func (v *Verdict) When(actor domain.Actor, cmd commands.Command) *Verdict {
	v.t.Helper()
	return v.after.When(actor, cmd)
}
