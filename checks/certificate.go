package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Reasons of the certificate checks.
const (
	ReasonNoCertificate Reason = "no-certificate" // the server has none for this name
	ReasonExpiresSoon   Reason = "expires-soon"   // a warning
	ReasonWeakSignature Reason = "weak-signature" // SHA-1 or MD5
	ReasonOldTLS        Reason = "old-tls"        // a warning: TLS 1.0 or 1.1 is taken too
	ReasonNotServer     Reason = "not-kopano"     // TLS is fine, and another server answers
)

// CertificateReasons lists what the checks of certificates on connections tell apart.
func CertificateReasons() []ReasonDoc {
	out := append(networkReasons(), tlsReasons()...)
	return append(out,
		ReasonDoc{ReasonNoCertificate, TLS, "web has no certificate for the name that was asked for."},
		ReasonDoc{ReasonSelfSigned, TLS, "The certificate signed itself, although web should have one by an authority."},
		ReasonDoc{ReasonWeakKey, TLS, "The certificate's key is too short to be safe."},
		ReasonDoc{ReasonWeakSignature, TLS, "The certificate is signed with SHA-1 or MD5, which clients no longer take."},
		ReasonDoc{ReasonExpiresSoon, TLS, "The certificate expires within 30 days; a warning."},
		ReasonDoc{ReasonOldTLS, TLS, "The server also takes TLS 1.0 or 1.1; a warning."},
		ReasonDoc{ReasonClock, Ask, "The server's clock and this machine's differ by more than a minute; a warning."},
		ReasonDoc{ReasonNotServer, Ask, "The certificate is fine, and not kopano_server answers behind it."},
	)
}

// mode is where web's certificate comes from (web/kweb.cfg and wrapper.sh of
// kopano-docker: TLS_MODE, and EMAIL under tls_auto).
type mode int

const (
	modePublic     mode = iota // Let's Encrypt, or files by an authority
	modeSelfSigned             // made by web itself, for seven days
	modeOff                    // no TLS: another proxy in front has it
)

func certificateMode(web *deployment.Service) mode {
	text := func(key string) string {
		if web == nil {
			return ""
		}
		v, _ := web.Get(key)
		return strings.TrimSpace(v.Reveal())
	}
	switch text("TLS_MODE") {
	case "tls_off":
		return modeOff
	case "tls_selfsigned":
		return modeSelfSigned
	case "tls_custom":
		return modePublic
	}
	switch text("EMAIL") {
	case "self_signed":
		return modeSelfSigned
	case "off", "":
		return modeOff
	}
	return modePublic
}

// CheckWebCertificate looks at the certificate that browsers and phones see:
// at the address of FQDN, asked for by that name. A certificate that signed
// itself is taken where the deployment says that it should.
func CheckWebCertificate(ctx context.Context, t Target) Result {
	c := &certificateClimb{climb: newClimb(t, "certificate"), web: t.Edge.To}
	c.host, c.port = t.Edge.Addr.Host, t.Edge.Addr.Port
	if c.web != nil && t.Topology.Role(c.web) == kopano.Web {
		c.host, c.port = publicAddress(c.web, c.host, c.port)
		c.mode = certificateMode(c.web)
	}
	if c.host == "" || c.port == 0 {
		return c.fail(&failure{Resolve, ReasonConfig, "no name is set by which clients reach web", nil})
	}
	c.names = []string{c.host}
	c.address = hostPort(c.host, c.port)
	c.trust = x509.VerifyOptions{Roots: t.roots()}
	c.places = c.webPlaces
	state, f := c.handshake(ctx)
	if f != nil {
		return c.refused(f)
	}
	if f := c.judge(state); f != nil {
		return c.fail(f)
	}
	c.oldTLS(ctx)
	if f := c.answers(ctx); f != nil {
		return c.refused(f)
	}
	return c.ok(Ask, "the certificate for %s is valid until %s, issued by %s%s", c.host, day(state.PeerCertificates[0].NotAfter), issuerOf(state.PeerCertificates[0]), c.selfSignedNote())
}

type certificateClimb struct {
	*climb
	web      *deployment.Service
	host     string
	port     int
	names    []string // that the certificate must have
	mode     mode
	internal bool // kopano_ssl's authority signs, not a public one
	unknown  bool // that authority cannot be read from here
	trust    x509.VerifyOptions
	places   func(Reason) []finding.Location
	self     bool // the certificate signed itself, and may
}

// publicAddress gives name and port by which clients reach web: FQDN, which
// may end in a port, else what the link says.
func publicAddress(web *deployment.Service, host string, port int) (string, int) {
	v, ok := web.Get("FQDN")
	name := strings.TrimSpace(v.Reveal())
	if !ok || name == "" {
		return host, port
	}
	if h, p, err := net.SplitHostPort(name); err == nil {
		if n, err := strconv.Atoi(p); err == nil {
			return h, n
		}
	}
	if port == 0 || port == 80 {
		port = 443
	}
	return name, port
}

