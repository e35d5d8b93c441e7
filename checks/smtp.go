package checks

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net/textproto"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Reasons of the SMTP check.
const (
	ReasonNotSMTP      Reason = "not-smtp"
	ReasonNoSTARTTLS   Reason = "no-starttls"
	ReasonNoAuth       Reason = "no-auth"       // submission without a login
	ReasonClearAuth    Reason = "auth-in-clear" // a warning: passwords are taken before TLS
	ReasonRelayDenied  Reason = "relay-denied"  // the spooler is taken for a stranger
	ReasonLookup       Reason = "lookup-failed" // the mail server does not reach its directory
	ReasonTLSSoon      Reason = "tls-soon"      // a warning: the certificate expires soon
	ReasonSMTPRefusal  Reason = "refused-reply" // any other refusal
	ReasonSMTPGreeting Reason = "greeting"
)

// SMTPReasons lists what the SMTP check tells apart.
func SMTPReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonNotSMTP, Greet, "The server that answers does not speak SMTP."},
		ReasonDoc{ReasonSMTPGreeting, Greet, "The mail server greets with a refusal."},
		ReasonDoc{ReasonNoSTARTTLS, TLS, "The server does not offer STARTTLS."},
		ReasonDoc{ReasonTLSSoon, TLS, "The certificate expires soon, or has expired; a warning, since other mail servers do not look at it."},
		ReasonDoc{ReasonNoAuth, Authenticate, "The server offers no login on a port that is made for it."},
		ReasonDoc{ReasonClearAuth, Authenticate, "The server takes passwords before TLS; a warning."},
		ReasonDoc{ReasonSender, Ask, "The empty sender, which every notice of a failed delivery has, is refused."},
		ReasonDoc{ReasonRelayDenied, Ask, "Mail to other domains is refused: the mail server takes the sender for a stranger."},
		ReasonDoc{ReasonLookup, Ask, "The mail server does not reach its directory, so it defers every mail."},
		ReasonDoc{ReasonRecipientUnknown, Ask, "Nobody has the postmaster's address; a warning."},
		ReasonDoc{ReasonSMTPRefusal, Ask, "The mail server refuses with other words."},
	)
}

// greetingTime is how long postscreen, which sits before Postfix in
// docker-mailserver, may take to greet a client that it does not know
// (postscreen_greet_wait is 6 s). It sends the first line of its greeting at once.
const greetingTime = 10 * time.Second

// maxGreetingLines is how many lines a greeting may have.
const maxGreetingLines = 5

// foreignRecipient is an address of no mail server of ours. Nothing is sent to
// it; example.net belongs to nobody (RFC 2606).
const foreignRecipient = "nobody@example.net"

// CheckSMTP climbs the ladder of a mail as far as it leaves no trace: greeting,
// EHLO, TLS where the port has it, a login on offer where people hand in mail,
// MAIL FROM:<>, one RCPT TO, RSET, QUIT. It never says DATA. The spooler asks for
// a recipient elsewhere, since that is what the mail server must let it do; the
// answer counts only from the spooler's own address. Others ask for the
// postmaster. An open relay cannot be told from inside: from an address that the
// server trusts every recipient is accepted.
func CheckSMTP(ctx context.Context, t Target) Result {
	addr := clientsView(t.Edge)
	c := &smtpClimb{climb: newClimb(t, "smtp"), host: addr.Host, port: addr.Port}
	p, f := dial(ctx, t, c.host, c.port)
	if f != nil {
		return c.unreachable(f, c.host, c.port)
	}
	defer p.Close()
	c.address, c.peer = p.address, p
	for _, step := range []func(context.Context) *failure{c.start, c.greet, c.hello, c.startTLS, c.login, c.ask} {
		if f := step(ctx); f != nil {
			return c.fail(f)
		}
	}
	_ = c.text.PrintfLine("QUIT")
	return c.ok(Ask, "the mail server greets%s%s", c.tlsSays, c.says)
}

type smtpClimb struct {
	*climb
	host    string
	port    int
	peer    *peer
	text    *textproto.Conn
	can     map[string]string // what EHLO offers, by its first word in capitals
	secure  bool
	verify  bool // a login follows, so the certificate is looked at unless the server is near
	tlsSays string
	says    string
}

// submission reports whether people hand in mail here, with a password.
func (c *smtpClimb) submission() bool {
	return strings.Contains(c.target.Edge.Link.Listener, "submission") && c.target.Edge.From == nil || c.implicitTLS()
}

