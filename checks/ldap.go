package checks

import (
	"context"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Reasons of the LDAP check.
const (
	ReasonStartTLS      Reason = "starttls-refused"
	ReasonTLSRequired   Reason = "tls-required"
	ReasonUnknownDN     Reason = "unknown-bind-dn" // only Active Directory tells
	ReasonAccount       Reason = "account-blocked" // expired, disabled, locked; only Active Directory tells
	ReasonMalformedDN   Reason = "malformed-dn"
	ReasonEmptyPassword Reason = "empty-password"
	ReasonBindRefused   Reason = "bind-refused"
	ReasonBusy          Reason = "busy"
	ReasonReferral      Reason = "referral"
	ReasonNoBase        Reason = "no-such-base"
	ReasonNoAccess      Reason = "no-access"
	ReasonBadFilter     Reason = "bad-filter"
	ReasonNoUsers       Reason = "no-users"
	ReasonSizeLimit     Reason = "size-limit" // a warning
	ReasonSearchFailed  Reason = "search-failed"

	ReasonNoSchema      Reason = "no-kopano-schema"
	ReasonSlow          Reason = "slow-search"            // an info
	ReasonNoUniqueID    Reason = "unique-id-missing"      // a warning where only some lack it
	ReasonSameUniqueID  Reason = "same-unique-id"         // a warning, as all below
	ReasonSameLogin     Reason = "same-login"             //
	ReasonSameAddress   Reason = "same-address"           //
	ReasonNoAddress     Reason = "no-address"             // an info
	ReasonFeatureValue  Reason = "feature-not-understood" //
	ReasonNoIMAP        Reason = "imap-for-nobody"        // an info
	ReasonNoHome        Reason = "no-home-server"         //
	ReasonUnknownToMail Reason = "users-unknown-to-mail"  //
	ReasonDomainUnknown Reason = "domain-unknown-to-mail" //
)

// LDAPReasons lists what the LDAP check tells apart.
func LDAPReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonTLSOnPlain, Greet, "The server speaks TLS from the first byte; the address must begin with ldaps://."},
		ReasonDoc{ReasonStartTLS, TLS, "The server does not offer StartTLS, which the client is told to use."},
		ReasonDoc{ReasonTLSRequired, Authenticate, "The server takes no passwords over an unencrypted connection."},
		ReasonDoc{ReasonCredentials, Authenticate, "The password is wrong, or nobody has this bind DN; most directories do not say which."},
		ReasonDoc{ReasonUnknownDN, Authenticate, "Nobody has this bind DN (Active Directory says so)."},
		ReasonDoc{ReasonAccount, Authenticate, "The account is locked, disabled or expired (Active Directory says so)."},
		ReasonDoc{ReasonMalformedDN, Authenticate, "The bind DN or the search base is not a distinguished name."},
		ReasonDoc{ReasonEmptyPassword, Authenticate, "There is a bind DN and no password."},
		ReasonDoc{ReasonBindRefused, Authenticate, "The server refuses this way to log in."},
		ReasonDoc{ReasonBusy, Authenticate, "The server says that it is busy or shutting down."},
		ReasonDoc{ReasonReferral, Ask, "The server sends its client to another server, where Kopano does not go."},
		ReasonDoc{ReasonNoBase, Ask, "There is no such search base, or the bind DN may not see it."},
		ReasonDoc{ReasonNoAccess, Ask, "The bind DN may not search."},
		ReasonDoc{ReasonBadFilter, Ask, "The user filter is not an LDAP filter."},
		ReasonDoc{ReasonNoUsers, Ask, "Login and search work, and nobody is found."},
		ReasonDoc{ReasonSizeLimit, Ask, "The server hands out only the first few users; a warning."},
		ReasonDoc{ReasonSearchFailed, Ask, "The search failed for another reason."},
		ReasonDoc{ReasonNoSchema, Ask, "Nobody is found, since the directory does not know Kopano's schema."},
		ReasonDoc{ReasonSlow, Ask, "Finding one address takes long, as without an index; an info."},
		ReasonDoc{ReasonNoUniqueID, Ask, "Users lack the attribute by which kopano_server knows them; a warning where only some do."},
		ReasonDoc{ReasonSameUniqueID, Ask, "Two users have the same number, or whatever kopano_server knows them by; a warning."},
		ReasonDoc{ReasonSameLogin, Ask, "Two users have the same login name; a warning."},
		ReasonDoc{ReasonSameAddress, Ask, "Two users have the same mail address or alias; a warning."},
		ReasonDoc{ReasonUnknownToMail, Ask, "kopano_server knows users whom the mail transport does not find; a warning."},
		ReasonDoc{ReasonDomainUnknown, Ask, "The mail transport does not find the users' domain, so that it is not its own; a warning."},
		ReasonDoc{ReasonFeatureValue, Ask, "A list of features is written into one value, which switches nothing; a warning."},
		ReasonDoc{ReasonNoHome, Ask, "One of several storage servers must keep a user's mailbox, and none is named; a warning."},
		ReasonDoc{ReasonNoAddress, Ask, "Users have no mail address; an info."},
		ReasonDoc{ReasonNoIMAP, Ask, "kopano_gateway runs, and nobody may use it; an info."},
	)
}

