package checks

import (
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// ReasonDoc explains one reason of a check, for the documentation.
type ReasonDoc struct {
	Reason Reason
	Rung   Rung
	Means  string // one sentence
}

// networkReasons are the reasons that every check may give before it speaks
// its protocol.
func networkReasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonNoSuchHost, Resolve, "The name in the configuration does not exist."},
		{ReasonResolver, Resolve, "The name server did not answer, so nobody knows whether the name exists."},
		{ReasonNoRoute, Resolve, "Not checked: the address can be reached only from inside the containers' networks."},
		{ReasonRefused, Dial, "The machine is there, and nothing listens on the port."},
		{ReasonTimeout, Dial, "No answer to the attempt to connect: the machine is off, or a firewall drops the packets."},
		{ReasonUnreachable, Dial, "There is no way to the address from here."},
		{ReasonClosed, Greet, "The connection was closed before an answer came."},
		{ReasonSilent, Greet, "The connection was accepted, and no answer came in time."},
		{ReasonWrongServer, Greet, "Something else answers on this port."},
		{ReasonDeadline, Dial, "Not checked: the time for the whole run was over."},
	}
}

// tlsReasons are the reasons that every check with TLS may give besides.
func tlsReasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonTLSName, TLS, "The certificate is for another name."},
		{ReasonTLSExpired, TLS, "The certificate has expired."},
		{ReasonTLSNotYet, TLS, "The certificate is not valid yet, or a clock is wrong."},
		{ReasonTLSUnknown, TLS, "The certificate is signed by an authority that the client does not trust."},
		{ReasonTLSBad, TLS, "The certificate cannot be used: wrong purpose, or unreadable."},
		{ReasonTLSClient, TLS, "The server asks its clients for a certificate."},
		{ReasonTLSVersion, TLS, "The server speaks only versions of TLS that are no longer safe."},
		{ReasonTLSRefused, TLS, "The server ended the TLS handshake."},
		{ReasonPlainOnTLS, TLS, "The server answers in plain text where TLS is expected."},
	}
}

// climb gathers what happens on the way up one ladder.
type climb struct {
	target  Target
	id      string // prefix of finding IDs after "live-": "ldap"
	started time.Time
	address string
	found   []finding.Finding

	certificateEnd time.Time // zero when no certificate was seen
	final          bool      // as in Result
}

func newClimb(t Target, id string) *climb {
	c := &climb{target: t, id: id, started: time.Now()}
	if t.Edge != nil {
		c.address = t.Edge.Addr.Text
	}
	return c
}

// ok is the result of a ladder that was climbed to the given rung.
func (c *climb) ok(at Rung, format string, args ...any) Result {
	return Result{Status: OK, Rung: at, Message: oneLine(fmt.Sprintf(format, args...)), Address: c.address,
		Duration: time.Since(c.started), CertificateEnd: c.certificateEnd, Findings: c.found}
}

// fail is the result of a ladder that broke. A broken link needs a finding,
// which the caller has added, or that is added here.
func (c *climb) fail(f *failure, findings ...finding.Finding) Result {
	c.found = append(c.found, findings...)
	return Result{Status: f.status(), Rung: f.Rung, Reason: f.Reason, Message: oneLine(f.Message), Address: c.address,
		Duration: time.Since(c.started), CertificateEnd: c.certificateEnd, Findings: c.found, Final: c.final}
}

// finding makes one for this link, of severity error. IDs are "live-", the
// check's name and the reason. Locations are where to change something, as
// given; where none is known, where the address or the service is written.
func (c *climb) finding(reason Reason, locations []finding.Location, title, message, remedy string) finding.Finding {
	locations = uniqueLocations(locations)
	if len(locations) == 0 {
		locations = c.target.Edge.Locations()
	}
	if to := c.target.Edge.To; len(locations) == 0 && to != nil { // a client outside, whose address is a published port
		locations = append(locations, to.Locate("ports").As(finding.Fix))
	}
	return finding.Finding{
		ID: "live-" + c.id + "-" + string(reason), Severity: finding.Error, Kind: finding.Live,
		Title: title, Message: sentence(message), Locations: locations,
		Consequence: c.target.Edge.Link.Loses, Remedy: remedy, Key: string(reason),
	}
}

// broke adds a finding for the failure and gives the failure.
func (c *climb) broke(f *failure, title string, places []finding.Location, remedy string) *failure {
	c.found = append(c.found, c.finding(f.Reason, places, title, f.Message, remedy))
	return f
}

// warn adds a finding of lower severity that does not break the link.
func (c *climb) warn(s finding.Severity, f finding.Finding) {
	f.Severity = s
	c.found = append(c.found, f)
}

// from is the name of the end that calls, for sentences.
func (c *climb) from() string {
	if c.target.Edge.From == nil {
		return "a client"
	}
	return c.target.Edge.From.Name
}

// to is the name of the end that is called: the service, or the host.
func (c *climb) to(host string) string {
	if c.target.Edge.To != nil {
		return c.target.Edge.To.Name
	}
	return host
}

// network makes the finding for a rung that any protocol has: resolving,
// dialling, TLS and silence.
func (c *climb) network(f *failure, host string, port int) finding.Finding {
	title, remedy := c.networkAdvice(f, host, port)
	message := fmt.Sprintf("%s (%s calls it %s%s)", f.Message, c.from(), net.JoinHostPort(host, strconv.Itoa(port)), c.bySetting())
	return c.names(f, host, c.finding(f.Reason, c.target.Edge.Locations(), title, message, remedy))
}

