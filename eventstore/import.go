package eventstore

import "context"

// Importer is a Store in which the commits of one call of Append to different streams
// stand in an order of the store's own.
type Importer interface {
	// Import is Append, and keeps the order of all commits: the records of those that are
	// stored stand in the order given, one after the other. If the call fails, a beginning
	// of them may be stored, and none after one that is not. Nobody else should append
	// meanwhile: the call may then fail with ErrConflict, and any of its commits be stored.
	Import(ctx context.Context, commits ...Commit) ([]Result, error)
}

// Import appends commits to any store in the order given, see Importer.
func Import(ctx context.Context, store Store, commits ...Commit) ([]Result, error) {
	if importer, ok := store.(Importer); ok {
		return importer.Import(ctx, commits...)
	}
	return store.Append(ctx, commits...)
}
