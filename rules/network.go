package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// networkRules look at how the services get to each other: networks and ports.
func networkRules() []Rule {
	return []Rule{
		{
			ID: "link-no-shared-network", Fixable: true, Subject: "links", Severity: finding.Error,
			Title: "Two services that need each other share no network",
			Why: "Docker's resolver tells a container only the names on its own networks, and packets do not pass from one network to another. " +
				"A service without networks: is on the network default, which kopano-docker's services are not on.",
			Source: "Docker user-defined bridge networks; kopano-docker docker-compose.yml",
			Check:  noSharedNetwork,
		},
		{
			ID: "link-port-mismatch", Subject: "links", Severity: finding.Error,
			Title:  "A service is called on a port on which it does not listen",
			Why:    "The port of the one end and the listen setting of the other are two settings, mostly in two services. Where they differ, the connection is refused.",
			Source: "kopano-core server.cfg, gateway.cfg, dagent.cfg (listen settings); docker-mailserver master.cf; kopano-docker docker-compose.yml",
			Check:  portMismatch,
		},
		{
			ID: "link-listens-on-loopback", Fixable: true, Subject: "links", Severity: finding.Error,
			Title: "A service listens inside its own container only",
			Why: "The daemons of kopano-core listen on *%lo, the loopback of their container, until their *_LISTEN setting says otherwise, and so does kapi (kopano-core since KC-1616; kapid.cfg). " +
				"Every other container is refused.",
			Source: "kopano-core spooler/DAgent.cpp, gateway/Gateway.cpp, caldav/CalDAV.cpp; kapi scripts/kapid.cfg",
			Check:  onLoopback,
		},
		{
			ID: "host-network-ports", Subject: "ports", Severity: finding.Warning,
			Title: "Ports are published of a container that has no network of its own",
			Why: "With network_mode: host a container uses the host's network, and Docker passes over its ports with no more than a warning; Compose 1 refuses them. " +
				"With network_mode: service:NAME it uses that of another container, and Docker refuses to start it with ports.",
			Source: "Docker Engine (\"Published ports are discarded when using host network mode\", \"conflicting options: port publishing and the container type network mode\")",
			Check:  hostNetworkPorts,
		},
	}
}

func noSharedNetwork(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.From == nil || e.To == nil || e.Route != kopano.RouteNone || isPath(e.Protocol) || !in.Topology.Fits(e) {
			return nil
		}
		who, network := networkToAdd(in, e)
		f := &fault{
			subject: who.Name,
			key:     "network " + other(e, who).Name,
			message: e.From.Name + " and " + e.To.Name + " share no network: " + e.From.Name + " is on " + onNetworks(e.From) + ", " + e.To.Name + " on " + onNetworks(e.To) + ".",
			remedy:  "Add " + network + " to the networks of " + who.Name + ".",
			places:  networkPlaces(who, other(e, who)),
			edits:   in.Deployment.AddNetwork(who.Name, network),
		}
		if len(e.Shared) > 0 {
			f.message = e.To.Name + " answers to " + quote(e.Addr.Host) + " on " + network + " only, and " + e.From.Name + " is not on that network."
		}
		switch {
		case e.From.NetworkMode == "host":
			f.message = e.From.Name + " is on the host's network, and port " + itoa(e.Addr.Port) + " of " + e.To.Name + " is not published there."
			f.edits = nil
			f.remedy = "Publish port " + itoa(e.Addr.Port) + " of " + e.To.Name + ", or give " + e.From.Name + " the network " + network + " instead of network_mode: host."
			f.places = []finding.Location{e.From.Locate("network_mode").As(finding.Fix), e.To.Locate("ports").As(finding.Related)}
		case who.NetworkMode != "":
			f.remedy = "Give " + who.Name + " the network " + network + " instead of network_mode: " + who.NetworkMode + "."
		}
		f.places = append(f.places, related(addressPlaces(e)...)...)
		return f
	})
}

