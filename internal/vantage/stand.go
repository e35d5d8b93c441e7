package vantage

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"sync"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// Mode says where to stand.
type Mode string

// The modes.
const (
	Auto          Mode = "auto"      // in the client's container where that can be entered, else on this machine
	OnlyContainer Mode = "container" // in the client's container, and nowhere else
	OnlyHost      Mode = "host"      // on this machine
)

// Modes lists them.
func Modes() []Mode { return []Mode{Auto, OnlyContainer, OnlyHost} }

// Running is the container of a service that runs now.
type Running struct {
	ID        string
	PID       int
	Addresses []netip.Addr // on its networks
}

// Engine is what a container engine says about the deployment, as far as
// standing somewhere needs it.
type Engine struct {
	Known   bool               // there is an engine, and it has containers of the deployment
	Running map[string]Running // by service
	Local   bool               // its containers run on this machine, outside any virtual one
}

// Stand is where the links of a deployment are looked at from: each from the
// container of its client where the mode and this machine allow it.
type Stand struct {
	host   *Host
	mode   Mode
	engine Engine

	mu      sync.Mutex
	entered map[string]entry // by service
	closed  bool
}

type entry struct {
	container *Container
	err       error
}

// NewStand makes a stand; host is the second best.
func NewStand(host *Host, mode Mode, e Engine) *Stand {
	if e.Local {
		host = host.withAddresses(e.Running)
	}
	return &Stand{host: host, mode: mode, engine: e, entered: map[string]entry{}}
}

// Close leaves every container that was entered.
func (s *Stand) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	var err error
	for _, e := range s.entered {
		if e.container != nil {
			err = errors.Join(err, e.container.Close())
		}
	}
	return err
}

// in gives the container of a service: nil, without an error, where this
// machine is to be taken instead.
func (s *Stand) in(from *deployment.Service) (*Container, error) {
	if from == nil || s.mode == OnlyHost || !s.engine.Known {
		return nil, s.strict(from, errNoEngine)
	}
	running, ok := s.engine.Running[from.Name]
	if !ok {
		return nil, noRoute("%s does not run, so nothing can be tried from it", from.Name)
	}
	if !s.engine.Local {
		return nil, s.strict(from, errFar)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, noRoute("the run is over")
	}
	e, ok := s.entered[from.Name]
	if !ok {
		e.container, e.err = Enter(from.Name, running.ID, running.PID)
		s.entered[from.Name] = e
	}
	if e.err != nil {
		return nil, s.strict(from, e.err)
	}
	return e.container, nil
}

var (
	errNoEngine = noRoute("no container engine is used that runs this deployment")
	errFar      = noRoute("the container engine is not on this machine, so its containers cannot be entered")
)

// strict lets an error stand only where nothing may take the container's place.
func (s *Stand) strict(from *deployment.Service, err error) error {
	if from != nil && s.mode == OnlyContainer {
		return err
	}
	return nil
}

// Why says why containers are not entered, "" when they are, or need not be.
func (s *Stand) Why() string {
	if s.mode == OnlyHost || !s.engine.Known {
		return ""
	}
	if !s.engine.Local {
		return errFar.Error()
	}
	for name := range s.engine.Running {
		_, err := s.in(&deployment.Service{Name: name})
		s.mu.Lock()
		e := s.entered[name]
		s.mu.Unlock()
		if err = errors.Join(err, e.err); err == nil {
			return ""
		} else if e.err != nil {
			return e.err.Error()
		}
	}
	return ""
}

// Route says where host:port is dialled for a service, and from where.
func (s *Stand) Route(from *deployment.Service, host string, port int) (Route, error) {
	if address, ok := s.host.pins.Lookup(host, port); ok {
		return Route{address, FromResolve}, nil
	}
	c, err := s.in(from)
	switch {
	case err != nil:
		return Route{}, err
	case c != nil:
		return Route{joinHostPort(host, port), FromContainer}, nil
	}
	return s.host.Route(from, host, port)
}

// From gives the dialer for the addresses in the configuration of one service;
// nil for a client outside the deployment.
func (s *Stand) From(from *deployment.Service) *StandDialer { return &StandDialer{s, from} }

// StandDialer dials as one service is told to.
type StandDialer struct {
	stand *Stand
	from  *deployment.Service
}

// DialContext connects as Dialer.DialContext does, from where the stand says.
func (d *StandDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host := d.stand.host.From(d.from)
	if name, port, err := splitHostPort(address); err == nil && network != "unix" {
		if _, pinned := d.stand.host.pins.Lookup(name, port); pinned {
			return host.DialContext(ctx, network, address)
		}
	}
	c, err := d.stand.in(d.from)
	switch {
	case err != nil:
		return nil, err
	case c != nil:
		return c.DialContext(ctx, network, address)
	}
	return host.DialContext(ctx, network, address)
}

// Files reads in containers where they can be entered, else in their volumes.
func (s *Stand) Files() StandFiles { return StandFiles{s} }

// StandFiles reads files of containers.
type StandFiles struct{ stand *Stand }

// ReadFile is like Files.ReadFile.
func (f StandFiles) ReadFile(s *deployment.Service, name string, limit int64) ([]byte, error) {
	if c := f.in(s); c != nil {
		return c.ReadFile(name, limit)
	}
	return f.stand.host.Files().ReadFile(s, name, limit)
}

// Stat is like Files.Stat.
func (f StandFiles) Stat(s *deployment.Service, name string) (FileInfo, error) {
	if c := f.in(s); c != nil {
		return c.Stat(name)
	}
	return f.stand.host.Files().Stat(s, name)
}

// in gives the container, nil where its volumes have to do: they are there
// also when it does not run.
func (f StandFiles) in(s *deployment.Service) *Container {
	c, err := f.stand.in(s)
	if err != nil {
		return nil
	}
	return c
}

// Reads names the vantage that reads a service's files and sockets.
func (s *Stand) Reads(from *deployment.Service) string {
	if c, err := s.in(from); err == nil && c != nil {
		return FromContainer
	}
	return FromHost
}
