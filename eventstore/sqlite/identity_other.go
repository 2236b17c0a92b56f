//go:build !linux

package sqlite

import "os"

// identity tells one file from another.
type identity struct{ info os.FileInfo }

// identify looks which file is at a path.
func identify(path string) (identity, error) {
	info, err := os.Stat(path)
	return identity{info}, err
}

func (i identity) same(other identity) bool { return os.SameFile(i.info, other.info) }
