package vantage

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// resolver looks names up as the processes of a container do: by its hosts
// file, then by the name servers and search list of its resolv.conf. Package
// net cannot, since it reads those files of this machine.
type resolver struct {
	hosts    map[string][]netip.Addr
	servers  []string // host:port
	search   []string
	ndots    int
	timeout  time.Duration
	attempts int
	dial     func(ctx context.Context, network, address string) (net.Conn, error)
}

// The bounds of resolv.conf(5).
const (
	maxServers = 3
	maxSearch  = 6
)

// newResolver reads the two files; either may be empty.
func newResolver(hosts, resolv []byte) *resolver {
	r := &resolver{hosts: readHosts(hosts), ndots: 1, timeout: 5 * time.Second, attempts: 2}
	for line := range lines(resolv) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		switch fields[0] {
		case "nameserver":
			if a, err := netip.ParseAddr(fields[1]); err == nil && len(r.servers) < maxServers {
				r.servers = append(r.servers, net.JoinHostPort(a.String(), "53"))
			}
		case "search", "domain":
			r.search = fields[1:min(len(fields), maxSearch+1)]
		case "options":
			r.options(fields[1:])
		}
	}
	return r
}

func (r *resolver) options(options []string) {
	for _, o := range options {
		name, value, _ := strings.Cut(o, ":")
		n, err := strconv.Atoi(value)
		if err != nil || n < 0 {
			continue
		}
		switch name {
		case "ndots":
			r.ndots = min(n, 15)
		case "timeout":
			r.timeout = time.Duration(max(1, min(n, 30))) * time.Second
		case "attempts":
			r.attempts = max(1, min(n, 5))
		}
	}
}

// lines gives the lines of a file without their comments.
func lines(data []byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		s := bufio.NewScanner(bytes.NewReader(data))
		for s.Scan() {
			line, _, _ := strings.Cut(s.Text(), "#")
			if strings.HasPrefix(line, ";") {
				continue
			}
			if !yield(line) {
				return
			}
		}
	}
}

func readHosts(data []byte) map[string][]netip.Addr {
	hosts := map[string][]netip.Addr{}
	for line := range lines(data) {
		fields := strings.Fields(line)
		if len(fields) < 2 {
			continue
		}
		a, err := netip.ParseAddr(fields[0])
		if err != nil {
			continue
		}
		for _, name := range fields[1:] {
			name = normalHost(name)
			hosts[name] = append(hosts[name], a.Unmap())
		}
	}
	return hosts
}

// HostsEntries gives the addresses that a hosts file has for a name.
func HostsEntries(hosts []byte, name string) []netip.Addr { return readHosts(hosts)[normalHost(name)] }

// NameServers gives the name servers of a resolv.conf.
func NameServers(resolv []byte) []netip.Addr {
	var out []netip.Addr
	for _, s := range newResolver(nil, resolv).servers {
		if a, err := netip.ParseAddrPort(s); err == nil {
			out = append(out, a.Addr())
		}
	}
	return out
}

// lookup gives the addresses of a name, IPv4 first; the error is a *net.DNSError.
func (r *resolver) lookup(ctx context.Context, network, host string) ([]netip.Addr, error) {
	if found := r.hosts[normalHost(host)]; len(found) > 0 {
		return ofFamily(network, found, host)
	}
	if normalHost(host) == "localhost" { // getaddrinfo knows it without a file, too
		return ofFamily(network, []netip.Addr{netip.AddrFrom4([4]byte{127, 0, 0, 1}), netip.IPv6Loopback()}, host)
	}
	if len(r.servers) == 0 {
		return nil, &net.DNSError{Err: "the container has no name server", Name: host, IsTemporary: true}
	}
	var last error
	for _, name := range r.candidates(host) {
		found, err := r.ask(ctx, network, name)
		if len(found) > 0 {
			return found, nil
		}
		if last == nil || !notFound(err) {
			last = err
		}
		if ctx.Err() != nil {
			break
		}
	}
	return nil, dnsError(host, last)
}

func ofFamily(network string, found []netip.Addr, host string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, a := range found {
		if network == "tcp" || (network == "tcp4") == a.Is4() {
			out = append(out, a)
		}
	}
	if len(out) == 0 {
		return nil, &net.DNSError{Err: "no address of this kind", Name: host, IsNotFound: true}
	}
	return out, nil
}

// candidates gives the full names that are tried, in the order of resolv.conf(5).
func (r *resolver) candidates(host string) []string {
	if strings.HasSuffix(host, ".") {
		return []string{host}
	}
	out := []string{host + "."}
	var searched []string
	for _, s := range r.search {
		searched = append(searched, host+"."+strings.Trim(s, ".")+".")
	}
	if strings.Count(host, ".") >= r.ndots {
		return append(out, searched...)
	}
	return append(searched, out...)
}

var errNoName = errors.New("no such name")

func notFound(err error) bool { return errors.Is(err, errNoName) }

