package checks_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// sockets is a dialer for unix sockets below a folder of the lab, as if that
// were the root of the client's container. Other addresses go to the scene's own.
type sockets struct {
	checks.Dialer
	root string
}

func (s sockets) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	if network != "unix" {
		return s.Dialer.DialContext(ctx, network, address)
	}
	var d net.Dialer
	return d.DialContext(ctx, network, filepath.Join(s.root, strings.TrimPrefix(address, "/var")))
}

// container is the root of a client's container.
func (s *scene) container() string {
	dir := filepath.Join(s.lab.Dir, "c")
	labtest.Check(s.t, os.MkdirAll(filepath.Join(dir, "run/kopano/grapi"), 0o755))
	return dir
}

// inContainer runs a check with the sockets of a container.
func (s *scene) inContainer(check checks.Check, link, from string) checks.Result {
	s.t.Helper()
	t := s.target(link, from)
	t.Dialer, t.Inside = sockets{t.Dialer, s.container()}, true
	r := check(context.Background(), t)
	s.sane(r)
	return r
}

// listen makes a socket in the container.
func (s *scene) listen(path string, handle func(net.Conn)) {
	s.t.Helper()
	labtest.Check(s.t, s.lab.ServeSocket(filepath.Join(s.container(), path), handle))
}

// stale makes a socket that nobody listens on any more.
func (s *scene) stale(path string) {
	s.t.Helper()
	name := filepath.Join(s.container(), path)
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: name, Net: "unix"})
	labtest.Check(s.t, err)
	l.SetUnlinkOnClose(false)
	labtest.Check(s.t, l.Close())
}

// serve makes a socket of a web server in the container.
func (s *scene) serve(path string, h http.Handler) {
	s.t.Helper()
	labtest.Check(s.t, s.lab.ServeHTTPSocket(filepath.Join(s.container(), path), h))
}

func silent(c net.Conn) { _, _ = io.Copy(io.Discard, c) }

func TestServerSocket(t *testing.T) {
	volumes := "volumes:"
	tests := map[string]struct {
		make   func(*scene)
		expect expect
	}{
		"well":    {func(s *scene) { s.serve("run/kopano/server.sock", lab.SOAP()) }, expect{status: checks.OK, rung: checks.Ask, message: "405"}},
		"missing": {func(*scene) {}, expect{rung: checks.Resolve, reason: checks.ReasonNoSocket, id: "live-server-no-socket", at: volumes, says: "server.sock"}},
		"dead":    {func(s *scene) { s.stale("run/kopano/server.sock") }, expect{rung: checks.Dial, reason: checks.ReasonStaleSocket, id: "live-server-stale-socket", at: volumes}},
		"waiting": {func(s *scene) { s.listen("run/kopano/server.sock", silent) }, expect{rung: checks.Greet, reason: checks.ReasonSilent, id: "live-server-silent", at: volumes}},
		"another": {func(s *scene) {
			s.serve("run/kopano/server.sock", lab.Page(200, "text/html", "<html>"))
		}, expect{rung: checks.Ask, reason: checks.ReasonNotServer, id: "live-server-not-kopano", says: "405"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test.make(s)
			s.timeout = labTimeout
			s.want(s.inContainer(checks.CheckServer, "dagent-server", "kopano_dagent"), test.expect)
		})
	}
}

// What is needed to see it is not there from outside, and the check says so.
func TestServerSocketOutOfReach(t *testing.T) {
	s := newScene(t)
	s.want(s.run(checks.CheckServer, "dagent-server", "kopano_dagent"), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute})
}

func TestServerPort(t *testing.T) {
	s := newScene(t)
	address, err := s.lab.ServeHTTP("", lab.SOAP(), nil)
	labtest.Check(t, err)
	s.pin("kopano_server:236", address)
	s.want(s.run(checks.CheckServer, "gateway-server", "kopano_gateway"), expect{status: checks.OK, rung: checks.Ask, message: "405"})
	s.want(s.run(checks.CheckServer, "scheduler-server", "kopano_scheduler"), expect{status: checks.OK, rung: checks.Ask, message: "405"})

	other := newScene(t)
	other.pin("kopano_server:236", labtest.MustStart(t, other.lab.Gateway, lab.GatewayOptions{}))
	other.want(other.run(checks.CheckServer, "gateway-server", "kopano_gateway"),
		expect{rung: checks.Greet, reason: checks.ReasonWrongServer, id: "live-server-wrong-protocol", says: "IMAP"})
}

