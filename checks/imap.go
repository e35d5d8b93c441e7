package checks

import (
	"bufio"
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"strings"
)

// Reasons of the IMAP and POP3 checks.
const (
	ReasonNotIMAP       Reason = "not-imap"
	ReasonNotPOP3       Reason = "not-pop3"
	ReasonLoginDisabled Reason = "login-disabled" // passwords are taken after STARTTLS only
	ReasonBye           Reason = "bye"            // the server greets with a refusal
)

// IMAPReasons lists what the IMAP check tells apart.
func IMAPReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonNotIMAP, Greet, "The server that answers does not speak IMAP."},
		ReasonDoc{ReasonBye, Greet, "kopano_gateway greets with a refusal."},
		ReasonDoc{ReasonLoginDisabled, Ask, "Passwords are taken after STARTTLS only, and the mail transport asks without."},
	)
}

// CheckIMAP reads the greeting of kopano_gateway, asks what it can do and takes
// its leave. It does not log in: a login that fails counts as an attack.
func CheckIMAP(ctx context.Context, t Target) Result {
	c := newMailboxClimb(t, "imap", "imaps")
	return c.run(ctx, func(in *bufio.Reader) (string, *failure) { return c.imap(ctx, in) })
}

// mailboxClimb is the ladder to a server that people read their mail from.
type mailboxClimb struct {
	*climb
	host string
	port int
	tls  bool
	// A login follows, so the certificate is looked at unless the server is near.
	verify bool
	wire   net.Conn
	peer   *peer
}

func newMailboxClimb(t Target, id, tlsListener string) *mailboxClimb {
	addr := clientsView(t.Edge)
	c := &mailboxClimb{climb: newClimb(t, id), host: addr.Host, port: addr.Port}
	c.tls = t.Edge.Link.Listener == tlsListener
	return c
}

// run connects, with TLS where the port has it, and lets talk have the conversation.
func (c *mailboxClimb) run(ctx context.Context, talk func(*bufio.Reader) (string, *failure)) Result {
	t := c.target
	p, f := dial(ctx, t, c.host, c.port)
	if f != nil {
		return c.unreachable(f, c.host, c.port)
	}
	defer p.Close()
	c.address, c.peer, c.wire = p.address, p, p
	if c.tls {
		// Who signed the certificate is between the mail program and its user; that it works is looked at here.
		config := &tls.Config{ServerName: c.host, InsecureSkipVerify: true}
		if c.verify {
			config = loginTLS(t, c.host, p)
		}
		conn, f := handshake(ctx, t, p, config)
		if f != nil {
			return c.unreachable(f, c.host, c.port)
		}
		c.wire = conn
	}
	p.rung(ctx, t)
	says, f := talk(bufio.NewReaderSize(c.wire, 8<<10))
	if f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "%s", says)
}

// line reads one line of at most 8 KB.
func (c *mailboxClimb) line(ctx context.Context, in *bufio.Reader, at Rung) (string, *failure) {
	line, err := in.ReadSlice('\n')
	if err == nil {
		return strings.TrimRight(string(line), "\r\n"), nil
	}
	f := readFailure(ctx, err, at, c.peer, c.target.timeout())
	if first := c.peer.start(); at == Greet && !c.tls && len(first) > 0 {
		f = &failure{Greet, ReasonWrongServer, c.address + " does not answer as expected" + answered(first), err}
	}
	switch {
	case f.status() == Unchecked:
	case f.Reason == ReasonClosed && onlyLoopback(c.target.Edge.Listen):
		c.found = append(c.found, c.loopback(f, c.port))
	case f.Reason == ReasonSilent:
		c.broke(f, c.to(c.host)+" takes connections and does not greet", c.target.Edge.Locations(),
			fmt.Sprintf("Look what %s waits for: docker compose logs %s. Restart it when it hangs.", c.to(c.host), c.to(c.host)))
	default:
		c.found = append(c.found, c.network(f, c.host, c.port))
	}
	return "", f
}

