package report_test

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func TestJoinOfOneInItsOwnFolderIsTheSame(t *testing.T) {
	r := sample()
	r.Deployment.Directory = t.TempDir()
	got := report.Join(r.Tool, r.Deployment.Directory, r.Deployment.InRepository, r.ExitCode, []*report.Report{r})
	got.Engine, got.DurationMS = r.Engine, r.DurationMS
	var want, have bytes.Buffer
	if err := report.JSON(&want, r); err != nil {
		t.Fatal(err)
	}
	if err := report.JSON(&have, got); err != nil {
		t.Fatal(err)
	}
	if w, h := words(want.String()), words(have.String()); w != h {
		t.Errorf("a report became another one:\n%s\nwas\n%s", h, w)
	}
}

// words takes out what Join rewrites to the same meaning: the settings' path,
// which is written shorter.
func words(s string) string {
	lines := strings.Split(s, "\n")
	for i, l := range lines {
		if strings.HasPrefix(strings.TrimSpace(l), `"config":`) {
			lines[i] = ""
		}
	}
	return strings.Join(lines, "\n")
}

func TestJoinTellsDeploymentsApart(t *testing.T) {
	base := t.TempDir()
	a, b := sample(), sample()
	a.Deployment.Directory, b.Deployment.Directory = filepath.Join(base, "a"), filepath.Join(base, "b")
	a.FailOn, b.FailOn = "never", "warning"
	all := report.Join(a.Tool, base, "", 2, []*report.Report{a, b})
	if all.FailOn != "warning" || all.ExitCode != 2 {
		t.Errorf("fail-on %s, exit code %d", all.FailOn, all.ExitCode)
	}
	if all.Summary.Errors != 2*a.Summary.Errors || len(all.Findings) != 2*len(a.Findings) || len(all.Links) != 2*len(a.Links) {
		t.Errorf("something is lost: %+v", all.Summary)
	}
	prints := map[string]bool{}
	for _, f := range all.Findings {
		if prints[f.Fingerprint] {
			t.Errorf("the fingerprint of %s is there twice", f.ID)
		}
		prints[f.Fingerprint] = true
	}
	for _, f := range all.Findings {
		if f.Cause != nil && !prints[*f.Cause] {
			t.Errorf("the cause of %s got lost", f.ID)
		}
	}
	ids := map[string]bool{}
	for _, l := range all.Links {
		if ids[l.ID] {
			t.Errorf("the link %s is there twice", l.ID)
		}
		ids[l.ID] = true
		for _, f := range l.Findings {
			if !prints[f] {
				t.Errorf("the finding %s of the link %s got lost", f, l.ID)
			}
		}
	}
	if a.Findings[0].Subject == all.Findings[0].Subject || sample().Findings[0].Subject != a.Findings[0].Subject {
		t.Error("the subject has no folder, or the report that was given is changed")
	}
	for _, f := range report.Formats() {
		if err := report.Write(&bytes.Buffer{}, all, f, report.TextOptions{}); err != nil {
			t.Errorf("%s: %v", f, err)
		}
	}
}
