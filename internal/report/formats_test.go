package report_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/joshdk/go-junit"
	"github.com/owenrumney/go-sarif/v3/pkg/report/v210/sarif"
	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// evil is text that each format has a weakness for.
const evil = "a %0A::error::x %25 ]]> --> <b>&amp; \" ' | ` \\ [x](javascript:1) @admin {0} \x1b[31m\x00 \xff \u202e \r\n::warning::own line\n# title\n\"} 1\n"

// hostile is the sample with such text wherever a server or a file may put it.
func hostile() *report.Report {
	r := sample()
	for i := range r.Findings {
		spoil(&r.Findings[i], i)
	}
	for i := range r.Suppressed {
		spoil(&r.Suppressed[i].Finding, i)
		r.Suppressed[i].Reason += evil
	}
	for i := range r.Links {
		l := &r.Links[i]
		l.From, l.To, l.Address, l.Message = l.From+evil, l.To+evil, l.Address+evil, l.Message+evil
	}
	r.Deployment.Project += evil
	return r
}

func spoil(f *report.Finding, n int) {
	f.Title, f.Message, f.Subject = f.Title+evil, f.Message+evil, fmt.Sprint(n, f.Subject+evil)
	f.Consequence, f.Remedy = f.Consequence+evil, f.Remedy+evil
	f.Evidence = append(slices.Clone(f.Evidence), report.Evidence{Service: "db" + evil, Line: evil, Means: evil})
	for i := range f.Locations {
		f.Locations[i].File += evil
		f.Locations[i].Excerpt += evil
	}
}

func samples() map[string]*report.Report {
	empty := &report.Report{
		Schema: report.Schema, Tool: report.Tool{Name: "kopano-doctor", Version: "1"}, FailOn: "error",
		Deployment: report.Deployment{Files: []string{"docker-compose.yml"}},
	}
	never := sample()
	never.FailOn = "never"
	lonely := &report.Report{FailOn: "error", ExitCode: 1, Links: []report.Link{
		{ID: "a", From: "x", To: "y", Status: "broken", Reason: "refused"}, {ID: "b", From: "x", To: "z", Status: "broken", Reason: "refused"},
	}}
	lonely.Summary = report.Summarise(nil, lonely.Links)
	return map[string]*report.Report{"sample": sample(), "hostile": hostile(), "empty": empty, "never": never, "links without findings": lonely}
}

func TestSARIFKeepsToItsSchema(t *testing.T) {
	for name, r := range samples() {
		out := render(t, r, report.FormatSARIF, report.TextOptions{})
		read, err := sarif.FromString(out) // the library carries the schema of OASIS
		if err == nil {
			err = read.Validate()
		}
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		results := read.Runs[0].Results
		want := len(r.Findings) + len(r.Suppressed)
		if name == "links without findings" {
			want += len(r.Links)
		}
		if len(results) != want {
			t.Errorf("%s: %d results, want %d", name, len(results), want)
		}
		rules := read.Runs[0].Tool.Driver.Rules
		for _, x := range results {
			if x.RuleIndex < 0 || *rules[x.RuleIndex].ID != *x.RuleID || x.PartialFingerprints["kopanoDoctor/v1"] == "" {
				t.Errorf("%s: a result of %s without its rule or its fingerprint", name, *x.RuleID)
			}
			if strings.Contains(*x.Message.Text, "](") {
				t.Errorf("%s: a link in a message: %s", name, *x.Message.Text)
			}
		}
		if code := read.Runs[0].Invocations[0].ExitCode; code == nil || *code != r.ExitCode {
			t.Errorf("%s: the exit code is not told", name)
		}
	}
}

func TestSARIFHasSuppressionsFixesAndPaths(t *testing.T) {
	read, err := sarif.FromString(render(t, sample(), report.FormatSARIF, report.TextOptions{}))
	if err != nil {
		t.Fatal(err)
	}
	kinds, fixes := "", 0
	for _, x := range read.Runs[0].Results {
		for _, s := range x.Suppressions {
			kinds += *s.Kind + " "
		}
		fixes += len(x.Fixes)
		if uri := *x.Locations[0].PhysicalLocation.ArtifactLocation.URI; !strings.HasPrefix(uri, "deploy/mail%20server/") {
			t.Errorf("%s is not seen from the top of the repository", uri)
		}
	}
	if kinds != "inSource external external " || fixes != 1 {
		t.Errorf("suppressions %q, %d fixes", kinds, fixes)
	}
	if n := len(read.Runs[0].Invocations[0].ToolExecutionNotifications); n != 6 {
		t.Errorf("%d links are said not to be checked, want 6", n)
	}
}

