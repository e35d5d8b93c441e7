package report

import (
	"fmt"
	"time"
)

// maxLogLines is how many log lines one story shows.
const maxLogLines = 3

// evidence shows what the logs say about a story: the finding, and what
// follows from it. Each line is shown once.
func (p *printer) evidence(f *Finding) {
	shown := map[Evidence]bool{}
	p.walk(f, map[string]bool{}, func(f *Finding) {
		for _, e := range f.Evidence {
			if shown[e] || len(shown) == maxLogLines {
				continue
			}
			shown[e] = true
			p.paragraph(margin, fmt.Sprintf("The log of %s says%s: ", p.text(e.Service), ago(e)), p.style.bold, e.Line)
			if e.Means != "" {
				p.paragraph(margin+margin, "", nil, e.Means)
			}
		}
	})
}

// walk visits a finding and all that follows from it.
func (p *printer) walk(f *Finding, seen map[string]bool, visit func(*Finding)) {
	if seen[f.Fingerprint] {
		return
	}
	seen[f.Fingerprint] = true
	visit(f)
	for i := range p.report.Findings {
		if c := &p.report.Findings[i]; c.Cause != nil && *c.Cause == f.Fingerprint {
			p.walk(c, seen, visit)
		}
	}
}

// ago gives ", 2 minutes ago", or nothing when that is not known.
func ago(e Evidence) string {
	if e.Time == "" {
		return ""
	}
	switch d := time.Duration(e.AgeSeconds) * time.Second; {
	case d < time.Minute:
		return ", " + count(int(d.Seconds()), "second") + " ago"
	case d < time.Hour:
		return ", " + count(int(d.Minutes()), "minute") + " ago"
	case d < 48*time.Hour:
		return ", " + count(int(d.Hours()), "hour") + " ago"
	default:
		return ", " + count(int(d.Hours()/24), "day") + " ago"
	}
}
