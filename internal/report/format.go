package report

import (
	"fmt"
	"io"
)

// Format is the name of a form in which a report is written.
type Format string

// The formats; docs/formats.md shows them.
const (
	FormatText       Format = "text" // for a person
	FormatJSON       Format = "json" // for programs: docs/json.md
	FormatHTML       Format = "html" // one file for a browser
	FormatMarkdown   Format = "markdown"
	FormatSARIF      Format = "sarif"
	FormatJUnit      Format = "junit"
	FormatGitHub     Format = "github"
	FormatGitLab     Format = "gitlab"
	FormatCheckstyle Format = "checkstyle"
	FormatPrometheus Format = "prometheus"
)

// Formats lists them, the default first.
func Formats() []Format {
	return []Format{
		FormatText, FormatJSON, FormatHTML, FormatMarkdown, FormatSARIF, FormatJUnit, FormatGitHub, FormatGitLab, FormatCheckstyle, FormatPrometheus,
	}
}

// Write writes the report in a format; the options matter to text only.
func Write(w io.Writer, r *Report, f Format, o TextOptions) error {
	switch f {
	case FormatText:
		return Text(w, r, o)
	case FormatJSON:
		return JSON(w, r)
	case FormatHTML:
		return HTML(w, r)
	case FormatMarkdown:
		return Markdown(w, r)
	case FormatSARIF:
		return SARIF(w, r)
	case FormatJUnit:
		return JUnit(w, r)
	case FormatGitHub:
		return GitHub(w, r)
	case FormatGitLab:
		return GitLab(w, r)
	case FormatCheckstyle:
		return Checkstyle(w, r)
	case FormatPrometheus:
		return Prometheus(w, r)
	}
	return fmt.Errorf("unknown format %q", f)
}
