package diagnosis_test

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// at says where the last link of a world broke, and by which port it was called.
func (w *world) at(rung checks.Rung, port int) *world {
	l := &w.links[len(w.links)-1]
	l.Result.Rung, l.Edge.Addr.Host, l.Edge.Addr.Port = rung, "some-host", port
	return w
}

// seen adds the error of a link of newWorld.
func (w *world) seen(id, link string) *world {
	return w.found(id, finding.Live, finding.Error, "compose.yaml", len(w.findings)+1, link)
}

func TestWhatSeveralCallersSeeAlikeIsOneFault(t *testing.T) {
	down, other := checks.ReasonRefused, checks.ReasonNotSMTP
	for name, c := range map[string]struct {
		world *world
		cause string // of live-second
	}{
		"nobody answers at one port": {newWorld().
			link("server-ldap", "server", "ldap", checks.Broken, checks.ReasonTimeout).at(checks.Dial, 389).
			link("mail-ldap", "mail", "ldap", checks.Broken, down).at(checks.Dial, 389).
			seen("live-first", "server-ldap@server").seen("live-second", "mail-ldap@mail"), "live-first"},
		"two ports, and the third answers": {newWorld().
			link("a", "one", "mail", checks.Broken, down).at(checks.Dial, 25).
			link("b", "two", "mail", checks.Broken, down).at(checks.Dial, 465).
			link("c", "three", "mail", checks.OK, "").at(checks.Ask, 587).
			seen("live-first", "a@one").seen("live-second", "b@two"), ""},
		"two ports, and nothing else answers": {newWorld().
			link("a", "one", "mail", checks.Broken, down).at(checks.Dial, 25).
			link("b", "two", "mail", checks.Broken, other).at(checks.Greet, 465).
			seen("live-first", "a@one").seen("live-second", "b@two"), "live-first"},
		"two servers": {newWorld().
			link("a", "one", "ldap", checks.Broken, down).at(checks.Dial, 389).
			link("b", "two", "db", checks.Broken, down).at(checks.Dial, 389).
			seen("live-first", "a@one").seen("live-second", "b@two"), ""},
		"two wrong passwords": {newWorld().
			link("a", "one", "ldap", checks.Broken, checks.ReasonCredentials).at(checks.Authenticate, 389).
			link("b", "two", "ldap", checks.Broken, checks.ReasonCredentials).at(checks.Authenticate, 389).
			seen("live-first", "a@one").seen("live-second", "b@two"), ""},
		"a directory without users": {newWorld().
			link("a", "one", "ldap", checks.Broken, checks.ReasonNoUsers).at(checks.Ask, 389).
			link("b", "two", "ldap", checks.Broken, checks.ReasonNoUsers).at(checks.Ask, 389).
			seen("live-first", "a@one").seen("live-second", "b@two"), "live-first"},
		"one certificate": {newWorld().
			link("server-issuer", "server", "web", checks.Broken, checks.ReasonTLSExpired).at(checks.TLS, 443).
			link("client-web", "", "web", checks.Broken, checks.ReasonTLSExpired).at(checks.TLS, 443).
			seen("live-second", "server-issuer@server").seen("live-first", "client-web@"), "live-first"},
	} {
		t.Run(name, func(t *testing.T) {
			r := c.world.diagnose()
			if got := r.cause(t, "live-second"); got != c.cause {
				t.Errorf("the second is explained by %q, not by %q", got, c.cause)
			}
			if got := r.cause(t, "live-first"); got != "" {
				t.Errorf("the first is explained by %q", got)
			}
		})
	}
}

func TestTheOneThatMostNeedLeads(t *testing.T) {
	r := newWorld().
		link("client-ldap", "", "ldap", checks.Broken, checks.ReasonRefused).at(checks.Dial, 389).
		link("mail-ldap", "mail", "ldap", checks.Broken, checks.ReasonRefused).at(checks.Dial, 389).
		link("server-ldap", "server", "ldap", checks.Broken, checks.ReasonRefused).at(checks.Dial, 389).
		link("webapp-server", "webapp", "server", checks.OK, "", "server-ldap").
		seen("live-client", "client-ldap@").seen("live-mail", "mail-ldap@mail").seen("live-server", "server-ldap@server").diagnose()
	for _, id := range []string{"live-client", "live-mail"} {
		if got := r.cause(t, id); got != "live-server" {
			t.Errorf("%s is explained by %q", id, got)
		}
	}
}

func TestOneValueThatTwoServicesRead(t *testing.T) {
	w := newWorld().link("a", "one", "db", checks.OK, "").link("b", "two", "db", checks.OK, "")
	w.found("link-credentials-differ", finding.Static, finding.Error, ".env", 7, "a@one")
	w.found("link-credentials-differ", finding.Static, finding.Error, ".env", 7, "b@two")
	w.found("live-container-environment-changed", finding.Live, finding.Error, ".env", 7, "b@two")
	w.found("link-credentials-differ", finding.Static, finding.Error, ".env", 8, "b@two")
	var roots []int
	for _, f := range w.diagnose().Findings {
		if f.Cause == "" {
			roots = append(roots, f.First().Line)
		}
	}
	if len(roots) != 2 || roots[0]+roots[1] != 15 {
		t.Errorf("causes at the lines %v, not one at 7 and one at 8", roots)
	}
}

func TestTheEngineForgetsTheNameOfWhatDoesNotRun(t *testing.T) {
	r := newWorld().
		link("client-web", "", "web", checks.Broken, checks.ReasonRefused).at(checks.Dial, 443).
		link("meet-kapi", "meet", "kapi", checks.Broken, checks.ReasonNoSuchHost, "client-web").at(checks.Resolve, 443)
	r.findings = []finding.Finding{{ID: "live-container-exited", Kind: finding.Live, Severity: finding.Error, Subject: "web", Links: []string{"client-web@"}}}
	got := r.seen("live-certificate-refused", "client-web@").seen("live-browser-no-such-host", "meet-kapi@meet").diagnose()
	for _, id := range []string{"live-certificate-refused", "live-browser-no-such-host"} {
		if cause := got.cause(t, id); cause != "live-container-exited" {
			t.Errorf("%s is explained by %q", id, cause)
		}
	}
}

func TestANewPasswordThatIsRefusedLeads(t *testing.T) {
	w := newWorld().link("server-database", "server", "db", checks.Broken, checks.ReasonCredentials).at(checks.Authenticate, 3306)
	w.found("live-container-environment-changed", finding.Live, finding.Error, ".env", 7, "server-database@server")
	r := w.seen("live-mariadb-bad-credentials", "server-database@server").diagnose()
	if got := r.cause(t, "live-container-environment-changed"); got != "live-mariadb-bad-credentials" {
		t.Errorf("the old environment is explained by %q", got)
	}
}

func TestWhatExplainsANameForOneExplainsItForAll(t *testing.T) {
	w := newWorld().
		link("client-web", "", "web", checks.Broken, checks.ReasonNoSuchHost).at(checks.Resolve, 443).
		link("server-issuer", "server", "web", checks.Broken, checks.ReasonNoSuchHost).at(checks.Resolve, 443)
	w.found("fqdncleaned-mismatch", finding.Static, finding.Error, ".env", 7, "server-issuer@server")
	r := w.seen("live-certificate-no-such-host", "client-web@").seen("live-oidc-no-such-host", "server-issuer@server").diagnose()
	for _, id := range []string{"live-certificate-no-such-host", "live-oidc-no-such-host"} {
		if got := r.cause(t, id); got != "fqdncleaned-mismatch" {
			t.Errorf("%s is explained by %q", id, got)
		}
	}
}
