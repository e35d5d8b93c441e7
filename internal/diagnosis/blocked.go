package diagnosis

import (
	"fmt"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// state of a link while its dependencies are walked.
type state int

const (
	unseen state = iota
	walking
	done
)

// joinDependencies walks the links along their dependencies. A link that was
// not checked and depends on a broken one is blocked; the failure of a link
// that was checked is a consequence of the broken one, unless it has a cause
// of its own.
func (g *graph) joinDependencies() {
	states := make([]state, len(g.links))
	for i := range g.links {
		g.walk(i, states)
	}
}

func (g *graph) walk(i int, states []state) {
	if states[i] != unseen {
		return // done, or a circle in the catalogue: what is known so far has to do
	}
	states[i] = walking
	var first = -1
	for _, d := range g.deps[i] {
		g.walk(d, states)
		if g.wentThrough(i, d) {
			continue
		}
		causes := g.causesOf(d)
		if len(causes) == 0 && g.links[d].Result.Status != checks.Broken {
			continue
		}
		if first < 0 {
			first = g.broken(d)
		}
		for _, fp := range causes {
			if !slices.Contains(g.roots[i], fp) {
				g.roots[i] = append(g.roots[i], fp)
			}
		}
	}
	states[i] = done
	if first >= 0 {
		g.origin[i] = first
		g.suffer(i, first)
	}
}

// wentThrough reports whether link i is a login that was answered, so that the
// way of clients to it, link d, is no explanation: a password that is refused is
// not refused since the certificate before it is a bad one.
func (g *graph) wentThrough(i, d int) bool {
	login, way := &g.links[i], g.links[d].Edge
	return login.Edge.Link.Login && login.Result.Status == checks.Broken &&
		(login.Result.Rung == checks.Authenticate || login.Result.Rung == checks.Ask) && way.From == nil && !way.Link.Login
}

// broken gives the link at the far end: the one that link d itself waits for,
// or d when the fault is its own.
func (g *graph) broken(d int) int {
	if o, ok := g.origin[d]; ok && len(g.ownErrors(d)) == 0 {
		return o
	}
	return d
}

// causesOf gives the findings that keep link d from working: its own errors,
// each traced back to its cause, or those of the links it depends on. A link
// that was seen to work has none, whatever the files say.
func (g *graph) causesOf(d int) []string {
	if g.links[d].Result.Status == checks.OK {
		return nil
	}
	if out := g.ownErrors(d); len(out) > 0 {
		return out
	}
	return g.roots[d]
}

// ownErrors gives the errors found about link d, each traced back to its cause.
func (g *graph) ownErrors(d int) []string {
	var out []string
	for _, i := range g.byEdge[g.links[d].Edge.ID] {
		f := &g.findings[i]
		if f.Severity != finding.Error {
			continue
		}
		if root := g.root(f); !slices.Contains(out, root) {
			out = append(out, root)
		}
	}
	return out
}

// root follows the causes to their end; findings that cause each other in a
// circle stop it too.
func (g *graph) root(f *finding.Finding) string {
	for range len(g.findings) {
		next, ok := g.byPrint[f.Cause]
		if f.Cause == "" || !ok {
			break
		}
		f = &g.findings[next]
	}
	return f.Fingerprint
}

// suffer marks link i as a victim of link d.
func (g *graph) suffer(i, d int) {
	l := &g.links[i]
	switch l.Result.Status {
	case checks.Broken:
		g.blame(i)
	case checks.Unchecked:
		if l.Result.Reason == checks.ReasonOffline {
			return // nobody asked; the findings that it suffers from are attached all the same
		}
		l.Result.Reason = checks.ReasonBlocked
		l.Result.Message = fmt.Sprintf("cannot work before %s does", Name(g.links[d].Edge))
	}
}

// ownFault: failures that the other end itself has named, so that a broken
// link behind it is no explanation.
func ownFault(r checks.Reason) bool {
	switch r {
	case checks.ReasonCredentials, checks.ReasonNoSuchHost, checks.ReasonTLSName, checks.ReasonTLSExpired,
		checks.ReasonTLSNotYet, checks.ReasonTLSUnknown, checks.ReasonPlainOnTLS, checks.ReasonTLSOnPlain, checks.ReasonWrongServer,
		checks.ReasonAnotherSite, checks.ReasonRedirectLoop:
		return true
	}
	return false
}

// named: failures that look like a fault of their own, and that a cause of just
// that kind further away explains. The engine's name server forgets the names
// of a container that does not run or lost its network, and a server shows the
// certificate that its files have.
func (g *graph) named(l *Link, root string) bool {
	f := &g.findings[g.byPrint[root]]
	switch l.Result.Reason {
	case checks.ReasonNoSuchHost: // Through web it is web's name that is missing
		return containerReason(f) != "" || l.Edge.Link.Through != ""
	case checks.ReasonTLSName, checks.ReasonTLSExpired, checks.ReasonTLSNotYet, checks.ReasonTLSUnknown:
		return strings.HasPrefix(f.ID, "live-ssl-files-") || strings.HasPrefix(f.ID, "live-certificate-")
	}
	return false
}

// blame makes the failure of link i a consequence of what its dependencies
// suffer from, unless it has a cause of its own.
func (g *graph) blame(i int) {
	l, roots := &g.links[i], g.roots[i]
	if len(roots) == 0 || ownFault(l.Result.Reason) && !g.named(l, roots[0]) {
		return
	}
	for _, n := range g.byEdge[l.Edge.ID] {
		f := &g.findings[n]
		if f.Kind == finding.Live && f.Severity == finding.Error && f.Cause == "" && f.Fingerprint != roots[0] {
			f.Cause = roots[0]
		}
	}
}

// attach notes at each link the findings about it, and, where it does not
// work, the causes further away.
func (g *graph) attach() {
	for i := range g.links {
		l := &g.links[i]
		l.Findings = nil
		for _, f := range g.byEdge[l.Edge.ID] {
			l.Findings = append(l.Findings, g.findings[f].Fingerprint)
		}
		if l.Result.Status == checks.OK {
			continue
		}
		for _, fp := range g.roots[i] {
			if !slices.Contains(l.Findings, fp) {
				l.Findings = append(l.Findings, fp)
			}
		}
	}
}
