package suppress

import (
	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// The IDs of what is said about suppressions.
const (
	withoutReason  = "suppression-without-reason"
	unreadable     = "suppression-unreadable"
	unknownRule    = "suppression-unknown-rule"
	expiredID      = "suppression-expired"
	unused         = "suppression-unused"
	baselineUnused = "baseline-unused"
)

// Subject is their part of the rule reference.
const Subject = "suppression"

// source is where the facts of these rules stand.
const source = "kopano-doctor docs/configuration.md"

// about gives the rules about suppressions, without their functions.
func about() []rules.Rule {
	return []rules.Rule{
		{
			ID: withoutReason, Subject: Subject, Severity: finding.Warning, Source: source,
			Title: "A comment suppresses a rule without saying why",
			Why: "Whoever reads the file next year must be able to tell whether the reason still holds. A comment without a reason does not count: " +
				"what it is about is reported as if it were not there.",
		},
		{
			ID: unreadable, Subject: Subject, Severity: finding.Warning, Source: source,
			Title: "A comment for kopano-doctor cannot be read",
			Why: "Such a comment is written kopano-doctor: ignore=RULE-ID until=2027-03-31 because REASON; several IDs are joined by commas, until= may be left out. " +
				"One that cannot be read does not count.",
		},
		{
			ID: unknownRule, Subject: Subject, Severity: finding.Warning, Source: source,
			Title: "A comment suppresses a rule that does not exist",
			Why:   "The ID is what reports print in brackets. IDs never change and are never given to another rule; a misspelt one suppresses nothing.",
		},
		{
			ID: expiredID, Subject: Subject, Severity: finding.Warning, Source: source,
			Title: "A suppression has expired",
			Why: "Its last day, given with until, is over. What it is about is reported again and counts for the exit code. " +
				"The day itself still counts, by the clock of the machine that runs kopano-doctor.",
		},
		{
			ID: unused, Subject: Subject, Severity: finding.Info, Source: source,
			Title: "A suppression matches nothing",
			Why: "What it was about is gone, or stands in another line. A suppression that is left behind would hide the same fault when it comes back. " +
				"It is looked at only when everything was: not about live checks with --offline, and not while Compose refuses the deployment.",
		},
		{
			ID: baselineUnused, Subject: Subject, Severity: finding.Info, Source: source,
			Title: "Findings of the baseline are gone",
			Why:   "What a baseline (--baseline) holds is not reported. An entry that is left behind would hide the same fault when it comes back.",
		},
	}
}

// Rules gives the rules about suppressions. They need all findings of a run, so
// they are made by Apply and not by rules.Run; by themselves they apply those
// of package rules first, with what the setup suppresses.
func Rules(s Setup) []rules.Rule {
	all := about()
	for i := range all {
		id := all[i].ID
		all[i].Check = func(in *rules.Input) []finding.Finding {
			found := finding.Seal(rules.Run(rules.All(), in))
			var out []finding.Finding
			for _, f := range Apply(in.Deployment, found, s).Findings {
				if f.ID == id {
					out = append(out, f)
				}
			}
			return out
		}
	}
	return all
}

// IDs gives the IDs that the findings of a run may have, where rs are its rules
// and live the IDs of its checks.
func IDs(rs []rules.Rule, live []string) config.IDs {
	var ids config.IDs
	for _, r := range rs {
		ids.Known = append(ids.Known, r.ID)
	}
	for _, r := range about() {
		ids.Known = append(ids.Known, r.ID)
	}
	ids.Known = append(ids.Known, live...)
	ids.Retired = rules.Retired()
	return ids
}
