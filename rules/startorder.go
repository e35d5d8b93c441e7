package rules

import (
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// startOrderRules are about services that wait for others.
func startOrderRules() []Rule {
	return []Rule{
		{
			ID: "depends-end-of-daemon", Fixable: true, Subject: "compose", Severity: finding.Error,
			Title:  "A service waits for the end of one that never ends",
			Why:    "condition: service_completed_successfully waits until the other container has ended. That is right for kopano_ssl, and for no daemon.",
			Source: "Compose specification, depends_on",
			Check:  dependsOnEnd,
		},
	}
}

func dependsOnEnd(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for _, name := range sorted(s.DependsOn) {
			other, ok := in.Deployment.Service(name)
			if !ok || s.DependsOn[name].Condition != types.ServiceConditionCompletedSuccessfully {
				continue
			}
			sys := kopano.SystemOf(in.Topology.Role(other))
			// A command of its own may well make a job of any image.
			if sys == nil || sys.OneShot || len(other.Command) > 0 || len(other.Entrypoint) > 0 || fragment(other) {
				continue
			}
			place := s.Locate("depends_on", name, "condition").As(finding.Fix)
			out = append(out, finding.Finding{
				Subject: s.Name, Key: name,
				Message:     s.Name + " waits until " + name + " has ended, but " + name + " runs for ever.",
				Consequence: s.Name + " is never started.",
				Remedy:      "Write condition: service_started",
				Locations:   []finding.Location{place},
				Edits:       in.Deployment.SetValue(place, types.ServiceConditionCompletedSuccessfully, types.ServiceConditionStarted),
			})
		}
	}
	return out
}
