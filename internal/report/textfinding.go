package report

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

const (
	margin    = "  "
	maxPlaces = 6  // places of one finding that are shown
	maxNames  = 10 // links that are named in one sentence
)

// finding writes one story: the cause, its place, what follows from it, the cure.
func (p *printer) finding(f *Finding) {
	p.title(f, 1)
	if len(f.Locations) > 0 {
		p.fixPlace(f.Locations[0])
	} else if f.Subject != "" {
		p.paragraph(margin, "", nil, f.Subject)
	}
	if f.Message != "" && f.Message != f.Title {
		p.paragraph(margin, "", nil, f.Message)
	}
	p.chain(f.Locations)
	if f.Consequence != "" {
		p.paragraph(margin, "Breaks: ", p.style.bold, f.Consequence)
	}
	p.consequences(f)
	p.evidence(f)
	if f.Remedy != "" {
		p.paragraph(margin, "Fix: ", p.style.green, f.Remedy)
	}
	p.line("")
}

// title writes "error: title [id]", and how often it was found.
func (p *printer) title(f *Finding, times int) {
	paint := p.style.severity(f.Severity)
	label := f.Severity + ": "
	id := "[" + f.ID + "]"
	text := p.text(f.Title) + " " + id
	if times > 1 {
		text += fmt.Sprintf(", %d times", times)
	}
	for i, l := range wrap(text, label, margin, textWidth) {
		if i == 0 {
			l = paint.Sprint(label) + strings.TrimPrefix(l, label)
		}
		p.line("%s", strings.Replace(l, id, p.style.faint.Sprint(id), 1))
	}
}

// fixPlace writes the place to change, with its line and a caret.
func (p *printer) fixPlace(l Location) {
	p.line("%s%s", margin, p.style.bold.Sprint(place(l)))
	if l.Excerpt == "" {
		return
	}
	gutter := fmt.Sprintf("%5d ", l.Line) + p.style.edge + " "
	source, caret := crop(p.text(l.Excerpt), l.Column, textWidth-cells(gutter), p.text("…"))
	p.line("%s%s", p.style.faint.Sprint(gutter), source)
	if caret >= 0 {
		blank := strings.Repeat(" ", 6) + p.style.edge + " "
		p.line("%s%s%s", p.style.faint.Sprint(blank), strings.Repeat(" ", caret), p.style.green.Sprint("^"))
	}
}

// chain writes where the value came from, in the order of the finding.
func (p *printer) chain(places []Location) {
	if len(places) < 2 {
		return
	}
	shown := places[1:]
	for _, l := range shown[:min(len(shown), maxPlaces)] {
		p.chainPlace(l)
	}
	if n := len(shown) - maxPlaces; n > 0 {
		p.line("%s%-13s%s", margin, "", count(n, "more place"))
	}
}

// chainPlace writes one place of the chain.
func (p *printer) chainPlace(l Location) {
	label := margin + fmt.Sprintf("%-13s", chainLabel(l.Role))
	if cells(label+place(l)) > textWidth {
		p.line("%s", label)
		label = margin + margin
	}
	p.placeAndLine(label, l)
}

// placeAndLine writes a place behind a label and its line beside it where
// there is room, else below it.
func (p *printer) placeAndLine(label string, l Location) {
	head := label + place(l)
	source := strings.TrimSpace(p.text(l.Excerpt))
	room := textWidth - cells(head) - 2
	if source == "" {
		p.line("%s", head)
		return
	}
	if room >= min(20, cells(source)) {
		source, _ = crop(source, 0, room, p.text("…"))
		p.line("%s  %s", head, p.style.faint.Sprint(source))
		return
	}
	below := strings.Repeat(" ", cells(label))
	source, _ = crop(source, 0, textWidth-cells(below), p.text("…"))
	p.line("%s", head)
	p.line("%s%s", below, p.style.faint.Sprint(source))
}

func chainLabel(role string) string {
	switch finding.Role(role) {
	case finding.Origin:
		return "by way of"
	case finding.Overridden:
		return "overrides"
	case finding.Fix:
		return "also"
	}
	return "see also"
}

// place gives "file:line:column".
func place(l Location) string {
	return finding.Location{File: l.File, Line: l.Line, Column: l.Column}.String()
}

// consequences writes what was seen to follow from a finding: other findings,
// and the links that cannot work.
func (p *printer) consequences(f *Finding) {
	var order []string
	times := map[string]int{}
	p.collectConsequences(f, func(text string) {
		if times[text]++; times[text] == 1 {
			order = append(order, text)
		}
	})
	for _, text := range order {
		if n := times[text]; n > 1 {
			text += fmt.Sprintf(", %d times", n)
		}
		p.paragraph(margin, "Seen: ", p.style.bold, text)
	}
	if f.Severity != "error" || f.Cause != nil {
		return
	}
	if names := p.victims(f); len(names) > 0 {
		p.paragraph(margin, "Therefore: ", p.style.bold, therefore(names))
	}
}

// collectConsequences tells of every finding that follows from f, and of those
// that follow from them. What several links say alike is told for each.
func (p *printer) collectConsequences(f *Finding, tell func(string)) {
	for i := range p.report.Findings {
		c := &p.report.Findings[i]
		if c.Cause == nil || *c.Cause != f.Fingerprint || c == f {
			continue
		}
		text := c.Title
		if c.Kind == "static" && c.Message != "" && c.Message != c.Title { // what was seen stands at its link
			text += ": " + c.Message
		}
		tell(fmt.Sprintf("%s [%s]", text, c.ID))
		p.collectConsequences(c, tell)
	}
}

// victims gives the links that do not work because of a finding, but not the
// one link that the finding is about anyway.
func (p *printer) victims(f *Finding) []string {
	var names []string
	for i := range p.report.Links {
		l := &p.report.Links[i]
		if l.Status != "ok" && slices.Contains(l.Findings, f.Fingerprint) {
			names = append(names, p.linkName(l))
		}
	}
	if len(names) == 1 && strings.HasPrefix(names[0], strings.ReplaceAll(f.Subject, " ", tie)) {
		return nil
	}
	return names
}

func therefore(names []string) string {
	named := strings.Join(names[:min(len(names), maxNames)], ", ")
	if n := len(names) - maxNames; n > 0 {
		named += fmt.Sprintf(" and %d more", n)
	}
	if len(names) == 1 {
		return "1 link cannot work: " + named
	}
	return fmt.Sprintf("%d links cannot work: %s", len(names), named)
}
