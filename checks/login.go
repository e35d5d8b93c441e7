package checks

import (
	"context"
	"crypto/tls"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"sync"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// Reasons of the checks that sign a test user in.
const (
	ReasonUserRefused  Reason = "user-refused"    // user name and password are not taken
	ReasonLoginFailed  Reason = "login-failed"    // the server could not say whether they are right
	ReasonClient       Reason = "client-refused"  // Konnect does not let the application ask
	ReasonSignIn       Reason = "sign-in"         // signed in, and yet no token
	ReasonToken        Reason = "token-invalid"   // the token does not hold
	ReasonTokenRefused Reason = "token-refused"   // an application does not take Konnect's token
	ReasonFeatureOff   Reason = "feature-off"     // an info: IMAP is off for this user
	ReasonMailbox      Reason = "mailbox"         // signed in, and the mailbox does not open
	ReasonNoSync       Reason = "no-sync-version" // ActiveSync answers without its versions
)

// loginReasons are those of every check that signs in.
func loginReasons(more ...ReasonDoc) []ReasonDoc {
	out := append(networkReasons(),
		ReasonDoc{ReasonPlainOnTLS, TLS, "The server answers in plain text where TLS is expected."},
		ReasonDoc{ReasonTLSRefused, TLS, "The server ended the TLS handshake."},
		ReasonDoc{ReasonTLSVersion, TLS, "The server speaks only versions of TLS that are no longer safe."},
		ReasonDoc{ReasonTLSClient, TLS, "The server asks its clients for a certificate."},
		ReasonDoc{ReasonUserRefused, Authenticate, "User name and password are refused; nothing else is tried with them."},
		ReasonDoc{ReasonLoginFailed, Authenticate, "The server could not look whether user name and password are right."},
		ReasonDoc{ReasonBlocked, Authenticate, "Not checked: the password was refused elsewhere, or may not be sent here."},
	)
	return append(out, more...)
}

// Trip is the way of one test user through everything that takes a password.
// It is shared by the checks of a run, which come one after the other. A wrong
// password is tried once: whoever refuses it ends the trip, and so does whoever
// takes it and gives no answer, unless somebody has let the user in before.
type Trip struct {
	Username string
	Password secret.Text

	mu      sync.Mutex
	refused string // who refused the password
	open    string // who was given the password and has not answered
	good    bool   // somebody has let the user in
	token   string // Konnect's, for the applications
	hidden  []string
	imapOff bool                  // IMAP is off for this user
	end     func(context.Context) // ends the session at Konnect; nil: there is none
}

// verdict is what a server said about the password.
type verdict int

const (
	unjudged verdict = iota // it answered, and could not tell
	accepted
	refused
)

// Secrets gives everything that must not be printed of the trip: the password,
// the forms in which it was sent, the tokens. A nil Trip has none.
func (t *Trip) Secrets() []string {
	if t == nil {
		return nil
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	password := t.Password.Reveal()
	return append([]string{
		password,
		base64.StdEncoding.EncodeToString([]byte(t.Username + ":" + password)),
		base64.StdEncoding.EncodeToString([]byte("\x00" + t.Username + "\x00" + password)),
	}, t.hidden...)
}

// told makes a server's words fit to print: what they repeat of the secrets is
// taken out before they are cut, since nobody recognises half a token.
func (t *Trip) told(words string) string {
	return oneLine(secret.NewRedactor(t.Secrets(), nil).Redact(words))
}

// hide remembers what must not be printed.
func (t *Trip) hide(words ...string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.hidden = append(t.hidden, words...)
}

// over says why nobody is asked any more; nil while somebody may be.
func (t *Trip) over() *failure {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case t.refused != "":
		return &failure{Authenticate, ReasonBlocked, t.refused + " refused the password, and a wrong one is tried only once", nil}
	case t.open != "" && !t.good:
		return &failure{Authenticate, ReasonBlocked, t.open + " took the password and did not answer, and a wrong one is tried only once", nil}
	}
	return nil
}

// give asks leave to give the password to somebody; a failure says why not.
func (t *Trip) give(to string) *failure {
	if f := t.over(); f != nil {
		return f
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = to
	return nil
}

// End ends the session at Konnect, when there is one. A run calls it when the
// last step is done.
func (t *Trip) End(ctx context.Context) {
	t.mu.Lock()
	end := t.end
	t.end, t.token = nil, ""
	t.mu.Unlock()
	if end != nil {
		end(ctx)
	}
}

// says notes what came of a password that was given.
func (t *Trip) says(who string, v verdict) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.open = ""
	switch v {
	case accepted:
		t.good = true
	case refused:
		t.refused = who
	}
}

// wasGood reports whether somebody has let the user in.
func (t *Trip) wasGood() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.good
}

