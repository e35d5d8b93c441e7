package report

import "strings"

// many is how often one thing must be found to be told as one story.
const many = 4

// findings writes the stories. A thing that is wrong in many places, and keeps
// no link from working by itself, is one story with many places.
func (p *printer) findings() {
	groups := map[string][]*Finding{}
	for i := range p.report.Findings {
		if f := &p.report.Findings[i]; p.root(f) && p.stands(f) {
			groups[groupKey(f)] = append(groups[groupKey(f)], f)
		}
	}
	told := map[string]bool{}
	for i := range p.report.Findings {
		f := &p.report.Findings[i]
		key := groupKey(f)
		switch group := groups[key]; {
		case !p.root(f):
		case len(group) < many || !p.stands(f):
			p.finding(f)
		case !told[key]:
			told[key] = true
			p.group(group)
		}
	}
}

func groupKey(f *Finding) string { return f.Severity + " " + f.ID + " " + f.Title }

// stands reports whether nothing follows from a finding that would be told with it.
func (p *printer) stands(f *Finding) bool {
	for i := range p.report.Findings {
		if c := p.report.Findings[i].Cause; c != nil && *c == f.Fingerprint {
			return false
		}
	}
	return f.Severity != "error" || len(p.victims(f)) == 0
}

// group writes one story with many places. What is the same for all is said once.
func (p *printer) group(fs []*Finding) {
	p.title(fs[0], len(fs))
	breaks, same := shared(fs, func(f *Finding) string { return f.Consequence })
	fix, sameFix := shared(fs, func(f *Finding) string { return f.Remedy })
	const inner = margin + margin
	for _, f := range fs {
		if len(f.Locations) > 0 {
			p.placeAndLine(margin, f.Locations[0])
		}
		p.said(inner, "", f.Message)
		p.said(inner, "also: ", otherPlaces(f.Locations))
		if !same {
			p.said(inner, "Breaks: ", f.Consequence)
		}
		if !sameFix {
			p.said(inner, "Fix: ", f.Remedy)
		}
	}
	if same {
		p.said(margin, "Breaks: ", breaks)
	}
	if sameFix {
		p.said(margin, "Fix: ", fix)
	}
	p.line("")
}

// said writes a paragraph, or nothing where there is no text.
func (p *printer) said(margin, label, text string) {
	if text == "" {
		return
	}
	paint := p.style.bold
	if label == "Fix: " {
		paint = p.style.green
	}
	p.paragraph(margin, label, paint, text)
}

// shared gives the sentence that all findings have in common.
func shared(fs []*Finding, sentence func(*Finding) string) (string, bool) {
	for _, f := range fs {
		if sentence(f) != sentence(fs[0]) {
			return "", false
		}
	}
	return sentence(fs[0]), true
}

// otherPlaces names the further places of a finding in one line.
func otherPlaces(ls []Location) string {
	var out []string
	for i, l := range ls {
		if i > 0 && i <= maxPlaces {
			out = append(out, place(l))
		}
	}
	if n := len(ls) - 1 - maxPlaces; n > 0 {
		out = append(out, count(n, "more place"))
	}
	return strings.Join(out, ", ")
}
