package doctor

import (
	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// FromHost makes checks dial from this machine, with some addresses pinned.
func FromHost(pins vantage.Pins) func(*kopano.Topology) Vantage {
	return func(t *kopano.Topology) Vantage {
		return host{vantage.NewHost(t.Deployment, t, pins)}
	}
}

type host struct{ *vantage.Host }

// Dialer dials as from is told to.
func (h host) Dialer(from *deployment.Service) checks.Dialer { return h.From(from) }

// Files reads the files of containers.
func (h host) Files() checks.Files { return h.Host.Files() }

// Route names the vantage that reaches host:port for from.
func (h host) Route(from *deployment.Service, name string, port int) string {
	r, err := h.Host.Route(from, name, port)
	if err != nil {
		return ""
	}
	return r.Vantage
}
