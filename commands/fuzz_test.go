package commands_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
	"pgregory.net/rapid"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

// No line makes the parser panic; what it reads is written and read again as the
// same; and deciding it, in a group and in none, does not panic either.
func FuzzParseLine(f *testing.F) {
	for _, line := range lines {
		data, err := json.Marshal(line)
		require.NoError(f, err)
		f.Add(data)
	}
	f.Add([]byte(`{"as":"a","command":"CreateGroup","members":[{}],"custom":{"":"\u0000"}}`))
	f.Add([]byte(`{"as":"a","command":"KickMembers","groupID":"chess","userIDs":[""],"duration":"-1ns"}`))
	f.Add([]byte(`{"as":"","command":"AcceptApplication","applicationID":"/1/1"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		line, err := commands.ParseLine(data)
		if err != nil {
			require.ErrorIs(t, err, commands.ErrMalformed)
			return
		}
		written, err := json.Marshal(line)
		require.NoError(t, err)
		back, err := commands.ParseLine(written)
		require.NoError(t, err, "%s", written)
		again, err := json.Marshal(back)
		require.NoError(t, err)
		require.Equal(t, string(written), string(again))
		for _, past := range [][]domain.Event{nil, Live(classic, domain.Public)} {
			_, _ = commands.Decide(commands.Situation{Policies: classic, Actor: line.As, Now: Noon, Group: groupOf(past)}, line.Command)
		}
	})
}

// Validate judges any policies without panicking, and policies that it finds sound
// keep the invariants whatever is commanded under them.
func FuzzPolicies(f *testing.F) {
	f.Add(bytes.Repeat([]byte{1, 2, 3, 5, 7, 11, 13, 17}, 512))
	f.Fuzz(rapid.MakeFuzz(policiesKeepTheInvariants))
}

func TestPoliciesKeepTheInvariants(t *testing.T) { rapid.Check(t, policiesKeepTheInvariants) }

func policiesKeepTheInvariants(t *rapid.T) {
	p := SmallPolicies(domain.Classic(), 5)
	strange := p[Clan]
	scramble(t, reflect.ValueOf(&strange).Elem())
	p[Clan] = strange
	if p.Validate() != nil {
		return
	}
	w := NewWorld(p)
	for range 40 {
		w.Draw(t)
		for _, id := range w.GroupIDs() {
			require.NoError(t, Invariants(w.Group(id), p))
		}
	}
}

// scramble changes some cells of a policy to anything.
func scramble(t *rapid.T, policy reflect.Value) {
	for range rapid.IntRange(1, 8).Draw(t, "cells") {
		cell := policy.Field(rapid.IntRange(0, policy.NumField()-1).Draw(t, "cell"))
		switch value := cell.Addr().Interface().(type) {
		case *bool:
			*value = rapid.Bool().Draw(t, "bool")
		case *int:
			*value = rapid.IntRange(-1, 5).Draw(t, "int")
		case *string:
			*value = rapid.SampledFrom([]string{"", "@", "@TGS#", "al", "\n"}).Draw(t, "string")
		case *time.Duration:
			*value = time.Duration(rapid.IntRange(-1, 100).Draw(t, "hours")) * time.Hour
		case *[]domain.Option:
			*value = rapid.SliceOfN(rapid.Map(rapid.IntRange(0, 4), func(n int) domain.Option { return domain.Option(n) }), 0, 3).Draw(t, "options")
		case *domain.Limits:
			limit := cell.Field(rapid.IntRange(0, cell.NumField()-1).Draw(t, "limit"))
			limit.SetInt(int64(rapid.IntRange(-1, 40).Draw(t, "value")))
		default:
			cell.SetUint(uint64(rapid.IntRange(0, 4).Draw(t, "value")))
		}
	}
}

// All policies that a draw could make are not all invalid: the property says
// something.
func TestScrambledPoliciesAreSometimesSound(t *testing.T) {
	sound := 0
	generator := rapid.Custom(func(t *rapid.T) domain.Policies {
		p := SmallPolicies(domain.Classic(), 5)
		strange := p[Clan]
		scramble(t, reflect.ValueOf(&strange).Elem())
		p[Clan] = strange
		return p
	})
	for seed := range 200 {
		if generator.Example(seed).Validate() == nil {
			sound++
		}
	}
	assert.Greater(t, sound, 40)
}
