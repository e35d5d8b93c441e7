package doctor

import (
	"runtime"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// From makes checks stand where the mode says, with some addresses pinned.
func From(pins vantage.Pins, mode vantage.Mode) Standing {
	return func(t *kopano.Topology, says EngineSays) Vantage {
		e := running(says.Snapshot)
		e.Help = says.Help
		return stand{vantage.NewStand(vantage.NewHost(t.Deployment, t, pins), mode, e)}
	}
}

// running gives of a snapshot what standing somewhere needs.
func running(s *engine.Snapshot) vantage.Engine {
	if s == nil || len(s.Containers) == 0 {
		return vantage.Engine{}
	}
	e := vantage.Engine{
		Known: true, Running: map[string]vantage.Running{},
		// Elsewhere the engine runs in a virtual machine, and without root in
		// namespaces that nobody else gets into.
		Local: !s.Engine.Remote && !s.Engine.Rootless && runtime.GOOS == "linux",
	}
	for _, c := range s.Containers {
		if one, ok := s.RunningOf(c.Service); ok && one.ID == c.ID {
			r := vantage.Running{ID: c.ID, PID: c.PID}
			for _, n := range c.Networks {
				r.Addresses = append(r.Addresses, n.Addresses...)
			}
			e.Running[c.Service] = r
		}
	}
	return e
}

type stand struct{ *vantage.Stand }

// Dialer dials as from is told to.
func (s stand) Dialer(from *deployment.Service) checks.Dialer { return s.From(from) }

// Files reads the files of containers.
func (s stand) Files() checks.Files { return s.Stand.Files() }

// Route names the vantage that reaches host:port for from.
func (s stand) Route(from *deployment.Service, name string, port int) string {
	r, err := s.Stand.Route(from, name, port)
	if err != nil {
		return ""
	}
	return r.Vantage
}