func (c *smtpClimb) implicitTLS() bool {
	return c.target.Edge.Link.Listener == "smtps" || c.target.Edge.From != nil && c.port == 465
}

// start begins TLS at once where the port wants it.
func (c *smtpClimb) start(ctx context.Context) *failure {
	if !c.implicitTLS() {
		c.text = textproto.NewConn(c.peer)
		c.peer.rung(ctx, c.target)
		return nil
	}
	return c.secureNow(ctx)
}

// secureNow does the handshake. Who signed the certificate is for mail programs
// to judge, and other mail servers do not look at it (RFC 7435), so it is only
// warned about.
func (c *smtpClimb) secureNow(ctx context.Context) *failure {
	config := &tls.Config{ServerName: c.host, InsecureSkipVerify: true}
	if c.verify {
		config = loginTLS(c.target, c.host, c.peer)
	}
	conn, f := handshake(ctx, c.target, c.peer, config)
	if f != nil {
		return c.lost(f)
	}
	c.secure = true
	c.text = textproto.NewConn(conn)
	c.peer.rung(ctx, c.target)
	state := conn.ConnectionState()
	c.tlsSays = ", speaks " + tls.VersionName(state.Version)
	if len(state.PeerCertificates) > 0 {
		c.expiry(state.PeerCertificates[0].NotAfter)
	}
	return nil
}

// expiry warns of a certificate that ends soon.
func (c *smtpClimb) expiry(end time.Time) {
	left := end.Sub(c.target.now())
	if left > c.target.expiresSoon() {
		return
	}
	title := fmt.Sprintf("The certificate of %s is valid until %s only", c.to(c.host), day(end))
	if left < 0 {
		title = fmt.Sprintf("The certificate of %s expired on %s", c.to(c.host), day(end))
	}
	f := c.finding(ReasonTLSSoon, valuesLocations(c.target.Edge.To, "SSL_CERT_PATH", "SSL_TYPE"), title, c.address+" shows a certificate that ends on "+day(end),
		"Renew the certificate of the mail server and restart it.")
	f.Consequence = "Mail programs warn their users or refuse to send."
	c.warn(finding.Warning, f)
}

// lost adds the finding for a rung that every protocol has.
func (c *smtpClimb) lost(f *failure) *failure {
	if f.status() != Unchecked {
		c.found = append(c.found, c.network(f, c.host, c.port))
	}
	return f
}

// greet waits for the whole greeting before it says a word: postscreen takes a
// client that does not for a spammer.
func (c *smtpClimb) greet(ctx context.Context) *failure {
	line, err := c.text.ReadLine()
	if err != nil {
		return c.unread(ctx, Greet, err)
	}
	if strings.HasPrefix(line, "220-") {
		patient := c.target
		patient.Timeout = max(greetingTime, patient.timeout())
		c.peer.rung(ctx, patient)
		for range maxGreetingLines {
			if line, err = c.text.ReadLine(); err != nil || !strings.HasPrefix(line, "220-") {
				break
			}
		}
		if err != nil {
			return c.unread(ctx, Greet, err)
		}
	}
	if line == "220" || strings.HasPrefix(line, "220 ") {
		return nil
	}
	if !isMailGreeting(line) {
		f := &failure{Greet, ReasonNotSMTP, c.address + " does not speak SMTP" + answered([]byte(line)), nil}
		return c.broke(f, "Another kind of server answers where SMTP is expected", c.target.Edge.Locations(), fmt.Sprintf("Correct host and port in %s.", c.settingName()))
	}
	f := &failure{Greet, ReasonSMTPGreeting, c.address + " greets with: " + oneLine(line), nil}
	return c.broke(f, c.to(c.host)+" refuses connections", c.target.Edge.Locations(), c.lookAtLog())
}

func (c *smtpClimb) lookAtLog() string {
	if c.target.Edge.To == nil {
		return "Ask whoever runs " + c.host + " why."
	}
	return "Look why: docker compose logs " + c.target.Edge.To.Name + "."
}

// unread is an answer that did not come.
func (c *smtpClimb) unread(ctx context.Context, at Rung, err error) *failure {
	f := readFailure(ctx, err, at, c.peer, c.target.timeout())
	if first := c.peer.start(); !c.secure && len(first) > 0 && !isMailGreeting(string(first)) {
		f = &failure{Greet, ReasonNotSMTP, c.address + " does not speak SMTP" + answered(first), err}
		return c.broke(f, "Another kind of server answers where SMTP is expected", c.target.Edge.Locations(), fmt.Sprintf("Correct host and port in %s.", c.settingName()))
	}
	return c.lost(f)
}

