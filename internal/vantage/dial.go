package vantage

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// maxDial bounds a dial whose context has no deadline.
const maxDial = 10 * time.Second

// Dialer dials as one service is told to.
type Dialer struct {
	host *Host
	from *deployment.Service
}

// From gives the dialer for the addresses in the configuration of one
// service; nil for a client outside the deployment.
func (h *Host) From(s *deployment.Service) *Dialer { return &Dialer{h, s} }

// Route says where host:port is dialled; see Host.Route.
func (d *Dialer) Route(host string, port int) (Route, error) {
	return d.host.Route(d.from, host, port)
}

// DialContext connects to host:port as the configuration writes it; over UDP
// nothing is sent, and whether anybody is there shows only later. A failed
// dial is a *DialError around the error of package net; an address that cannot
// be reached from here is a *NoRoute. All addresses of a name are tried one
// after the other within the context's time, at most 10 seconds without one.
func (d *Dialer) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	switch network {
	case "unix":
		return d.host.dialSocket(ctx, d.from, address)
	case "tcp", "tcp4", "tcp6", "udp", "udp4", "udp6":
	default:
		return nil, noRoute("%s addresses are not reachable from this host", network)
	}
	host, port, err := splitHostPort(address)
	if err != nil {
		return nil, err
	}
	route, err := d.host.route(d.from, host, port, protocolOf(network))
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, maxDial)
	defer cancel()
	addresses, err := resolve(ctx, network, route.Address)
	if err != nil {
		return nil, &DialError{Route: route, Err: err}
	}
	dialer := net.Dialer{FallbackDelay: -1}
	return dialEach(ctx, network, route, addresses, dialer.DialContext)
}

// protocolOf gives "tcp" for tcp, tcp4 and tcp6, and "udp" likewise.
func protocolOf(network string) string { return strings.TrimRight(network, "46") }

type dialFunc func(ctx context.Context, network, address string) (net.Conn, error)

// dialEach tries the addresses in turn. Like package net it divides what is
// left of the time, so that one dead address does not use up all of it, and
// reports the first error, since the first address is the preferred one.
func dialEach(ctx context.Context, network string, route Route, addresses []netip.AddrPort, dial dialFunc) (net.Conn, error) {
	var first *DialError
	for i, a := range addresses {
		try, cancel := context.WithDeadline(ctx, shareOfTime(ctx, len(addresses)-i))
		conn, err := dial(try, network, a.String())
		cancel()
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = &DialError{Route: route, Tried: a.String(), Err: err}
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, first
}

func shareOfTime(ctx context.Context, left int) time.Time {
	deadline, ok := ctx.Deadline()
	if !ok {
		return time.Now().Add(maxDial)
	}
	if left < 2 {
		return deadline
	}
	return time.Now().Add(time.Until(deadline) / time.Duration(left))
}

// resolve gives the address literals of host:port. It looks names up itself,
// within the context, so that nothing is left to a dial that knows no bound.
func resolve(ctx context.Context, network, address string) ([]netip.AddrPort, error) {
	host, port, err := splitHostPort(address)
	if err != nil {
		return nil, err
	}
	if a, err := netip.ParseAddr(host); err == nil {
		return []netip.AddrPort{netip.AddrPortFrom(a, uint16(port))}, nil
	}
	family := "ip" + strings.TrimPrefix(network, protocolOf(network))
	found, err := net.DefaultResolver.LookupNetIP(ctx, family, host)
	if err != nil {
		return nil, err
	}
	const most = 8 // a name with more addresses than this is not worth the wait
	var out []netip.AddrPort
	for _, a := range found[:min(len(found), most)] {
		out = append(out, netip.AddrPortFrom(a.Unmap(), uint16(port)))
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no address", Name: host, IsNotFound: true}
	}
	return out, nil
}

func splitHostPort(address string) (string, int, error) {
	host, portText, err := net.SplitHostPort(address)
	if err != nil {
		return "", 0, err
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 || host == "" {
		return "", 0, fmt.Errorf("address %q: a host and a port from 1 to 65535 are needed", address)
	}
	return host, int(port), nil
}
