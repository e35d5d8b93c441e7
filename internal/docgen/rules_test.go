package docgen_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
	"github.com/kopano-doctor/kopano-doctor/testdata"
)

const folder = "../../docs/rules"

// TestRulePagesAreCurrent fails when docs/rules was not written anew after a
// change, and when the page of a subject is left that is gone.
func TestRulePagesAreCurrent(t *testing.T) {
	entries, err := rulebook.Read(slices.Concat(rules.All(), suppress.Rules(suppress.Setup{})), testdata.Examples())
	if err != nil {
		t.Fatal(err)
	}
	pages := docgen.RulePages(entries)
	for name, want := range pages {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil || !bytes.Equal(got, want) {
			t.Errorf("docs/rules/%s is not what the rules and their examples say; run make docs (%v)", name, err)
		}
	}
	files, err := os.ReadDir(folder)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range files {
		if _, ok := pages[f.Name()]; !ok {
			t.Errorf("docs/rules/%s is the page of no subject; run make docs", f.Name())
		}
	}
}

func sample() []rulebook.Entry {
	bad := rulebook.Example{
		Files: map[string]string{"docker-compose.yml": "services: {}\r\n", ".env": "\ufeffA=1\n"}, Environment: []string{"A=2"},
		Says: []rulebook.Finding{{
			Severity: "error", Subject: "a", Message: "says\nmore", Consequence: "nobody works", Remedy: "write this",
			Locations: []rulebook.Place{{File: ".env", Line: 1, Column: 3, Role: "fix"}, {File: "docker-compose.yml", Line: 1, Role: "origin"}},
		}},
	}
	good := rulebook.Example{Files: map[string]string{"docker-compose.yml": "services: {x: 1}\n"}}
	return []rulebook.Entry{
		{ID: "a-rule", Subject: "one thing", Severity: "error", Title: "A thing | is wrong", Why: "It <breaks> *all*.\nTwo.", Fixable: true,
			Source: "program.c", Since: "program 3", Consequence: "nobody works", Remedy: "write this", Examples: rulebook.Examples{Bad: bad, Good: good}},
		{ID: "b-rule", Subject: "two", Severity: "info", Title: "Another", Why: "So.", Examples: rulebook.Examples{Bad: bad, Good: good}},
		{ID: "c-rule", Subject: "one thing", Severity: "warning", Title: "A third", Why: "Well.", Examples: rulebook.Examples{Bad: bad, Good: good}},
	}
}

func TestRulePages(t *testing.T) {
	pages := docgen.RulePages(sample())
	if len(pages) != 3 {
		t.Errorf("%d pages, want an index and two subjects", len(pages))
	}
	for name, wants := range map[string][]string{
		docgen.Index: {
			"3 rules, 1 of which", "## [One thing](one-thing.md)", "| [a-rule](one-thing.md#a-rule) | error | fix | A thing \\| is wrong |\n| [c-rule](one-thing.md#c-rule) |",
			"| [b-rule](two.md#b-rule) | info |  | Another |",
		},
		"one-thing.md": {
			"# Rules: one thing\n", "| [a-rule](#a-rule) | error |", "## a-rule\n\n**A thing | is wrong** (error).\n\nIt &lt;breaks> \\*all\\*.  \nTwo.\n\nBreaks: nobody works\n\nFix: write this\n",
			"fix --rule a-rule", "# docker-compose.yml\nservices: {}<CR>\n", "<BOM>A=1", "export A=2", "- Source: program.c\n- Since: program 3\n",
			"kopano-doctor says:\n\n```text\nerror .env:1:3: a\n  says\nmore\n  Fix: write this\n  origin: docker-compose.yml:1\n```", "services: {x: 1}", "## c-rule",
		},
		"two.md": {"## b-rule"},
	} {
		for _, want := range wants {
			if !strings.Contains(string(pages[name]), want) {
				t.Errorf("%s lacks %q:\n%s", name, want, pages[name])
			}
		}
	}
	if strings.Contains(string(pages["two.md"]), "a-rule") || strings.Contains(string(pages["two.md"]), "fix --rule") {
		t.Error("the page of a subject has what belongs to another")
	}
}

func TestRulesOnOnePage(t *testing.T) {
	var b bytes.Buffer
	if err := docgen.Rules(&b, sample()); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"3 rules", "\n# One thing\n", "| [b-rule](#b-rule) |", "## a-rule", "## b-rule", "## c-rule"} {
		if !strings.Contains(b.String(), want) {
			t.Errorf("page lacks %q", want)
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
