package doctor

import (
	"context"
	"errors"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// Vantage is where checks stand: how they reach the addresses that a service
// is told, and the files that it sees.
type Vantage interface {
	// Prepare takes up the position from which each of the services is looked
	// at. It is called once, before everything else.
	Prepare(ctx context.Context, services []*deployment.Service)
	// Dialer reaches addresses as they are written in the configuration of
	// from, which is nil for a client outside the deployment.
	Dialer(from *deployment.Service) checks.Dialer
	// Route names the vantage that reaches host:port for from, "" when none does.
	Route(from *deployment.Service, host string, port int) string
	// Files reads the files of containers.
	Files() checks.Files
	// Reads names the vantage that reads the files and sockets of a service.
	Reads(s *deployment.Service) string
	// Why says why containers are not entered although they run; "" when they are.
	Why() string
	// Close leaves whatever was entered. Checks that are late get errors.
	Close() error
}

// Standing makes the vantage of a run, by what the engine says.
type Standing func(*kopano.Topology, EngineSays) Vantage

// watcher stands between one check and its vantage and notes, for the report,
// from where the link was last reached.
type watcher struct {
	vantage Vantage
	from    *deployment.Service
	dialer  checks.Dialer
	files   checks.Files
	last    atomic.Value // string
}

func watch(v Vantage, from *deployment.Service) *watcher {
	return &watcher{vantage: v, from: from, dialer: v.Dialer(from), files: v.Files()}
}

// DialContext dials, see checks.Dialer.
func (w *watcher) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network == "unix" {
		conn, err := w.dialer.DialContext(ctx, network, address)
		w.read(w.from, err)
		return conn, err
	}
	if host, portText, err := net.SplitHostPort(address); err == nil {
		if port, err := strconv.Atoi(portText); err == nil {
			w.last.Store(w.vantage.Route(w.from, host, port))
		}
	}
	return w.dialer.DialContext(ctx, network, address)
}

// ReadFile reads, see checks.Files.
func (w *watcher) ReadFile(s *deployment.Service, path string, limit int64) ([]byte, error) {
	data, err := w.files.ReadFile(s, path, limit)
	w.read(s, err)
	return data, err
}

// Stat looks at a file, see checks.Files.
func (w *watcher) Stat(s *deployment.Service, path string) (checks.FileInfo, error) {
	info, err := w.files.Stat(s, path)
	w.read(s, err)
	return info, err
}

// read notes from where a file or socket was looked for. Not to find it is to
// have looked.
func (w *watcher) read(s *deployment.Service, err error) {
	if !errors.Is(err, vantage.ErrNoRoute) {
		w.last.CompareAndSwap(nil, w.vantage.Reads(s))
	}
}

// inside reports whether the client's address is dialled from its own container.
func (w *watcher) inside(e *kopano.Edge) bool {
	if e.Addr.Host == "" {
		return w.vantage.Reads(e.From) == vantage.FromContainer
	}
	return w.vantage.Route(e.From, e.Addr.Host, e.Addr.Port) == vantage.FromContainer
}

func (w *watcher) name() string {
	name, _ := w.last.Load().(string)
	return name
}
