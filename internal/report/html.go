package report

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/depmap"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/webpage"
)

//go:embed html.tmpl
var htmlSource string

// The functions see to it that no text of a file or a server has anything in it
// that is not printed; html/template makes all of it text.
var htmlTemplate = template.Must(template.New("report").Funcs(template.FuncMap{
	"line":  func(s string) string { return printable(s, false) },
	"text":  func(s string) string { return strings.TrimSpace(printable(s, true)) },
	"place": func(l Location) string { return printable(place(l), false) },
	"label": chainLabel,
	"ago":   ago,
	"time":  duration,
	"mark":  markSource,
	"count": count,
}).Parse(htmlSource))

// HTML writes the report as one page: the verdict and the causes, the map, the
// findings with what follows from each, then links, services, and what was not
// looked at. It loads nothing, runs no script, and can be printed.
func HTML(w io.Writer, r *Report) error {
	p := &htmlPage{Report: r, printer: &printer{report: r}, Policy: webpage.Policy, Style: template.CSS(webpage.Style + depmap.Style)}
	p.tell()
	p.Headline, p.Lead, p.Tone = p.verdict()
	if len(r.Services)+len(r.Links) > 0 {
		figure, err := depmap.Figure(r.linkedMap(r.tried(), true))
		if err != nil {
			return err
		}
		p.Map = figure
	}
	return htmlTemplate.Execute(w, p)
}

// htmlPage is the report as the page tells it.
type htmlPage struct {
	*Report
	printer *printer

	Policy               string
	Style                template.CSS
	Headline, Lead, Tone string
	Map                  template.HTML
	Parts                []htmlPart // the stories by severity
}

// htmlPart is the stories of one severity.
type htmlPart struct {
	Title, Severity string
	Stories         []*htmlStory
}

// htmlStory is a cause with what follows from it, or one thing found in many
// places.
type htmlStory struct {
	Finding
	Anchor string
	Page   string // that explains the ID; "" for none
	Chain  []Location
	More   []Finding // the same in other places
	Seen   []htmlSeen
	Links  []htmlLink // that cannot work because of it
}

// htmlSeen is a finding that follows from another, and how often.
type htmlSeen struct {
	Finding
	Times int
}

// htmlLink is a link and its place on the page.
type htmlLink struct {
	*Link
	Anchor string
	State  depmap.State
}

// tell makes the stories, in the order of the text: see printer.findings.
func (p *htmlPage) tell() {
	parts := []htmlPart{{"Errors", "error", nil}, {"Warnings", "warning", nil}, {"Worth knowing", "info", nil}}
	add := func(s *htmlStory) {
		s.Anchor = fmt.Sprintf("finding-%d", len(parts[0].Stories)+len(parts[1].Stories)+len(parts[2].Stories)+1)
		i := max(0, slices.IndexFunc(parts, func(h htmlPart) bool { return h.Severity == s.Severity }))
		parts[i].Stories = append(parts[i].Stories, s)
	}
	groups := map[string]*htmlStory{}
	counts := map[string]int{}
	stands := func(f *Finding) bool { return p.printer.root(f) && p.printer.stands(f) }
	for i := range p.Findings {
		if f := &p.Findings[i]; stands(f) {
			counts[groupKey(f)]++
		}
	}
	for i := range p.Findings {
		f := &p.Findings[i]
		switch key := groupKey(f); {
		case !p.printer.root(f):
		case counts[key] < many || !stands(f):
			add(p.story(f))
		case groups[key] != nil:
			groups[key].More = append(groups[key].More, *f)
		default:
			groups[key] = p.story(f)
			add(groups[key])
		}
	}
	for _, f := range p.lonelyLinks() {
		add(p.story(&f))
	}
	for _, part := range parts {
		if len(part.Stories) > 0 {
			p.Parts = append(p.Parts, part)
		}
	}
}