// handshake shakes hands without judging, so that everything that is wrong
// with the certificate can be said at once.
func (c *certificateClimb) handshake(ctx context.Context) (*tls.ConnectionState, *failure) {
	p, f := dial(ctx, c.target, c.host, c.port)
	if f != nil {
		return nil, f
	}
	defer p.Close()
	c.address = p.address
	conn, f := handshake(ctx, c.target, p, &tls.Config{ServerName: c.host, MinVersion: tls.VersionTLS12, InsecureSkipVerify: true})
	if f != nil {
		return nil, f
	}
	state := conn.ConnectionState()
	return &state, nil
}

// refused is a link that does not come as far as a certificate.
func (c *certificateClimb) refused(f *failure) Result {
	if f.status() == Unchecked {
		return c.fail(f)
	}
	at := hostPort(c.host, c.port)
	switch {
	case f.Reason == ReasonPlainOnTLS && !c.internal:
		return c.fail(f, c.finding(f.Reason, c.places(f.Reason), at+" answers in plain HTTP where clients expect HTTPS", f.Message,
			"Set EMAIL to a mail address, so that web gets a certificate from Let's Encrypt, or to self_signed for a test. If another proxy serves TLS, let that one answer at this name."))
	case f.Reason == ReasonTLSRefused && strings.Contains(f.Message, "internal error") && !c.internal:
		// Caddy's answer to a name that it has no certificate for.
		f = &failure{TLS, ReasonNoCertificate, f.Message, f.Err}
		return c.fail(f, c.finding(f.Reason, c.places(f.Reason), "web has no certificate for "+c.host, f.Message,
			"FQDN must be the bare name, without https:// and path, and lead to this machine from the internet; then look in the log why no certificate comes (docker compose logs web)."))
	}
	out := c.network(f, c.host, c.port)
	out.Locations = uniqueLocations(append(c.places(f.Reason), related(out.Locations)...))
	return c.fail(f, out)
}

// judge looks at everything about the certificate; the failure is the worst of it.
func (c *certificateClimb) judge(state *tls.ConnectionState) *failure {
	chain := state.PeerCertificates
	c.certificateEnd = chain[0].NotAfter
	worst := c.chain(chain)
	for _, w := range weaknesses(chain) {
		f := &failure{TLS, w.reason, c.address + ": " + w.text, nil}
		c.add(f, w.title, w.remedy)
		if worst == nil {
			worst = f
		}
	}
	if worst == nil || worst.Reason != ReasonTLSExpired {
		c.expiry(chain[0])
	}
	return worst
}

// chain verifies authority, time and name, each for itself.
func (c *certificateClimb) chain(chain []*x509.Certificate) *failure {
	leaf := chain[0]
	now := c.target.now()
	var worst *failure
	note := func(reason Reason, text string) {
		f := &failure{TLS, reason, c.address + ": " + text, nil}
		title, remedy := c.advice(f)
		c.add(f, title, remedy)
		if worst == nil {
			worst = f
		}
	}
	switch {
	case now.After(leaf.NotAfter):
		note(ReasonTLSExpired, "the certificate expired on "+day(leaf.NotAfter))
	case now.Before(leaf.NotBefore):
		note(ReasonTLSNotYet, "the certificate is valid only from "+day(leaf.NotBefore))
	}
	for _, name := range c.names {
		if err := leaf.VerifyHostname(name); name != "" && err != nil {
			note(ReasonTLSName, fmt.Sprintf("the certificate is for %s, not for %s", certificateNames(leaf), oneLine(name)))
			break
		}
	}
	if reason, text := c.authority(chain); reason != ReasonNone {
		note(reason, text)
	}
	return worst
}

// authority verifies the chain at a time when the certificate itself is
// valid, so that what is wrong with the signature is not hidden by its age.
func (c *certificateClimb) authority(chain []*x509.Certificate) (Reason, string) {
	leaf := chain[0]
	if selfSigned(leaf) {
		c.self = c.mode == modeSelfSigned
		if c.self || c.unknown {
			return ReasonNone, ""
		}
		if c.trustsLeaf(leaf) {
			return ReasonNone, ""
		}
		return ReasonSelfSigned, "the certificate signed itself"
	}
	if c.unknown || c.mode == modeSelfSigned && strings.Contains(strings.Join(leaf.Issuer.Organization, " "), "Caddy") {
		c.self = !c.unknown
		return ReasonNone, ""
	}
	options := c.trust
	options.CurrentTime = withinValidity(c.target.now(), leaf)
	options.Intermediates = x509.NewCertPool()
	for _, i := range chain[1:] {
		options.Intermediates.AddCert(i)
	}
	_, err := leaf.Verify(options)
	if err == nil {
		return ReasonNone, ""
	}
	reason, text := certificateReason(err, options.CurrentTime)
	if reason == ReasonNone {
		reason, text = ReasonTLSBad, "the certificate cannot be used: "+oneLine(err.Error())
	}
	if reason == ReasonTLSUnknown && len(chain) == 1 && !c.internal {
		text += ", or the server does not send the certificates between it and its authority"
	}
	return reason, text
}

