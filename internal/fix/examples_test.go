package fix_test

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/fix"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

const examples = "../../testdata/rules"

// TestExamples repairs a copy of every bad example with the rule it is for, and
// looks at what has become of it with the eyes of all rules and of Compose.
func TestExamples(t *testing.T) {
	fixable := 0
	for _, r := range rules.All() {
		if r.Fixable {
			fixable++
		}
		t.Run(r.ID, func(t *testing.T) {
			t.Parallel()
			dirs, err := filepath.Glob(filepath.Join(examples, r.ID, "bad*"))
			if err != nil {
				t.Fatal(err)
			}
			cured, clean := 0, 0
			for _, dir := range dirs {
				n, fresh := repairExample(t, r, dir)
				cured += n
				if n > 0 && fresh == 0 {
					clean++
				}
			}
			if r.Fixable != (cured > 0) {
				t.Errorf("Fixable is %v, and %d findings of %d bad examples can be repaired", r.Fixable, cured, len(dirs))
			}
			if cured > 0 && clean == 0 {
				t.Error("there is no bad example that has no other error once it is repaired")
			}
		})
	}
	if fixable < 25 {
		t.Errorf("%d rules can repair, want at least 25", fixable)
	}
}

// repairExample gives how many findings of the rule were cured, and how many
// errors of other rules have come to light.
func repairExample(t *testing.T, r rules.Rule, example string) (cured, fresh int) {
	dir := copyOf(t, example)
	o := deployment.Options{Dir: dir, Environ: environ(t, example)}
	before, found := examine(t, o)
	wanted := 0
	for _, f := range found {
		if f.ID == r.ID && len(f.Edits) > 0 {
			wanted++
		}
	}
	texts := textsOf(t, dir)
	plan := repair(t, o, r.ID)
	if wanted == 0 {
		if len(plan.Files) > 0 {
			t.Errorf("%s: files are changed without an edit", example)
		}
		return 0, 0
	}
	for _, s := range plan.Skipped {
		// An example may show no more than the setting at hand, and lack what its service needs with it.
		if !strings.HasPrefix(s.Reason, "it would bring another error") {
			t.Errorf("%s: the edit of %q was left out: %s", example, s.Finding.Message, s.Reason)
		}
	}
	if len(plan.Done) == 0 {
		return 0, 0
	}
	for _, s := range plan.Done {
		if s.Finding.ID != r.ID {
			t.Errorf("%s: %s was repaired too", example, s.Finding.ID)
		}
	}
	if now := textsOf(t, dir); !maps.Equal(now, texts) {
		t.Fatalf("%s: making the plan changed the files", example)
	}
	write(t, plan)
	after, left := examine(t, o)
	fresh = judge(t, example, r, found, left, plan.Skipped)
	sameOtherwise(t, example, before, after, plan)
	onlyEdited(t, example, found, texts, textsOf(t, dir), r.ID)
	if again := repair(t, o, r.ID); len(again.Files) > 0 {
		t.Errorf("%s: a second run changes %s again:\n%s", example, again.Files[0].Name, again.Files[0].Diff())
	}
	return len(plan.Done), fresh
}

