package checks_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

const evidenceFiles = `
services:
  kopano_server:
    image: kopano_core
    environment: {SERVICE_TO_START: server, KCCONF_SERVER_MYSQL_HOST: db, KCCONF_SERVER_MYSQL_PASSWORD: n3w-s3cr3t}
  kopano_dagent:
    image: kopano_core
    environment: {SERVICE_TO_START: dagent, KCCONF_DAGENT_SERVER_SOCKET: "http://kopano_server:236/"}
  db: {image: mariadb}
`

// evidenceOf gives the evidence of a failure on a link, out of one log of kopano_server.
func evidenceOf(t *testing.T, link string, reason checks.Reason, c engine.Container, lines ...engine.LogLine) []finding.Evidence {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(evidenceFiles), 0o644); err != nil {
		t.Fatal(err)
	}
	topology, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	if topology.Edge(link) == nil {
		t.Fatalf("no link %s", link)
	}
	c.ID, c.Service = "1", "kopano_server"
	c.Environment = map[string]secret.Text{"KCCONF_SERVER_MYSQL_PASSWORD": secret.New("0ld-s3cr3t", true)}
	s := &engine.Snapshot{At: noon, Containers: []engine.Container{c}}
	found := checks.AddEvidence(topology, s, checks.Logs{"1": lines}, []finding.Finding{
		{ID: "live-x-" + string(reason), Kind: finding.Live, Severity: finding.Error, Key: string(reason), Links: []string{link}},
	})
	return found[0].Evidence
}

var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func ago(d time.Duration, text string) engine.LogLine {
	return engine.LogLine{At: noon.Add(-d), Text: text}
}

func TestALogLineBearsAFailureOut(t *testing.T) {
	up := engine.Container{State: engine.Running, Started: noon.Add(-5 * time.Hour)}
	denied := "\x1b[31m[crit]\x1b[0m Access denied for user 'kopano'@'172.18.0.5' (using password: YES) password=0ld-s3cr3t other=0ld-s3cr3t"
	got := evidenceOf(t, "server-database@kopano_server", checks.ReasonCredentials, up,
		ago(20*time.Minute, "Access denied for user 'older'"), ago(2*time.Minute, denied), ago(time.Minute, "listening"))
	if len(got) != 1 || got[0].Service != "kopano_server" || got[0].Age != 2*time.Minute || got[0].Means == "" {
		t.Fatalf("evidence: %+v", got)
	}
	if l := got[0].Line; strings.Contains(l, "0ld-s3cr3t") || strings.Contains(l, "\x1b") || !strings.HasPrefix(l, "[crit] Access denied") || !strings.Contains(l, "(using password: YES)") {
		t.Errorf("line %q", l)
	}
	// Who calls a server that does not work learns why from its log.
	if got := evidenceOf(t, "dagent-server@kopano_dagent", checks.ReasonSilent, up, ago(time.Minute, denied)); len(got) != 1 {
		t.Errorf("kopano_dagent's failure has the evidence %+v", got)
	}
}

func TestWhatExplainsNothingIsNoEvidence(t *testing.T) {
	up := engine.Container{State: engine.Running, Started: noon.Add(-5 * time.Hour)}
	const denied, link = "Access denied for user 'kopano'", "server-database@kopano_server"
	for name, lines := range map[string][]engine.LogLine{
		"it was long ago":                 {ago(2*time.Hour, denied)},
		"it is over":                      {ago(2*time.Minute, denied), ago(time.Minute, "Startup succeeded on pid 7")},
		"it is of another link":           {ago(time.Minute, "Cannot instantiate user plugin: Failure connecting any of the LDAP servers")},
		"it says that all is well":        {ago(time.Minute, "Connection to database 'kopano' succeeded")},
		"waited for another, that came":   {ago(2*time.Minute, "Problem with dial: dial tcp db:3306: refused. Sleeping 1s"), ago(time.Minute, "Connected to tcp://db:3306")},
		"it waits for some other service": {ago(time.Minute, "Problem with dial: dial tcp: lookup ldap: no such host. Sleeping 1s")},
	} {
		if got := evidenceOf(t, link, checks.ReasonRefused, up, lines...); len(got) != 0 {
			t.Errorf("%s, and yet it is evidence: %+v", name, got)
		}
	}
	// A certificate that was shown, and a folder, fail for reasons of their own.
	stopped := ago(time.Minute, "accept: Too many open files")
	if got := evidenceOf(t, "dagent-server@kopano_dagent", checks.ReasonTLSExpired, up, stopped); len(got) != 0 {
		t.Errorf("a certificate that has expired has the evidence %+v", got)
	}
	if got := evidenceOf(t, "server-attachments@kopano_server", checks.ReasonRefused, up, ago(time.Minute, "Access denied for user 'kopano'")); len(got) != 0 {
		t.Errorf("a folder that is not there has the evidence %+v", got)
	}
	fresh := engine.Container{State: engine.Running, Started: noon.Add(-121 * time.Minute)}
	if got := evidenceOf(t, link, checks.ReasonRefused, fresh, ago(2*time.Hour, denied)); len(got) != 1 {
		t.Errorf("what it said at its start is left out: %+v", got)
	}
}

