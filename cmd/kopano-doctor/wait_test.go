package main

import (
	"database/sql"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

const bundledPassword = "Rw6bUj9tCm3zXe7nKv2yDq5g"

// wait calls wait for the bundled deployment, with a report for programs.
func wait(t *testing.T, dir string, args ...string) (call, *report.Report) {
	t.Helper()
	got := run(t, nil, append(append([]string{"wait", "--engine", "none", "--format", "json", "--answer-timeout", "2s"}, args...), dir)...)
	r := &report.Report{}
	if err := json.Unmarshal([]byte(got.stdout), r); err != nil && got.code != 2 {
		t.Fatalf("exit %d, %v\n%s\n%s", got.code, err, got.stdout, got.stderr)
	}
	if err := keepsToSchema(got.stdout); err != nil && got.code != 2 {
		t.Error(err)
	}
	return got, r
}

// bundledCopy is the bundled deployment, to be changed.
func bundledCopy(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "deployment")
	labtest.Check(t, os.CopyFS(dir, os.DirFS(full)))
	return dir
}

func rewrite(t *testing.T, dir, file, old, new string) {
	t.Helper()
	name := filepath.Join(dir, file)
	text, err := os.ReadFile(name)
	labtest.Check(t, err)
	if !strings.Contains(string(text), old) {
		t.Fatalf("%s has no %q", file, old)
	}
	labtest.Check(t, os.WriteFile(name, []byte(strings.Replace(string(text), old, new, 1)), 0o600))
}

// The database is started while it is waited for.
func TestWaitUntilTheDatabaseIsThere(t *testing.T) {
	l := labtest.New(t)
	server := labtest.MustStart(t, l.StartMariaDB, lab.MariaDBOptions{Password: bundledPassword})
	address := later(t, server.Address, 2*time.Second)
	start := time.Now()
	got, r := wait(t, full, "--for", "server-database@kopano_server", "--resolve", "db:3306="+address, "--timeout", "30s")
	if got.code != 0 || r.ExitCode != 0 || len(r.Links) != 1 || r.Links[0].Status != "ok" || len(r.Findings) != 0 {
		t.Errorf("exit %d\n%s\n%s", got.code, got.stdout, got.stderr)
	}
	if took := time.Since(start); took < 2*time.Second {
		t.Errorf("it was ready after %s", took)
	}
	for _, says := range []string{"refused the connection", "(server-database@kopano_server): works", "1 of 1 link works"} {
		if !strings.Contains(got.stderr, says) {
			t.Errorf("standard error has no %q:\n%s", says, got.stderr)
		}
	}
	if n := strings.Count(got.stderr, "\n"); n != 4 {
		t.Errorf("%d lines on standard error, want one for each change:\n%s", n, got.stderr)
	}
}