// onNetworks names a service's networks for a message.
func onNetworks(s *deployment.Service) string {
	if s.NetworkMode != "" {
		return "network_mode " + s.NetworkMode
	}
	return list(s.NetworkNames(), 6)
}

// networkPlaces gives where the networks of both ends are written, in all files.
func networkPlaces(who, with *deployment.Service) []finding.Location {
	var out []finding.Location
	for _, s := range []*deployment.Service{who, with} {
		if s.NetworkMode != "" {
			out = append(out, s.Locate("network_mode"))
			continue
		}
		out = append(out, s.Locate("networks"))
		for _, name := range sorted(s.Networks) {
			out = append(out, s.Locate("networks", name))
		}
	}
	out = related(out...)
	out[0].Role = finding.Fix
	return out
}

func other(e *kopano.Edge, s *deployment.Service) *deployment.Service {
	if s == e.From {
		return e.To
	}
	return e.From
}

// networkToAdd says which of the two ends should be on which further network:
// the one that is only on the default network, or on fewer that the rest uses.
func networkToAdd(in *Input, e *kopano.Edge) (who *deployment.Service, network string) {
	// The name may be known on one network only.
	for _, name := range e.To.NetworkNames() {
		if n := e.To.Networks[name]; n != nil && contains(n.Aliases, e.Addr.Host) {
			return e.From, name
		}
	}
	fromTo, toFrom := met(in, e.To, e.From), met(in, e.From, e.To)
	if len(fromTo) == 0 && len(toFrom) > 0 {
		return e.To, toFrom[0] // nobody else reaches To either
	}
	if len(fromTo) > 0 {
		return e.From, fromTo[0]
	}
	names := e.To.NetworkNames()
	if (len(names) == 0 || names[0] == "default") && len(e.From.NetworkNames()) > 0 {
		return e.To, e.From.NetworkNames()[0]
	}
	if len(names) == 0 {
		return e.To, "default"
	}
	return e.From, names[0]
}

// met gives the networks on which others than but reach a service or are
// reached by it, the most used first.
func met(in *Input, s, but *deployment.Service) []string {
	count := map[string]int{}
	for _, e := range in.Topology.Edges {
		if isPath(e.Protocol) || e.From == nil || e.To == nil || e.From == but || e.To == but || e.From != s && e.To != s {
			continue
		}
		for _, n := range e.Shared {
			count[n]++
		}
	}
	names := sorted(count)
	slices.SortStableFunc(names, func(a, b string) int { return count[b] - count[a] })
	return names
}

// listensOn reports whether any listen address has the port, and whether one
// of those is there for others than the container itself.
func listensOn(l *kopano.Listening, port int) (any, open bool) {
	for _, a := range l.Addrs {
		if a.Port == port || a.PortTo > 0 && a.Port <= port && port <= a.PortTo {
			any = true
			open = open || !a.Loopback
		}
	}
	return any, open
}

// comparable reports whether the port that From is told can be compared with
// the ports that To listens on.
func comparablePorts(in *Input, e *kopano.Edge) bool {
	return e.From != nil && e.To != nil && e.Listen != nil && e.Listen.Problem == "" && e.Addr.Problem == "" && e.Addr.Port != 0 &&
		!isPath(e.Protocol) && e.Route != kopano.RouteHost && in.Topology.Fits(e)
}

// withClients applies a rule about a port to the links from outside as well: a
// published port that leads to the same listener is lost for the same reason.
func withClients(in *Input, rule func(e *kopano.Edge) *fault) func(e *kopano.Edge) *fault {
	return func(e *kopano.Edge) *fault {
		if e.From != nil {
			return rule(e)
		}
		if inside := sameListener(in, e); inside != nil {
			return rule(inside)
		}
		return nil
	}
}

// sameListener gives a link from inside to the port that a published one leads to.
func sameListener(in *Input, client *kopano.Edge) *kopano.Edge {
	for _, e := range in.Topology.Edges {
		if client.Listen != nil && comparablePorts(in, e) && e.To == client.To && e.Listen.Listener == client.Listen.Listener && e.Addr.Port == client.Target {
			return e
		}
	}
	return nil
}

