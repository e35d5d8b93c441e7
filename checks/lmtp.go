package checks

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/emersion/go-smtp"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Reasons of the LMTP check.
const (
	ReasonBackendDown       Reason = "backend-down"       // the agent cannot log on to kopano_server
	ReasonDirectory         Reason = "directory"          // the agent cannot open the address book
	ReasonTooMany           Reason = "too-many"           // no connection is left
	ReasonNotLMTP           Reason = "not-lmtp"           // an SMTP server
	ReasonGreeting          Reason = "greeting"           // refused for another reason
	ReasonSender            Reason = "sender-refused"     // MAIL FROM:<>
	ReasonRecipientDeferred Reason = "recipient-deferred" // RCPT TO, for now
	ReasonRecipientRefused  Reason = "recipient-refused"  // RCPT TO, for good
	ReasonRecipientUnknown  Reason = "recipient-unknown"  // a warning: the link itself works
	ReasonRecipientTwice    Reason = "recipient-ambiguous"
)

// LMTPReasons lists what the LMTP check tells apart.
func LMTPReasons() []ReasonDoc {
	return append(networkReasons(),
		ReasonDoc{ReasonBackendDown, Greet, "kopano_dagent runs, and cannot log on to kopano_server."},
		ReasonDoc{ReasonDirectory, Greet, "kopano_dagent is logged on to kopano_server, and cannot open the address book."},
		ReasonDoc{ReasonTooMany, Greet, "Every connection that kopano_dagent allows is in use."},
		ReasonDoc{ReasonNotLMTP, Greet, "A mail server answers that speaks SMTP, not LMTP."},
		ReasonDoc{ReasonGreeting, Greet, "The greeting or the answer to LHLO is a refusal."},
		ReasonDoc{ReasonSender, Ask, "The empty sender, which every notice of a failed delivery has, is refused."},
		ReasonDoc{ReasonRecipientDeferred, Ask, "The recipient is refused for now, so mail piles up in the queue."},
		ReasonDoc{ReasonRecipientRefused, Ask, "The recipient is refused for good, so mail bounces."},
		ReasonDoc{ReasonRecipientUnknown, Ask, "The link works, and nobody has the postmaster's address; a warning."},
		ReasonDoc{ReasonRecipientTwice, Ask, "The link works, and several users have the postmaster's address; a warning."},
	)
}

// CheckLMTP climbs the ladder of a delivery as far as it leaves no trace:
// greeting, LHLO, MAIL FROM, RCPT TO, and back by RSET and QUIT. It never says
// DATA. The greeting of kopano_dagent comes only once it is logged on to
// kopano_server and has the address book open (spooler/DAgent.cpp), so it
// proves more than an open port does.
func CheckLMTP(ctx context.Context, t Target) Result {
	c := &lmtpClimb{climb: newClimb(t, "lmtp"), host: t.Edge.Addr.Host, port: t.Edge.Addr.Port}
	p, f := dial(ctx, t, c.host, c.port)
	if f != nil {
		return c.unreachable(f, c.host, c.port)
	}
	defer p.Close()
	c.address = p.address
	c.talk = &talk{peer: p, ctx: ctx}
	client := smtp.NewClientLMTP(c.talk)
	client.CommandTimeout = t.timeout()
	if f := c.greet(ctx, client); f != nil {
		return c.fail(f)
	}
	recipient, can := postmasterOf(t), capabilities(client)
	if f := c.ask(ctx, client, recipient); f != nil {
		return c.fail(f)
	}
	c.leave(ctx)
	return c.ok(Ask, "LMTP server greets, takes the empty sender and answers for %s%s", recipient, can)
}

type lmtpClimb struct {
	*climb
	host string
	port int
	talk *talk
}

// greet reads the greeting and says LHLO.
func (c *lmtpClimb) greet(ctx context.Context, client *smtp.Client) *failure {
	err := client.Hello(userAgent)
	if err == nil && !c.talk.hasSent("HELO") {
		return nil
	}
	// The library says HELO once LHLO is refused with 500 or 502, as SMTP servers do (RFC 2033, 4.1).
	if c.talk.hasSent("HELO") {
		f := &failure{Greet, ReasonNotLMTP, c.talk.address + " refuses LHLO: it speaks SMTP, not LMTP; it greets with: " + firstLine(string(c.talk.start())), err}
		return c.broke(f, "An SMTP server answers where LMTP is expected", c.target.Edge.Locations(),
			fmt.Sprintf("Write the port on which %s speaks LMTP (kopano_dagent: 2003) into %s.", c.to(c.host), c.settingName()))
	}
	var reply *smtp.SMTPError
	if errors.As(err, &reply) {
		return c.refusedGreeting(reply)
	}
	f := readFailure(ctx, err, Greet, c.talk.peer, c.target.timeout())
	first := c.talk.start()
	switch {
	case f.Reason == ReasonDeadline:
		return f
	case f.Reason == ReasonSilent && len(first) == 0:
		first = c.nudge(ctx)
		if len(first) == 0 {
			return c.silent(f)
		}
		fallthrough
	case len(first) > 0 && !isMailGreeting(string(first)):
		f = &failure{Greet, ReasonWrongServer, c.talk.address + " does not speak LMTP" + answered(first), err}
	case f.Reason == ReasonClosed && len(first) == 0:
		return c.hungUp(f)
	}
	c.found = append(c.found, c.network(f, c.host, c.port))
	return f
}

