//go:build unix

package vantage

import (
	"bytes"
	"context"
	"errors"
	"net"
	"strings"
	"syscall"
	"testing"
	"time"
)

// echoUDP sends every datagram back.
func echoUDP(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		data := make([]byte, maxDatagram)
		for {
			n, from, err := conn.ReadFrom(data)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(data[:n], from)
		}
	}()
	return conn.LocalAddr().String()
}

// nobodyUDP is a port that nobody has.
func nobodyUDP(t *testing.T) string {
	t.Helper()
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	return conn.LocalAddr().String()
}

type dialer interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}

func TestUDP(t *testing.T) {
	d, _ := load(t)
	pins, err := ParsePins([]string{"turn.example.org:3478=" + echoUDP(t)})
	if err != nil {
		t.Fatal(err)
	}
	app, _ := d.Service("app")
	own := &Container{"app", here{}}
	for name, c := range map[string]struct {
		from    dialer
		address string
	}{
		"host":           {NewHost(d, byName{d}, pins).From(app), "turn.example.org:3478"},
		"host, address":  {NewHost(d, byName{d}, nil).From(nil), echoUDP(t)},
		"container":      {own, echoUDP(t)},
		"relay":          {relay(t, t.TempDir()), echoUDP(t)},
		"relay, a name ": {relay(t, t.TempDir()), strings.Replace(echoUDP(t), "127.0.0.1", "localhost", 1)},
	} {
		conn, err := c.from.DialContext(t.Context(), "udp", c.address)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		// Datagrams keep their borders, also when they wait together.
		for _, sent := range []string{"one", strings.Repeat("x", 9000), "three"} {
			if _, err := conn.Write([]byte(sent)); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		for _, want := range []string{"one", strings.Repeat("x", 100), "three"} {
			got := make([]byte, 100)
			if n, err := conn.Read(got); err != nil || string(got[:n]) != want {
				t.Errorf("%s: got %q, %v", name, got[:n], err)
			}
		}
		_ = conn.Close()
	}
}

func TestNobodyOverUDP(t *testing.T) {
	d, _ := load(t)
	for name, from := range map[string]dialer{"host": NewHost(d, byName{d}, nil).From(nil), "relay": relay(t, t.TempDir())} {
		conn, err := from.DialContext(t.Context(), "udp", nobodyUDP(t))
		if err != nil {
			t.Fatal(name, err)
		}
		_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
		_, _ = conn.Write([]byte("hello"))
		_, err = conn.Read(make([]byte, 10))
		var timeout net.Error
		if err == nil || errors.As(err, &timeout) && timeout.Timeout() {
			t.Errorf("%s: silence (%v), and nobody is there", name, err)
		}
		if name == "host" && !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("%s: %v", name, err)
		}
		_ = conn.Close()
	}
}

// A port is published for one protocol.
func TestRouteOverUDP(t *testing.T) {
	d, _ := load(t)
	h := NewHost(d, byName{d}, nil)
	app, _ := d.Service("app")
	if r, err := h.route(app, "ldap", 53, "udp"); err != nil || r.Address != "127.0.0.1:5353" {
		t.Errorf("%v, %v", r, err)
	}
	if _, err := h.From(app).DialContext(t.Context(), "udp", "ldap:389"); !errors.Is(err, ErrNoRoute) {
		t.Errorf("a published TCP port was taken for UDP: %v", err)
	}
}

// Lengths that are wrong end the connection, and nothing else.
func TestHostileDatagrams(t *testing.T) {
	for name, sent := range map[string]string{"half a length": "\x00", "less than it says": "\x00\x09abc", "nothing": ""} {
		if _, err := readDatagram(strings.NewReader(sent), make([]byte, 10)); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	if err := writeDatagram(&bytes.Buffer{}, make([]byte, maxDatagram+1)); err == nil {
		t.Error("a datagram longer than any was sent")
	}
}
