package main

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
)

func TestMapWritesEveryFormat(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": small})
	for format, want := range map[string]string{
		"text": "→ ldap                     ldap      ldap:389", "mermaid": "flowchart TB\n", "dot": "digraph \"small\" {",
		"svg": "<svg xmlns=", "html": "<h1>small</h1>",
	} {
		c := run(t, []string{"LANG=C.UTF-8"}, "map", dir, "--format", format)
		if c.code != 0 || c.stderr != "" || !strings.Contains(c.stdout, want) {
			t.Errorf("%s: exit %d, %s, no %q in\n%.400s", format, c.code, c.stderr, want, c.stdout)
		}
		file := filepath.Join(t.TempDir(), "map")
		if again := run(t, []string{"LANG=C.UTF-8"}, "map", dir, "--format", format, "--output", file); again.code != 0 || again.stdout != "" {
			t.Errorf("%s: exit %d, standard output %q", format, again.code, again.stdout)
		}
		if data, err := os.ReadFile(file); err != nil || string(data) != c.stdout {
			t.Errorf("%s: the file differs from the terminal: %v", format, err)
		}
	}
}

func TestMapRefusesWhatIsNotThere(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": small})
	for says, args := range map[string][]string{
		"did you mean ldap?":             {"map", dir, "--focus", "ldapp"},
		"there is no such service\n":     {"map", dir, "--focus", "quite something else"},
		"only one folder":                {"map", dir, dir},
		"choose one of text, mermaid":    {"map", dir, "--format", "pdf"},
		"no deployment to look at":       {"map", t.TempDir()},
		"run `kopano-doctor map --help`": {"map", "--bogus"},
	} {
		if c := run(t, nil, args...); c.code != 2 || c.stdout != "" || !strings.Contains(c.stderr, says) {
			t.Errorf("%v: exit %d, %q, want %q", args, c.code, c.stderr, says)
		}
	}
}

// TestMapWithStatus wants the states of a run, and its exit code.
func TestMapWithStatus(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": small})
	for _, c := range []struct {
		status checks.Status
		code   int
		want   string
	}{{checks.OK, 0, "√ ldap"}, {checks.Broken, 1, "× ldap"}} {
		var stdout, stderr bytes.Buffer
		p := &program{stdout: &stdout, stderr: &stderr, env: []string{"LANG=C.UTF-8"}, checks: ends(c.status, "refused"), vantage: doctor.From, now: time.Now}
		if code := p.run([]string{"kopano-doctor", "map", "--status", "--resolve", "ldap:389=127.0.0.1:1", dir}); code != c.code || !strings.Contains(stdout.String(), c.want) {
			t.Errorf("exit %d, want %d; no %q in\n%s%s", code, c.code, c.want, stdout.String(), stderr.String())
		}
	}
}

func TestMapAsSVGIsXML(t *testing.T) {
	c := run(t, nil, "map", "../../testdata/deployments/full", "--format", "svg", "--focus", "kopano_server")
	d := xml.NewDecoder(strings.NewReader(c.stdout))
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
}
