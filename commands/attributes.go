package commands

import (
	"fmt"
	"maps"
	"slices"

	"github.com/grouplog/grouplog/domain"
)

// SetAttributes sets attributes of a group, on condition that Version, where it is
// given, is that of the attributes as they are: compare and set.
type SetAttributes struct {
	GroupID    string            `json:"groupID"`
	Attributes map[string]string `json:"attributes"`
	Version    *int              `json:"attributesVersion,omitempty"`
}

func (SetAttributes) CommandName() string { return "SetAttributes" }

func (c SetAttributes) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c SetAttributes) check(s *Situation) *domain.Refusal {
	for _, key := range slices.Sorted(maps.Keys(c.Attributes)) {
		refusal := first(checkAttributeKey(&s.limits, key),
			domain.CheckLine(domain.CodeAttributeValueTooLong, "attribute "+key, c.Attributes[key], s.limits.AttributeValue))
		if refusal != nil {
			return refusal
		}
	}
	if len(c.Attributes) == 0 {
		return domain.Refuse(domain.CodeInvalidArgument, "the command names no attribute", "name those to set")
	}
	return s.limits.CheckGroupID(c.GroupID)
}

func checkAttributeKey(l *domain.Limits, key string) *domain.Refusal {
	if key == "" {
		return domain.Refuse(domain.CodeAttributeKeyTooLong, "the key of an attribute is not empty", "name the attribute")
	}
	return domain.CheckLine(domain.CodeAttributeKeyTooLong, "key of an attribute", key, l.AttributeKey)
}

func (c SetAttributes) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), attributesOpen(s, c.Version)); err != nil {
		return err
	}
	event := domain.AttributesChanged{Set: maps.Clone(c.Attributes)}
	maps.DeleteFunc(event.Set, func(key, value string) bool {
		old, ok := s.Group.Attributes()[key]
		return ok && old == value
	})
	if len(event.Set) == 0 {
		return nil
	}
	if err := or(attributesFit(&s.policy.Limits, s.Group.Attributes(), event.After(s.Group.Attributes()))); err != nil {
		return err
	}
	d.record(event)
	return nil
}

// attributesOpen refuses strangers, and who has not seen the newest attributes.
func attributesOpen(s *Situation, version *int) *domain.Refusal {
	if s.role() == domain.NotMember {
		return s.notPermitted("only members change attributes", domain.AnyMember)
	}
	if now := s.Group.AttributesVersion(); version != nil && *version != now {
		return domain.Refuse(domain.CodeAttributeConflict,
			fmt.Sprintf("the attributes are at version %d, and the command expects %d", now, *version), "read them again and decide anew")
	}
	return nil
}

// attributesFit refuses what is too much, unless there was more before: limits may
// have been lowered, and there must be a way back.
func attributesFit(l *domain.Limits, before, attributes map[string]string) *domain.Refusal {
	total := sizeOf(attributes)
	switch {
	case len(attributes) > l.Attributes && len(attributes) > len(before):
		return domain.Refuse(domain.CodeTooManyAttributes, fmt.Sprintf("a group has at most %d attributes, and would have %d", l.Attributes, len(attributes)), "delete one first")
	case total > l.AttributesTotal && total > sizeOf(before):
		return domain.Refuse(domain.CodeAttributesTooLarge, fmt.Sprintf("attributes are at most %d bytes together, and would be %d", l.AttributesTotal, total), "delete or shorten one first")
	default:
		return nil
	}
}

// sizeOf is the bytes of all keys and values together.
func sizeOf(attributes map[string]string) int {
	total := 0
	for key, value := range attributes {
		total += len(key) + len(value)
	}
	return total
}

// DeleteAttributes deletes the named attributes, all where none is named. Those
// that are not there are no error.
type DeleteAttributes struct {
	GroupID string   `json:"groupID"`
	Keys    []string `json:"keys,omitempty"`
	Version *int     `json:"attributesVersion,omitempty"`
}

func (DeleteAttributes) CommandName() string { return "DeleteAttributes" }

func (c DeleteAttributes) stream(domain.Actor) string { return domain.GroupStream(c.GroupID) }

func (c DeleteAttributes) check(s *Situation) *domain.Refusal {
	for _, key := range c.Keys {
		if refusal := checkAttributeKey(&s.limits, key); refusal != nil {
			return refusal
		}
	}
	return s.limits.CheckGroupID(c.GroupID)
}

func (c DeleteAttributes) decide(s *Situation, d *Decision) error {
	if err := or(s.live(), attributesOpen(s, c.Version)); err != nil {
		return err
	}
	var deleted []string
	for _, key := range slices.Sorted(maps.Keys(s.Group.Attributes())) {
		if len(c.Keys) == 0 || slices.Contains(c.Keys, key) {
			deleted = append(deleted, key)
		}
	}
	if len(deleted) > 0 {
		d.record(domain.AttributesChanged{Deleted: deleted})
	}
	return nil
}
