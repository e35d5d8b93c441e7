package report_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

var update = flag.Bool("update", false, "write the golden files anew")

func render(t *testing.T, r *report.Report, f report.Format, o report.TextOptions) string {
	t.Helper()
	var b bytes.Buffer
	if err := report.Write(&b, r, f, o); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func TestGolden(t *testing.T) {
	for name, c := range map[string]struct {
		format report.Format
		text   report.TextOptions
	}{
		"sample.txt":       {report.FormatText, report.TextOptions{}},
		"sample.ascii.txt": {report.FormatText, report.TextOptions{ASCII: true}},
		"sample.color.txt": {report.FormatText, report.TextOptions{Color: true}},
		"sample.json":      {report.FormatJSON, report.TextOptions{}},

		"sample.md":             {report.FormatMarkdown, report.TextOptions{}},
		"sample.sarif":          {report.FormatSARIF, report.TextOptions{}},
		"sample.junit.xml":      {report.FormatJUnit, report.TextOptions{}},
		"sample.github.txt":     {report.FormatGitHub, report.TextOptions{}},
		"sample.gitlab.json":    {report.FormatGitLab, report.TextOptions{}},
		"sample.checkstyle.xml": {report.FormatCheckstyle, report.TextOptions{}},
		"sample.prom":           {report.FormatPrometheus, report.TextOptions{}},
	} {
		t.Run(name, func(t *testing.T) {
			got := render(t, sample(), c.format, c.text)
			file := filepath.Join("testdata", name)
			if *update {
				if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if got != string(want) {
				t.Errorf("the report is not that of %s (run with -update when it should be):\n%s", file, got)
			}
		})
	}
}

// jsonContract is what docs/json.md promises: every field, and its type.
const jsonContract = `{
 "schema": "", "tool": {"name": "", "version": ""},
 "deployment": {"directory": "", "project": "", "files": [""], "env_files": [""], "config": "", "in_repository": ""},
 "engine": {"name": "", "project": "", "containers": 0, "note": ""},
 "duration_ms": 0, "fail_on": "", "exit_code": 0,
 "findings": [{"id": "", "severity": "", "kind": "", "title": "", "message": "", "subject": "",
   "locations": [{"file": "", "line": 0, "column": 0, "role": "", "excerpt": ""}],
   "consequence": "", "remedy": "", "evidence": [{"service": "", "time": "", "age_seconds": 0, "line": "", "means": ""}], "cause": null, "fingerprint": ""}],
 "links": [{"id": "", "from": "", "to": "", "protocol": "", "address": "", "vantage": "", "status": "", "rung": "",
   "duration_ms": 0, "reason": "", "findings": [""], "message": "", "incomplete": false, "suppressed": false, "certificate_end": ""}],
 "suppressed": [{"id": "", "severity": "", "kind": "", "title": "", "message": "", "subject": "",
   "locations": [{"file": "", "line": 0, "column": 0, "role": "", "excerpt": ""}],
   "consequence": "", "remedy": "", "evidence": [{"service": "", "time": "", "age_seconds": 0, "line": "", "means": ""}], "cause": null, "fingerprint": "", "by": "", "reason": "", "until": ""}],
 "services": [{"name": "", "role": "", "image": ""}],
 "summary": {"errors": 0, "warnings": 0, "infos": 0, "suppressed": 0, "links_ok": 0, "links_broken": 0, "links_unchecked": 0,
   "links_suppressed": 0}
}`

func TestJSONHasTheFieldsOfTheContract(t *testing.T) {
	var want, got any
	if err := json.Unmarshal([]byte(jsonContract), &want); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(render(t, sample(), report.FormatJSON, report.TextOptions{})), &got); err != nil {
		t.Fatal(err)
	}
	sameShape(t, "report", want, got)
}

// sameShape compares keys and types; every element of a list has the shape of
// the one in the contract. null in the contract stands for a string or null.
func sameShape(t *testing.T, path string, want, got any) {
	t.Helper()
	switch w := want.(type) {
	case map[string]any:
		g, ok := got.(map[string]any)
		if !ok {
			t.Errorf("%s is %T, want an object", path, got)
			return
		}
		for k := range w {
			if _, ok := g[k]; !ok {
				t.Errorf("%s.%s is missing", path, k)
				continue
			}
			sameShape(t, path+"."+k, w[k], g[k])
		}
		for k := range g {
			if _, ok := w[k]; !ok {
				t.Errorf("%s.%s is not in the contract", path, k)
			}
		}
	case []any:
		g, ok := got.([]any)
		if !ok {
			t.Errorf("%s is %T, want a list", path, got)
			return
		}
		for i := range g {
			sameShape(t, path+"[]", w[0], g[i])
		}
	case string:
		if _, ok := got.(string); !ok {
			t.Errorf("%s is %T, want a string", path, got)
		}
	case bool:
		if _, ok := got.(bool); !ok {
			t.Errorf("%s is %T, want true or false", path, got)
		}
	case float64:
		if n, ok := got.(float64); !ok || n != float64(int64(n)) {
			t.Errorf("%s is %v, want a whole number", path, got)
		}
	case nil:
		if _, ok := got.(string); !ok && got != nil {
			t.Errorf("%s is %T, want a string or null", path, got)
		}
	}
}

func TestTextFitsEightyColumns(t *testing.T) {
	r := sample()
	r.Findings[0].Locations[0].Excerpt = strings.Repeat("é", 300) + "日本語" + strings.Repeat("x", 300)
	r.Findings[0].Locations[0].Column = 200
	r.Findings[0].Message = strings.Repeat("日本 語の ", 60)
	r.Findings[0].Locations[1].File = strings.Repeat("folder/", 8) + "file.yml"
	c := runewidth.Condition{StrictEmojiNeutral: true}
	text := render(t, r, report.FormatText, report.TextOptions{}) + render(t, r, report.FormatText, report.TextOptions{ASCII: true})
	for _, line := range strings.Split(text, "\n") {
		if n := c.StringWidth(line); n > 80 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
}

func TestAWordThatIsTooLongStaysWhole(t *testing.T) {
	r := sample()
	long := "https://" + strings.Repeat("a", 100) + ".example.org/"
	r.Findings[0].Remedy = "Open " + long + " and look."
	if !strings.Contains(render(t, r, report.FormatText, report.TextOptions{}), long) {
		t.Error("a long address was cut, so that it cannot be copied")
	}
}

func TestNoEscapeCodesWithoutColour(t *testing.T) {
	for _, f := range report.Formats() {
		if out := render(t, sample(), f, report.TextOptions{}); strings.ContainsRune(out, '\x1b') {
			t.Errorf("%s has an escape code", f)
		}
	}
	coloured := render(t, sample(), report.FormatText, report.TextOptions{Color: true})
	plain := regexp.MustCompile("\x1b\\[[0-9;]*m").ReplaceAllString(coloured, "")
	if plain != render(t, sample(), report.FormatText, report.TextOptions{}) {
		t.Error("colours change more than colours")
	}
}

func TestASCIITextHasNoOtherSigns(t *testing.T) {
	out := render(t, sample(), report.FormatText, report.TextOptions{ASCII: true})
	for _, r := range strings.ReplaceAll(out, "«hidden»", "") {
		if r > 0x7e {
			t.Errorf("%q in the report for a terminal without UTF-8", r)
		}
	}
}

func TestCaretStandsUnderItsColumn(t *testing.T) {
	for _, c := range []struct {
		name, excerpt string
		column        int
		under         string // what stands above the caret
	}{
		{"plain", "MYSQL_PASSWORD=«hidden»", 16, "«"},
		{"after tabs", "\timage:\tkopano", 9, "k"},
		{"after wide letters", "日本=x", 8, "x"},
		{"far right", strings.Repeat("a ", 200) + "Z" + strings.Repeat(" b", 50), 401, "Z"},
		{"first", "x", 1, "x"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := sample()
			r.Findings = r.Findings[:1]
			r.Findings[0].Locations = []report.Location{{File: "f", Line: 3, Column: c.column, Role: "fix", Excerpt: c.excerpt}}
			lines := strings.Split(render(t, r, report.FormatText, report.TextOptions{}), "\n")
			for i, l := range lines {
				if strings.HasSuffix(l, "^") {
					if got := atCell(lines[i-1], cellsOf(l)-1); got != c.under {
						t.Errorf("the caret stands under %q, want %q:\n%s\n%s", got, c.under, lines[i-1], l)
					}
					return
				}
			}
			t.Error("there is no caret")
		})
	}
}

func cellsOf(s string) int {
	c := runewidth.Condition{StrictEmojiNeutral: true}
	return c.StringWidth(s)
}

func atCell(line string, cell int) string {
	for i, r := range line {
		if cellsOf(line[:i]) == cell {
			return string(r)
		}
	}
	return ""
}

func TestNoCaretWhereTheColumnIsNotKnown(t *testing.T) {
	r := sample()
	r.Findings = r.Findings[:1]
	for _, column := range []int{0, 99, -1} {
		r.Findings[0].Locations = []report.Location{{File: "f", Line: 3, Column: column, Excerpt: "short"}}
		if strings.Contains(render(t, r, report.FormatText, report.TextOptions{}), "^") {
			t.Errorf("a caret for column %d of 5", column)
		}
	}
}

func TestVerdict(t *testing.T) {
	link := func(status, reason string) report.Link { return report.Link{Status: status, Reason: reason} }
	accepted := report.Link{Status: "broken", Reason: "refused", Suppressed: true}
	for _, c := range []struct {
		severities []string
		links      []report.Link
		want       string
		suppressed int
	}{
		{nil, nil, "No error was found beside what is suppressed.", 2},
		{[]string{"warning"}, nil, "No error was found beside what is suppressed; the warnings above deserve a look.", 1},
		{nil, []report.Link{link("unchecked", "offline")}, "No error was found in the files beside what is suppressed; whether the links\nwork was not tried.", 1},
		{nil, nil, "No error was found.", 0},
		{nil, []report.Link{link("ok", "")}, "No error was found.", 0},
		{[]string{"warning"}, nil, "No error was found; the warnings above deserve a look.", 0},
		{[]string{"error"}, nil, "This deployment needs repair: start with the first error above.", 0},
		{nil, []report.Link{link("broken", "refused")}, "This deployment needs repair: see the broken links above.", 0},
		{nil, []report.Link{accepted}, "No error was found beside what is known and accepted: 1 broken link.", 0},
		{nil, []report.Link{accepted, link("broken", "refused")}, "This deployment needs repair: see the broken links above.", 0},
		{nil, []report.Link{accepted, link("unchecked", "no-route")}, "No error was found, but 1 link could not be checked: that is no clean bill of\nhealth.", 0},
		{nil, []report.Link{link("unchecked", "offline")}, "No error was found in the files; whether the links work was not tried.", 0},
		{nil, []report.Link{link("ok", ""), link("unchecked", "no-route")}, "No error was found, but 1 link could not be checked: that is no clean bill of\nhealth.", 0},
	} {
		r := &report.Report{Links: c.links}
		for _, s := range c.severities {
			r.Findings = append(r.Findings, report.Finding{Severity: s})
		}
		r.Summary = report.Summarise(r.Findings, r.Links)
		r.Summary.Suppressed = c.suppressed
		out := render(t, r, report.FormatText, report.TextOptions{})
		if !strings.HasSuffix(out, "\n"+c.want+"\n") {
			t.Errorf("%v %v: the report ends with another verdict than %q:\n%s", c.severities, c.links, c.want, out)
		}
	}
}

func TestVerboseShowsWhatProvedEachLink(t *testing.T) {
	for verbose, want := range map[bool]bool{true: true, false: false} {
		var out strings.Builder
		if err := report.Text(&out, sample(), report.TextOptions{Verbose: verbose}); err != nil {
			t.Fatal(err)
		}
		if got := strings.Contains(out.String(), "12 users found"); got != want {
			t.Errorf("verbose %v: %s", verbose, out.String())
		}
	}
}
