package doctor

import (
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

func TestARuleThatPanicsBecomesAFinding(t *testing.T) {
	rs := []rules.Rule{
		{ID: "bad-rule", Severity: finding.Error, Title: "bad", Check: func(*rules.Input) []finding.Finding {
			var none []string
			return []finding.Finding{{Message: none[3]}}
		}},
		{ID: "good-rule", Severity: finding.Warning, Title: "good", Check: func(*rules.Input) []finding.Finding {
			return []finding.Finding{{Message: "found"}}
		}},
	}
	found, failed := runRules(rs, &rules.Input{})
	if !failed || len(found) != 2 {
		t.Fatalf("failed %v, findings %+v", failed, found)
	}
	if f := found[0]; f.ID != InternalError || f.Severity != finding.Warning || !strings.Contains(f.Message, "bad-rule") {
		t.Errorf("the rule that failed gives %+v", f)
	}
	if found[1].ID != "good-rule" {
		t.Errorf("the other rule gives %+v", found[1])
	}
}

func TestARefusedDeploymentNeverPasses(t *testing.T) {
	problem := deployment.Problem{
		Kind: deployment.UndefinedVolume, Severity: finding.Error, Message: "Volume data is not defined.",
		Locations: []finding.Location{{File: "a.yml", Line: 4}},
	}
	d := &deployment.Deployment{Problems: []deployment.Problem{problem}}
	if got := unexplainedProblems(d, nil); len(got) != 1 || got[0].ID != "compose-undefined-volume" || got[0].Message != problem.Message || got[0].Severity != finding.Error {
		t.Errorf("a problem without a rule: %+v", got)
	}
	if got := unexplainedProblems(d, []finding.Finding{{ID: "compose-undefined-volume"}}); len(got) != 0 {
		t.Errorf("a problem that a rule reports is reported twice: %+v", got)
	}
	if got := unexplainedProblems(&deployment.Deployment{}, nil); len(got) != 1 || got[0].Severity != finding.Error {
		t.Errorf("refused without a reason: %+v", got)
	}
	if got := unexplainedProblems(&deployment.Deployment{Accepted: true}, nil); len(got) != 0 {
		t.Errorf("an accepted deployment: %+v", got)
	}
}
