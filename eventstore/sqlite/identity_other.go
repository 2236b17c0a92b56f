//go:build !linux

package sqlite

import "os"

// identity tells one file from another, and how large it is.
type identity struct {
	info os.FileInfo
	size int64
}

// identify looks which file is at a path.
func identify(path string) (identity, error) {
	info, err := os.Stat(path)
	if err != nil {
		return identity{}, err
	}
	return identity{info, info.Size()}, nil
}

func (i identity) same(other identity) bool { return os.SameFile(i.info, other.info) }
