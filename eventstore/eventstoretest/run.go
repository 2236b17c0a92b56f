// Package eventstoretest is the contract of package eventstore as a test suite that
// every store must pass, and a store that fails on command.
//
// A store's own test is a few lines:
//
//	func TestStore(t *testing.T) {
//		eventstoretest.Run(t, eventstoretest.Features{Persistent: true},
//			func(t testing.TB, dir string) eventstore.Store {
//				store, err := mystore.Open(dir)
//				if err != nil {
//					t.Fatal(err)
//				}
//				return store
//			})
//	}
//
// Every failure says which rule of the contract is violated. The suite never sleeps
// and asserts nothing about time, so it is as reliable under the race detector and on
// a busy machine as anywhere.
package eventstoretest

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/grouplog/grouplog/eventstore"
)

// Features are what a store can do beyond what all can.
type Features struct {
	// Persistent: opening the same directory again, after Close, finds the same log.
	Persistent bool
	// MultiProcess: two stores that are open on the same directory at once see each
	// other's appends.
	MultiProcess bool
	// Unordered: of the commits of one call, only those to one stream are stored in the
	// order given.
	Unordered bool
}

// Run tests a store. The function opens one on a directory, which is empty or was used
// by a store that has been closed (Persistent) or is still open (MultiProcess); it
// fails the test if it cannot. Run closes what it has opened. The subtests run in
// parallel with each other, each with a log of its own.
func Run(t *testing.T, features Features, open func(t testing.TB, dir string) eventstore.Store) {
	t.Helper()
	s := &suite{features: features, openDir: open}
	for _, test := range []struct {
		name string
		run  func(t *testing.T, s *suite)
	}{
		{"Expectations", testExpectations},
		{"ConflictChangesNothing", testConflictChangesNothing},
		{"StreamNames", testStreamNames},
		{"ConcurrentCreation", testConcurrentCreation},
		{"ConcurrentExactly", testConcurrentExactly},
		{"Batch", testBatch},
		{"EmptyCall", testEmptyCall},
		{"Import", testImport},
		{"AllOrNothing", testAllOrNothing},
		{"InvalidCommits", testInvalidCommits},
		{"Outcomes", testOutcomes},
		{"Duplicates", testDuplicates},
		{"ConcurrentDuplicates", testConcurrentDuplicates},
		{"ListOutcomes", testListOutcomes},
		{"Fields", testFields},
		{"Isolation", testIsolation},
		{"Gapless", testGapless},
		{"Paging", testPaging},
		{"PagingStream", testPagingStream},
		{"ReadWhileWriting", testReadWhileWriting},
		{"Cancelled", testCancelled},
		{"CancelledWhileWaiting", testCancelledWhileWaiting},
		{"Changed", testChanged},
		{"Closed", testClosed},
		{"CloseWaits", testCloseWaits},
		{"ID", testID},
		{"Persistence", testPersistence},
		{"TwoStores", testTwoStores},
		{"TwoStoresConcurrently", testTwoStoresConcurrently},
		{"Model", testModel},
		{"LinearizableStreams", testLinearizableStreams},
		{"LinearizableHead", testLinearizableHead},
	} {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			test.run(t, s)
		})
	}
}

type suite struct {
	features Features
	openDir  func(t testing.TB, dir string) eventstore.Store
}

// store opens an empty log.
func (s *suite) store(t testing.TB) eventstore.Store {
	t.Helper()
	return s.open(t, t.TempDir())
}

// open opens the log in a directory, and closes it when the test ends.
func (s *suite) open(t testing.TB, dir string) eventstore.Store {
	t.Helper()
	store := s.openDir(t, dir)
	require.NotNil(t, store, "open returned no store")
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return store
}
