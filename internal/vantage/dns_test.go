package vantage

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/net/dns/dnsmessage"
)

// nameServer answers as its function says; nil answers are not sent.
type nameServer struct {
	address string
	asked   chan string
}

// onePort listens on a port that is free for both protocols.
func onePort(t *testing.T) (net.PacketConn, net.Listener) {
	t.Helper()
	for tries := 0; ; tries++ {
		udp, err := net.ListenPacket("udp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		tcp, err := net.Listen("tcp", udp.LocalAddr().String())
		if err == nil {
			return udp, tcp
		}
		_ = udp.Close()
		if tries == 20 {
			t.Fatal(err)
		}
	}
}

func startNameServer(t *testing.T, reply func(q dnsmessage.Message, network string) [][]byte) *nameServer {
	t.Helper()
	udp, tcp := onePort(t)
	s := &nameServer{udp.LocalAddr().String(), make(chan string, 1000)}
	t.Cleanup(func() { udp.Close(); tcp.Close() })
	go func() {
		buf := make([]byte, 2048)
		for {
			n, from, err := udp.ReadFrom(buf)
			if err != nil {
				return
			}
			for _, r := range s.answer(buf[:n], "udp", reply) {
				_, _ = udp.WriteTo(r, from)
			}
		}
	}()
	go func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			var length [2]byte
			if _, err := io.ReadFull(conn, length[:]); err == nil {
				q := make([]byte, binary.BigEndian.Uint16(length[:]))
				if _, err := io.ReadFull(conn, q); err == nil {
					for _, r := range s.answer(q, "tcp", reply) {
						_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(r))), r...))
					}
				}
			}
			conn.Close()
		}
	}()
	return s
}

func (s *nameServer) answer(q []byte, network string, reply func(dnsmessage.Message, string) [][]byte) [][]byte {
	var m dnsmessage.Message
	if m.Unpack(q) != nil {
		return nil
	}
	if m.Questions[0].Type == dnsmessage.TypeA {
		s.asked <- m.Questions[0].Name.String()
	}
	return reply(m, network)
}

// yes answers a question for an A record, no says that there is no such name.
func yes(q dnsmessage.Message, ip [4]byte) []byte {
	q.Response, q.RecursionAvailable = true, true
	if q.Questions[0].Type == dnsmessage.TypeA {
		q.Answers = []dnsmessage.Resource{{Header: dnsmessage.ResourceHeader{Name: q.Questions[0].Name, Class: dnsmessage.ClassINET, TTL: 1}, Body: &dnsmessage.AResource{A: ip}}}
	}
	return pack(q)
}

func code(q dnsmessage.Message, rcode dnsmessage.RCode) []byte {
	q.Response, q.RCode = true, rcode
	return pack(q)
}

func pack(m dnsmessage.Message) []byte {
	b, err := m.Pack()
	if err != nil {
		panic(err)
	}
	return b
}

func resolverAt(conf, hosts string, servers ...*nameServer) *resolver {
	r := newResolver([]byte(hosts), []byte(conf))
	r.servers = nil
	for _, s := range servers {
		r.servers = append(r.servers, s.address)
	}
	var d net.Dialer
	r.dial = d.DialContext
	return r
}

func TestNamesAreTriedInTheOrderOfResolvConf(t *testing.T) {
	for _, c := range []struct {
		conf, host string
		want       []string
	}{
		{"nameserver 127.0.0.11\noptions ndots:0\n", "db", []string{"db."}},
		{"search a.example b.example # c.example\noptions ndots:0\n", "db", []string{"db.", "db.a.example.", "db.b.example."}},
		{"search a.example\n", "db", []string{"db.a.example.", "db."}},
		{"search a.example\n", "db.x", []string{"db.x.", "db.x.a.example."}},
		{"search a.example\noptions ndots:5 timeout:1 attempts:3\n", "db.x", []string{"db.x.a.example.", "db.x."}},
		{"search a.example\n", "db.", []string{"db."}},
		{"; search a.example\n\noptions\n", "db", []string{"db."}},
	} {
		s := startNameServer(t, func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{code(q, dnsmessage.RCodeNameError)} })
		_, err := resolverAt(c.conf, "", s).lookup(t.Context(), "tcp", c.host)
		var dns *net.DNSError
		if !errors.As(err, &dns) || !dns.IsNotFound {
			t.Errorf("%q: %v", c.conf, err)
		}
		var got []string
		for len(s.asked) > 0 {
			got = append(got, <-s.asked)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%q: %s was asked for as %v, want %v", c.conf, c.host, got, c.want)
		}
	}
}

