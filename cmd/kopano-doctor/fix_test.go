package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/rules"
)

// mendable is a deployment with things to repair, one of them a secret.
func mendable(t *testing.T) string {
	return folder(t, map[string]string{
		".env": "# comment\nMYSQL_PASSWORD=abc$defghijk\nINSECURE=true\n",
		"docker-compose.yml": "version: '3'\nservices:\n  kopano_server:\n    image: zokradonh/kopano_core:8.7.85\n    environment:\n" +
			"      - SERVICE_TO_START=server\n      - KCCONF_SERVER_MYSQL_PASSWORD=${MYSQL_PASSWORD}\n" +
			"      - KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY=${INSECURE}\n",
	})
}

func text(t *testing.T, dir, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func TestFix(t *testing.T) {
	dir := mendable(t)
	env, compose := text(t, dir, ".env"), text(t, dir, "docker-compose.yml")

	for _, args := range [][]string{{"fix", dir}, {"fix", "--dry-run", dir}, {"fix", dir, "--dry-run"}} {
		got := run(t, nil, args...)
		if got.code != 1 || text(t, dir, ".env") != env || text(t, dir, "docker-compose.yml") != compose {
			t.Fatalf("%q: exit %d, or a file changed", args, got.code)
		}
		for _, want := range []string{"--- a/.env\n+++ b/.env\n", "-INSECURE=true\n", "+INSECURE=yes\n", "-version: '3'\n", "+MYSQL_PASSWORD='«hidden»'\n", " # comment\n"} {
			if !strings.Contains(got.stdout, want) {
				t.Errorf("%q: no %q in\n%s", args, want, got.stdout)
			}
		}
		for _, want := range []string{"cures insecure-value (.env:3:10)\n", "cures env-file-dollar", "2 files would change; nothing is written without --write\n"} {
			if !strings.Contains(got.stderr, want) {
				t.Errorf("%q: no %q in\n%s", args, want, got.stderr)
			}
		}
		if strings.Contains(got.stdout+got.stderr, "defghijk") {
			t.Errorf("%q shows a password:\n%s%s", args, got.stdout, got.stderr)
		}
	}

	got := run(t, nil, "fix", "--write", dir)
	if got.code != 0 || !strings.Contains(got.stderr, ".env is changed; what it was is in .env.bak-kopano-doctor\n") {
		t.Errorf("exit %d\n%s", got.code, got.stderr)
	}
	if want := "# comment\nMYSQL_PASSWORD='abc$defghijk'\nINSECURE=yes\n"; text(t, dir, ".env") != want {
		t.Errorf(".env is\n%s", text(t, dir, ".env"))
	}
	if text(t, dir, "docker-compose.yml") != strings.TrimPrefix(compose, "version: '3'\n") {
		t.Errorf("docker-compose.yml is\n%s", text(t, dir, "docker-compose.yml"))
	}
	if text(t, dir, ".env.bak-kopano-doctor") != env {
		t.Error("the backup is not the old file")
	}
	if got := run(t, nil, "fix", "--write", dir); got.code != 0 || got.stdout != "" || !strings.Contains(got.stderr, "nothing to repair") {
		t.Errorf("second run: exit %d\n%s%s", got.code, got.stdout, got.stderr)
	}
}

func TestFixOneRule(t *testing.T) {
	dir := mendable(t)
	if got := run(t, nil, "fix", "--write", "--rule", "insecure-value", "--rule", "compose-version-obsolete", dir); got.code != 0 {
		t.Errorf("exit %d\n%s", got.code, got.stderr)
	}
	if got := text(t, dir, ".env"); got != "# comment\nMYSQL_PASSWORD=abc$defghijk\nINSECURE=yes\n" {
		t.Errorf(".env is\n%s", got)
	}
}

// TestFixLeavesSuppressedAlone wants what is accepted in a comment, in the
// settings or in a baseline left as it is.
func TestFixLeavesSuppressedAlone(t *testing.T) {
	for name, prepare := range map[string]func(dir string) []string{
		"comment": func(dir string) []string {
			env := "# comment\nMYSQL_PASSWORD=abc$defghijk\n# kopano-doctor: ignore=insecure-value because the tests say so\nINSECURE=true\n"
			if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(env), 0o644); err != nil {
				t.Fatal(err)
			}
			return nil
		},
		"settings": func(dir string) []string {
			if err := os.WriteFile(filepath.Join(dir, ".kopano-doctor.yaml"), []byte("severity:\n  insecure-value: off\n"), 0o644); err != nil {
				t.Fatal(err)
			}
			return nil
		},
		"baseline": func(dir string) []string {
			file := filepath.Join(dir, "baseline.json")
			if got := run(t, nil, "check", "--offline", "--write-baseline", file, dir); got.code != 0 {
				t.Fatalf("no baseline: %s", got.stderr)
			}
			return []string{"--baseline", file}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := mendable(t)
			got := run(t, nil, append([]string{"fix", "--rule", "insecure-value", dir}, prepare(dir)...)...)
			if got.code != 0 || got.stdout != "" {
				t.Errorf("exit %d\n%s%s", got.code, got.stdout, got.stderr)
			}
		})
	}
}

