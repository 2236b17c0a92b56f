package eventstore

import "context"

// Importer is a Store in which the commits of one call of Append to different streams
// stand in an order of the store's own.
type Importer interface {
	// Import is Append, and keeps the order of the commits: where every one is stored,
	// and nobody else appends meanwhile, their records stand one after the other as given.
	// If the call fails, the first of the commits may be stored, and none after the first
	// that is not.
	Import(ctx context.Context, commits ...Commit) ([]Result, error)
}

// Import appends commits to any store in the order given, see Importer.
func Import(ctx context.Context, store Store, commits ...Commit) ([]Result, error) {
	if importer, ok := store.(Importer); ok {
		return importer.Import(ctx, commits...)
	}
	return store.Append(ctx, commits...)
}
