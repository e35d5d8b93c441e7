package report

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// What the formats for other programs share: which problems there are, in which
// order, and where each of them is.

// BrokenLink is the ID under which such a format tells of a broken link that
// the findings say nothing about.
const BrokenLink = "broken-link"

// problems gives the findings with the causes of each severity first, since
// some readers show only the first few, then the broken links that count and
// that no finding is about.
func (r *Report) problems() []Finding {
	out := slices.Concat(r.lonelyLinks(), r.Findings)
	rank := map[string]int{"error": 0, "warning": 1}
	slices.SortStableFunc(out, func(a, b Finding) int {
		ra, ok := rank[a.Severity]
		rb, okb := rank[b.Severity]
		if !ok {
			ra = 2
		}
		if !okb {
			rb = 2
		}
		return cmp.Or(cmp.Compare(ra, rb), cmp.Compare(follows(&a), follows(&b)))
	})
	return out
}

// follows is 1 for a finding that is the consequence of another one.
func follows(f *Finding) int {
	switch {
	case f.Cause != nil:
		return 2
	case f.ID == BrokenLink:
		return 1
	}
	return 0
}

// lonelyLinks makes a finding of each broken link that has none.
func (r *Report) lonelyLinks() []Finding {
	told := map[string]bool{}
	for i := range r.Findings {
		if r.Findings[i].Severity == "error" {
			told[r.Findings[i].Fingerprint] = true
		}
	}
	var out []Finding
	for i := range r.Links {
		l := &r.Links[i]
		if l.Status != "broken" || l.Suppressed || slices.ContainsFunc(l.Findings, func(f string) bool { return told[f] }) {
			continue
		}
		out = append(out, Finding{
			ID: BrokenLink, Severity: "error", Kind: "live", Subject: l.From + " → " + l.To,
			Title: l.From + " → " + l.To + " does not work", Message: cmp.Or(l.Message, l.Reason), Fingerprint: "link:" + l.ID,
		})
	}
	return out
}

// fails reports whether a finding makes the run fail; see --fail-on.
func (r *Report) fails(severity string) bool {
	switch r.FailOn {
	case "never":
		return false
	case "info":
		return true
	case "warning":
		return severity != "info"
	}
	return severity == "error"
}

// path gives a file as seen from the top of the repository, which is what code
// hosts go by. A place outside files gives "".
func (r *Report) path(file string) string {
	file = printable(file, false)
	switch {
	case file == "" || strings.HasPrefix(file, "("):
		return ""
	case path.IsAbs(file):
		return file
	}
	return path.Join(r.Deployment.InRepository, file)
}

// place gives the first location of a finding that is in a file: its path as of
// Report.path, and the location; "" when there is none.
func (r *Report) place(f *Finding) (string, Location) {
	for _, l := range f.Locations {
		if p := r.path(l.File); p != "" {
			return p, l
		}
	}
	return "", Location{}
}

// somePlace is like place, for formats that want a file in any case: it then
// gives the compose file.
func (r *Report) somePlace(f *Finding) (string, Location) {
	if p, l := r.place(f); p != "" {
		return p, l
	}
	if len(r.Deployment.Files) > 0 {
		return r.path(r.Deployment.Files[0]), Location{}
	}
	return cmp.Or(r.Deployment.InRepository, "."), Location{}
}

// column gives the column of a location in characters, 0 when it is not known:
// behind a hidden secret it cannot be told.
func column(l Location) int {
	if l.Column <= 1 || l.Excerpt == "" {
		return max(l.Column, 0)
	}
	if l.Column-1 > len(l.Excerpt) || strings.Contains(l.Excerpt[:l.Column-1], "«") {
		return 0
	}
	return utf8.RuneCountInString(l.Excerpt[:l.Column-1]) + 1
}

// details gives what a finding says behind its title, a paragraph each.
func details(f *Finding) []string {
	var out []string
	add := func(label, text string) {
		if text != "" {
			out = append(out, label+text)
		}
	}
	if f.Message != f.Title {
		add("", f.Message)
	}
	for _, e := range f.Evidence {
		add("Log of "+e.Service+": ", e.Line)
	}
	add("Breaks: ", f.Consequence)
	add("Fix: ", f.Remedy)
	return out
}

// unchecked gives a line for each link that was not checked.
func (r *Report) unchecked() []string {
	var out []string
	for i := range r.Links {
		if l := &r.Links[i]; l.Status == "unchecked" {
			out = append(out, fmt.Sprintf("%s → %s: %s", l.From, l.To, cmp.Or(l.Message, l.Reason)))
		}
	}
	return out
}

// Totals gives the counts on one line, for people.
func (r *Report) Totals() string {
	s := r.Summary
	parts := []string{count(s.Errors, "error"), count(s.Warnings, "warning"), count(s.Infos, "info")}
	add := func(n int, text string) {
		if n > 0 {
			parts = append(parts, text)
		}
	}
	add(s.LinksOK, count(s.LinksOK, "link")+" ok")
	add(s.LinksBroken, count(s.LinksBroken, "link")+" broken")
	add(s.LinksSuppressed, fmt.Sprintf("%d of them accepted", s.LinksSuppressed))
	add(s.LinksUnchecked, count(s.LinksUnchecked, "link")+" not checked")
	add(s.Suppressed, count(s.Suppressed, "finding")+" suppressed")
	return strings.Join(parts, ", ")
}