// TestJUnitIsRead holds the report against a reader of such files, and against
// the arithmetic of its own counts.
func TestJUnitIsRead(t *testing.T) {
	for name, r := range samples() {
		suites, err := junit.Ingest([]byte(render(t, r, report.FormatJUnit, report.TextOptions{})))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		var total junit.Totals
		names := map[string]bool{}
		for _, s := range suites {
			total.Tests += s.Totals.Tests
			total.Failed += s.Totals.Failed
			total.Error += s.Totals.Error
			for _, c := range s.Tests {
				if names[c.Classname+c.Name] {
					t.Errorf("%s: two tests are called %s", name, c.Name)
				}
				names[c.Classname+c.Name] = true
			}
		}
		// Green where the run is, red where it is: see --fail-on.
		if (total.Failed > 0) != (r.ExitCode == 1 && r.FailOn != "never") || total.Tests == 0 {
			t.Errorf("%s: exit %d and %+v", name, r.ExitCode, total)
		}
		if name == "sample" && (total.Failed != 3 || total.Error != 1) {
			t.Errorf("%s: %+v, want 2 findings and 1 link to fail, and 1 link that could not be checked", name, total)
		}
	}
}

func TestGitHubCommandsAreOneLineEach(t *testing.T) {
	for name, r := range samples() {
		out := render(t, r, report.FormatGitHub, report.TextOptions{})
		for _, line := range strings.Split(strings.TrimSuffix(out, "\n"), "\n") {
			word, rest, ok := strings.Cut(strings.TrimPrefix(line, "::"), " ")
			properties, _, two := strings.Cut(rest, "::")
			if !strings.HasPrefix(line, "::") || !ok || !two || word != "error" && word != "warning" && word != "notice" {
				t.Fatalf("%s: no command: %q", name, line)
			}
			for _, p := range strings.Split(properties, ",") {
				key, value, _ := strings.Cut(p, "=")
				if !strings.Contains(" file line col title ", " "+key+" ") || strings.ContainsAny(value, "\r\n,:") {
					t.Errorf("%s: property %q of %q", name, p, line)
				}
			}
		}
	}
	lines := strings.Split(render(t, sample(), report.FormatGitHub, report.TextOptions{}), "\n")
	if !strings.HasPrefix(lines[0], "::notice title=kopano-doctor::2 errors, ") || !strings.Contains(lines[0], "%0Anot checked: mail → ldap: ") {
		t.Errorf("the counts and what was not checked do not come first: %s", lines[0])
	}
	if !strings.HasPrefix(lines[1], "::error file=deploy/mail server/db.env,line=4,col=16,title=kopano_server and db") {
		t.Errorf("the cause is not first: %s", lines[1])
	}
}

func TestGitLabHasWhatItMust(t *testing.T) {
	for name, r := range samples() {
		var issues []map[string]any
		out := render(t, r, report.FormatGitLab, report.TextOptions{})
		if err := json.Unmarshal([]byte(out), &issues); err != nil || !strings.HasPrefix(out, "[") {
			t.Fatalf("%s: %v", name, err)
		}
		prints := map[any]bool{}
		for _, i := range issues {
			place := i["location"].(map[string]any)
			begin := place["lines"].(map[string]any)["begin"].(float64)
			if i["description"] == "" || i["check_name"] == "" || place["path"] == "" || begin < 1 ||
				!strings.Contains(" info minor major critical blocker ", " "+i["severity"].(string)+" ") {
				t.Errorf("%s: %v", name, i)
			}
			if prints[i["fingerprint"]] || i["fingerprint"] == "" {
				t.Errorf("%s: fingerprint %v twice", name, i["fingerprint"])
			}
			prints[i["fingerprint"]] = true
		}
	}
}