// later leads to an address from some time on; before, nothing listens.
func later(t *testing.T, to string, after time.Duration) (address string) {
	t.Helper()
	port, err := lab.FreePort()
	labtest.Check(t, err)
	address = net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
	l := labtest.New(t)
	timer := time.AfterFunc(after, func() {
		if err := l.ServeOn("tcp", address, func(c net.Conn) { pass(c, to) }); err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { timer.Stop() })
	return address
}

// pass joins a connection to a server.
func pass(c net.Conn, to string) {
	server, err := net.Dial("tcp", to)
	if err != nil {
		return
	}
	defer server.Close()
	go func() { _, _ = io.Copy(server, c) }()
	_, _ = io.Copy(c, server)
}

// A wrong password is tried once, ends the wait, and is told.
func TestWaitDoesNotLockAccounts(t *testing.T) {
	l := labtest.New(t)
	server := labtest.MustStart(t, l.StartMariaDB, lab.MariaDBOptions{Password: "another-secret"})
	start := time.Now()
	got, r := wait(t, full, "--for", "database", "--resolve", "db:3306="+server.Address, "--timeout", "20s")
	if got.code != 1 || !strings.Contains(got.stderr, "so as not to lock the account") || len(r.Findings) == 0 {
		t.Errorf("exit %d\n%s\n%s", got.code, got.stdout, got.stderr)
	}
	if took := time.Since(start); took > 10*time.Second {
		t.Errorf("it waited %s for what waiting does not cure", took)
	}
	if n := refusedLogins(t, server, "another-secret"); n != 1 {
		t.Errorf("the server refused %d logins, want 1", n)
	}
	if strings.Contains(got.stdout+got.stderr, bundledPassword) {
		t.Error("the password is shown")
	}
}

func refusedLogins(t *testing.T, server *lab.MariaDB, password string) (n int) {
	t.Helper()
	db, err := sql.Open("mysql", "kopano:"+password+"@tcp("+server.Address+")/kopano")
	labtest.Check(t, err)
	defer db.Close()
	var name string
	labtest.Check(t, db.QueryRow("SHOW GLOBAL STATUS LIKE 'Access_denied_errors'").Scan(&name, &n))
	return n
}

// Several links log in to the directory with wrong passwords, in every round.
func TestWaitBindsOnceWithAWrongPassword(t *testing.T) {
	l := labtest.New(t)
	server := labtest.MustStart(t, l.StartSlapd, lab.SlapdOptions{ReadonlyPassword: "another-secret"})
	got, r := wait(t, full, "--for", "ldap", "--timeout", "8s", "--resolve", "ldap:389="+server.Address)
	refused := 0
	for _, l := range r.Links {
		if l.Reason == "bad-credentials" {
			refused++
		}
	}
	if got.code != 1 || refused < 2 || !strings.Contains(got.stderr, "so as not to lock the account") {
		t.Errorf("exit %d, %d links refused\n%s", got.code, refused, got.stderr)
	}
	for _, account := range []string{"cn=readonly", "cn=admin"} { // that of kopano_server and mail, and that of password-self-service
		if n := strings.Count(server.Log(), `BIND dn="`+account+`,dc=example,dc=org"`); n != 1 {
			t.Errorf("%s logged in %d times, want 1:\n%s", account, n, server.Log())
		}
	}
}

// The cause of what is waited for may be further away.
func TestWaitNamesTheCause(t *testing.T) {
	got, r := wait(t, full, "--for", "dagent-server", "--timeout", "2s", "--answer-timeout", "500ms",
		"--resolve", "db:3306="+nobody(t), "--resolve", "kopano_server:236="+nobody(t), "--resolve", "kopano_server:237="+nobody(t))
	if got.code != 1 || !strings.Contains(got.stderr, "does not work yet") {
		t.Errorf("exit %d\n%s", got.code, got.stderr)
	}
	cause := theFinding(t, r, "live-mariadb-refused", "kopano_server → db")
	if cause.Cause != nil {
		t.Errorf("%+v", cause)
	}
	for _, l := range r.Links {
		if l.Status == "ok" || l.ID == "web-konnect@web" {
			t.Errorf("%s has nothing to do with it", l.ID)
		}
	}
}

// nobody gives an address where nothing listens.
func nobody(t *testing.T) string {
	t.Helper()
	port, err := lab.FreePort()
	labtest.Check(t, err)
	return net.JoinHostPort("127.0.0.1", strconv.Itoa(port))
}

// What waiting does not cure ends it at once.
func TestWaitGivesUpOnTheFiles(t *testing.T) {
	for name, c := range map[string]struct{ file, old, new, says string }{
		"refused by Compose": {"docker-compose.db.yml", "services:", "services:\n  broken: {imag: x}", "Docker Compose refuses"},
		"no such port":       {".env", "LDAP_SERVER=ldap://ldap:389", "LDAP_SERVER=ldap://ldap:not-a-port", "waiting does not change that"},
	} {
		dir := bundledCopy(t)
		rewrite(t, dir, c.file, c.old, c.new)
		start := time.Now()
		got, _ := wait(t, dir, "--for", "server-ldap", "--timeout", "30s", "--resolve", "ldap:389="+nobody(t))
		if got.code != 1 || !strings.Contains(got.stderr, c.says) || time.Since(start) > 10*time.Second {
			t.Errorf("%s: exit %d after %s\n%s", name, got.code, time.Since(start), got.stderr)
		}
	}
}

// Nobody can tell, and that does not change: exit code 3, and at once.
func TestWaitForWhatCannotBeSeen(t *testing.T) {
	start := time.Now()
	got, _ := wait(t, full, "--for", "server-database", "--timeout", "30s")
	if got.code != 3 || !strings.Contains(got.stderr, "cannot be looked at from here") || time.Since(start) > 10*time.Second {
		t.Errorf("exit %d after %s\n%s", got.code, time.Since(start), got.stderr)
	}
	if got, _ := wait(t, harmless(t), "--timeout", "30s"); got.code != 3 || !strings.Contains(got.stderr, "nothing here") {
		t.Errorf("exit %d\n%s", got.code, got.stderr)
	}
}

func TestWaitUsage(t *testing.T) {
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"--for", "kopano_servr"}, `did you mean "kopano_server"?`},
		{[]string{"--for", "server-databse"}, `did you mean "server-database"?`},
		{[]string{"--for", ""}, "there is no service and no link"},
		{[]string{"--timeout", "0s"}, "more than 0"},
		{[]string{"--offline"}, "there is no flag --offline"},
		{[]string{"elsewhere"}, "only one folder"},
	} {
		got, _ := wait(t, full, c.args...)
		if got.code != 2 || !strings.Contains(got.stderr, c.says) || !strings.Contains(got.stderr, "kopano-doctor wait --help") {
			t.Errorf("%q: exit %d\n%s", c.args, got.code, got.stderr)
		}
	}
}
