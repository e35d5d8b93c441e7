// Package diagnosis tells causes from consequences: which finding explains
// which failure, and which links cannot work because another one is down. It
// is pure: the same input gives the same story in every run.
package diagnosis

import (
	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Link is a link of the deployment and what became of it.
type Link struct {
	Edge     *kopano.Edge
	Result   checks.Result // Findings are those of the case, not read here
	Vantage  string        // where it was dialled from; "" when it was not
	Checked  bool          // whether there is a live check for it that was asked for
	Findings []string      // fingerprints: what was found about this link itself, then what it suffers from
}

// Incomplete reports whether the link has a live check, was meant to be checked,
// and was not. A check that finds nothing to look at (a link over a socket has
// no certificate) was not kept from looking.
func (l *Link) Incomplete() bool {
	return l.Checked && l.Result.Status == checks.Unchecked && l.Result.Reason != checks.ReasonNoCheck
}

// Case is what a run found, before and after the diagnosis.
type Case struct {
	Findings []finding.Finding // sealed
	Links    []Link            // in the order of the topology
	StopsAll []string          // IDs of the findings that keep everything from starting, such as what Compose refuses
}

// Diagnose sets the causes of the findings, marks the links that are blocked,
// attaches the findings to the links and puts each cause before its
// consequences. The findings must be sealed (finding.Seal).
func Diagnose(c Case) Case {
	g := newGraph(c)
	g.joinContainers()
	g.joinStatic()
	g.joinAlike()
	g.joinDependencies()
	g.attach()
	c.Findings = causesFirst(c)
	return c
}

// graph holds the case by its parts.
type graph struct {
	findings []finding.Finding
	links    []Link
	byEdge   map[string][]int // edge ID → findings that name it, in sealed order
	byPrint  map[string]int   // fingerprint → finding
	deps     [][]int          // link → the links that it depends on
	origin   map[int]int      // link → the broken link at the far end of its dependencies
	roots    map[int][]string // link → fingerprints of what keeps it from working, through its dependencies
}

func newGraph(c Case) *graph {
	g := &graph{findings: c.Findings, links: c.Links, byEdge: map[string][]int{}, byPrint: map[string]int{}, origin: map[int]int{}, roots: map[int][]string{}}
	for i := range c.Findings {
		g.byPrint[c.Findings[i].Fingerprint] = i
		for _, id := range c.Findings[i].Links {
			g.byEdge[id] = append(g.byEdge[id], i)
		}
	}
	g.deps = dependencies(c.Links)
	return g
}

// dependencies finds, for every link, the links of this deployment that its
// catalogue entry names under DependsOn. With several servers of one role,
// those that share a service with the link are meant.
func dependencies(links []Link) [][]int {
	byLink := map[string][]int{}
	for i := range links {
		id := links[i].Edge.Link.ID
		byLink[id] = append(byLink[id], i)
	}
	out := make([][]int, len(links))
	for i := range links {
		for _, id := range links[i].Edge.Link.DependsOn {
			out[i] = append(out[i], meant(links, i, byLink[id])...)
		}
	}
	return out
}

func meant(links []Link, i int, candidates []int) []int {
	var near []int
	for _, c := range candidates {
		if c != i && shareService(links[i].Edge, links[c].Edge) {
			near = append(near, c)
		}
	}
	if len(near) == 0 && len(candidates) == 1 && candidates[0] != i {
		return candidates
	}
	return near
}

func shareService(a, b *kopano.Edge) bool {
	same := func(x, y string) bool { return x != "" && x == y }
	return same(from(a), from(b)) || same(from(a), to(b)) || same(to(a), from(b)) || same(to(a), to(b))
}

func from(e *kopano.Edge) string {
	if e.From == nil {
		return ""
	}
	return e.From.Name
}

func to(e *kopano.Edge) string {
	if e.To == nil {
		return ""
	}
	return e.To.Name
}

// joinStatic lets the error in the files explain the failure seen on the wire
// of the same link. Where several errors could, the one that points to the
// same place does.
func (g *graph) joinStatic() {
	for i := range g.findings {
		live := &g.findings[i]
		if !seenOnTheWire(live) || live.Cause != "" {
			continue
		}
		if s := g.explanation(live); s >= 0 {
			live.Cause = g.findings[s].Fingerprint
		}
	}
}

func (g *graph) explanation(live *finding.Finding) int {
	best := -1
	for _, id := range live.Links {
		for _, s := range g.byEdge[id] {
			f := &g.findings[s]
			if f.Kind != finding.Static || f.Severity != finding.Error {
				continue
			}
			if samePlace(f, live) {
				return s
			}
			if best < 0 {
				best = s
			}
		}
	}
	return best
}

func samePlace(a, b *finding.Finding) bool {
	la, lb := a.First(), b.First()
	return !la.IsZero() && la.File == lb.File && la.Line == lb.Line
}