func (c *mailboxClimb) imap(ctx context.Context, in *bufio.Reader) (string, *failure) {
	greeting, f := c.line(ctx, in, Greet)
	if f != nil {
		return "", f
	}
	switch {
	case strings.HasPrefix(greeting, "* BYE"):
		f := &failure{Greet, ReasonBye, fmt.Sprintf("%s greets with: %s", c.address, oneLine(greeting)), nil}
		return "", c.broke(f, c.to(c.host)+" refuses connections", c.target.Edge.Locations(), "Look why: docker compose logs "+c.to(c.host)+".")
	case !strings.HasPrefix(greeting, "* OK") && !strings.HasPrefix(greeting, "* PREAUTH"):
		f := &failure{Greet, ReasonNotIMAP, c.address + " does not speak IMAP" + answered([]byte(greeting)), nil}
		return "", c.broke(f, "Another kind of server answers where IMAP is expected", c.target.Edge.Locations(),
			fmt.Sprintf("Correct host and port in %s: kopano_gateway speaks IMAP on 143.", c.settingName()))
	}
	can, f := c.capability(ctx, in)
	if f != nil {
		return "", f
	}
	if f := c.loginAllowed(can); f != nil {
		return "", f
	}
	_, _ = c.wire.Write([]byte("k2 LOGOUT\r\n"))
	return fmt.Sprintf("IMAP server greets and offers %s", strings.Join(offered(can, "STARTTLS", "AUTH=PLAIN", "LOGINDISABLED", "IDLE"), ", ")), nil
}

// maxLines bounds how many lines an answer may have.
const maxLines = 50

// capability asks what the server can do.
func (c *mailboxClimb) capability(ctx context.Context, in *bufio.Reader) ([]string, *failure) {
	_, _ = c.wire.Write([]byte("k1 CAPABILITY\r\n"))
	var can []string
	for range maxLines {
		line, f := c.line(ctx, in, Ask)
		switch {
		case f != nil:
			return nil, f
		case strings.HasPrefix(line, "* CAPABILITY "):
			can = strings.Fields(strings.ToUpper(line[len("* CAPABILITY "):]))
		case strings.HasPrefix(line, "k1 OK"):
			return can, nil
		case strings.HasPrefix(line, "k1 "):
			f := &failure{Ask, ReasonNotIMAP, fmt.Sprintf("%s answers CAPABILITY with: %s", c.address, oneLine(line)), nil}
			return nil, c.broke(f, c.to(c.host)+" does not say what it can do", c.target.Edge.Locations(), "Look what its log says: docker compose logs "+c.to(c.host)+".")
		}
	}
	f := &failure{Ask, ReasonNotIMAP, c.address + " talks without end", nil}
	return nil, c.broke(f, "Another kind of server answers where IMAP is expected", c.target.Edge.Locations(), "Correct host and port in "+c.settingName()+".")
}

// loginAllowed: saslauthd, which checks passwords for the mail transport, logs
// in without TLS (docker-mailserver, saslauthd's rimap).
func (c *mailboxClimb) loginAllowed(can []string) *failure {
	if c.target.Edge.From == nil || c.tls || len(offered(can, "LOGINDISABLED")) == 0 {
		return nil
	}
	to := c.to(c.host)
	f := &failure{Ask, ReasonLoginDisabled, c.address + " takes passwords after STARTTLS only, which " + c.from() + " does not use", nil}
	places := append(valuesLocations(c.target.Edge.To, "KCCONF_GATEWAY_DISABLE_PLAINTEXT_AUTH"), related(c.target.Edge.Locations())...)
	return c.broke(f, to+" takes no password from the mail transport", places, fmt.Sprintf("Set KCCONF_GATEWAY_DISABLE_PLAINTEXT_AUTH=no on %s.", to))
}

// offered gives those of the names that a list of capabilities has.
func offered(can []string, names ...string) []string {
	var out []string
	for _, name := range names {
		for _, c := range can {
			if c == name {
				out = append(out, name)
			}
		}
	}
	return out
}
