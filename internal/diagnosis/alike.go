package diagnosis

import (
	"cmp"
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// joinAlike makes one story of what several callers see in the same way: a
// server that answers none of them is one fault, and so is a value in the
// files that two services read.
func (g *graph) joinAlike() {
	g.joinSamePlace()
	g.joinRefusedChange()
	g.joinNames()
	for _, group := range g.alike() {
		leader := g.leader(group)
		fp := g.firstOwn(leader)
		for _, i := range group {
			if i != leader {
				g.follow(i, fp)
			}
		}
	}
}

// joinSamePlace lets an error explain those of the same kind that point to the
// same line: one value that several services are given. That a container was
// started with the value before it is the consequence of what is wrong with it now.
func (g *graph) joinSamePlace() {
	static := g.staticPlaces()
	first := map[string]string{}
	for i := range g.findings {
		f := &g.findings[i]
		if f.Severity != finding.Error || f.Cause != "" || f.First().IsZero() {
			continue
		}
		switch why := containerReason(f); {
		case why == checks.ReasonEnvironment && static[line(f)] != "":
			f.Cause = static[line(f)]
			continue
		case why != "" && why != checks.ReasonEnvironment:
			continue
		}
		key := f.ID + "\x00" + line(f)
		if cause, ok := first[key]; ok {
			f.Cause = cause
			continue
		}
		first[key] = f.Fingerprint
	}
}

// joinRefusedChange: the files have a new password, which the other end
// refuses. That a container still runs with the old one is why nobody noticed.
func (g *graph) joinRefusedChange() {
	for i := range g.links {
		l := &g.links[i]
		cause := g.firstOwn(i)
		if l.Result.Reason != checks.ReasonCredentials || cause == "" {
			continue
		}
		for _, n := range g.byEdge[l.Edge.ID] {
			f := &g.findings[n]
			if containerReason(f) == checks.ReasonEnvironment && f.Cause == "" {
				f.Cause = cause
			}
		}
	}
}

// joinNames makes one story of a name that nobody can resolve: what explains it
// for one caller, explains it for all.
func (g *graph) joinNames() {
	members := map[string][]int{}
	var order []string
	for i := range g.links {
		l := &g.links[i]
		host := l.Edge.Addr.Host
		if l.Result.Status != checks.Broken || l.Result.Reason != checks.ReasonNoSuchHost || host == "" {
			continue
		}
		if members[host] == nil {
			order = append(order, host)
		}
		members[host] = append(members[host], i)
	}
	for _, host := range order {
		cause := ""
		for _, i := range members[host] {
			if cause = g.known(i); cause != "" {
				break
			}
		}
		if cause == "" {
			cause = g.firstOwn(g.leader(members[host]))
		}
		for _, i := range members[host] {
			g.follow(i, cause)
		}
	}
}

// known gives what explains the failure of a link already, "" when nothing does.
func (g *graph) known(i int) string {
	for _, n := range g.byEdge[g.links[i].Edge.ID] {
		if f := &g.findings[n]; seenOnTheWire(f) && f.Cause != "" {
			return f.Cause
		}
	}
	return ""
}

// staticPlaces gives the first error in the files for each line that has one.
func (g *graph) staticPlaces() map[string]string {
	out := map[string]string{}
	for i := range g.findings {
		f := &g.findings[i]
		if f.Kind == finding.Static && f.Severity == finding.Error && out[line(f)] == "" {
			out[line(f)] = f.Fingerprint
		}
	}
	return out
}

// line gives the place to change, as a key.
func line(f *finding.Finding) string {
	place := f.First()
	return fmt.Sprint(place.File, "\x00", place.Line)
}

// alike groups the links that fail alike at one server, and that nothing else
// explains. Every group has two members or more; the order is that of the links.
func (g *graph) alike() [][]int {
	lost := g.lostServers()
	members := map[string][]int{}
	var order []string
	for i := range g.links {
		l := &g.links[i]
		if l.Result.Status != checks.Broken || g.firstOwn(i) == "" {
			continue
		}
		class := serverSide(l.Result)
		if class == "" {
			continue
		}
		key := To(l.Edge) + "\x00" + class + "\x00" + door(l.Edge)
		if absent(class) && lost[To(l.Edge)] {
			key = To(l.Edge)
		}
		if members[key] == nil {
			order = append(order, key)
		}
		members[key] = append(members[key], i)
	}
	var out [][]int
	for _, key := range order {
		if len(members[key]) > 1 {
			out = append(out, members[key])
		}
	}
	return out
}

// lostServers gives the services that nobody gets a right answer from, at any
// of their ports.
func (g *graph) lostServers() map[string]bool {
	answers, lost := map[string]bool{}, map[string]bool{}
	for i := range g.links {
		l := &g.links[i]
		switch {
		case l.Edge.Protocol == kopano.ProtoFile || l.Edge.Protocol == kopano.ProtoLocal || l.Result.Status == checks.Unchecked:
		case absent(serverSide(l.Result)):
			lost[To(l.Edge)] = true
		default:
			answers[To(l.Edge)] = true
		}
	}
	for s := range answers {
		delete(lost, s)
	}
	return lost
}

// The classes of failures in which the server that should be there takes no part.
const (
	down    = "down"
	another = "another server"
)

func absent(class string) bool { return class == down || class == another }

// serverSide gives what a failure says of the server, "" when it may well be
// the caller's own fault, such as a wrong password.
func serverSide(r checks.Result) string {
	if r.Status != checks.Broken {
		return ""
	}
	switch r.Reason {
	case checks.ReasonRefused, checks.ReasonTimeout, checks.ReasonUnreachable, checks.ReasonClosed, checks.ReasonSilent:
		return down
	case checks.ReasonWrongServer, checks.ReasonNotSMTP, checks.ReasonPlainOnTLS, checks.ReasonTLSOnPlain:
		return another
	case checks.ReasonNoSocket, checks.ReasonStaleSocket:
		return string(r.Reason)
	case checks.ReasonCredentials, checks.ReasonNoSuchHost, checks.ReasonResolver, checks.ReasonNone:
		return ""
	}
	switch r.Rung {
	case checks.Dial, checks.TLS, checks.Greet:
		return string(r.Reason)
	}
	switch r.Reason {
	case checks.ReasonNoUsers, checks.ReasonLookup, checks.ReasonWrongCA:
		return string(r.Reason)
	}
	return ""
}

// door is where a link knocks at its server: a port, or a socket. What shares
// files shares one door.
func door(e *kopano.Edge) string {
	if e.Addr.Host == "" {
		return string(e.Protocol)
	}
	return fmt.Sprint(cmp.Or(e.Target, e.Addr.Port))
}

// firstOwn gives the first live error about a link that nothing explains yet.
func (g *graph) firstOwn(i int) string {
	for _, n := range g.byEdge[g.links[i].Edge.ID] {
		if f := &g.findings[n]; seenOnTheWire(f) && f.Cause == "" {
			return f.Fingerprint
		}
	}
	return ""
}

// leader is the link whose words tell the fault best: the check that is about
// certificates where one is wrong, else the one that most others need, and one
// from within the deployment before one through a published port.
func (g *graph) leader(group []int) int {
	best, most := group[0], -1
	for _, i := range group {
		weight := 2 * g.dependents(i)
		if g.links[i].Edge.From != nil {
			weight++
		}
		if g.links[i].Result.Rung == checks.TLS && g.links[i].Edge.Link.ID == "client-web" {
			weight += 2 * len(g.links)
		}
		if weight > most {
			best, most = i, weight
		}
	}
	return best
}

// dependents counts the links that name this one as needed.
func (g *graph) dependents(i int) int {
	n := 0
	for _, deps := range g.deps {
		for _, d := range deps {
			if d == i {
				n++
			}
		}
	}
	return n
}

// follow makes the live errors of a link consequences of a finding.
func (g *graph) follow(i int, cause string) {
	for _, n := range g.byEdge[g.links[i].Edge.ID] {
		if f := &g.findings[n]; seenOnTheWire(f) && f.Cause == "" && f.Fingerprint != cause {
			f.Cause = cause
		}
	}
}

// seenOnTheWire tells the errors that a check of a link found from those about
// files and about containers.
func seenOnTheWire(f *finding.Finding) bool {
	return f.Kind == finding.Live && f.Severity == finding.Error && containerReason(f) == ""
}
