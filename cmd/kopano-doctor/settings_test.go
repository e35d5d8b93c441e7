package main

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// noisy is a deployment with an error, an unset variable, in line 7.
const noisy = `name: noisy
services:
  kopano_server:
    image: zokradonh/kopano_core:8.7.85
    environment:
      SERVICE_TO_START: server
      KCCONF_SERVER_MYSQL_HOST: ${MYSQL_HOST}
`

// only gives the IDs of a report's findings among some.
func only(r report.Report, ids ...string) (out []string) {
	for _, f := range r.Findings {
		if slices.Contains(ids, f.ID) {
			out = append(out, f.ID)
		}
	}
	return out
}

// checked runs check with all rules on a folder and gives its report.
func checked(t *testing.T, dir string, args ...string) (report.Report, call) {
	t.Helper()
	got := run(t, nil, append([]string{"check", "--offline", "--format", "json", dir}, args...)...)
	if got.code == doctor.ExitUsage {
		t.Fatalf("%q: %s", args, got.stderr)
	}
	return parse(t, got.stdout), got
}

func TestCommentsInFiles(t *testing.T) {
	line := "      KCCONF_SERVER_MYSQL_HOST: ${MYSQL_HOST}\n"
	for name, c := range map[string]struct {
		text string
		args []string
		left string
		says string
	}{
		"none":              {noisy, nil, "unset-variable", ""},
		"above":             {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variable because the shell sets it\n"+line, 1), nil, "", ""},
		"beside":            {strings.Replace(noisy, line, strings.TrimSuffix(line, "\n")+" # kopano-doctor: ignore=unset-variable because the shell sets it\n", 1), nil, "", ""},
		"for an audit":      {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variable because the shell sets it\n"+line, 1), []string{"--no-inline-ignores"}, "unset-variable", ""},
		"in a value":        {strings.Replace(noisy, line, "      LABEL: '# kopano-doctor: ignore=unset-variable because the shell sets it'\n"+line, 1), nil, "unset-variable", ""},
		"without a reason":  {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variable\n"+line, 1), nil, "unset-variable", "suppression-without-reason"},
		"expired":           {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variable until=2020-01-31 because the shell sets it\n"+line, 1), nil, "unset-variable", "suppression-expired"},
		"not expired":       {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variable until=2999-01-31 because the shell sets it\n"+line, 1), nil, "", ""},
		"unknown":           {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variabel because the shell sets it\n"+line, 1), nil, "unset-variable", "suppression-unknown-rule"},
		"misspelt":          {strings.Replace(noisy, line, "      # kopano-doctor: ingore=unset-variable because the shell sets it\n"+line, 1), nil, "unset-variable", "suppression-unreadable"},
		"no longer needed":  {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variable because x\n      KCCONF_SERVER_MYSQL_HOST: db\n", 1), nil, "", "suppression-unused"},
		"a check, offline":  {strings.Replace(noisy, line, "      # kopano-doctor: ignore=unset-variable,live-mariadb-refused because x\n"+line, 1), nil, "", ""},
		"nothing of a kind": {noisy + "# kopano-doctor is a tool that looks at this file\n", nil, "unset-variable", ""},
	} {
		r, got := checked(t, folder(t, map[string]string{"compose.yaml": c.text}), c.args...)
		if left := strings.Join(only(r, "unset-variable"), " "); left != c.left || (r.Summary.Suppressed == 1) != (c.left == "" && name != "no longer needed") {
			t.Errorf("%s: left %q, want %q; %d suppressed, exit %d", name, left, c.left, r.Summary.Suppressed, got.code)
		}
		said := only(r, "suppression-unused", "suppression-expired", "suppression-unreadable", "suppression-unknown-rule", "suppression-without-reason")
		if strings.Join(said, " ") != c.says {
			t.Errorf("%s: said %q, want %q", name, said, c.says)
		}
	}
}

func TestSuppressedFindingsAreCountedInText(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": noisy + "      # kopano-doctor: ignore=log-level-debug because x\n      KCCONF_SERVER_LOG_LEVEL: 6\n"})
	if got := run(t, nil, "check", "--offline", dir); !strings.Contains(got.stdout, ", 1 suppressed;") || strings.Contains(got.stdout, "log-level-debug") {
		t.Errorf("%s", got.stdout)
	}
}

func TestSettingsFile(t *testing.T) {
	for name, c := range map[string]struct {
		settings string
		args     []string
		code     string // of exit
		left     string // of unset-variable: its severity
	}{
		"none":                      {"", nil, "1", "error"},
		"lowered":                   {"severity: {unset-variable: warning, machine-id-missing: off, link-setting-missing: off, data-not-on-volume: off}\n", nil, "0", "warning"},
		"lowered, and fail-on":      {"fail-on: warning\nseverity: {unset-variable: warning, machine-id-missing: off, link-setting-missing: off, data-not-on-volume: off}\n", nil, "1", "warning"},
		"the command line wins":     {"fail-on: never\n", []string{"--fail-on", "error"}, "1", "error"},
		"fail-on":                   {"fail-on: never\n", nil, "0", "error"},
		"no-config":                 {"fail-on: never\n", []string{"--no-config"}, "1", "error"},
		"off":                       {"fail-on: never\nseverity: {unset-variable: off}\n", nil, "0", ""},
		"ignored":                   {"ignore: [{rule: unset-variable, reason: x, subject: MYSQL_*, file: compose.yaml}]\n", nil, "1", ""},
		"ignored elsewhere":         {"ignore: [{rule: unset-variable, reason: x, file: other.yaml}]\n", nil, "1", "error"},
		"ignored until a day":       {"ignore: [{rule: unset-variable, reason: x, until: 2020-01-01}]\n", nil, "1", "error"},
		"ignored and raised":        {"severity: {unset-variable: info}\nignore: [{rule: unset-variable, reason: x}]\n", nil, "1", ""},
		"another file":              {"fail-on: never\n", []string{"--config", "other.yaml"}, "1", ""},
		"findings about the file":   {"fail-on: never\nseverity: {suppression-unused: off}\nignore: [{rule: log-level-debug, reason: x}]\n", nil, "0", "error"},
		"a rule that is not static": {"fail-on: never\nignore: [{rule: live-mariadb-refused, reason: x}]\n", nil, "0", "error"},
	} {
		files := map[string]string{"compose.yaml": noisy, "other.yaml": "severity: {unset-variable: off}\n"}
		if c.settings != "" {
			files[".kopano-doctor.yaml"] = c.settings
		}
		dir := folder(t, files)
		t.Chdir(dir)
		r, got := checked(t, dir, c.args...)
		severity := ""
		for _, f := range r.Findings {
			if f.ID == "unset-variable" {
				severity = f.Severity
			}
		}
		if fmt.Sprint(got.code) != c.code || severity != c.left || got.stderr != "" {
			t.Errorf("%s: exit %d, severity %q, want %s and %q\n%s", name, got.code, severity, c.code, c.left, got.stderr)
		}
		if unused := only(r, "suppression-unused"); (len(unused) > 0) != (name == "ignored elsewhere") {
			t.Errorf("%s: unused %v", name, unused)
		}
		want := map[bool]string{true: ".kopano-doctor.yaml"}[c.settings != "" && name != "no-config"]
		if name == "another file" {
			want = "other.yaml"
		}
		if r.Deployment.Config != want {
			t.Errorf("%s: the report names the settings %q, want %q", name, r.Deployment.Config, want)
		}
	}
}

func TestSettingsThatCannotBeMeant(t *testing.T) {
	dir := folder(t, map[string]string{
		"compose.yaml": noisy, "bad.yaml": "fail-on: error\nseverty: {}\n", "rule.yaml": "severity:\n  unset-varible: off\n",
		"broken.json": "{\n  \"schema\": 1\n}", ".kopano-doctor.yaml": "offline: 3\n",
	})
	file := func(name string) string { return filepath.Join(dir, name) }
	for _, c := range []struct {
		args []string
		says string
	}{
		{nil, file(".kopano-doctor.yaml") + ":1:10: offline must be true or false, and is a number"},
		{[]string{"--config", file("bad.yaml")}, file("bad.yaml") + `:2:1: there is no key "severty"; severity was probably meant`},
		{[]string{"--config", file("rule.yaml")}, file("rule.yaml") + `:2:3: there is no rule "unset-varible"; unset-variable was probably meant`},
		{[]string{"--config", file("nowhere.yaml")}, "it does not exist"},
		{[]string{"--config="}, "the name of the file is missing"},
		{[]string{"--config", file("bad.yaml"), "--no-config"}, "contradict"},
		{[]string{"--no-config", "--baseline", file("nowhere.json")}, "no such file"},
		{[]string{"--no-config", "--baseline", file("broken.json")}, file("broken.json") + ":2:"},
		{[]string{"--no-config", "--baseline", file("bad.yaml")}, "this is no baseline"},
		{[]string{"--no-config", "--baseline", file("broken.json"), "--write-baseline", file("new.json")}, "cannot be given together"},
		{[]string{"--no-config", "--write-baseline", filepath.Join(dir, "no", "x.json")}, "does not exist"},
		{[]string{"--no-config", "--write-baseline", dir}, "is a folder"},
		{[]string{"--no-config", "--write-baseline="}, "the name of the file is missing"},
	} {
		for _, format := range report.Formats() {
			got := run(t, nil, append([]string{"check", "--offline", "--format", string(format), dir}, c.args...)...)
			if got.code != doctor.ExitUsage || got.stdout != "" || !strings.Contains(got.stderr, c.says) {
				t.Errorf("%q: exit %d, want 2 and %q\n%s%s", c.args, got.code, c.says, got.stdout, got.stderr)
			}
		}
	}
}

func TestBaselineRoundTrip(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": noisy})
	file := filepath.Join(dir, "baseline.json")
	before, _ := checked(t, dir)
	if before.Summary.Errors == 0 {
		t.Fatal("the example has no error")
	}
	all := before.Summary.Errors + before.Summary.Warnings + before.Summary.Infos
	written, got := checked(t, dir, "--write-baseline", file)
	if got.code != 0 || len(written.Findings) != all || !strings.Contains(got.stderr, fmt.Sprintf("%d findings written to", all)) {
		t.Errorf("exit %d, %d findings\n%s", got.code, len(written.Findings), got.stderr)
	}
	first, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	checked(t, dir, "--write-baseline", file)
	if second, _ := os.ReadFile(file); !bytes.Equal(first, second) {
		t.Error("the baseline differs from run to run")
	}

	// With the baseline nothing is left, also when lines have moved.
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte("# moved\n\n"+noisy), 0o644); err != nil {
		t.Fatal(err)
	}
	r, got := checked(t, dir, "--baseline", file, "--fail-on", "info")
	if got.code != 0 || len(r.Findings) != 0 || r.Summary.Suppressed != all {
		t.Errorf("exit %d, %d suppressed of %d, left %+v", got.code, r.Summary.Suppressed, all, r.Findings)
	}
	// What is new counts; what is gone is said.
	text := strings.Replace(noisy, "${MYSQL_HOST}", "db # ${X}", 1) + "      KCCONF_SERVER_LOG_LEVEL: 6\n"
	if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	r, _ = checked(t, dir, "--baseline", file)
	if len(only(r, "log-level-debug")) != 1 || len(only(r, "baseline-unused")) != 1 || len(only(r, "unset-variable")) != 0 {
		t.Errorf("%+v", r.Findings)
	}
	for _, f := range r.Findings {
		if f.ID == "baseline-unused" && (f.Severity != "info" || f.Locations[0].File != "baseline.json") {
			t.Errorf("%+v", f)
		}
	}
}

// TestNoSecretInTheBaseline writes a baseline of findings that tell every secret.
func TestNoSecretInTheBaseline(t *testing.T) {
	secrets := planted()
	rule, check := tattler(secrets)
	o := outcome{
		rules:  append(rules.All(), rules.Rule{ID: "tattler", Check: rule}),
		checks: map[string]checks.Check{"server-ldap": check},
	}
	file := filepath.Join(t.TempDir(), "baseline.json")
	o.args = []string{"--write-baseline", file}
	got := o.run(leakyDeployment(t, secrets), report.FormatJSON, "error", "")
	data, err := os.ReadFile(file)
	if got.code != 0 || err != nil || !bytes.Contains(data, []byte("«hidden»")) || bytes.Count(data, []byte("tattler")) < 10 {
		t.Fatalf("exit %d, %v\n%s\n%s", got.code, err, got.stderr, data)
	}
	text := string(data) + decoded(t, string(data)) + got.stderr
	for _, s := range secrets {
		for _, form := range spellings(s) {
			if strings.Contains(text, form) {
				t.Errorf("the secret %q stands in the baseline as %q", s, form)
			}
		}
	}
}

// refused is a check that sees a closed port.
func refused(soon *time.Duration) map[string]checks.Check {
	return map[string]checks.Check{"server-ldap": func(_ context.Context, target checks.Target) checks.Result {
		*soon = target.ExpiresSoon
		return checks.Result{Status: checks.Broken, Reason: checks.ReasonRefused, Rung: checks.Dial, Message: "connection refused", Findings: []finding.Finding{{
			ID: "live-ldap-refused", Severity: finding.Error, Title: "refused", Message: "refused", Remedy: "start it", Key: "refused",
			Locations: target.Edge.Locations(),
		}}}
	}}
}

func TestBrokenLinksThatAreAccepted(t *testing.T) {
	comment := strings.Replace(small, "ldap://ldap:389", "ldap://ldap:389 # kopano-doctor: ignore=live-ldap-refused because it is being moved", 1)
	for name, c := range map[string]struct {
		compose, settings string
		args              []string
		code              int
		accepted          bool
		left              string
	}{
		"not accepted":       {small, "", nil, 1, false, "live-ldap-refused"},
		"by comment":         {comment, "", nil, 0, true, ""},
		"comment not obeyed": {comment, "", []string{"--no-inline-ignores"}, 1, false, "live-ldap-refused"},
		"by entry":           {small, "ignore: [{rule: live-ldap-refused, reason: it is being moved}]\n", nil, 0, true, ""},
		"switched off":       {small, "severity: {live-ldap-refused: off}\n", nil, 0, true, ""},
		"lowered":            {small, "severity: {live-ldap-refused: warning}\n", nil, 0, true, "live-ldap-refused"},
		"lowered, fail-on":   {small, "fail-on: warning\nseverity: {live-ldap-refused: warning}\n", nil, 1, true, "live-ldap-refused"},
		"another link":       {small, "ignore: [{rule: live-ldap-refused, subject: mail*, reason: x}]\n", nil, 1, false, "live-ldap-refused"},
	} {
		files := map[string]string{"docker-compose.yml": c.compose}
		if c.settings != "" {
			files[".kopano-doctor.yaml"] = c.settings
		}
		dir, soon := folder(t, files), time.Duration(0)
		o := outcome{checks: refused(&soon), args: c.args}
		got := o.runAs(dir, report.FormatJSON)
		r := parse(t, got.stdout)
		l := r.Links[slices.IndexFunc(r.Links, func(l report.Link) bool { return l.ID == "server-ldap@kopano_server" })]
		if got.code != c.code || l.Status != "broken" || l.Suppressed != c.accepted || strings.Join(only(r, "live-ldap-refused"), " ") != c.left ||
			r.Summary.LinksBroken != 1 || (r.Summary.LinksSuppressed == 1) != c.accepted {
			t.Errorf("%s: exit %d, link %+v, summary %+v", name, got.code, l, r.Summary)
		}
		if unused := only(r, "suppression-unused"); (len(unused) == 1) != (name == "another link") {
			t.Errorf("%s: unused %v", name, unused)
		}
		text := o.runAs(dir, report.FormatText)
		if strings.Contains(text.stdout, "known and accepted") != c.accepted || text.code != c.code {
			t.Errorf("%s: exit %d\n%s", name, text.code, text.stdout)
		}
	}
}

// runAs runs the outcome without a --fail-on of its own.
func (o outcome) runAs(dir string, format report.Format) call {
	var stdout, stderr bytes.Buffer
	p := &program{stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, rules: o.rules, checks: o.checks, vantage: doctor.From, now: time.Now}
	code := p.run(append([]string{"kopano-doctor", "check", "--format", string(format), dir}, o.args...))
	return call{code, stdout.String(), stderr.String()}
}

func TestThresholdsReachTheChecks(t *testing.T) {
	for settings, want := range map[string]time.Duration{"": 0, "thresholds: {certificate-days: 10}\n": 240 * time.Hour} {
		soon := time.Duration(-1)
		o := outcome{checks: refused(&soon)}
		o.runAs(folder(t, map[string]string{"docker-compose.yml": small, ".kopano-doctor.yaml": settings}), report.FormatJSON)
		if soon != want {
			t.Errorf("%q: the check warns %s before the end, want %s", settings, soon, want)
		}
	}
}

func TestExternalHosts(t *testing.T) {
	text := strings.Replace(small, "ldap://ldap:389", "ldap://ldapmaster:389", 1)
	for settings, want := range map[string]string{"": "link-host-unknown", "external-hosts: [ldapmaster]\n": "", "external-hosts: [ldap2]\n": "link-host-unknown"} {
		r, _ := checked(t, folder(t, map[string]string{"docker-compose.yml": text, ".kopano-doctor.yml": settings}))
		if got := strings.Join(only(r, "link-host-unknown"), " "); got != want {
			t.Errorf("%q: %q, want %q", settings, got, want)
		}
	}
}

func TestSettingsOfTheRun(t *testing.T) {
	// Offline: a check that runs all the same would break the link.
	soon := time.Duration(0)
	o := outcome{checks: refused(&soon)}
	dir := folder(t, map[string]string{"docker-compose.yml": small, ".kopano-doctor.yaml": "offline: true\n"})
	if got := o.runAs(dir, report.FormatJSON); got.code != 0 {
		t.Errorf("offline: exit %d\n%s", got.code, got.stdout)
	}
	o.args = []string{"--offline=false"}
	if got := o.runAs(dir, report.FormatJSON); got.code != 1 {
		t.Errorf("--offline=false: exit %d\n%s", got.code, got.stdout)
	}
	// Pins: those of the command line win over those of the file.
	var asked string
	o.checks = map[string]checks.Check{"server-ldap": func(ctx context.Context, target checks.Target) checks.Result {
		conn, err := target.Dialer.DialContext(ctx, "tcp", "ldap:389")
		if err != nil {
			return checks.Result{Status: checks.Broken, Message: err.Error()}
		}
		asked = conn.RemoteAddr().String()
		return checks.Result{Status: checks.OK, Message: asked, Address: fmt.Sprint(target.Timeout)}
	}}
	one, two := silent(t), silent(t)
	dir = folder(t, map[string]string{"docker-compose.yml": small, ".kopano-doctor.yaml": "timeout: 7s\nresolve: ['ldap:389=" + one + "']\n"})
	for _, c := range []struct {
		args          []string
		asks, timeout string
	}{{nil, one, "7s"}, {[]string{"--resolve", "ldap:389=" + two, "--timeout", "3s"}, two, "3s"}, {[]string{"--resolve", "db:3306=" + two}, one, "7s"}} {
		o.args = c.args
		got := o.runAs(dir, report.FormatJSON)
		if got.code != 0 || asked != c.asks || !strings.Contains(got.stdout, `"`+c.timeout+`"`) {
			t.Errorf("%q: asks %s, want %s and %s\n%s", c.args, asked, c.asks, c.timeout, got.stdout)
		}
	}
}

func TestInit(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": noisy})
	file := filepath.Join(dir, ".kopano-doctor.yaml")
	got := run(t, nil, "init", dir)
	text, err := os.ReadFile(file)
	if got.code != 0 || err != nil || got.stdout != "" || !strings.Contains(got.stderr, "written") {
		t.Fatalf("exit %d, %v\n%s", got.code, err, got.stderr)
	}
	plain, _ := checked(t, folder(t, map[string]string{"compose.yaml": noisy}))
	if with, _ := checked(t, dir); len(with.Findings) != len(plain.Findings) {
		t.Errorf("the file as it is written changes the findings")
	}
	// Every setting in it, switched on, is a good one.
	on := regexp.MustCompile(`(?m)^#(  .*|[a-z-]+:.*)$`).ReplaceAll(text, []byte("$1"))
	other := filepath.Join(t.TempDir(), "on.yaml")
	if err := os.WriteFile(other, on, 0o644); err != nil {
		t.Fatal(err)
	}
	c, err := config.Load(other, dir, doctor.IDs(rules.All()))
	if err != nil {
		t.Fatalf("%v\n%s", err, on)
	}
	for _, name := range propertiesOfSchema(t) {
		if len(c.Keys[name].Values) == 0 && !slices.Contains([]string{"severity", "ignore", "thresholds"}, name) {
			t.Errorf("the example lacks %s", name)
		}
	}
	if len(c.Severity) != 2 || len(c.Ignores) != 1 || c.Ignores[0].Until == "" || c.CertificateDays == 0 || len(c.ExternalHosts) == 0 ||
		!bytes.Contains(on, []byte("\noffline: false\n")) {
		t.Errorf("the example lacks a setting: %+v", c)
	}

	// What is there stays.
	if again := run(t, nil, "init", dir); again.code != doctor.ExitUsage || !strings.Contains(again.stderr, "is there already") {
		t.Errorf("exit %d\n%s", again.code, again.stderr)
	}
	if now, _ := os.ReadFile(file); !bytes.Equal(now, text) {
		t.Error("the file was written anew")
	}
	for _, c := range []struct {
		args []string
		says string
	}{{[]string{"init", "a", "b"}, "one folder"}, {[]string{"init", filepath.Join(dir, "nowhere")}, "cannot be written"}, {[]string{"init", folder(t, map[string]string{".kopano-doctor.yml": ""})}, "is there already"}} {
		if got := run(t, nil, c.args...); got.code != doctor.ExitUsage || !strings.Contains(got.stderr, c.says) {
			t.Errorf("%q: exit %d\n%s", c.args, got.code, got.stderr)
		}
	}
	// Not even through a link that leads nowhere.
	linked, target := t.TempDir(), filepath.Join(t.TempDir(), "elsewhere")
	if err := os.Symlink(target, filepath.Join(linked, ".kopano-doctor.yaml")); err != nil {
		t.Skip("no symbolic links here: ", err)
	}
	if got := run(t, nil, "init", linked); got.code != doctor.ExitUsage || exists(target) {
		t.Errorf("exit %d, and the link's target is written: %v", got.code, exists(target))
	}
}
