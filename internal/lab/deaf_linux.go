package lab

import (
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Deaf gives an address on loopback that does not answer attempts to connect,
// as a machine behind a firewall that drops packets: its queue of connections
// holds one, is full, and is never read.
func (l *Lab) Deaf() (address string, err error) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return "", os.NewSyscallError("socket", err)
	}
	l.OnClose(func() error { return syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		return "", os.NewSyscallError("bind", err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		return "", os.NewSyscallError("listen", err)
	}
	name, err := syscall.Getsockname(fd)
	if err != nil {
		return "", os.NewSyscallError("getsockname", err)
	}
	address = fmt.Sprintf("127.0.0.1:%d", name.(*syscall.SockaddrInet4).Port)
	for range 8 {
		conn, err := net.DialTimeout("tcp", address, 200*time.Millisecond)
		if err != nil {
			return address, nil // full
		}
		l.OnClose(conn.Close)
	}
	return "", errors.New("the queue of connections does not fill up")
}
