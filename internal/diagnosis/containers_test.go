package diagnosis_test

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// container adds a finding about a service's container.
func (w *world) container(why checks.Reason, service string, severity finding.Severity, links ...string) *world {
	w.found(checks.ContainerPrefix+string(why), finding.Live, severity, "compose.yaml", 9, links...)
	w.findings[len(w.findings)-1].Subject = service
	return w
}

// What is wrong with a container explains what is seen on its links, and
// nothing that somebody must have answered for.
func TestContainersExplainTheirLinks(t *testing.T) {
	for _, c := range []struct {
		why      checks.Reason
		service  string
		severity finding.Severity
		rung     checks.Rung
		reason   checks.Reason
		explains bool
	}{
		{checks.ReasonExited, "ldap", finding.Error, checks.Resolve, checks.ReasonNoSuchHost, true},
		{checks.ReasonExited, "ldap", finding.Error, checks.Dial, checks.ReasonRefused, true},
		{checks.ReasonExited, "ldap", finding.Warning, checks.Dial, checks.ReasonRefused, false},
		{checks.ReasonExited, "ldap", finding.Error, checks.Authenticate, checks.ReasonCredentials, false},
		{checks.ReasonExited, "server", finding.Error, checks.Dial, checks.ReasonRefused, false},
		{checks.ReasonNotCreated, "ldap", finding.Error, checks.Resolve, checks.ReasonResolver, true},
		{checks.ReasonPaused, "ldap", finding.Error, checks.Greet, checks.ReasonSilent, true},
		{checks.ReasonNetworks, "server", finding.Error, checks.Resolve, checks.ReasonNoSuchHost, true},
		{checks.ReasonNetworks, "server", finding.Error, checks.Authenticate, checks.ReasonCredentials, false},
		{checks.ReasonLog, "ldap", finding.Error, checks.Dial, checks.ReasonRefused, true},
		{checks.ReasonLog, "ldap", finding.Error, checks.Authenticate, checks.ReasonCredentials, false},
		{checks.ReasonEnvironment, "server", finding.Error, checks.Authenticate, checks.ReasonCredentials, false},
		{checks.ReasonEnvironment, "server", finding.Error, checks.Dial, checks.ReasonRefused, true},
		{checks.ReasonNoneRuns, "kopano", finding.Error, checks.Dial, checks.ReasonRefused, true},
		{checks.ReasonNoneRuns, "kopano", finding.Error, checks.Authenticate, checks.ReasonCredentials, false},
		{checks.ReasonMostMissing, "kopano", finding.Warning, checks.Dial, checks.ReasonRefused, false},
		{checks.ReasonUnhealthy, "ldap", finding.Error, checks.Dial, checks.ReasonRefused, false},
	} {
		w := newWorld().link("server-ldap", "server", "ldap", checks.Broken, c.reason)
		w.links[0].Result.Rung = c.rung
		w.found("live-ldap", finding.Live, finding.Error, "", 0, "server-ldap@server").container(c.why, c.service, c.severity, "server-ldap@server")
		want := ""
		if c.explains {
			want = checks.ContainerPrefix + string(c.why)
		}
		if got := w.diagnose().cause(t, "live-ldap"); got != want {
			t.Errorf("%s of %s (%s), seen %s: the cause is %q, want %q", c.why, c.service, c.severity, c.reason, got, want)
		}
	}
}

// It was seen that ldap does not run; what the files have against it may be
// wrong as well, and is another matter.
func TestWhatWasSeenComesBeforeTheFiles(t *testing.T) {
	w := newWorld().link("server-ldap", "server", "ldap", checks.Broken, checks.ReasonNoSuchHost)
	w.found("password-differs", finding.Static, finding.Error, "a.env", 1, "server-ldap@server")
	w.found("live-ldap", finding.Live, finding.Error, "", 0, "server-ldap@server")
	r := w.container(checks.ReasonExited, "ldap", finding.Error, "server-ldap@server").diagnose()
	if got := r.cause(t, "live-ldap"); got != "live-container-exited" {
		t.Errorf("the cause is %q", got)
	}
	for _, root := range []string{"password-differs", "live-container-exited"} {
		if got := r.cause(t, root); got != "" {
			t.Errorf("%s is laid to %s", root, got)
		}
	}
}

func TestAnUnhealthyContainerIsTheVictim(t *testing.T) {
	w := newWorld().link("server-ldap", "server", "ldap", checks.Broken, checks.ReasonCredentials)
	w.found("live-ldap", finding.Live, finding.Error, "", 0, "server-ldap@server")
	r := w.container(checks.ReasonUnhealthy, "server", finding.Warning, "server-ldap@server").diagnose()
	if got := r.cause(t, "live-container-unhealthy"); got != "live-ldap" {
		t.Errorf("the cause is %q", got)
	}
}

func TestALinkWaitsForItsContainer(t *testing.T) {
	for _, c := range []struct {
		reason   checks.Reason
		severity finding.Severity
		want     checks.Reason
	}{
		{checks.ReasonNoRoute, finding.Error, checks.ReasonBlocked},
		{checks.ReasonNoRoute, finding.Warning, checks.ReasonNoRoute},
		{checks.ReasonDeadline, finding.Error, checks.ReasonDeadline},
	} {
		w := newWorld().link("server-ldap", "server", "ldap", checks.Unchecked, c.reason)
		r := w.container(checks.ReasonExited, "server", c.severity, "server-ldap@server").diagnose()
		if got := r.Links[0].Result.Reason; got != c.want {
			t.Errorf("%s, %s: %s, want %s", c.reason, c.severity, got, c.want)
		}
	}
}
