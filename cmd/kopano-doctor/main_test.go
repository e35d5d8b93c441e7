package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// asProgram makes the test binary behave as kopano-doctor, so that tests can
// run it as a process of its own.
const asProgram = "KOPANO_DOCTOR_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		os.Exit(Main(os.Args, os.Stdin, os.Stdout, os.Stderr, os.Environ()))
	}
	os.Exit(m.Run())
}

// call is one call of the program and what came of it.
type call struct {
	code           int
	stdout, stderr string
}

// run calls the program in this process. What runs on this machine's container
// engine, if it has one, is left out unless a test says otherwise.
func run(t *testing.T, env []string, args ...string) call {
	t.Helper()
	if len(args) > 0 && args[0] == "check" && !slices.Contains(args, "--engine") {
		args = slices.Insert(slices.Clone(args), 1, "--engine", "none")
	}
	var stdout, stderr bytes.Buffer
	code := Main(append([]string{"kopano-doctor"}, args...), strings.NewReader(""), &stdout, &stderr, env)
	return call{code, stdout.String(), stderr.String()}
}

// folder writes a deployment into a folder of its own.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// harmless is a deployment that nothing can be said about.
func harmless(t *testing.T) string {
	return folder(t, map[string]string{"compose.yaml": "name: harmless\nservices:\n  hello:\n    image: hello-world\n"})
}

func TestUsage(t *testing.T) {
	good := harmless(t)
	file := filepath.Join(good, "compose.yaml")
	for _, c := range []struct {
		args []string
		says string // on standard error
	}{
		{nil, "a command is missing"},
		{[]string{"chekc"}, `there is no command "chekc"`},
		{[]string{"--bogus"}, "there is no flag --bogus"},
		{[]string{"check", "--bogus", good}, "there is no flag --bogus"},
		{[]string{"check", good, "--bogus"}, "there is no flag --bogus"},
		{[]string{"check", good, "elsewhere"}, "only one folder"},
		{[]string{"check", "--format", "xml", good}, "choose one of text, json"},
		{[]string{"check", "--format", "", good}, "choose one of text, json"},
		{[]string{"check", good, "--format"}, "a value is missing after --format"},
		{[]string{"check", "--fail-on", "fatal", good}, "choose one of error, warning, info, never"},
		{[]string{"check", "--color", "sometimes", good}, "choose one of auto, always, never"},
		{[]string{"check", "--from", "moon", good}, "choose one of auto, container, helper, host"},
		{[]string{"check", "--resolve", "db=127.0.0.1", good}, "--resolve db=127.0.0.1"},
		{[]string{"check", "--resolve", "db:3306", good}, `there is no "="`},
		{[]string{"check", "--timeout", "5", good}, "write a number with its unit"},
		{[]string{"check", "--timeout", "0s", good}, "more than 0"},
		{[]string{"check", "--deadline", "-1s", good}, "more than 0"},
		{[]string{"check", file}, "is a file; give its folder"},
		{[]string{"check", filepath.Join(good, "nowhere")}, "no such file or directory"},
		{[]string{"check", "-f", "-", good}, "standard input"},
		{[]string{"check", t.TempDir()}, "no deployment to look at"},
		{[]string{"check", "--output", filepath.Join(good, "no", "x"), good}, "does not exist"},
		{[]string{"check", "--output", good, good}, "is a folder"},
		{[]string{"check", "--output=", good}, "the name of the file is missing"},
		{[]string{"rules", "no-such-rule"}, "there is no rule"},
		{[]string{"rules", "unset-variable", "no-such-rule"}, "there is no rule"},
		{[]string{"rules", "unset-variabel"}, `did you mean "unset-variable"?`},
		{[]string{"rules", "--format", "json", "unset-variabel"}, `did you mean "unset-variable"?`},
		{[]string{"explain"}, "name a rule"},
		{[]string{"explain", "unset-variable", "no-such-rule"}, "there is no rule"},
		{[]string{"explain", "unset-variabel"}, `did you mean "unset-variable"?`},
		{[]string{"explain", "live-ldap-refusd"}, `did you mean "live-ldap-refused"?`},
		{[]string{"explain", "virtual-transport"}, "there are mail-virtual-transport"},
		{[]string{"explain", ""}, "there is no rule"},
		{[]string{"version", "x"}, "takes no argument"},
	} {
		got := run(t, nil, c.args...)
		if got.code != doctor.ExitUsage || !strings.Contains(got.stderr, c.says) {
			t.Errorf("%q: exit %d, want 2 and %q on standard error:\n%s", c.args, got.code, c.says, got.stderr)
		}
		if got.stdout != "" {
			t.Errorf("%q writes to standard output: %s", c.args, got.stdout)
		}
	}
}