// command sends one line and gives the reply's code and text.
func (c *smtpClimb) command(ctx context.Context, at Rung, line string) (int, string, *failure) {
	c.peer.rung(ctx, c.target)
	err := c.text.PrintfLine("%s", line)
	if err != nil {
		return 0, "", c.unread(ctx, at, err)
	}
	code, message, err := c.text.ReadResponse(0)
	var malformed textproto.ProtocolError
	switch {
	case errors.As(err, &malformed):
		f := &failure{at, ReasonNotSMTP, c.address + " answers what is no SMTP", err}
		return 0, "", c.broke(f, "Another kind of server answers where SMTP is expected", c.target.Edge.Locations(), fmt.Sprintf("Correct host and port in %s.", c.settingName()))
	case err != nil && code == 0:
		return 0, "", c.unread(ctx, at, err)
	}
	return code, message, nil
}

// hello says EHLO and notes what is on offer.
func (c *smtpClimb) hello(ctx context.Context) *failure {
	code, message, f := c.command(ctx, Greet, "EHLO "+userAgent)
	if f != nil {
		return f
	}
	if code != 250 {
		f := &failure{Greet, ReasonNotSMTP, fmt.Sprintf("%s answers EHLO with: %d %s", c.address, code, oneLine(message)), nil}
		return c.broke(f, c.to(c.host)+" does not speak SMTP as mail servers do", c.target.Edge.Locations(),
			fmt.Sprintf("Correct host and port in %s: an LMTP server answers there, or one that refuses this client.", c.settingName()))
	}
	c.can = map[string]string{}
	for _, line := range strings.Split(message, "\n") {
		word, rest, _ := strings.Cut(strings.TrimSpace(line), " ")
		c.can[strings.ToUpper(word)] = strings.ToUpper(rest)
	}
	return nil
}

// startTLS goes on with TLS where it is on offer, and says so where it must be.
func (c *smtpClimb) startTLS(ctx context.Context) *failure {
	_, offered := c.can["STARTTLS"]
	_, auth := c.can["AUTH"]
	switch {
	case c.secure, c.target.Edge.From != nil && !offered:
		return nil // inside the deployment mail travels in clear text (kopano-spooler knows no TLS)
	case !offered && c.submission():
		f := &failure{TLS, ReasonNoSTARTTLS, c.address + " does not offer STARTTLS", nil}
		return c.broke(f, c.to(c.host)+" offers no TLS to mail programs", c.tlsPlaces(), "Give the mail server a certificate: set SSL_TYPE, and the files it names.")
	case !offered:
		out := c.finding(ReasonNoSTARTTLS, c.tlsPlaces(), c.to(c.host)+" offers no TLS", c.address+" does not offer STARTTLS",
			"Give the mail server a certificate: set SSL_TYPE, and the files it names.")
		out.Consequence = "Mail from outside travels in clear text, and some senders refuse to send it."
		c.warn(finding.Warning, out)
		return nil
	case c.target.Edge.From != nil:
		return nil // the spooler does not use it
	}
	if auth && c.submission() {
		out := c.finding(ReasonClearAuth, c.tlsPlaces(), c.to(c.host)+" takes passwords without TLS", c.address+" offers AUTH before STARTTLS", "Set smtpd_tls_auth_only=yes in the mail server's postfix-main.cf.")
		out.Consequence = "A mail program that is set up wrongly sends its user's password in clear text."
		c.warn(finding.Warning, out)
	}
	code, message, f := c.command(ctx, TLS, "STARTTLS")
	if f != nil {
		return f
	}
	if code != 220 {
		f := &failure{TLS, ReasonNoSTARTTLS, fmt.Sprintf("%s answers STARTTLS with: %d %s", c.address, code, oneLine(message)), nil}
		return c.broke(f, c.to(c.host)+" cannot begin TLS", c.tlsPlaces(), c.lookAtLog())
	}
	if f := c.secureNow(ctx); f != nil {
		return f
	}
	return c.hello(ctx)
}

func (c *smtpClimb) tlsPlaces() []finding.Location {
	return valuesLocations(c.target.Edge.To, "SSL_TYPE")
}