// maxServers is how many servers of a list are looked at.
const maxServers = 8

// CheckLDAP climbs the ladder of one directory client: connect, StartTLS or
// TLS as configured, log in with its bind DN, look at its search base, and
// find users with the filter that it uses. It reads at most five pages of
// entries, and of each only what tells users apart. Where the address is a list, every
// server of it is tried, all at once; one that works is enough.
func CheckLDAP(ctx context.Context, t Target) Result {
	servers := append([]kopano.Endpoint{clientsView(t.Edge)}, t.Edge.More...)
	servers = servers[:min(len(servers), maxServers)]
	results := make([]Result, len(servers))
	var all sync.WaitGroup
	for i, server := range servers {
		all.Go(func() { results[i] = protectedLDAP(ctx, t, server) })
	}
	all.Wait()
	return anyServer(results, servers)
}

// clientsView gives the address to dial. For a client outside it is the
// service's own name and port, which the dialer turns into the published one.
func clientsView(e *kopano.Edge) kopano.Endpoint {
	addr := e.Addr
	if e.From == nil && e.To != nil && e.Target != 0 {
		addr.Host, addr.Port = e.To.Name, e.Target
	}
	return addr
}

// protectedLDAP survives what a hostile answer may do to the library, which
// looks into answers without counting their parts.
func protectedLDAP(ctx context.Context, t Target, server kopano.Endpoint) (r Result) {
	c := &ldapClimb{climb: newClimb(t, "ldap"), server: server, settings: ldapSettingsOf(t)}
	defer func() {
		if recover() != nil {
			f := &failure{Greet, ReasonWrongServer, c.address + " sends what is no LDAP answer", nil}
			r = c.fail(f, c.network(f, server.Host, server.Port))
		}
	}()
	return c.run(ctx)
}

// anyServer makes one result of those of a list of servers: the first that
// works, with the others' troubles as warnings; else the first that is broken.
func anyServer(results []Result, servers []kopano.Endpoint) Result {
	best := 0
	for i, r := range results {
		if rank(r.Status) > rank(results[best].Status) {
			best = i
		}
	}
	out := results[best]
	for i, r := range results {
		if i == best {
			continue
		}
		for _, f := range r.Findings {
			if out.Status == OK && saidAlready(out.Findings, f) { // copies of a directory hold the same people
				continue
			}
			f.Key += " " + net.JoinHostPort(servers[i].Host, strconv.Itoa(servers[i].Port))
			if out.Status == OK {
				f.Severity = finding.Warning
				f.Consequence = "As long as another server of the list answers, nobody notices. " + f.Consequence
			}
			out.Findings = append(out.Findings, f)
		}
	}
	return out
}

func saidAlready(said []finding.Finding, f finding.Finding) bool {
	return slices.ContainsFunc(said, func(have finding.Finding) bool { return have.ID == f.ID && have.Message == f.Message })
}

func rank(s Status) int {
	switch s {
	case OK:
		return 2
	case Broken:
		return 1
	}
	return 0
}

// ldapClimb is the ladder of one server.
type ldapClimb struct {
	*climb
	server   kopano.Endpoint
	settings ldapSettings
	peer     *peer
	wire     *ldapWire
	conn     *ldap.Conn
	asked    bool // the server asked for a client certificate

	referrals []string // of the last page
}

func (c *ldapClimb) run(ctx context.Context) Result {
	switch {
	case c.server.Problem != "":
		return c.fail(&failure{Resolve, ReasonConfig, c.server.Problem, nil})
	case c.server.Host == "":
		return c.fail(&failure{Resolve, ReasonNoRoute, "a unix socket is not reachable from this host", nil})
	}
	if f := c.connect(ctx); f != nil {
		if f.status() == Broken && len(c.found) == 0 {
			return c.fail(f, c.network(f, c.server.Host, c.server.Port))
		}
		return c.fail(f)
	}
	defer c.close()
	if f := c.login(ctx); f != nil {
		return c.fail(f)
	}
	found, f := c.search(ctx)
	if f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "%s", found)
}

// connect dials and makes the connection as safe as the configuration wants it.
func (c *ldapClimb) connect(ctx context.Context) *failure {
	p, f := dial(ctx, c.target, c.server.Host, c.server.Port)
	if f != nil {
		return f
	}
	c.peer, c.address = p, p.address
	var stream net.Conn = p
	secure := c.server.Scheme == "ldaps"
	if !secure && c.settings.startTLS {
		if f := c.startTLS(ctx); f != nil {
			p.Close()
			return f
		}
		secure = true
	}
	if secure {
		conn, f := handshake(ctx, c.target, p, c.tlsConfig())
		if f != nil {
			p.Close()
			return c.handshakeFailed(ctx, f)
		}
		stream = conn
	}
	c.wire = &ldapWire{Conn: stream}
	c.conn = ldap.NewConn(c.wire, secure)
	c.conn.SetTimeout(c.target.timeout() + time.Second) // the deadline of the peer comes first, and says more
	c.conn.Start()
	return nil
}

