// Package checks holds the live half of the doctor: a ladder of rungs for each
// protocol, climbed from where the client stands. A check only reads: no mail
// is delivered, no row written, no account locked.
package checks

import (
	"context"
	"crypto/x509"
	"net"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// Rung is a step of the ladder.
type Rung string

// The rungs, from the ground up.
const (
	Resolve      Rung = "resolve"
	Dial         Rung = "dial"
	TLS          Rung = "tls"
	Greet        Rung = "greet"
	Authenticate Rung = "authenticate"
	Ask          Rung = "ask"
)

// Status is what became of a link.
type Status string

// The states of a link.
const (
	OK        Status = "ok"
	Broken    Status = "broken"
	Unchecked Status = "unchecked" // and Reason and Message say why
)

// Reason is the word for what happened, for machines. Each check lists its own
// besides these.
type Reason string

// Reasons that any check may give.
const (
	ReasonNone        Reason = ""
	ReasonNoSuchHost  Reason = "no-such-host"
	ReasonResolver    Reason = "resolver-failed" // the name server did not answer, so nobody knows whether the name exists
	ReasonRefused     Reason = "refused"
	ReasonNoSocket    Reason = "no-socket"    // unix sockets: the file is missing
	ReasonStaleSocket Reason = "stale-socket" // unix sockets: a file without a server behind it
	ReasonTimeout     Reason = "timeout"
	ReasonUnreachable Reason = "unreachable"
	ReasonClosed      Reason = "closed"         // the other end closed the connection before it answered
	ReasonSilent      Reason = "silent"         // connected, and no answer within the time
	ReasonWrongServer Reason = "wrong-protocol" // something else answers on this port
	ReasonTLSName     Reason = "tls-name"
	ReasonTLSExpired  Reason = "tls-expired"
	ReasonTLSNotYet   Reason = "tls-not-yet-valid"
	ReasonTLSUnknown  Reason = "tls-unknown-authority"
	ReasonTLSBad      Reason = "tls-bad-certificate"    // a certificate that no client takes: wrong use, unreadable …
	ReasonTLSClient   Reason = "tls-client-certificate" // the server wants a certificate from its client
	ReasonTLSVersion  Reason = "tls-version"            // the server speaks only TLS 1.1 or older
	ReasonTLSRefused  Reason = "tls-refused"            // the server ended the handshake
	ReasonPlainOnTLS  Reason = "plain-on-tls"           // plain text where TLS was expected
	ReasonTLSOnPlain  Reason = "tls-on-plain"           // TLS where plain text was expected
	ReasonCredentials Reason = "bad-credentials"
	ReasonNoRoute     Reason = "no-route"      // unchecked: cannot be reached from here
	ReasonOffline     Reason = "offline"       // unchecked: --offline
	ReasonBlocked     Reason = "blocked"       // unchecked: what it depends on is down
	ReasonDeadline    Reason = "deadline"      // unchecked: the run's time was over
	ReasonNoCheck     Reason = "no-check"      // unchecked: there is no live check for this link
	ReasonConfig      Reason = "configuration" // unchecked: the address is not usable as written; a rule says why
	ReasonInternal    Reason = "internal"      // unchecked: the check itself failed
)

// Dialer reaches an address as the configuration writes it. It resolves the
// name as its vantage does and obeys --resolve.
type Dialer interface {
	// DialContext connects to host:port over "tcp" or "udp", or to a path
	// inside the client's container over "unix". Errors wrap net.DNSError,
	// syscall.ECONNREFUSED, os.ErrDeadlineExceeded and so on, or vantage.ErrNoRoute.
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

// Target is what a check looks at, and the means to do so.
type Target struct {
	Edge     *kopano.Edge
	Topology *kopano.Topology
	Dialer   Dialer
	Now      func() time.Time
	Timeout  time.Duration // for each rung; 0 is DefaultTimeout
	Inside   bool          // the dialer stands in the client's own container, with its address
	Files    Files         // reads files of a container's volumes where the vantage can

	ExpiresSoon time.Duration // how long before its end a certificate is warned about; 0 is DefaultExpiresSoon

	Engine *engine.Snapshot // what runs, nil where no engine was asked

	Roots  *x509.CertPool // authorities that count as known; nil: those of this machine
	Login  *Trip          // who signs in on the way of a person; nil: nobody
	Logins *Attempts      // shared by the checks of one run, and by runs that follow each other; nil: every login is tried
}

// Files opens a file as a service sees it: a path inside its container. It
// gives an error that wraps vantage.ErrNoRoute when the volume cannot be read
// from here.
type Files interface {
	ReadFile(s *deployment.Service, path string, limit int64) ([]byte, error)
	Stat(s *deployment.Service, path string) (FileInfo, error)
}

// FileInfo is what matters of a file.
type FileInfo = vantage.FileInfo

// Result is what a check found.
type Result struct {
	Status   Status
	Rung     Rung // the last rung reached: where it broke, or the highest that holds
	Reason   Reason
	Message  string // one line: what was seen, with what was sent and what came back; no secrets
	Address  string // the address that was dialled, as a person would write it: "127.0.0.1:3306 (db:3306)"
	Duration time.Duration

	Final bool // a login was refused and is not tried again, see Attempts: waiting cures nothing

	CertificateEnd time.Time // when the certificate that the server showed ends; zero when none was seen

	Findings []finding.Finding // ID, Severity, Message, Locations, Consequence, Remedy … complete but for Kind, Subject and Links
}

// Check climbs the ladder of one link. It returns in bounded time, also when
// the other end is hostile, and only reads.
type Check func(ctx context.Context, t Target) Result
