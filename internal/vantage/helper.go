package vantage

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"time"

	"github.com/hashicorp/yamux"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// FromHelper is the name of the vantage in a container beside the client's,
// which shares its network and its volumes.
const FromHelper = "helper"

// Helper looks at the world through the relay in a helper's container.
type Helper struct {
	service *deployment.Service
	session *yamux.Session
}

// NewHelper speaks with the relay at the other end of conn, which it owns.
func NewHelper(s *deployment.Service, conn io.ReadWriteCloser) (*Helper, error) {
	session, err := yamux.Client(conn, relayConfig())
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	h := &Helper{s, session}
	ctx, cancel := context.WithTimeout(context.Background(), maxDial)
	defer cancel()
	_, r, err := h.ask(ctx, relayQuestion{Op: "hello"})
	if err == nil && r.Version != relayVersion {
		err = errors.New("it is of another version")
	}
	if err != nil {
		_ = h.Close()
		return nil, noRoute("the helper in %s's network does not answer as it should: %s", s.Name, err)
	}
	return h, nil
}

// Close ends the relay.
func (h *Helper) Close() error { return h.session.Close() }

// ask puts a question and reads the reply; what follows it is read from the
// connection.
func (h *Helper) ask(ctx context.Context, q relayQuestion) (*relayConn, relayReply, error) {
	if err := ctx.Err(); err != nil {
		return nil, relayReply{}, err
	}
	stream, err := h.session.OpenStream()
	if err != nil {
		return nil, relayReply{}, noRoute("the helper in %s's network is gone", h.service.Name)
	}
	stop := context.AfterFunc(ctx, func() { _ = stream.SetDeadline(time.Unix(1, 0)) })
	c := &relayConn{Stream: stream, in: bufio.NewReaderSize(stream, maxLine)}
	var r relayReply
	if err = writeLine(stream, q); err == nil {
		err = readLine(c.in, &r)
	}
	if !stop() && err == nil {
		err = ctx.Err()
	}
	switch {
	case err != nil:
		_ = stream.Close()
		if over := ctx.Err(); over != nil {
			return nil, r, over
		}
		return nil, r, noRoute("the helper in %s's network is gone", h.service.Name)
	case r.Failure != nil:
		_ = stream.Close()
		return nil, r, r.Failure.unpack()
	}
	return c, r, nil
}

// DialContext connects through the relay; errors are those of Dialer.DialContext.
func (h *Helper) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		if _, err := mountOfHelper(h.service, address); err != nil {
			return nil, err
		}
	}
	ctx, cancel := context.WithTimeout(ctx, maxDial)
	defer cancel()
	end, _ := ctx.Deadline()
	// The relay gives up a little earlier, so that its reason arrives.
	ms := max(50, time.Until(end).Milliseconds()*9/10)
	conn, r, err := h.ask(ctx, relayQuestion{Op: "dial", Network: network, Address: address, Time: ms})
	switch {
	case err == nil:
		conn.remote = relayAddr{network, r.Remote}
		if protocolOf(network) == "udp" {
			return &datagramConn{conn}, nil
		}
		return conn, nil
	case network == "unix":
		return nil, h.pathError(err, address)
	case errors.Is(err, ErrNoRoute):
		return nil, err
	}
	d := &DialError{Route: Route{address, FromHelper}, Err: err}
	if r.Failure != nil {
		d.Tried = r.Failure.Tried
	}
	return nil, d
}

// ReadFile reads a file in one of the container's volumes; errors are those of
// Files.ReadFile.
func (h *Helper) ReadFile(name string, limit int64) ([]byte, error) {
	conn, r, err := h.file("read", name, limit)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	if r.Size > limit {
		return nil, ErrTooLarge
	}
	_ = conn.SetDeadline(time.Now().Add(maxDial))
	data := make([]byte, r.Size)
	if _, err := io.ReadFull(conn, data); err != nil {
		return nil, noRoute("the helper in %s's network is gone", h.service.Name)
	}
	return data, nil
}

// Stat describes a file in one of the container's volumes.
func (h *Helper) Stat(name string) (FileInfo, error) {
	conn, r, err := h.file("stat", name, 0)
	if err != nil {
		return FileInfo{}, err
	}
	defer conn.Close()
	if r.Info == nil {
		return FileInfo{}, noRoute("the helper in %s's network makes no sense", h.service.Name)
	}
	return *r.Info, nil
}

func (h *Helper) file(op, name string, limit int64) (*relayConn, relayReply, error) {
	if _, err := mountOfHelper(h.service, name); err != nil {
		return nil, relayReply{}, err
	}
	ctx, cancel := context.WithTimeout(context.Background(), maxDial)
	defer cancel()
	conn, r, err := h.ask(ctx, relayQuestion{Op: op, Address: name, Limit: limit})
	return conn, r, h.pathError(err, name)
}

// mountOfHelper makes sure that a path is in a volume: all else of the
// container is not in the helper's.
func mountOfHelper(s *deployment.Service, name string) (string, error) {
	_, rest, err := mountOf(s, name)
	return rest, err
}

func (h *Helper) pathError(err error, name string) error {
	if errors.Is(err, fs.ErrPermission) {
		return noRoute("%s in %s may not be opened by the helper; run as root on the machine that runs the containers to have it looked at", name, h.service.Name)
	}
	return pathError(err, h.service.Name, name)
}

// relayConn is a connection that the relay made.
type relayConn struct {
	*yamux.Stream
	in     *bufio.Reader
	remote net.Addr
}

// Read reads what the other end sent.
func (c *relayConn) Read(p []byte) (int, error) { return c.in.Read(p) }

// RemoteAddr gives the address that the relay reached.
func (c *relayConn) RemoteAddr() net.Addr {
	if c.remote == nil {
		return c.Stream.RemoteAddr()
	}
	return c.remote
}

type relayAddr struct{ network, address string }

func (a relayAddr) Network() string { return a.network }
func (a relayAddr) String() string  { return a.address }
