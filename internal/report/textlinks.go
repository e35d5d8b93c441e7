package report

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/depmap"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// few is how many links that need no line of their own get one all the same.
const few = 3

// links writes a line per link that is broken or was not checked, and one per
// group of those that work.
func (p *printer) links() {
	if len(p.report.Links) == 0 {
		return
	}
	p.line("%s", p.style.bold.Sprint("Links"))
	if p.verbose {
		p.each("broken")
		p.each("ok")
	} else {
		p.broken()
		p.working()
	}
	p.unchecked()
	p.line("")
}

// each writes a line for each link of a status.
func (p *printer) each(status string) {
	for i := range p.report.Links {
		if l := &p.report.Links[i]; l.Status == status {
			p.link(l)
		}
	}
}

// broken writes a line for each link that is broken by itself, and counts those
// that are so because of something that stands above, when they are many.
func (p *printer) broken() {
	var following []*Link
	for i := range p.report.Links {
		switch l := &p.report.Links[i]; {
		case l.Status != "broken":
		case p.follows(l):
			following = append(following, l)
		default:
			p.link(l)
		}
	}
	if len(following) <= few {
		for _, l := range following {
			p.link(l)
		}
		return
	}
	p.hanging(margin, margin+"    ", p.style.brokenSymbol+" ", p.style.red,
		fmt.Sprintf("%d links are broken as a consequence, named above under Therefore; --verbose shows each", len(following)))
}

// follows reports whether all that was seen on a link has a cause elsewhere.
func (p *printer) follows(l *Link) bool {
	name := l.From + " → " + l.To
	own := 0
	for _, fp := range l.Findings {
		f := p.byPrint(fp)
		if f == nil || f.Severity != "error" || f.Kind != "live" || f.Subject != name {
			continue
		}
		if f.Cause == nil {
			return false
		}
		own++
	}
	return own > 0
}

// working writes a line for each group of links that work, by where they start:
// in a healthy deployment that is all there is to read.
func (p *printer) working() {
	roles := map[string]kopano.Role{}
	for _, s := range p.report.Services {
		roles[s.Name] = kopano.Role(s.Role)
	}
	groups := map[string][]*Link{}
	for i := range p.report.Links {
		l := &p.report.Links[i]
		if l.Status != "ok" {
			continue
		}
		role, known := roles[l.From]
		if !known {
			role = kopano.Client
		}
		group := depmap.GroupOf(role)
		groups[group] = append(groups[group], l)
	}
	for _, group := range depmap.Groups() {
		if links := groups[group]; len(links) > 0 {
			p.hanging(margin, margin+"    ", p.style.okSymbol+" ", p.style.green, group+": "+p.worked(links))
		}
	}
}

// worked counts links that work, and names the slowest of many.
func (p *printer) worked(links []*Link) string {
	if len(links) == 1 {
		return fmt.Sprintf("%s, %s", p.linkName(links[0]), duration(links[0].DurationMS))
	}
	slowest := links[0]
	for _, l := range links {
		if l.DurationMS > slowest.DurationMS {
			slowest = l
		}
	}
	return fmt.Sprintf("%d links work; the slowest is %s with %s", len(links), ends(slowest), duration(slowest.DurationMS))
}

func (p *printer) link(l *Link) {
	symbol, paint := p.style.uncheckedSymbol, p.style.faint
	switch l.Status {
	case "ok":
		symbol, paint = p.style.okSymbol, p.style.green
	case "broken":
		symbol, paint = p.style.brokenSymbol, p.style.red
	}
	p.hanging(margin, margin+"    ", symbol+" ", paint, ends(l)+": "+strings.Join(particulars(l), ", "))
	if why := p.why(l); why != "" {
		p.paragraph(margin+"    ", "", nil, why)
	}
}

// ends names the two ends of a link, in a form that no line break tears apart.
func ends(l *Link) string { return l.From + tie + "→" + tie + l.To }

// linkName names a link among others: its ends, and its protocol and address
// where the same ends have several links.
func (p *printer) linkName(l *Link) string {
	for i := range p.report.Links {
		other := &p.report.Links[i]
		if other != l && other.From == l.From && other.To == l.To {
			return ends(l) + tie + "(" + strings.TrimSpace(l.Protocol+tie+l.Address) + ")"
		}
	}
	return ends(l)
}

// particulars gives protocol, address, vantage and time, as far as known.
func particulars(l *Link) []string {
	first := strings.TrimSpace(l.Protocol + " " + l.Address)
	out := []string{first}
	if l.Vantage != "" {
		out = append(out, from(l.Vantage))
	}
	if l.Status != "unchecked" {
		out = append(out, duration(l.DurationMS))
	}
	return out
}

// from names a vantage as a person would.
func from(name string) string {
	switch name {
	case vantage.FromHost:
		return "from this host"
	case vantage.FromContainer:
		return "from its container"
	case vantage.FromHelper:
		return "from a helper beside it"
	case vantage.FromResolve:
		return "by --resolve"
	}
	return "from " + name
}

func (p *printer) why(l *Link) string {
	switch l.Status {
	case "ok":
		return l.Message
	case "broken":
		why := strings.TrimSuffix(fmt.Sprintf("broken at %s (%s): %s", l.Rung, l.Reason, l.Message), ": ")
		if l.Suppressed {
			why = strings.TrimSuffix(why, ".") + "; known and accepted"
		}
		return why
	}
	return "not checked: " + l.Message
}

