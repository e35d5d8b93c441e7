package fix_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/fix"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

func onDisk(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const service = "services:\n  kopano_server:\n    image: zokradonh/kopano_core:8.7.85\n    environment:\n"

func done(p *fix.Plan) string {
	var out []string
	for _, s := range p.Done {
		out = append(out, s.Finding.ID)
	}
	return strings.Join(out, " ")
}

// TestRounds cures what comes to light only after another change, and meets in one line.
func TestRounds(t *testing.T) {
	dir := onDisk(t, map[string]string{
		"docker-compose.yml": "version: '3'\n" + service +
			"      - SERVICE_TO_START=server\n      - KCCONF_LDAP_URI=\"dc1.example.com:389\"  # old\n" +
			"    volumes:\n      - kopanodata/:/kopano/data\nvolumes:\n  kopanodata:\n  left-over:\n",
	})
	p := repair(t, deployment.Options{Dir: dir})
	for _, id := range []string{"compose-undefined-volume", "kcconf-missing-repeated-prefix", "quotes-kept", "ldap-uri-syntax", "compose-version-obsolete", "unused-volume"} {
		if !strings.Contains(done(p), id) {
			t.Errorf("%s is not cured", id)
		}
	}
	want := service +
		"      - SERVICE_TO_START=server\n      - KCCONF_LDAP_LDAP_URI=ldap://dc1.example.com:389  # old\n" +
		"    volumes:\n      - kopanodata:/kopano/data\nvolumes:\n  kopanodata:\n"
	if len(p.Files) != 1 || p.Files[0].After != want {
		t.Fatalf("got\n%s\nwant\n%s", p.Files[0].After, want)
	}
	if len(p.Skipped) > 0 {
		t.Errorf("skipped %s: %s", p.Skipped[0].Finding.ID, p.Skipped[0].Reason)
	}
}

// TestWorseIsLeftOut wants a cure that breaks something else, or does not cure,
// to be left out, and the others that were tried with it to be made.
func TestWorseIsLeftOut(t *testing.T) {
	dir := onDisk(t, map[string]string{"docker-compose.yml": service + "      - A=bad\n      - B=bad\n      - C=bad\n      - D=bad\n"})
	word := func(key, better string) rules.Rule {
		return rules.Rule{ID: "rule-" + strings.ToLower(key), Severity: finding.Warning, Check: func(in *rules.Input) []finding.Finding {
			s, _ := in.Deployment.Service("kopano_server")
			v := s.Env[key]
			if v.Reveal() != "bad" {
				return nil
			}
			return []finding.Finding{{Subject: s.Name, Key: key, Message: key + " is bad.", Edits: in.Deployment.SetValue(v.At, "bad", better)}}
		}}
	}
	noB := rules.Rule{ID: "no-b", Severity: finding.Error, Check: func(in *rules.Input) []finding.Finding {
		s, _ := in.Deployment.Service("kopano_server")
		if v := s.Env["B"]; v.Reveal() == "good" {
			return []finding.Finding{{Subject: s.Name, Key: "B", Message: "B must not be good."}}
		}
		return nil
	}}
	// It says that D is bad and changes what is none of its business.
	meddler := rules.Rule{ID: "meddler", Severity: finding.Warning, Check: func(in *rules.Input) []finding.Finding {
		s, _ := in.Deployment.Service("kopano_server")
		if v := s.Env["D"]; v.Reveal() == "bad" {
			return []finding.Finding{{Subject: s.Name, Key: "D", Message: "D is bad.", Edits: in.Deployment.Delete(s.Env["C"].At)}}
		}
		return nil
	}}
	panics := rules.Rule{ID: "panics", Check: func(*rules.Input) []finding.Finding { panic("a fault") }}
	p, err := fix.Make(context.Background(), fix.Options{
		Deployment: deployment.Options{Dir: dir},
		Rules:      []rules.Rule{word("A", "good"), word("B", "good"), word("C", "good"), noB, meddler, panics},
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := done(p); got != "rule-a rule-c" {
		t.Errorf("cured: %s", got)
	}
	if want := service + "      - A=good\n      - B=bad\n      - C=good\n      - D=bad\n"; len(p.Files) != 1 || p.Files[0].After != want {
		t.Errorf("got\n%s", p.Files[0].After)
	}
	var skipped []string
	for _, s := range p.Skipped {
		skipped = append(skipped, s.Finding.ID+": "+s.Reason)
	}
	want := []string{"meddler: the change does not cure it", "rule-b: it would bring another error, no-b: B must not be good"}
	if !slices.Equal(skipped, want) {
		t.Errorf("left out: %q", skipped)
	}
}

// TestUndoing wants two rules that undo each other to come to an end.
func TestUndoing(t *testing.T) {
	dir := onDisk(t, map[string]string{"docker-compose.yml": service + "      - A=one\n"})
	turn := func(id, from, to string) rules.Rule {
		return rules.Rule{ID: id, Severity: finding.Warning, Check: func(in *rules.Input) []finding.Finding {
			s, _ := in.Deployment.Service("kopano_server")
			if v := s.Env["A"]; v.Reveal() == from {
				return []finding.Finding{{Subject: s.Name, Message: "A is " + from + ".", Edits: in.Deployment.SetValue(v.At, from, to)}}
			}
			return nil
		}}
	}
	p, err := fix.Make(context.Background(), fix.Options{
		Deployment: deployment.Options{Dir: dir}, Rules: []rules.Rule{turn("there", "one", "two"), turn("back", "two", "one")},
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(p.Skipped) != 1 {
		t.Errorf("%d findings left out, want one", len(p.Skipped))
	}
}

// TestOutside repairs files beside the folder that the configuration names, and
// leaves alone what is named by an absolute path once a trial would need it.
func TestOutside(t *testing.T) {
	root := onDisk(t, map[string]string{
		"common.yml":                "services:\n  base:\n    image: x:1\n    environment:\n      - A=\"b\"\n",
		"shared.env":                "P=\ufeff\r\nQ=1\r\n",
		"kopano/docker-compose.yml": "services:\n  app:\n    extends: {file: ../common.yml, service: base}\n    env_file:\n      - ../shared.env\n      - ../new.env\n",
	})
	before, err := deployment.Load(context.Background(), deployment.Options{Dir: filepath.Join(root, "kopano")})
	if err != nil || before.Accepted {
		t.Fatalf("%v, accepted %v", err, before.Accepted)
	}
	o := deployment.Options{Dir: filepath.Join(root, "kopano")}
	p := repair(t, o)
	var changed []string
	for _, f := range p.Files {
		changed = append(changed, f.Name)
	}
	if got := strings.Join(changed, " "); got != "../common.yml ../new.env ../shared.env" {
		t.Fatalf("changed: %s; left out: %+v", got, p.Skipped)
	}
	write(t, p)
	after, err := deployment.Load(context.Background(), o)
	if err != nil || !after.Accepted {
		t.Fatalf("Compose refuses it: %+v", after.Problems)
	}
	if s, _ := after.Service("app"); s.Env["A"].Reveal() != "b" {
		t.Errorf("A is %q", s.Env["A"].Reveal())
	}
}

// TestAbsolutePaths repairs a deployment whose files are named by absolute paths.
func TestAbsolutePaths(t *testing.T) {
	dir := onDisk(t, map[string]string{"a.yml": "version: '3'\n" + service + "      - A=\"b\"\n"})
	o := deployment.Options{Dir: dir, Files: []string{filepath.Join(dir, "a.yml")}}
	if p := repair(t, o); len(p.Files) != 1 || p.Files[0].Name != "a.yml" || p.Files[0].After != service+"      - A=b\n" {
		t.Errorf("-f: %+v", p.Files)
	}
	// COMPOSE_FILE is text to us, and leads past the copy: one change at a time cannot be tried.
	o = deployment.Options{Dir: dir, Environ: []string{"COMPOSE_FILE=" + filepath.Join(dir, "a.yml")}}
	p := repair(t, o)
	if len(p.Files) > 0 || len(p.Skipped) != 2 || !strings.Contains(p.Skipped[0].Reason, "absolute path") {
		t.Errorf("COMPOSE_FILE: %+v changed, %+v left out", p.Files, p.Skipped)
	}
}

// TestDiffHidesSecrets looks for passwords in diffs, and for them in the files that are written.
func TestDiffHidesSecrets(t *testing.T) {
	const password, other = "Xq7$wordVeryLong", "hunter2hunter2"
	dir := onDisk(t, map[string]string{
		".env":               "MYSQL_PASSWORD=" + password + "\nLDAP_BIND_PW=" + other + "\nINSECURE=true\n",
		"docker-compose.yml": service + "      - SERVICE_TO_START=server\n      - KCCONF_SERVER_MYSQL_PASSWORD=${MYSQL_PASSWORD}\n      - KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY=${INSECURE}\n      - NOTE=\"" + other + "\"\n",
	})
	p := repair(t, deployment.Options{Dir: dir})
	text := ""
	for _, f := range p.Files {
		text += f.Diff()
	}
	for _, s := range append(p.Done, p.Skipped...) {
		text += fmt.Sprintf("%+v %v %s", s, s.Finding.Edits, s.Reason)
	}
	for _, s := range []string{password, other, "Xq7"} {
		if strings.Contains(text, s) {
			t.Errorf("%q is shown:\n%s", s, text)
		}
	}
	for _, want := range []string{"-MYSQL_PASSWORD=«hidden»", "+MYSQL_PASSWORD='«hidden»'", "-INSECURE=true\n+INSECURE=yes\n", "--- a/.env\n+++ b/.env\n@@ -1,3 +1,3 @@\n"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in the diff:\n%s", want, text)
		}
	}
	write(t, p)
	if got := textsOf(t, dir)[".env"]; !strings.HasPrefix(got, "MYSQL_PASSWORD='"+password+"'\n") {
		t.Errorf(".env is %q", got)
	}
}

// TestDiffShows what cannot be seen: line ends, a byte order mark, escape sequences.
func TestDiffShows(t *testing.T) {
	dir := onDisk(t, map[string]string{
		".env":               "\ufeffA=1\r\n# \x1b[31mred\nB=2\r\nC=3",
		"docker-compose.yml": service + "      - A=${A}\n",
	})
	p := repair(t, deployment.Options{Dir: dir}, "env-file-line-ends")
	want := "--- a/.env\n+++ b/.env\n@@ -1,4 +1,4 @@\n-<BOM>A=1^M\n+A=1\n # \ufffd[31mred\n-B=2^M\n+B=2\n C=3\n\\ No newline at end of file\n"
	if got := p.Files[0].Diff(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	if p.Files[0].After != "A=1\n# \x1b[31mred\nB=2\nC=3" {
		t.Errorf("the file would be %q", p.Files[0].After)
	}
}

// TestRealDeployments repairs copies of all deployments at hand, and wants them
// to load as before, and a second run to have nothing to do.
func TestRealDeployments(t *testing.T) {
	dirs, err := filepath.Glob("../../testdata/deployments/*")
	if err != nil || len(dirs) == 0 {
		t.Fatalf("no deployments: %v", err)
	}
	if corpus := os.Getenv("KOPANO_DOCTOR_CORPUS"); corpus != "" {
		err := filepath.WalkDir(corpus, func(path string, e os.DirEntry, err error) error {
			if err == nil && (e.Name() == "docker-compose.yml" || e.Name() == "compose.yaml") {
				dirs = append(dirs, filepath.Dir(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	} else {
		t.Log("KOPANO_DOCTOR_CORPUS is not set: only the deployments of testdata are repaired")
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			dir := copyOf(t, dir)
			o := deployment.Options{Dir: dir, Environ: environ(t, dir)}
			before, err := deployment.Load(context.Background(), o)
			if err != nil {
				t.Skipf("not a deployment: %v", err)
			}
			texts := textsOf(t, dir)
			p := repair(t, o)
			if !maps.Equal(texts, textsOf(t, dir)) {
				t.Fatal("making the plan changed the files")
			}
			write(t, p)
			t.Logf("cured: %s", done(p))
			for _, s := range p.Skipped {
				t.Logf("left out: %s (%s): %s", s.Finding.ID, s.Finding.First(), s.Reason)
			}
			after, err := deployment.Load(context.Background(), o)
			if err != nil {
				t.Fatal(err)
			}
			sameOtherwise(t, dir, before, after, p)
			if again := repair(t, o); len(again.Files) > 0 {
				t.Errorf("a second run changes %s again:\n%s", again.Files[0].Name, again.Files[0].Diff())
			}
		})
	}
}

// TestCancelled ends with the context's error.
func TestCancelled(t *testing.T) {
	dir := onDisk(t, map[string]string{"docker-compose.yml": "version: '3'\n" + service + "      - A=1\n"})
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := fix.Make(ctx, fix.Options{Deployment: deployment.Options{Dir: dir}, Rules: rules.All()}); err == nil {
		t.Error("no error")
	}
}