func (c *ldapClimb) close() {
	_ = c.peer.SetDeadline(time.Now().Add(100 * time.Millisecond)) // closing says goodbye first
	_ = c.conn.Close()
	c.peer.Close()
}

// noAnswer says why the first question got no answer that is LDAP.
func (c *ldapClimb) noAnswer(ctx context.Context, wire *ldapWire, err error, at Rung) *failure {
	if seen := wire.failed(); seen != nil {
		err = seen
	}
	if first := wire.first(); len(first) > 0 && !isLDAPMessage(first) {
		if isTLSRecord(first) {
			return c.tlsOnPlain(err)
		}
		return &failure{Greet, ReasonWrongServer, c.peer.address + " does not speak LDAP" + answered(first), err}
	}
	if reason, text := tlsReason(err, c.target.now()); reason != ReasonNone {
		return &failure{TLS, reason, c.peer.address + " " + text, err}
	}
	f := readFailure(ctx, err, at, c.peer, c.target.timeout())
	switch {
	case f.Reason == ReasonClosed && c.asked:
		return c.wantsCertificate(f)
	case f.Reason == ReasonClosed && at == Greet && c.server.Scheme != "ldaps" && !c.settings.startTLS && c.speaksTLS(ctx):
		return c.tlsOnPlain(err)
	}
	return f
}

// login binds.
func (c *ldapClimb) login(ctx context.Context) *failure {
	c.peer.rung(ctx, c.target)
	s := c.settings
	key := c.target.loginKey("ldap", net.JoinHostPort(c.server.Host, strconv.Itoa(c.server.Port)), s.dn, s.password)
	err := c.target.Logins.Login(ctx, key, wrongPassword, func(afterGood bool) error {
		if afterGood {
			c.peer.rung(ctx, c.target)
		}
		_, err := c.conn.SimpleBind(&ldap.SimpleBindRequest{Username: s.dn, Password: s.password, AllowEmptyPassword: true})
		return err
	})
	if err == nil {
		return nil
	}
	code, ok := resultCode(err)
	if !ok {
		f := c.noAnswer(ctx, c.wire, err, Greet)
		if f.status() == Broken && len(c.found) == 0 {
			c.found = append(c.found, c.network(f, c.server.Host, c.server.Port))
		}
		return f
	}
	return c.bindRefused(code, err)
}

// wrongPassword reports a refusal that counts against the account.
func wrongPassword(err error) bool {
	return ldap.IsErrorAnyOf(err, ldap.LDAPResultInvalidCredentials)
}

// resultCode gives the server's own result code; false when the error is ours.
func resultCode(err error) (uint16, bool) {
	var e *ldap.Error
	if errors.As(err, &e) && e.ResultCode < ldap.ErrorNetwork {
		return e.ResultCode, true
	}
	return 0, false
}

// refusalText is the server's answer as one line: number, name, its own words.
func refusalText(err error) string {
	var e *ldap.Error
	if !errors.As(err, &e) {
		return oneLine(err.Error())
	}
	text := fmt.Sprintf("code %d, %s", e.ResultCode, ldap.LDAPResultCodeMap[e.ResultCode])
	if e.Err != nil && e.Err.Error() != "" {
		text += ": " + e.Err.Error()
	}
	return oneLine(text)
}

// broke adds a finding for the failure and gives the failure.
func (c *ldapClimb) broke(f *failure, places []finding.Location, title, remedy string) *failure {
	c.found = append(c.found, c.finding(f.Reason, places, title, f.Message, remedy))
	return f
}

// ldapWire is what the library reads from. It remembers the first bytes and the
// first error, which the library puts into words, and ends at once when the
// other end does not speak LDAP: every message begins with a sequence.
type ldapWire struct {
	net.Conn

	mu    sync.Mutex
	begin []byte
	err   error
}

const berSequence = 0x30

var errNotLDAP = errors.New("not LDAP")

func (w *ldapWire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	w.mu.Lock()
	defer w.mu.Unlock()
	if room := maxFirst - len(w.begin); room > 0 {
		w.begin = append(w.begin, b[:min(n, room)]...)
	}
	if n > 0 && w.begin[0] != berSequence {
		n, err = 0, errNotLDAP
	}
	if err != nil && w.err == nil {
		w.err = err
	}
	return n, err
}

func (w *ldapWire) first() []byte {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]byte(nil), w.begin...)
}

func (w *ldapWire) failed() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.err
}