func (p *htmlPage) story(f *Finding) *htmlStory {
	s := &htmlStory{Finding: *f, Page: p.page(f.ID)}
	if len(f.Locations) > 1 {
		s.Chain = f.Locations[1:]
	}
	at := map[string]int{}
	evidence := slices.Clone(f.Evidence)
	p.printer.walk(f, map[string]bool{}, func(c *Finding) {
		if c.Fingerprint == f.Fingerprint {
			return
		}
		evidence = append(evidence, c.Evidence...)
		key := c.ID + " " + c.Title
		if _, ok := at[key]; !ok {
			at[key] = len(s.Seen)
			s.Seen = append(s.Seen, htmlSeen{Finding: *c})
		}
		s.Seen[at[key]].Times++
	})
	s.Evidence = nil
	for _, e := range evidence {
		if !slices.Contains(s.Evidence, e) && len(s.Evidence) < maxLogLines {
			s.Evidence = append(s.Evidence, e)
		}
	}
	for i := range p.Report.Links {
		l := &p.Report.Links[i]
		if l.Status != "ok" && (slices.Contains(l.Findings, f.Fingerprint) && f.Severity == "error" || "link:"+l.ID == f.Fingerprint) {
			s.Links = append(s.Links, htmlLink{l, linkAnchor(i), stateOf(l)})
		}
	}
	return s
}

// Causes gives the stories that something is broken for.
func (p *htmlPage) Causes() []*htmlStory {
	for _, part := range p.Parts {
		if part.Severity == "error" {
			return part.Stories
		}
	}
	return nil
}

// First gives the causes that head the page, and Further counts the others.
func (p *htmlPage) First() []*htmlStory { return p.Causes()[:min(maxNames, len(p.Causes()))] }

// Further counts the causes that First leaves out.
func (p *htmlPage) Further() int { return len(p.Causes()) - len(p.First()) }

// verdict says what the report comes to: a headline, a sentence, a colour.
func (p *htmlPage) verdict() (headline, lead, tone string) {
	s, causes := p.Summary, len(p.Causes())
	down := s.LinksBroken - s.LinksSuppressed
	known := ""
	if s.Suppressed > 0 || s.LinksSuppressed > 0 {
		known = " beside what is suppressed"
	}
	switch missed := p.missed(); {
	case causes > 0 && p.tried() && down > 0:
		begin := "One thing is the cause."
		if causes > 1 {
			begin = fmt.Sprintf("Begin with the first of %d causes.", causes)
		}
		return "This deployment needs repair", fmt.Sprintf("%d of %s cannot work. %s", down+p.blocked(), count(len(p.Report.Links), "link"), begin), "error"
	case causes > 0:
		lead := were(causes, "error") + " found."
		if causes > 1 {
			lead += " Begin with the first."
		}
		return "This deployment needs repair", lead, "error"
	case missed > 0:
		return "No error was found" + known + ", but not everything could be checked",
			fmt.Sprintf("%s could not be checked: that is no clean bill of health.", count(missed, "link")), "warning"
	case s.LinksOK == 0 && s.LinksUnchecked > 0:
		return "No error was found in the files" + known, "Whether the links work was not tried.", "warning"
	case s.Warnings > 0:
		return "No error was found" + known, deserve(s) + " " + everyLink(s), "warning"
	}
	return "No error was found" + known, everyLink(s), "ok"
}

func were(n int, what string) string {
	if n == 1 {
		return "1 " + what + " was"
	}
	return count(n, what) + " were"
}

func deserve(s Summary) string {
	if s.Warnings == 1 {
		return "1 warning deserves a look."
	}
	return count(s.Warnings, "warning") + " deserve a look."
}

func everyLink(s Summary) string {
	if s.LinksOK == 0 || s.LinksBroken > 0 {
		return ""
	}
	return fmt.Sprintf("%s tried, and each works.", were(s.LinksOK, "link"))
}

// Blocked counts the links that cannot work before another one does.
func (p *htmlPage) Blocked() int { return p.blocked() }

// NotChecked counts the others that were not tried.
func (p *htmlPage) NotChecked() int { return p.Summary.LinksUnchecked - p.blocked() }

func (r *Report) blocked() int {
	n := 0
	for i := range r.Links {
		if stateOf(&r.Links[i]) == depmap.Blocked {
			n++
		}
	}
	return n
}

// LinkRows gives the links, those that do not work first.
func (p *htmlPage) LinkRows() []htmlLink {
	var out []htmlLink
	for i := range p.Report.Links {
		l := &p.Report.Links[i]
		out = append(out, htmlLink{l, linkAnchor(i), stateOf(l)})
	}
	rank := []depmap.State{depmap.Broken, depmap.Blocked, depmap.OK, depmap.NotChecked}
	slices.SortStableFunc(out, func(a, b htmlLink) int {
		return cmp.Compare(slices.Index(rank, a.State), slices.Index(rank, b.State))
	})
	return out
}

