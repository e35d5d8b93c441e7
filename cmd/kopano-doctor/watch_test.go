//go:build unix

package main

import (
	"bufio"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// watched is check --watch as a process of its own.
type watched struct {
	t     *testing.T
	cmd   *exec.Cmd
	lines chan string
	all   strings.Builder // read after lines is closed
}

func startWatch(t *testing.T, args ...string) *watched {
	t.Helper()
	self, err := os.Executable()
	labtest.Check(t, err)
	w := &watched{t: t, cmd: exec.Command(self, append([]string{"check", "--watch", "--format", "json"}, args...)...), lines: make(chan string, 100)}
	w.cmd.Env = append(os.Environ(), asProgram+"=1")
	out, err := w.cmd.StdoutPipe()
	labtest.Check(t, err)
	labtest.Check(t, w.cmd.Start())
	t.Cleanup(func() { _ = w.cmd.Process.Kill(); _ = w.cmd.Wait() })
	go func() {
		defer close(w.lines)
		lines := bufio.NewScanner(out)
		lines.Buffer(nil, 8<<20)
		for lines.Scan() {
			w.all.WriteString(lines.Text())
			w.lines <- lines.Text()
		}
	}()
	return w
}

// next gives the next line, within a time.
func (w *watched) next() report.WatchLine {
	w.t.Helper()
	select {
	case text, ok := <-w.lines:
		var l report.WatchLine
		if err := json.Unmarshal([]byte(text), &l); err != nil || !ok || l.Schema != report.WatchSchema {
			w.t.Fatalf("%v in %q", err, text)
		}
		return l
	case <-time.After(30 * time.Second):
		w.t.Fatal("nothing was said for 30 seconds")
	}
	return report.WatchLine{}
}

// silent fails when a line comes within a time.
func (w *watched) silent(d time.Duration) {
	w.t.Helper()
	select {
	case text := <-w.lines:
		w.t.Errorf("although nothing has changed: %s", text)
	case <-time.After(d):
	}
}

// end interrupts it and gives all that it has written.
func (w *watched) end() (code int, all string) {
	w.t.Helper()
	_ = w.cmd.Process.Signal(os.Interrupt)
	for range w.lines {
	}
	_ = w.cmd.Wait()
	return w.cmd.ProcessState.ExitCode(), w.all.String()
}

func (w *watched) link(l report.WatchLine, id string) report.LinkChange {
	w.t.Helper()
	for _, c := range l.Links {
		if c.Link.ID == id {
			return c
		}
	}
	w.t.Fatalf("no change of %s in %+v", id, l.Changes)
	return report.LinkChange{}
}

// A database, and the files that say its password.
func TestWatch(t *testing.T) {
	dir := bundledCopy(t)
	server := labtest.MustStart(t, labtest.New(t).StartMariaDB, lab.MariaDBOptions{Password: bundledPassword})
	w := startWatch(t, "--engine", "none", "--resolve", "db:3306="+server.Address, "--interval", "1s", "--timeout", "2s", dir)
	first := w.next()
	if first.Event != "report" || first.Report == nil || theLink(t, first.Report, "server-database@kopano_server").Status != "ok" || first.ExitCode == nil || *first.ExitCode != 1 {
		t.Errorf("%+v", first)
	}
	w.silent(3 * time.Second)

	rewrite(t, dir, ".env", "MYSQL_PASSWORD="+bundledPassword, "MYSQL_PASSWORD=mistyped-s3cr3t")
	change := w.next()
	if l := w.link(change, "server-database@kopano_server"); change.Event != "change" || l.Before != "ok" || l.Link.Reason != "bad-credentials" || change.Report != nil {
		t.Errorf("%+v", change)
	}
	w.silent(4 * time.Second) // several looks
	if n := refusedLogins(t, server, bundledPassword); n != 1 {
		t.Errorf("the server refused %d logins, want 1", n)
	}

	rewrite(t, dir, ".env", "MYSQL_PASSWORD=mistyped-s3cr3t", "MYSQL_PASSWORD="+bundledPassword)
	if change = w.next(); w.link(change, "server-database@kopano_server").Link.Status != "ok" || len(change.Gone) == 0 {
		t.Errorf("%+v", change)
	}

	settings := filepath.Join(dir, ".kopano-doctor.yaml")
	labtest.Check(t, os.WriteFile(settings, []byte("severity: [\n"), 0o600))
	if l := w.next(); l.Event != "error" || !strings.Contains(l.Error, "settings") || l.ExitCode != nil {
		t.Errorf("%+v", l)
	}
	w.silent(2 * time.Second)
	labtest.Check(t, os.Remove(settings))
	if l := w.next(); l.Event != "change" || !l.None() {
		t.Errorf("%+v", l)
	}
	code, all := w.end()
	if code != 130 || strings.Contains(all, bundledPassword) || strings.Contains(all, "s3cr3t") {
		t.Errorf("exit %d, or a password is shown", code)
	}
}

// An editor renames a new file into the place of the old one, and a file for
// whoever watches from afar is kept up to date.
func TestWatchSeesRenamedFiles(t *testing.T) {
	dir := bundledCopy(t)
	out := filepath.Join(t.TempDir(), "report.prom")
	w := startWatch(t, "--offline", "--interval", "10m", "--report", "prometheus="+out, dir)
	w.next()
	before, err := os.ReadFile(out)
	labtest.Check(t, err)
	env := filepath.Join(dir, ".env")
	text, err := os.ReadFile(env)
	labtest.Check(t, err)
	labtest.Check(t, os.WriteFile(env+".new", []byte(strings.Replace(string(text), "cn=readonly,", "readonly,", 1)), 0o600))
	labtest.Check(t, os.Rename(env+".new", env))
	l := w.next()
	found := false
	for _, f := range l.New {
		found = found || f.ID == "ldap-dn-syntax"
	}
	if !found {
		t.Errorf("%+v", l)
	}
	if after, err := os.ReadFile(out); err != nil || string(after) == string(before) {
		t.Errorf("the file is as before, %v", err)
	}
	if code, _ := w.end(); code != 130 {
		t.Errorf("exit %d", code)
	}
}

func TestWatchUsage(t *testing.T) {
	good := harmless(t)
	for says, args := range map[string][]string{
		"--watch and --login":          {"--login", "x"},
		"--watch and --write-baseline": {"--write-baseline", filepath.Join(good, "b.json")},
		"--report sarif=FILE":          {"--format", "sarif"},
		"more than 0":                  {"--interval", "0s"},
		"no deployment to look at":     {"--no-config", t.TempDir()},
		"choose one of text, json":     {"--format", "xml"},
	} {
		if says != "no deployment to look at" {
			args = append(args, good)
		}
		got := run(t, nil, append([]string{"check", "--watch"}, args...)...)
		if got.code != 2 || !strings.Contains(got.stderr, says) || got.stdout != "" {
			t.Errorf("%q: exit %d, want 2 and %q\n%s", args, got.code, says, got.stderr)
		}
	}
}
