package checks_test

import (
	"context"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// networked are the checks that speak HTTP, TLS or LMTP, each with the address
// that its link leads to.
var networked = map[string]struct {
	check      checks.Check
	link, from string
	address    string
	rung       checks.Rung
}{
	"lmtp":        {checks.CheckLMTP, "mail-dagent", "mail", "kopano_dagent:2003", checks.Greet},
	"issuer":      {checks.CheckIssuer, "server-issuer", "kopano_server", publicName + ":443", checks.TLS},
	"konnect":     {checks.CheckKonnect, "web-konnect", "web", "kopano_konnect:8777", checks.Greet},
	"signalling":  {checks.CheckSignalling, "web-kwmserver", "web", "kopano_kwmserver:8778", checks.Greet},
	"web":         {checks.CheckWebCertificate, "client-web", "web", publicName + ":443", checks.TLS},
	"server port": {checks.CheckServerCertificate, "client-server-tls", "kopano_server", "kopano_server:237", checks.TLS},
}

// TestBlackHole: a server that takes connections and says nothing costs one
// rung's time and at most a second more.
func TestBlackHole(t *testing.T) {
	for name, n := range networked {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.timeout = 500 * time.Millisecond
			address, err := s.lab.BlackHole()
			labtest.Check(t, err)
			s.pin(n.address, address)
			start := time.Now()
			r := s.run(n.check, n.link, n.from)
			if r.Status != checks.Broken || r.Reason != checks.ReasonSilent || r.Rung != n.rung {
				t.Errorf("got %s at %s, reason %s", r.Status, r.Rung, r.Reason)
			}
			if took := time.Since(start); took > s.timeout+time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestEndOfTheRun: when the run's time is over, a check ends at once and does
// not call the link broken.
func TestEndOfTheRun(t *testing.T) {
	for name, n := range networked {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.timeout = 30 * time.Second
			address, err := s.lab.BlackHole()
			labtest.Check(t, err)
			s.pin(n.address, address)
			target := s.target(n.link, n.from)
			ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
			defer cancel()
			start := time.Now()
			r := n.check(ctx, target)
			if r.Status != checks.Unchecked || r.Reason != checks.ReasonDeadline || len(r.Findings) != 0 {
				t.Errorf("got %s, reason %s, %d findings: %s", r.Status, r.Reason, len(r.Findings), r.Message)
			}
			if took := time.Since(start); took > time.Second {
				t.Errorf("took %s", took)
			}
		})
	}
}

// TestReasonsAreDocumentedOnce: that every reason given is documented at all
// is looked at wherever a result is (scene.sane).
func TestReasonsAreDocumentedOnce(t *testing.T) {
	for _, doc := range checks.Docs() {
		name, seen := doc.ID, map[checks.Reason]bool{}
		for _, d := range doc.Reasons {
			if d.Reason == "" || d.Rung == "" || d.Means == "" || seen[d.Reason] {
				t.Errorf("%s: %+v is incomplete or named twice", name, d)
			}
			seen[d.Reason] = true
		}
	}
}
