//go:build unix

package vantage

import (
	"context"
	"errors"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

const project = `
name: demo
services:
  app:
    image: app
    networks: [inside]
    extra_hosts:
      - "dc1=192.0.2.10"
      - "gate=host-gateway"
    volumes:
      - ./files:/data
      - ./files/deep:/data/deep
      - ./one.txt:/etc/one.txt
      - state:/run/app
      - other:/other
      - nfs:/nfs
    tmpfs: [/tmp]
  db:
    image: db
    networks: [inside]
    ports: ["127.0.0.1:13306:3306"]
  ldap:
    image: ldap
    networks: [inside]
    ports: ["0.0.0.0:1389:389", "[::]:1636:636", "192.0.2.7:2389:1389", "5353:53/udp", "3000"]
  web:
    image: web
    network_mode: host
  sidecar:
    image: x
    network_mode: service:db
networks: {inside: {}}
volumes:
  state: {}
  other: {name: elsewhere, external: true}
  nfs: {driver: local, driver_opts: {type: nfs, device: ":/x", o: addr=192.0.2.1}}
`

// byName finds services by their own names only.
type byName struct{ d *deployment.Deployment }

func (n byName) LookupHost(_ *deployment.Service, host string) (*deployment.Service, bool) {
	s, ok := n.d.Service(host)
	return s, ok
}

func load(t *testing.T) (*deployment.Deployment, string) {
	t.Helper()
	dir := t.TempDir()
	write(t, filepath.Join(dir, "docker-compose.yml"), project)
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return d, dir
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestRoute(t *testing.T) {
	d, _ := load(t)
	pins, err := ParsePins([]string{"db:3307=10.1.2.3:9", "[2001:db8::1]:389=[::1]:1389", "KOPANO.example.org.:443=127.0.0.1:8443"})
	if err != nil {
		t.Fatal(err)
	}
	h := NewHost(d, byName{d}, pins)
	app, _ := d.Service("app")
	web, _ := d.Service("web")
	for _, c := range []struct {
		from    *deployment.Service
		host    string
		port    int
		want    string
		vantage string
	}{
		{app, "db", 3306, "127.0.0.1:13306", FromHost},
		{app, "db", 3307, "10.1.2.3:9", FromResolve},
		{app, "2001:db8:0::1", 389, "[::1]:1389", FromResolve},
		{nil, "kopano.example.org", 443, "127.0.0.1:8443", FromResolve},
		{app, "ldap", 389, "127.0.0.1:1389", FromHost},
		{app, "ldap", 636, "[::1]:1636", FromHost},
		{app, "ldap", 1389, "192.0.2.7:2389", FromHost},
		{app, "web", 9080, "127.0.0.1:9080", FromHost},
		{app, "sidecar", 3306, "127.0.0.1:13306", FromHost},
		{app, "dc1", 389, "192.0.2.10:389", FromHost},
		{app, "gate", 25, "127.0.0.1:25", FromHost},
		{app, "ldap.example.org", 389, "ldap.example.org:389", FromHost},
		{app, "192.0.2.1", 389, "192.0.2.1:389", FromHost},
		{web, "localhost", 3306, "localhost:3306", FromHost},
	} {
		r, err := h.Route(c.from, c.host, c.port)
		if err != nil || r.Address != c.want || r.Vantage != c.vantage {
			t.Errorf("%s:%d = %v, %v; want %s by %s", c.host, c.port, r, err, c.want, c.vantage)
		}
	}
	for host, want := range map[string]string{
		"app": "pass --resolve app:80=ADDR:PORT", "ldap": "--resolve ldap:80=", "localhost": "localhost means app itself", "::1": "--resolve [::1]:80=",
	} {
		_, err := h.Route(app, host, 80)
		if !errors.Is(err, ErrNoRoute) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", host, err, want)
		}
	}
	if _, err := h.Route(app, "ldap", 53); !errors.Is(err, ErrNoRoute) {
		t.Errorf("a published UDP port was taken for TCP: %v", err)
	}
	if _, err := h.Route(app, "ldap", 3000); !errors.Is(err, ErrNoRoute) {
		t.Errorf("a port that the engine chooses was taken as known: %v", err)
	}
}

func TestParsePinsErrors(t *testing.T) {
	for arg, want := range map[string]string{
		"db:3306":                    `there is no "="`,
		"db=127.0.0.1:3306":          `before the "=": "db" is not a host and port`,
		"db:3306=127.0.0.1":          `after the "=": "127.0.0.1" is not a host and port`,
		"db:0=127.0.0.1:1":           `"0" is not a port`,
		"db:70000=127.0.0.1:1":       `"70000" is not a port`,
		":3306=127.0.0.1:1":          `has no host`,
		"db:3306=::1:3306":           `put an IPv6 address in brackets`,
		"ldap://db:389=127.0.0.1:38": `is not a host`,
	} {
		if _, err := ParsePins([]string{arg}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v; want %q", arg, err, want)
		}
	}
	if _, err := ParsePins([]string{"db:1=127.0.0.1:1", "DB:1=127.0.0.1:2"}); err == nil {
		t.Error("one name pinned to two addresses was accepted")
	}
}

func TestDial(t *testing.T) {
	d, _ := load(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	free := l.Addr().String()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	pins := Pins{"db:3306": free, "named:3306": strings.Replace(free, "127.0.0.1", "localhost", 1)}
	dialer := NewHost(d, byName{d}, pins).From(nil)
	for _, address := range []string{"db:3306", "named:3306", free} {
		conn, err := dialer.DialContext(ctx, "tcp", address)
		if err != nil {
			t.Fatalf("%s: %v", address, err)
		}
		conn.Close()
	}
	l.Close()
	_, err = dialer.DialContext(ctx, "tcp", "db:3306")
	var failed *DialError
	if !errors.Is(err, syscall.ECONNREFUSED) || !errors.As(err, &failed) || failed.Tried != free || failed.Route.Vantage != FromResolve {
		t.Errorf("refused: %#v", err)
	}
	var dns *net.DNSError
	if _, err = dialer.DialContext(ctx, "tcp", "nowhere.invalid:1"); !errors.As(err, &dns) {
		t.Errorf("unknown name: %v", err)
	}
	for _, bad := range []string{"db", "db:x", "db:0", ":1"} {
		if _, err := dialer.DialContext(ctx, "tcp", bad); err == nil {
			t.Errorf("%q was dialled", bad)
		}
	}
	if _, err := dialer.DialContext(ctx, "unix", "/run/x:1"); err == nil {
		t.Error("a socket was dialled")
	}
	over, stop := context.WithCancel(context.Background())
	stop()
	if _, err := dialer.DialContext(over, "tcp", free); !errors.Is(err, context.Canceled) && !strings.Contains(err.Error(), "cancel") {
		t.Errorf("a cancelled dial: %v", err)
	}
}

func TestFiles(t *testing.T) {
	d, dir := load(t)
	volumes := filepath.Join(dir, "volumes")
	write(t, filepath.Join(dir, "files", "a.txt"), "A")
	write(t, filepath.Join(dir, "files", "deep", "b.txt"), "BB")
	write(t, filepath.Join(dir, "one.txt"), "ONE")
	write(t, filepath.Join(dir, "secret.txt"), "outside")
	write(t, filepath.Join(volumes, "demo_state", "_data", "s"), "S")
	write(t, filepath.Join(volumes, "elsewhere", "_data", "e"), "E")
	symlink(t, "../secret.txt", filepath.Join(dir, "files", "out"))
	symlink(t, "a.txt", filepath.Join(dir, "files", "in"))
	if err := syscall.Mkfifo(filepath.Join(dir, "files", "fifo"), 0o600); err != nil {
		t.Fatal(err)
	}
	files := NewHost(d, byName{d}, nil).WithVolumes(volumes).Files()
	app, _ := d.Service("app")
	for name, want := range map[string]string{
		"/data/a.txt": "A", "/data/deep/b.txt": "BB", "/data/../data/a.txt": "A", "/etc/one.txt": "ONE", "/data/in": "A",
		"/run/app/s": "S", "/var/run/app/s": "S", "/other/e": "E",
	} {
		if got, err := files.ReadFile(app, name, 10); err != nil || string(got) != want {
			t.Errorf("%s = %q, %v; want %q", name, got, err, want)
		}
	}
	for name, want := range map[string]error{
		"/data/none": fs.ErrNotExist, "/data/b.txt": fs.ErrNotExist, "/elsewhere/x": ErrNoRoute, "/tmp/x": ErrNoRoute, "/nfs/x": ErrNoRoute,
	} {
		if _, err := files.ReadFile(app, name, 10); !errors.Is(err, want) {
			t.Errorf("%s: %v; want %v", name, err, want)
		}
		if _, err := files.Stat(app, name); !errors.Is(err, want) {
			t.Errorf("Stat %s: %v; want %v", name, err, want)
		}
	}
	for _, name := range []string{"/data/out", "/data/fifo", "/data"} {
		if got, err := files.ReadFile(app, name, 10); err == nil {
			t.Errorf("%s was read: %q", name, got)
		}
	}
	if _, err := files.ReadFile(app, "/data/deep/b.txt", 1); !errors.Is(err, ErrTooLarge) {
		t.Errorf("a file of two bytes within a limit of one: %v", err)
	}
	info, err := files.Stat(app, "/data/deep/b.txt")
	if err != nil || info.Size != 2 || info.Mode != 0o644 || info.UID != os.Getuid() || info.Dir {
		t.Errorf("Stat = %+v, %v", info, err)
	}
}

func symlink(t *testing.T, to, name string) {
	t.Helper()
	if err := os.Symlink(to, name); err != nil {
		t.Fatal(err)
	}
}

func TestSocketsInVolumes(t *testing.T) {
	d, dir := load(t)
	run := filepath.Join(dir, "files", "deep")
	long := filepath.Join(run, strings.Repeat("long", 30))
	if err := os.MkdirAll(long, 0o755); err != nil {
		t.Fatal(err)
	}
	listen(t, filepath.Join(long, "server.sock"))
	symlink(t, "server.sock", filepath.Join(long, "link.sock"))
	write(t, filepath.Join(long, "file.sock"), "")
	app, _ := d.Service("app")
	dialer := NewHost(d, byName{d}, nil).From(app)
	inside := "/data/deep/" + filepath.Base(long)
	wants := map[string]error{
		inside + "/none.sock": fs.ErrNotExist,
		inside + "/link.sock": ErrNoRoute,
		inside + "/file.sock": ErrNoRoute,
		"/run/nowhere.sock":   ErrNoRoute,
	}
	if runtime.GOOS == "linux" { // elsewhere there is no short way to a long path
		wants[inside+"/server.sock"] = nil
	}
	for name, want := range wants {
		conn, err := dialer.DialContext(context.Background(), "unix", name)
		if err == nil {
			conn.Close()
		}
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", name, err, want)
		}
	}
}

// listen makes a socket at a path that may be longer than the kernel lets one listen on.
func listen(t *testing.T, name string) {
	t.Helper()
	short, err := os.MkdirTemp("", "s")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(short, "s"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close(); os.RemoveAll(short) })
	if err := os.Rename(filepath.Join(short, "s"), name); err != nil {
		t.Fatal(err)
	}
}
