package vantage

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// dialSocket connects to a unix socket by its path inside a service's container,
// where that lies in a volume that this machine can read. It follows no link: a
// link in a volume means another place inside the container.
func (h *Host) dialSocket(ctx context.Context, s *deployment.Service, name string) (net.Conn, error) {
	if s == nil {
		return nil, noRoute("the socket %s is inside a container", name)
	}
	root, rest, err := h.Files().root(s, name)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Lstat(rest)
	switch {
	case err != nil:
		return nil, explain(err, s, name)
	case info.Mode().Type() != os.ModeSocket:
		return nil, noRoute("%s in %s is no socket that can be reached from here", name, s.Name)
	}
	path, done, err := socketPath(root, rest)
	if err != nil {
		return nil, err
	}
	defer done()
	ctx, cancel := context.WithTimeout(ctx, maxDial)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "unix", path)
	if errors.Is(err, fs.ErrPermission) {
		return nil, noRoute("%s in %s may not be opened by this user; run as root to have it looked at", name, s.Name)
	}
	return conn, err
}

// plainSocketPath is the socket's path on this machine.
func plainSocketPath(root *os.Root, rest string) string { return filepath.Join(root.Name(), rest) }
