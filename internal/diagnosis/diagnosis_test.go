package diagnosis_test

import (
	"slices"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// world is a small deployment: webapp → server → db, server → ldap, dagent → server.
type world struct {
	services map[string]*deployment.Service
	links    []diagnosis.Link
	findings []finding.Finding
}

func newWorld() *world { return &world{services: map[string]*deployment.Service{}} }

func (w *world) service(name string) *deployment.Service {
	if name == "" {
		return nil
	}
	if w.services[name] == nil {
		w.services[name] = &deployment.Service{Name: name}
	}
	return w.services[name]
}

// link adds a link of the kind id between two services, "" for outside.
func (w *world) link(id, from, to string, status checks.Status, reason checks.Reason, dependsOn ...string) *world {
	l := &kopano.Link{ID: id, From: "somebody", To: "something", DependsOn: dependsOn}
	e := &kopano.Edge{ID: id + "@" + from, Link: l, From: w.service(from), To: w.service(to)}
	w.links = append(w.links, diagnosis.Link{Edge: e, Checked: true, Result: checks.Result{Status: status, Reason: reason}})
	return w
}

func (w *world) found(id string, kind finding.Kind, severity finding.Severity, file string, line int, links ...string) *world {
	f := finding.Finding{ID: id, Kind: kind, Severity: severity, Links: links}
	if file != "" {
		f.Locations = []finding.Location{{File: file, Line: line}}
	}
	w.findings = append(w.findings, f)
	return w
}

func (w *world) diagnose() result {
	return result{diagnosis.Diagnose(diagnosis.Case{Findings: finding.Seal(w.findings), Links: w.links})}
}

type result struct{ diagnosis.Case }

// cause gives the ID of the cause of a finding, "" when it has none.
func (r result) cause(t *testing.T, id string) string {
	t.Helper()
	byPrint := map[string]string{}
	for _, f := range r.Findings {
		byPrint[f.Fingerprint] = f.ID
	}
	for _, f := range r.Findings {
		if f.ID == id {
			return byPrint[f.Cause]
		}
	}
	t.Fatalf("there is no finding %s", id)
	return ""
}

func (r result) link(t *testing.T, id string) diagnosis.Link {
	t.Helper()
	for _, l := range r.Links {
		if l.Edge.ID == id {
			return l
		}
	}
	t.Fatalf("there is no link %s", id)
	return diagnosis.Link{}
}

// attached gives the IDs of the findings of a link.
func (r result) attached(t *testing.T, link string) []string {
	var out []string
	for _, fp := range r.link(t, link).Findings {
		for _, f := range r.Findings {
			if f.Fingerprint == fp {
				out = append(out, f.ID)
			}
		}
	}
	return out
}

func TestStaticErrorExplainsLiveFailureOfTheSameLink(t *testing.T) {
	r := newWorld().
		link("server-database", "server", "db", checks.Broken, checks.ReasonCredentials).
		link("server-ldap", "server", "ldap", checks.Broken, checks.ReasonCredentials).
		found("password-differs", finding.Static, finding.Error, "db.env", 3, "server-database@server").
		found("old-version", finding.Static, finding.Warning, "a.yml", 1, "server-ldap@server").
		found("live-denied", finding.Live, finding.Error, "", 0, "server-database@server").
		found("live-ldap-denied", finding.Live, finding.Error, "", 0, "server-ldap@server").
		diagnose()
	if got := r.cause(t, "live-denied"); got != "password-differs" {
		t.Errorf("live-denied is caused by %q, want password-differs", got)
	}
	if got := r.cause(t, "live-ldap-denied"); got != "" {
		t.Errorf("live-ldap-denied is caused by %q: a warning explains no failure, nor does an error of another link", got)
	}
}

func TestTheErrorAtTheSamePlaceExplainsFirst(t *testing.T) {
	r := newWorld().
		link("server-database", "server", "db", checks.Broken, checks.ReasonRefused).
		found("a-first", finding.Static, finding.Error, "a.env", 1, "server-database@server").
		found("port-wrong", finding.Static, finding.Error, "b.env", 7, "server-database@server").
		found("live-refused", finding.Live, finding.Error, "b.env", 7, "server-database@server").
		diagnose()
	if got := r.cause(t, "live-refused"); got != "port-wrong" {
		t.Errorf("cause is %q, want port-wrong, which points to the same line", got)
	}
}

func TestUncheckedLinkBehindABrokenOneIsBlocked(t *testing.T) {
	r := newWorld().
		link("webapp-server", "webapp", "server", checks.Unchecked, checks.ReasonNoCheck, "server-database").
		link("client-webapp", "", "webapp", checks.Unchecked, checks.ReasonNoRoute, "webapp-server").
		link("server-database", "server", "db", checks.Broken, checks.ReasonRefused).
		link("mail-ldap", "mail", "ldap", checks.Unchecked, checks.ReasonNoRoute).
		found("live-refused", finding.Live, finding.Error, "", 0, "server-database@server").
		diagnose()
	for _, id := range []string{"webapp-server@webapp", "client-webapp@"} {
		l := r.link(t, id)
		if l.Result.Status != checks.Unchecked || l.Result.Reason != checks.ReasonBlocked {
			t.Errorf("%s is %s (%s), want unchecked (blocked)", id, l.Result.Status, l.Result.Reason)
		}
		if got := r.attached(t, id); !slices.Equal(got, []string{"live-refused"}) {
			t.Errorf("%s suffers from %v, want live-refused", id, got)
		}
	}
	if got := r.link(t, "webapp-server@webapp").Result.Message; got != "cannot work before server → db does" {
		t.Errorf("message %q", got)
	}
	if l := r.link(t, "mail-ldap@mail"); l.Result.Reason != checks.ReasonNoRoute {
		t.Errorf("mail-ldap depends on nothing, and is %s", l.Result.Reason)
	}
}

func TestALinkThatWorksBlocksNothing(t *testing.T) {
	r := newWorld().
		link("webapp-server", "webapp", "server", checks.Unchecked, checks.ReasonNoCheck, "server-database").
		link("server-database", "server", "db", checks.OK, "").
		found("password-differs", finding.Static, finding.Error, "db.env", 3, "server-database@server").
		diagnose()
	if l := r.link(t, "webapp-server@webapp"); l.Result.Reason != checks.ReasonNoCheck || len(l.Findings) != 0 {
		t.Errorf("webapp-server is %s with %v, although server → db was seen to work", l.Result.Reason, l.Findings)
	}
}

func TestOfflineKeepsItsReasonAndTellsWhatSuffers(t *testing.T) {
	r := newWorld().
		link("webapp-server", "webapp", "server", checks.Unchecked, checks.ReasonOffline, "server-database").
		link("server-database", "server", "db", checks.Unchecked, checks.ReasonOffline).
		found("password-differs", finding.Static, finding.Error, "db.env", 3, "server-database@server").
		diagnose()
	if l := r.link(t, "webapp-server@webapp"); l.Result.Reason != checks.ReasonOffline {
		t.Errorf("reason %s, want offline", l.Result.Reason)
	}
	if got := r.attached(t, "webapp-server@webapp"); !slices.Equal(got, []string{"password-differs"}) {
		t.Errorf("webapp → server suffers from %v, want password-differs", got)
	}
}

func TestFailureBehindABrokenLinkIsItsConsequence(t *testing.T) {
	w := newWorld().
		link("mail-dagent", "mail", "dagent", checks.Broken, "lmtp-421", "server-database").
		link("konnect-server", "dagent", "server", checks.Broken, checks.ReasonCredentials, "server-database").
		link("server-database", "server", "db", checks.Broken, checks.ReasonCredentials).
		found("password-differs", finding.Static, finding.Error, "db.env", 3, "server-database@server").
		found("live-denied", finding.Live, finding.Error, "", 0, "server-database@server").
		found("live-lmtp-421", finding.Live, finding.Error, "", 0, "mail-dagent@mail").
		found("live-own", finding.Live, finding.Error, "", 0, "konnect-server@dagent")
	r := w.diagnose()
	if got := r.cause(t, "live-lmtp-421"); got != "password-differs" {
		t.Errorf("live-lmtp-421 is caused by %q, want the root, password-differs", got)
	}
	if got := r.cause(t, "live-own"); got != "" {
		t.Errorf("a refused password is explained by %q; it is a fault of its own", got)
	}
	var order []string
	for _, f := range r.Findings {
		order = append(order, f.ID)
	}
	want := []string{"password-differs", "live-denied", "live-lmtp-421", "live-own"}
	if !slices.Equal(order, want) {
		t.Errorf("order %v, want %v: the cause that stops most links first, each before its consequences", order, want)
	}
}

func TestTheServerOfTheSameLinkIsMeant(t *testing.T) {
	r := newWorld().
		link("dagent-server", "dagent1", "server1", checks.Unchecked, checks.ReasonNoCheck, "server-database").
		link("dagent-server", "dagent2", "server2", checks.Unchecked, checks.ReasonNoCheck, "server-database").
		link("server-database", "server1", "db1", checks.Broken, checks.ReasonRefused).
		link("server-database", "server2", "db2", checks.OK, "").
		diagnose()
	if got := r.link(t, "dagent-server@dagent1").Result.Reason; got != checks.ReasonBlocked {
		t.Errorf("dagent1 is %s, want blocked", got)
	}
	if got := r.link(t, "dagent-server@dagent2").Result.Reason; got != checks.ReasonNoCheck {
		t.Errorf("dagent2 is %s, though its own server's database answers", got)
	}
}

func TestCirclesEnd(t *testing.T) {
	r := newWorld().
		link("a", "one", "two", checks.Broken, checks.ReasonRefused, "b").
		link("b", "two", "one", checks.Broken, checks.ReasonRefused, "a").
		found("x", finding.Live, finding.Error, "", 0, "a@one").
		found("y", finding.Live, finding.Error, "", 0, "b@two").
		diagnose()
	if len(r.Findings) != 2 {
		t.Fatalf("%d findings, want 2", len(r.Findings))
	}
	if r.cause(t, "x") != "" && r.cause(t, "y") != "" {
		t.Errorf("each causes the other: no root is left")
	}
}

func TestForeignCauseIsDropped(t *testing.T) {
	fs := finding.Seal([]finding.Finding{{ID: "a"}, {ID: "b"}})
	fs[0].Cause, fs[1].Cause = fs[1].Fingerprint, fs[0].Fingerprint
	got := diagnosis.Diagnose(diagnosis.Case{Findings: fs}).Findings
	if len(got) != 2 || got[0].Cause != "" || got[1].Cause != got[0].Fingerprint {
		t.Errorf("a circle of causes is not cut open: %+v", got)
	}
	fs = finding.Seal([]finding.Finding{{ID: "a", Cause: "nobody"}})
	if got := diagnosis.Diagnose(diagnosis.Case{Findings: fs}).Findings; got[0].Cause != "" {
		t.Errorf("a cause that does not exist stays: %q", got[0].Cause)
	}
}

func TestBlockedLinksNameTheBrokenLinkAtTheFarEnd(t *testing.T) {
	r := newWorld().
		link("client-gateway", "", "gateway", checks.Unchecked, checks.ReasonNoRoute, "gateway-server").
		link("gateway-server", "gateway", "server", checks.Unchecked, checks.ReasonNoCheck, "server-database").
		link("server-database", "server", "db", checks.Broken, checks.ReasonRefused).
		found("live-refused", finding.Live, finding.Error, "", 0, "server-database@server").
		diagnose()
	for _, id := range []string{"client-gateway@", "gateway-server@gateway"} {
		if got := r.link(t, id).Result.Message; got != "cannot work before server → db does" {
			t.Errorf("%s: %q", id, got)
		}
	}
}

func TestWhatStopsEverythingComesFirst(t *testing.T) {
	w := newWorld().
		link("server-database", "server", "db", checks.Broken, checks.ReasonRefused).
		found("live-refused", finding.Live, finding.Error, "a.yml", 1, "server-database@server").
		found("yaml-syntax", finding.Static, finding.Error, "z.yml", 9)
	c := diagnosis.Diagnose(diagnosis.Case{Findings: finding.Seal(w.findings), Links: w.links, StopsAll: []string{"yaml-syntax"}})
	if c.Findings[0].ID != "yaml-syntax" {
		t.Errorf("%s comes before the file that nothing can read", c.Findings[0].ID)
	}
}
