//go:build unix

package jetstreamtest

import (
	"os"
	"syscall"
)

func pause(p *os.Process, on bool) error {
	if on {
		return p.Signal(syscall.SIGSTOP)
	}
	return p.Signal(syscall.SIGCONT)
}