// silent: the greeting is sent only after the logon to kopano_server, which in
// turn takes no logon before it has its database.
func (c *lmtpClimb) silent(f *failure) *failure {
	to := c.to(c.host)
	return c.broke(f, to+" takes connections and does not greet", c.backendPlaces(),
		fmt.Sprintf("Look whether kopano_server is up and has its database (docker compose logs kopano_server): %s greets only after it has logged on there. If it is, restart %s.", to, to))
}

// hungUp: DAgent.cpp closes a connection without a word when all threads
// (lmtp_max_threads, 20 by default) are busy; so does Docker's port forwarder
// when nobody listens inside the container.
func (c *lmtpClimb) hungUp(f *failure) *failure {
	to := c.to(c.host)
	if onlyLoopback(c.target.Edge.Listen) {
		c.found = append(c.found, c.loopback(f, c.port))
		return f
	}
	places := valuesLocations(c.target.Edge.To, "KCCONF_DAGENT_LMTP_LISTEN")
	return c.broke(f, to+" hangs up before it greets", places,
		fmt.Sprintf("Look whether %s runs (docker compose ps %s) and listens on an address that other containers reach. If it does, all its threads are busy: restart it, or raise KCCONF_DAGENT_LMTP_MAX_THREADS.", to, to))
}

// refusedGreeting reads a greeting, or an answer to LHLO, that is no welcome.
func (c *lmtpClimb) refusedGreeting(reply *smtp.SMTPError) *failure {
	to, text := c.to(c.host), replyText(reply)
	low := strings.ToLower(text)
	f := &failure{Greet, ReasonGreeting, c.talk.address + " refuses with: " + text, reply}
	switch {
	case strings.Contains(low, "getsession failed"), strings.Contains(low, "connection error"):
		return c.backendDown(f)
	case strings.Contains(low, "openresolveaddrfolder"), strings.Contains(low, "addrbook"):
		f.Reason = ReasonDirectory
		return c.broke(f, to+" cannot open the address book", c.backendPlaces(),
			"Look whether kopano_server reaches its directory; its log says why not (docker compose logs kopano_server).")
	case strings.Contains(low, "too many"), strings.Contains(low, "connection limit"), strings.Contains(low, "concurrency"):
		f.Reason = ReasonTooMany
		return c.broke(f, to+" has no connection left", valuesLocations(c.target.Edge.To, "KCCONF_DAGENT_LMTP_MAX_THREADS"),
			fmt.Sprintf("Look for deliveries that hang (docker compose logs %s), restart it, or raise KCCONF_DAGENT_LMTP_MAX_THREADS.", to))
	}
	return c.broke(f, to+" refuses mail", c.target.Edge.Locations(), fmt.Sprintf("Look what the log of %s says (docker compose logs %s).", to, to))
}

// backendDown: kopano_server is down, or takes the agent for a stranger. Over
// plain http it never lets SYSTEM in, whom the agent logs on as.
func (c *lmtpClimb) backendDown(f *failure) *failure {
	f.Reason = ReasonBackendDown
	to := c.to(c.host)
	remedy := "Start kopano_server, or look why it does not run (docker compose logs kopano_server). If it runs, both must mount the same volume at /run/kopano."
	if v, ok := socketOf(c.target.Edge.To); ok && strings.HasPrefix(v.Reveal(), "http://") {
		remedy = fmt.Sprintf("Remove KCCONF_DAGENT_SERVER_SOCKET from %s: kopano_server lets the agent in only through the socket in /run/kopano, or by https with a client key, never by plain http.", to)
	}
	return c.broke(f, to+" cannot log on to kopano_server", c.backendPlaces(), remedy)
}

func socketOf(s *deployment.Service) (deployment.Value, bool) {
	if s == nil {
		return deployment.Value{}, false
	}
	return s.Get("KCCONF_DAGENT_SERVER_SOCKET")
}

// backendPlaces are the places of the agent's way to kopano_server.
func (c *lmtpClimb) backendPlaces() []finding.Location {
	to := c.target.Edge.To
	if to == nil {
		return c.target.Edge.Locations()
	}
	if v, ok := socketOf(to); ok {
		return append(v.Locations(), related(c.target.Edge.Locations())...)
	}
	places := []finding.Location{to.Locate("volumes").As(finding.Fix)}
	for _, s := range c.target.Topology.Services(kopano.Server) {
		places = append(places, s.At.As(finding.Related))
	}
	return places
}

