package commands_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
	. "github.com/grouplog/grouplog/domain/domaintest"
)

func setAttributes(attributes map[string]string) commands.SetAttributes {
	return commands.SetAttributes{GroupID: GroupID, Attributes: attributes}
}

func deleteAttributes(keys ...string) commands.DeleteAttributes {
	return commands.DeleteAttributes{GroupID: GroupID, Keys: keys}
}

func TestAttributesAreForAnyMember(t *testing.T) {
	for _, kind := range types {
		for _, who := range everybody(classic[kind].Admins) {
			scene := Given(t, classic, Live(classic, kind)...).And(domain.AttributesChanged{Set: map[string]string{"board": "1"}})
			allowed(scene.When(who.actor, setAttributes(map[string]string{"clock": "5"})),
				who.rank >= isMember, domain.AttributesChanged{Set: map[string]string{"clock": "5"}})
			allowed(scene.When(who.actor, deleteAttributes("board")),
				who.rank >= isMember, domain.AttributesChanged{Deleted: []string{"board"}})
		}
	}
}

func TestSetAttributes(t *testing.T) {
	scene := Given(t, classic, Live(classic, domain.Public)...).And(domain.AttributesChanged{Set: map[string]string{"board": "1", "empty": ""}})

	t.Run("only what differs", func(t *testing.T) {
		v := scene.When(User(Mary), setAttributes(map[string]string{"board": "1", "clock": "5", "empty": ""})).
			Then(domain.AttributesChanged{Set: map[string]string{"clock": "5"}})
		assert.Equal(t, map[string]string{"board": "1", "clock": "5", "empty": ""}, v.Group().Attributes())
		assert.Equal(t, 2, v.Group().AttributesVersion())
		scene.When(User(Mary), setAttributes(map[string]string{"board": "1"})).ThenNothing()
	})
	t.Run("an attribute may be empty, unlike a custom field", func(t *testing.T) {
		scene.When(User(Mary), setAttributes(map[string]string{"new": ""})).Then(domain.AttributesChanged{Set: map[string]string{"new": ""}})
	})
	t.Run("none named", func(t *testing.T) {
		scene.When(User(Mary), setAttributes(nil)).ThenRefused(domain.CodeInvalidArgument)
	})
	t.Run("compare and set", func(t *testing.T) {
		at := func(version int) commands.SetAttributes {
			return commands.SetAttributes{GroupID: GroupID, Attributes: map[string]string{"board": "2"}, Version: &version}
		}
		scene.When(User(Mary), at(1)).ThenOutcome(commands.Done)
		for _, version := range []int{-1, 0, 2} {
			scene.When(User(Mary), at(version)).ThenRefused(domain.CodeAttributeConflict)
		}
		holds := commands.SetAttributes{GroupID: GroupID, Attributes: map[string]string{"board": "1"}, Version: ptr(0)}
		scene.When(User(Mary), holds).ThenRefused(domain.CodeAttributeConflict)
		holds.Version = ptr(1)
		scene.When(User(Mary), holds).ThenNothing()
		Given(t, classic, Live(classic, domain.Public)...).When(User(Mary), at(0)).ThenOutcome(commands.Done)
	})
}

func TestDeleteAttributes(t *testing.T) {
	scene := Given(t, classic, Live(classic, domain.Public)...).And(domain.AttributesChanged{Set: map[string]string{"b": "1", "c": "2", "a": "3"}})
	v := scene.When(User(Mary), deleteAttributes("c", "none", "a", "c")).Then(domain.AttributesChanged{Deleted: []string{"a", "c"}})
	assert.Equal(t, map[string]string{"b": "1"}, v.Group().Attributes())
	scene.When(User(Mary), deleteAttributes()).Then(domain.AttributesChanged{Deleted: []string{"a", "b", "c"}})
	scene.When(User(Mary), deleteAttributes("none")).ThenNothing()
	Given(t, classic, Live(classic, domain.Public)...).When(User(Mary), deleteAttributes()).ThenNothing()
	scene.When(User(Mary), commands.DeleteAttributes{GroupID: GroupID, Version: ptr(0)}).ThenRefused(domain.CodeAttributeConflict)
	scene.When(User(Mary), commands.DeleteAttributes{GroupID: GroupID, Version: ptr(1)}).ThenOutcome(commands.Done)
	scene.When(User(Mary), deleteAttributes("")).ThenRefused(domain.CodeAttributeKeyTooLong)
	scene.When(User(Mary), deleteAttributes(strings.Repeat("k", 33))).ThenRefused(domain.CodeAttributeKeyTooLong)
	scene.When(User(Mary), deleteAttributes(strings.Repeat("k", 32))).ThenNothing()
}

func TestAttributeLimits(t *testing.T) {
	scene := Given(t, classic, Live(classic, domain.Public)...)
	one := func(key, value string) commands.SetAttributes { return setAttributes(map[string]string{key: value}) }

	scene.When(User(Mary), one(strings.Repeat("k", 32), "x")).ThenOutcome(commands.Done)
	scene.When(User(Mary), one(strings.Repeat("k", 33), "x")).ThenRefused(domain.CodeAttributeKeyTooLong)
	scene.When(User(Mary), one("", "x")).ThenRefused(domain.CodeAttributeKeyTooLong)
	scene.When(User(Mary), one("key", strings.Repeat("v", 4000))).ThenOutcome(commands.Done)
	scene.When(User(Mary), one("key", strings.Repeat("v", 4001))).ThenRefused(domain.CodeAttributeValueTooLong)
	scene.When(User(Mary), one("key", strings.Repeat("囲", 1334))).ThenRefused(domain.CodeAttributeValueTooLong)
	scene.When(User(Mary), one("key", "\x00")).ThenRefused(domain.CodeInvalidParameter)
	scene.When(User(Mary), one("k\xff", "x")).ThenRefused(domain.CodeInvalidParameter)

	t.Run("sixteen", func(t *testing.T) {
		v := scene.When(User(Mary), setAttributes(fields(16))).ThenOutcome(commands.Done)
		v.When(User(Mary), one("another", "x")).ThenRefused(domain.CodeTooManyAttributes)
		v.When(User(Mary), one("field0", "y")).ThenOutcome(commands.Done)
		scene.When(User(Mary), setAttributes(fields(17))).ThenRefused(domain.CodeTooManyAttributes)
	})
	t.Run("16 000 bytes together, keys and values", func(t *testing.T) {
		attributes := map[string]string{}
		for _, key := range []string{"a", "b", "c"} {
			attributes[key] = strings.Repeat("v", 3999)
		}
		v := scene.When(User(Mary), setAttributes(attributes)).ThenOutcome(commands.Done)
		v.When(User(Mary), one("d", strings.Repeat("v", 3999))).ThenOutcome(commands.Done)
		v.When(User(Mary), one("d", strings.Repeat("v", 4000))).ThenRefused(domain.CodeAttributesTooLarge)
	})
	t.Run("of two broken rules, that of the first key", func(t *testing.T) {
		scene.When(User(Mary), setAttributes(map[string]string{"a": strings.Repeat("v", 4001), strings.Repeat("b", 33): "x"})).
			ThenRefused(domain.CodeAttributeValueTooLong)
		scene.When(User(Mary), setAttributes(map[string]string{strings.Repeat("a", 33): "x", "b": strings.Repeat("v", 4001)})).
			ThenRefused(domain.CodeAttributeKeyTooLong)
	})
}
