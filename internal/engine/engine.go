// Package engine asks the container engine what runs: Docker, or Podman over
// its compatible socket. It only asks; nothing is started, stopped or changed.
// Everything the engine says is bounded in size and time, since it may be
// another machine's.
package engine

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/moby/moby/client"
)

// The bounds of a conversation with the engine.
const (
	callTime = 10 * time.Second // one question
	maxReply = 16 << 20         // one answer
)

// ErrNone says that no container engine was found on this machine.
var ErrNone = errors.New("there is no container engine here")

// ErrDenied says that an engine is there and may not be used by this user.
var ErrDenied = errors.New("this user may not use the container engine")

// Client is a connection to an engine that has answered.
type Client struct {
	api     *client.Client
	address address
	podman  atomic.Bool // it said so when it was looked at
}

// Open finds the engine and asks it for a sign of life: at flag, the value of
// --engine, when that is not empty, else where `docker` would look, else
// Podman's sockets. The error wraps ErrNone when there is none and ErrDenied
// when it may not be used.
func Open(ctx context.Context, flag string, getenv func(string) string) (*Client, error) {
	places, err := addresses(flag, getenv)
	if err != nil {
		return nil, err
	}
	if len(places) == 0 {
		return nil, ErrNone
	}
	var first error
	for _, a := range places {
		c, err := open(ctx, a)
		if err == nil {
			return c, nil
		}
		if first == nil || errors.Is(first, ErrNone) {
			first = err
		}
	}
	return nil, first
}

func open(ctx context.Context, a address) (*Client, error) {
	if err := a.supported(); err != nil {
		return nil, err
	}
	options := []client.Opt{
		client.WithHTTPClient(httpClient()),
		client.WithUserAgent("kopano-doctor"),
	}
	if a.certs != "" {
		options = append(options, withTLS(a))
	}
	options = append(options, client.WithHost(a.host))
	if !strings.HasPrefix(a.host, "npipe:") {
		options = append(options, client.WithDialContext(boundedDial(a.host)))
	}
	if a.version != "" {
		options = append(options, client.WithAPIVersion(a.version))
	}
	api, err := client.New(options...)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.why, err)
	}
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	if err := knock(ctx, a); err != nil {
		_ = api.Close()
		return nil, explain(a, err)
	}
	if _, err := api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true}); err != nil {
		_ = api.Close()
		return nil, explain(a, err)
	}
	return &Client{api: api, address: a}, nil
}

// knock connects once, since the library's errors do not tell why it could not.
func knock(ctx context.Context, a address) error {
	u, err := client.ParseHostURL(a.host)
	if err != nil || u.Scheme == "npipe" {
		return err
	}
	network := "tcp"
	if u.Scheme == "unix" {
		network = "unix"
	}
	conn, err := boundedDial(a.host)(ctx, network, u.Host)
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// withTLS logs in with the certificates of a folder. The engine's own is always
// checked: who switched that off gets a plain error instead of a false friend.
func withTLS(a address) client.Opt {
	return client.WithTLSClientConfig(
		filepath.Join(a.certs, "ca.pem"), filepath.Join(a.certs, "cert.pem"), filepath.Join(a.certs, "key.pem"))
}

// Close ends the conversation. It leaves no connection open.
func (c *Client) Close() error { return c.api.Close() }

// Local reports whether the engine was reached over a socket of this machine.
func (c *Client) Local() bool { return c.address.local() }

// explain tells why there is no engine, in the words of an administrator.
func explain(a address, err error) error {
	switch {
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%w at %s: run as root, or as a member of the group docker", ErrDenied, a.host)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("%w: nothing answers at %s (%s)", ErrNone, a.host, a.why)
	case errors.Is(err, context.DeadlineExceeded):
		return fmt.Errorf("the container engine at %s (%s) did not answer within %s", a.host, a.why, callTime)
	}
	return fmt.Errorf("the container engine at %s (%s) does not answer as one: %s", a.host, a.why, firstLine(err.Error()))
}

// httpClient makes the client below the engine's own. Each question has a
// connection of its own, so that the bound on what is read of a connection is
// one on the answer, and nothing stays open between two questions.
func httpClient() *http.Client {
	return &http.Client{
		// An empty TLSNextProto means no HTTP/2. It also keeps package http from
		// filling in TLSClientConfig, which the library takes for "speak TLS".
		Transport:     &http.Transport{DisableKeepAlives: true, TLSNextProto: map[string]func(string, *tls.Conn) http.RoundTripper{}},
		CheckRedirect: client.CheckRedirect,
	}
}

// boundedDial dials as the library would, and bounds what is read.
func boundedDial(host string) func(ctx context.Context, network, addr string) (net.Conn, error) {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if path, ok := strings.CutPrefix(host, "unix://"); ok {
			network, addr = "unix", path
		}
		var d net.Dialer
		conn, err := d.DialContext(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		return &boundedConn{Conn: conn, left: maxReply}, nil
	}
}

type boundedConn struct {
	net.Conn
	left int64
}

var errLongReply = errors.New("the engine's answer is longer than any should be")

// Read reads until the bound. Package http reads from one goroutine.
func (b *boundedConn) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errLongReply
	}
	if int64(len(p)) > b.left {
		p = p[:b.left]
	}
	n, err := b.Conn.Read(p)
	b.left -= int64(n)
	return n, err
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(strings.TrimSpace(s), "\n")
	return clip(line, 300)
}

// clip shortens a text that somebody else has written.
func clip(s string, most int) string {
	s = strings.ToValidUTF8(s, "?")
	runes := []rune(s)
	if len(runes) <= most {
		return s
	}
	return string(runes[:most]) + "…"
}
