package rulebook_test

import (
	"encoding/json"
	"io/fs"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
	"github.com/kopano-doctor/kopano-doctor/testdata"
)

func everyRule() []rules.Rule {
	return slices.Concat(rules.All(), suppress.Rules(suppress.Setup{}))
}

// TestNothingIsMissing wants every field of every rule, also in the JSON form.
func TestNothingIsMissing(t *testing.T) {
	entries, err := rulebook.Read(everyRule(), testdata.Examples())
	if err != nil {
		t.Fatal(err)
	}
	data, err := json.Marshal(entries)
	if err != nil {
		t.Fatal(err)
	}
	var read []rulebook.Entry
	if err := json.Unmarshal(data, &read); err != nil {
		t.Fatal(err)
	}
	for _, e := range read {
		for field, text := range map[string]string{
			"id": e.ID, "subject": e.Subject, "severity": e.Severity, "title": e.Title, "why": e.Why,
			"consequence": e.Consequence, "remedy": e.Remedy,
		} {
			if strings.TrimSpace(text) == "" {
				t.Errorf("%s: %s is empty", e.ID, field)
			}
		}
		if !rulebook.Known(e.Subject) {
			t.Errorf("%s: the subject %q has no line in subject.go", e.ID, e.Subject)
		}
		if len(e.Examples.Bad.Files) == 0 || len(e.Examples.Good.Files) == 0 || len(e.Examples.Good.Says) > 0 {
			t.Errorf("%s: an example without files, or a good one with findings", e.ID)
		}
		for _, f := range e.Examples.Bad.Says {
			first := f.Locations[0]
			text, ok := e.Examples.Bad.Files[first.File]
			if first.Line > 0 && ok && first.Line > len(rulebook.Lines(text)) {
				t.Errorf("%s: %s has no line %d", e.ID, first.File, first.Line)
			}
		}
	}
}

// TestFindingsAreReadAsWritten reads every want.txt and writes it again.
func TestFindingsAreReadAsWritten(t *testing.T) {
	files, err := fs.Glob(testdata.Examples(), "*/*/"+rulebook.Wanted)
	if err != nil || len(files) < 100 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range files {
		text, err := fs.ReadFile(testdata.Examples(), file)
		if err != nil {
			t.Fatal(err)
		}
		said, err := rulebook.ParseFindings(string(text))
		if err != nil {
			t.Errorf("%s: %v", file, err)
			continue
		}
		if again := rulebook.FormatFindings(back(said)); again != string(text) {
			t.Errorf("%s reads otherwise:\n%s", file, again)
		}
	}
}

// back makes findings of what was read.
func back(said []rulebook.Finding) []finding.Finding {
	severities := map[string]finding.Severity{"error": finding.Error, "warning": finding.Warning, "info": finding.Info}
	var out []finding.Finding
	for _, s := range said {
		f := finding.Finding{Severity: severities[s.Severity], Subject: s.Subject, Message: s.Message, Consequence: s.Consequence, Remedy: s.Remedy}
		for _, l := range s.Locations {
			f.Locations = append(f.Locations, finding.Location{File: l.File, Line: l.Line, Column: l.Column, Role: finding.Role(l.Role)})
		}
		out = append(out, f)
	}
	return out
}

func TestParseFindingsOverSeveralLines(t *testing.T) {
	in := []finding.Finding{
		{Severity: finding.Error, Subject: "a and b", Message: "one\nerror two three", Consequence: "no\n  indented", Remedy: "do\n\nthis",
			Locations: []finding.Location{{File: "x.yml", Line: 3, Column: 7}, {File: "(environment)", Role: finding.Origin}}},
		{Severity: finding.Info, Subject: "c", Message: "m", Remedy: "r", Locations: []finding.Location{{File: ".env"}}},
	}
	got, err := rulebook.ParseFindings(rulebook.FormatFindings(in))
	want := []rulebook.Finding{
		{Severity: "error", Subject: "a and b", Message: "one\nerror two three", Consequence: "no\n  indented", Remedy: "do\n\nthis",
			Locations: []rulebook.Place{{"x.yml", 3, 7, "fix"}, {"(environment)", 0, 0, "origin"}}},
		{Severity: "info", Subject: "c", Message: "m", Remedy: "r", Locations: []rulebook.Place{{".env", 0, 0, "fix"}}},
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\n got %+v\nwant %+v", err, got, want)
	}
	for _, bad := range []string{"nonsense\n", "error x y\n", "error x y\n  message\n"} {
		if got, err := rulebook.ParseFindings(bad); err == nil {
			t.Errorf("%q reads as %+v", bad, got)
		}
	}
}

func TestExamplesAreWanted(t *testing.T) {
	r := []rules.Rule{{ID: "a-rule", Subject: "one", Severity: finding.Error, Title: "T", Why: "W"}}
	bad := &fstest.MapFile{Data: []byte("error x.yml:1 a\n  m\n  Breaks: b\n  Fix: f\n")}
	file := &fstest.MapFile{Data: []byte("x\n")}
	for name, examples := range map[string]fstest.MapFS{
		"no folder":   {},
		"no good one": {"a-rule/bad/x.yml": file, "a-rule/bad/want.txt": bad},
		"no want.txt": {"a-rule/bad/x.yml": file, "a-rule/good/x.yml": file},
	} {
		if _, err := rulebook.Read(r, examples); err == nil || !strings.Contains(err.Error(), "a-rule") {
			t.Errorf("%s: error %v, want one that names the rule", name, err)
		}
	}
	examples := fstest.MapFS{
		"a-rule/bad/sub/x.yml": file, "a-rule/bad/want.txt": bad, "a-rule/bad/environ": {Data: []byte("A=1\nB=2\n")},
		"a-rule/bad-2/y.yml": file, "a-rule/good/x.yml": file, "a-rule/good/other-errors-expected": file,
	}
	got, err := rulebook.Read(r, examples)
	if err != nil {
		t.Fatal(err)
	}
	e := got[0].Examples
	if len(e.Bad.Files) != 1 || e.Bad.Files["sub/x.yml"] != "x\n" || len(e.Good.Files) != 1 || !slices.Equal(e.Bad.Environment, []string{"A=1", "B=2"}) {
		t.Errorf("examples are %+v", e)
	}
	if got[0].Consequence != "b" || got[0].Remedy != "f" {
		t.Errorf("consequence %q and remedy %q are not those of the bad example", got[0].Consequence, got[0].Remedy)
	}
}

func TestBySubject(t *testing.T) {
	all := []string{"mail 1", "odd 1", "compose 1", "mail 2", "odd 2"}
	var got []string
	for _, s := range rulebook.BySubject(all, func(r string) string { return strings.Fields(r)[0] }) {
		got = append(got, s.Name+": "+strings.Join(s.Rules, ", "))
		if (s.About == "") != (s.Name == "odd") {
			t.Errorf("%s is about %q", s.Name, s.About)
		}
	}
	want := []string{"compose: compose 1", "mail: mail 1, mail 2", "odd: odd 1, odd 2"}
	if !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}