func dnsError(host string, err error) error {
	e := &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	if err != nil && !notFound(err) {
		var timeout net.Error
		late := errors.As(err, &timeout) && timeout.Timeout() || errors.Is(err, context.DeadlineExceeded)
		e = &net.DNSError{UnwrapErr: err, Err: err.Error(), Name: host, IsTimeout: late, IsTemporary: true}
	}
	return e
}

// ask asks for the addresses of both families at once.
func (r *resolver) ask(ctx context.Context, network, name string) ([]netip.Addr, error) {
	type reply struct {
		found []netip.Addr
		err   error
	}
	kinds := map[string][]dnsmessage.Type{
		"tcp": {dnsmessage.TypeA, dnsmessage.TypeAAAA}, "tcp4": {dnsmessage.TypeA}, "tcp6": {dnsmessage.TypeAAAA},
	}[network]
	replies := make([]reply, len(kinds))
	done := make(chan struct{})
	for i, kind := range kinds {
		go func() {
			defer func() { done <- struct{}{} }()
			replies[i].found, replies[i].err = r.query(ctx, name, kind)
		}()
	}
	for range kinds {
		<-done
	}
	var found []netip.Addr
	var err error
	for _, p := range replies {
		found = append(found, p.found...)
		if err == nil || notFound(err) {
			err = p.err
		}
	}
	if len(found) > 0 {
		return found, nil
	}
	if err == nil {
		err = errNoName // the name exists, and has no address
	}
	return nil, err
}

// query asks the name servers in turn, until one knows.
func (r *resolver) query(ctx context.Context, name string, kind dnsmessage.Type) ([]netip.Addr, error) {
	question, id, err := question(name, kind)
	if err != nil {
		return nil, errNoName // a name that cannot be written cannot exist
	}
	for range r.attempts {
		for _, server := range r.servers {
			var found []netip.Addr
			found, err = r.exchange(ctx, server, question, id)
			if err == nil || notFound(err) || ctx.Err() != nil {
				return found, err
			}
		}
	}
	return nil, err
}

func question(name string, kind dnsmessage.Type) ([]byte, uint16, error) {
	n, err := dnsmessage.NewName(name)
	if err != nil {
		return nil, 0, err
	}
	var id [2]byte
	_, _ = rand.Read(id[:])
	m := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: binary.BigEndian.Uint16(id[:]), RecursionDesired: true},
		Questions: []dnsmessage.Question{{Name: n, Type: kind, Class: dnsmessage.ClassINET}},
	}
	packed, err := m.Pack()
	return packed, m.ID, err
}

// exchange asks one server, by UDP and, when the answer did not fit, by TCP.
func (r *resolver) exchange(ctx context.Context, server string, question []byte, id uint16) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, r.timeout)
	defer cancel()
	reply, err := r.send(ctx, "udp", server, question, id)
	if err == nil && reply.Truncated {
		reply, err = r.send(ctx, "tcp", server, question, id)
	}
	if err != nil {
		return nil, err
	}
	switch reply.RCode {
	case dnsmessage.RCodeSuccess:
	case dnsmessage.RCodeNameError:
		return nil, errNoName
	default:
		return nil, errors.New("the name server answers " + reply.RCode.GoString())
	}
	var found []netip.Addr
	for _, a := range reply.Answers {
		switch body := a.Body.(type) {
		case *dnsmessage.AResource:
			found = append(found, netip.AddrFrom4(body.A))
		case *dnsmessage.AAAAResource:
			found = append(found, netip.AddrFrom16(body.AAAA))
		}
	}
	return found, nil
}

func (r *resolver) send(ctx context.Context, network, server string, question []byte, id uint16) (*dnsmessage.Message, error) {
	conn, err := r.dial(ctx, network, server)
	if err != nil {
		return nil, err
	}
	defer conn.Close()
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	if network == "tcp" {
		question = append(binary.BigEndian.AppendUint16(nil, uint16(len(question))), question...)
	}
	if _, err := conn.Write(question); err != nil {
		return nil, err
	}
	// Answers to other questions are not for us; the time bounds the wait.
	for {
		data, err := readReply(conn, network)
		if err != nil {
			return nil, err
		}
		var m dnsmessage.Message
		if err := m.Unpack(data); err == nil && m.Response && m.ID == id && len(m.Questions) == 1 {
			return &m, nil
		} else if network == "tcp" {
			return nil, errors.New("the name server's answer cannot be read")
		}
	}
}

func readReply(conn net.Conn, network string) ([]byte, error) {
	buf := make([]byte, 65535)
	if network == "udp" {
		n, err := conn.Read(buf)
		return buf[:n], err
	}
	var length [2]byte
	if _, err := io.ReadFull(conn, length[:]); err != nil {
		return nil, err
	}
	data := buf[:binary.BigEndian.Uint16(length[:])]
	_, err := io.ReadFull(conn, data)
	return slices.Clone(data), err
}