func portMismatch(in *Input) []finding.Finding {
	return judgeLinks(in, withClients(in, func(e *kopano.Edge) *fault {
		if !comparablePorts(in, e) || isIssuer(e) {
			return nil // the port of the issuer is fqdn-port's and issuer-mismatch's
		}
		if any, _ := listensOn(e.Listen, e.Addr.Port); any {
			return nil
		}
		if e.Addr.Scheme == "https" && e.From != nil && in.Topology.Role(e.From) == kopano.Kdav && !has(e.From, "KCCONF_SERVERPORT") {
			return nil // kdav-server-port says more
		}
		return portFault(in, e)
	}))
}

func portFault(in *Input, e *kopano.Edge) *fault {
	l := e.Listen.Listener
	where := "listens on port " + portsOf(e.Listen)
	if len(e.Listen.Addrs) == 0 {
		where = "does not listen there"
		if l.Setting != "" {
			where += ": " + l.Setting + " is not set"
		}
	}
	f := &fault{
		message: e.To.Name + " is called on port " + itoa(e.Addr.Port) + ", but " + where + ".",
		places:  portPlaces(e),
	}
	if other := otherListener(in, e); other != "" {
		f.message = e.To.Name + " is called on port " + itoa(e.Addr.Port) + ", which is its port for " + other + "; for this it " + where + "."
	}
	name, ok := portSettingOf(e)
	switch {
	case theirs(e):
		f.subject, f.key = e.To.Name, l.Setting
		f.places = append(listenPlaces(e, finding.Fix), related(f.places...)...)
		f.remedy = "Set " + l.Setting + "=0.0.0.0:" + itoa(e.Addr.Port) + " on " + e.To.Name + "."
	case ok && len(e.Listen.Addrs) > 0:
		f.places = append(f.places, listenPlaces(e, finding.Related)...)
		f.remedy = "Write port " + portsOf(e.Listen) + " into " + name.name() + "."
	default:
		f.places = append(f.places, listenPlaces(e, finding.Related)...)
		f.remedy = "Make both ends use one port."
	}
	return f
}

// theirs reports whether the listen setting is the odd one: the caller's port
// is the usual one, or cannot be changed.
func theirs(e *kopano.Edge) bool {
	l := e.Listen.Listener
	if l.Setting == "" {
		return false
	}
	return len(e.Addr.Values) == 0 || e.Addr.Port == l.Port
}

// portPlaces gives the places of the caller's port.
func portPlaces(e *kopano.Edge) []finding.Location {
	if x, ok := portSettingOf(e); ok {
		return x.value.Locations()
	}
	return []finding.Location{e.From.At.As(finding.Fix)}
}

// listenPlaces gives the places of the listen setting, or where it is missing.
func listenPlaces(e *kopano.Edge, role finding.Role) []finding.Location {
	if v := e.Listen.Value; v != nil {
		if role == finding.Fix {
			return v.Locations()
		}
		return placed(*v, role)
	}
	return []finding.Location{e.To.Locate("environment").As(role)}
}

// portsOf writes the ports of a listener: "236", "443 or 2015", "65435 to 65535".
func portsOf(l *kopano.Listening) string {
	var out []string
	for _, a := range l.Addrs {
		text := itoa(a.Port)
		if a.PortTo > 0 {
			text += " to " + itoa(a.PortTo)
		}
		if a.Port != 0 && !slices.Contains(out, text) {
			out = append(out, text)
		}
	}
	return strings.Join(out, " or ")
}

// otherListener names what the port is for when the service listens on it for
// something else: "https", "IMAP with TLS".
func otherListener(in *Input, e *kopano.Edge) string {
	system := kopano.SystemOf(in.Topology.Role(e.To))
	if system == nil {
		return ""
	}
	for _, l := range system.Listens {
		if l.Name == e.Listen.Listener.Name || l.Protocol == kopano.ProtoSocket {
			continue
		}
		if other := in.Topology.ListenerOf(e.To, l.Name); other != nil {
			if any, _ := listensOn(other, e.Addr.Port); any {
				return listenerTitle(l)
			}
		}
	}
	return ""
}

