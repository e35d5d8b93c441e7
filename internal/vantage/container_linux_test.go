package vantage_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// inside is a deployment on two networks, with a name server of its own that
// says no to whatever it does not know, as the engine's does towards the world.
const inside = `
services:
  client:
    image: STANDIN
    command: ["unix=/run/own.sock", "fifo=/data/fifo", "tcp=8080"]
    hostname: client
    networks: [one]
    dns: ["SUBNET.53"]
    extra_hosts: ["pinned:192.0.2.9"]
    volumes: ["run:/srv/a-folder-with-a-name-so-long-that-a-socket-in-it-has-no-path-that-the-kernel-would-take-which-is-107-bytes-at-most"]
  names: {image: STANDIN, command: ["dns"], networks: {one: {ipv4_address: SUBNET.53}}}
  near: {image: STANDIN, command: ["tcp=3306", "unix=/srv/near.sock"], hostname: near, networks: {one: {aliases: [db.alias]}}, volumes: ["run:/srv"]}
  far: {image: STANDIN, command: ["tcp=3306"], networks: [two]}
  frozen: {image: STANDIN, command: ["tcp=3306"], networks: [one]}
  lonely: {image: STANDIN, network_mode: none}
  twin: {image: STANDIN, network_mode: "service:near"}
networks:
  one: {ipam: {config: [{subnet: SUBNET.0/24}]}}
  two: {}
volumes: {run: {}}
`

func TestFromInsideAContainer(t *testing.T) {
	needsRoot(t)
	p := enginetest.Start(t, map[string]string{"compose.yaml": inside})
	p.Compose("pause", "frozen")
	d, stand := standIn(t, p, vantage.Auto)
	stand.Prepare(t.Context(), d.Services)
	before := resources(t)
	from := func(name string) *deployment.Service {
		s, ok := d.Service(name)
		if !ok {
			t.Fatalf("no service %s", name)
		}
		return s
	}
	long := "/srv/a-folder-with-a-name-so-long-that-a-socket-in-it-has-no-path-that-the-kernel-would-take-which-is-107-bytes-at-most"
	for _, c := range []struct {
		from, network, address string
		want                   string // what is said, when somebody answers
		fails                  func(error) bool
	}{
		{"client", "tcp", "near:3306", "near from " + p.Subnet + ".", nil},
		{"client", "tcp", "NEAR.:3306", "near from", nil},
		{"client", "tcp", "db.alias:3306", "near from", nil},
		{"client", "tcp", "localhost:8080", "client from 127.0.0.1", nil},
		{"client", "tcp", "127.0.0.1:8080", "client from 127.0.0.1", nil},
		{"twin", "tcp", "localhost:3306", "near from 127.0.0.1", nil},
		{"client", "tcp", "near:81", "", is(syscall.ECONNREFUSED)},
		{"client", "tcp", "far:3306", "", noSuchHost},
		{"client", "tcp", "nowhere.example.org:1", "", noSuchHost},
		{"client", "tcp", "known.test:1", "", triedAt("192.0.2.77:1")},
		{"client", "tcp", "pinned:1", "", triedAt("192.0.2.9:1")},
		{"lonely", "tcp", "near:3306", "", resolverDown},
		{"lonely", "tcp", "192.0.2.1:1", "", is(syscall.ENETUNREACH)},
		{"client", "unix", "/run/own.sock", "client from", nil},
		{"client", "unix", long + "/near.sock", "near from", nil},
		{"client", "unix", "/run/none.sock", "", is(fs.ErrNotExist)},
		{"client", "unix", "/data/greeting", "", is(syscall.ENOTSOCK)},
		{"client", "unix", "/data/passwd/x.sock", "", is(fs.ErrNotExist)},
	} {
		ctx, cancel := context.WithTimeout(t.Context(), 1500*time.Millisecond)
		conn, err := stand.From(from(c.from)).DialContext(ctx, c.network, c.address)
		cancel()
		name := c.from + " → " + c.network + " " + c.address
		switch {
		case c.fails != nil && (err == nil || !c.fails(err)):
			t.Errorf("%s: %v", name, err)
		case c.fails == nil && err != nil:
			t.Errorf("%s: %v", name, err)
		case err == nil:
			if line := greeting(t, conn); !strings.HasPrefix(line, c.want) {
				t.Errorf("%s: %q answers, want %q", name, line, c.want)
			}
		}
		if err != nil && strings.Contains(err.Error(), "/proc/") {
			t.Errorf("%s: the error tells of handles: %v", name, err)
		}
	}
	udpFromInside(t, stand.From(from("client")))
	if r, err := stand.Route(from("client"), "near", 3306); err != nil || r.Vantage != vantage.FromContainer {
		t.Errorf("route: %v, %v", r, err)
	}

	// A frozen process takes connections, which its kernel does, and says nothing.
	conn, err := stand.From(from("client")).DialContext(t.Context(), "tcp", "frozen:3306")
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.SetDeadline(time.Now().Add(200 * time.Millisecond))
	if _, err := conn.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a frozen container says something: %v", err)
	}
	conn.Close()

	files(t, stand.Files(), from("client"))
	many(t, stand, from("client"))
	if err := stand.Close(); err != nil {
		t.Error(err)
	}
	if _, err := stand.From(from("client")).DialContext(t.Context(), "tcp", "near:3306"); !errors.Is(err, vantage.ErrNoRoute) {
		t.Errorf("after the end: %v", err)
	}
	before.same(t)
}

