package checks_test

import (
	"encoding/base64"
	"net"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

const (
	testUser      = "test@example.org"
	wrongPassword = "not-the-password"
	testPassword  = `p4ss "w\ord' of the test`
)

// traveller is a scene with somebody who signs in.
type traveller struct {
	*scene
	account *lab.Account
	trip    *checks.Trip
	konnect *lab.Konnect
	results map[string]checks.Result
}

func newTraveller(t *testing.T, password string) *traveller {
	return &traveller{
		scene: newScene(t), account: &lab.Account{Username: testUser, Password: testPassword},
		trip: &checks.Trip{Username: testUser, Password: secret.New(password, true)}, results: map[string]checks.Result{},
	}
}

// public serves what stands behind the public name.
func (s *traveller) public(k lab.KonnectOptions, o lab.SignedInOptions) {
	s.t.Helper()
	k.Issuer, k.Account = issuer, s.account
	s.konnect = labtest.MustStart(s.t, lab.NewKonnect, k)
	o.Konnect, o.Account = s.konnect, s.account
	s.publish(lab.SignedIn(o))
}

// gateway starts the stand-in for kopano_gateway.
func (s *traveller) gateway(o lab.GatewayOptions) {
	s.t.Helper()
	o.Account = s.account
	s.pin("kopano_gateway:143", labtest.MustStart(s.t, s.lab.Gateway, o))
}

// tokens counts the tokens of the trip that Konnect still knows.
func (s *traveller) tokens() (n int) {
	for _, word := range s.trip.Secrets() {
		if s.konnect.Knows(word) {
			n++
		}
	}
	return n
}

// walk takes every step of the trip, in order, and holds that nothing secret is told.
func (s *traveller) walk() map[string]checks.Result {
	s.t.Helper()
	topology := s.target("client-web", "web").Topology
	if len(topology.LoginEdges()) < 7 {
		s.t.Fatalf("only %d steps", len(topology.LoginEdges()))
	}
	for _, e := range topology.LoginEdges() {
		s.step(e.ID)
	}
	s.trip.End(s.t.Context())
	return s.results
}

func (s *traveller) step(id string) checks.Result {
	s.t.Helper()
	target := s.target("client-web", "web")
	for _, e := range target.Topology.LoginEdges() {
		if e.ID != id {
			continue
		}
		target.Edge, target.Login = e, s.trip
		r := checks.All()[e.Link.ID](s.t.Context(), target)
		s.sane(r)
		s.silent(r)
		s.results[e.Link.ID] = r
		return r
	}
	s.t.Fatalf("no step %s", id)
	return checks.Result{}
}

// silent holds that a result tells nothing secret.
func (s *traveller) silent(r checks.Result) {
	s.t.Helper()
	said := r.Message + r.Address
	for _, f := range r.Findings {
		said += f.Title + f.Message + f.Remedy + f.Consequence + f.Key
	}
	for _, word := range s.trip.Secrets() {
		if word != "" && strings.Contains(said, word) {
			s.t.Errorf("a secret is told: %s", said)
		}
	}
}

func (s *traveller) states(want map[string]checks.Reason) {
	s.t.Helper()
	for id, reason := range want {
		if r := s.results[id]; r.Reason != reason || reason == "" && r.Status != checks.OK {
			s.t.Errorf("%s: %s, reason %q, want %q: %s", id, r.Status, r.Reason, reason, r.Message)
		}
	}
}

func (s *traveller) tried(right, wrong int) {
	s.t.Helper()
	if r, w := s.account.Tries(); r != right || w != wrong {
		s.t.Errorf("the right password was tried %d times, a wrong one %d times; want %d and %d", r, w, right, wrong)
	}
}

func TestLoginTrip(t *testing.T) {
	for name, k := range map[string]lab.KonnectOptions{"trusted": {}, "with consent": {Consent: true}} {
		t.Run(name, func(t *testing.T) {
			s := newTraveller(t, testPassword)
			s.public(k, lab.SignedInOptions{})
			s.gateway(lab.GatewayOptions{})
			s.walk()
			s.states(map[string]checks.Reason{"login-openid": "", "login-webapp": "", "login-kapi": "", "login-activesync": "",
				"login-kdav": "", "login-caldav": "", "login-imap": ""})
			s.tried(5, 0)
			if m := s.results["login-activesync"].Message; !strings.Contains(m, "14.1") {
				t.Errorf("no version of ActiveSync in %q", m)
			}
			if len(s.trip.Secrets()) < 6 {
				t.Errorf("code, verifier and tokens are not among the secrets")
			}
		})
	}
}

// Whoever is asked first, a wrong password is tried once.
func TestLoginTriesAWrongPasswordOnce(t *testing.T) {
	s := newTraveller(t, wrongPassword)
	s.public(lab.KonnectOptions{}, lab.SignedInOptions{})
	s.gateway(lab.GatewayOptions{})
	s.walk()
	s.tried(0, 1)
	s.want(s.results["login-openid"], expect{rung: checks.Authenticate, reason: checks.ReasonUserRefused, id: "live-login-user-refused", at: "kopano_konnect:", says: "204"})
	for id, r := range s.results {
		if id != "login-openid" && (r.Status != checks.Unchecked || r.Reason != checks.ReasonBlocked || len(r.Findings) > 0) {
			t.Errorf("%s: %s %s: %s", id, r.Status, r.Reason, r.Message)
		}
	}
}

func TestLoginWrongAtTheGatewayFirst(t *testing.T) {
	s := newTraveller(t, wrongPassword)
	s.public(lab.KonnectOptions{Down: true}, lab.SignedInOptions{}) // it cannot tell, so the next is asked
	s.gateway(lab.GatewayOptions{})
	s.step("login-openid@kopano_konnect")
	s.want(s.results["login-openid"], expect{rung: checks.Authenticate, reason: checks.ReasonLoginFailed, id: "live-login-login-failed", says: "500"})
	s.step("login-imap@kopano_gateway")
	s.step("login-kdav@kopano_kdav")
	s.tried(0, 1)
	s.states(map[string]checks.Reason{"login-imap": checks.ReasonUserRefused, "login-kdav": checks.ReasonBlocked})
}

// A server that takes the password and says nothing may have counted it.
func TestLoginStopsWhereNobodyAnswers(t *testing.T) {
	s := newTraveller(t, wrongPassword)
	s.timeout = labTimeout
	s.public(lab.KonnectOptions{}, lab.SignedInOptions{})
	address, err := s.lab.Serve(func(c net.Conn) {
		_, _ = c.Write([]byte("* OK IMAP gateway ready\r\n"))
		b := make([]byte, 512)
		for {
			n, err := c.Read(b)
			if err != nil {
				return
			}
			if strings.Contains(string(b[:n]), "CAPABILITY") {
				_, _ = c.Write([]byte("* CAPABILITY IMAP4rev1\r\nk1 OK done\r\n"))
			}
		}
	})
	labtest.Check(t, err)
	s.pin("kopano_gateway:143", address)
	s.step("login-imap@kopano_gateway")
	s.step("login-kdav@kopano_kdav")
	s.tried(0, 0)
	s.states(map[string]checks.Reason{"login-imap": checks.ReasonSilent, "login-kdav": checks.ReasonBlocked})
}

func TestLoginIMAPSwitchedOff(t *testing.T) {
	s := newTraveller(t, testPassword)
	s.public(lab.KonnectOptions{}, lab.SignedInOptions{})
	s.gateway(lab.GatewayOptions{IMAPOff: true})
	s.walk()
	r := s.results["login-imap"]
	s.want(r, expect{status: checks.OK, rung: checks.Ask, id: "live-login-feature-off", says: "imap feature disabled", message: "switched off"})
	if f := findingOf(r, "live-login-feature-off"); f.Severity.String() != "info" {
		t.Errorf("severity %s", f.Severity)
	}
	s.states(map[string]checks.Reason{"login-submission": checks.ReasonBlocked}) // its passwords are checked over IMAP
}

func TestLoginFaults(t *testing.T) {
	tests := map[string]struct {
		konnect lab.KonnectOptions
		apps    lab.SignedInOptions
		step    string
		expect  expect
	}{
		"kapi takes no token": {step: "login-kapi", apps: lab.SignedInOptions{KapiForgot: true},
			expect: expect{rung: checks.Authenticate, reason: checks.ReasonTokenRefused, id: "live-login-token-refused", at: "KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER", says: "403"}},
		"webapp takes no token": {step: "login-webapp", apps: lab.SignedInOptions{WebAppDown: true},
			expect: expect{rung: checks.Authenticate, reason: checks.ReasonTokenRefused, id: "live-login-token-refused", at: "KCCONF_SERVER_ENABLE_SSO", says: "401"}},
		"no versions": {step: "login-activesync", apps: lab.SignedInOptions{NoVersions: true},
			expect: expect{rung: checks.Ask, reason: checks.ReasonNoSync, id: "live-login-no-sync-version", at: "kopano_zpush:"}},
		"unknown client": {step: "login-openid", konnect: lab.KonnectOptions{Client: "another"},
			expect: expect{rung: checks.Authenticate, reason: checks.ReasonClient, id: "live-login-client-refused", says: "webapp", at: "FQDN"}},
		"no cookie": {step: "login-openid", konnect: lab.KonnectOptions{NoCookie: true},
			expect: expect{rung: checks.Authenticate, reason: checks.ReasonSignIn, id: "live-login-sign-in", says: "login_required", at: "kopano_konnect:"}},
		"another key": {step: "login-openid", konnect: lab.KonnectOptions{OtherKey: true},
			expect: expect{rung: checks.Authenticate, reason: checks.ReasonToken, id: "live-login-token-invalid", says: "verif", at: "signing_private_key"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newTraveller(t, testPassword)
			s.public(test.konnect, test.apps)
			s.gateway(lab.GatewayOptions{})
			s.walk()
			s.want(s.results[test.step], test.expect)
		})
	}
}

func TestLoginEndsTheSession(t *testing.T) {
	s := newTraveller(t, testPassword)
	s.public(lab.KonnectOptions{}, lab.SignedInOptions{})
	s.step("login-openid@kopano_konnect")
	if n := s.tokens(); n != 1 {
		t.Fatalf("Konnect knows %d tokens of the trip, want the one that it gave", n)
	}
	s.trip.End(t.Context())
	if n := s.tokens(); n != 0 {
		t.Errorf("Konnect knows %d tokens after the end", n)
	}
	if r := s.step("login-kapi@kopano_kapi"); r.Reason != checks.ReasonBlocked {
		t.Errorf("kapi is asked after the end: %+v", r)
	}
}

func TestLoginSurvivesHostileServers(t *testing.T) {
	steps := map[string]string{"login-imap@kopano_gateway": "kopano_gateway:143", "login-submission@mail": "mail:587"}
	for step, address := range steps {
		hostile(t, address, func(s *scene) checks.Result {
			return (&traveller{scene: s, trip: somebody(), results: map[string]checks.Result{}}).step(step)
		})
	}
	for _, step := range []string{"login-openid@kopano_konnect", "login-caldav@kopano_ical"} {
		hostileTLS(t, publicName+":443", func(s *scene) checks.Result {
			return (&traveller{scene: s, trip: somebody(), results: map[string]checks.Result{}}).step(step)
		})
	}
}

func somebody() *checks.Trip {
	return &checks.Trip{Username: testUser, Password: secret.New(testPassword, true)}
}

// Nobody sends a password to a server that cannot prove its name.
func TestLoginTrustsNoStrangersCertificate(t *testing.T) {
	s := newTraveller(t, testPassword)
	k := labtest.MustStart(t, lab.NewKonnect, lab.KonnectOptions{Issuer: issuer, Account: s.account})
	s.publishWith(lab.SignedIn(lab.SignedInOptions{Konnect: k, Account: s.account}), s.leaf(lab.LeafOptions{Names: []string{"other.example.org"}}))
	for _, id := range []string{"login-openid@kopano_konnect", "login-kdav@kopano_kdav"} {
		if r := s.step(id); r.Status != checks.Unchecked || r.Reason != checks.ReasonBlocked || !strings.Contains(r.Message, "not sent") {
			t.Errorf("%s: %+v", id, r)
		}
	}
	s.tried(0, 0)
}

// A real Dovecot and a real Postfix, which asks it.
func TestLoginAtRealMailServers(t *testing.T) {
	auth := func(s *traveller) string { return filepath.Join(s.lab.Dir, "auth") }
	start := func(t *testing.T, password string) *traveller {
		s := newTraveller(t, password)
		s.pin("kopano_gateway:143", labtest.MustStart(t, s.lab.Dovecot, lab.DovecotOptions{
			Serves: "imap", Users: []string{testUser}, Password: "secret-of-dovecot", Auth: auth(s)}))
		s.pin("mail:587", labtest.MustStart(t, s.lab.Postfix, lab.PostfixOptions{
			Submission: true, Certificate: s.leaf(lab.LeafOptions{}), Auth: auth(s), Users: []string{testUser}}))
		return s
	}
	t.Run("right", func(t *testing.T) {
		s := start(t, "secret-of-dovecot")
		s.want(s.step("login-imap@kopano_gateway"), expect{status: checks.OK, rung: checks.Ask, message: "opens the inbox"})
		s.want(s.step("login-submission@mail"), expect{status: checks.OK, rung: checks.Authenticate, message: "hand in mail, speaks TLS"})
	})
	t.Run("wrong at Dovecot", func(t *testing.T) {
		s := start(t, wrongPassword)
		s.want(s.step("login-imap@kopano_gateway"), expect{rung: checks.Authenticate, reason: checks.ReasonUserRefused, id: "live-login-user-refused", at: "kopano_gateway:", says: "AUTHENTICATIONFAILED"})
		s.want(s.step("login-submission@mail"), expect{status: checks.Unchecked, rung: checks.Authenticate, reason: checks.ReasonBlocked, message: "tried only once"})
	})
	t.Run("wrong at Postfix", func(t *testing.T) {
		s := start(t, wrongPassword)
		s.want(s.step("login-submission@mail"), expect{rung: checks.Authenticate, reason: checks.ReasonUserRefused, id: "live-login-user-refused", at: "mail:", says: "535"})
	})
}

// A real Dovecot that takes passwords after STARTTLS only, and one with TLS at once.
func TestLoginIMAPWithTLS(t *testing.T) {
	start := func(t *testing.T, o lab.DovecotOptions, port string) *traveller {
		s := newTraveller(t, testPassword)
		s.trip.Password = secret.New("secret-of-dovecot", true)
		pop3Published(s.scene)
		o.Serves, o.Users, o.Password, o.Certificate = "imap", []string{testUser}, "secret-of-dovecot", s.leaf(lab.LeafOptions{})
		s.pin("kopano_gateway:"+port, labtest.MustStart(t, s.lab.Dovecot, o))
		return s
	}
	t.Run("STARTTLS", func(t *testing.T) {
		s := start(t, lab.DovecotOptions{}, "143")
		s.want(s.step("login-imap@kopano_gateway"), expect{status: checks.OK, rung: checks.Ask, message: "opens the inbox"})
	})
	t.Run("TLS", func(t *testing.T) {
		s := start(t, lab.DovecotOptions{TLS: true}, "993")
		s.want(s.step("login-imaps@kopano_gateway"), expect{status: checks.OK, rung: checks.Ask, message: "opens the inbox"})
	})
}

// The forms in which the password travels are secrets themselves.
func TestTripKnowsItsSecrets(t *testing.T) {
	trip := &checks.Trip{Username: "u", Password: secret.New("pass-word", true)}
	want := base64.StdEncoding.EncodeToString([]byte("u:pass-word"))
	for _, s := range trip.Secrets() {
		if s == want {
			return
		}
	}
	t.Errorf("%s is not among the secrets", want)
}