// Lines that the programs really write, and what must be made of them.
func TestSignatures(t *testing.T) {
	for _, x := range []struct {
		role       kopano.Role
		line, says string // says "": nothing is wrong
	}{
		{kopano.Server, "[crit   ] KCOIDC provider (https://x) failed to initialize: 0x1", "discovery"},
		{kopano.Server, "2020/01/01 kcoid discovery error: Get https://mail.example.org/.well-known/openid-configuration: dial tcp 192.0.2.1:443: connect: no route to host", "discovery"},
		{kopano.Server, "[crit   ] Cannot instantiate user plugin: Failure connecting any of the LDAP servers", "directory"},
		{kopano.Server, "LDAP (simple) bind on CN=readonly,DC=kopano,DC=demo failed: Invalid credentials", "bind DN"},
		{kopano.Server, "[warning] Option \"mysql_hostt\" is unknown and thus will be ignored.", "setting of this name"},
		{kopano.Dagent, "HrLogon server \"default:\" user \"SYSTEM\": network error (80040115)", "cannot log in"},
		{kopano.Kwmserver, "OIDC provider initialization error: timeout", "discovery"},
		{kopano.Konnect, "kc identifier backend logon error: dial unix /run/kopano/server.sock: connect: no such file or directory", "kopano_server"},
		{kopano.LDAP, "5f3 conn=1000 op=0 RESULT tag=97 err=49 text=", "refused a login"},
		{kopano.LDAP, "5f3 conn=1000 op=0 RESULT tag=97 err=0 text=", ""},
		{kopano.Mail, "[ FATAL ] TLS Setup [SSL_TYPE=self-signed] | File /tmp/docker-mailserver/ssl/mail.kopano.demo-key.pem or ...-cert.pem does not exist!", "certificate"},
		{kopano.Mail, "postfix/smtp[1]: 4F: to=<a@b>, relay=none, delay=1, dsn=4.4.1, status=deferred (connect to kopano_dagent[172.18.0.9]:2003: Connection refused)", "kopano_dagent"},
		{kopano.Mail, "postfix/lmtp[1]: 4F: to=<a@b>, relay=kopano_dagent[172.18.0.9]:2003, dsn=2.1.5, status=sent (250 2.1.5 Ok)", ""},
		{kopano.Database, "InnoDB: Upgrade after a crash is not supported. The redo log was created with MariaDB 10.3.1.", "cleanly"},
		{kopano.Database, "mariadbd: ready for connections.", ""},
		{kopano.Gateway, "Invalid service specified: kapid", "SERVICE_TO_START"},
		{kopano.SSL, "2026/01/01 Timeout after 6m0s waiting on dependencies to become available: [tcp://db:3306]", "did not come"},
	} {
		if got := checks.Meaning(x.role, x.line); x.says == "" && got != "" || !strings.Contains(got, x.says) {
			t.Errorf("%s says %q, and that means %q", x.role, x.line, got)
		}
	}
	for _, s := range checks.Signatures() {
		if s.Means == "" || s.Source == "" || len(s.Links) == 0 && !s.Stops && !s.NamesEnd {
			t.Errorf("incomplete: %+v", s)
		}
		for _, id := range s.Links {
			if kopano.LinkByID(id) == nil {
				t.Errorf("%q explains the link %s, which the catalogue does not have", s.Pattern, id)
			}
		}
	}
}

// A log is the cause only where nobody has looked at what it is about.
func TestALogIsTheCauseWhereNothingBetterIs(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(evidenceFiles), 0o644); err != nil {
		t.Fatal(err)
	}
	topology, err := load(dir)
	if err != nil {
		t.Fatal(err)
	}
	s := &engine.Snapshot{At: noon, Containers: []engine.Container{{ID: "1", Service: "kopano_server", State: engine.Running, PID: 7, Started: noon.Add(-time.Hour)}}}
	const to, database = "dagent-server@kopano_dagent", "server-database@kopano_server"
	for _, x := range []struct {
		line         string
		to, database checks.Status
		want         int
	}{
		{"accept: Too many open files", checks.Broken, checks.OK, 1},
		{"accept: Too many open files", checks.OK, checks.OK, 0},
		{"Failed to connect to database: x", checks.Broken, checks.Unchecked, 1},
		{"Failed to connect to database: x", checks.Broken, checks.OK, 0},
		{"Failed to connect to database: x", checks.Broken, checks.Broken, 0},
		{"Startup succeeded on pid 7", checks.Broken, checks.Unchecked, 0},
	} {
		status := func(id string) checks.Status {
			switch id {
			case to:
				return x.to
			case database:
				return x.database
			}
			return checks.Unchecked
		}
		found := checks.LogCauses(topology, s, checks.Logs{"1": {ago(time.Minute, x.line)}}, status)
		if len(found) != x.want {
			t.Errorf("%q, link %s, database %s: %+v", x.line, x.to, x.database, found)
		}
		for _, f := range found {
			if f.Subject != "kopano_server" || len(f.Links) != 1 || f.Links[0] != to || len(f.Evidence) != 1 || f.Message == "" || f.Consequence == "" {
				t.Errorf("incomplete: %+v", f)
			}
		}
	}
}