func TestFixUsage(t *testing.T) {
	good := mendable(t)
	for _, c := range []struct {
		args []string
		says string
	}{
		{[]string{"fix", "--write", "--dry-run", good}, "contradict"},
		{[]string{"fix", good, good}, "only one folder"},
		{[]string{"fix", "--rule", "insecure-vale", good}, `did you mean "insecure-value"?`},
		{[]string{"fix", "--rule", "weak-password", good}, "more than one answer"},
		{[]string{"fix", "--rule", "qqqqqqqqqq", good}, "there is no rule"},
		{[]string{"fix", "--bogus", good}, "there is no flag --bogus"},
		{[]string{"fix", filepath.Join(good, "none")}, "cannot be read"},
		{[]string{"fix", filepath.Join(good, ".env")}, "is a file"},
		{[]string{"fix", t.TempDir()}, "no deployment to repair"},
		{[]string{"fix", "--no-config", "--config", "x", good}, "contradict"},
	} {
		got := run(t, nil, c.args...)
		if got.code != 2 || !strings.Contains(got.stderr, c.says) || got.stdout != "" {
			t.Errorf("%q: exit %d\n%s%s", c.args[1:], got.code, got.stdout, got.stderr)
		}
		if strings.Contains(got.stderr, "check --help") {
			t.Errorf("%q sends people to the help of check:\n%s", c.args[1:], got.stderr)
		}
	}
}

// TestFixCannotWrite wants exit 3 where a file stays as it is.
func TestFixCannotWrite(t *testing.T) {
	dir := mendable(t)
	file := filepath.Join(dir, "wrong.yml")
	// The missing env file lies in a folder that does not exist.
	if err := os.WriteFile(file, []byte("services:\n  a:\n    image: x:1\n    env_file: no/where.env\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := run(t, nil, "fix", "--write", "-f", file, dir)
	if got.code != 3 || !strings.Contains(got.stderr, "the folder of no/where.env does not exist") {
		t.Errorf("exit %d\n%s", got.code, got.stderr)
	}
	if got := run(t, nil, "fix", "-f", file, dir); got.code != 3 {
		t.Errorf("dry run: exit %d\n%s", got.code, got.stderr)
	}
}

// TestFixLeavesNoCopy wants the copy that changes are tried on gone, after an interruption too.
func TestFixLeavesNoCopy(t *testing.T) {
	temp := t.TempDir()
	t.Setenv("TMPDIR", temp)
	run(t, nil, "fix", mendable(t))
	if entries, err := os.ReadDir(temp); err != nil || len(entries) > 0 {
		t.Errorf("%v is left: %v", entries, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	cmd := exec.CommandContext(ctx, os.Args[0], "fix", mendable(t))
	cmd.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+temp)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	time.Sleep(50 * time.Millisecond)
	_ = cmd.Process.Signal(os.Interrupt)
	_ = cmd.Wait()
	if entries, err := os.ReadDir(temp); err != nil || len(entries) > 0 {
		t.Errorf("after an interruption %v is left: %v", entries, err)
	}
}

func TestFixableRulesAreMarked(t *testing.T) {
	list := run(t, nil, "rules").stdout
	n := 0
	for _, r := range rules.All() {
		marked := strings.Contains(list, "  "+r.ID+" ("+r.Severity.String()+", fix)\n")
		if marked != r.Fixable {
			t.Errorf("%s: marked %v, can repair %v", r.ID, marked, r.Fixable)
		}
		if r.Fixable {
			n++
		}
		if one := run(t, nil, "rules", r.ID).stdout; strings.Contains(strings.Join(strings.Fields(one), " "), "kopano-doctor fix --rule "+r.ID) != r.Fixable {
			t.Errorf("%s: the explanation is\n%s", r.ID, one)
		}
	}
	if n < 25 {
		t.Errorf("%d rules can repair, want at least 25", n)
	}
	if !slices.ContainsFunc(rules.All(), func(r rules.Rule) bool { return !r.Fixable }) {
		t.Error("every rule claims to repair")
	}
}