// ask names sender and recipient and takes both back.
func (c *lmtpClimb) ask(ctx context.Context, client *smtp.Client, recipient string) *failure {
	if err := client.Mail("", nil); err != nil {
		return c.refusedCommand(ctx, "MAIL FROM:<>", err)
	}
	err := client.Rcpt(recipient, nil)
	if err != nil {
		if f := c.refusedCommand(ctx, "RCPT TO:<"+recipient+">", err); f != nil {
			return f
		}
	}
	_ = client.Reset()
	return nil
}

// refusedCommand judges a refusal; nil means that the link works all the same.
func (c *lmtpClimb) refusedCommand(ctx context.Context, command string, err error) *failure {
	var reply *smtp.SMTPError
	if !errors.As(err, &reply) {
		f := readFailure(ctx, err, Ask, c.talk.peer, c.target.timeout())
		f.Message += " to " + command
		if f.Reason != ReasonDeadline {
			c.found = append(c.found, c.network(f, c.host, c.port))
		}
		return f
	}
	text := replyText(reply)
	f := &failure{Ask, ReasonRecipientRefused, fmt.Sprintf("%s answers %s with: %s", c.talk.address, command, text), reply}
	if strings.HasPrefix(command, "MAIL") {
		f.Reason = ReasonSender
		return c.broke(f, c.to(c.host)+" refuses the empty sender", c.target.Edge.Locations(),
			fmt.Sprintf("Look what the log of %s says (docker compose logs %s).", c.to(c.host), c.to(c.host)))
	}
	return c.refusedRecipient(f, reply, text)
}

// refusedRecipient: kopano_dagent says 503 for whatever is wrong with a
// recipient; only the text and the enhanced code tell why (DAgent.cpp).
func (c *lmtpClimb) refusedRecipient(f *failure, reply *smtp.SMTPError, text string) *failure {
	to, low := c.to(c.host), strings.ToLower(text)
	enhanced := fmt.Sprintf("%d.%d.%d", reply.EnhancedCode[0], reply.EnhancedCode[1], reply.EnhancedCode[2])
	switch {
	case strings.Contains(low, "connection error"):
		return c.backendDown(f)
	case reply.Code >= 400 && reply.Code < 500:
		f.Reason = ReasonRecipientDeferred
		return c.broke(f, to+" takes no mail for now", c.backendPlaces(),
			fmt.Sprintf("Look what the log of %s says (docker compose logs %s); mail waits in the queue until this is cured.", to, to))
	case enhanced == "5.1.4":
		c.warn(finding.Warning, c.recipientFinding(f, ReasonRecipientTwice, "Several users have the postmaster's address",
			"Give the address to one user only."))
		return nil
	case enhanced == "5.1.1", strings.Contains(low, "not exist"), strings.Contains(low, "doesn't exist"), strings.Contains(low, "unknown"):
		c.warn(finding.Warning, c.recipientFinding(f, ReasonRecipientUnknown, "Nobody has the postmaster's address",
			"Give the address to a user, or set POSTMASTER_ADDRESS to one that somebody has. If users of Kopano get no mail either, look whether kopano_server reaches its directory: then it knows nobody, and mail bounces."))
		return nil
	}
	return c.broke(f, to+" refuses the postmaster's mail", c.target.Edge.Locations(),
		fmt.Sprintf("Look what the log of %s says (docker compose logs %s).", to, to))
}

func (c *lmtpClimb) recipientFinding(f *failure, reason Reason, title, remedy string) finding.Finding {
	out := c.finding(reason, postmasterPlaces(c.target), title, f.Message+"; the link itself works", remedy)
	out.Consequence = "Notices of failed deliveries and complaints to the postmaster, which every mail domain must take, are lost."
	return out
}

func replyText(e *smtp.SMTPError) string {
	text := fmt.Sprintf("%d ", e.Code)
	if e.EnhancedCode[0] > 0 {
		text += fmt.Sprintf("%d.%d.%d ", e.EnhancedCode[0], e.EnhancedCode[1], e.EnhancedCode[2])
	}
	return oneLine(text + e.Message)
}

// capabilities lists those that matter for Postfix, for the message.
func capabilities(client *smtp.Client) string {
	var has []string
	for _, name := range []string{"PIPELINING", "8BITMIME", "SMTPUTF8", "STARTTLS"} {
		if ok, _ := client.Extension(name); ok {
			has = append(has, name)
		}
	}
	if len(has) == 0 {
		return ""
	}
	return " (" + strings.Join(has, ", ") + ")"
}
