package vantage

import (
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
)

// Pins is the table of --resolve: for a host and port as the configuration
// writes them, the address that is dialled instead.
type Pins map[string]string

// ParsePins reads --resolve arguments of the form NAME:PORT=ADDR:PORT, as
// curl's --connect-to does. IPv6 addresses stand in brackets. ADDR may also be
// a name, which this machine then resolves.
func ParsePins(args []string) (Pins, error) {
	pins := Pins{}
	for _, arg := range args {
		name, addr, found := strings.Cut(arg, "=")
		if !found {
			return nil, fmt.Errorf("--resolve %s: there is no \"=\"; write NAME:PORT=ADDR:PORT, for example db:3306=127.0.0.1:3306", arg)
		}
		key, err := hostPort(name)
		if err != nil {
			return nil, fmt.Errorf("--resolve %s: before the \"=\": %w", arg, err)
		}
		value, err := hostPort(addr)
		if err != nil {
			return nil, fmt.Errorf("--resolve %s: after the \"=\": %w", arg, err)
		}
		if old, ok := pins[key]; ok && old != value {
			return nil, fmt.Errorf("--resolve %s: %s is already pinned to %s", arg, key, old)
		}
		pins[key] = value
	}
	return pins, nil
}

// Lookup gives the address that a host and port are pinned to.
func (p Pins) Lookup(host string, port int) (string, bool) {
	address, ok := p[joinHostPort(normalHost(host), port)]
	return address, ok
}

// hostPort checks a host:port and gives it in one spelling.
func hostPort(s string) (string, error) {
	host, portText, err := net.SplitHostPort(s)
	if err != nil {
		return "", fmt.Errorf("%q is not a host and port%s", s, hostPortHint(s))
	}
	if host == "" {
		return "", fmt.Errorf("%q has no host", s)
	}
	if strings.ContainsAny(host, " \t/@") {
		return "", fmt.Errorf("%q is not a host", host)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return "", fmt.Errorf("%q is not a port; ports are numbers from 1 to 65535", portText)
	}
	return joinHostPort(normalHost(host), int(port)), nil
}

func hostPortHint(s string) string {
	if strings.Count(s, ":") > 1 && !strings.Contains(s, "[") {
		return "; put an IPv6 address in brackets, as in [::1]:389"
	}
	return "; write NAME:PORT"
}

// normalHost gives one spelling for names that mean the same.
func normalHost(host string) string {
	host = strings.TrimSuffix(strings.ToLower(host), ".")
	if addr, err := netip.ParseAddr(strings.Trim(host, "[]")); err == nil {
		return addr.String()
	}
	return host
}

func joinHostPort(host string, port int) string {
	return net.JoinHostPort(host, strconv.Itoa(port))
}
