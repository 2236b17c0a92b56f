package memory_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore"
	"github.com/grouplog/grouplog/eventstore/eventstoretest"
	"github.com/grouplog/grouplog/eventstore/memory"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestStore(t *testing.T) {
	eventstoretest.Run(t, eventstoretest.Features{}, func(testing.TB, string) eventstore.Store { return memory.New() })
}
