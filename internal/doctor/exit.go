package doctor

import (
	"slices"

	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// The exit codes, the same for every format.
const (
	ExitOK          = 0   // nothing at or above the --fail-on severity
	ExitFound       = 1   // findings or broken links at or above it
	ExitUsage       = 2   // wrong usage, or no readable configuration
	ExitIncomplete  = 3   // nothing found, but something that was asked for could not be checked
	ExitInterrupted = 130 // as shells report a program that Ctrl-C ended
)

// FailOn is the severity from which on a run fails.
type FailOn string

// The choices of --fail-on.
const (
	FailOnError   FailOn = "error"
	FailOnWarning FailOn = "warning"
	FailOnInfo    FailOn = "info"
	FailOnNever   FailOn = "never"
)

// FailOns lists the choices.
func FailOns() []FailOn { return []FailOn{FailOnError, FailOnWarning, FailOnInfo, FailOnNever} }

// ExitCode decides how the run ends: 1 beats 3. A broken link weighs as an
// error, unless what was seen on it is suppressed. With FailOnNever nothing that was found makes the run fail, yet what
// could not be looked at does: green never means "did not look".
func ExitCode(s report.Summary, incomplete bool, failOn FailOn) int {
	bad := s.Errors + s.LinksBroken - s.LinksSuppressed
	switch failOn {
	case FailOnWarning:
		bad += s.Warnings
	case FailOnInfo:
		bad += s.Warnings + s.Infos
	case FailOnNever:
		bad = 0
	}
	switch {
	case bad > 0:
		return ExitFound
	case incomplete:
		return ExitIncomplete
	}
	return ExitOK
}

// incomplete reports whether a link was meant to be checked and was not.
func incomplete(links []diagnosis.Link) bool {
	return slices.ContainsFunc(links, func(l diagnosis.Link) bool { return l.Incomplete() })
}
