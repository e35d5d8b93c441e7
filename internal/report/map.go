package report

import (
	"cmp"
	"slices"

	"github.com/kopano-doctor/kopano-doctor/internal/depmap"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Map gives the deployment of the report as a map. Without states it shows what
// is configured; the report's links then need not have been tried.
func (r *Report) Map(states bool) *depmap.Map { return r.linkedMap(states, false) }

// linkedMap is Map; with anchors, boxes and lines lead to the parts of an HTML
// page that tell more of them.
func (r *Report) linkedMap(states, anchors bool) *depmap.Map {
	services := make([]depmap.Service, 0, len(r.Services))
	for i, s := range r.Services {
		out := depmap.Service{Name: printable(s.Name, false), Role: kopano.Role(s.Role)}
		if anchors {
			out.Href = "#" + serviceAnchor(i)
		}
		services = append(services, out)
	}
	links := make([]depmap.Link, 0, len(r.Links))
	for i := range r.Links {
		l := &r.Links[i]
		out := depmap.Link{
			ID: l.ID, From: printable(l.From, false), To: printable(l.To, false), Protocol: printable(l.Protocol, false),
			Address: printable(l.Address, false), State: stateOf(l),
		}
		if states {
			out.Message = printable(cmp.Or(l.Message, l.Reason), false)
		}
		if anchors {
			out.Href = "#" + linkAnchor(i)
		}
		links = append(links, out)
	}
	return depmap.New(printable(r.Deployment.Project, false), states, services, links)
}

func stateOf(l *Link) depmap.State {
	switch {
	case l.Status == "ok":
		return depmap.OK
	case l.Status == "broken":
		return depmap.Broken
	case l.Reason == "blocked":
		return depmap.Blocked
	}
	return depmap.NotChecked
}

// tried reports whether any link was looked at.
func (r *Report) tried() bool {
	return slices.ContainsFunc(r.Links, func(l Link) bool { return l.Reason != "offline" })
}
