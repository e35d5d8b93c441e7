package checks

import (
	"context"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-sasl"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// LoginSMTPReasons lists what the check of a login for sending tells apart.
func LoginSMTPReasons() []ReasonDoc {
	return loginReasons(
		ReasonDoc{ReasonNotSMTP, Greet, "The server that answers does not speak SMTP."},
		ReasonDoc{ReasonSMTPGreeting, Greet, "The mail server greets with a refusal."},
		ReasonDoc{ReasonNoSTARTTLS, TLS, "The server does not offer STARTTLS."},
		ReasonDoc{ReasonNoAuth, Authenticate, "The server offers no login, or none that takes a password."},
	)
}

// CheckLoginSMTP signs in where mail programs hand in mail, and leaves without
// naming a sender.
func CheckLoginSMTP(ctx context.Context, t Target) Result {
	addr := clientsView(t.Edge)
	c := &smtpLogin{smtpClimb: &smtpClimb{climb: newClimb(t, "login"), host: addr.Host, port: addr.Port, verify: true}, login: newLoginClimb(t)}
	if t.Login == nil {
		return c.fail(errNobody)
	}
	if f := t.Login.over(); f != nil {
		return c.fail(f)
	}
	c.login.climb = c.climb // one list of findings
	if t.Login.withoutIMAP() && c.asksGateway() {
		return c.fail(&failure{Authenticate, ReasonBlocked, "the mail transport asks kopano_gateway for the password, where IMAP is off for the test user", nil})
	}
	p, f := dial(ctx, t, c.host, c.port)
	if f != nil {
		return c.unreachable(f, c.host, c.port)
	}
	defer p.Close()
	c.address, c.peer = p.address, p
	for _, step := range []func(context.Context) *failure{c.start, c.greet, c.hello, c.startTLS, c.smtpClimb.login, c.signIn} {
		f := step(ctx)
		// What is a warning about TLS is for the check without a login to say.
		c.found = slices.DeleteFunc(c.found, func(f finding.Finding) bool { return f.Severity != finding.Error })
		switch {
		case f == nil:
			continue
		case untrusted(f):
			c.found = nil
			return c.fail(withheld(f))
		}
		return c.fail(f)
	}
	_ = c.text.PrintfLine("QUIT")
	return c.ok(Authenticate, "%s lets the test user hand in mail%s", c.to(c.host), c.tlsSays)
}

type smtpLogin struct {
	*smtpClimb
	login *loginClimb
}

// asksGateway reports whether passwords are checked by an IMAP login.
func (c *smtpLogin) asksGateway() bool {
	return len(c.target.Topology.EdgesOf("mail-gateway")) > 0
}

func (c *smtpLogin) signIn(ctx context.Context) *failure {
	to, trip := c.to(c.host), c.login.trip
	if !slices.Contains(strings.Fields(c.can["AUTH"]), "PLAIN") {
		f := &failure{Authenticate, ReasonNoAuth, c.address + " takes no login by PLAIN, only by " + oneLine(c.can["AUTH"]), nil}
		return c.broke(f, to+" takes no password from mail programs", valuesLocations(c.target.Edge.To, "SASLAUTHD_MECHANISMS"), "Let the mail server offer PLAIN after STARTTLS.")
	}
	if f := trip.give(to); f != nil {
		return f
	}
	_, first, err := sasl.NewPlainClient("", trip.Username, trip.Password.Reveal()).Start()
	if err != nil {
		return &failure{Authenticate, ReasonInternal, "the login cannot be written", nil}
	}
	code, message, f := c.command(ctx, Authenticate, "AUTH PLAIN "+base64.StdEncoding.EncodeToString(first))
	if f != nil {
		return f
	}
	saw := fmt.Sprintf("%s answers the login of the test user with: %d %s", c.address, code, trip.told(message))
	switch {
	case code == 235:
		trip.says(to, accepted)
		return nil
	case code >= 500 && code != 503 && code != 504:
		return c.login.refuse(to, saw)
	}
	return c.login.unable(to, saw)
}
