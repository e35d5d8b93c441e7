package checks

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// maxNamesFile bounds a container's hosts and resolv.conf files.
const maxNamesFile = 1 << 20

// names completes the finding of a link that fails by what the client's own
// container knows about names: its hosts file, which goes before every name
// server, and its resolv.conf. Only where the dial began in that container.
func (c *climb) names(f *failure, host string, found finding.Finding) finding.Finding {
	var d *vantage.DialError
	if c.target.Edge.From == nil || !errors.As(f.Err, &d) || d.Route.Vantage != vantage.FromContainer {
		return found
	}
	switch f.Reason {
	case ReasonNoSuchHost, ReasonResolver:
		return c.nameServers(f, host, found)
	}
	tried, err := netip.ParseAddrPort(d.Tried)
	if err != nil || !c.fromHostsFile(host, tried.Addr()) {
		return found
	}
	return c.shadowed(host, tried.Addr(), found)
}

// fromHostsFile reports whether the address of a name is an entry of the hosts
// file, and no entry that the engine makes for the container itself, nor the
// address that the service of that name has.
func (c *climb) fromHostsFile(host string, a netip.Addr) bool {
	if a.IsLoopback() || !slices.Contains(vantage.HostsEntries(c.namesFile("/etc/hosts"), host), a) {
		return false
	}
	e := c.target.Edge
	for _, s := range []*deployment.Service{e.From, e.To} {
		if s == nil {
			continue
		}
		for _, one := range c.target.Engine.Of(s.Name) {
			if slices.Contains(addressesOf(one), a) {
				return false
			}
		}
	}
	return true
}

// namesFile reads a file of the client's container; what cannot be read says nothing.
func (c *climb) namesFile(path string) []byte {
	if c.target.Files == nil {
		return nil
	}
	data, err := c.target.Files.ReadFile(c.target.Edge.From, path, maxNamesFile)
	if err != nil {
		return nil
	}
	return data
}

func (c *climb) shadowed(host string, a netip.Addr, found finding.Finding) finding.Finding {
	from := c.target.Edge.From
	found.Message += fmt.Sprintf(" The address %s stands in /etc/hosts of %s, which goes before every name server", a, from.Name)
	again := "docker compose up -d --force-recreate " + from.Name
	for name := range from.ExtraHosts {
		if strings.EqualFold(name, host) {
			found.Message += ": extra_hosts puts it there."
			found.Locations = append([]finding.Location{c.extraHosts(name).As(finding.Fix)}, found.Locations...)
			found.Remedy = fmt.Sprintf("Take %s out of extra_hosts of %s, or write the right address there; then: docker compose up -d %[2]s", host, from.Name)
			return found
		}
	}
	found.Message += "; the files do not put it there."
	found.Remedy = fmt.Sprintf("Find out who writes to /etc/hosts in %s. A new container has a new file: %s", from.Name, again)
	return found
}

// extraHosts gives the place of an entry: exact in a mapping and in a list of
// one, else that of the list.
func (c *climb) extraHosts(name string) finding.Location {
	from := c.target.Edge.From
	whole, exact := from.Locate("extra_hosts"), from.Locate("extra_hosts", name)
	if exact == whole && len(from.ExtraHosts) == 1 {
		return from.Locate("extra_hosts", "0")
	}
	return exact
}

// nameServers tells which name server does not know a name, or does not answer.
func (c *climb) nameServers(f *failure, host string, found finding.Finding) finding.Finding {
	from, to := c.target.Edge.From, c.target.Edge.To
	servers := vantage.NameServers(c.namesFile("/etc/resolv.conf"))
	switch {
	case to != nil && c.noNamesOfPodman(servers):
		found.Message += fmt.Sprintf(" Podman answers for the names of services only with a name server of its own on the network, and %s has none.", from.Name)
		found.Remedy = "Install Podman's name server (the package aardvark-dns; where Podman uses CNI, golang-github-containernetworking-plugin-dnsname), then make the networks anew: docker compose down, docker compose up -d"
	case f.Reason != ReasonResolver:
	case len(servers) == 0:
		found.Title = from.Name + " has no name server"
		found.Message += fmt.Sprintf(" %s has no name server in its /etc/resolv.conf.", from.Name)
		found.Remedy = fmt.Sprintf("Look at dns: of %s and at /etc/resolv.conf of the machine; then make the container anew: docker compose up -d --force-recreate %[1]s", from.Name)
	case slices.Contains(servers, dockerNames):
		found.Message += fmt.Sprintf(" %s asks Docker's own name server (%s), which passes on what is no name of a container.", from.Name, dockerNames)
		found.Remedy = fmt.Sprintf("Look whether the name servers that Docker passes on to answer: those of dns: of %s, else those of /etc/resolv.conf of the machine. A firewall may keep containers from port 53.", from.Name)
	default:
		found.Message += fmt.Sprintf(" %s asks %s.", from.Name, joinAddrs(servers))
		found.Remedy = fmt.Sprintf("Look whether %s answers, and whether a firewall keeps containers from port 53.", joinAddrs(servers))
	}
	return found
}

// dockerNames is where Docker answers for names on networks of the user
// (libnetwork/resolver.go).
var dockerNames = netip.AddrFrom4([4]byte{127, 0, 0, 11})

// noNamesOfPodman reports whether a container on Podman asks only servers
// outside its networks: Podman's own has the network's first address (aardvark-dns,
// and dnsname under CNI).
func (c *climb) noNamesOfPodman(servers []netip.Addr) bool {
	s := c.target.Engine
	if s == nil || !s.Engine.Podman || len(servers) == 0 {
		return false
	}
	one, ok := s.RunningOf(c.target.Edge.From.Name)
	addresses := addressesOf(one)
	if !ok || len(addresses) == 0 {
		return false
	}
	for _, server := range servers {
		// A network's size is not known here; no outside server is this near.
		for _, a := range addresses {
			if near, err := a.Prefix(16); server.IsLoopback() || err == nil && near.Contains(server) {
				return false
			}
		}
	}
	return true
}

func addressesOf(c engine.Container) []netip.Addr {
	var out []netip.Addr
	for _, e := range c.Networks {
		out = append(out, e.Addresses...)
	}
	return out
}

func joinAddrs(in []netip.Addr) string {
	var out []string
	for _, a := range in {
		out = append(out, a.String())
	}
	return strings.Join(out, ", ")
}
