package vantage

import (
	"context"
	"io"
	"maps"
	"net"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// Mode says where to stand.
type Mode string

// The modes.
const (
	Auto          Mode = "auto"      // in the client's container where that can be entered, else on this machine
	OnlyContainer Mode = "container" // in the client's container, and nowhere else
	OnlyHelper    Mode = "helper"    // in a container beside the client's, and nowhere else
	OnlyHost      Mode = "host"      // on this machine
)

// Modes lists them.
func Modes() []Mode { return []Mode{Auto, OnlyContainer, OnlyHelper, OnlyHost} }

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

	// Help starts a helper in the network of a service's container and gives the
	// line to the relay in it. Closing the line ends the helper. nil where none
	// can be started.
	Help func(ctx context.Context, service string, r Running) (io.ReadWriteCloser, error)
}

// Stand is where the links of a deployment are looked at from: each from the
// container of its client where the mode and this machine allow it.
type Stand struct {
	host   *Host
	mode   Mode
	engine Engine

	mu     sync.RWMutex
	inside map[string]entry // by service
}

// insider is a Container or a Helper.
type insider interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
	ReadFile(name string, limit int64) ([]byte, error)
	Stat(name string) (FileInfo, error)
	Close() error
}

type entry struct {
	insider
	from string // FromContainer, FromHelper
	err  error  // why there is none
	why  error  // why it is not the best
}

// NewStand makes a stand; host is the second best.
func NewStand(host *Host, mode Mode, e Engine) *Stand {
	if e.Local {
		host = host.withAddresses(e.Running)
	}
	return &Stand{host: host, mode: mode, engine: e, inside: map[string]entry{}}
}

// Prepare takes up a position in the container of each of the services, all at
// once. Those that are not named are looked at from this machine.
func (s *Stand) Prepare(ctx context.Context, services []*deployment.Service) {
	if s.mode == OnlyHost || !s.engine.Known {
		return
	}
	const atOnce = 8
	var g errgroup.Group
	g.SetLimit(atOnce)
	for _, service := range services {
		running, ok := s.engine.Running[service.Name]
		if !ok || ctx.Err() != nil {
			continue
		}
		g.Go(func() error {
			e := s.position(ctx, service, running)
			s.mu.Lock()
			defer s.mu.Unlock()
			s.inside[service.Name] = e
			return nil
		})
	}
	_ = g.Wait() // the functions give no error
}

// position enters a container or, where that cannot be, gets help.
func (s *Stand) position(ctx context.Context, service *deployment.Service, running Running) entry {
	why := error(errFar)
	if s.engine.Local && s.mode != OnlyHelper {
		c, err := Enter(service.Name, running.ID, running.PID)
		if err == nil {
			return entry{insider: c, from: FromContainer}
		}
		why = err
	}
	if s.mode == OnlyContainer || s.engine.Help == nil {
		return entry{err: why, why: why}
	}
	conn, err := s.engine.Help(ctx, service.Name, running)
	if err != nil {
		return entry{err: noRoute("%s; %s", why, err), why: noRoute("%s; %s", why, err)}
	}
	h, err := NewHelper(service, conn)
	if err != nil {
		return entry{err: err, why: err}
	}
	return entry{insider: h, from: FromHelper, why: why}
}

// Close leaves every container, and ends every helper.
func (s *Stand) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	var g errgroup.Group
	for name, e := range s.inside {
		if e.insider != nil {
			g.Go(e.Close)
		}
		s.inside[name] = entry{err: noRoute("the run is over")}
	}
	return g.Wait()
}

// in gives the position in a service's container: nil, without an error, where
// this machine is to be taken instead.
func (s *Stand) in(from *deployment.Service) (entry, error) {
	strict := s.mode == OnlyContainer || s.mode == OnlyHelper
	if from == nil || s.mode == OnlyHost || !s.engine.Known {
		if from != nil && strict {
			return entry{}, errNoEngine
		}
		return entry{}, nil
	}
	if _, ok := s.engine.Running[from.Name]; !ok {
		return entry{}, noRoute("%s does not run, so nothing can be tried from it", from.Name)
	}
	s.mu.RLock()
	e, ok := s.inside[from.Name]
	s.mu.RUnlock()
	switch {
	case ok && e.insider != nil:
		return e, nil
	case ok && (strict || e.why == nil):
		return entry{}, e.err
	}
	return entry{}, nil
}

var (
	errNoEngine = noRoute("no container engine is used that runs this deployment")
	errFar      = noRoute("the container engine is not on this machine, so its containers cannot be entered")
)

// Why says why containers are not entered, or only with help; "" when they are,
// or need not be.
func (s *Stand) Why() string {
	if s.mode == OnlyHelper {
		return ""
	}
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, name := range slices.Sorted(maps.Keys(s.inside)) {
		if e := s.inside[name]; e.why != nil {
			if e.from == FromHelper {
				return e.why.Error() + "; a helper beside each container looks instead"
			}
			return e.why.Error()
		}
	}
	return ""
}

// Route says where host:port is dialled for a service, and from where.
func (s *Stand) Route(from *deployment.Service, host string, port int) (Route, error) {
	if address, ok := s.host.pins.Lookup(host, port); ok {
		return Route{address, FromResolve}, nil
	}
	e, err := s.in(from)
	switch {
	case err != nil:
		return Route{}, err
	case e.insider != nil:
		return Route{joinHostPort(host, port), e.from}, nil
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
	e, err := d.stand.in(d.from)
	switch {
	case err != nil:
		return nil, err
	case e.insider != nil:
		return e.DialContext(ctx, network, address)
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
func (f StandFiles) in(s *deployment.Service) insider {
	e, err := f.stand.in(s)
	if err != nil {
		return nil
	}
	return e.insider
}

// Reads names the vantage that reads a service's files and sockets.
func (s *Stand) Reads(from *deployment.Service) string {
	if e, err := s.in(from); err == nil && e.insider != nil {
		return e.from
	}
	return FromHost
}
