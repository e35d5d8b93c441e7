//go:build unix

package vantage

import (
	"bytes"
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// relay gives a helper whose other end runs in this process, and whose
// container has one volume, dir.
func relay(t *testing.T, dir string) *Helper {
	t.Helper()
	ours, theirs := net.Pipe()
	ctx, cancel := context.WithCancel(context.Background())
	served := make(chan error, 1)
	go func() { served <- Serve(ctx, theirs) }()
	s := &deployment.Service{Name: "app"}
	s.Volumes = []types.ServiceVolumeConfig{{Type: types.VolumeTypeBind, Source: "/x", Target: dir}}
	h, err := NewHelper(s, ours)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = h.Close()
		select {
		case <-served:
		case <-time.After(5 * time.Second):
			t.Error("the relay goes on when nobody is there any more")
		}
		cancel()
	})
	return h
}

func TestRelayFiles(t *testing.T) {
	dir := t.TempDir()
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<16) // more than fits into one window
	write(t, filepath.Join(dir, "big"), string(big))
	write(t, filepath.Join(dir, "small"), "hello")
	if err := syscall.Mkfifo(filepath.Join(dir, "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	h := relay(t, dir)
	if got, err := h.ReadFile(dir+"/big", 2<<20); err != nil || !bytes.Equal(got, big) {
		t.Errorf("a big file: %d bytes, %v", len(got), err)
	}
	if got, err := h.ReadFile(dir+"/small", 5); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	for name, want := range map[string]error{dir + "/big": ErrTooLarge, dir + "/none": fs.ErrNotExist, "/etc/hostname": ErrNoRoute, dir + "/../x": ErrNoRoute} {
		if got, err := h.ReadFile(name, 5); !errors.Is(err, want) {
			t.Errorf("%s: %q, %v; want %v", name, got, err, want)
		}
	}
	for _, name := range []string{dir, dir + "/fifo"} {
		if got, err := h.ReadFile(name, 5); err == nil {
			t.Errorf("%s was read: %q", name, got)
		}
	}
	if info, err := h.Stat(dir + "/small"); err != nil || info.Size != 5 || info.Mode != 0o644 || info.UID != os.Getuid() {
		t.Errorf("%+v, %v", info, err)
	}
}

func TestRelayConnections(t *testing.T) {
	dir, err := os.MkdirTemp("", "r")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = tcp.Close() })
	unix, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Close() })
	for _, l := range []net.Listener{tcp, unix} {
		go echo(l)
	}
	write(t, filepath.Join(dir, "file"), "")
	before := runtime.NumGoroutine()
	h := relay(t, dir)
	for network, address := range map[string]string{"tcp": tcp.Addr().String(), "unix": dir + "/s"} {
		conn, err := h.DialContext(t.Context(), network, address)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.RemoteAddr().String(); network == "tcp" && got != address {
			t.Errorf("the address is %s, want %s", got, address)
		}
		sent := bytes.Repeat([]byte("x"), 1<<20)
		go func() { _, _ = conn.Write(sent) }()
		_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
		got := make([]byte, len(sent))
		if _, err := io.ReadFull(conn, got); err != nil || !bytes.Equal(got, sent) {
			t.Errorf("%s: %v", network, err)
		}
		_ = conn.SetReadDeadline(time.Now().Add(50 * time.Millisecond))
		var timeout net.Error
		if _, err := conn.Read(got); !errors.As(err, &timeout) || !timeout.Timeout() {
			t.Errorf("silence on %s: %v", network, err)
		}
		_ = conn.Close()
	}
	_, port, _ := net.SplitHostPort(tcp.Addr().String())
	_ = tcp.Close()
	for _, c := range []struct {
		network, address string
		fails            func(error) bool
	}{
		{"tcp", "127.0.0.1:" + port, func(err error) bool {
			var d *DialError
			return errors.Is(err, syscall.ECONNREFUSED) && errors.As(err, &d) && d.Tried == "127.0.0.1:"+port && d.Route.Vantage == FromHelper
		}},
		{"tcp", "localhost:" + port, func(err error) bool { return errors.Is(err, syscall.ECONNREFUSED) }},
		{"unix", dir + "/none", func(err error) bool { return errors.Is(err, fs.ErrNotExist) }},
		{"unix", dir + "/file", func(err error) bool { return errors.Is(err, syscall.ENOTSOCK) }},
		{"unix", "/elsewhere/s", func(err error) bool { return errors.Is(err, ErrNoRoute) }},
		{"sctp", "127.0.0.1:1", func(err error) bool { return err != nil }},
	} {
		if _, err := h.DialContext(t.Context(), c.network, c.address); err == nil || !c.fails(err) {
			t.Errorf("%s %s: %v", c.network, c.address, err)
		}
	}
	over, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.DialContext(over, "tcp", "127.0.0.1:1"); !errors.Is(err, context.Canceled) {
		t.Errorf("after the end: %v", err)
	}
	_ = h.Close()
	if _, err := h.DialContext(t.Context(), "tcp", "127.0.0.1:1"); !errors.Is(err, ErrNoRoute) {
		t.Errorf("over a line that is cut: %v", err)
	}
	for range 100 {
		if runtime.NumGoroutine() <= before {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("%d goroutines, before %d", runtime.NumGoroutine(), before)
}

func echo(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go func() {
			_, _ = io.Copy(conn, conn)
			_ = conn.Close()
		}()
	}
}

// Whatever is at the other end of the line in the relay's place.
func TestHostileRelays(t *testing.T) {
	for name, talk := range map[string]func(net.Conn){
		"closed":   func(c net.Conn) { _ = c.Close() },
		"nonsense": func(c net.Conn) { _, _ = c.Write(bytes.Repeat([]byte("exec: no such file\n"), 100)); _ = c.Close() },
		"zeroes":   func(c net.Conn) { _, _ = c.Write(make([]byte, 1000)); _ = c.Close() },
		"echo":     func(c net.Conn) { _, _ = io.Copy(c, io.LimitReader(c, 24)); _ = c.Close() },
	} {
		ours, theirs := net.Pipe()
		go talk(theirs)
		start := time.Now()
		if _, err := NewHelper(&deployment.Service{Name: "app"}, ours); !errors.Is(err, ErrNoRoute) || !strings.Contains(err.Error(), "app") {
			t.Errorf("%s: %v", name, err)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s: took %s", name, took)
		}
	}
}
