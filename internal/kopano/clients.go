package kopano

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// clientEdges gives an edge for each service of the role that publishes the
// listener's port.
func (t *Topology) clientEdges(l *Link) []*Edge {
	var out []*Edge
	for _, to := range t.Services(l.To) {
		if !holdAll(to, l.Conditions) {
			continue
		}
		e := &Edge{ID: l.ID + "@" + to.Name, Link: l, To: to, Protocol: l.Protocol, Route: RouteHost, Listen: t.listen(to, l.Listener)}
		if l.Address.Setting != "" {
			e.Addr = addressesOf(to, l.Address)[0]
			if e.Addr.Port == 0 && e.Addr.Host != "" {
				e.Addr.Port = l.Address.DefaultPort
			}
		} else {
			e.Addr.Default = true
		}
		if t.publish(e) {
			out = append(out, e)
		}
	}
	return out
}

// publish fills in the published port, the one that clients are told where
// there are several, and reports whether there is any.
func (t *Topology) publish(e *Edge) bool {
	protocol := "tcp"
	if e.Protocol == ProtoUDP {
		protocol = "udp"
	}
	told := e.Addr.Port
	for _, target := range targets(e, protocol) {
		hostIP, port, ok := PublishedPort(e.To, target, protocol)
		if !ok {
			continue
		}
		first := e.Target == 0
		if first || port == told && told != 0 {
			e.Target = target
		}
		if told == 0 && first {
			e.Addr.Port, e.Addr.Host = port, hostIP
		}
	}
	return e.Target != 0 || onHost(e.To) && e.Protocol == ProtoUDP
}

// targets gives the container ports that a client could mean: those that the
// service listens on, and the usual ones, which it may have left.
func targets(e *Edge, protocol string) []int {
	var out []int
	if e.Listen == nil {
		return nil
	}
	for _, a := range e.Listen.Addrs {
		if a.PortTo == 0 {
			out = append(out, a.Port)
			continue
		}
		for _, p := range e.To.Ports { // a range: whatever of it is published
			if p.Protocol == protocol && a.has(int(p.Target)) {
				out = append(out, int(p.Target))
				break
			}
		}
	}
	system := SystemOf(e.Link.To)
	for _, name := range strings.Fields(e.Link.Listener) {
		l := system.Listener(name)
		if l == nil || l.Port == 0 {
			continue
		}
		out = append(out, l.Port)
		// "143:1143": clients come on the usual port, whatever is behind it.
		if target, ok := publishedAs(e.To, l.Port, protocol); ok {
			out = append(out, target)
		}
	}
	return out
}

// holdAll reports whether a service's settings meet every condition.
func holdAll(s *deployment.Service, conditions []Condition) bool {
	for i := range conditions {
		if !holds(s, &conditions[i]) {
			return false
		}
	}
	return true
}

func holds(s *deployment.Service, c *Condition) bool {
	v, ok := s.Get(c.Setting)
	value := c.Default
	if ok {
		value = strings.TrimSpace(v.Reveal())
	}
	met := (len(c.Is) == 0 || slices.Contains(c.Is, value)) && !slices.Contains(c.Not, value) &&
		(c.Prefix == "" || strings.HasPrefix(value, c.Prefix)) &&
		(!c.Set || ok && value != "") && (!c.Present || ok)
	return met || c.Or != nil && holds(s, c.Or)
}
