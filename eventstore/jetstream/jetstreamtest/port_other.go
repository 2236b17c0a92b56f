//go:build !linux

package jetstreamtest

import "net"

// port is a port of loopback that was free a moment ago: only Linux keeps it for the
// server.
type port struct{ number int }

func reservePort() (*port, error) {
	l, err := net.Listen("tcp", address(0))
	if err != nil {
		return nil, err
	}
	return &port{l.Addr().(*net.TCPAddr).Port}, l.Close()
}

func (*port) release() {}
