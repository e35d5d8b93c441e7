package report

import (
	"encoding/json"
	"io"
	"strings"
)

// gitlabIssue is one entry of a Code Quality report; all fields are required.
// https://docs.gitlab.com/ci/testing/code_quality/#code-quality-report-format
type gitlabIssue struct {
	Description string         `json:"description"`
	CheckName   string         `json:"check_name"`
	Fingerprint string         `json:"fingerprint"`
	Severity    string         `json:"severity"` // info, minor, major, critical, blocker
	Location    gitlabLocation `json:"location"`
}

type gitlabLocation struct {
	Path  string      `json:"path"`
	Lines gitlabLines `json:"lines"`
}

type gitlabLines struct {
	Begin int `json:"begin"`
}

// GitLab writes the findings as a Code Quality report. It has no place for
// links that are fine, not checked, or suppressed.
func GitLab(w io.Writer, r *Report) error {
	severities := map[string]string{"error": "critical", "warning": "major", "info": "info"}
	out := []gitlabIssue{} // GitLab wants an array, also an empty one
	for _, f := range r.problems() {
		file, l := r.somePlace(&f)
		text := append([]string{f.Title}, details(&f)...)
		out = append(out, gitlabIssue{
			Description: printable(strings.Join(text, "\n"), true), CheckName: f.ID, Fingerprint: f.Fingerprint, Severity: severities[f.Severity],
			Location: gitlabLocation{Path: file, Lines: gitlabLines{Begin: max(l.Line, 1)}},
		})
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(out)
}