// bySetting names the setting that gave the address: ", from KCCONF_…".
func (c *climb) bySetting() string {
	values := c.target.Edge.Addr.Values
	if len(values) == 0 {
		return ", by default"
	}
	return ", set by " + values[0].Key
}

// settingName is the setting to change for the address, for a remedy.
func (c *climb) settingName() string {
	if values := c.target.Edge.Addr.Values; len(values) > 0 {
		return values[0].Key
	}
	if a := c.target.Edge.Link.Address; a.Setting != "" {
		return a.Setting
	} else if a.HostSetting != "" {
		return a.HostSetting
	}
	return "the address"
}

func (c *climb) networkAdvice(f *failure, host string, port int) (title, remedy string) {
	at := net.JoinHostPort(host, strconv.Itoa(port))
	name, setting := c.to(host), c.settingName()
	look := fmt.Sprintf("Look whether %s runs and what its log says (docker compose ps, docker compose logs %s)", name, name)
	if c.target.Edge.To == nil {
		look = fmt.Sprintf("Look whether the server on %s runs", host)
	}
	switch f.Reason {
	case ReasonNoSuchHost:
		return fmt.Sprintf("The name %s does not exist", host),
			fmt.Sprintf("Correct the host in %s: write the name of a service of this deployment, or a name that the name server knows.", setting)
	case ReasonResolver:
		return fmt.Sprintf("The name server does not answer for %s", host), "Look whether the name server of this machine works, then run the check again."
	case ReasonRefused:
		return "Nothing listens on " + at, fmt.Sprintf("%s; if it listens on another port, write that port into %s.", look, setting)
	case ReasonTimeout:
		return at + " does not answer", fmt.Sprintf("%s, and whether a firewall lets port %d through.", look, port)
	case ReasonUnreachable:
		return "There is no way to " + at, fmt.Sprintf("Correct the host in %s, or the network between here and there.", setting)
	case ReasonClosed:
		return at + " hangs up", look + "."
	case ReasonSilent:
		return at + " accepts connections and stays silent", look + "; a restart helps when it hangs."
	case ReasonWrongServer:
		return "Another kind of server answers on " + at, fmt.Sprintf("Correct host and port in %s.", setting)
	}
	return c.tlsAdvice(f, host, at, look)
}

func (c *climb) tlsAdvice(f *failure, host, at, look string) (title, remedy string) {
	switch f.Reason {
	case ReasonTLSName:
		return "The certificate of " + at + " is for another name",
			fmt.Sprintf("Write one of the certificate's names into %s, or give the server a certificate that lists %s.", c.settingName(), host)
	case ReasonTLSExpired:
		return "The certificate of " + at + " has expired", "Renew the certificate of the server and restart it."
	case ReasonTLSNotYet:
		return "The certificate of " + at + " is not valid yet", "Set the clock of this machine and of the server right; if both are, wait or renew the certificate."
	case ReasonTLSUnknown:
		return "The certificate of " + at + " is signed by an unknown authority",
			fmt.Sprintf("Mount the authority's certificate into %s and name it where the client looks for it, or give the server a certificate by a public authority.", c.from())
	case ReasonTLSBad:
		return "The certificate of " + at + " cannot be used", "Give the server a new certificate."
	case ReasonTLSClient:
		return at + " asks for a client certificate", "Let the server accept clients without a certificate, or call it without TLS inside the deployment's own network."
	case ReasonTLSVersion:
		return at + " speaks only outdated TLS", "Update the server, or allow TLS 1.2 in its settings."
	case ReasonTLSRefused:
		return at + " refuses TLS", look + "."
	case ReasonPlainOnTLS:
		return at + " does not speak TLS", fmt.Sprintf("Write the address without TLS into %s, or the port that speaks TLS.", c.settingName())
	}
	return at + " cannot be used", look + "."
}

// valuesLocations gives the places of settings of a service, the first one's
// first; all but the first value's places become "related". Settings that
// nobody wrote give the service itself.
func valuesLocations(s *deployment.Service, keys ...string) []finding.Location {
	if s == nil {
		return nil
	}
	var out []finding.Location
	for _, key := range keys {
		v, ok := s.Get(key)
		if !ok {
			continue
		}
		places := v.Locations()
		if len(out) > 0 {
			places = related(places)
		}
		out = append(out, places...)
	}
	if len(out) == 0 {
		out = append(out, s.Locate("environment").As(finding.Fix))
	}
	return out
}

// related makes places of the other end.
func related(places []finding.Location) []finding.Location {
	out := make([]finding.Location, 0, len(places))
	for _, l := range places {
		if l.Role != finding.Overridden {
			out = append(out, l.As(finding.Related))
		}
	}
	return out
}

// uniqueLocations drops places that are named twice.
func uniqueLocations(in []finding.Location) []finding.Location {
	type place struct {
		file         string
		line, column int
	}
	seen := map[place]bool{}
	var out []finding.Location
	for _, l := range in {
		p := place{l.File, l.Line, l.Column}
		if !l.IsZero() && !seen[p] {
			seen[p] = true
			out = append(out, l)
		}
	}
	return out
}

// sentence gives a message its capital and full stop.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" || strings.HasSuffix(s, ".") {
		return s
	}
	return s + "."
}
