package diagnosis_test

import (
	"context"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// A test user who is refused since the directory is down is a consequence of
// that, and so is every step that was not taken.
func TestATripSuffersFromWhatItTravels(t *testing.T) {
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: "../../testdata/deployments/full"})
	if err != nil {
		t.Fatal(err)
	}
	topology := kopano.Recognise(d)
	var links []diagnosis.Link
	for _, e := range append(topology.Edges, topology.LoginEdges()...) {
		l := diagnosis.Link{Edge: e, Checked: true, Result: checks.Result{Status: checks.OK}}
		switch e.Link.ID {
		case "server-ldap":
			l.Result = checks.Result{Status: checks.Broken, Reason: checks.ReasonRefused}
		case "login-openid":
			l.Result = checks.Result{Status: checks.Broken, Reason: checks.ReasonUserRefused}
		case "login-webapp":
			l.Result = checks.Result{Status: checks.Unchecked, Reason: checks.ReasonBlocked}
		}
		links = append(links, l)
	}
	at := []finding.Location{{File: ".env", Line: 1}}
	r := result{diagnosis.Diagnose(diagnosis.Case{Links: links, Findings: finding.Seal([]finding.Finding{
		{ID: "live-ldap-refused", Kind: finding.Live, Severity: finding.Error, Locations: at, Links: []string{"server-ldap@kopano_server"}},
		{ID: "live-login-user-refused", Kind: finding.Live, Severity: finding.Error, Locations: at, Links: []string{"login-openid@kopano_konnect"}},
	})})}
	if cause := r.cause(t, "live-login-user-refused"); cause != "live-ldap-refused" {
		t.Errorf("the refusal has the cause %q", cause)
	}
	for _, l := range r.Links {
		if l.Edge.Link.ID == "login-webapp" && (l.Result.Message != "cannot work before client → kopano_konnect does" || len(l.Findings) == 0) {
			t.Errorf("WebApp: %q, %v", l.Result.Message, l.Findings)
		}
	}
}

// A refusal went through the door that has a bad certificate.
func TestARefusalIsNoFaultOfTheCertificate(t *testing.T) {
	for rung, want := range map[checks.Rung]string{checks.Authenticate: "", checks.TLS: "live-certificate-tls-expired"} {
		w := newWorld().
			link("client-web", "", "web", checks.Broken, checks.ReasonTLSExpired).
			link("login-openid", "", "konnect", checks.Broken, checks.ReasonUserRefused, "client-web").
			found("live-certificate-tls-expired", finding.Live, finding.Error, "a", 1, "client-web@").
			found("live-login-user-refused", finding.Live, finding.Error, "b", 1, "login-openid@")
		w.links[1].Edge.Link.Login, w.links[1].Result.Rung = true, rung
		if cause := w.diagnose().cause(t, "live-login-user-refused"); cause != want {
			t.Errorf("at %s: cause %q, want %q", rung, cause, want)
		}
	}
}