// login looks whether a login is on offer where people hand in mail.
func (c *smtpClimb) login(context.Context) *failure {
	if !c.submission() || c.target.Edge.From != nil {
		return nil
	}
	if mechanisms, ok := c.can["AUTH"]; ok {
		c.says = ", and takes logins by " + oneLine(mechanisms)
		return nil
	}
	f := &failure{Authenticate, ReasonNoAuth, c.address + " offers no login", nil}
	return c.broke(f, c.to(c.host)+" offers no login to mail programs", valuesLocations(c.target.Edge.To, "ENABLE_SASLAUTHD", "SASLAUTHD_MECHANISMS"),
		"Set ENABLE_SASLAUTHD=1 on "+c.to(c.host)+", and look whether saslauthd runs there: docker compose logs "+c.to(c.host)+".")
}

// ask names sender and recipient and takes both back. Where a login is wanted
// nothing is asked: without one everything is refused.
func (c *smtpClimb) ask(ctx context.Context) *failure {
	if c.submission() {
		return nil
	}
	recipient := postmasterOf(c.target)
	if c.target.Edge.From != nil {
		if !c.target.Inside {
			c.says = ", and was not asked whether it sends mail on, since the answer depends on who asks"
			return nil
		}
		recipient = foreignRecipient
	}
	code, message, f := c.command(ctx, Ask, "MAIL FROM:<>")
	if f != nil {
		return f
	}
	if code != 250 {
		return c.refusedSender(code, message)
	}
	code, message, f = c.command(ctx, Ask, "RCPT TO:<"+recipient+">")
	if f != nil {
		return f
	}
	if code != 250 && code != 251 {
		if f := c.refusedRecipient(recipient, code, message); f != nil {
			return f
		}
	} else {
		c.says = ", and takes mail for " + recipient
		if recipient == foreignRecipient {
			c.says = ", and sends mail on for " + c.from()
		}
	}
	_, _, _ = c.command(ctx, Ask, "RSET")
	return nil
}

func (c *smtpClimb) refusedSender(code int, message string) *failure {
	f := &failure{Ask, ReasonSender, fmt.Sprintf("%s answers MAIL FROM:<> with: %d %s", c.address, code, oneLine(message)), nil}
	return c.broke(f, c.to(c.host)+" refuses the empty sender", c.target.Edge.Locations(), c.lookAtLog())
}

// refusedRecipient judges a refusal; nil means that the link works all the same.
func (c *smtpClimb) refusedRecipient(recipient string, code int, message string) *failure {
	text, low := fmt.Sprintf("%d %s", code, oneLine(message)), strings.ToLower(message)
	f := &failure{Ask, ReasonSMTPRefusal, fmt.Sprintf("%s answers RCPT TO:<%s> with: %s", c.address, recipient, text), nil}
	to := c.to(c.host)
	switch {
	case strings.Contains(low, "relay"), strings.Contains(low, "5.7.1") && recipient == foreignRecipient:
		f.Reason = ReasonRelayDenied
		if recipient != foreignRecipient {
			return c.broke(f, to+" does not know its own domain", valuesLocations(c.target.Edge.To, "LDAP_QUERY_FILTER_DOMAIN"),
				"Look whether the directory has somebody with a mail address of this domain; LDAP_QUERY_FILTER_DOMAIN decides which domains are local.")
		}
		return c.broke(f, to+" sends no mail on for "+c.from(), valuesLocations(c.target.Edge.To, "PERMIT_DOCKER"),
			fmt.Sprintf("Set PERMIT_DOCKER=connected-networks on %s, and recreate it.", to))
	case strings.Contains(low, "lookup failure"), strings.HasPrefix(low, "4.3.0"):
		f.Reason = ReasonLookup
		return c.broke(f, to+" does not reach its directory", valuesLocations(c.target.Edge.To, "LDAP_SERVER_HOST"),
			fmt.Sprintf("Look at the link from %s to the directory, and what docker compose logs %s says.", to, to))
	case recipient == foreignRecipient, code >= 400 && code < 500:
		c.says = ", and answers RCPT with: " + text // greylisting, a name server that does not answer: no fault of the link
		return nil
	case strings.Contains(low, "unknown"), strings.HasPrefix(low, "5.1.1"):
		out := c.finding(ReasonRecipientUnknown, postmasterPlaces(c.target), "Nobody has the postmaster's address", f.Message+"; the link itself works",
			"Give the address to a user, or set POSTMASTER_ADDRESS to one that somebody has.")
		out.Consequence = "Complaints to the postmaster, which every mail domain must take, are lost."
		c.warn(finding.Warning, out)
		c.says = ", and does not know " + recipient
		return nil
	}
	return c.broke(f, to+" refuses the postmaster's mail", c.target.Edge.Locations(), c.lookAtLog())
}
