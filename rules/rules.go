// Package rules holds the static half of the doctor: everything that can be
// said from the files alone. A rule is data and one pure function; rules never
// see each other, the network or the clock.
package rules

import (
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Rule is one thing that can be wrong with a deployment. Its examples are the
// folders testdata/rules/ID/bad* and good*, which the tests run and the rule
// reference prints.
type Rule struct {
	ID       string           // kebab-case, stable for ever
	Subject  string           // which part of the rule reference it belongs to: one of internal/rulebook/subject.go
	Severity finding.Severity // the severity of its findings, unless a finding says otherwise
	Title    string           // what is wrong, one line
	Why      string           // why it matters, for the rule reference; cites the program that makes it so
	Source   string           // where the fact comes from: a program and its file, an RFC, a changelog with its release
	Since    string           // from which release of which program it holds, "" when it always does
	Fixable  bool             // its findings may have edits that `kopano-doctor fix` makes
	Check    Check
}

// Check looks at one deployment and reports what is wrong with it. It must
// only report places inside that deployment, must not change it, and must give
// the same findings in every run. It fills Subject, Message, Locations,
// Consequence, Remedy, Links and Key; ID, Kind, Title and Severity (when zero)
// are filled from the Rule by Run.
type Check func(in *Input) []finding.Finding

// Input is what a rule may look at.
type Input struct {
	Deployment *deployment.Deployment
	Topology   *kopano.Topology
}

// Run applies the rules and gives their findings, unsealed.
func Run(rs []Rule, in *Input) []finding.Finding {
	var out []finding.Finding
	for _, r := range rs {
		for _, f := range r.Check(in) {
			f.ID, f.Kind = r.ID, finding.Static
			if f.Title == "" {
				f.Title = r.Title
			}
			if f.Severity == 0 {
				f.Severity = r.Severity
			}
			out = append(out, f)
		}
	}
	return out
}
