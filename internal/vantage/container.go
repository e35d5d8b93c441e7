package vantage

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/netip"
	"strings"
	"syscall"
)

// FromContainer is the name of the vantage inside the client's own container.
const FromContainer = "container"

// maxNames bounds a container's hosts and resolv.conf files.
const maxNames = 1 << 20

// place is where a Container stands: it connects to addresses without names,
// and opens paths.
type place interface {
	dial(ctx context.Context, network, address string) (net.Conn, error)
	socket(ctx context.Context, name string) (net.Conn, error)
	read(name string, limit int64) ([]byte, error)
	stat(name string) (FileInfo, error)
	Close() error
}

// Container stands in a running container: it dials from its network, looks
// names up as it does, and reads files below its root. Enter makes one; it is
// safe for use by many goroutines, also while it is closed.
type Container struct {
	service string
	place
}

// Enter enters the container of a service by the process that the engine names.
// It fails with a *NoRoute when that cannot be done on this machine or by this
// user, or when the process is not the container's.
func Enter(service, id string, pid int) (*Container, error) {
	in, err := enter(id, pid)
	if err != nil {
		return nil, err
	}
	return &Container{service, in}, nil
}

// DialContext connects as a process of the container would: to host:port, or
// to the path of a unix socket in the container. Errors are those of
// Dialer.DialContext.
func (c *Container) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, maxDial)
	defer cancel()
	switch network {
	case "unix":
		conn, err := c.socket(ctx, address)
		return conn, pathError(err, c.service, address)
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return nil, noRoute("%s addresses are not dialled", network)
	}
	host, port, err := splitHostPort(address)
	if err != nil {
		return nil, err
	}
	route := Route{address, FromContainer}
	// The resolver knows addresses of TCP; those of UDP are the same.
	found, err := c.lookup(ctx, strings.Replace(network, "udp", "tcp", 1), host)
	if err != nil {
		return nil, &DialError{Route: route, Err: err}
	}
	var addresses []netip.AddrPort
	for _, a := range found {
		addresses = append(addresses, netip.AddrPortFrom(a, uint16(port)))
	}
	return dialEach(ctx, network, route, addresses, c.dial)
}

// lookup gives the addresses of a host as the container sees it.
func (c *Container) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.Addr{a}, nil
	}
	// A container without these files has no names, which is what it sees.
	hosts, _ := c.read("/etc/hosts", maxNames)
	resolv, _ := c.read("/etc/resolv.conf", maxNames)
	r := newResolver(hosts, resolv)
	r.dial = c.dial
	const most = 8
	found, err := r.lookup(ctx, network, host)
	return found[:min(len(found), most)], err
}

// ReadFile reads a file of the container; errors are those of Files.ReadFile.
func (c *Container) ReadFile(name string, limit int64) ([]byte, error) {
	data, err := c.read(name, limit)
	return data, pathError(err, c.service, name)
}

// Stat describes a file of the container; errors are those of Files.ReadFile.
func (c *Container) Stat(name string) (FileInfo, error) {
	info, err := c.stat(name)
	return info, pathError(err, c.service, name)
}

var errNotRegular = errors.New("it is not a regular file")

// pathError keeps handles and system calls out of the errors of a path.
func pathError(err error, service, name string) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, ErrNoRoute):
		return err
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ENOTDIR), errors.Is(err, syscall.ELOOP):
		return fmt.Errorf("%s in %s: %w", name, service, fs.ErrNotExist)
	case errors.Is(err, syscall.ENOSYS):
		return noRoute("reading the files of containers needs Linux 5.6 or newer")
	case errors.Is(err, fs.ErrPermission):
		return noRoute("%s in %s may not be opened by this user; run as root to have it looked at", name, service)
	}
	return fmt.Errorf("%s in %s: %w", name, service, bareOf(err))
}

// bareOf takes the handle's path out of an error, and keeps what can be asked of it.
func bareOf(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return op.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}
