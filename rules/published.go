package rules

import (
	"slices"
	"strconv"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// publishedRules compare the published ports with those that somebody listens on.
func publishedRules() []Rule {
	return []Rule{
		{
			ID: "port-published-dead", Subject: "ports", Severity: finding.Error,
			Title:  "A port is published, but nothing listens behind it",
			Why:    "Docker passes connections on to the port inside the container. When the program there does not listen on it, or on its loopback only, they are closed at once.",
			Source: "kopano-docker docker-compose.ports.yml; kopano-core server.cfg, gateway.cfg, ical.cfg (listen settings)",
			Check:  publishedDead,
		},
	}
}

func publishedDead(in *Input) []finding.Finding {
	return append(publishedUnheard(in), judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.From != nil || e.Listen == nil || e.Listen.Problem != "" || e.Target == 0 || e.To.NetworkMode != "" {
			return nil
		}
		l := e.Listen.Listener
		if l.Name == "pop3" && e.Listen.Value == nil && e.Target == l.Port {
			return nil // kopano-docker publishes it as it is: pop3-published-dead
		}
		any, open := listensOn(e.Listen, e.Target)
		if any && e.Listen.Value == nil && oldCore(e.To) {
			return nil // those releases listened for everybody
		}
		if open || sameListener(in, e) != nil {
			return nil // where others use the port too, the two rules before speak of it
		}
		f := &fault{key: itoa(e.Target), places: publishedPlaces(e)}
		where := "listens on port " + portsOf(e.Listen) + " instead"
		if any {
			where = "listens there inside its own container only"
		} else if len(e.Listen.Addrs) == 0 {
			where = "does not listen there"
		}
		if e.Listen.Value == nil && l.Setting != "" && (any || len(e.Listen.Addrs) == 0) {
			where += ", because " + l.Setting + " is not set"
		}
		f.message = "Port " + itoa(e.Target) + " of " + e.To.Name + " is published, but " + e.To.Name + " " + where + "."
		f.remedy = "Delete the port."
		switch usual, _ := listensOn(e.Listen, l.Port); {
		case usual && e.Target != l.Port: // the published port is the odd one
			f.remedy = "Publish port " + itoa(l.Port) + " of " + e.To.Name + " instead."
			f.places = append(f.places, related(listenPlaces(e, finding.Related)...)...)
		case l.Setting != "":
			f.remedy = "Set " + l.Setting + "=0.0.0.0:" + itoa(e.Target) + " on " + e.To.Name + ", or delete the port."
			f.places = append(listenPlaces(e, finding.Fix), related(f.places...)...)
		}
		return f
	})...)
}

// furtherPorts are ports on which a system listens besides those that the
// catalogue knows: docker-mailserver's own mailboxes, which Kopano switches off
// with SMTP_ONLY=1, and its spam filter's page.
var furtherPorts = map[kopano.Role][]int{kopano.Mail: {110, 143, 993, 995, 4190, 11334}}

// publishedUnheard finds published ports that no listener of the service has
// or ever had. Only systems whose every port is known are looked at.
func publishedUnheard(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, p := range hostPorts(in) {
		role := in.Topology.Role(p.service)
		switch role {
		case kopano.Web, kopano.Server, kopano.Gateway, kopano.Ical, kopano.Dagent, kopano.Mail, kopano.Database:
		default:
			continue
		}
		port := int(p.port.Target)
		if p.port.Protocol == "udp" || isFragment(p.service) || slices.Contains(furtherPorts[role], port) || ownPort(in, p.service, port) || hasClients(in, p.service, port) {
			continue
		}
		var known []string
		for _, l := range kopano.SystemOf(role).Listens {
			if l.Port != 0 {
				known = append(known, itoa(l.Port))
			}
		}
		out = append(out, finding.Finding{
			Subject: p.service.Name, Key: itoa(port),
			Message:     "Port " + itoa(port) + " of " + p.service.Name + " is published, but " + p.service.Name + " has no such port.",
			Consequence: "Whoever connects to port " + p.port.Published + " of the host is cut off at once.",
			Remedy:      "Publish one of its own ports instead: " + list(known, 8) + ".",
			Locations:   []finding.Location{p.place().As(finding.Fix)},
		})
	}
	return out
}

// hasClients reports whether a published port is the one of a link from outside,
// which is judged as such.
func hasClients(in *Input, s *deployment.Service, port int) bool {
	return slices.ContainsFunc(in.Topology.Edges, func(e *kopano.Edge) bool { return e.From == nil && e.To == s && e.Target == port })
}

// ownPort reports whether a port is one that a service listens on, or usually does.
func ownPort(in *Input, s *deployment.Service, port int) bool {
	for _, l := range kopano.SystemOf(in.Topology.Role(s)).Listens {
		now := in.Topology.ListenerOf(s, l.Name)
		if l.Port == port || now == nil || now.Problem != "" {
			return true
		}
		if any, _ := listensOn(now, port); any {
			return true
		}
	}
	return false
}

// publishedPlaces gives the places of the port mappings of an edge's port.
func publishedPlaces(e *kopano.Edge) []finding.Location {
	var out []finding.Location
	for i, p := range e.To.Ports {
		if int(p.Target) == e.Target {
			out = append(out, e.To.Locate("ports", strconv.Itoa(i)).As(finding.Fix))
		}
	}
	return out
}
