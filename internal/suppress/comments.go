package suppress

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// comment is a directive in a file of the deployment.
type comment struct {
	directive
	at    finding.Location
	lines []int           // the lines of the file that it is about
	used  map[string]bool // IDs that matched a finding
}

// readComments finds the directives in the comments of the files.
func readComments(d *deployment.Deployment) []*comment {
	all := d.Comments()
	type line struct {
		file string
		n    int
	}
	alone := map[line]bool{}
	for _, c := range all {
		if c.Alone {
			alone[line{c.At.File, c.At.Line}] = true
		}
	}
	var out []*comment
	for _, c := range all {
		what, ok := parseDirective(c.Text)
		if !ok {
			continue
		}
		x := &comment{directive: what, at: c.At.As(finding.Fix), lines: []int{c.At.Line}, used: map[string]bool{}}
		if c.Alone {
			below := line{c.At.File, c.At.Line + 1}
			for alone[below] { // several comments may stand above one line
				below.n++
			}
			x.lines = append(x.lines, below.n)
		}
		out = append(out, x)
	}
	return out
}

// holds reports whether a comment suppresses anything: it can be read, says
// why, and has not expired.
func (c *comment) holds(now time.Time) bool {
	return c.bad == "" && c.reason != "" && !expired(c.until, now)
}

// alone reports whether a comment has its line to itself.
func (c *comment) alone() bool { return len(c.lines) > 1 }

// matchComments gives the first comment that suppresses a finding, nil for none.
func matchComments(comments []*comment, f *finding.Finding, now time.Time) *comment {
	var matched *comment
	for _, c := range comments {
		if c.holds(now) && slices.Contains(c.ids, f.ID) && c.beside(f) {
			c.used[f.ID], matched = true, cmp.Or(matched, c)
		}
	}
	return matched
}

// beside reports whether a place of the finding is in a line of the comment.
func (c *comment) beside(f *finding.Finding) bool {
	return slices.ContainsFunc(f.Locations, func(l finding.Location) bool {
		return counts(l) && l.File == c.at.File && slices.Contains(c.lines, l.Line)
	})
}

// live reports whether an ID is that of a check, which asks a running server.
func live(id string) bool { return strings.HasPrefix(id, "live-") }
