package jetstream_test

import (
	"testing"

	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(jetstreamtest.Main(m)) }