func TestSearch(t *testing.T) {
	say := func(text string) func(net.Conn) {
		return func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
			_, _ = io.WriteString(c, text)
		}
	}
	tests := map[string]struct {
		make   func(*scene)
		expect expect
	}{
		"well":    {func(s *scene) { s.listen("run/kopano/search.sock", lab.Search) }, expect{status: checks.OK, rung: checks.Ask}},
		"missing": {func(*scene) {}, expect{rung: checks.Resolve, reason: checks.ReasonNoSocket, id: "live-search-no-socket"}},
		"dead":    {func(s *scene) { s.stale("run/kopano/search.sock") }, expect{rung: checks.Dial, reason: checks.ReasonStaleSocket, id: "live-search-stale-socket"}},
		"busy":    {func(s *scene) { s.listen("run/kopano/search.sock", silent) }, expect{rung: checks.Ask, reason: checks.ReasonSilent, id: "live-search-silent"}},
		"hangs up": {func(s *scene) { s.listen("run/kopano/search.sock", func(c net.Conn) { c.Close() }) },
			expect{rung: checks.Ask, reason: checks.ReasonClosed, id: "live-search-closed"}},
		"another": {func(s *scene) { s.listen("run/kopano/search.sock", say("HTTP/1.1 400 Bad Request\r\n\r\n")) },
			expect{rung: checks.Ask, reason: checks.ReasonNotSearch, id: "live-search-not-search", says: "400"}},
		"endless": {func(s *scene) {
			s.listen("run/kopano/search.sock", func(c net.Conn) { flood(c, make([]byte, 64<<10)) })
		}, expect{rung: checks.Ask, reason: checks.ReasonClosed, id: "live-search-closed"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test.make(s)
			s.timeout = labTimeout
			s.want(s.inContainer(checks.CheckSearch, "server-search", "kopano_server"), test.expect)
		})
	}
}

func TestGrapi(t *testing.T) {
	well, ill := lab.Page(200, "text/plain", ""), lab.Page(500, "text/plain", "no")
	tests := map[string]struct {
		make   func(*scene)
		expect expect
	}{
		"well": {func(s *scene) {
			s.serve("run/kopano/grapi/rest0.sock", well)
			s.serve("run/kopano/grapi/rest1.sock", well)
		}, expect{status: checks.OK, rung: checks.Ask, message: "2 workers"}},
		"none": {func(*scene) {}, expect{rung: checks.Resolve, reason: checks.ReasonNoWorker, id: "live-grapi-no-worker", says: "rest0.sock"}},
		"dead": {func(s *scene) { s.stale("run/kopano/grapi/rest0.sock") }, expect{rung: checks.Dial, reason: checks.ReasonStaleSocket, id: "live-grapi-stale-socket"}},
		"ill":  {func(s *scene) { s.serve("run/kopano/grapi/rest0.sock", ill) }, expect{rung: checks.Ask, reason: checks.ReasonUnhealthy, id: "live-grapi-unhealthy", says: "500"}},
		"one dead": {func(s *scene) {
			s.stale("run/kopano/grapi/rest0.sock")
			s.serve("run/kopano/grapi/rest1.sock", well)
		}, expect{status: checks.OK, rung: checks.Ask, id: "live-grapi-some-silent", says: "rest0"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test.make(s)
			s.timeout = labTimeout
			s.want(s.inContainer(checks.CheckGrapi, "kapi-grapi", "kopano_kapi"), test.expect)
		})
	}
}

func TestDockerSocket(t *testing.T) {
	tests := map[string]struct {
		make   func(*scene)
		expect expect
	}{
		"well":    {func(s *scene) { s.serve("run/docker.sock", lab.Page(200, "text/plain", "OK")) }, expect{status: checks.OK, rung: checks.Ask}},
		"missing": {func(*scene) {}, expect{rung: checks.Resolve, reason: checks.ReasonNoSocket, id: "live-docker-no-socket", says: "docker.sock"}},
		"another": {func(s *scene) { s.serve("run/docker.sock", lab.Page(200, "text/html", "hello")) }, expect{rung: checks.Ask, reason: checks.ReasonNotDocker, id: "live-docker-not-docker"}},
		"silent":  {func(s *scene) { s.listen("run/docker.sock", silent) }, expect{rung: checks.Greet, reason: checks.ReasonSilent, id: "live-docker-silent"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test.make(s)
			s.timeout = labTimeout
			s.want(s.inContainer(checks.CheckDocker, "scheduler-docker", "kopano_scheduler"), test.expect)
		})
	}
}