// switchIMAPOff notes that IMAP is off for the user.
func (t *Trip) switchIMAPOff() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.imapOff = true
}

// withoutIMAP reports whether IMAP is known to be off for the user.
func (t *Trip) withoutIMAP() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.imapOff
}

// loginClimb is the ladder of somebody who signs in.
type loginClimb struct {
	*climb
	trip *Trip
}

func newLoginClimb(t Target) *loginClimb {
	return &loginClimb{climb: newClimb(t, "login"), trip: t.Login}
}

// errNobody is the failure where no password was given.
var errNobody = &failure{Authenticate, ReasonNoCheck, "nobody signs in without --login", nil}

// refuse is a refusal of the password. What it means depends on whether it was
// good elsewhere.
func (c *loginClimb) refuse(to, saw string) *failure {
	good := c.trip.wasGood()
	c.trip.says(to, refused)
	f := &failure{Authenticate, ReasonUserRefused, saw, nil}
	if good {
		return c.broke(f, to+" refuses the test user, whom others let in", c.servicePlaces(),
			fmt.Sprintf("Look what %s says: docker compose logs %s. The feature may be switched off for this user (kopano-admin --details), or it asks another directory.", to, to))
	}
	return c.broke(f, to+" refuses the test user", c.servicePlaces(),
		fmt.Sprintf("Look whether user name and password in the file of --login are right. If they are, look what kopano_server and %s say: the answer is the same when the directory is not reached.", to))
}

// unable is a server that cannot tell whether the password is right.
func (c *loginClimb) unable(to, saw string) *failure {
	c.trip.says(to, unjudged)
	return c.broke(&failure{Authenticate, ReasonLoginFailed, saw, nil}, to+" cannot sign anybody in", c.servicePlaces(),
		fmt.Sprintf("Look what %s says: docker compose logs %s. It does not reach what knows the passwords.", to, to))
}

// servicePlaces is the service itself: nothing that a person wrote is known to be wrong.
func (c *climb) servicePlaces() []finding.Location {
	if to := c.target.Edge.To; to != nil {
		return []finding.Location{to.At.As(finding.Fix)}
	}
	return c.target.Edge.Locations()
}

// untrusted reports whether a certificate is the reason that no password was
// sent. That the certificate is bad is for the check of certificates to say.
func untrusted(f *failure) bool {
	switch f.Reason {
	case ReasonTLSName, ReasonTLSExpired, ReasonTLSNotYet, ReasonTLSUnknown, ReasonTLSBad:
		return true
	}
	return false
}

// withheld is the result for it.
func withheld(f *failure) *failure {
	return &failure{f.Rung, ReasonBlocked, "the password was not sent: " + f.Message, f.Err}
}

// near reports whether an address is on this machine or in a private network,
// as that of a container is: there a password may go to a server whose
// certificate nobody knows.
func near(a net.Addr) bool {
	at, err := netip.ParseAddrPort(a.String())
	if err != nil {
		return false
	}
	ip := at.Addr().Unmap()
	return ip.IsLoopback() || ip.IsPrivate() || ip.IsLinkLocalUnicast()
}

// loginTLS is the TLS of a mail program that sends a password.
func loginTLS(t Target, host string, p *peer) *tls.Config {
	return &tls.Config{ServerName: host, RootCAs: t.roots(), InsecureSkipVerify: near(p.RemoteAddr())}
}

