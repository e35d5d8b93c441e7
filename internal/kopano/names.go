package kopano

import (
	"net/netip"
	"sort"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// nameIndex knows which services answer to a name, and on which networks, as
// the resolver that Docker gives every container does: service names, container
// names, host names and aliases. Names are kept in lower case; that resolver
// does not tell cases apart.
type nameIndex map[string][]answer

type answer struct {
	service  *deployment.Service
	networks []string // on which the name is known; nil: all networks of the service
}

func indexNames(d *deployment.Deployment) nameIndex {
	names := nameIndex{}
	add := func(name string, s *deployment.Service, networks []string) {
		if name = strings.ToLower(strings.TrimSpace(name)); name != "" {
			names[name] = append(names[name], answer{s, networks})
		}
	}
	for _, s := range d.Services {
		var everywhere []string
		if len(s.NetworkNames()) == 0 {
			// On the host's or another container's network nobody reaches it
			// by its name; the name is kept to say so.
			everywhere = []string{}
		}
		add(s.Name, s, everywhere)
		add(s.ContainerName, s, everywhere)
		add(s.Hostname, s, everywhere)
		for network, config := range s.Networks {
			if config == nil {
				continue
			}
			for _, alias := range config.Aliases {
				add(alias, s, []string{network})
			}
			add(config.Ipv4Address, s, []string{network})
			add(config.Ipv6Address, s, []string{network})
		}
	}
	return names
}

// LookupHost gives the service that answers to a host name or address when from
// asks for it, and whether the two share a network, so that it gets the answer.
// Where several answer, one that from reaches is preferred. to is nil when no
// service has the name; "localhost" and its addresses are from itself.
func (t *Topology) LookupHost(from *deployment.Service, host string) (to *deployment.Service, reachable bool) {
	found := t.lookup(from, host)
	if len(found) == 0 {
		return nil, false
	}
	return found[0].service, found[0].reachable
}

type candidate struct {
	service   *deployment.Service
	reachable bool
}

// lookup gives every service that answers to a name, those that from reaches
// first, then in the order of their names.
func (t *Topology) lookup(from *deployment.Service, host string) []candidate {
	host = strings.ToLower(strings.TrimSuffix(strings.TrimSpace(host), "."))
	if host == "" {
		return nil
	}
	if isLoopback(host) && from != nil {
		return []candidate{{from, true}}
	}
	var found []candidate
	for _, a := range t.answers(from, host) {
		found = append(found, candidate{a.service, t.reachesName(from, a)})
	}
	sort.SliceStable(found, func(i, j int) bool {
		if found[i].reachable != found[j].reachable {
			return found[i].reachable
		}
		return found[i].service.Name < found[j].service.Name
	})
	return found
}

func (t *Topology) answers(from *deployment.Service, host string) []answer {
	if from != nil {
		for _, link := range from.Links { // "service" or "service:alias"
			name, alias, ok := strings.Cut(link, ":")
			if ok && strings.EqualFold(alias, host) {
				host = strings.ToLower(name)
			}
		}
		for name, addresses := range from.ExtraHosts {
			if !strings.EqualFold(name, host) {
				continue
			}
			var out []answer
			for _, a := range addresses {
				out = append(out, t.names[strings.ToLower(a)]...)
			}
			return out // an entry of /etc/hosts beats the resolver
		}
	}
	if found := t.names[host]; found != nil {
		return found
	}
	// "name.network" is known too, with the network's full name.
	if name, network, ok := strings.Cut(host, "."); ok {
		for key, config := range t.networkConfigs() {
			if strings.EqualFold(config, network) {
				var out []answer
				for _, a := range t.names[name] {
					if a.networks == nil {
						a.networks = []string{key}
					}
					out = append(out, a)
				}
				return out
			}
		}
	}
	return nil
}

func (t *Topology) networkConfigs() map[string]string {
	out := map[string]string{}
	if t.Deployment.Model != nil {
		for key, n := range t.Deployment.Model.Networks {
			out[key] = n.Name
		}
	}
	return out
}

// reachesName reports whether from shares a network on which the name is known.
func (t *Topology) reachesName(from *deployment.Service, a answer) bool {
	if from == nil {
		return false
	}
	known := a.networks
	if known == nil {
		known = t.networks(a.service)
	}
	return len(t.common(t.networks(from), known)) > 0
}

// networks gives the networks that a service's processes are on: its own, or
// those of the service whose network it uses.
func (t *Topology) networks(s *deployment.Service) []string {
	if owner := t.namespace(s); owner != nil {
		return owner.NetworkNames()
	}
	return nil
}

// namespace gives the service whose network stack a service uses: mostly
// itself; nil for the host's or a foreign container's.
func (t *Topology) namespace(s *deployment.Service) *deployment.Service {
	for range 10 { // a chain of more, or a circle, is refused by Compose
		if s == nil {
			return nil
		}
		kind, name, _ := strings.Cut(s.NetworkMode, ":")
		switch kind {
		case "":
			return s
		case "service":
			s, _ = t.Deployment.Service(name)
		case "container":
			s = t.byContainerName(name)
		case "none", "bridge":
			return s
		default: // "host"
			return nil
		}
	}
	return nil
}

func (t *Topology) byContainerName(name string) *deployment.Service {
	for _, s := range t.Deployment.Services {
		if s.ContainerName == name {
			return s
		}
	}
	return nil
}

// sameNamespace reports whether two services share one network stack.
func (t *Topology) sameNamespace(a, b *deployment.Service) bool {
	if onHost(a) || onHost(b) {
		return onHost(a) && onHost(b)
	}
	n := t.namespace(a)
	return n != nil && n == t.namespace(b)
}

func onHost(s *deployment.Service) bool { return s != nil && s.NetworkMode == "host" }

// common gives the networks of both lists, by key. Two keys with one name are
// one network.
func (t *Topology) common(a, b []string) []string {
	name := func(key string) string {
		if t.Deployment.Model != nil {
			if n, ok := t.Deployment.Model.Networks[key]; ok && n.Name != "" {
				return n.Name
			}
		}
		return key
	}
	var out []string
	for _, x := range a {
		for _, y := range b {
			if x == y || name(x) == name(y) {
				out = append(out, x)
				break
			}
		}
	}
	return out
}

func isLoopback(host string) bool {
	if strings.EqualFold(host, "localhost") || strings.HasSuffix(strings.ToLower(host), ".localhost") {
		return true
	}
	a, err := netip.ParseAddr(host)
	return err == nil && a.Unmap().IsLoopback()
}

// publishedAs gives the container port behind a port of the host.
func publishedAs(s *deployment.Service, hostPort int, protocol string) (target int, ok bool) {
	if hostPort <= 0 {
		return 0, false
	}
	if onHost(s) {
		return hostPort, true
	}
	for _, p := range s.Ports {
		if p.Published == strconv.Itoa(hostPort) && (p.Protocol == "" || p.Protocol == protocol) {
			return int(p.Target), true
		}
	}
	return 0, false
}

// PublishedPort gives the host's address and port under which a container port
// is published; protocol is "tcp" or "udp". A service on the host's network
// publishes every port as it is. hostIP is "" for all addresses.
func PublishedPort(s *deployment.Service, port int, protocol string) (hostIP string, hostPort int, ok bool) {
	if s == nil || port <= 0 {
		return "", 0, false
	}
	if onHost(s) {
		return "", port, true
	}
	for _, p := range s.Ports {
		if int(p.Target) != port || p.Protocol != "" && p.Protocol != protocol {
			continue
		}
		// A range of host ports ("8000-8010") gives one that nobody can know.
		published, err := strconv.Atoi(p.Published)
		if err != nil {
			published = 0
		}
		return p.HostIP, published, true
	}
	return "", 0, false
}
