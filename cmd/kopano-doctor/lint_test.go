package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// tree writes files into a folder that looks like the top of a repository, and
// makes it the current one.
func tree(t *testing.T, files map[string]string) string {
	t.Helper()
	top := t.TempDir()
	if err := os.Mkdir(filepath.Join(top, ".git"), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		file := filepath.Join(top, name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(top)
	return top
}

// The rule link-host-unknown finds an error in it.
const brokenSite = `services:
  kopano_server:
    image: zokradonh/kopano_core:8.7.84
    env_file: [server.env]
    environment:
      SERVICE_TO_START: server
      KCCONF_LDAP_LDAP_URI: ldap://ldapp:389
  ldap:
    image: osixia/openldap:1.5.0
`

func sites(t *testing.T) string {
	return tree(t, map[string]string{
		"README.env":               "X=1\n",
		"b/docker-compose.yml":     brokenSite,
		"b/server.env":             "TZ=Europe/Berlin\n",
		"a/.env":                   "COMPOSE_FILE=../shared/base.yml:own.yml\nCOMPOSE_PATH_SEPARATOR=:\n",
		"a/own.yml":                "services:\n  hello:\n    environment:\n      TZ: UTC\n",
		"shared/base.yml":          "# what all sites of Kopano have\nservices:\n  hello:\n    image: hello-world:latest\n",
		"wiki/compose.yaml":        "services:\n  wiki:\n    image: nginx:1.29\n    env_file: [wiki.env]\n",
		"wiki/wiki.env":            "X=1\n",
		"c/compose.yaml":           "# beside Kopano\nservices:\n  hello:\n    image: hello-world:latest\n",
		"c/.kopano-doctor.yaml":    "fail-on: error\n",
		".hidden/compose.yaml":     brokenSite,
		"node_modules/compose.yml": brokenSite,
	})
}

// lintedBy gives the folders that a call of lint looked at, by the files that
// its report names.
func lintedBy(t *testing.T, got call) []string {
	t.Helper()
	var r report.Report
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatalf("%v\n%s\n%s", err, got.stdout, got.stderr)
	}
	var out []string
	for _, s := range r.Services {
		folder, _, _ := strings.Cut(s.Name, ": ")
		if !slices.Contains(out, folder) {
			out = append(out, folder)
		}
	}
	if r.ExitCode != got.code {
		t.Errorf("the report says exit code %d, the program %d", r.ExitCode, got.code)
	}
	return out
}

func TestLintFindsTheDeploymentsOfFiles(t *testing.T) {
	sites(t)
	for _, c := range []struct {
		name  string
		paths []string
		want  []string
		code  int
		says  string
	}{
		{"everything", nil, []string{"a", "b", "c"}, 1, "nothing in this deployment is of Kopano"},
		{"a folder", []string{"b"}, []string{"b"}, 1, ""},
		{"a folder that is not of Kopano, by its name", []string{"wiki"}, []string{"wiki"}, 0, ""},
		{"a compose file", []string{"b/docker-compose.yml"}, []string{"b"}, 1, ""},
		{"an env file", []string{"b/server.env"}, []string{"b"}, 1, ""},
		{"a .env", []string{"a/.env"}, []string{"a"}, 0, ""},
		{"a compose file of another folder", []string{"shared/base.yml"}, []string{"a"}, 0, ""},
		{"the settings", []string{"c/.kopano-doctor.yaml"}, []string{"c"}, 0, ""},
		{"each once, in order", []string{"b/server.env", "b", "a/own.yml", "b/docker-compose.yml"}, []string{"a", "b"}, 1, ""},
		{"a file of nobody", []string{"README.env"}, nil, 0, "no deployment loads this file"},
		{"a file of another deployment", []string{"wiki/wiki.env"}, nil, 0, "nothing in this deployment is of Kopano"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, nil, append([]string{"lint", "--format", "json"}, c.paths...)...)
			if folders := lintedBy(t, got); !slices.Equal(folders, c.want) || got.code != c.code {
				t.Errorf("looked at %q with exit code %d, want %q and %d\n%s", folders, got.code, c.want, c.code, got.stderr)
			}
			if !strings.Contains(got.stderr, c.says) || c.says == "" && got.stderr != "" {
				t.Errorf("standard error is %q, want %q", got.stderr, c.says)
			}
		})
	}
}

func TestLintEndsWithTheWorst(t *testing.T) {
	sites(t)
	for _, c := range []struct {
		args []string
		code int
	}{
		{[]string{"c", "a"}, 0},
		{[]string{"a", "b"}, 1},
		{[]string{"--fail-on", "never", "a", "b"}, 0},
		{[]string{"a", "nowhere"}, 2},
		{[]string{"a", "shared"}, 2}, // no deployment in it
		{[]string{"--report", "nonsense", "a"}, 2},
	} {
		if got := run(t, nil, append([]string{"lint"}, c.args...)...); got.code != c.code {
			t.Errorf("lint %q ends with %d, want %d\n%s", c.args, got.code, c.code, got.stderr)
		}
	}
}

