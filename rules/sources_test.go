package rules_test

import (
	"strings"
	"testing"
)

// sourcesRequired makes a rule without a source fail the tests.
const sourcesRequired = true

// TestSources wants every rule to say where its fact comes from: a program and
// its file, an RFC, a changelog with its release.
func TestSources(t *testing.T) {
	var without []string
	all := everyRule(t, "")
	for _, r := range all {
		switch {
		case r.Source == "":
			without = append(without, r.ID)
		case strings.TrimSpace(r.Source) != r.Source || strings.HasSuffix(r.Source, ".") || strings.Contains(r.Source, "\n"):
			t.Errorf("%s: source %q is no short line without a full stop", r.ID, r.Source)
		}
		if strings.TrimSpace(r.Since) != r.Since || strings.HasSuffix(r.Since, ".") {
			t.Errorf("%s: since %q is no short line without a full stop", r.ID, r.Since)
		}
	}
	if len(without) == 0 {
		return
	}
	report := t.Logf
	if sourcesRequired {
		report = t.Errorf
	}
	report("%d of %d rules do not say where their fact comes from: %s", len(without), len(all), strings.Join(without, ", "))
}
