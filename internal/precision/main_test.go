package main

import (
	"bytes"
	"regexp"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// TestRun measures the repository, which stands in for the real deployments as well.
func TestRun(t *testing.T) {
	var b bytes.Buffer
	if err := run(&b, "../../testdata", "../../testdata/deployments"); err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{
		`(?m)^Findings by rule, in \d\d real deployments, \d+ parts of such, \d\d bundled deployments, \d{3} good examples:$`,
		`(?m)^all +\d+ +\d+ +\d+$`, `(?m)^ +0 +\d+ +\d+ +\d+  bundled  testdata/deployments/full$`, `(?m)real     full$`, `(?m)testdata/partial/core-only$`, `rules find nothing`,
	} {
		if !regexp.MustCompile(want).Match(b.Bytes()) {
			t.Errorf("the tables lack %s:\n%s", want, &b)
		}
	}
	if strings.Contains(b.String(), "rules/") && strings.Contains(b.String(), "/good") {
		t.Error("good examples are listed one by one")
	}
	if err := run(&b, "../../testdata", "no-such-folder"); err == nil {
		t.Error("a corpus that is missing is no error")
	}
}

func TestMeasure(t *testing.T) {
	noisy, quiet, silent := rules.All()[1].ID, rules.All()[0].ID, rules.All()[2].ID
	results := []result{
		{subject{kind: realOnes}, []finding.Finding{{ID: noisy, Severity: finding.Error}, {ID: noisy, Severity: finding.Info}, {ID: quiet, Severity: finding.Warning}}},
		{subject{kind: realOnes}, []finding.Finding{{ID: noisy, Severity: finding.Warning}}},
		{subject{kind: good}, []finding.Finding{{ID: quiet, Severity: finding.Warning}}},
	}
	all := measure(results)
	if all[0].id != noisy || all[0].counts != (counts{1, 1, 1}) || all[0].in != [kinds]int{realOnes: 2} {
		t.Errorf("first is %+v", all[0])
	}
	if all[1].id != quiet || all[1].counts != (counts{warnings: 2}) || all[1].in != [kinds]int{realOnes: 1, good: 1} {
		t.Errorf("second is %+v", all[1])
	}
	if len(all) != len(rules.All()) {
		t.Errorf("%d rules are measured", len(all))
	}
	var b bytes.Buffer
	writeRules(&b, results)
	if !strings.Contains(b.String(), "    2 100%") || strings.Contains(b.String(), "\n"+silent+" ") {
		t.Errorf("table:\n%s", &b)
	}
}
