package doctor_test

import (
	"cmp"
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/fix"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// TestEditsOfTheReportAreThoseOfFix makes the changes that a report offers in
// lines and characters, as an editor would, on every bad example of a rule that
// can repair, and compares with what `fix` makes of the bytes.
func TestEditsOfTheReportAreThoseOfFix(t *testing.T) {
	made, hidden := 0, 0
	for _, r := range rules.All() {
		if !r.Fixable {
			continue
		}
		dirs, err := filepath.Glob(filepath.Join("../../testdata/rules", r.ID, "bad*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, dir := range dirs {
			d := loadExample(t, dir)
			top := kopano.Recognise(d)
			found := finding.Seal(rules.Run([]rules.Rule{r}, &rules.Input{Deployment: d, Topology: top}))
			rep := report.Build(report.Facts{Topology: top, Case: diagnosis.Case{Findings: found}})
			for i, f := range found {
				got := rep.Findings[i].Edits
				if len(f.Edits) == 0 && len(got) > 0 {
					t.Errorf("%s: the report has edits that the finding has not", dir)
				}
				if len(got) == 0 {
					hidden += min(len(f.Edits), 1)
					continue
				}
				made++
				compareEdits(t, d, f.Edits, got)
			}
		}
	}
	if made < 25 || hidden == 0 {
		t.Errorf("%d findings with edits in the report, %d whose edits are kept back; both should be there", made, hidden)
	}
}

func loadExample(t *testing.T, dir string) *deployment.Deployment {
	t.Helper()
	var environ []string
	if text, err := os.ReadFile(filepath.Join(dir, rulebook.Process)); err == nil {
		environ = strings.Fields(string(text))
	}
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: dir, Environ: environ})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func compareEdits(t *testing.T, d *deployment.Deployment, edits []finding.Edit, shown []report.Edit) {
	t.Helper()
	byFile, shownByFile := map[string][]finding.Edit{}, map[string][]report.Edit{}
	for _, e := range edits {
		byFile[e.File] = append(byFile[e.File], e)
	}
	for _, e := range shown {
		shownByFile[e.File] = append(shownByFile[e.File], e)
	}
	for file, es := range byFile {
		if es[0].Create {
			continue
		}
		text, _ := d.FileText(file)
		want, err := fix.Apply(text.Reveal(), es)
		if err != nil {
			t.Fatal(err)
		}
		if got := asEditor(text.Reveal(), shownByFile[file]); got != want {
			t.Errorf("%s %s: by lines and characters it becomes\n%s\nand by bytes\n%s", d.Dir, file, got, want)
		}
	}
}

// asEditor makes the edits by lines and characters, the last one first.
func asEditor(text string, edits []report.Edit) string {
	edits = slices.Clone(edits)
	slices.SortStableFunc(edits, func(a, b report.Edit) int {
		return -cmp.Or(cmp.Compare(a.StartLine, b.StartLine), cmp.Compare(a.StartChar, b.StartChar))
	})
	for i, e := range edits {
		if i > 0 && e == edits[i-1] {
			continue
		}
		start, end := offset(text, e.StartLine, e.StartChar), offset(text, e.EndLine, e.EndChar)
		text = text[:start] + e.New + text[end:]
	}
	return text
}

func offset(text string, line, char int) int {
	at := 0
	for ; line > 1; line-- {
		at += strings.IndexByte(text[at:], '\n') + 1
	}
	if at == 0 && strings.HasPrefix(text, "\ufeff") {
		at = len("\ufeff")
	}
	return at + len(string([]rune(text[at:])[:char-1]))
}

func TestReportsNameFilesFromTheTopOfTheRepository(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "deploy", "mail")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "docker-compose.yml"), []byte("services: {a: {image: b}}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	in := func() string {
		out, err := doctor.Check(t.Context(), doctor.Options{Deployment: deployment.Options{Dir: dir}, Offline: true})
		if err != nil {
			t.Fatal(err)
		}
		return out.Report.Deployment.InRepository
	}
	if got := in(); got != "" {
		t.Errorf("without a repository: %q", got)
	}
	if err := os.WriteFile(filepath.Join(top, ".git"), []byte("gitdir: elsewhere\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := in(); got != "deploy/mail" {
		t.Errorf("%q, want deploy/mail", got)
	}
}

// TestFindingsAreExplained looks for what the report knows of its IDs, of rules
// and of checks.
func TestFindingsAreExplained(t *testing.T) {
	out, err := doctor.Check(t.Context(), doctor.Options{Deployment: deployment.Options{Dir: "../../testdata/rules/link-host-unknown/bad"}, Offline: true, Rules: rules.All()})
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]report.Rule{}
	for _, r := range out.Report.Rules {
		known[r.ID] = r
	}
	for _, f := range out.Report.Findings {
		if r := known[f.ID]; r.Title == "" || r.Why == "" || !strings.HasPrefix(r.Page, "https://") || !strings.HasSuffix(r.Page, "#"+f.ID) {
			t.Errorf("%s: %+v", f.ID, r)
		}
	}
	if len(known) == 0 {
		t.Error("nothing was found")
	}
}
