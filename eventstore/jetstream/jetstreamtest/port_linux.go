package jetstreamtest

import (
	"fmt"
	"os"
	"syscall"
)

// port is a port of loopback that the system gives to nobody else, and at which a server
// may listen. Linux lets a socket be bound beside another that does not listen, where
// both are of SO_REUSEADDR, as Go's are; and hands out no port that one is bound to.
type port struct {
	number int
	socket int
}

func reservePort() (*port, error) {
	syscall.ForkLock.RLock()
	defer syscall.ForkLock.RUnlock()
	socket, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, os.NewSyscallError("socket", err)
	}
	p := &port{socket: socket}
	err = syscall.SetsockoptInt(socket, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1)
	if err == nil {
		err = syscall.Bind(socket, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})
	}
	var bound syscall.Sockaddr
	if err == nil {
		bound, err = syscall.Getsockname(socket)
	}
	if err != nil {
		p.release()
		return nil, fmt.Errorf("reserve a port: %w", err)
	}
	p.number = bound.(*syscall.SockaddrInet4).Port
	return p, nil
}

func (p *port) release() { _ = syscall.Close(p.socket) } // nothing is lost
