package domaintest

import (
	"reflect"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/commands"
	"github.com/grouplog/grouplog/domain"
)

// Recorded is an event, who recorded it and when.
type Recorded struct {
	Event domain.Event
	domain.Meta
}

// Fold is the group that the events make.
func Fold(groupID string, events ...Recorded) *domain.Group {
	g := domain.NewGroup(groupID)
	for _, e := range events {
		g.Apply(e.Event, e.Meta)
	}
	return g
}

// ThroughCodec is an event after a stay on the disk, which must not change it.
func ThroughCodec(t testing.TB, e domain.Event) domain.Event {
	t.Helper()
	name, schema, data, err := domain.Encode(e)
	require.NoError(t, err)
	back, err := domain.Decode(name, schema, data)
	require.NoError(t, err)
	assert.Equal(t, e, back, "the event survives its form on disk: %s", data)
	return back
}

// GroupOf is the group ID that a command is about; empty for one about a user.
func GroupOf(cmd commands.Command) string {
	value := reflect.ValueOf(cmd)
	if id := value.FieldByName("ApplicationID"); id.IsValid() {
		if groupID, _, _, ok := domain.ParseApplicationID(id.String()); ok {
			return groupID
		}
	}
	if id := value.FieldByName("GroupID"); id.IsValid() {
		return id.String()
	}
	return ""
}
