package checks

import (
	"bufio"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// maxBody is how much of an answer's body is read. A discovery document has
// about 3 KB, a key set less.
const maxBody = 1 << 20

// web asks questions over HTTP/1.1 as one service of the deployment would:
// through the target's dialer, with the name of the configuration as Host and
// SNI. It follows no redirect, uses no proxy of the environment, and reads a
// limited amount in a limited time: a peer gives up after 4 MB. It asks one
// question after the other.
type web struct {
	target   Target
	socket   string                    // path of a unix socket inside the client's container; "": by the address' host and port
	insecure bool                      // takes any certificate, as a client with INSECURE=yes does
	prepare  func(*http.Request) error // what a question gets besides, signature or password; may be nil
	last     *peer                     // the newest connection, to tell what answered when it was not HTTP
	secure   bool                      // whether that speaks TLS
}

// answer is what came back.
type answer struct {
	Status    int
	Header    http.Header
	Body      []byte
	Truncated bool // the body is longer than maxBody
	Address   string
	State     *tls.ConnectionState // nil over plain HTTP
}

// get asks one question. The failure is nil for any answer that is HTTP,
// whatever its status.
func (w *web) get(ctx context.Context, address string) (*answer, *failure) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, &failure{Resolve, ReasonConfig, "the address " + oneLine(address) + " is not usable", err}
	}
	request.Header.Set("User-Agent", userAgent)
	request.Close = true
	if w.prepare != nil {
		if err := w.prepare(request); err != nil {
			return nil, &failure{Resolve, ReasonInternal, "the request could not be made", err}
		}
	}
	response, err := w.RoundTrip(request)
	if err != nil {
		return nil, w.failure(ctx, err)
	}
	defer response.Body.Close()
	return w.read(ctx, response)
}

const userAgent = "kopano-doctor"

// RoundTrip sends a request on a connection of its own and reads the head of
// the answer. It is an http.RoundTripper, without the one of net/http, whose
// goroutines write to the log of the program when a server speaks first, as
// servers of other protocols do. The connection has one rung's time to
// connect, one for TLS, and one for the whole answer. Close the body to close it.
func (w *web) RoundTrip(request *http.Request) (*http.Response, error) {
	ctx := request.Context()
	conn, state, f := w.connect(ctx, request.URL)
	if f != nil {
		return nil, f
	}
	response, err := exchange(conn, request)
	if err != nil {
		_ = conn.Close()
		return nil, err
	}
	response.TLS = state
	return response, nil
}

func (w *web) connect(ctx context.Context, u *url.URL) (net.Conn, *tls.ConnectionState, *failure) {
	if w.socket != "" {
		p, f := dialSocket(ctx, w.target, w.socket)
		if f != nil {
			return nil, nil, f
		}
		w.last, w.secure = p, false
		p.rung(ctx, w.target)
		return p, nil, nil
	}
	host, port := hostPortOf(u)
	p, f := dial(ctx, w.target, host, port)
	if f != nil {
		return nil, nil, f
	}
	w.last, w.secure = p, false
	if u.Scheme == "http" || u.Scheme == "ws" {
		p.rung(ctx, w.target)
		return p, nil, nil
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: w.target.roots(), InsecureSkipVerify: w.insecure}
	conn, f := handshake(ctx, w.target, p, config)
	if f != nil {
		_ = p.Close()
		return nil, nil, f
	}
	w.secure = true
	p.rung(ctx, w.target)
	state := conn.ConnectionState()
	return conn, &state, nil
}

// maxInformational is how many answers of the kind "100 Continue" are skipped.
const maxInformational = 5

func exchange(conn net.Conn, request *http.Request) (*http.Response, error) {
	sent := request.Write(conn) // a server that has hung up may have said why before
	in := bufio.NewReader(conn)
	for range maxInformational {
		response, err := http.ReadResponse(in, request)
		if err != nil {
			return nil, errors.Join(err, sent)
		}
		if response.StatusCode >= 200 || response.StatusCode == http.StatusSwitchingProtocols {
			response.Body = &body{response.Body, conn}
			if response.StatusCode == http.StatusSwitchingProtocols {
				response.Body = &body{in, conn}
			}
			return response, nil
		}
	}
	return nil, errInformational
}

var errInformational = errors.New("malformed: only informational answers")

// body closes the connection with the body. It can be written to once the
// protocol is switched.
type body struct {
	io.Reader
	conn net.Conn
}

// Write writes to the connection.
func (b *body) Write(p []byte) (int, error) { return b.conn.Write(p) }

// Close closes the connection.
func (b *body) Close() error { return b.conn.Close() }

func (w *web) read(ctx context.Context, response *http.Response) (*answer, *failure) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil && len(body) <= maxBody {
		return nil, w.failure(ctx, err)
	}
	a := &answer{Status: response.StatusCode, Header: response.Header, Body: body, State: response.TLS, Address: w.last.address}
	if len(body) > maxBody {
		a.Body, a.Truncated = body[:maxBody], true
	}
	if isTLSHint(a) {
		return nil, &failure{TLS, ReasonTLSOnPlain, a.Address + " speaks TLS where plain HTTP is expected", nil}
	}
	return a, nil
}

// isTLSHint recognises how web servers answer plain HTTP on their TLS port:
// Go and Caddy say "Client sent an HTTP request to an HTTPS server", nginx
// "The plain HTTP request was sent to HTTPS port", Apache "speaking plain HTTP
// to an SSL-enabled server port".
func isTLSHint(a *answer) bool {
	if a.State != nil || a.Status != http.StatusBadRequest {
		return false
	}
	text := strings.ToLower(string(a.Body))
	return strings.Contains(text, "http request to an https server") ||
		strings.Contains(text, "plain http request was sent to https port") ||
		strings.Contains(text, "plain http to an ssl-enabled server port")
}

// failure says why no answer came.
func (w *web) failure(ctx context.Context, err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	p := w.last
	if p == nil {
		return &failure{Dial, ReasonInternal, "the request could not be sent: " + oneLine(err.Error()), err}
	}
	first, malformed := p.start(), strings.Contains(err.Error(), "malformed")
	switch {
	case w.secure && malformed:
		return &failure{Greet, ReasonWrongServer, p.address + " speaks TLS, and does not answer in HTTP", err}
	case w.secure:
	case malformed && isTLSRecord(first):
		return &failure{TLS, ReasonTLSOnPlain, p.address + " speaks TLS where plain HTTP is expected", err}
	case malformed, len(first) > 0 && !strings.HasPrefix(string(first), "HTTP/"):
		return &failure{Greet, ReasonWrongServer, p.address + " does not answer in HTTP" + answered(first), err}
	}
	return readFailure(ctx, err, Greet, p, w.target.timeout())
}

// roots gives the authorities that count as known.
func (t Target) roots() *x509.CertPool {
	if t.Roots != nil {
		return t.Roots
	}
	return systemRoots()
}

// hostPortOf gives host and port of a URL, the port by its scheme when it names none.
func hostPortOf(u *url.URL) (string, int) {
	if port, err := strconv.Atoi(u.Port()); err == nil {
		return u.Hostname(), port
	}
	if u.Scheme == "http" {
		return u.Hostname(), 80
	}
	return u.Hostname(), 443
}

// saw describes an answer in a few words for a message: "HTTP 404 (text/plain)".
func (a *answer) saw() string {
	kind := oneLine(a.Header.Get("Content-Type"))
	if kind == "" {
		return fmt.Sprintf("HTTP %d", a.Status)
	}
	return fmt.Sprintf("HTTP %d (%s)", a.Status, kind)
}
