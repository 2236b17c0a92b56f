//go:build !unix

package jetstreamtest

import (
	"errors"
	"os"
)

func pause(*os.Process, bool) error {
	return errors.New("processes can be paused on Unix alone")
}