func TestHostsFileComesFirst(t *testing.T) {
	s := startNameServer(t, func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{yes(q, [4]byte{192, 0, 2, 1})} })
	r := resolverAt("", "127.0.0.1 localhost\n::1 localhost\n192.0.2.9\tDC1.corp dc1 # the old one\nnonsense x\n", s)
	for host, want := range map[string]string{"dc1": "192.0.2.9", "dc1.CORP.": "192.0.2.9", "localhost": "127.0.0.1", "x": "192.0.2.1"} {
		got, err := r.lookup(t.Context(), "tcp", host)
		if err != nil || got[0].String() != want {
			t.Errorf("%s = %v, %v; want %s", host, got, err, want)
		}
	}
	if _, err := r.lookup(t.Context(), "tcp6", "dc1"); err == nil {
		t.Error("an IPv4 address was given for IPv6")
	}
	if got, err := resolverAt("", "").lookup(t.Context(), "tcp4", "localhost"); err != nil || got[0] != netip.MustParseAddr("127.0.0.1") {
		t.Errorf("localhost without a hosts file: %v, %v", got, err)
	}
	if _, err := resolverAt("", "").lookup(t.Context(), "tcp", "db"); err == nil || !strings.Contains(err.Error(), "no name server") {
		t.Errorf("without any name server: %v", err)
	}
}

// Name servers that lie, stumble or say nothing.
func TestHostileNameServers(t *testing.T) {
	good := [4]byte{192, 0, 2, 7}
	for name, c := range map[string]struct {
		reply func(q dnsmessage.Message, network string) [][]byte
		want  string // address, or words of the error
	}{
		"well": {func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{yes(q, good)} }, "192.0.2.7"},
		"too long": {func(q dnsmessage.Message, n string) [][]byte {
			if n == "udp" {
				q.Truncated = true
				return [][]byte{code(q, 0)}
			}
			return [][]byte{yes(q, good)}
		}, "192.0.2.7"},
		"forged before": {func(q dnsmessage.Message, _ string) [][]byte {
			f := q
			f.ID++
			return [][]byte{yes(f, [4]byte{6, 6, 6, 6}), {1, 2, 3}, yes(q, good)}
		}, "192.0.2.7"},
		"only forged": {func(q dnsmessage.Message, _ string) [][]byte { q.ID++; return [][]byte{yes(q, [4]byte{6, 6, 6, 6})} }, "timeout"},
		"silent":      {func(dnsmessage.Message, string) [][]byte { return nil }, "timeout"},
		"no address":  {func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{code(q, 0)} }, "no such host"},
		"fails":       {func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{code(q, dnsmessage.RCodeServerFailure)} }, "RCodeServerFailure"},
		"refuses":     {func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{code(q, dnsmessage.RCodeRefused)} }, "RCodeRefused"},
		"cut off": {func(q dnsmessage.Message, n string) [][]byte {
			q.Truncated = true
			if n == "udp" {
				return [][]byte{code(q, 0)}
			}
			return [][]byte{{}}
		}, "cannot be read"},
	} {
		s := startNameServer(t, c.reply)
		ctx, cancel := context.WithTimeout(t.Context(), 400*time.Millisecond)
		got, err := resolverAt("options attempts:1", "", s).lookup(ctx, "tcp", "db.example.org")
		cancel()
		if text := said(got, err); !strings.Contains(text, c.want) {
			t.Errorf("%s: %s, want %s", name, text, c.want)
		}
	}
}

// The second server is asked when the first one does not know what to say, and
// is not when it says that there is no such name.
func TestTheSecondNameServer(t *testing.T) {
	broken := startNameServer(t, func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{code(q, dnsmessage.RCodeServerFailure)} })
	denies := startNameServer(t, func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{code(q, dnsmessage.RCodeNameError)} })
	good := startNameServer(t, func(q dnsmessage.Message, _ string) [][]byte { return [][]byte{yes(q, [4]byte{192, 0, 2, 7})} })
	if got, err := resolverAt("", "", broken, good).lookup(t.Context(), "tcp", "db"); said(got, err) != "192.0.2.7" {
		t.Errorf("after a broken one: %v, %v", got, err)
	}
	if got, err := resolverAt("", "", denies, good).lookup(t.Context(), "tcp", "db"); !strings.Contains(said(got, err), "no such host") {
		t.Errorf("after one that denies: %v, %v", got, err)
	}
}

func said(got []netip.Addr, err error) string {
	if err == nil {
		return got[0].String()
	}
	var dns *net.DNSError
	if !errors.As(err, &dns) {
		return "no DNS error: " + err.Error()
	}
	if dns.IsTimeout {
		return "timeout"
	}
	return dns.Error()
}

func FuzzResolvConf(f *testing.F) {
	f.Add([]byte("nameserver 127.0.0.11\nsearch a b\noptions ndots:0 timeout:x\n"), []byte("127.0.0.1 localhost\n"))
	f.Fuzz(func(t *testing.T, resolv, hosts []byte) {
		r := newResolver(hosts, resolv)
		if len(r.servers) > maxServers || len(r.search) > maxSearch || r.timeout <= 0 || r.attempts < 1 || len(r.candidates("db")) > maxSearch+1 {
			t.Errorf("%+v", r)
		}
	})
}