func TestHelpAndVersionGoToStandardOutput(t *testing.T) {
	for _, args := range [][]string{
		{"--help"}, {"-h"}, {"check", "--help"}, {"check", "-h"}, {"rules", "--help"}, {"version", "--help"}, {"init", "--help"},
		{"version"}, {"--version"}, {"-v"}, {"rules"}, {"rules", "unset-variable"}, {"explain", "--help"},
		{"explain", "[unset-variable]", "live-ldap", "internal-error"},
	} {
		got := run(t, nil, args...)
		if got.code != 0 || got.stderr != "" || got.stdout == "" {
			t.Errorf("%q: exit %d, standard output %q, standard error %q", args, got.code, got.stdout, got.stderr)
		}
		for _, line := range strings.Split(got.stdout, "\n") {
			if utf8.RuneCountInString(line) > 80 {
				t.Errorf("%q: a line of %d columns: %s", args, len(line), line)
			}
		}
	}
	if got := run(t, nil, "version").stdout; !strings.HasPrefix(got, "kopano-doctor version ") || got != run(t, nil, "--version").stdout {
		t.Errorf("version says %q and --version %q", got, run(t, nil, "--version").stdout)
	}
}

func TestHelpNamesEveryFlagOfTheContract(t *testing.T) {
	help := run(t, nil, "check", "--help").stdout
	for _, flag := range []string{
		"--offline", "--format text|json", "--output FILE", "--fail-on error|warning|info|never", "--resolve NAME:PORT=ADDR:PORT",
		"--from auto|container|helper|host", "--helper-image IMAGE", "--engine ADDRESS", "--timeout TIME", "--deadline TIME", "-f, --file FILE", "--env-file FILE", "--profile NAME",
		"-p, --project-name NAME", "--color auto|always|never", "--config FILE", "--no-config", "--baseline FILE", "--write-baseline FILE", "--no-inline-ignores", "(default: 5s)", "(default: 1m)",
	} {
		if !strings.Contains(help, flag) {
			t.Errorf("the help of check says nothing of %s", flag)
		}
	}
}

func TestFlagsMayFollowTheFolder(t *testing.T) {
	dir := harmless(t)
	for _, args := range [][]string{
		{"check", dir, "--offline", "--format", "json"},
		{"check", "--offline", dir, "--format=json"},
		{"check", "--format", "json", "--offline", "--", dir},
		{"check", dir, "--format", "json", "--offline", "-p", "harmless"},
	} {
		got := run(t, nil, args...)
		var r report.Report
		if err := json.Unmarshal([]byte(got.stdout), &r); err != nil || got.code != 0 || r.Deployment.Directory != dir {
			t.Errorf("%q: exit %d, %v, folder %q\n%s", args, got.code, err, r.Deployment.Directory, got.stderr)
		}
	}
}

func TestFolderNamedLikeAFlagOrCommand(t *testing.T) {
	for _, name := range []string{"help", "h", "offline", "-odd"} {
		parent := t.TempDir()
		dir := filepath.Join(parent, name)
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, "compose.yaml"), []byte("services: {a: {image: b}}\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		t.Chdir(parent)
		if got := run(t, nil, "check", "--offline", "--", name); got.code != 0 || !strings.Contains(got.stdout, dir) {
			t.Errorf("folder %s: exit %d\n%s%s", name, got.code, got.stdout, got.stderr)
		}
	}
}

func TestFolderDefaultsToTheCurrentOne(t *testing.T) {
	dir := harmless(t)
	t.Chdir(dir)
	if got := run(t, nil, "check", "--offline"); got.code != 0 || !strings.Contains(strings.ReplaceAll(got.stdout, "\n", " "), "project harmless in "+dir) {
		t.Errorf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestFilesAreFoundHereOrInTheFolder(t *testing.T) {
	dir := harmless(t)
	text := []byte("name: other\nservices: {a: {image: hello-world}}\n")
	if err := os.WriteFile(filepath.Join(dir, "other.yaml"), text, 0o644); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(dir))
	for _, c := range []struct {
		args []string
		note bool
	}{
		{[]string{"-f", "other.yaml", dir}, false},
		{[]string{"-f", filepath.Join(filepath.Base(dir), "other.yaml"), dir}, false},
		{[]string{"--file=" + filepath.Join(dir, "other.yaml"), dir}, false},
		{[]string{"-f", filepath.Join(dir, "other.yaml")}, true},
	} {
		got := run(t, nil, append([]string{"check", "--offline"}, c.args...)...)
		if got.code != 0 || !strings.Contains(got.stdout, "project other in") || (got.stderr != "") != c.note {
			t.Errorf("%q: exit %d\n%s%s", c.args, got.code, got.stdout, got.stderr)
		}
	}
}

// fixedRun calls the program with all rules and a clock that stands still.
func fixedRun(t *testing.T, args ...string) (int, string) {
	t.Helper()
	var stdout, stderr bytes.Buffer
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	p := &program{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, env: []string{"LANG=C.UTF-8"},
		rules: rules.All(), vantage: doctor.From, now: func() time.Time { return now },
	}
	code := p.run(append([]string{"kopano-doctor"}, args...))
	return code, stdout.String() + stderr.String()
}
