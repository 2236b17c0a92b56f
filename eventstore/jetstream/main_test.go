package jetstream_test

import (
	"flag"
	"testing"

	"go.uber.org/goleak"

	"github.com/grouplog/grouplog/eventstore/jetstream/jetstreamtest"
)

func TestMain(m *testing.M) {
	if err := flag.Set("rapid.checks", "20"); err != nil { // every step is a round trip, or several
		panic(err)
	}
	// A server that has shut down leaves these for some time.
	goleak.VerifyTestMain(jetstreamtest.Main(m), goleak.IgnoreAnyFunction("github.com/nats-io/nats-server/v2/server.(*stream).trySetupSourceConsumer.func3"))
}
