package kopano

import (
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// edges gives the edges that one link of the catalogue makes.
func (t *Topology) edges(l *Link) []*Edge {
	if l.Background {
		return nil
	}
	if l.From == Client {
		return t.clientEdges(l)
	}
	var out []*Edge
	for _, from := range t.Services(l.From) {
		if !holdAll(from, l.Conditions) {
			continue
		}
		e := t.edge(l, from)
		// A default that nobody answers to, towards something that is neither
		// needed nor there under any name, is no link.
		if l.Optional && e.Addr.Default && e.To == nil && !e.Outside && len(t.Services(l.To)) == 0 {
			continue
		}
		out = append(out, e)
	}
	return out
}

func (t *Topology) edge(l *Link, from *deployment.Service) *Edge {
	e := &Edge{ID: l.ID + "@" + from.Name, Link: l, From: from, Route: RouteNone}
	addresses := addressesOf(from, l.Address)
	listeners := l.Listener
	for i := range addresses {
		names, protocol := applyVia(l, &addresses[i])
		if i == 0 {
			listeners, e.Protocol = names, protocol
		}
		if a := &addresses[i]; a.Port == 0 && a.Host != "" {
			a.Port = l.Address.DefaultPort
		}
	}
	e.Addr, e.More = addresses[0], addresses[1:]
	switch {
	case l.Through != Unknown && e.Addr.Text == "":
		t.connectRole(e)
		// The browser may well find it elsewhere, behind the same proxy.
		e.Outside = e.To == nil
	case e.Protocol == ProtoLocal:
		e.To, e.Route = from, RouteContainer
	case isLocal(e.Protocol):
		t.connectPath(e, listeners)
	case e.Addr.Text == "" && e.Addr.Problem == "":
		t.connectRole(e)
	default:
		t.connectHost(e)
	}
	switch {
	case e.Outside:
		e.Route = RouteOutside
	case l.Through != Unknown && e.To != nil:
		e.Route = RouteBrowser
	}
	if e.To != nil {
		e.Shared = t.common(t.networks(from), t.networks(e.To))
		e.Listen = t.listen(e.To, listeners)
	}
	return e
}

func isLocal(p Protocol) bool { return p == ProtoSocket || p == ProtoFile || p == ProtoDocker }

// applyVia lets the scheme of an address decide protocol, listeners and port.
func applyVia(l *Link, a *Endpoint) (listeners string, p Protocol) {
	if len(l.Via) > 0 && a.Problem == noScheme {
		a.Problem = "it must start with " + schemes(l.Via)
	}
	if len(l.Via) == 0 || a.Scheme == "" || a.Problem != "" {
		return l.Listener, l.Protocol
	}
	for _, v := range l.Via {
		if v.Scheme == a.Scheme {
			if a.Port == 0 {
				a.Port = v.Port
			}
			return v.Listener, v.Protocol
		}
	}
	a.Problem = "it starts with " + short(a.Scheme) + ": and must start with " + schemes(l.Via)
	return l.Listener, l.Protocol
}

// schemes writes what an address may start with: "ldap://, ldaps:// or ldapi://".
func schemes(via []Via) string {
	var b strings.Builder
	for i, v := range via {
		switch {
		case i > 0 && i == len(via)-1:
			b.WriteString(" or ")
		case i > 0:
			b.WriteString(", ")
		}
		b.WriteString(v.Scheme + "://")
	}
	return b.String()
}

// connectRole finds the other end of a link that has no address: whoever plays
// the role.
func (t *Topology) connectRole(e *Edge) {
	for _, s := range t.Services(e.Link.To) {
		if s == e.From {
			continue
		}
		if e.To == nil || e.Route == RouteNone {
			e.To, e.Route = s, t.route(e.From, s)
		}
	}
}

func (t *Topology) route(from, to *deployment.Service) Route {
	switch {
	case from == to:
		return RouteContainer
	case t.sameNamespace(from, to):
		return RouteNamespace
	case len(t.common(t.networks(from), t.networks(to))) > 0:
		return RouteNetwork
	default:
		return RouteNone
	}
}

// connectHost finds the other end of a link over the network: the first
// address that a service answers to, else a server outside.
func (t *Topology) connectHost(e *Edge) {
	for _, a := range append([]Endpoint{e.Addr}, e.More...) {
		to, route, outside := t.resolve(e, a)
		if to != nil {
			e.To, e.Route, e.Outside = to, route, false
			if route == RouteHost {
				e.Target, _ = publishedAs(to, a.Port, "tcp")
			}
			return
		}
		e.Outside = e.Outside || outside
	}
}

func (t *Topology) resolve(e *Edge, a Endpoint) (to *deployment.Service, route Route, outside bool) {
	switch addresses, known := extraHost(e.From, a.Host); {
	case a.Host == "":
		return nil, RouteNone, false
	case a.Loopback:
		to, route = t.onLoopback(e, a.Port)
		return to, route, false
	case known && len(t.lookup(e.From, a.Host)) > 0: // the fixed address of a service
	case known:
		if slices.Contains(addresses, "host-gateway") {
			to = t.publisher(e.Link, a.Port)
		}
		return to, RouteHost, to == nil
	case strings.EqualFold(a.Host, "host.docker.internal"):
		to = t.publisher(e.Link, a.Port)
		return to, RouteHost, to == nil
	}
	found := t.lookup(e.From, a.Host)
	if len(found) == 0 {
		return nil, RouteNone, t.mayBeOutside(e.From, a.Host)
	}
	best := t.choose(e, found)
	route = t.routeTo(e.From, best, a.Port)
	if route == RouteNone && onHost(e.From) && strings.Contains(a.Host, ".") {
		// On the host's network the world's DNS answers, not Docker's.
		return nil, RouteNone, true
	}
	return best.service, route, false
}

// choose takes the service that a name means: one that plays the wanted role
// and is reached, else one that is reached, else one of the role. A service
// that uses another's network stack is reached under the other's name.
func (t *Topology) choose(e *Edge, found []candidate) candidate {
	score := func(c candidate) int {
		n := 0
		if role := t.Role(c.service); role == e.Link.To || slices.Contains(e.Link.Also, role) {
			n++
		}
		if c.reachable {
			n += 2
		}
		return n
	}
	best := found[0]
	for _, c := range found {
		for _, other := range t.Services(e.Link.To) {
			if other != c.service && t.Role(c.service) != e.Link.To && t.sameNamespace(other, c.service) {
				c = candidate{other, c.reachable}
				break
			}
		}
		if score(c) > score(best) {
			best = c
		}
	}
	return best
}

func (t *Topology) routeTo(from *deployment.Service, c candidate, port int) Route {
	if route := t.route(from, c.service); c.reachable && route != RouteNone {
		return route
	}
	if c.reachable {
		return RouteNetwork
	}
	if onHost(from) && !onHost(c.service) {
		if _, ok := publishedAs(c.service, port, "tcp"); ok {
			return RouteHost
		}
	}
	return RouteNone
}

// onLoopback finds who answers on localhost: a service that shares the network
// stack, or, on the host's own, one that publishes the port.
func (t *Topology) onLoopback(e *Edge, port int) (*deployment.Service, Route) {
	for _, s := range t.Services(e.Link.To) {
		if s != e.From && t.sameNamespace(e.From, s) {
			return s, RouteNamespace
		}
	}
	if onHost(e.From) {
		if s := t.publisher(e.Link, port); s != nil {
			return s, RouteHost
		}
	}
	return nil, RouteNone
}

// publisher gives the service of the wanted role that is behind a port of the
// host.
func (t *Topology) publisher(l *Link, hostPort int) *deployment.Service {
	for _, r := range append([]Role{l.To}, l.Also...) {
		for _, s := range t.Services(r) {
			if _, ok := publishedAs(s, hostPort, "tcp"); ok {
				return s
			}
		}
	}
	return nil
}

func extraHost(s *deployment.Service, host string) ([]string, bool) {
	for name, addresses := range s.ExtraHosts {
		if strings.EqualFold(name, host) {
			return addresses, true
		}
	}
	return nil, false
}

// mayBeOutside reports whether a name that no service has can still be
// answered: a name with a dot, an address, or a name that is known to be outside
// by the world, any name where the service also stands on a network or links of
// other projects, or on the host.
func (t *Topology) mayBeOutside(from *deployment.Service, host string) bool {
	known := func(name string) bool { return strings.EqualFold(name, host) }
	if strings.ContainsAny(host, ".:") || onHost(from) || slices.ContainsFunc(t.external, known) {
		return true
	}
	for _, link := range from.ExternalLinks {
		name, alias, _ := strings.Cut(link, ":")
		if strings.EqualFold(name, host) || strings.EqualFold(alias, host) {
			return true
		}
	}
	if t.Deployment.Model == nil {
		return false
	}
	for _, key := range t.networks(from) {
		if n, ok := t.Deployment.Model.Networks[key]; ok && bool(n.External) {
			return true
		}
	}
	return false
}

// connectPath finds the other end of a socket or file: the service of the role
// that mounts the same volume where the two meet, else the first of the role.
func (t *Topology) connectPath(e *Edge, listeners string) {
	folder := meetingPlace(e.Link, e.Addr.Path)
	if v, ok := t.MountAt(e.From, folder); ok {
		e.FromMount = &v
	}
	if e.Link.To == Storage || e.Link.To == External {
		if e.FromMount != nil && e.FromMount.Type != types.VolumeTypeTmpfs {
			e.Route = RouteVolume
		}
		return
	}
	for _, s := range t.Services(e.Link.To) {
		there := folder
		if l := t.listen(s, listeners); l != nil && len(l.Addrs) > 0 && l.Addrs[0].Path != "" {
			there = meetingPlace(e.Link, l.Addrs[0].Path)
		}
		same := t.SameStorage(e.From, folder, s, there)
		if e.To == nil || same {
			e.To, e.ToMount = s, nil
			if v, ok := t.MountAt(s, there); ok {
				e.ToMount = &v
			}
		}
		if same {
			e.Route = RouteVolume
			return
		}
	}
	// Nobody plays the role here: a program on the host, or another project,
	// may.
	e.Outside = e.To == nil && e.FromMount != nil && t.filledFromOutside(e.Link, *e.FromMount)
}

// filledFromOutside reports whether something beside the deployment may keep a
// socket or file in a mount: a folder of the host, a volume of another project,
// or the volume of a service that runs once and was then taken out.
func (t *Topology) filledFromOutside(l *Link, v types.ServiceVolumeConfig) bool {
	switch v.Type {
	case types.VolumeTypeBind:
		return true
	case types.VolumeTypeVolume:
		if t.Deployment.Model != nil && bool(t.Deployment.Model.Volumes[v.Source].External) {
			return true
		}
		system := SystemOf(l.To)
		return system != nil && system.OneShot && v.Source != ""
	}
	return false
}

// meetingPlace is the folder in which both ends meet.
func meetingPlace(l *Link, p string) string {
	folder := cleanPath(l.Mount)
	if p == "" || l.Mount != "" && within(cleanPath(p), folder) {
		return folder
	}
	return path.Dir(cleanPath(p))
}

// listen gives where a service waits on the first of the named listeners that
// its role has, together with the addresses of the others.
func (t *Topology) listen(s *deployment.Service, names string) *Listening {
	var out *Listening
	for _, name := range strings.Fields(names) {
		l := t.ListenerOf(s, name)
		switch {
		case l == nil:
		case out == nil:
			out = l
		default:
			out.Addrs = append(out.Addrs, l.Addrs...)
		}
	}
	return out
}
