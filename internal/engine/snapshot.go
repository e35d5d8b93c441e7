package engine

import (
	"net/netip"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// Snapshot is what ran at one moment. It is plain data: whatever is concluded
// from it is a pure function of it.
type Snapshot struct {
	At         time.Time // by the clock of this machine
	Engine     Info
	Project    string      // as the containers are labelled
	Containers []Container // of the project, sorted by service, number and name
	Images     map[string]Image
}

// Info is what the engine says about itself.
type Info struct {
	Address  string // where it was reached: "unix:///var/run/docker.sock"
	Version  string
	API      string // the version both sides speak
	Name     string // of the machine it runs on
	System   string // "Debian GNU/Linux 12"
	Podman   bool
	Rootless bool
	Remote   bool // not reached over a socket of this machine

	// Ahead is how far the engine's clock is ahead of this machine's, negative
	// when it is behind, at least: what the question took is taken off. 0 when
	// the engine does not tell its time.
	Ahead time.Duration
}

// Image is what the engine has under a name that the files use.
type Image struct {
	ID string // "" when there is no image of that name
}

// Container is one container of the project.
type Container struct {
	ID      string // 64 hexadecimal digits
	Name    string
	Service string
	Number  string // of several containers of one service
	OneOff  bool   // made by `docker compose run`
	Compose string // version of Compose that made it, "" when it did not say

	Image   string // the name it was made from
	ImageID string

	State      State
	Exit       int
	OOMKilled  bool
	Problem    string // the engine's reason for a failed start
	PID        int    // of its first process, on the engine's machine; 0 when it does not run
	Restarts   int
	Restart    string // its restart policy
	Started    time.Time
	Finished   time.Time
	Health     Health
	HealthSays string // what the last health check printed
	LastWords  string // the last line of the log of a container that stopped or restarts

	Files OpenFiles // of the process that is nearest to its limit; zero when nobody could look

	Environment map[string]secret.Text // never printed, only compared
	ImageEnv    map[string]secret.Text // what its image brings along
	NetworkMode string
	Networks    map[string]Endpoint // by the network's name
	Mounts      []Mount
	Ports       []Port // of the machine that lead into it while it runs
}

// Port is a port of the machine that leads into a container.
type Port struct {
	Protocol          string // "tcp" or "udp"
	Target, Published int    // in the container, and on the machine
}

// State is a container's state in the engine's words.
type State string

// The states.
const (
	Created    State = "created"
	Running    State = "running"
	Paused     State = "paused"
	Restarting State = "restarting"
	Removing   State = "removing"
	Exited     State = "exited"
	Dead       State = "dead"
)

// Health is what a container's health check says.
type Health string

// The answers.
const (
	NoHealth  Health = ""
	Starting  Health = "starting"
	Healthy   Health = "healthy"
	Unhealthy Health = "unhealthy"
)

// Endpoint is a container's place on a network.
type Endpoint struct {
	Aliases   []string
	Addresses []netip.Addr
}

// Mount is what a container has mounted.
type Mount struct {
	Type        string // bind, volume, tmpfs …
	Name        string // of a volume
	Source      string // on the engine's machine
	Destination string
	ReadOnly    bool
	Disk        Disk // zero when it was not looked at
}

// Of gives the containers of a service, without those of `docker compose run`.
func (s *Snapshot) Of(service string) []Container {
	var out []Container
	if s == nil {
		return nil
	}
	for _, c := range s.Containers {
		if c.Service == service && !c.OneOff {
			out = append(out, c)
		}
	}
	return out
}

// RunningOf gives a container of a service whose processes run now.
func (s *Snapshot) RunningOf(service string) (Container, bool) {
	for _, c := range s.Of(service) {
		if (c.State == Running || c.State == Paused) && c.PID > 0 {
			return c, true
		}
	}
	return Container{}, false
}