func listenerTitle(l kopano.Listener) string {
	switch l.Name {
	case "soap":
		return "connections without TLS (http)"
	case "soap-tls":
		return "connections with TLS (https)"
	}
	return l.Name
}

func onLoopback(in *Input) []finding.Finding {
	return judgeLinks(in, withClients(in, func(e *kopano.Edge) *fault {
		if !comparablePorts(in, e) || e.Route == kopano.RouteNamespace || e.Route == kopano.RouteContainer || e.Listen.Value == nil && oldCore(e.To) {
			return nil
		}
		if any, open := listensOn(e.Listen, e.Addr.Port); !any || open {
			return nil
		}
		l := e.Listen.Listener
		f := &fault{
			subject: e.To.Name, key: l.Setting,
			message: e.To.Name + " listens on port " + itoa(e.Addr.Port) + " inside its own container only, because " + l.Setting + " is not set.",
			remedy:  "Set " + l.Setting + "=0.0.0.0:" + itoa(e.Addr.Port) + " on " + e.To.Name + ".",
			places:  append(listenPlaces(e, finding.Fix), related(portPlaces(e)...)...),
			edits:   openListener(in, e),
		}
		if v := e.Listen.Value; v != nil {
			x := sighting{e.To, *v}
			f.message = x.name() + " is " + x.shown() + ": " + e.To.Name + " listens inside its own container only."
			f.remedy = "Write " + x.name() + "=0.0.0.0:" + itoa(e.Addr.Port)
		}
		return f
	}))
}

// openListener gives the edit that makes a service listen for others on the port
// on which it listens for itself.
func openListener(in *Input, e *kopano.Edge) []finding.Edit {
	if e.Listen.Value != nil && len(strings.Fields(e.Listen.Value.Reveal())) > 1 {
		return nil // which of several addresses is to be open is not for us to say
	}
	return settle(in, e.To, e.Listen.Listener.Setting, "0.0.0.0:"+itoa(e.Addr.Port))
}

func hostNetworkPorts(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		if len(s.Ports) == 0 || isFragment(s) {
			continue
		}
		if kind, other, ok := strings.Cut(s.NetworkMode, ":"); ok && (kind == "service" || kind == "container") {
			out = append(out, finding.Finding{
				Severity: finding.Error, Subject: s.Name, Key: "ports", Links: linksTo(in, s),
				Message:     s.Name + " has ports, but uses the network of " + other + ".",
				Consequence: "Docker refuses to start " + s.Name + ", and who needs it finds nobody.",
				Remedy:      "Move ports from " + s.Name + " to " + other + ".",
				Locations:   []finding.Location{s.Locate("ports").As(finding.Fix), s.Locate("network_mode").As(finding.Related)},
			})
		}
		if s.NetworkMode != "host" {
			continue
		}
		f := finding.Finding{
			Severity: finding.Info, Subject: s.Name, Key: "ports",
			Message:     s.Name + " is on the host's network, so that its ports are not read.",
			Consequence: "The administrator who changes them, or takes one away, is surprised: every port of the program is open on the host all the same.",
			Remedy:      "Delete ports from " + s.Name + ".",
			Locations:   []finding.Location{s.Locate("ports").As(finding.Fix), s.Locate("network_mode").As(finding.Related)},
		}
		for _, p := range s.Ports {
			if p.Published == "" || p.Published == itoa(int(p.Target)) && p.HostIP == "" {
				continue
			}
			f.Severity = finding.Warning
			f.Message = s.Name + " is on the host's network, so that its ports are not read: it answers on " + itoa(int(p.Target)) + ", not on " + strings.Trim(p.HostIP+":"+p.Published, ":") + "."
			f.Consequence = "Whoever connects to the port that is written here reaches nobody, and the program's own port is open to everybody who reaches the host."
			f.Remedy = "Delete network_mode: host from " + s.Name + ", or its ports."
			break
		}
		out = append(out, f)
	}
	return out
}