// webLogin signs in on the web, at the public name, as a browser or phone does.
type webLogin struct {
	*loginClimb
	web  *web
	http *http.Client
	name string // the public name, with a port where it has one
}

// newWebLogin gives the ladder, or why there is none.
func newWebLogin(t Target, jar http.CookieJar) (*webLogin, *failure) {
	c := &webLogin{loginClimb: newLoginClimb(t), web: &web{target: t}, name: publicName(t)}
	for _, s := range t.Topology.Services(kopano.Web) {
		// Whoever chose this knows that browsers warn and people go on.
		c.web.insecure = certificateMode(s) == modeSelfSigned
		break
	}
	c.http = &http.Client{Transport: c.web, Jar: jar, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	switch {
	case t.Login == nil:
		return c, errNobody
	case t.Login.over() != nil:
		return c, t.Login.over()
	case c.name == "":
		return c, &failure{Resolve, ReasonConfig, "web has no FQDN, so nobody knows where browsers find it", nil}
	}
	return c, nil
}

// at gives the address of a path at the public name.
func (c *webLogin) at(path string) string { return "https://" + c.name + path }

// do sends a request and reads the answer.
func (c *webLogin) do(ctx context.Context, request *http.Request) (*answer, *failure) {
	request.Header.Set("User-Agent", userAgent)
	request.Close = true
	response, err := c.http.Do(request.WithContext(ctx))
	if err != nil {
		return nil, c.web.failure(ctx, withoutURL(err))
	}
	defer response.Body.Close()
	a, f := c.web.read(ctx, response)
	if a != nil {
		c.address = a.Address
		a.Header.Set("Content-Type", c.trip.told(a.Header.Get("Content-Type")))
	}
	return a, f
}

// withoutURL takes the address off an error: it may hold a code or a token.
func withoutURL(err error) error {
	var u *url.Error
	if errors.As(err, &u) {
		return u.Err
	}
	return err
}

// lost is an answer that did not come.
func (c *webLogin) lost(f *failure) Result {
	if untrusted(f) {
		return c.fail(withheld(f))
	}
	host, port := c.name, 443
	if u, err := url.Parse(c.at("/")); err == nil {
		host, port = hostPortOf(u)
	}
	return c.unreachable(f, host, port)
}

// wrong is an answer that is neither good nor a refusal.
func (c *webLogin) wrong(a *answer, path string) *failure {
	saw := fmt.Sprintf("%s answers %s with %s", a.Address, path, a.saw())
	to := c.to(c.name)
	switch {
	case a.Status == http.StatusTooManyRequests:
		return c.broke(&failure{Ask, ReasonRateLimit, saw, nil}, "web takes no more requests from here", c.servicePlaces(), "Run the check again in a minute.")
	case gatewayStatus(a.Status):
		return c.broke(&failure{Ask, ReasonBadGateway, saw, nil}, "web does not reach "+to, c.servicePlaces(),
			fmt.Sprintf("Look whether %s runs and what it says: docker compose ps %s, docker compose logs %[1]s.", to, to))
	case a.Status >= 500:
		return c.broke(&failure{Ask, ReasonAppError, saw, nil}, to+" answers a signed-in user with an error", c.servicePlaces(),
			fmt.Sprintf("Look what it says: docker compose logs %s.", to))
	}
	return c.broke(&failure{Ask, ReasonNotApp, saw, nil}, "Something else answers on "+path, c.servicePlaces(),
		"Look what stands before web and answers in its place.")
}

// webReasons are those of every check that signs in on the web.
func webReasons(more ...ReasonDoc) []ReasonDoc {
	return append(loginReasons(
		ReasonDoc{ReasonTLSOnPlain, TLS, "The server speaks TLS where plain HTTP is expected."},
		ReasonDoc{ReasonRateLimit, Ask, "web allows no more requests from here for a minute."},
		ReasonDoc{ReasonBadGateway, Ask, "web answers, and does not reach the service behind it."},
		ReasonDoc{ReasonAppError, Ask, "The application answers a signed-in user with an error."},
		ReasonDoc{ReasonNotApp, Ask, "Something else answers on this path."},
	), more...)
}
