package rules

import (
	"net/netip"
	"strconv"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// subnetRules are about addresses that somebody wrote down for networks and
// containers, instead of leaving them to Docker.
func subnetRules() []Rule {
	return []Rule{
		{
			ID: "network-subnets-overlap", Subject: "links", Severity: finding.Error,
			Title:  "Two networks want the same addresses",
			Why:    "Docker makes no network whose addresses another one has: \"Pool overlaps with other one on this address space\". Nothing is started then.",
			Source: "Docker Engine, libnetwork ipam; docker/for-linux issue 599",
			Check:  subnetsOverlap,
		},
		{
			ID: "network-subnet-invalid", Fixable: true, Subject: "links", Severity: finding.Error,
			Title: "The addresses of a network cannot be used",
			Why: "A subnet is an address and the number of its fixed bits, 172.28.0.0/16. Gateway and ip_range must lie in it, and a bridge takes one subnet of IPv4 and one of IPv6. " +
				"Else Docker refuses to make the network.",
			Source: "Docker Engine, libnetwork ipam and bridge driver; RFC 4632 section 3.1",
			Check:  subnetInvalid,
		},
		{
			ID: "static-address-invalid", Subject: "links", Severity: finding.Error,
			Title: "A container cannot get the address that it is given",
			Why: "Docker gives a container the address in ipv4_address or ipv6_address only if the network has a subnet that was written down and the address lies in it, " +
				"if it is not the gateway's (the first of the subnet unless gateway says otherwise) and nobody else has it. Else the container does not start.",
			Source: "Docker Engine, libnetwork ipam; compose specification, ipv4_address",
			Check:  staticAddress,
		},
	}
}

// pool is one subnet of a network that this project makes.
type pool struct {
	network string
	prefix  netip.Prefix
	gateway netip.Addr // the zero value when that is not known
	at      finding.Location
}

func (p pool) text() string { return quote(p.prefix.String()) }

// poolPlace gives where a field of a network's subnet is written.
func poolPlace(in *Input, network string, i int, field string) finding.Location {
	return in.Deployment.Locate("networks", network, "ipam", "config", strconv.Itoa(i), field)
}

// ownNetworks gives the networks that Compose makes for this project. Those
// that are external exist already, with addresses that nobody here sees.
func ownNetworks(in *Input) []string {
	var out []string
	for _, name := range sorted(in.Deployment.Model.Networks) {
		if !bool(in.Deployment.Model.Networks[name].External) {
			out = append(out, name)
		}
	}
	return out
}

// isBridge reports whether a network is of Docker's usual kind.
func isBridge(in *Input, network string) bool {
	driver := in.Deployment.Model.Networks[network].Driver
	return driver == "" || driver == "bridge"
}

// pools gives the subnets of a network that can be read.
func pools(in *Input, network string) []pool {
	var out []pool
	for i, c := range in.Deployment.Model.Networks[network].Ipam.Config {
		if c == nil || c.Subnet == "" {
			continue
		}
		prefix, err := netip.ParsePrefix(c.Subnet)
		if err != nil {
			continue // network-subnet-invalid speaks of it
		}
		gateway, err := netip.ParseAddr(c.Gateway)
		if err != nil && c.IPRange == "" && isBridge(in, network) {
			gateway = prefix.Masked().Addr().Next() // Docker takes the first address
		}
		out = append(out, pool{network, prefix.Masked(), gateway, poolPlace(in, network, i, "subnet")})
	}
	return out
}

// isUsedNetwork reports whether a service is on a network: Compose makes no others.
func isUsedNetwork(in *Input, network string) bool {
	for _, s := range in.Deployment.Services {
		if _, ok := s.Networks[network]; ok || network == "default" && len(s.Networks) == 0 && s.NetworkMode == "" {
			return true
		}
	}
	return false
}

func subnetsOverlap(in *Input) []finding.Finding {
	var out []finding.Finding
	var before []pool
	for _, name := range ownNetworks(in) {
		if !isUsedNetwork(in, name) || in.Deployment.Model.Networks[name].Driver == "overlay" { // a swarm has addresses of its own
			continue
		}
		mine := pools(in, name)
		for _, p := range mine {
			for _, q := range before {
				if !p.prefix.Overlaps(q.prefix) {
					continue
				}
				out = append(out, finding.Finding{
					Subject: name, Key: q.network + " " + q.prefix.String(),
					Message:     "The network " + name + " has the subnet " + p.text() + ", and " + q.network + " has " + q.text() + ": they share addresses.",
					Consequence: "Docker refuses to make the second network, and nothing is started.",
					Remedy:      "Give " + name + " another subnet, or delete both and leave the choice to Docker.",
					Locations:   []finding.Location{p.at.As(finding.Fix), q.at.As(finding.Related)},
				})
			}
		}
		before = append(before, mine...)
	}
	return out
}

func subnetInvalid(in *Input) []finding.Finding {
	var out []finding.Finding
	add := func(network, key, message, remedy string, at finding.Location) {
		out = append(out, finding.Finding{
			Subject: network, Key: key, Message: message, Remedy: remedy,
			Consequence: "Docker refuses to make the network, and nothing is started.",
			Locations:   []finding.Location{at.As(finding.Fix)},
		})
	}
	for _, name := range ownNetworks(in) {
		net := in.Deployment.Model.Networks[name]
		if !isUsedNetwork(in, name) || !isBridge(in, name) {
			continue
		}
		families := map[bool]bool{}
		for i, c := range net.Ipam.Config {
			if c == nil || c.Subnet == "" {
				continue
			}
			prefix, err := netip.ParsePrefix(c.Subnet)
			at := poolPlace(in, name, i, "subnet")
			switch {
			case err != nil:
				add(name, "subnet "+c.Subnet, "The subnet "+quote(c.Subnet)+" of the network "+name+" is no address with the number of its fixed bits.",
					"Write it as in 172.28.0.0/16.", at)
				continue
			case prefix != prefix.Masked():
				add(name, "subnet "+c.Subnet, "The subnet "+quote(c.Subnet)+" of the network "+name+" is an address inside of "+quote(prefix.Masked().String())+".",
					"Write subnet: "+prefix.Masked().String(), at)
				out[len(out)-1].Severity = finding.Warning
				out[len(out)-1].Edits = in.Deployment.SetValue(at, c.Subnet, prefix.Masked().String())
				out[len(out)-1].Consequence = "Older releases of Docker take it, newer ones refuse to make the network: nothing is started after an upgrade."
			case families[prefix.Addr().Is4()]:
				add(name, "second", "The network "+name+" has two subnets of one kind, and a bridge takes one.",
					"Delete one of the two, or write one that holds both.", at)
			}
			families[prefix.Addr().Is4()] = true
			if prefix.Addr().Is6() && (net.EnableIPv6 == nil || !*net.EnableIPv6) {
				add(name, "six", "The network "+name+" has the IPv6 subnet "+quote(c.Subnet)+", but IPv6 is not switched on for it.", "Write enable_ipv6: true beside ipam, or delete the subnet.", at)
				out[len(out)-1].Severity = finding.Warning
				out[len(out)-1].Consequence = "The containers get no IPv6 address, and who calls them over IPv6 does not reach them."
			}
			if gw, err := netip.ParseAddr(c.Gateway); c.Gateway != "" && (err != nil || !prefix.Contains(gw)) {
				add(name, "gateway", "The gateway "+quote(c.Gateway)+" of the network "+name+" does not lie in its subnet "+quote(c.Subnet)+".",
					"Write an address of the subnet, for example gateway: "+prefix.Masked().Addr().Next().String(), poolPlace(in, name, i, "gateway"))
			}
			if r, err := netip.ParsePrefix(c.IPRange); c.IPRange != "" && (err != nil || !prefix.Contains(r.Addr()) || r.Bits() < prefix.Bits()) {
				add(name, "ip_range", "The ip_range "+quote(c.IPRange)+" of the network "+name+" does not lie in its subnet "+quote(c.Subnet)+".",
					"Write a part of the subnet, or delete ip_range.", poolPlace(in, name, i, "ip_range"))
			}
		}
	}
	return out
}

// fixed is an address that somebody gave a container.
type fixed struct {
	service *deployment.Service
	network string
	field   string // ipv4_address or ipv6_address
	text    string
}

func (f fixed) place() finding.Location {
	return f.service.Locate("networks", f.network, f.field)
}

// fixedAddresses gives every address that is written down for a container.
func fixedAddresses(in *Input) []fixed {
	var out []fixed
	for _, s := range in.Deployment.Services {
		for _, name := range sorted(s.Networks) {
			n := s.Networks[name]
			if n == nil {
				continue
			}
			if n.Ipv4Address != "" {
				out = append(out, fixed{s, name, "ipv4_address", n.Ipv4Address})
			}
			if n.Ipv6Address != "" {
				out = append(out, fixed{s, name, "ipv6_address", n.Ipv6Address})
			}
		}
	}
	return out
}

func staticAddress(in *Input) []finding.Finding {
	var out []finding.Finding
	taken := map[string]fixed{} // by network and address
	for _, f := range fixedAddresses(in) {
		message, remedy := addressFault(in, f)
		related := []finding.Location{}
		id := f.network + " " + f.text
		if first, twice := taken[id]; twice && message == "" {
			message = f.service.Name + " and " + first.service.Name + " both have the address " + quote(f.text) + " on the network " + f.network + "."
			remedy = "Give one of them another address, or delete " + f.field + " and use the service's name instead."
			related = append(related, first.place().As(finding.Related))
		} else if !twice {
			taken[id] = f
		}
		if message == "" {
			continue
		}
		out = append(out, finding.Finding{
			Subject: f.service.Name, Key: f.field + " " + f.network, Links: linksTo(in, f.service),
			Message: message, Remedy: remedy,
			Consequence: f.service.Name + " does not start, and who needs it does not reach it.",
			Locations:   append([]finding.Location{f.place().As(finding.Fix)}, related...),
		})
	}
	return out
}

// addressFault says why a container cannot get an address.
func addressFault(in *Input, f fixed) (message, remedy string) {
	addr, err := netip.ParseAddr(f.text)
	if err != nil || addr.Is4() != (f.field == "ipv4_address") {
		return "The " + f.field + " " + quote(f.text) + " of " + f.service.Name + " is no such address.", "Correct it, or delete " + f.field + " and use the service's name instead."
	}
	net, declared := in.Deployment.Model.Networks[f.network]
	if !declared || bool(net.External) {
		return "", "" // its subnet is not known here
	}
	ps := pools(in, f.network)
	if len(ps) < len(net.Ipam.Config) {
		return "", "" // a subnet that cannot be read: network-subnet-invalid
	}
	if len(ps) == 0 {
		return f.service.Name + " has a fixed address on the network " + f.network + ", which has no subnet of its own choice.",
			"Give " + f.network + " a subnet (ipam, config, subnet) that holds " + f.text + ", or delete " + f.field + " and use the service's name instead."
	}
	for _, p := range ps {
		if !p.prefix.Contains(addr) {
			continue
		}
		if addr == p.gateway {
			return "The address " + quote(f.text) + " of " + f.service.Name + " is that of the gateway of the network " + f.network + ".", "Give " + f.service.Name + " another address of " + p.prefix.String() + "."
		}
		if addr == p.prefix.Addr() && p.prefix.Bits() < addr.BitLen()-1 {
			return "The address " + quote(f.text) + " of " + f.service.Name + " is the name of the network itself.", "Give " + f.service.Name + " another address of " + p.prefix.String() + "."
		}
		return "", ""
	}
	return "The address " + quote(f.text) + " of " + f.service.Name + " does not lie in the subnet " + ps[0].text() + " of the network " + f.network + ".",
		"Give it an address of " + ps[0].prefix.String() + ", or delete " + f.field + " and use the service's name instead."
}
