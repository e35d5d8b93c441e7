package kopano

import (
	"slices"
	"sort"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Topology is the catalogue found in one deployment: which service plays which
// role, and every link that the configuration makes.
type Topology struct {
	Deployment *deployment.Deployment
	Edges      []*Edge // sorted by ID

	roles    map[string]Role // by service name
	names    nameIndex
	external []string // names without a dot that exist outside
}

// Edge is a link of this deployment.
type Edge struct {
	ID       string // Link.ID + "@" + From's service name (To's when From is a client): "server-ldap@kopano_server"
	Link     *Link
	From     *deployment.Service // nil for clients outside
	To       *deployment.Service // whoever answers to the address, whatever its role; nil when the other end is outside, or missing
	Protocol Protocol            // what this edge speaks: the link's protocol, unless the address' scheme says otherwise
	Addr     Endpoint            // as From is told
	More     []Endpoint          // further addresses of a list
	Listen   *Listening          // as To listens; nil when To is nil or has no such listener
	Outside  bool                // the address names a server outside the deployment (a dotted name or an IP that no service has, or a socket of the host)
	Shared   []string            // networks that both ends share; empty also when To is nil
	Route    Route               // how From gets to To
	Target   int                 // RouteHost: the container's port behind the host's; 0 when it is Addr.Port itself

	// For sockets and files: what each end mounts where they meet. nil when
	// nothing is mounted there.
	FromMount, ToMount *types.ServiceVolumeConfig
}

// Route is how the one end of an edge gets to the other.
type Route string

// The routes.
const (
	RouteNone      Route = "none"      // it does not: no shared network, volume or published port. With To nil there is nothing to get to.
	RouteNetwork   Route = "network"   // a shared network
	RouteNamespace Route = "namespace" // one network stack: network_mode "service:…", or both on the host's
	RouteHost      Route = "host"      // a published port of the host
	RouteVolume    Route = "volume"    // one volume or folder mounted at both ends
	RouteContainer Route = "container" // both ends are in the same container
	RouteBrowser   Route = "browser"   // the browser carries it; the ends do not talk
	RouteOutside   Route = "outside"   // the other end is outside the deployment
)

// Endpoint is an address as the configuration gives it.
type Endpoint struct {
	Scheme   string
	Host     string // without brackets
	Port     int
	Path     string             // of a socket or file
	Text     string             // as written, passwords removed
	Values   []deployment.Value // the settings that gave it, the host's first; empty when it is the default
	Default  bool               // no setting gave it
	Loopback bool               // names the container itself: localhost, 127.0.0.1, ::1
	Problem  string             // why it does not parse, in plain words; "" when it does
}

// Listening is where To waits.
type Listening struct {
	Listener *Listener
	Addrs    []ListenAddr
	Value    *deployment.Value // the setting; nil when it is the default
	Problem  string            // why it does not parse
}

// ListenAddr is one listen address.
type ListenAddr struct {
	Host     string // "" or "*" for all
	Port     int
	PortTo   int    // the last port of a range; 0 otherwise
	Path     string // of a unix socket
	Loopback bool   // only processes in the same container reach it
}

// Recognise finds the roles and links of a deployment. External are names
// without a dot that are known to exist outside of it.
func Recognise(d *deployment.Deployment, external ...string) *Topology {
	t := &Topology{Deployment: d, roles: map[string]Role{}, external: external}
	for _, s := range d.Services {
		t.roles[s.Name] = roleOf(s)
	}
	t.names = indexNames(d)
	for i := range Links {
		t.Edges = append(t.Edges, t.edges(&Links[i])...)
	}
	sort.Slice(t.Edges, func(i, j int) bool { return t.Edges[i].ID < t.Edges[j].ID })
	return t
}

// Role gives the role of a service, Unknown when the catalogue does not know it.
func (t *Topology) Role(s *deployment.Service) Role {
	if s == nil {
		return Unknown
	}
	return t.roles[s.Name]
}

// Services gives the services that play a role, sorted by name.
func (t *Topology) Services(r Role) []*deployment.Service {
	var out []*deployment.Service
	for _, s := range t.Deployment.Services {
		if t.roles[s.Name] == r {
			out = append(out, s)
		}
	}
	return out
}

// Edge gives a link by its ID, or nil.
func (t *Topology) Edge(id string) *Edge {
	for _, e := range t.Edges {
		if e.ID == id {
			return e
		}
	}
	return nil
}

// Fits reports whether the service at the other end plays the role that the
// link wants, or one that may stand in for it. It is true for services that the
// catalogue does not know, which may be anything, and when there is none.
func (t *Topology) Fits(e *Edge) bool {
	role := t.Role(e.To)
	return role == Unknown || role == e.Link.To || slices.Contains(e.Link.Also, role)
}

// EdgesOf gives the edges of one link, in the order of their IDs.
func (t *Topology) EdgesOf(linkID string) []*Edge {
	var out []*Edge
	for _, e := range t.Edges {
		if e.Link.ID == linkID {
			out = append(out, e)
		}
	}
	return out
}

// Locations gives the places of the edge's address: its settings, or the
// service itself when the address is a default.
func (e *Edge) Locations() []finding.Location {
	for _, v := range e.Addr.Values {
		if ls := v.Locations(); len(ls) > 0 {
			return ls
		}
	}
	if e.From != nil {
		return []finding.Location{e.From.At.As(finding.Fix)}
	}
	return nil
}

// Reaches reports whether the port that From is told is one that To listens on
// for others: some listen address has it and is not for the container alone.
// With no listener to compare with, or no port, it is true.
func (e *Edge) Reaches() bool {
	port := e.Addr.Port
	if e.Target != 0 {
		port = e.Target
	}
	if e.Listen == nil || e.Listen.Problem != "" || port == 0 {
		return true
	}
	for _, a := range e.Listen.Addrs {
		if a.has(port) && (!a.Loopback || e.Route == RouteNamespace || e.Route == RouteContainer) {
			return true
		}
	}
	return false
}

func (a ListenAddr) has(port int) bool {
	if a.PortTo > 0 {
		return a.Port <= port && port <= a.PortTo
	}
	return a.Port == port
}
