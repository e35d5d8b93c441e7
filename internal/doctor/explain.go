package doctor

import (
	"maps"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/internal/suppress"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// documentation is where the pages of docs/ can be read.
const documentation = "https://github.com/kopano-doctor/kopano-doctor/blob/main/docs/"

// explain says what is known of the IDs that the findings have, by ID.
func explain(rs []rules.Rule, found []finding.Finding, taken []suppress.Taken) []report.Rule {
	seen := map[string]*finding.Finding{}
	for i := range found {
		seen[found[i].ID] = &found[i]
	}
	for i := range taken {
		seen[taken[i].Finding.ID] = &taken[i].Finding
	}
	rs = slices.Concat(rs, suppress.Rules(suppress.Setup{}))
	var out []report.Rule
	for _, id := range slices.Sorted(maps.Keys(seen)) {
		out = append(out, explainOne(rs, seen[id]))
	}
	return out
}

func explainOne(rs []rules.Rule, f *finding.Finding) report.Rule {
	for _, r := range rs {
		if r.ID == f.ID {
			return report.Rule{
				ID: r.ID, Title: r.Title, Why: r.Why, Severity: r.Severity.String(), Source: r.Source,
				Page: documentation + "rules/" + rulebook.Page(r.Subject) + "#" + r.ID,
			}
		}
	}
	for _, d := range checks.Docs() {
		for _, r := range d.Reasons {
			if f.ID == "live-"+d.ID+"-"+string(r.Reason) {
				return report.Rule{
					ID: f.ID, Title: strings.TrimSuffix(r.Means, "."), Why: d.Asks, Severity: finding.Error.String(),
					Page: documentation + "checks.md#" + docgen.Anchor(d.Title),
				}
			}
		}
	}
	return report.Rule{ID: f.ID, Title: f.ID, Severity: f.Severity.String(), Page: documentation + "json.md"}
}
