package report

import (
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// WatchSchema names the version of the lines of `check --watch --format json`.
const WatchSchema = "kopano-doctor/watch/v1"

// Changes is in what a report is another one than the report before.
type Changes struct {
	New   []Finding    `json:"new"`   // findings that were not there before, or not as severe
	Gone  []Finding    `json:"gone"`  // findings that are not there any more, as they were
	Links []LinkChange `json:"links"` // links with another state or reason
}

// LinkChange is a link that is in another state than before.
type LinkChange struct {
	Link   Link   `json:"link"`   // as it is now; as it was when it is gone
	Before string `json:"before"` // ok, broken, unchecked; "" when there was no such link
	Gone   bool   `json:"gone"`   // there is no such link any more
}

// Compare gives what has changed. A finding is the same when its fingerprint is:
// moved lines and other words of a server are no change.
func Compare(before, after *Report) Changes {
	c := Changes{New: []Finding{}, Gone: []Finding{}, Links: []LinkChange{}}
	was, is := byFingerprint(before.Findings), byFingerprint(after.Findings)
	for _, f := range after.Findings {
		if old, ok := was[f.Fingerprint]; !ok || old.Severity != f.Severity {
			c.New = append(c.New, f)
		}
	}
	for _, f := range before.Findings {
		if _, ok := is[f.Fingerprint]; !ok {
			c.Gone = append(c.Gone, f)
		}
	}
	links := map[string]Link{}
	for _, l := range before.Links {
		links[l.ID] = l
	}
	for _, l := range after.Links {
		if old := links[l.ID]; old.Status != l.Status || old.Reason != l.Reason {
			c.Links = append(c.Links, LinkChange{Link: l, Before: old.Status})
		}
		delete(links, l.ID)
	}
	for _, l := range before.Links {
		if _, left := links[l.ID]; left {
			c.Links = append(c.Links, LinkChange{Link: l, Before: l.Status, Gone: true})
		}
	}
	return c
}

func byFingerprint(fs []Finding) map[string]Finding {
	out := map[string]Finding{}
	for _, f := range fs {
		out[f.Fingerprint] = f
	}
	return out
}

// None reports whether nothing has changed.
func (c Changes) None() bool { return len(c.New)+len(c.Gone)+len(c.Links) == 0 }

// ChangesText writes what has changed, for a person; r is the report as it is now.
func ChangesText(w io.Writer, at time.Time, c Changes, r *Report, o TextOptions) error {
	p := &printer{report: r, style: newStyle(o)}
	p.line("")
	p.line("%s", p.style.bold.Sprint(at.Format(time.DateTime)+"  "+c.count()))
	for i := range c.New {
		p.newFinding(&c, &c.New[i])
	}
	for i := range c.Gone {
		f := &c.Gone[i]
		p.paragraph(margin, p.style.okSymbol+" ", p.style.green, fmt.Sprintf("gone: %s: %s [%s], %s", f.Severity, f.Title, f.ID, f.Subject))
	}
	p.changedLinks(c.Links)
	p.paragraph("", "", nil, "now: "+r.tally())
	_, err := w.Write(p.out.Bytes())
	return err
}

func (c Changes) count() string {
	var parts []string
	for _, one := range []struct {
		n    int
		what string
	}{{len(c.New), "new finding"}, {len(c.Gone), "finding"}, {len(c.Links), "link"}} {
		if one.n == 0 {
			continue
		}
		text := count(one.n, one.what)
		switch one.what {
		case "finding":
			text += " gone"
		case "link":
			text += " changed"
		}
		parts = append(parts, text)
	}
	if len(parts) == 0 {
		return "as before"
	}
	return strings.Join(parts, ", ")
}

// newFinding writes a new finding in full, unless it follows from another: then
// it is told there, when that is new too, or in one line.
func (p *printer) newFinding(c *Changes, f *Finding) {
	if p.root(f) {
		p.line("")
		p.finding(f)
		return
	}
	cause := p.byPrint(*f.Cause)
	if slices.ContainsFunc(c.New, func(n Finding) bool { return n.Fingerprint == cause.Fingerprint }) {
		return
	}
	p.paragraph(margin, "", nil, fmt.Sprintf("%s: %s [%s]; it follows from: %s", f.Severity, f.Title, f.ID, cause.Title))
}

// changedLinks writes a line for each link. Those that became the same in the
// same way, for the same reason, share one when they are many.
func (p *printer) changedLinks(links []LinkChange) {
	groups, order := map[string][]*LinkChange{}, []string{}
	for i := range links {
		l := &links[i]
		key := strings.Join([]string{l.Before, l.Link.Status, l.Link.Reason, l.Link.Message, fmt.Sprint(l.Gone)}, "\x00")
		if l.Link.Status != "unchecked" || l.Gone {
			key += "\x00" + l.Link.ID
		}
		if groups[key] == nil {
			order = append(order, key)
		}
		groups[key] = append(groups[key], l)
	}
	for _, key := range order {
		p.changedGroup(groups[key])
	}
}

func (p *printer) changedGroup(group []*LinkChange) {
	symbol, paint := p.style.uncheckedSymbol, p.style.faint
	l := group[0]
	switch {
	case l.Gone:
	case l.Link.Status == "ok":
		symbol, paint = p.style.okSymbol, p.style.green
	case l.Link.Status == "broken":
		symbol, paint = p.style.brokenSymbol, p.style.red
	}
	for len(group) > 0 {
		n := 1
		if len(group) > few {
			n = len(group)
		}
		var names []string
		for _, one := range group[:min(n, maxNames)] {
			names = append(names, ends(&one.Link))
		}
		text := strings.Join(names, ", ")
		if n > maxNames {
			text += fmt.Sprintf(" and %d more", n-maxNames)
		}
		p.hanging(margin, margin+"    ", symbol+" ", paint, text+": "+p.became(l))
		group = group[n:]
	}
}

func (p *printer) became(l *LinkChange) string {
	text := p.why(&l.Link)
	switch {
	case l.Gone:
		return "there is no such link any more"
	case l.Link.Status == "ok":
		text = "ok, " + text
	}
	words := map[string]string{"ok": "it was ok", "broken": "it was broken", "unchecked": "it was not checked", "": "it is new"}
	return strings.TrimSuffix(text, ".") + " (" + words[l.Before] + ")"
}

// WatchLine is one line of `check --watch --format json`.
type WatchLine struct {
	Schema string  `json:"schema"`
	At     string  `json:"at"`     // RFC 3339
	Event  string  `json:"event"`  // report: the first one; change; error: the files or settings cannot be read
	Report *Report `json:"report"` // of the first line; null in all others
	*Changes
	Summary  *Summary `json:"summary,omitempty"`   // as of now; not with error
	ExitCode *int     `json:"exit_code,omitempty"` // that check would have now; not with error
	Error    string   `json:"error,omitempty"`
}

// Write writes the line.
func (l WatchLine) Write(w io.Writer) error {
	l.Schema = WatchSchema
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	return e.Encode(l)
}