// A deployment that cannot be looked at is told, and hides none of the others.
func TestLintGoesOnBehindABadDeployment(t *testing.T) {
	top := sites(t)
	if err := os.WriteFile(filepath.Join(top, "a", ".kopano-doctor.yaml"), []byte("fail-onn: error\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := run(t, nil, "lint", "--format", "json")
	if folders := lintedBy(t, got); got.code != 2 || !slices.Equal(folders, []string{"b", "c"}) {
		t.Errorf("looked at %q with exit code %d\n%s", folders, got.code, got.stderr)
	}
	if !strings.Contains(got.stderr, filepath.Join(top, "a")) || !strings.Contains(got.stderr, "fail-on was probably meant") {
		t.Errorf("standard error does not say which one and why: %s", got.stderr)
	}
}

// A compose file that Compose cannot read is a deployment all the same.
func TestLintLooksAtFilesThatComposeRefuses(t *testing.T) {
	top := sites(t)
	if err := os.WriteFile(filepath.Join(top, "b", "docker-compose.yml"), []byte("services:\n\tkopano_server:\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	got := run(t, nil, "lint", "b/docker-compose.yml")
	if got.code != 1 || !strings.Contains(got.stdout, "[yaml-syntax]") {
		t.Errorf("exit code %d\n%s\n%s", got.code, got.stdout, got.stderr)
	}
}

// In every format the files are named from the current folder, so that the code
// host and the editor find them.
func TestLintNamesFilesFromHere(t *testing.T) {
	sites(t)
	for _, f := range report.Formats() {
		got := run(t, nil, "lint", "--format", string(f))
		want := "b/docker-compose.yml"
		switch f {
		case report.FormatText:
			want = "3 deployments: 6 errors"
		case report.FormatPrometheus:
			want = `kopano_doctor_`
		}
		if got.code != 1 || !strings.Contains(got.stdout, want) {
			t.Errorf("%s: exit code %d, and %q is not in it:\n%s", f, got.code, want, got.stdout)
		}
	}
}

// What two deployments have in common must not make one finding of two.
func TestLintTellsEqualDeploymentsApart(t *testing.T) {
	tree(t, map[string]string{"x/compose.yml": brokenSite, "y/compose.yml": brokenSite, "compose/none": ""})
	var r report.Report
	got := run(t, nil, "lint", "--format", "json")
	if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, f := range r.Findings {
		if seen[f.Fingerprint] {
			t.Errorf("the fingerprint of %s on %s is there twice", f.ID, f.Subject)
		}
		seen[f.Fingerprint] = true
	}
	if len(r.Findings) < 2 || len(r.Findings)%2 != 0 || r.Summary.Errors+r.Summary.Warnings+r.Summary.Infos != len(r.Findings) {
		t.Errorf("%d findings, summary %+v", len(r.Findings), r.Summary)
	}
	again := run(t, nil, "lint", "--format", "json", "y", "x")
	if strip(again.stdout) != strip(got.stdout) {
		t.Error("the order of the arguments shows in the report")
	}
}

// strip takes the time out that a run took.
func strip(report string) string {
	lines := strings.Split(report, "\n")
	return strings.Join(slices.DeleteFunc(lines, func(l string) bool { return strings.Contains(l, `"duration_ms"`) }), "\n")
}

// The file that adds the doctor to a deployment must not be a fault itself.
func TestDoctorAsAServiceIsNoFinding(t *testing.T) {
	own, err := filepath.Abs("../../docker-compose.doctor.yml")
	if err != nil {
		t.Fatal(err)
	}
	top := tree(t, nil)
	full := filepath.Join(top, "site")
	if err := os.CopyFS(full, os.DirFS(filepath.Join(filepath.Dir(own), "testdata/deployments/full"))); err != nil {
		t.Fatal(err)
	}
	ids := func(args ...string) []string {
		var r report.Report
		got := run(t, []string{"PWD=" + full}, append([]string{"check", "--offline", "--format", "json"}, append(args, full)...)...)
		if err := json.Unmarshal([]byte(got.stdout), &r); err != nil {
			t.Fatalf("%v\n%s", err, got.stderr)
		}
		var out []string
		for _, f := range r.Findings {
			out = append(out, f.Fingerprint+" "+f.ID+" "+f.Subject+": "+f.Message)
		}
		return out
	}
	var files []string
	for _, name := range []string{"docker-compose.yml", "docker-compose.ports.yml", "docker-compose.db.yml", "docker-compose.ldap.yml", "docker-compose.mail.yml", "docker-compose.extras.yml"} {
		files = append(files, "-f", filepath.Join(full, name))
	}
	before := ids(files...)
	files = append(files, "-f", own)
	for _, more := range [][]string{nil, {"--profile", "doctor"}} {
		for _, f := range ids(append(files, more...)...) {
			if !slices.Contains(before, f) {
				t.Errorf("with %q there is a new finding: %s", more, f)
			}
		}
	}
}
