package checks_test

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"runtime"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// hostilePeers do what no honest server does.
var hostilePeers = map[string]func(net.Conn){
	"endless line": func(c net.Conn) { flood(c, bytes.Repeat([]byte("2"), 64<<10)) },
	"endless greeting": func(c net.Conn) {
		flood(c, bytes.Repeat([]byte("220-hello there, this goes on\r\n"), 2<<10))
	},
	"endless header": func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nX-Long: ")
		flood(c, bytes.Repeat([]byte("a"), 64<<10))
	},
	"endless body": func(c net.Conn) {
		_, _ = io.WriteString(c, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n\r\n")
		flood(c, bytes.Repeat([]byte("["), 64<<10))
	},
	"endless informational answers": func(c net.Conn) { flood(c, bytes.Repeat([]byte("HTTP/1.1 103 Early Hints\r\nX: y\r\n\r\n"), 1<<10)) },
	"drip": func(c net.Conn) {
		for _, b := range bytes.Repeat([]byte("220-x\r\n"), 1<<20) {
			if _, err := c.Write([]byte{b}); err != nil {
				return
			}
			time.Sleep(20 * time.Millisecond)
		}
	},
	"garbage":  func(c net.Conn) { flood(c, []byte{0, 0xff, 0x16, 0x7f, 0, 0x80, 0xfe, '\n', 0x15, 3}) },
	"nul only": func(c net.Conn) { _, _ = c.Write(make([]byte, 1<<10)) },
	"TLS records": func(c net.Conn) {
		_, _ = c.Write([]byte{0x16, 3, 3, 0xff, 0xff})
		flood(c, make([]byte, 64<<10))
	},
}

func flood(c net.Conn, chunk []byte) {
	go func() { _, _ = io.Copy(io.Discard, c) }()
	for {
		if _, err := c.Write(chunk); err != nil {
			return
		}
	}
}

// hostile runs a check against every hostile peer: none may make it hang, fill
// the memory, or take the link for a good one.
func hostile(t *testing.T, name string, check func(*scene) checks.Result) {
	t.Helper()
	hostileBehind(t, name, check, func(_ *scene, c net.Conn) net.Conn { return c })
}

// hostileTLS does the same behind TLS with a good certificate.
func hostileTLS(t *testing.T, name string, check func(*scene) checks.Result) {
	t.Helper()
	hostileBehind(t, name, check, func(s *scene, c net.Conn) net.Conn {
		leaf, err := s.ca.Issue(lab.LeafOptions{Names: []string{publicName}})
		if err != nil {
			s.t.Error(err)
		}
		return tls.Server(c, lab.ServerTLS(leaf))
	})
}

func hostileBehind(t *testing.T, name string, check func(*scene) checks.Result, wrap func(*scene, net.Conn) net.Conn) {
	t.Helper()
	for what, peer := range hostilePeers {
		t.Run(what, func(t *testing.T) {
			s := newScene(t)
			s.timeout = 400 * time.Millisecond
			address, err := s.lab.Serve(func(c net.Conn) { peer(wrap(s, c)) })
			labtest.Check(t, err)
			s.pin(name, address)
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			start := time.Now()
			r := check(s)
			took := time.Since(start)
			runtime.ReadMemStats(&after)
			if r.Status != checks.Broken {
				t.Errorf("got %s: %s", r.Status, r.Message)
			}
			if took > 4*time.Second {
				t.Errorf("took %s", took)
			}
			if grown := int64(after.TotalAlloc - before.TotalAlloc); grown > 192<<20 {
				t.Errorf("allocated %d MB", grown>>20)
			}
		})
	}
}