// Stories gives where the page tells of what is wrong with a link.
func (p *htmlPage) Stories(l *Link) []*htmlStory {
	var out []*htmlStory
	for _, part := range p.Parts {
		for _, s := range part.Stories {
			if slices.ContainsFunc(s.Links, func(other htmlLink) bool { return other.Link == l }) {
				out = append(out, s)
			}
		}
	}
	return out
}

// htmlRung is a step of the ladder that a check climbs.
type htmlRung struct{ Name, Class, Says string }

// Ladder gives the steps of a link's check; nil when it was not tried. Not every
// link has every step, so those below the last count as done or not needed.
func (l htmlLink) Ladder() []htmlRung {
	steps := []string{"resolve", "dial", "tls", "greet", "authenticate", "ask"}
	switch kopano.Protocol(l.Protocol) { // no name to find, and nobody encrypts
	case kopano.ProtoSocket, kopano.ProtoFile, kopano.ProtoDocker, kopano.ProtoLocal:
		steps = slices.DeleteFunc(steps, func(s string) bool { return (s == "resolve" || s == "tls") && s != l.Rung })
	}
	reached := slices.Index(steps, l.Rung)
	if reached < 0 || l.Status == "unchecked" {
		return nil
	}
	var out []htmlRung
	for i, s := range steps {
		switch {
		case i < reached || i == reached && l.Status == "ok":
			out = append(out, htmlRung{s, "done", "done or not needed"})
		case i == reached:
			out = append(out, htmlRung{s, "stop", "broken here"})
		default:
			out = append(out, htmlRung{s, "", "not reached"})
		}
	}
	return out
}

// TriedFrom says where a link was tried from.
func (l htmlLink) TriedFrom() string {
	if l.Vantage == "" {
		return ""
	}
	return from(l.Vantage)
}

// Class is the state as style.css has it.
func (l htmlLink) Class() string { return string(l.State) }

// Accepted reports whether the link is broken and does not count.
func (l htmlLink) Accepted() bool { return l.Suppressed }

// htmlService is a service, its place on the page, and the links from it.
type htmlService struct {
	Service
	Anchor, Does string
	Links        []htmlLink
}

// ServiceRows gives the services with what each calls.
func (p *htmlPage) ServiceRows() []htmlService {
	var out []htmlService
	for i, s := range p.Report.Services {
		row := htmlService{Service: s, Anchor: serviceAnchor(i), Does: "not part of Kopano as far as known, so not looked at"}
		if known := kopano.SystemOf(kopano.Role(s.Role)); known != nil {
			row.Does = known.Title
		}
		for k := range p.Report.Links {
			if l := &p.Report.Links[k]; l.From == s.Name {
				row.Links = append(row.Links, htmlLink{l, linkAnchor(k), stateOf(l)})
			}
		}
		out = append(out, row)
	}
	return out
}

// htmlReason is why links were not checked, and which.
type htmlReason struct {
	Why   string
	Links []htmlLink
}

// Unchecked gives what was not checked, by the reason.
func (p *htmlPage) Unchecked() []htmlReason {
	var out []htmlReason
	for i := range p.Report.Links {
		l := &p.Report.Links[i]
		if l.Status != "unchecked" || l.Reason == "blocked" {
			continue
		}
		why := cmp.Or(l.Message, l.Reason)
		at := slices.IndexFunc(out, func(r htmlReason) bool { return r.Why == why })
		if at < 0 {
			at, out = len(out), append(out, htmlReason{Why: why})
		}
		out[at].Links = append(out[at].Links, htmlLink{l, linkAnchor(i), stateOf(l)})
	}
	return out
}

// markSource cuts a source line where the wrong part begins.
func markSource(l Location) [2]string {
	text := printable(l.Excerpt, false)
	at := column(l) - 1
	runes := []rune(text)
	if at < 0 || at >= len(runes) {
		return [2]string{text, ""}
	}
	return [2]string{string(runes[:at]), string(runes[at:])}
}

// Because says why something is suppressed.
func (s Suppressed) Because() string { return suppressedBecause(&s) }

func serviceAnchor(i int) string { return fmt.Sprintf("service-%d", i+1) }
func linkAnchor(i int) string    { return fmt.Sprintf("link-%d", i+1) }
