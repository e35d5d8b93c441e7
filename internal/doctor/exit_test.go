package doctor

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func TestExitCode(t *testing.T) {
	errors := report.Summary{Errors: 1}
	broken := report.Summary{LinksBroken: 1}
	accepted := report.Summary{LinksBroken: 2, LinksSuppressed: 2, Suppressed: 2}
	partly := report.Summary{LinksBroken: 2, LinksSuppressed: 1, Suppressed: 1}
	warnings := report.Summary{Warnings: 2, LinksUnchecked: 4}
	infos := report.Summary{Infos: 3, LinksOK: 1}
	clean := report.Summary{LinksOK: 5, LinksUnchecked: 2, Suppressed: 1}
	for _, c := range []struct {
		name       string
		summary    report.Summary
		incomplete bool
		want       map[FailOn]int
	}{
		{"clean", clean, false, map[FailOn]int{FailOnError: 0, FailOnWarning: 0, FailOnInfo: 0, FailOnNever: 0}},
		{"clean, not all looked at", clean, true, map[FailOn]int{FailOnError: 3, FailOnWarning: 3, FailOnInfo: 3, FailOnNever: 3}},
		{"infos", infos, false, map[FailOn]int{FailOnError: 0, FailOnWarning: 0, FailOnInfo: 1, FailOnNever: 0}},
		{"infos, not all looked at", infos, true, map[FailOn]int{FailOnError: 3, FailOnWarning: 3, FailOnInfo: 1, FailOnNever: 3}},
		{"warnings", warnings, false, map[FailOn]int{FailOnError: 0, FailOnWarning: 1, FailOnInfo: 1, FailOnNever: 0}},
		{"warnings, not all looked at", warnings, true, map[FailOn]int{FailOnError: 3, FailOnWarning: 1, FailOnInfo: 1, FailOnNever: 3}},
		{"errors", errors, false, map[FailOn]int{FailOnError: 1, FailOnWarning: 1, FailOnInfo: 1, FailOnNever: 0}},
		{"errors, not all looked at", errors, true, map[FailOn]int{FailOnError: 1, FailOnWarning: 1, FailOnInfo: 1, FailOnNever: 3}},
		{"broken", broken, false, map[FailOn]int{FailOnError: 1, FailOnWarning: 1, FailOnInfo: 1, FailOnNever: 0}},
		{"broken, not all looked at", broken, true, map[FailOn]int{FailOnError: 1, FailOnWarning: 1, FailOnInfo: 1, FailOnNever: 3}},
		{"broken, and all of it suppressed", accepted, false, map[FailOn]int{FailOnError: 0, FailOnWarning: 0, FailOnInfo: 0, FailOnNever: 0}},
		{"broken, and all of it suppressed, not all looked at", accepted, true, map[FailOn]int{FailOnError: 3, FailOnWarning: 3, FailOnInfo: 3, FailOnNever: 3}},
		{"broken, and one of them suppressed", partly, false, map[FailOn]int{FailOnError: 1, FailOnWarning: 1, FailOnInfo: 1, FailOnNever: 0}},
	} {
		for _, failOn := range FailOns() {
			if got := ExitCode(c.summary, c.incomplete, failOn); got != c.want[failOn] {
				t.Errorf("%s with --fail-on %s: exit %d, want %d", c.name, failOn, got, c.want[failOn])
			}
		}
	}
}

// A check that finds nothing to look at does not make a run incomplete; one
// that was kept from looking does.
func TestIncomplete(t *testing.T) {
	for reason, want := range map[checks.Reason]bool{
		checks.ReasonNoCheck: false, checks.ReasonNoRoute: true, checks.ReasonDeadline: true, checks.ReasonInternal: true, checks.ReasonBlocked: true,
	} {
		links := []diagnosis.Link{{Checked: true, Result: checks.Result{Status: checks.Unchecked, Reason: reason}}}
		if got := incomplete(links); got != want {
			t.Errorf("%s: incomplete is %v, want %v", reason, got, want)
		}
	}
}
