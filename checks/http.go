package checks

import (
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
	"sync"
)

// maxBody is how much of an answer's body is read. A discovery document has
// about 3 KB, a key set less.
const maxBody = 1 << 20

// maxHeader bounds the header of an answer.
const maxHeader = 64 << 10

// web asks questions over HTTP/1.1 as one service of the deployment would:
// through the target's dialer, with the name of the configuration as Host and
// SNI. It follows no redirect, uses no proxy of the environment, and reads a
// limited amount in a limited time.
type web struct {
	target   Target
	insecure bool // takes any certificate, as a client with INSECURE=yes does

	mu   sync.Mutex
	last *peer // the newest connection, to tell what answered when it was not HTTP
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
	transport := w.transport(ctx)
	defer transport.CloseIdleConnections()
	response, err := transport.RoundTrip(request)
	if err != nil {
		return nil, w.failure(ctx, err)
	}
	defer response.Body.Close()
	return w.read(ctx, response)
}

const userAgent = "kopano-doctor"

func (w *web) read(ctx context.Context, response *http.Response) (*answer, *failure) {
	body, err := io.ReadAll(io.LimitReader(response.Body, maxBody+1))
	if err != nil && len(body) <= maxBody {
		return nil, w.failure(ctx, err)
	}
	a := &answer{Status: response.StatusCode, Header: response.Header, Body: body, State: response.TLS}
	if p := w.peer(); p != nil {
		a.Address = p.address
	}
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

// transport serves one request. Each connection has one rung's time to
// connect, one for TLS, and one for the whole answer.
func (w *web) transport(ctx context.Context) *http.Transport {
	return &http.Transport{
		// The context that net/http gives a dial may outlive the request, so ours is used.
		DialContext: func(_ context.Context, _, address string) (net.Conn, error) {
			p, f := w.dial(ctx, address)
			if f != nil {
				return nil, f
			}
			p.rung(ctx, w.target)
			return p, nil
		},
		DialTLSContext: func(_ context.Context, _, address string) (net.Conn, error) {
			p, f := w.dial(ctx, address)
			if f != nil {
				return nil, f
			}
			conn, f := handshake(ctx, w.target, p, w.config(address))
			if f != nil {
				_ = p.Close()
				return nil, f
			}
			p.rung(ctx, w.target)
			return conn, nil
		},
		DisableKeepAlives:      true,
		DisableCompression:     true, // a small gzip body may unpack to gigabytes
		MaxResponseHeaderBytes: maxHeader,
		TLSNextProto:           map[string]func(string, *tls.Conn) http.RoundTripper{}, // HTTP/1.1 only
	}
}

func (w *web) config(address string) *tls.Config {
	host, _, _ := net.SplitHostPort(address)
	return &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12, RootCAs: w.target.roots(), InsecureSkipVerify: w.insecure}
}

func (w *web) dial(ctx context.Context, address string) (*peer, *failure) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return nil, &failure{Resolve, ReasonConfig, "the address " + oneLine(address) + " is not usable", err}
	}
	port, err := strconv.Atoi(portText)
	if err != nil {
		return nil, &failure{Resolve, ReasonConfig, "the port in " + oneLine(address) + " is not a number", err}
	}
	p, f := dial(ctx, w.target, host, port)
	if f != nil {
		return nil, f
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last = p
	return p, nil
}

func (w *web) peer() *peer {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.last
}

// failure says why no answer came.
func (w *web) failure(ctx context.Context, err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	p := w.peer()
	if p == nil {
		return &failure{Dial, ReasonInternal, "the request could not be sent: " + oneLine(err.Error()), err}
	}
	first := p.start()
	text := err.Error()
	switch {
	case isTLSRecord(first) && strings.Contains(text, "malformed HTTP"):
		return &failure{TLS, ReasonTLSOnPlain, p.address + " speaks TLS where plain HTTP is expected", err}
	case strings.Contains(text, "response headers exceeded"), strings.Contains(text, "too many 1xx"):
		return &failure{Greet, ReasonWrongServer, p.address + " sends a header without end", err}
	case strings.Contains(text, "malformed"), len(first) > 0 && !strings.HasPrefix(string(first), "HTTP/") && w.plain(first):
		return &failure{Greet, ReasonWrongServer, p.address + " does not answer in HTTP" + answered(first), err}
	}
	return readFailure(ctx, err, Greet, p, w.target.timeout())
}

// plain reports whether the connection's first bytes are readable as they
// are, and not the records of a TLS session that was agreed on.
func (w *web) plain(first []byte) bool { return !isTLSRecord(first) }

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
