package config_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

var ids = config.IDs{Known: []string{"unset-variable", "link-host-unknown", "live-ldap-refused"}, Retired: []string{"old-rule"}}

func load(t *testing.T, text string) (*config.Config, error) {
	t.Helper()
	file := filepath.Join(t.TempDir(), "c.yaml")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	return config.Load(file, filepath.Dir(file), ids)
}

func key(line, column int, values ...string) config.Key {
	return config.Key{Values: values, At: finding.Location{Line: line, Column: column}}
}

func TestLoad(t *testing.T) {
	c, err := load(t, `fail-on: warning
severity:
  unset-variable: error
  link-host-unknown: off
  live-ldap-refused: warning
  old-rule: info
ignore:
  - rule: unset-variable
    reason: the proxy sets it
  - {rule: link-host-unknown, subject: "mail*", file: docker-*.yml, reason: moves, until: 2027-03-31}
thresholds: {certificate-days: 14}
external-hosts: [ldapmaster, db_1]
offline: true
timeout: 1m30s
deadline: "2.5m"
resolve:
  - db:3306=127.0.0.1:3306
from: host
file: [a.yml, b.yml]
baseline: old.json
`)
	if err != nil {
		t.Fatal(err)
	}
	want := config.Config{
		File: c.File, CertificateDays: 14, ExternalHosts: []string{"ldapmaster", "db_1"},
		Keys: map[string]config.Key{
			"fail-on":        key(1, 10, "warning"),
			"severity":       key(3, 3),
			"ignore":         key(8, 3),
			"thresholds":     key(11, 13),
			"external-hosts": key(12, 17, "ldapmaster", "db_1"),
			"offline":        key(13, 10, "true"),
			"timeout":        key(14, 10, "1m30s"),
			"deadline":       key(15, 11, "2.5m"),
			"resolve":        key(17, 3, "db:3306=127.0.0.1:3306"),
			"from":           key(18, 7, "host"),
			"file":           key(19, 7, "a.yml", "b.yml"),
			"baseline":       key(20, 11, "old.json"),
		},
		Severity: map[string]finding.Severity{"unset-variable": finding.Error, "link-host-unknown": config.Off, "live-ldap-refused": finding.Warning, "old-rule": finding.Info},
		Ignores: []config.Ignore{
			{Rule: "unset-variable", Reason: "the proxy sets it", At: finding.Location{File: "c.yaml", Line: 8, Column: 5, Role: finding.Fix, Excerpt: "  - rule: unset-variable"}},
			{
				Rule: "link-host-unknown", Subject: "mail*", File: "docker-*.yml", Reason: "moves", Until: "2027-03-31",
				At: finding.Location{File: "c.yaml", Line: 10, Column: 5, Role: finding.Fix, Excerpt: `  - {rule: link-host-unknown, subject: "mail*", file: docker-*.yml, reason: moves, until: 2027-03-31}`},
			},
		},
	}
	for name, k := range c.Keys { // the file's name is another one in every run
		k.At.File = ""
		c.Keys[name] = k
	}
	if !reflect.DeepEqual(*c, want) {
		t.Errorf("got  %+v\nwant %+v", *c, want)
	}
}

