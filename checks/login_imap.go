package checks

import (
	"bufio"
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// LoginIMAPReasons lists what the check of an IMAP login tells apart.
func LoginIMAPReasons() []ReasonDoc {
	return loginReasons(
		ReasonDoc{ReasonNotIMAP, Greet, "The server that answers does not speak IMAP."},
		ReasonDoc{ReasonBye, Greet, "kopano_gateway greets with a refusal."},
		ReasonDoc{ReasonFeatureOff, Authenticate, "IMAP is switched off for the test user; an info, since that is Kopano's default."},
		ReasonDoc{ReasonMailbox, Ask, "The user gets in, and the inbox does not open."},
	)
}

// CheckLoginIMAP signs in at kopano_gateway, looks at the inbox with EXAMINE,
// which marks nothing as read, and signs out.
func CheckLoginIMAP(ctx context.Context, t Target) Result {
	c := &imapLogin{mailboxClimb: newMailboxClimb(t, "login", "imaps"), login: newLoginClimb(t)}
	if t.Login == nil {
		return c.fail(errNobody)
	}
	if f := t.Login.over(); f != nil {
		return c.fail(f)
	}
	c.login.climb = c.climb // one list of findings
	c.mailboxClimb.verify = true
	result := c.run(ctx, func(in *bufio.Reader) (string, *failure) { return c.talk(ctx, in) })
	if f := (&failure{Rung: result.Rung, Reason: result.Reason, Message: result.Message}); untrusted(f) {
		c.found = nil
		return c.fail(withheld(f))
	}
	return result
}

type imapLogin struct {
	*mailboxClimb
	login *loginClimb
	in    *bufio.Reader
	can   []string
}

func (c *imapLogin) talk(ctx context.Context, in *bufio.Reader) (string, *failure) {
	c.in = in
	greeting, f := c.line(ctx, in, Greet)
	switch {
	case f != nil:
		return "", f
	case strings.HasPrefix(greeting, "* BYE"):
		f := &failure{Greet, ReasonBye, fmt.Sprintf("%s greets with: %s", c.address, c.login.trip.told(greeting)), nil}
		return "", c.broke(f, c.to(c.host)+" refuses connections", c.target.Edge.Locations(), "Look why: docker compose logs "+c.to(c.host)+".")
	case !strings.HasPrefix(greeting, "* OK"):
		f := &failure{Greet, ReasonNotIMAP, c.address + " does not speak IMAP" + answered([]byte(greeting)), nil}
		return "", c.broke(f, "Another kind of server answers where IMAP is expected", c.target.Edge.Locations(), "Correct host and port in "+c.settingName()+".")
	}
	for _, step := range []func(context.Context) *failure{c.capabilities, c.startTLS, c.authenticate} {
		if f := step(ctx); f != nil {
			return "", f
		}
	}
	if c.login.trip.withoutIMAP() {
		return "IMAP is switched off for the test user, and the password was right", nil
	}
	return c.inbox(ctx)
}

func (c *imapLogin) capabilities(ctx context.Context) (f *failure) {
	c.can, f = c.capability(ctx, c.in)
	return f
}

// startTLS begins TLS where it is on offer. Without it the password goes to
// nobody but a server near by.
func (c *imapLogin) startTLS(ctx context.Context) *failure {
	switch {
	case c.tls:
		return nil
	case !slices.Contains(c.can, "STARTTLS"):
		if near(c.peer.RemoteAddr()) {
			return nil
		}
		return &failure{TLS, ReasonBlocked, "the password was not sent: " + c.address + " offers no TLS, and is far away", nil}
	}
	reply, _, f := c.command(ctx, "STARTTLS", TLS)
	switch {
	case f != nil:
		return f
	case !strings.HasPrefix(reply, "OK"):
		return nil // Kopano offers it without a certificate, too
	case c.in.Buffered() > 0: // words that somebody put in before TLS
		f := &failure{TLS, ReasonNotIMAP, c.address + " goes on talking after STARTTLS", nil}
		return c.broke(f, "Another kind of server answers where IMAP is expected", c.target.Edge.Locations(), "Correct host and port in "+c.settingName()+".")
	}
	conn, f := handshake(ctx, c.target, c.peer, loginTLS(c.target, c.host, c.peer))
	if f != nil {
		c.found = append(c.found, c.network(f, c.host, c.port))
		return f
	}
	c.wire, c.tls, c.in = conn, true, bufio.NewReaderSize(conn, 8<<10)
	c.peer.rung(ctx, c.target)
	return c.capabilities(ctx)
}

// command sends one line and gives the tagged reply without its tag, and the lines before it.
func (c *imapLogin) command(ctx context.Context, line string, at Rung) (string, []string, *failure) {
	c.peer.rung(ctx, c.target)
	_, _ = c.wire.Write([]byte("d1 " + line + "\r\n"))
	return c.reply(ctx, at)
}

func (c *imapLogin) reply(ctx context.Context, at Rung) (string, []string, *failure) {
	var before []string
	for range maxLines {
		line, f := c.line(ctx, c.in, at)
		if f != nil {
			return "", nil, f
		}
		if reply, ok := strings.CutPrefix(line, "d1 "); ok {
			return reply, before, nil
		}
		if strings.HasPrefix(line, "+") {
			return "+", before, nil
		}
		before = append(before, line)
	}
	f := &failure{at, ReasonNotIMAP, c.address + " talks without end", nil}
	return "", nil, c.broke(f, "Another kind of server answers where IMAP is expected", c.target.Edge.Locations(), "Correct host and port in "+c.settingName()+".")
}

func (c *imapLogin) authenticate(ctx context.Context) *failure {
	to, trip := c.to(c.host), c.login.trip
	if !c.tls && !near(c.peer.RemoteAddr()) {
		return &failure{TLS, ReasonBlocked, "the password was not sent: " + c.address + " does not begin TLS, and is far away", nil}
	}
	if slices.Contains(c.can, "LOGINDISABLED") && !slices.Contains(c.can, "AUTH=PLAIN") {
		return &failure{Authenticate, ReasonBlocked, "the password was not sent: " + c.address + " takes passwords after STARTTLS only, and does not begin it", nil}
	}
	if f := trip.give(to); f != nil {
		return f
	}
	reply, f := c.sendPassword(ctx)
	if f != nil {
		return f
	}
	saw := fmt.Sprintf("%s answers the login of the test user with: %s", c.address, c.login.trip.told(reply))
	switch low := strings.ToLower(reply); {
	case strings.HasPrefix(reply, "OK"):
		trip.says(to, accepted)
		return nil
	case strings.HasPrefix(reply, "NO") && strings.Contains(low, "feature disabled"): // kopano-core gateway/IMAP.cpp, after the logon
		trip.says(to, accepted)
		trip.switchIMAPOff()
		c.featureOff(saw)
		return nil
	case strings.HasPrefix(reply, "NO") && !strings.Contains(low, "[unavailable]") && !strings.Contains(low, "can't open"):
		return c.login.refuse(to, saw)
	}
	return c.login.unable(to, saw)
}

// sendPassword logs in by AUTHENTICATE PLAIN where that is on offer, since
// LOGIN cannot carry every password.
func (c *imapLogin) sendPassword(ctx context.Context) (string, *failure) {
	trip := c.login.trip
	password := trip.Password.Reveal()
	if !slices.Contains(c.can, "AUTH=PLAIN") {
		quote := strings.NewReplacer(`\`, `\\`, `"`, `\"`)
		reply, _, f := c.command(ctx, fmt.Sprintf(`LOGIN "%s" "%s"`, quote.Replace(trip.Username), quote.Replace(password)), Authenticate)
		return reply, f
	}
	reply, _, f := c.command(ctx, "AUTHENTICATE PLAIN", Authenticate)
	if f != nil || reply != "+" {
		return reply, f
	}
	_, first, err := sasl.NewPlainClient("", trip.Username, password).Start()
	if err != nil {
		return "", &failure{Authenticate, ReasonInternal, "the login cannot be written", nil}
	}
	_, _ = c.wire.Write([]byte(base64.StdEncoding.EncodeToString(first) + "\r\n"))
	reply, _, f = c.reply(ctx, Authenticate)
	return reply, f
}

// featureOff tells that IMAP is off for the user. That is Kopano's default, so
// it is a fault only for people who want it.
func (c *imapLogin) featureOff(saw string) {
	var places []finding.Location
	for _, s := range c.target.Topology.Services("server") {
		places = append(places, valuesLocations(s, "KCCONF_SERVER_DISABLED_FEATURES")...)
	}
	out := c.finding(ReasonFeatureOff, places, "IMAP is switched off for the test user", saw+"; the password was right",
		"If the user is to use IMAP, take imap out of KCCONF_SERVER_DISABLED_FEATURES on kopano_server (its default is \"imap pop3\"), or switch it on for this user in the directory.")
	out.Consequence = "The test user's mail program gets no mail over IMAP."
	c.warn(finding.Info, out)
}

// inbox opens the inbox for reading only, and takes its leave.
func (c *imapLogin) inbox(ctx context.Context) (string, *failure) {
	to := c.to(c.host)
	for _, line := range []string{`LIST "" INBOX`, "EXAMINE INBOX"} {
		reply, before, f := c.command(ctx, line, Ask)
		switch {
		case f != nil:
			return "", f
		case !strings.HasPrefix(reply, "OK"), line == `LIST "" INBOX` && len(before) == 0:
			f := &failure{Ask, ReasonMailbox, fmt.Sprintf("%s answers %s with: %s", c.address, line, c.login.trip.told(reply)), nil}
			return "", c.broke(f, to+" lets the test user in and does not open the inbox", c.servicePlaces(),
				fmt.Sprintf("Look whether the user has a mailbox (kopano-admin --details), and what it says: docker compose logs %s.", to))
		}
	}
	_, _, _ = c.command(ctx, "LOGOUT", Ask)
	return to + " lets the test user in and opens the inbox", nil
}
