package doctor

import (
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// runRules applies the rules one by one. A rule that panics becomes a finding
// of its own; failed reports that there was one.
func runRules(rs []rules.Rule, in *rules.Input) (found []finding.Finding, failed bool) {
	for _, r := range rs {
		fs, err := runRule(r, in)
		if err != nil {
			failed = true
			fs = []finding.Finding{ruleFailed(r, err)}
		}
		found = append(found, fs...)
	}
	return found, failed
}

func runRule(r rules.Rule, in *rules.Input) (found []finding.Finding, err error) {
	defer func() {
		if p := recover(); p != nil {
			found, err = nil, fmt.Errorf("%v", p)
		}
	}()
	return rules.Run([]rules.Rule{r}, in), nil
}

func ruleFailed(r rules.Rule, err error) finding.Finding {
	return finding.Finding{
		ID:          InternalError,
		Severity:    finding.Warning,
		Kind:        finding.Static,
		Title:       "kopano-doctor itself failed",
		Message:     fmt.Sprintf("The rule %s stopped with %q, so what it looks for was not checked.", r.ID, err),
		Subject:     r.ID,
		Consequence: "A fault of this kind in the deployment would go unnoticed.",
		Remedy:      "This is a fault of kopano-doctor, not of the deployment. Please report it, with the version and this message.",
		Key:         r.ID,
	}
}

// InternalError is the ID of the finding that says that the doctor failed.
const InternalError = "internal-error"

// unexplainedProblems gives what Compose refuses and no rule has reported, so
// that a deployment that does not load never passes for a good one.
func unexplainedProblems(d *deployment.Deployment, found []finding.Finding) []finding.Finding {
	reported := map[string]bool{}
	for i := range found {
		reported[found[i].ID] = true
	}
	var out []finding.Finding
	for _, p := range d.Problems {
		if reported[string(p.Kind)] {
			continue
		}
		out = append(out, finding.Finding{
			ID:          string(p.Kind),
			Severity:    p.Severity,
			Kind:        finding.Static,
			Title:       problemTitle(p),
			Message:     p.Message,
			Subject:     p.Subject,
			Locations:   p.Locations,
			Consequence: problemConsequence(p),
			Remedy:      p.Remedy,
			Key:         p.Key,
		})
	}
	if !d.Accepted && len(d.Problems) == 0 {
		out = append(out, finding.Finding{
			ID: string(deployment.Refused), Severity: finding.Error, Kind: finding.Static,
			Title:       "Docker Compose refuses this deployment",
			Message:     "Docker Compose does not load these files.",
			Subject:     d.Project,
			Consequence: "Nothing starts.",
			Remedy:      "Run `docker compose config` in the deployment's folder; it says why.",
		})
	}
	return out
}

// refusals gives the IDs of the findings for which Compose refuses the deployment.
func refusals(d *deployment.Deployment) []string {
	if d.Accepted {
		return nil
	}
	ids := []string{string(deployment.Refused)}
	for _, p := range d.Problems {
		if p.Severity == finding.Error {
			ids = append(ids, string(p.Kind))
		}
	}
	return ids
}

func problemTitle(p deployment.Problem) string {
	if p.Severity == finding.Error {
		return "Docker Compose refuses this deployment"
	}
	return "Docker Compose warns about this deployment"
}

func problemConsequence(p deployment.Problem) string {
	if p.Severity == finding.Error {
		return "No service starts until this is put right."
	}
	return ""
}