// files holds the reading of files to what a process in the container would
// see, and to nothing outside of it.
func files(t *testing.T, f vantage.StandFiles, s *deployment.Service) {
	t.Helper()
	for name, want := range map[string]string{"/data/greeting": "hello from inside", "/data/out": "hello from inside", "/data/../data/greeting": "hello from inside", "/data/up": "client\n", "/../../data/greeting": "hello from inside"} {
		if got, err := f.ReadFile(s, name, 100); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	for name, fails := range map[string]func(error) bool{
		"/data/none": is(fs.ErrNotExist), "/data/passwd": is(fs.ErrNotExist), "/data/greeting/x": is(fs.ErrNotExist), "/data": any, "/data/fifo": any, "/proc/1/root/etc/hostname": any, "/run/own.sock": any,
	} {
		start := time.Now()
		if got, err := f.ReadFile(s, name, 100); err == nil || !fails(err) || time.Since(start) > time.Second {
			t.Errorf("%s = %q, %v after %s", name, got, err, time.Since(start))
		}
	}
	if _, err := f.ReadFile(s, "/data/greeting", 3); !errors.Is(err, vantage.ErrTooLarge) {
		t.Errorf("a long file: %v", err)
	}
	info, err := f.Stat(s, "/data/out")
	if err != nil || info.Size != 17 || info.Mode != 0o640 || info.UID != 1234 || info.Dir {
		t.Errorf("Stat = %+v, %v", info, err)
	}
	if info, err := f.Stat(s, "/data"); err != nil || !info.Dir {
		t.Errorf("Stat of a folder = %+v, %v", info, err)
	}
}

func any(error) bool { return true }

// many dials from many goroutines at once, beside ones that must stay outside.
func many(t *testing.T, stand *vantage.Stand, s *deployment.Service) {
	t.Helper()
	own := ownNamespace(t)
	var wg sync.WaitGroup
	for range 50 {
		wg.Go(func() {
			conn, err := stand.From(s).DialContext(t.Context(), "tcp", "near:3306")
			if err != nil {
				t.Errorf("one of many: %v", err)
				return
			}
			conn.Close()
		})
		wg.Go(func() {
			if now := ownNamespace(t); now != own {
				t.Errorf("a goroutine came to run in %s, and belongs in %s", now, own)
			}
		})
	}
	wg.Wait()
	main, err := os.Readlink("/proc/self/ns/net")
	if err != nil || main != own {
		t.Errorf("the main thread is in %s, %v; want %s", main, err, own)
	}
}

func ownNamespace(t *testing.T) string {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	ns, err := os.Readlink("/proc/thread-self/ns/net")
	if err != nil {
		t.Error(err)
	}
	return ns
}

// udpFromInside asks the name server of the client's network over UDP: nobody
// outside it is answered.
func udpFromInside(t *testing.T, from interface {
	DialContext(ctx context.Context, network, address string) (net.Conn, error)
}) {
	t.Helper()
	conn, err := from.DialContext(t.Context(), "udp", "names:53")
	if err != nil {
		t.Errorf("over UDP: %v", err)
		return
	}
	defer conn.Close()
	// One question, for known.test, type A (RFC 1035, 4.1).
	question := "\x12\x34\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x05known\x04test\x00\x00\x01\x00\x01"
	_ = conn.SetDeadline(time.Now().Add(3 * time.Second))
	if _, err := conn.Write([]byte(question)); err != nil {
		t.Errorf("over UDP: %v", err)
	}
	reply := make([]byte, 512)
	if n, err := conn.Read(reply); err != nil || n < 12 || string(reply[:2]) != "\x12\x34" {
		t.Errorf("over UDP: %q, %v", reply[:n], err)
	}
}

// What is not the container's process is not entered, and what does not run
// cannot be.
func TestEnteringTheWrongProcess(t *testing.T) {
	needsRoot(t)
	p := enginetest.Start(t, map[string]string{"compose.yaml": "services:\n  one: {image: STANDIN}\n  gone: {image: STANDIN, command: [\"exit=1\"]}\n"})
	s := snapshot(t, p)
	one, ok := s.RunningOf("one")
	if !ok {
		t.Fatal("it does not run")
	}
	for name, c := range map[string]struct {
		id  string
		pid int
	}{
		"another process": {one.ID, os.Getpid()}, "init": {one.ID, 1}, "no process": {one.ID, 1 << 30}, "zero": {one.ID, 0},
		"another container": {strings.Repeat("a", 64), one.PID}, "no ID": {"", one.PID},
	} {
		if in, err := vantage.Enter("one", c.id, c.pid); !errors.Is(err, vantage.ErrNoRoute) {
			t.Errorf("%s was entered: %v, %v", name, in, err)
		}
	}
	d, stand := standIn(t, p, vantage.Auto)
	stand.Prepare(t.Context(), d.Services)
	gone, _ := d.Service("gone")
	if _, err := stand.From(gone).DialContext(t.Context(), "tcp", "one:1"); !errors.Is(err, vantage.ErrNoRoute) || !strings.Contains(err.Error(), "gone does not run") {
		t.Errorf("from what does not run: %v", err)
	}
	in, err := vantage.Enter("one", one.ID, one.PID)
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	p.Compose("kill", "one")
	if _, err := in.ReadFile("/data/greeting", 100); err == nil {
		t.Log("the root of a dead container can still be read; nothing wrong with that")
	}
	if _, err := in.DialContext(t.Context(), "tcp", "127.0.0.1:1"); err == nil {
		t.Error("somebody answers in a dead container")
	}
}

// Without rights, and where only this machine is wanted, the addresses of the
// containers do.
func TestFromTheHostByAddress(t *testing.T) {
	p := enginetest.Start(t, map[string]string{"compose.yaml": "services:\n  a: {image: STANDIN, command: [\"tcp=3306\"], hostname: a}\n  b: {image: STANDIN}\n"})
	d, stand := standIn(t, p, vantage.OnlyHost)
	b, _ := d.Service("b")
	var conn net.Conn
	var err error
	for range 50 {
		if conn, err = stand.From(b).DialContext(t.Context(), "tcp", "a:3306"); err == nil {
			break
		}
		time.Sleep(20 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	if line := greeting(t, conn); !strings.HasPrefix(line, "a from") {
		t.Errorf("%q", line)
	}
	if r, err := stand.Route(b, "a", 3306); err != nil || r.Vantage != vantage.FromHost {
		t.Errorf("%v, %v", r, err)
	}
}

func standIn(t *testing.T, p *enginetest.Project, mode vantage.Mode) (*deployment.Deployment, *vantage.Stand) {
	t.Helper()
	d, err := deployment.Load(t.Context(), deployment.Options{Dir: p.Dir})
	if err != nil {
		t.Fatal(err)
	}
	e := vantage.Engine{Known: true, Local: true, Running: map[string]vantage.Running{}}
	for _, c := range snapshot(t, p).Containers {
		if c.PID == 0 {
			continue
		}
		r := vantage.Running{ID: c.ID, PID: c.PID}
		for _, n := range c.Networks {
			r.Addresses = append(r.Addresses, n.Addresses...)
		}
		e.Running[c.Service] = r
	}
	stand := vantage.NewStand(vantage.NewHost(d, kopano.Recognise(d), nil), mode, e)
	t.Cleanup(func() { _ = stand.Close() })
	return d, stand
}

func snapshot(t *testing.T, p *enginetest.Project) *engine.Snapshot {
	t.Helper()
	c, err := engine.Open(t.Context(), "", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Look(t.Context(), engine.Wanted{Project: p.Name})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 {
		return
	}
	if os.Getenv("KOPANO_DOCTOR_CI") == "1" {
		t.Fatal("entering containers needs root")
	}
	t.Skip("entering containers needs root")
}

func greeting(t *testing.T, conn net.Conn) string {
	t.Helper()
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(2 * time.Second))
	line, err := bufio.NewReader(conn).ReadString('\n')
	if err != nil {
		t.Error(err)
	}
	return line
}

func is(want error) func(error) bool { return func(err error) bool { return errors.Is(err, want) } }

func noSuchHost(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && dns.IsNotFound
}

func resolverDown(err error) bool {
	var dns *net.DNSError
	return errors.As(err, &dns) && !dns.IsNotFound
}

func triedAt(address string) func(error) bool {
	return func(err error) bool {
		var d *vantage.DialError
		return errors.As(err, &d) && d.Tried == address && d.Route.Vantage == vantage.FromContainer
	}
}

// holdings are what a process may leave behind in itself.
type holdings struct{ files, goroutines, threads int }

func resources(t *testing.T) holdings {
	t.Helper()
	return holdings{entries(t, "/proc/self/fd"), runtime.NumGoroutine(), entries(t, "/proc/self/task")}
}

func entries(t *testing.T, dir string) int {
	t.Helper()
	list, err := filepath.Glob(dir + "/*")
	if err != nil {
		t.Fatal(err)
	}
	return len(list)
}

// same waits until no more is held than before. Threads may be kept by the
// runtime for later use, so only a growth by dozens would be a leak.
func (h holdings) same(t *testing.T) {
	t.Helper()
	var now holdings
	for range 100 {
		now = resources(t)
		if now.files <= h.files && now.goroutines <= h.goroutines && now.threads <= h.threads+20 {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	t.Errorf("left behind: %s", fmt.Sprintf("%+v, before %+v", now, h))
}