func TestWhatIsNotSaidIsZero(t *testing.T) {
	for _, text := range []string{"", "# nothing\n", "---\n", "{}\n", "\ufeff# with a byte order mark\n"} {
		c, err := load(t, text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		c.File = ""
		if len(c.Severity) == 0 {
			c.Severity = nil
		}
		if !reflect.DeepEqual(*c, config.Config{}) {
			t.Errorf("%q gives %+v", text, *c)
		}
	}
}

// TestMistakes wants every mistake with its line and column, in words that say
// what to write.
func TestMistakes(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{"fail-no: error\n", `1:1: there is no key "fail-no"; fail-on was probably meant`},
		{"severities: {}\n", `1:1: there is no key "severities"; severity was probably meant`},
		{"banana: 1\n", `1:1: there is no key "banana"; known are baseline, deadline, env-file, external-hosts, fail-on, file, from, ignore, no-inline-ignores, offline, profile, project-name, resolve, severity, thresholds, timeout`},
		{"fail-on: fatal\n", `1:10: fail-on must be one of error, warning, info, never, and is "fatal"`},
		{"fail-on: warn1ng\n", `1:10: fail-on must be one of error, warning, info, never; warning was probably meant`},
		{"fail-on: [error]\n", `1:10: fail-on must be one of error, warning, info, never`},
		{"severity:\n  unset-variable: fatal\n", `2:19: unset-variable must be one of error, warning, info, off, and is "fatal"`},
		{"severity:\n  unset-variabel: off\n", `2:3: there is no rule "unset-variabel"; unset-variable was probably meant`},
		{"severity:\n  a-b-c: off\n", "2:3: there is no rule \"a-b-c\"; `kopano-doctor rules` lists them"},
		{"severity:\n  Unset Variable: off\n", `2:3: "Unset Variable" is no ID of a rule`},
		{"severity: off\n", `1:11: severity must be a mapping (key: value), and is a text`},
		{"ignore:\n  rule: unset-variable\n", `2:3: ignore must be a list, and is a mapping (key: value)`},
		{"ignore:\n  - rule: unset-variable\n", `2:5: reason is missing here`},
		{"ignore:\n  - reason: x\n    rules: [a]\n", `2:5: rule is missing here` + "\n" + `3:5: there is no key "rules"; rule was probably meant`},
		{"ignore:\n  - rule: nope\n    reason: x\n", `2:11: there is no rule "nope"`},
		{"ignore:\n  - rule: unset-variable\n    reason: ' '\n", `3:13: the reason is empty`},
		{"ignore:\n  - rule: unset-variable\n    reason: x\n    until: 2027-02-30\n", `4:12: "2027-02-30" is no day`},
		{"ignore:\n  - rule: unset-variable\n    reason: x\n    until: soon\n", `4:12: "soon" is no day; write year-month-day`},
		{"ignore:\n  - rule: unset-variable\n    reason: x\n    file: '[a'\n", `4:11: "[a" is no pattern`},
		{"thresholds: {certificate-day: 3}\n", `1:14: there is no key "certificate-day"; certificate-days was probably meant`},
		{"thresholds:\n  certificate-days: 0\n", `2:21: certificate-days must be a number from 1 to 365`},
		{"thresholds:\n  certificate-days: 1000\n", `2:21: certificate-days must be a number from 1 to 365`},
		{"thresholds:\n  certificate-days: soon\n", `2:21: certificate-days must be a whole number, and is a text`},
		{"external-hosts: [ok, ldap.example.org]\n", `1:22: "ldap.example.org" is no name without dots`},
		{"external-hosts: ldap\n", `1:17: external-hosts must be a list, and is a text`},
		{"offline: maybe\n", `1:10: offline must be true or false, and is a text`},
		{"timeout: 5\n", `1:10: timeout must be a text, and is a number`},
		{"timeout: 5 seconds\n", `1:10: "5 seconds" is no time; write a number with its unit`},
		{"deadline: 0s\n", `1:11: deadline must be a time of more than 0, and is "0s"`},
		{"deadline: 9999999999999h\n", `1:11: deadline must be a time of more than 0`},
		{"resolve: [db]\n", `1:11: "db" is no pinned address; write NAME:PORT=ADDR:PORT`},
		{"resolve:\n  - db:3306=127.0.0.1:99999\n", `2:5: --resolve db:3306=127.0.0.1:99999`},
		{"- a\n", `1:1: the file must be a mapping (key: value), and is a list`},
		{"offline: true\noffline: false\n", `2:1: the key "offline" is there twice; the first one is in line 1`},
		{"? [a]\n: b\n", `1:3: a key must be a word`},
		{"offline: true\n---\noffline: false\n", `2:1: a second document begins here`},
		{"severity:\n\tunset-variable: off\n", `2:1: `},
		{"a: 'b\n", `1:4: a quote is opened here and never closed`},
	} {
		_, err := load(t, c.text)
		var m config.Mistakes
		if !errors.As(err, &m) {
			t.Errorf("%q: error %v, want mistakes", c.text, err)
			continue
		}
		var got []string
		for _, x := range m {
			got = append(got, fmt.Sprintf("%d:%d: %s", x.At.Line, x.At.Column, x.Message))
			if !strings.HasSuffix(x.At.File, "c.yaml") {
				t.Errorf("%q: mistake in file %q", c.text, x.At.File)
			}
		}
		if !strings.HasPrefix(strings.Join(got, "\n"), c.want) {
			t.Errorf("%q:\n got %s\nwant %s", c.text, strings.Join(got, "\n"), c.want)
		}
	}
}

func TestAliasesStandWhereTheyAreUsed(t *testing.T) {
	c, err := load(t, "ignore:\n  - &first {rule: unset-variable, reason: x}\n  - *first\n")
	if err != nil || len(c.Ignores) != 2 || c.Ignores[1].At.Line != 3 || c.Ignores[1].Rule != "unset-variable" {
		t.Errorf("%v %+v", err, c)
	}
}

