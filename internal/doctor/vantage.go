package doctor

import (
	"context"
	"net"
	"strconv"
	"sync/atomic"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// Vantage is where checks stand: how they reach the addresses that a service
// is told, and the files that it sees.
type Vantage interface {
	// Dialer reaches addresses as they are written in the configuration of
	// from, which is nil for a client outside the deployment.
	Dialer(from *deployment.Service) checks.Dialer
	// Route names the vantage that reaches host:port for from, "" when none does.
	Route(from *deployment.Service, host string, port int) string
	// Files reads the files of containers.
	Files() checks.Files
}

// watchedDialer notes the vantage of the last dial, for the report.
type watchedDialer struct {
	inner checks.Dialer
	route func(from *deployment.Service, host string, port int) string
	from  *deployment.Service
	name  atomic.Value // string
}

// DialContext dials, see checks.Dialer.
func (w *watchedDialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if host, portText, err := net.SplitHostPort(address); err == nil {
		if port, err := strconv.Atoi(portText); err == nil {
			w.name.Store(w.route(w.from, host, port))
		}
	}
	return w.inner.DialContext(ctx, network, address)
}

func (w *watchedDialer) vantage() string {
	name, _ := w.name.Load().(string)
	return name
}