func TestXMLIsWellFormed(t *testing.T) {
	for name, r := range samples() {
		for _, f := range []report.Format{report.FormatCheckstyle, report.FormatJUnit} {
			d := xml.NewDecoder(strings.NewReader(render(t, r, f, report.TextOptions{})))
			elements := map[string]int{}
			for {
				token, err := d.Token()
				if errors.Is(err, io.EOF) {
					break
				}
				if err != nil {
					t.Fatalf("%s as %s: %v", name, f, err)
				}
				if e, ok := token.(xml.StartElement); ok {
					elements[e.Name.Local]++
				}
			}
			if f == report.FormatCheckstyle && name == "hostile" && elements["error"] != len(r.Findings) {
				t.Errorf("%s: %v, want %d errors", name, elements, len(r.Findings))
			}
		}
	}
}

func TestPrometheusIsRead(t *testing.T) {
	for name, r := range samples() {
		out := render(t, r, report.FormatPrometheus, report.TextOptions{})
		parser := expfmt.NewTextParser(model.UTF8Validation)
		families, err := parser.TextToMetricFamilies(strings.NewReader(out))
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		// What `promtool check metrics` says.
		problems, err := promlint.New(strings.NewReader(out)).Lint()
		if err != nil || len(problems) > 0 {
			t.Errorf("%s: %v %v", name, problems, err)
		}
		up, unchecked := len(families["kopano_doctor_link_up"].GetMetric()), len(families["kopano_doctor_link_unchecked"].GetMetric())
		if up != r.Summary.LinksOK+r.Summary.LinksBroken || unchecked != r.Summary.LinksUnchecked {
			t.Errorf("%s: %d links and %d that were not checked", name, up, unchecked)
		}
		if name == "sample" {
			end := families["kopano_doctor_certificate_end_timestamp_seconds"].GetMetric()
			if len(end) != 1 || end[0].GetGauge().GetValue() != 1801396800 {
				t.Errorf("the certificate's end: %v", end)
			}
		}
	}
}

func TestMarkdownSaysHostileTextAsItIs(t *testing.T) {
	r := hostile()
	out := render(t, r, report.FormatMarkdown, report.TextOptions{})
	for _, line := range strings.Split(out, "\n") {
		if strings.HasPrefix(line, "| ") && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 7 && strings.Count(strings.ReplaceAll(line, `\|`, ""), "|") != 5 {
			t.Errorf("a row with another number of cells: %s", line)
		}
		if strings.HasPrefix(line, "# ") && !strings.HasPrefix(line, "# kopano-doctor") || strings.HasPrefix(line, "::") {
			t.Errorf("text from elsewhere became a command: %s", line)
		}
	}
	outside := ""
	for i, part := range strings.Split(strings.NewReplacer(`\\`, "", "\\`", "").Replace(out), "`") {
		if i%2 == 0 { // not in a code span
			outside += part
		}
	}
	for _, bad := range []string{"<b>", " @admin", " [x]"} {
		if strings.Contains(outside, bad) {
			t.Errorf("%q stands in the text", bad)
		}
	}
}

func TestMarkdownStaysBelowTheLimitOfGitHub(t *testing.T) {
	r := sample()
	for i := range 5000 {
		f := r.Findings[2]
		f.Message, f.Fingerprint = strings.Repeat("long ", 200), fmt.Sprint(i)
		r.Findings = append(r.Findings, f)
		r.Links = append(r.Links, r.Links[0])
		r.Suppressed = append(r.Suppressed, r.Suppressed[0])
	}
	out := render(t, r, report.FormatMarkdown, report.TextOptions{})
	if len(out) >= 1<<20 || len(out) < 400_000 || !strings.Contains(out, "no room for more") {
		t.Errorf("%d bytes", len(out))
	}
}

// TestNoFormatHasControlCharacters looks for what would confuse a terminal or a
// parser, in all formats and also where Build was not asked to take it out.
func TestNoFormatHasControlCharacters(t *testing.T) {
	for _, f := range report.Formats() {
		if f == report.FormatText || f == report.FormatJSON { // Build did it for them
			continue
		}
		out := []byte(render(t, hostile(), f, report.TextOptions{}))
		if bytes.ContainsAny(out, "\x1b\x00\r") || !bytes.Equal(bytes.ToValidUTF8(out, nil), out) {
			t.Errorf("%s has control characters", f)
		}
	}
}
