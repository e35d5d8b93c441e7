package rulebook

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Finding is what is said about an example. The fields mean what they mean in
// a report.
type Finding struct {
	Severity    string  `json:"severity"`
	Subject     string  `json:"subject"`
	Message     string  `json:"message"`
	Consequence string  `json:"consequence"`
	Remedy      string  `json:"remedy"`
	Locations   []Place `json:"locations"` // the first is where to change it
}

// Place is a location of an example.
type Place struct {
	File   string `json:"file"`
	Line   int    `json:"line"`
	Column int    `json:"column"`
	Role   string `json:"role"`
}

const (
	breaks = "  Breaks: "
	cure   = "  Fix: "
)

// FormatFindings writes findings as want.txt holds them; ParseFindings reads them.
func FormatFindings(fs []finding.Finding) string {
	var b strings.Builder
	for i, f := range fs {
		if i > 0 {
			b.WriteByte('\n')
		}
		first := f.First()
		fmt.Fprintf(&b, "%s %s %s\n", f.Severity, first, f.Subject)
		fmt.Fprintf(&b, "  %s\n", f.Message)
		if f.Consequence != "" {
			fmt.Fprintf(&b, "%s%s\n", breaks, f.Consequence)
		}
		fmt.Fprintf(&b, "%s%s\n", cure, f.Remedy)
		for _, l := range f.Locations[min(1, len(f.Locations)):] {
			fmt.Fprintf(&b, "  %s: %s\n", l.Role, l)
		}
	}
	return b.String()
}

var (
	headLine = regexp.MustCompile(`^(error|warning|info) (\S+) (.+)$`)
	roleLine = regexp.MustCompile(`^  (fix|origin|overridden|related): (\S+)$`)
	lineName = regexp.MustCompile(`^(.*?)(?::(\d+))?(?::(\d+))?$`)
)

// ParseFindings reads what FormatFindings wrote. A message, consequence or
// remedy may go on over several lines.
func ParseFindings(text string) ([]Finding, error) {
	var out []Finding
	var open *string // the text that the next line may go on with
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := headLine.FindStringSubmatch(line); m != nil && (len(out) == 0 || out[len(out)-1].Remedy != "") {
			out = append(out, Finding{Severity: m[1], Subject: m[3], Locations: []Place{place(m[2], string(finding.Fix))}})
			open = nil
			continue
		}
		if len(out) == 0 {
			return nil, fmt.Errorf("cannot read %q as the head of a finding", line)
		}
		open = out[len(out)-1].add(line, open)
	}
	for i := range out {
		out[i].Remedy = strings.TrimRight(out[i].Remedy, "\n") // the blank line between two findings
		if out[i].Message == "" || out[i].Remedy == "" {
			return nil, fmt.Errorf("finding %d has no message or no remedy", i+1)
		}
	}
	return out, nil
}

// add takes one more line of a finding, and gives the text that it belongs to.
func (f *Finding) add(line string, open *string) *string {
	into := func(text *string, prefix string) *string {
		*text = strings.TrimPrefix(line, prefix)
		return text
	}
	switch m := roleLine.FindStringSubmatch(line); {
	case f.Message == "":
		return into(&f.Message, "  ")
	case strings.HasPrefix(line, breaks) && f.Consequence == "" && f.Remedy == "":
		return into(&f.Consequence, breaks)
	case strings.HasPrefix(line, cure) && f.Remedy == "":
		return into(&f.Remedy, cure)
	case m != nil && f.Remedy != "":
		f.Locations = append(f.Locations, place(m[2], m[1]))
	case open != nil:
		*open += "\n" + line
	}
	return open
}

// place reads "file:line:column".
func place(text, role string) Place {
	m := lineName.FindStringSubmatch(text)
	line, _ := strconv.Atoi(m[2]) // "" is 0: not known
	column, _ := strconv.Atoi(m[3])
	return Place{File: m[1], Line: line, Column: column, Role: role}
}

// String gives "file:line:column", leaving out what is not known.
func (p Place) String() string {
	return finding.Location{File: p.File, Line: p.Line, Column: p.Column}.String()
}