func TestABombEndsSoon(t *testing.T) {
	var b strings.Builder
	b.WriteString("a0: &a0 [x, x]\n")
	for i := 1; i < 40; i++ {
		fmt.Fprintf(&b, "a%d: &a%d [*a%d, *a%d]\n", i, i, i-1, i-1)
	}
	for name, text := range map[string]string{
		"aliases": b.String(),
		"nesting": strings.Repeat("[", 5000) + strings.Repeat("]", 5000),
		"itself":  "a: &a [*a]\n",
	} {
		start := time.Now()
		if _, err := load(t, text); err == nil {
			t.Errorf("%s: no error", name)
		}
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s: took %s", name, d)
		}
	}
}

func TestFind(t *testing.T) {
	root := t.TempDir()
	deep := filepath.Join(root, "a", "b")
	if err := os.MkdirAll(deep, 0o755); err != nil {
		t.Fatal(err)
	}
	write := func(path ...string) string {
		file := filepath.Join(append([]string{root}, path...)...)
		if err := os.WriteFile(file, nil, 0o644); err != nil {
			t.Fatal(err)
		}
		return file
	}
	find := func(want string) {
		t.Helper()
		if got, err := config.Find(deep); err != nil || got != want {
			t.Errorf("found %q, %v; want %q", got, err, want)
		}
	}
	find("")
	top := write(".kopano-doctor.yml")
	find("") // no repository: the folders above are not ours
	if err := os.Mkdir(filepath.Join(root, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	find(top)
	near := write("a", "b", ".kopano-doctor.yaml")
	find(near)
	write("a", "b", ".kopano-doctor.yml")
	if got, err := config.Find(deep); err == nil || !strings.Contains(err.Error(), "keep one") {
		t.Errorf("two files beside each other: found %q, %v", got, err)
	}
	if err := os.Remove(near); err != nil {
		t.Fatal(err)
	}
	find(filepath.Join(deep, ".kopano-doctor.yml"))
	// The root of a repository inside the other one ends the search.
	if err := os.Remove(filepath.Join(deep, ".kopano-doctor.yml")); err != nil {
		t.Fatal(err)
	}
	write("a", ".git") // as Git writes it for a worktree
	find("")
}

// TestSchemaIsShipped fails when the copy in docs/ was not written anew.
func TestSchemaIsShipped(t *testing.T) {
	shipped, err := os.ReadFile("../../docs/kopano-doctor.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(shipped, config.Schema()) {
		t.Error("docs/kopano-doctor.schema.json is not the schema that the program uses; run make docs")
	}
}

// TestTheManualIsRight loads every file with settings that the manual shows.
func TestTheManualIsRight(t *testing.T) {
	manual, err := os.ReadFile("../../docs/configuration.md")
	if err != nil {
		t.Fatal(err)
	}
	known := config.IDs{Known: append([]string{"log-level-debug"}, ids.Known...)}
	n := 0
	for _, block := range strings.Split(string(manual), "```yaml\n")[1:] {
		text, _, _ := strings.Cut(block, "```")
		if !strings.HasPrefix(text, "# .kopano-doctor.yaml\n") {
			continue
		}
		n++
		file := filepath.Join(t.TempDir(), "c.yaml")
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := config.Load(file, filepath.Dir(file), known); err != nil {
			t.Error(err)
		}
	}
	if n == 0 {
		t.Error("the manual shows no file")
	}
	for _, key := range keysOf(t) {
		if !strings.Contains(string(manual), "`"+key+"`") {
			t.Errorf("the manual says nothing of %s", key)
		}
	}
}

// keysOf gives the keys of the schema: those of entries of a list by
// themselves, those of a mapping behind its name.
func keysOf(t *testing.T) []string {
	type object struct {
		Properties map[string]struct {
			Properties map[string]any
			Items      struct{ Properties map[string]any }
		}
	}
	var top object
	if err := json.Unmarshal(config.Schema(), &top); err != nil {
		t.Fatal(err)
	}
	var keys []string
	for name, p := range top.Properties {
		for sub := range p.Properties {
			keys = append(keys, name+"."+sub)
		}
		for sub := range p.Items.Properties {
			keys = append(keys, sub)
		}
		if len(p.Properties) == 0 {
			keys = append(keys, name)
		}
	}
	if len(keys) < 12 {
		t.Fatalf("only %q", keys)
	}
	return keys
}
