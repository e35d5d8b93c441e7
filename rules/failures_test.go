package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

const (
	failuresPage    = "../docs/failures.md"
	failuresFolder  = "../testdata/failures"
	failuresCured   = "-cured" // behind the name of an example's folder
	failuresCounted = 75
)

// failure is an entry of docs/failures.md: a mistake that a real person made,
// in a deployment that is sound otherwise.
type failure struct {
	row    int
	rule   string
	page   string // where the table links the rule to
	folder string
	file   string // where the finding must point first
	line   int    // 0 for a file that lacks a line
	says   string // part of what the finding tells people
}

var (
	failureRow  = regexp.MustCompile(`^\| (\d+) \| ([^|]+) \| ([^|]+) \| (.+) \|$`)
	failureRule = regexp.MustCompile("^\\[`([a-z0-9-]+)`\\]\\(rules/([^)]+)\\) at \\[`([^/`]+)/([^:`]+)(?::(\\d+))?`\\]\\(\\.\\./testdata/failures/([^)]+)\\): `([^`]+)`$")
	failureLive = regexp.MustCompile("^live: \\[`([a-z0-9-]+)`\\]\\(checks\\.md#([^)]+)\\)")
)

// TestFailures finds every mistake of docs/failures.md at its line, says what
// to write, and is silent once it is mended.
func TestFailures(t *testing.T) {
	for _, f := range readFailures(t) {
		t.Run(f.folder+" "+f.rule, func(t *testing.T) {
			dir := filepath.Join(failuresFolder, f.folder)
			found := run(t, dir, rules.All()...)
			g := f.among(found)
			if g == nil {
				t.Fatalf("no finding %s at %s:%d; there is\n%s", f.rule, f.file, f.line, render(found))
			}
			if text := g.Message + " " + g.Remedy; !strings.Contains(text, f.says) {
				t.Errorf("the finding says %q, want %q in it", text, f.says)
			}
			checkCured(t, f, dir)
		})
	}
}

// among gives the finding of the failure's rule at its place.
func (f failure) among(found []finding.Finding) *finding.Finding {
	for i, g := range found {
		if at := g.First(); g.ID == f.rule && at.File == f.file && at.Line == f.line {
			return &found[i]
		}
	}
	return nil
}

// checkCured puts the cure over the example: its finding is gone, and nothing
// in the deployment is an error.
func checkCured(t *testing.T, f failure, dir string) {
	t.Helper()
	mended := copyOf(t, dir)
	cure, err := os.ReadDir(dir + failuresCured)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range cure {
		text, err := os.ReadFile(filepath.Join(dir+failuresCured, file.Name()))
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(mended, file.Name()), text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, g := range rules.Run(rules.All(), load(t, deployment.Options{Dir: mended, Environ: environ(t, mended)})) {
		if g.Severity == finding.Error || f.among([]finding.Finding{g}) != nil {
			t.Errorf("the cured deployment still has %s: %s", g.ID, render([]finding.Finding{g}))
		}
	}
}

// readFailures gives the entries of the table that a rule finds, and holds the
// table itself to its form.
func readFailures(t *testing.T) []failure {
	t.Helper()
	text, err := os.ReadFile(failuresPage)
	if err != nil {
		t.Fatal(err)
	}
	var all []failure
	rows := 0
	for line := range strings.Lines(string(text)) {
		m := failureRow.FindStringSubmatch(strings.TrimSpace(line))
		if m == nil {
			continue
		}
		rows++
		if m[1] != strconv.Itoa(rows) {
			t.Fatalf("row %d of the table has the number %s", rows, m[1])
		}
		all = append(all, readEntries(t, rows, m[4])...)
	}
	if rows != failuresCounted {
		t.Fatalf("the table has %d rows, want %d", rows, failuresCounted)
	}
	return all
}

func readEntries(t *testing.T, row int, cell string) []failure {
	t.Helper()
	var all []failure
	for _, entry := range strings.Split(cell, "<br>") {
		if m := failureRule.FindStringSubmatch(entry); m != nil {
			f := failure{row: row, rule: m[1], page: m[2], folder: m[3], file: m[4], says: m[7]}
			link := f.folder + "/" + f.file
			if m[5] != "" {
				f.line, _ = strconv.Atoi(m[5])
				link += "#L" + m[5]
			}
			if m[6] != link {
				t.Errorf("row %d shows %s and links to %s", row, link, m[6])
			}
			all = append(all, f)
			continue
		}
		isLive := failureLive.MatchString(entry)
		isNot := strings.HasPrefix(entry, "not visible in files: ") || strings.HasPrefix(entry, "not reported: ")
		if !isLive && !isNot {
			t.Errorf("row %d has an entry that says neither what finds it nor why nothing does: %q", row, entry)
		}
	}
	return all
}

// TestFailuresPage holds the links of the table and its folders together.
func TestFailuresPage(t *testing.T) {
	place := map[string]string{}
	for _, r := range rules.All() {
		place[r.ID] = rulebook.Page(r.Subject) + "#" + r.ID
	}
	named := map[string]bool{}
	for _, f := range readFailures(t) {
		if f.page != place[f.rule] {
			t.Errorf("row %d links %s to %s, want %s", f.row, f.rule, f.page, place[f.rule])
		}
		if number, _, _ := strings.Cut(f.folder, "-"); strings.TrimLeft(number, "0") != strconv.Itoa(f.row) {
			t.Errorf("row %d has the example %s", f.row, f.folder)
		}
		named[f.folder], named[f.folder+failuresCured] = true, true
	}
	for _, dir := range folders(t, failuresFolder) {
		if !named[filepath.Base(dir)] {
			t.Errorf("%s is not in the table", dir)
		}
	}
	checkLiveLinks(t)
}

// checkLiveLinks wants each reason in the section of the check that it links to.
func checkLiveLinks(t *testing.T) {
	t.Helper()
	text, err := os.ReadFile(failuresPage)
	if err != nil {
		t.Fatal(err)
	}
	checks, err := os.ReadFile("../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	sections := map[string]string{}
	for _, s := range strings.Split(string(checks), "\n## ")[1:] {
		title, body, _ := strings.Cut(s, "\n")
		sections[anchorOf(title)] = body
	}
	links := regexp.MustCompile(strings.TrimPrefix(failureLive.String(), "^")).FindAllStringSubmatch(string(text), -1)
	if len(links) == 0 {
		t.Error("no row names a live check")
	}
	for _, m := range links {
		if !strings.Contains(sections[m[2]], "| `"+m[1]+"` |") {
			t.Errorf("the check %s has no reason %s", m[2], m[1])
		}
	}
}

// anchorOf gives the anchor that a heading gets when the page is shown.
func anchorOf(title string) string {
	keep := regexp.MustCompile(`[^a-z0-9 _-]`).ReplaceAllString(strings.ToLower(title), "")
	return strings.ReplaceAll(keep, " ", "-")
}
