package doctor

import (
	"fmt"
	"slices"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
)

// UnknownName is what is wrong with a name of a link or service that was given.
type UnknownName struct {
	Name string
	Near string // what may be meant; "" when nothing is near
}

func (u UnknownName) Error() string {
	text := fmt.Sprintf("there is no service and no link %q in this deployment", u.Name)
	if u.Near != "" {
		return text + fmt.Sprintf("; did you mean %q?", u.Near)
	}
	return text
}

// interest is why a link is waited for.
type interest int

const (
	none   interest = iota // it is not: something that is waited for needs it
	among                  // everything is waited for
	calls                  // it leads to a service that is waited for
	needed                 // it begins at a service that is waited for
	named                  // its own name was given
)

// goals says which links are waited for, by their IDs.
type goals map[string]interest

// findGoals finds what the names mean: a link of this deployment by its ID, all
// links of one kind, a service, or all services of one role. Without names
// everything is meant.
func findGoals(t *kopano.Topology, names []string) (goals, error) {
	g := goals{}
	if len(names) == 0 {
		for _, e := range t.Edges {
			g.add(e, among)
		}
	}
	for _, name := range names {
		if !g.find(t, name) {
			near, _ := nearest.Of(name, goalNames(t))
			return nil, UnknownName{name, near}
		}
	}
	return g, nil
}

func (g goals) add(e *kopano.Edge, why interest) { g[e.ID] = max(g[e.ID], why) }

func (g goals) find(t *kopano.Topology, name string) bool {
	found := false
	for _, e := range t.Edges {
		if e.ID == name || e.Link.ID == name {
			g.add(e, named)
			found = true
		}
	}
	if found {
		return true
	}
	isService := slices.ContainsFunc(services(t), func(s string) bool { return s == name })
	for _, s := range t.Deployment.Services {
		if s.Name != name && (isService || name == "" || string(t.Role(s)) != name) {
			continue
		}
		found = true
		for _, e := range t.Edges {
			if e.To == s {
				g.add(e, calls)
			}
			if e.From == s {
				g.add(e, needed)
			}
		}
	}
	return found
}

func services(t *kopano.Topology) []string {
	var out []string
	for _, s := range t.Deployment.Services {
		out = append(out, s.Name)
	}
	return out
}

// goalNames gives every name that may be waited for, services first.
func goalNames(t *kopano.Topology) []string {
	out := services(t)
	for _, s := range t.Deployment.Services {
		if r := t.Role(s); r != kopano.Unknown {
			out = append(out, string(r))
		}
	}
	for _, e := range t.Edges {
		out = append(out, e.ID, e.Link.ID)
	}
	return out
}

// state is how far a link is that is waited for.
type state int

const (
	met    state = iota
	unmet        // it does not work yet
	unseen       // nobody can tell from here, and that will stay so
	waived       // it is not waited for
)

// judge says how far a link is. Eased are the links whose errors are suppressed.
func (g goals) judge(l *diagnosis.Link, s *engine.Snapshot, eased map[string]bool) state {
	why := g[l.Edge.ID]
	switch r := l.Result; {
	case why == none:
		return waived
	case r.Status == checks.OK:
		return met
	case r.Status == checks.Broken:
		if eased[l.Edge.ID] && why != named {
			return waived
		}
		return unmet
	case r.Reason == checks.ReasonNoCheck:
		// There is no check, or nothing to look at in this deployment.
		if why == named {
			return unseen
		}
		return waived
	case why == calls && l.Edge.From != nil && s != nil && !runs(s, l.Edge.From.Name):
		return waived // it is the service that is waited for, and not those that call it
	case r.Reason == checks.ReasonNoRoute && settled(l.Edge, s):
		if why == among {
			return waived
		}
		return unseen
	}
	return unmet
}

// settled reports whether what cannot be reached now will stay so: nobody says
// what runs, or both ends run already, or have done what they are there for.
func settled(e *kopano.Edge, s *engine.Snapshot) bool {
	return s == nil || (e.From == nil || ready(s, e.From.Name)) && (e.To == nil || ready(s, e.To.Name))
}

// ready: a service runs, or has ended well, as kopano_ssl does when it has made
// the certificates.
func ready(s *engine.Snapshot, service string) bool {
	return runs(s, service) || slices.ContainsFunc(s.Of(service), func(c engine.Container) bool {
		return c.State == engine.Exited && c.Exit == 0 && !c.OOMKilled
	})
}

func runs(s *engine.Snapshot, service string) bool {
	_, ok := s.RunningOf(service)
	return ok
}
