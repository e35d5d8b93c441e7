package docgen_test

import (
	"bytes"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// TestRulesPageIsCurrent fails when docs/rules.md was not written anew after a change.
func TestRulesPageIsCurrent(t *testing.T) {
	var got bytes.Buffer
	if err := docgen.Rules(&got, slices.Concat(rules.All(), suppress.Rules(suppress.Setup{})), os.DirFS("../../testdata/rules")); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/rules.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("docs/rules.md is not what the rules and their examples say; run make docs")
	}
}

func TestRules(t *testing.T) {
	all := []rules.Rule{
		{ID: "a-rule", Subject: "one", Severity: finding.Error, Title: "A thing | is wrong", Why: "It breaks."},
		{ID: "b-rule", Subject: "two", Severity: finding.Info, Title: "Another", Why: "So."},
	}
	examples := fstest.MapFS{
		"a-rule/bad/docker-compose.yml":         {Data: []byte("services: {}\r\n")},
		"a-rule/bad/want.txt":                   {Data: []byte("error a says\n")},
		"a-rule/bad-2/docker-compose.yml":       {Data: []byte("second: {}\n")},
		"a-rule/good/docker-compose.yml":        {Data: []byte("services: {x: 1}\n")},
		"a-rule/good/other-errors-expected":     {Data: []byte("reason\n")},
		"b-rule/bad/.env":                       {Data: []byte("\ufeffA=1\n")},
		"b-rule/bad/environ":                    {Data: []byte("A=2\n")},
		"b-rule/good/docker-compose.yml":        {Data: []byte("x: 1\n")},
		"b-rule/good/more/nested/is-left-alone": {Data: []byte("x")},
	}
	var b bytes.Buffer
	if err := docgen.Rules(&b, all, examples); err != nil {
		t.Fatal(err)
	}
	page := b.String()
	for _, want := range []string{
		"2 rules", "| [a-rule](#a-rule) | error | A thing \\| is wrong |\n\n**two**", "## a-rule\n\nA thing | is wrong (error).\n\nIt breaks.\n",
		"# docker-compose.yml\nservices: {}<CR>\n", "kopano-doctor says:\n\n```text\nerror a says\n```", "<BOM>A=1", "export A=2",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("page lacks %q", want)
		}
	}
	for _, not := range []string{"second", "reason", "is-left-alone"} {
		if strings.Contains(page, not) {
			t.Errorf("page has %q", not)
		}
	}
}

func TestRulesWantsExamples(t *testing.T) {
	all := []rules.Rule{{ID: "a-rule", Subject: "one", Severity: finding.Error, Title: "T", Why: "W"}}
	for name, examples := range map[string]fstest.MapFS{
		"no folder": {},
		"no good":   {"a-rule/bad/docker-compose.yml": {Data: []byte("x\n")}},
	} {
		if err := docgen.Rules(&bytes.Buffer{}, all, examples); err == nil || !strings.Contains(err.Error(), "a-rule") {
			t.Errorf("%s: error %v, want one that names the rule", name, err)
		}
	}
}

// TestChecksPageIsCurrent fails when docs/checks.md was not written anew after a change.
func TestChecksPageIsCurrent(t *testing.T) {
	var got bytes.Buffer
	if err := docgen.Checks(&got, checks.Docs()); err != nil {
		t.Fatal(err)
	}
	want, err := os.ReadFile("../../docs/checks.md")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(got.Bytes(), want) {
		t.Error("docs/checks.md is not what the checks say; run make docs")
	}
}
