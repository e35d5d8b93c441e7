package checks

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"os"
	"strconv"
	"syscall"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// DefaultTimeout is the time of one rung when the target names none.
const DefaultTimeout = 5 * time.Second

func (t Target) timeout() time.Duration {
	if t.Timeout <= 0 {
		return DefaultTimeout
	}
	return t.Timeout
}

func (t Target) now() time.Time {
	if t.Now == nil {
		return time.Now()
	}
	return t.Now()
}

// failure is a rung that did not hold.
type failure struct {
	Rung    Rung
	Reason  Reason
	Message string // what was seen, one line, fit to print
	Err     error  // beneath, may be nil; its text is not fit to print
}

// Error gives the message.
func (f *failure) Error() string { return f.Message }

// Unwrap gives the error beneath.
func (f *failure) Unwrap() error { return f.Err }

// status tells a broken link from one that nobody could look at.
func (f *failure) status() Status {
	switch f.Reason {
	case ReasonNoRoute, ReasonOffline, ReasonBlocked, ReasonDeadline, ReasonNoCheck, ReasonConfig, ReasonInternal, ReasonLimited:
		return Unchecked
	}
	return Broken
}

// dial connects to host:port as the configuration writes it, within one rung's
// time. The peer lives no longer than ctx.
func dial(ctx context.Context, t Target, host string, port int) (*peer, *failure) {
	return dialOver(ctx, t, "tcp", host, port)
}

// dialUDP makes a UDP socket for host:port. Whether anybody is there shows only
// when something is sent.
func dialUDP(ctx context.Context, t Target, host string, port int) (*peer, *failure) {
	return dialOver(ctx, t, "udp", host, port)
}

func dialOver(ctx context.Context, t Target, network, host string, port int) (*peer, *failure) {
	address := net.JoinHostPort(host, strconv.Itoa(port))
	rung, cancel := context.WithTimeout(ctx, t.timeout())
	defer cancel()
	conn, err := t.Dialer.DialContext(rung, network, address)
	if err == nil {
		return newPeer(ctx, conn, shownAddress(conn.RemoteAddr().String(), address)), nil
	}
	return nil, dialFailure(ctx, err, address, t.timeout())
}

// dialSocket connects to a unix socket by its path inside the client's
// container, within one rung's time.
func dialSocket(ctx context.Context, t Target, path string) (*peer, *failure) {
	rung, cancel := context.WithTimeout(ctx, t.timeout())
	defer cancel()
	conn, err := t.Dialer.DialContext(rung, "unix", path)
	if err == nil {
		return newPeer(ctx, conn, path), nil
	}
	return nil, socketFailure(ctx, err, path, t.timeout())
}

// socketFailure says why there is no connection to a socket. A socket that
// nobody listens on is a file that a dead server left.
func socketFailure(ctx context.Context, err error, path string, waited time.Duration) *failure {
	switch {
	case errors.Is(err, vantage.ErrNoRoute):
		return &failure{Resolve, ReasonNoRoute, oneLine(err.Error()), err}
	case errors.Is(err, fs.ErrNotExist):
		return &failure{Resolve, ReasonNoSocket, "there is no socket " + path, err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{Dial, ReasonStaleSocket, path + " is there, and nobody listens on it", err}
	case errors.Is(err, syscall.ENOTSOCK), errors.Is(err, syscall.EPROTOTYPE):
		return &failure{Dial, ReasonNoSocket, path + " is no socket", err}
	}
	return dialFailure(ctx, err, path, waited)
}

// shownAddress writes what was dialled and, where it differs, what the
// configuration says.
func shownAddress(dialled, configured string) string {
	if dialled == "" || dialled == configured {
		return configured
	}
	return fmt.Sprintf("%s (%s)", dialled, configured)
}

// dialFailure says why there is no connection. ctx is that of the whole
// check: once it is over, nothing is known about the link.
func dialFailure(ctx context.Context, err error, configured string, waited time.Duration) *failure {
	if errors.Is(err, vantage.ErrNoRoute) {
		return &failure{Resolve, ReasonNoRoute, oneLine(err.Error()), err}
	}
	if over(ctx) {
		return &failure{Dial, ReasonDeadline, "the time for all checks was over before " + configured + " answered", err}
	}
	var dialError *vantage.DialError
	tried := configured
	if errors.As(err, &dialError) && dialError.Tried != "" {
		tried = shownAddress(dialError.Tried, configured)
	}
	host, _, _ := net.SplitHostPort(configured)
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return &failure{Resolve, ReasonNoSuchHost, fmt.Sprintf("the name %s does not resolve", host), err}
	case errors.As(err, &dns):
		return &failure{Resolve, ReasonResolver, fmt.Sprintf("the name server did not answer for %s", host), err}
	case errors.Is(err, syscall.ECONNREFUSED):
		return &failure{Dial, ReasonRefused, tried + " refused the connection", err}
	case isTimeout(err):
		return &failure{Dial, ReasonTimeout, fmt.Sprintf("%s did not answer within %s", tried, shortDuration(waited)), err}
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH), errors.Is(err, syscall.EADDRNOTAVAIL):
		return &failure{Dial, ReasonUnreachable, "there is no way to " + tried + " from here", err}
	case errors.Is(err, syscall.ECONNRESET):
		return &failure{Dial, ReasonClosed, tried + " closed the connection at once", err}
	}
	return &failure{Dial, ReasonUnreachable, fmt.Sprintf("connecting to %s failed: %s", tried, oneLine(err.Error())), err}
}

// readFailure says why an answer did not come on an open connection: silence,
// a closed connection, a hostile flood, an alert of the TLS layer.
func readFailure(ctx context.Context, err error, at Rung, p *peer, waited time.Duration) *failure {
	switch {
	case over(ctx):
		return &failure{at, ReasonDeadline, "the time for all checks was over before " + p.address + " answered", err}
	case errors.Is(err, errTooMuch):
		return &failure{at, ReasonWrongServer, p.address + " sends without end", err}
	case isTimeout(err):
		return &failure{at, ReasonSilent, fmt.Sprintf("%s accepted the connection and did not answer within %s", p.address, shortDuration(waited)), err}
	case isClosed(err):
		return &failure{at, ReasonClosed, p.address + " closed the connection without an answer", err}
	}
	if reason, text := tlsReason(err, time.Time{}); reason != ReasonNone {
		return &failure{TLS, reason, p.address + ": " + text, err}
	}
	return &failure{at, ReasonClosed, fmt.Sprintf("the connection to %s failed: %s", p.address, oneLine(err.Error())), err}
}

// over reports whether the time of the whole check is up. A connection whose
// deadline is that of the context may notice a moment before the context does.
func over(ctx context.Context) bool {
	end, ok := ctx.Deadline()
	return ctx.Err() != nil || ok && time.Until(end) < 5*time.Millisecond
}

func isTimeout(err error) bool {
	var timeout interface{ Timeout() bool }
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded) ||
		errors.As(err, &timeout) && timeout.Timeout()
}

func isClosed(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNABORTED)
}

// shortDuration writes a time as a person would: 5s, 1.2s, 40ms.
func shortDuration(d time.Duration) string {
	switch {
	case d >= time.Second:
		return d.Round(100 * time.Millisecond).String()
	case d >= time.Millisecond:
		return d.Round(time.Millisecond).String()
	}
	return "less than 1ms"
}

// systemRoots gives the authorities that this machine trusts; an empty pool
// when it has none.
func systemRoots() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	if err != nil {
		return x509.NewCertPool()
	}
	return pool
}