func repair(t *testing.T, o deployment.Options, only ...string) *fix.Plan {
	t.Helper()
	p, err := fix.Make(context.Background(), fix.Options{Deployment: o, Rules: rules.All(), Only: only})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func write(t *testing.T, p *fix.Plan) {
	t.Helper()
	for _, w := range (fix.Writer{}).Write(context.Background(), p) {
		if w.Err != nil {
			t.Errorf("%s is not written: %v", w.File.Name, w.Err)
		}
	}
}

func examine(t *testing.T, o deployment.Options) (*deployment.Deployment, []finding.Finding) {
	t.Helper()
	d, err := deployment.Load(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d, finding.Seal(rules.Run(rules.All(), &rules.Input{Deployment: d, Topology: kopano.Recognise(d)}))
}

// judge wants the findings with edits gone, and not more errors than before. It
// gives how many errors were not there.
func judge(t *testing.T, example string, r rules.Rule, before, after []finding.Finding, skipped []fix.Step) (fresh int) {
	t.Helper()
	had := map[string]bool{}
	errors := 0
	for _, f := range before {
		had[f.Fingerprint] = true
		if f.Severity == finding.Error {
			errors++
		}
	}
	for _, f := range after {
		if f.ID == r.ID && len(f.Edits) > 0 && !slices.ContainsFunc(skipped, func(s fix.Step) bool { return s.Finding.Message == f.Message }) {
			t.Errorf("%s: the finding is still there: %s", example, f.Message)
		}
		if f.Severity == finding.Error && !had[f.Fingerprint] {
			fresh++
		}
		if f.Severity == finding.Error {
			errors--
		}
	}
	if errors < 0 {
		t.Errorf("%s: %d errors more than before", example, -errors)
	}
	return fresh
}

// sameOtherwise compares what Compose makes of the files: the same services, and
// the same of everything but what the edited lines are about.
func sameOtherwise(t *testing.T, example string, before, after *deployment.Deployment, p *fix.Plan) {
	t.Helper()
	if before.Accepted && !after.Accepted {
		t.Errorf("%s: Compose refuses it now", example)
	}
	changed := map[string]bool{}
	for _, f := range p.Files {
		for i, lines := range [][]string{strings.Split(f.Before, "\n"), strings.Split(f.After, "\n")} {
			other := strings.Split([]string{f.After, f.Before}[i], "\n")
			for _, l := range lines {
				if !slices.Contains(other, l) {
					changed[strings.TrimSpace(l)] = true
				}
			}
		}
	}
	concerns := func(word string) bool {
		for l := range changed {
			if word != "" && strings.Contains(l, word) {
				return true
			}
		}
		return false
	}
	if !before.Accepted {
		return // what is left of a refused deployment is a guess
	}
	for _, s := range before.Services {
		u, ok := after.Service(s.Name)
		if !ok {
			t.Errorf("%s: service %s is gone", example, s.Name)
			continue
		}
		for key, v := range s.Env {
			w, ok := u.Env[key]
			if ok && w.Reveal() == v.Reveal() {
				continue
			}
			name := key
			if len(v.Variables) > 0 {
				name = v.Variables[0].Name
			}
			if !concerns(key) && !concerns(name) {
				t.Errorf("%s: %s of %s changed", example, key, s.Name)
			}
		}
		x, y := s.ServiceConfig, u.ServiceConfig
		x.Environment, y.Environment = nil, nil
		for field, was := range fields(t, x) {
			now := fields(t, y)[field]
			if !reflect.DeepEqual(was, now) && !fieldMayChange(field, p) {
				t.Errorf("%s: %s of %s was %v, is %v", example, field, s.Name, was, now)
			}
		}
	}
	if len(after.Services) != len(before.Services) {
		t.Errorf("%s: %d services, %d before", example, len(after.Services), len(before.Services))
	}
}

// fieldMayChange says which rules' edits are about something else than the environment.
func fieldMayChange(field string, p *fix.Plan) bool {
	about := map[string][]string{
		"image":       {"mail-image-renamed"},
		"restart":     {"one-shot-restart"},
		"networks":    {"link-no-shared-network", "compose-undefined-network", "fqdncleaned-mismatch"},
		"volumes":     {"machine-id-legacy", "compose-undefined-volume", "mount-backslash"},
		"healthcheck": {"mariadb-client-renamed", "dollar-not-doubled"},
		"depends_on":  {"depends-end-of-daemon"},
		"command":     {"dollar-not-doubled"},
	}
	return slices.ContainsFunc(p.Done, func(s fix.Step) bool { return slices.Contains(about[field], s.Finding.ID) })
}

func fields(t *testing.T, v any) map[string]any {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]any{}
	if err := json.Unmarshal(data, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

// onlyEdited wants every byte outside of the edits to be as it was: with the
// bytes of the first round's edits cut out, the two texts are the same at both
// ends of the change.
func onlyEdited(t *testing.T, example string, found []finding.Finding, before, after map[string]string, id string) {
	t.Helper()
	edited := map[string][2]int{}
	for _, f := range found {
		if f.ID != id {
			continue
		}
		for _, e := range f.Edits {
			if old, ok := before[e.File]; ok {
				r, seen := edited[e.File]
				if !seen {
					r = [2]int{len(old), 0}
				}
				edited[e.File] = [2]int{min(r[0], e.Start), max(r[1], e.End)}
			}
		}
	}
	for name, old := range before {
		now := after[name]
		if now == old {
			continue
		}
		r, ok := edited[name]
		if !ok {
			t.Errorf("%s: %s changed without an edit", example, name)
			continue
		}
		if !strings.HasPrefix(now, old[:r[0]]) || !strings.HasSuffix(now, old[r[1]:]) {
			t.Errorf("%s: %s changed outside of the edit:\n%q\n%q", example, name, old, now)
		}
		if backup := after[name+".bak-kopano-doctor"]; backup != old {
			t.Errorf("%s: the backup of %s is %q", example, name, backup)
		}
	}
}

func copyOf(t *testing.T, dir string) string {
	t.Helper()
	to := filepath.Join(t.TempDir(), filepath.Base(dir))
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

func textsOf(t *testing.T, dir string) map[string]string {
	t.Helper()
	out := map[string]string{}
	err := filepath.WalkDir(dir, func(p string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		data, err := os.ReadFile(p)
		rel, _ := filepath.Rel(dir, p)
		out[filepath.ToSlash(rel)] = string(data)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func environ(t *testing.T, dir string) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "environ"))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}