// unchecked writes the links that were not checked; those with one and the
// same reason share a line when they are many.
func (p *printer) unchecked() {
	var reasons []string
	groups := map[string][]*Link{}
	for i := range p.report.Links {
		l := &p.report.Links[i]
		if l.Status != "unchecked" {
			continue
		}
		key := l.Reason + "\x00" + l.Message
		if groups[key] == nil {
			reasons = append(reasons, key)
		}
		groups[key] = append(groups[key], l)
	}
	for _, key := range reasons {
		p.uncheckedGroup(groups[key])
	}
}

func (p *printer) uncheckedGroup(ls []*Link) {
	if ls[0].Reason == "offline" {
		text := fmt.Sprintf("%s not checked (--offline)", count(len(ls), "link"))
		if n := p.hopeless(ls); n > 0 {
			text += fmt.Sprintf("; %d of them cannot work as written, see above", n)
		}
		p.hanging(margin, margin+"    ", p.style.uncheckedSymbol+" ", p.style.faint, text)
		return
	}
	if len(ls) <= few {
		for _, l := range ls {
			p.link(l)
		}
		return
	}
	var names []string
	for _, l := range ls {
		names = append(names, p.linkName(l))
	}
	p.hanging(margin, margin+"    ", p.style.uncheckedSymbol+" ", p.style.faint, fmt.Sprintf("%d links not checked: %s", len(ls), ls[0].Message))
	p.paragraph(margin+"    ", "", nil, strings.Join(names, ", "))
}

// hopeless counts the links that an error keeps from working.
func (p *printer) hopeless(ls []*Link) int {
	n := 0
	for _, l := range ls {
		if slices.ContainsFunc(l.Findings, func(fp string) bool {
			f := p.byPrint(fp)
			return f != nil && f.Severity == "error"
		}) {
			n++
		}
	}
	return n
}

// unknownServices names what the catalogue does not know, since nothing was
// looked at there.
func (p *printer) unknownServices() {
	var names []string
	for _, s := range p.report.Services {
		if s.Role == "" {
			names = append(names, s.Name)
		}
	}
	if len(names) > 0 {
		p.paragraph("", "", nil, "Not part of Kopano as far as known, so not looked at: "+strings.Join(names, ", "))
		p.line("")
	}
}

// totals writes the counts and the verdict.
func (p *printer) totals() {
	s := p.report.Summary
	if len(p.report.Findings) > 0 {
		p.line("%s", p.style.faint.Sprint("kopano-doctor explain ID says more of a finding; its ID is in brackets."))
	}
	p.paragraph("", "", nil, p.report.tally()+"; "+duration(p.report.DurationMS))
	verdict, paint := p.report.verdict(), p.style.green
	switch {
	case s.Errors+s.LinksBroken-s.LinksSuppressed > 0:
		paint = p.style.red
	case s.Warnings > 0 || p.report.missed() > 0:
		paint = p.style.yellow
	}
	for _, l := range wrap(p.text(verdict), "", "", textWidth) {
		p.line("%s", paint.Sprint(l))
	}
}

// tally counts the findings and the links.
func (r *Report) tally() string {
	s := r.Summary
	text := fmt.Sprintf("%s, %s, %s", count(s.Errors, "error"), count(s.Warnings, "warning"), count(s.Infos, "info"))
	if s.Suppressed > 0 {
		text += fmt.Sprintf(", %d suppressed", s.Suppressed)
	}
	return text + fmt.Sprintf("; links: %d ok, %d broken, %d not checked", s.LinksOK, s.LinksBroken, s.LinksUnchecked)
}

// verdict says in one sentence what the report comes to.
func (r *Report) verdict() string {
	s := r.Summary
	missed, none := r.missed(), "No error was found"
	if s.Suppressed > 0 {
		none = "No error was found beside what is suppressed"
	}
	switch {
	case s.Errors > 0:
		return "This deployment needs repair: start with the first error above."
	case s.LinksBroken > s.LinksSuppressed:
		return "This deployment needs repair: see the broken links above."
	case missed > 0:
		return fmt.Sprintf("%s, but %s could not be checked: that is no clean bill of health.", none, count(missed, "link"))
	case s.LinksBroken > 0:
		return fmt.Sprintf("No error was found beside what is known and accepted: %s.", count(s.LinksBroken, "broken link"))
	case s.LinksOK == 0 && s.LinksUnchecked > 0:
		return strings.Replace(none, "found", "found in the files", 1) + "; whether the links work was not tried."
	case s.Warnings > 0:
		return none + "; the warnings above deserve a look."
	}
	return none + "."
}

// missed counts the links that were to be checked and could not be.
func (r *Report) missed() int {
	n := 0
	for _, l := range r.Links {
		if l.Status == "unchecked" && l.Reason != "offline" && l.Reason != "no-check" {
			n++
		}
	}
	return n
}

func duration(ms int64) string {
	if ms < 1000 {
		return fmt.Sprintf("%d ms", ms)
	}
	return fmt.Sprintf("%.1f s", (time.Duration(ms) * time.Millisecond).Seconds())
}
