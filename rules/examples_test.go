package rules_test

import (
	"context"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

var update = flag.Bool("update", false, "write the expected findings of the rules' examples anew")

const (
	examples = "../testdata/rules"
	wanted   = rulebook.Wanted
	excused  = rulebook.Excused
	process  = rulebook.Process
	baseline = "baseline.json" // beside an example: what --baseline names
)

// today is the day on which the examples are looked at.
var today = time.Date(2026, time.March, 1, 12, 0, 0, 0, time.UTC)

// everyRule gives all rules, also those about suppressions, which look at the
// settings and the baseline beside an example.
func everyRule(t *testing.T, dir string) []rules.Rule {
	t.Helper()
	setup := suppress.Setup{IDs: suppress.IDs(rules.All(), nil), Now: today, AllStatic: true, AllLive: true}
	settings, err := filepath.Glob(filepath.Join(dir, ".kopano-doctor.y*ml"))
	if err == nil && len(settings) == 1 {
		setup.Config, err = config.Load(settings[0], dir, setup.IDs)
	}
	if err != nil {
		t.Fatal(err)
	}
	if file := filepath.Join(dir, baseline); dir != "" && exists(file) {
		if setup.Baseline, err = suppress.ReadBaseline(file); err != nil {
			t.Fatal(err)
		}
	}
	return append(rules.All(), suppress.Rules(setup)...)
}

// ruleFor gives a rule as it is for an example.
func ruleFor(t *testing.T, id, dir string) rules.Rule {
	t.Helper()
	for _, r := range everyRule(t, dir) {
		if r.ID == id {
			return r
		}
	}
	t.Fatalf("there is no rule %s", id)
	return rules.Rule{}
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// TestExamples runs every rule over its own examples: the bad ones give
// exactly the findings beside them, the good ones give none.
func TestExamples(t *testing.T) {
	for _, r := range everyRule(t, "") {
		t.Run(r.ID, func(t *testing.T) {
			bad, good := 0, 0
			for _, dir := range folders(t, filepath.Join(examples, r.ID)) {
				r := ruleFor(t, r.ID, dir)
				switch name := filepath.Base(dir); {
				case strings.HasPrefix(name, "bad"):
					bad++
					t.Run(name, func(t *testing.T) { checkBad(t, r, dir) })
				case strings.HasPrefix(name, "good"):
					good++
					t.Run(name, func(t *testing.T) { checkGood(t, r, dir) })
				default:
					t.Errorf("%s is neither a bad nor a good example", dir)
				}
			}
			if bad == 0 || good == 0 {
				t.Errorf("rule has %d bad and %d good examples, want at least one of each in %s", bad, good, filepath.Join(examples, r.ID))
			}
		})
	}
}

func checkBad(t *testing.T, r rules.Rule, dir string) {
	fs := run(t, dir, r)
	if len(fs) == 0 {
		t.Fatal("the rule is silent about its bad example")
	}
	got, file := render(fs), filepath.Join(dir, wanted)
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("findings differ from %s (write it anew with -update)\n--- got\n%s--- want\n%s", file, got, want)
	}
}

func checkGood(t *testing.T, r rules.Rule, dir string) {
	if fs := run(t, dir, r); len(fs) > 0 {
		t.Errorf("the rule finds fault with its good example:\n%s", render(fs))
	}
	if _, err := os.Stat(filepath.Join(dir, excused)); err == nil {
		return
	}
	for _, f := range run(t, dir, rules.All()...) {
		if f.Severity == finding.Error {
			t.Errorf("good example gives an error of another rule:\n%s: %s", f.ID, render([]finding.Finding{f}))
		}
	}
}

// run gives the sealed findings of some rules over an example.
func run(t *testing.T, dir string, rs ...rules.Rule) []finding.Finding {
	t.Helper()
	in := load(t, deployment.Options{Dir: dir, Environ: environ(t, dir)})
	fs := finding.Seal(rules.Run(rs, in))
	for _, f := range fs {
		checkFinding(t, in.Deployment, f)
	}
	return fs
}

func load(t *testing.T, o deployment.Options) *rules.Input {
	t.Helper()
	d, err := deployment.Load(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return &rules.Input{Deployment: d, Topology: kopano.Recognise(d)}
}

func environ(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, process))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

// checkFinding holds what must be true of any finding of any rule.
func checkFinding(t *testing.T, d *deployment.Deployment, f finding.Finding) {
	t.Helper()
	for what, text := range map[string]string{"subject": f.Subject, "message": f.Message, "remedy": f.Remedy, "title": f.Title} {
		if strings.TrimSpace(text) == "" {
			t.Errorf("%s: finding without %s: %+v", f.ID, what, f)
		}
	}
	if f.Severity > finding.Info && f.Consequence == "" {
		t.Errorf("%s: %v does not say what it breaks: %s", f.ID, f.Severity, f.Message)
	}
	if len(f.Locations) == 0 {
		t.Errorf("%s: finding without a place: %s", f.ID, f.Message)
	}
	for _, l := range f.Locations {
		if l.IsZero() || l.Role == "" {
			t.Errorf("%s: location %+v has no file or no role", f.ID, l)
		}
		if filepath.IsAbs(l.File) {
			t.Errorf("%s: location %s is not relative to the deployment", f.ID, l)
		}
	}
	for _, s := range d.Secrets() {
		if len(s) < 6 {
			continue // a short word may well be a part of the sentence
		}
		for _, text := range []string{f.Message, f.Consequence, f.Remedy, f.Title, f.Key, f.Subject} {
			// SECRETKEY as a password is no leak in KCCONF_…_SECRETKEY.
			if strings.Contains(text, s) && secretWord(s).MatchString(text) {
				t.Errorf("%s: secret in %q", f.ID, text)
			}
		}
	}
}

func secretWord(s string) *regexp.Regexp {
	return regexp.MustCompile(`(^|[^A-Za-z0-9_])` + regexp.QuoteMeta(s) + `($|[^A-Za-z0-9_])`)
}

// render writes findings as want.txt holds them.
func render(fs []finding.Finding) string { return rulebook.FormatFindings(fs) }

var kebab = regexp.MustCompile(`^[a-z][a-z0-9]*(-[a-z0-9]+)*$`)

// TestRules checks what every rule must have.
func TestRules(t *testing.T) {
	all := everyRule(t, "")
	if len(all) < 50 {
		t.Errorf("%d rules, want at least 50", len(all))
	}
	seen := map[string]bool{}
	for _, r := range all {
		if !kebab.MatchString(r.ID) {
			t.Errorf("ID %q is not kebab-case", r.ID)
		}
		if seen[r.ID] {
			t.Errorf("ID %q is used twice", r.ID)
		}
		seen[r.ID] = true
		if slices.Contains(rules.Retired(), r.ID) {
			t.Errorf("ID %q is retired and must not come back", r.ID)
		}
		if r.Title == "" || r.Why == "" || r.Subject == "" || r.Check == nil {
			t.Errorf("%s: title, reason, subject or check is missing", r.ID)
		}
		if strings.HasSuffix(r.Title, ".") {
			t.Errorf("%s: title %q ends with a full stop", r.ID, r.Title)
		}
		if r.Severity < finding.Info || r.Severity > finding.Error {
			t.Errorf("%s: severity %v", r.ID, r.Severity)
		}
	}
	for _, dir := range folders(t, examples) {
		if !seen[filepath.Base(dir)] {
			t.Errorf("%s belongs to no rule", dir)
		}
	}
}

// TestRulesLeaveTheDeploymentAlone runs all rules twice and wants the same findings.
func TestRulesLeaveTheDeploymentAlone(t *testing.T) {
	in := load(t, deployment.Options{Dir: "../testdata/deployments/full"})
	first := render(finding.Seal(rules.Run(rules.All(), in)))
	second := render(finding.Seal(rules.Run(rules.All(), in)))
	if first != second {
		t.Errorf("second run differs\n--- first\n%s--- second\n%s", first, second)
	}
}

func folders(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		if e.IsDir() {
			out = append(out, filepath.Join(dir, e.Name()))
		}
	}
	return out
}

// TestLinks wants findings to name the links that they explain, so that a
// broken link and the line that broke it become one story.
func TestLinks(t *testing.T) {
	for example, want := range map[string]string{
		"unset-variable/bad-misspelt": "server-database@kopano_server",
		"ldap-uri-syntax/bad":         "server-ldap@kopano_server",
		"mail-permit-docker/bad":      "spooler-mail@kopano_spooler",
		"mail-virtual-transport/bad":  "mail-dagent@mail",
		"self-signed-insecure-no/bad": "kwmserver-issuer@kopano_kwmserver",
		"port-setting-invalid/bad":    "server-database@kopano_server",
		"server-socket-invalid/bad":   "gateway-server@kopano_gateway",
		"mail-fqdn/bad":               "",
		"log-level-debug/bad":         "",
	} {
		id := filepath.Dir(example)
		for _, r := range rules.All() {
			if r.ID != id {
				continue
			}
			fs := run(t, filepath.Join(examples, example), r)
			if got := strings.Join(fs[0].Links, " "); want == "" && got != "" || !strings.Contains(got, want) {
				t.Errorf("%s explains the links %q, want %q", example, got, want)
			}
		}
	}
}
