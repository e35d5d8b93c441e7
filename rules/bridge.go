package rules

import (
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// bridgeRules are about the meeting bridge.
func bridgeRules() []Rule {
	return []Rule{
		{
			ID: "bridge-api-off", Fixable: true, Subject: "meet", Severity: finding.Error,
			Title:  "The meeting bridge is here, but the signalling does not let it in",
			Why:    "kwmserver opens its part for bridges only with enable_mcu_api=yes (kwmserver, signaling/server/server.go). Without it the bridge gets \"not found\".",
			Source: "kwmserver 1.2.0 signaling/server/server.go",
			Check:  bridgeAPI,
		},
		{
			ID: "bridge-ports-differ", Subject: "meet", Severity: finding.Error,
			Title: "The ports of the meeting bridge are not published as it uses them",
			Why: "The bridge tells browsers its own port numbers (ice_udp_port_range), so the same range must be published on both sides, for UDP. " +
				"Written 65435:65535/udp, one port of the host leads to another one of the container.",
			Source: "kwmbridge 0.1.3; kopano-docker docker-compose.kwmbridge-dnat.yml",
			Check:  bridgePorts,
		},
	}
}

func bridgeAPI(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "kwmbridge-kwmserver" {
			return nil
		}
		server := e.To
		if in.Topology.Role(server) != kopano.Kwmserver { // through web, or under a name that nobody has
			server = firstService(in, kopano.Kwmserver)
		}
		if server == nil || isFragment(server) || isYes(value(server, "enable_mcu_api")) {
			return nil
		}
		f := &fault{
			subject: server.Name, key: "enable_mcu_api",
			message: "enable_mcu_api is not yes on " + server.Name + ", and " + e.From.Name + " needs it.",
			remedy:  "Set enable_mcu_api=yes on " + server.Name + ".",
			places:  []finding.Location{server.Locate("environment").As(finding.Fix)},
			edits:   settle(in, server, "enable_mcu_api", "yes"),
		}
		if v, ok := server.Get("enable_mcu_api"); ok {
			f.places = v.Locations()
		}
		f.places = append(f.places, related(addressPlaces(e)...)...)
		return f
	})
}

func bridgePorts(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Kwmbridge) {
		l := in.Topology.ListenerOf(s, "ice")
		if l == nil || l.Value == nil || l.Problem != "" || len(l.Addrs) == 0 || s.NetworkMode != "" {
			continue
		}
		first, last := l.Addrs[0].Port, max(l.Addrs[0].Port, l.Addrs[0].PortTo)
		if publishedSame(s, first, last) {
			continue
		}
		span := strconv.Itoa(first) + "-" + strconv.Itoa(last)
		f := finding.Finding{
			Subject: s.Name, Key: "ice_udp_port_range",
			Message:     "ice_udp_port_range is " + quote(l.Value.Reveal()) + ", but not all of these ports are published under their own number for UDP.",
			Consequence: "People outside the house join larger meetings without sound and picture.",
			Remedy:      "Publish " + quote(span+":"+span+"/udp") + ".",
			Locations:   udpPlaces(s),
		}
		for _, e := range in.Topology.EdgesOf("client-kwmbridge") {
			if e.To == s {
				f.Links = append(f.Links, e.ID)
			}
		}
		f.Locations = append(f.Locations, placed(*l.Value, finding.Related)...)
		out = append(out, f)
	}
	return out
}

// publishedSame reports whether each port of a range is published for UDP
// under its own number.
func publishedSame(s *deployment.Service, first, last int) bool {
	same := map[int]bool{}
	for _, p := range s.Ports {
		if p.Protocol == "udp" && p.Published == strconv.Itoa(int(p.Target)) {
			same[int(p.Target)] = true
		}
	}
	for port := first; port <= last; port++ {
		if !same[port] {
			return false
		}
	}
	return true
}

// udpPlaces gives the first UDP port mapping, or where the mappings should be.
func udpPlaces(s *deployment.Service) []finding.Location {
	for i, p := range s.Ports {
		if strings.EqualFold(p.Protocol, "udp") {
			return []finding.Location{s.Locate("ports", strconv.Itoa(i)).As(finding.Fix)}
		}
	}
	return []finding.Location{s.Locate("ports").As(finding.Fix)}
}
