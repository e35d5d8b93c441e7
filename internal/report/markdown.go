package report

import (
	"cmp"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// maxMarkdown bounds the whole text in bytes: GitHub drops a job summary of more
// than 1 MiB entirely.
const maxMarkdown = 1_000_000

// Markdown writes the report for a ticket or the summary of a job: the findings
// with their cures, then the links as a table.
func Markdown(w io.Writer, r *Report) error {
	var b strings.Builder
	fmt.Fprintf(&b, "# kopano-doctor: %s\n\n%s in `%s`, looked at by kopano-doctor %s: **%s**.\n",
		mdText(r.verdictWord()), mdText(r.Deployment.Project), mdCode(r.Deployment.Directory), mdText(r.Tool.Version), r.Totals())
	tail := r.markdownLinks() + r.markdownSuppressed()
	if len(tail) > maxMarkdown/2 {
		tail = fmt.Sprintf("\n%s and %s are too many to list here.\n", count(len(r.Links), "link"), count(len(r.Suppressed), "suppressed finding"))
	}
	left := 0
	for _, f := range r.problems() {
		part := r.markdownFinding(&f)
		if left > 0 || b.Len()+len(part)+len(tail) > maxMarkdown-200 { // room for the next sentence
			left++
			continue
		}
		b.WriteString(part)
	}
	if left > 0 {
		fmt.Fprintf(&b, "\n%s more: there is no room for more here. See the report as text or JSON.\n", count(left, "finding"))
	}
	b.WriteString(tail)
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) verdictWord() string {
	s := r.Summary
	switch {
	case s.Errors+s.LinksBroken-s.LinksSuppressed > 0:
		return "this deployment needs repair"
	case r.ExitCode == 2 || r.ExitCode == 3:
		return "no error was found, but not everything could be checked"
	}
	return "no error was found"
}

func (r *Report) markdownFinding(f *Finding) string {
	var b strings.Builder
	signs := map[string]string{"error": "❌", "warning": "⚠️", "info": "ℹ️"}
	fmt.Fprintf(&b, "\n## %s %s: %s\n\n`%s`", signs[f.Severity], f.Severity, mdText(f.Title), mdCode(f.ID))
	if page := r.page(f.ID); page != "" {
		fmt.Fprintf(&b, " ([what it means](%s))", page)
	}
	if f.Subject != "" {
		fmt.Fprintf(&b, ", about %s", mdText(f.Subject))
	}
	b.WriteString("\n")
	for _, l := range f.Locations[:min(len(f.Locations), maxPlaces+1)] {
		fmt.Fprintf(&b, "\n- `%s`", mdCode(place(l)))
		if excerpt := strings.TrimSpace(l.Excerpt); excerpt != "" {
			fmt.Fprintf(&b, ": `%s`", mdCode(excerpt))
		}
	}
	if len(f.Locations) > 0 {
		b.WriteString("\n")
	}
	if f.Message != f.Title && f.Message != "" {
		fmt.Fprintf(&b, "\n%s\n", mdLines(f.Message))
	}
	for _, e := range f.Evidence {
		fmt.Fprintf(&b, "\nLog of %s: `%s` %s\n", mdText(e.Service), mdCode(strings.TrimSpace(e.Line)), mdText(e.Means))
	}
	if f.Consequence != "" {
		fmt.Fprintf(&b, "\n**Breaks:** %s\n", mdLines(f.Consequence))
	}
	if f.Cause != nil {
		for i := range r.Findings {
			if c := &r.Findings[i]; c.Fingerprint == *f.Cause {
				fmt.Fprintf(&b, "\n**Because of:** %s (`%s`)\n", mdText(c.Title), mdCode(c.ID))
			}
		}
	}
	if f.Remedy != "" {
		fmt.Fprintf(&b, "\n**Fix:** %s\n", mdLines(f.Remedy))
	}
	return b.String()
}

// page gives the page that explains an ID, "" for none.
func (r *Report) page(id string) string {
	for _, rule := range r.Rules {
		if rule.ID == id {
			return rule.Page
		}
	}
	return ""
}

func (r *Report) markdownLinks() string {
	if len(r.Links) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n## Links\n\n| | from | to | protocol | address | what was seen |\n|---|---|---|---|---|---|\n")
	for i := range r.Links {
		l := &r.Links[i]
		state := map[string]string{"ok": "✅ ok", "broken": "❌ broken", "unchecked": "➖ not checked"}[l.Status]
		switch {
		case l.Suppressed:
			state = "❎ broken, accepted"
		case l.Reason == "blocked":
			state = "➖ blocked"
		}
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %s |\n", state,
			mdText(l.From), mdText(l.To), mdText(l.Protocol), mdText(l.Address), mdText(cmp.Or(l.Message, l.Reason)))
	}
	return b.String()
}

func (r *Report) markdownSuppressed() string {
	if len(r.Suppressed) == 0 {
		return ""
	}
	var b strings.Builder
	b.WriteString("\n## Suppressed\n\n| | finding | about | why |\n|---|---|---|---|\n")
	for i := range r.Suppressed {
		s := &r.Suppressed[i]
		fmt.Fprintf(&b, "| %s | %s (`%s`) | %s | %s |\n", s.Severity, mdText(s.Title), mdCode(s.ID), mdText(s.Subject), mdText(suppressedBecause(s)))
	}
	return b.String()
}

var (
	mdSigns = regexp.MustCompile("[\\\\`*_{}\\[\\]<>#|~&!$]")
	// What would call a person. A mark between keeps it from doing so, and is not seen.
	mdCall = regexp.MustCompile(`(^|[^\pL\pN])@([\pL\pN])`)
	// What would begin a list or a heading at the start of a line, or, in the
	// log of a GitHub workflow, a command.
	mdStart = regexp.MustCompile(`^(\s*)([-+=:]|\d+[.)])`)
)

// mdText writes s so that it reads as it is, on one line, also in a table.
func mdText(s string) string {
	s = mdSigns.ReplaceAllString(printable(s, false), `\$0`)
	s = mdCall.ReplaceAllString(s, "$1@&#8203;$2")
	return mdStart.ReplaceAllStringFunc(s, func(m string) string { return m[:len(m)-1] + `\` + m[len(m)-1:] })
}

// mdLines is mdText with the line breaks kept.
func mdLines(s string) string {
	lines := strings.Split(printable(s, true), "\n")
	for i, l := range lines {
		lines[i] = mdText(strings.TrimSpace(l))
	}
	return strings.TrimSpace(strings.Join(lines, "\\\n"))
}

// mdCode makes s the inside of a code span that stands in one pair of
// backticks. A backtick cannot stand in it, so an apostrophe takes its place.
func mdCode(s string) string { return strings.ReplaceAll(printable(s, false), "`", "'") }
