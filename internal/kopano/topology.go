package kopano

import (
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Topology is the catalogue found in one deployment: which service plays which
// role, and every link that the configuration makes.
type Topology struct {
	Deployment *deployment.Deployment
	Edges      []*Edge // sorted by ID

	roles map[string]Role // by service name
}

// Edge is a link of this deployment.
type Edge struct {
	ID      string // Link.ID + "@" + From's service name: "server-ldap@kopano_server"
	Link    *Link
	From    *deployment.Service // nil for clients outside
	To      *deployment.Service // nil when the other end is outside, or missing
	Addr    Endpoint            // as From is told
	Listen  *Listening          // as To listens; nil when To is nil or the link has no listener
	Outside bool                // the address names a server outside the deployment (a dotted name or an IP that no service has)
	Shared  []string            // networks that both ends share; empty also when To is nil
}

// Endpoint is an address as the configuration gives it.
type Endpoint struct {
	Scheme  string
	Host    string // without brackets
	Port    int
	Path    string             // of a socket or file
	Text    string             // as written, passwords removed
	Values  []deployment.Value // the settings that gave it, the host's first; empty when it is the default
	Default bool               // no setting gave it
	Problem string             // why it does not parse, in plain words; "" when it does
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
	Path     string // of a unix socket
	Loopback bool   // only processes in the same container reach it
}

// Recognise finds the roles and links of a deployment.
func Recognise(d *deployment.Deployment) *Topology {
	return &Topology{Deployment: d, roles: map[string]Role{}}
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
