package diagnosis

import (
	"fmt"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// joinContainers lets what is wrong with a container explain the failures of
// its links: a service that does not run is the cause, that nobody reaches it
// the consequence. It comes before every other explanation, since it was seen
// and not concluded.
func (g *graph) joinContainers() {
	for i := range g.links {
		l := &g.links[i]
		switch l.Result.Status {
		case checks.Broken:
			if cause := g.containerCause(l); cause != "" {
				g.follow(i, cause)
			}
		case checks.Unchecked:
			g.waitForContainer(l)
		}
	}
	g.joinUnhealthy()
}

// containerCause finds the container behind a broken link.
func (g *graph) containerCause(l *Link) string {
	for _, n := range g.byEdge[l.Edge.ID] {
		f := &g.findings[n]
		if f.Severity == finding.Error && explains(containerReason(f), f.Subject == to(l.Edge), l.Edge.From == nil, l.Result) {
			return f.Fingerprint
		}
	}
	return ""
}

// explains reports whether what is wrong with a container makes a link fail in
// this way. There tells that the container is the one that is called, published
// that it is called through a port of the host, where the engine accepts the
// connection and has nowhere to send it.
func explains(why checks.Reason, there, published bool, r checks.Result) bool {
	switch why {
	case checks.ReasonNoneRuns, checks.ReasonMostMissing:
		return !answered(r.Reason) // they name the links whose ends are missing
	case checks.ReasonNotCreated, checks.ReasonNotStarted, checks.ReasonExited, checks.ReasonOOM, checks.ReasonRestarting, checks.ReasonPaused, checks.ReasonLog:
		return there && !answered(r.Reason)
	case checks.ReasonNetworks:
		return r.Rung == checks.Resolve || r.Rung == checks.Dial || published && serverSide(r) == down
	case checks.ReasonEnvironment:
		// The check logs in with what the files say now, and directory and
		// database keep the passwords of their first start: to make the
		// container anew would not help.
		return r.Reason != checks.ReasonCredentials
	case checks.ReasonImage, checks.ReasonMounts:
		return true // they name only the links that they have a part in
	}
	return false
}

// answered: failures that somebody on the other end took part in.
func answered(r checks.Reason) bool { return ownFault(r) && r != checks.ReasonNoSuchHost }

// waitForContainer marks a link that could not be tried since an end of it does
// not run.
func (g *graph) waitForContainer(l *Link) {
	if l.Result.Reason != checks.ReasonNoRoute {
		return
	}
	for _, n := range g.byEdge[l.Edge.ID] {
		f := &g.findings[n]
		switch containerReason(f) {
		case checks.ReasonNoneRuns, checks.ReasonMostMissing:
			if f.Severity == finding.Error {
				l.Result.Reason = checks.ReasonBlocked
				l.Result.Message = "cannot work before both of its ends run"
				return
			}
		case checks.ReasonNotCreated, checks.ReasonNotStarted, checks.ReasonExited, checks.ReasonOOM, checks.ReasonRestarting:
			if f.Severity == finding.Error {
				l.Result.Reason = checks.ReasonBlocked
				l.Result.Message = fmt.Sprintf("cannot work before %s runs", f.Subject)
				return
			}
		}
	}
}

// joinUnhealthy makes a failing health check the consequence of the first link
// of its service that is broken: it mostly is the victim.
func (g *graph) joinUnhealthy() {
	for i := range g.findings {
		f := &g.findings[i]
		if containerReason(f) != checks.ReasonUnhealthy || f.Cause != "" {
			continue
		}
		f.Cause = g.firstFailureOf(f.Subject)
	}
}

// firstFailureOf gives the cause of the first broken link that begins at a
// service, "" when there is none.
func (g *graph) firstFailureOf(service string) string {
	for i := range g.links {
		if from(g.links[i].Edge) != service || g.links[i].Result.Status != checks.Broken {
			continue
		}
		for _, fp := range g.ownErrors(i) {
			return fp
		}
	}
	return ""
}

// containerReason gives the reason of a finding about a container, "" for others.
func containerReason(f *finding.Finding) checks.Reason {
	reason, ok := strings.CutPrefix(f.ID, checks.ContainerPrefix)
	if !ok {
		return ""
	}
	return checks.Reason(reason)
}
