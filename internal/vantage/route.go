package vantage

import (
	"cmp"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// Host is this machine, outside every container and without a container
// engine: services are reached by the ports that they publish, everything
// else as any other program here would reach it.
type Host struct {
	deployment *deployment.Deployment
	names      Names
	pins       Pins
	volumes    string // folder of the engine's named volumes

	running map[string]Running // containers whose addresses this machine reaches; by service
}

// DockerVolumes is where Docker keeps named volumes unless its data-root is
// elsewhere (docs.docker.com, "Volumes").
const DockerVolumes = "/var/lib/docker/volumes"

// NewHost makes the vantage of this machine. Pins may be nil.
func NewHost(d *deployment.Deployment, names Names, pins Pins) *Host {
	return &Host{deployment: d, names: names, pins: pins, volumes: DockerVolumes}
}

// WithVolumes gives the same vantage with another folder for named volumes.
func (h *Host) WithVolumes(dir string) *Host {
	c := *h
	c.volumes = dir
	return &c
}

// withAddresses gives the same vantage where ports that are not published are
// reached by the addresses of the containers.
func (h *Host) withAddresses(running map[string]Running) *Host {
	c := *h
	c.running = running
	return &c
}

// Route says where host:port, as written in the configuration of from, is
// dialled. From is nil for clients outside the deployment. The error is a
// *NoRoute when the address means something that only a container can reach.
func (h *Host) Route(from *deployment.Service, host string, port int) (Route, error) {
	return h.route(from, host, port, "tcp")
}

// route is Route for a protocol, "tcp" or "udp": ports are published for one.
func (h *Host) route(from *deployment.Service, host string, port int, protocol string) (Route, error) {
	if address, ok := h.pins.Lookup(host, port); ok {
		return Route{address, FromResolve}, nil
	}
	host = normalHost(host)
	if address, ok := extraHost(from, host); ok {
		return Route{joinHostPort(address, port), FromHost}, nil
	}
	if from != nil && from.NetworkMode != "host" && isLoopback(host) {
		return Route{}, noRoute("%s means %s itself, which only a process inside that container reaches; pass --resolve %s=ADDR:PORT to look anyway",
			host, from.Name, joinHostPort(host, port))
	}
	to, _ := h.names.LookupHost(from, host)
	if to == nil {
		return Route{joinHostPort(host, port), FromHost}, nil
	}
	if address, ok := h.published(to, port, protocol); ok {
		return Route{address, FromHost}, nil
	}
	if h.running != nil {
		running, ok := h.running[to.Name]
		if ok && len(running.Addresses) > 0 {
			return Route{joinHostPort(running.Addresses[0].String(), port), FromHost}, nil
		}
		return Route{}, noRoute("the port is not published, and %s has no address here; pass --resolve %s=ADDR:PORT", to.Name, joinHostPort(host, port))
	}
	return Route{}, noRoute("no container engine is used and the port is not published; run on the Docker host or pass --resolve %s=ADDR:PORT",
		joinHostPort(host, port))
}

// published gives the address on this machine by which a port inside a
// service is reached.
func (h *Host) published(s *deployment.Service, port int, protocol string) (string, bool) {
	if s.NetworkMode == "host" {
		return joinHostPort("127.0.0.1", port), true
	}
	if other, ok := strings.CutPrefix(s.NetworkMode, "service:"); ok {
		owner, found := h.deployment.Service(other)
		if !found || owner == s {
			return "", false
		}
		s = owner // the ports of a shared network namespace are published by its owner
	}
	for _, p := range s.Ports {
		if cmp.Or(p.Protocol, "tcp") != protocol || int(p.Target) != port {
			continue
		}
		if published, ok := publishedPort(p); ok {
			return joinHostPort(hostIP(p.HostIP), published), true
		}
	}
	return "", false
}

// publishedPort gives the port on the host. A mapping without one, or with a
// range for one port, is given a port by the engine at start, which we do not know.
func publishedPort(p types.ServicePortConfig) (int, bool) {
	n, err := strconv.ParseUint(p.Published, 10, 16)
	if err != nil || n == 0 {
		return 0, false
	}
	return int(n), true
}

func hostIP(ip string) string {
	ip = strings.Trim(ip, "[]")
	addr, err := netip.ParseAddr(ip)
	switch {
	case ip == "" || err == nil && addr == netip.IPv4Unspecified():
		return "127.0.0.1"
	case err == nil && addr == netip.IPv6Unspecified():
		return "::1"
	}
	return ip
}

// extraHost looks into the service's own /etc/hosts entries.
func extraHost(from *deployment.Service, host string) (string, bool) {
	if from == nil {
		return "", false
	}
	for name, addresses := range from.ExtraHosts {
		if normalHost(name) != host || len(addresses) == 0 {
			continue
		}
		if slices.Contains(addresses, "host-gateway") {
			return "127.0.0.1", true // the machine that runs the containers
		}
		return normalHost(addresses[0]), true
	}
	return "", false
}

func isLoopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}