func (c *certificateClimb) trustsLeaf(leaf *x509.Certificate) bool {
	options := c.trust
	options.CurrentTime = withinValidity(c.target.now(), leaf)
	_, err := leaf.Verify(options)
	return err == nil
}

func withinValidity(now time.Time, c *x509.Certificate) time.Time {
	switch {
	case now.Before(c.NotBefore):
		return c.NotBefore
	case now.After(c.NotAfter):
		return c.NotAfter
	}
	return now
}

func (c *certificateClimb) add(f *failure, title, remedy string) {
	c.found = append(c.found, c.finding(f.Reason, c.places(f.Reason), title, f.Message, remedy))
}

func (c *certificateClimb) advice(f *failure) (title, remedy string) {
	at := hostPort(c.host, c.port)
	title, remedy = c.tlsAdvice(f, c.host, at, "Look what the log of "+c.to(c.host)+" says")
	switch {
	case c.internal:
		remedy = c.internalRemedy(f.Reason)
	case f.Reason == ReasonSelfSigned:
		title = "The certificate of " + at + " signed itself"
		remedy = "Set EMAIL to a mail address, so that web gets a certificate from Let's Encrypt, and look why that failed (docker compose logs web); or say that it is meant: EMAIL=self_signed and INSECURE=yes."
	case f.Reason == ReasonTLSName:
		remedy = fmt.Sprintf("Set FQDN to one of the certificate's names, or get a certificate for %s. If another server answers at this name, correct the name's address (DNS).", c.host)
	case f.Reason == ReasonTLSExpired && c.mode == modeSelfSigned:
		remedy = "Restart web: the certificate that it signs itself lives only seven days from its start (docker compose restart web)."
	case f.Reason == ReasonTLSExpired:
		remedy = "Look why web does not renew it (docker compose logs web): ports 80 and 443 of this name must lead to web from the internet. Certificates from files (TLS_CERT, TLS_KEY) must be replaced by hand."
	case f.Reason == ReasonTLSUnknown:
		remedy = "Get the certificate from an authority that browsers know, and let the server send the certificates between as well."
	}
	return title, remedy
}

func (c *certificateClimb) selfSignedNote() string {
	if c.self {
		return "; it signed itself, as EMAIL says"
	}
	return ""
}

func (c *certificateClimb) webPlaces(r Reason) []finding.Location {
	switch r {
	case ReasonTLSName, ReasonNoCertificate, ReasonNoSuchHost, ReasonResolver, ReasonRefused, ReasonTimeout, ReasonUnreachable, ReasonClosed, ReasonSilent, ReasonWrongServer:
		return valuesLocations(c.web, "FQDN")
	}
	if v, ok := webSetting(c.web, "TLS_MODE"); ok && v.Reveal() == "tls_custom" {
		return valuesLocations(c.web, "TLS_CERT", "TLS_KEY", "TLS_MODE")
	}
	return valuesLocations(c.web, "EMAIL", "TLS_MODE")
}

func webSetting(s *deployment.Service, key string) (deployment.Value, bool) {
	if s == nil {
		return deployment.Value{}, false
	}
	return s.Get(key)
}

// oldTLS tries what no client should use any more.
func (c *certificateClimb) oldTLS(ctx context.Context) {
	p, f := dial(ctx, c.target, c.host, c.port)
	if f != nil {
		return
	}
	defer p.Close()
	conn, f := handshake(ctx, c.target, p, &tls.Config{ServerName: c.host, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11, InsecureSkipVerify: true})
	if f != nil {
		return // as it should be
	}
	note := c.finding(ReasonOldTLS, c.places(ReasonOldTLS), hostPort(c.host, c.port)+" takes outdated TLS",
		fmt.Sprintf("%s agrees to %s, which has known weaknesses", c.address, tls.VersionName(conn.ConnectionState().Version)),
		"Allow only TLS 1.2 and later on the server in front; web itself does so.")
	note.Consequence = "Passwords can be read by somebody who controls the network and a program that is willing to use the old version."
	c.warn(finding.Warning, note)
}

// answers asks for the front page: with TLS 1.3 a server may refuse the client
// only after the handshake. The answer is used to compare clocks.
func (c *certificateClimb) answers(ctx context.Context) *failure {
	w := &web{target: c.target, insecure: true} // the certificate was judged already
	a, f := w.get(ctx, "https://"+hostPort(c.host, c.port)+"/")
	if f == nil {
		c.compareClock(a, "Certificates and sign-ins seem not yet valid or expired to the one whose clock is wrong.")
	}
	return f
}
