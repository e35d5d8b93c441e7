package checks_test

import (
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func checkSignalling(s *scene) checks.Result {
	return s.run(checks.CheckSignalling, "web-kwmserver", "web")
}

// withTURN sets the credentials of a TURN service.
func withTURN(s *scene) {
	s.edit("docker-compose.yml", "${TURN_USER:-}", "turnuser")
	s.edit("docker-compose.yml", "${TURN_PASSWORD:-}", "turn-secret-9174")
}

// asSet is a kwmserver that does what the bundled deployment's settings say.
var asSet = lab.KwmserverOptions{Guest: true}

func signallingAt(s *scene, o lab.KwmserverOptions) {
	address, err := s.lab.ServeHTTP("", lab.Kwmserver(o), nil)
	labtest.Check(s.t, err)
	s.pin("kopano_kwmserver:8778", address)
}

func TestSignalling(t *testing.T) {
	t.Run("direct", func(t *testing.T) {
		s := newScene(t)
		signallingAt(s, asSet)
		s.want(checkSignalling(s), expect{status: checks.OK, rung: checks.Ask, message: "kwmserver is healthy"})
	})
	t.Run("through web", func(t *testing.T) {
		s := newScene(t)
		s.publish(lab.Web(nil, lab.Kwmserver(asSet)))
		s.want(checkSignalling(s), expect{status: checks.OK, rung: checks.Ask, message: "through web"})
	})
	t.Run("both", func(t *testing.T) {
		s := newScene(t)
		signallingAt(s, asSet)
		s.publish(lab.Web(nil, lab.Kwmserver(asSet)))
		s.want(checkSignalling(s), expect{status: checks.OK, rung: checks.Ask, message: "also through web"})
	})
	t.Run("as Meet", func(t *testing.T) {
		s := newScene(t)
		s.publish(lab.Web(nil, lab.Kwmserver(asSet)))
		s.want(s.run(checks.CheckSignalling, "meet-kwmserver", "kopano_meet"), expect{status: checks.OK, rung: checks.Ask, message: "through web"})
	})
	t.Run("everything on", func(t *testing.T) {
		s := newScene(t)
		withTURN(s)
		s.edit("docker-compose.yml", "      enable_guest_api: \"yes\"\n", "      enable_guest_api: \"yes\"\n      enable_mcu_api: \"yes\"\n")
		signallingAt(s, lab.KwmserverOptions{Guest: true, TURN: true, MCU: true})
		s.want(checkSignalling(s), expect{status: checks.OK, rung: checks.Ask})
	})
}

// TestSignallingLeavesNoTrace: an upgrade of the MCU API would register a
// bridge, a POST of the guest API make a guest.
func TestSignallingLeavesNoTrace(t *testing.T) {
	s := newScene(t)
	var bridges, posts atomic.Int32
	server := lab.Kwmserver(lab.KwmserverOptions{Guest: true, MCU: true, MCUUpgrades: func() { bridges.Add(1) }})
	address, err := s.lab.ServeHTTP("", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != http.MethodGet {
			posts.Add(1)
		}
		server.ServeHTTP(w, r)
	}), nil)
	labtest.Check(t, err)
	s.pin("kopano_kwmserver:8778", address)
	s.want(checkSignalling(s), expect{status: checks.OK, rung: checks.Ask, id: "live-signalling-mcu-on", at: "environment:"})
	if bridges.Load() != 0 || posts.Load() != 0 {
		t.Errorf("%d bridges registered, %d other requests than GET", bridges.Load(), posts.Load())
	}
}

func TestSignallingSettings(t *testing.T) {
	guests := "      enable_guest_api: \"yes\"\n"
	tests := map[string]struct {
		edit   func(*scene)
		server lab.KwmserverOptions
		expect expect
	}{
		"guests off":     {func(*scene) {}, lab.KwmserverOptions{}, expect{id: "live-signalling-guest-off", at: "enable_guest_api", says: "404"}},
		"guests on":      {func(s *scene) { s.edit("docker-compose.yml", guests, "      enable_guest_api: \"no\"\n") }, lab.KwmserverOptions{Guest: true}, expect{id: "live-signalling-guest-on", at: "enable_guest_api", says: "405"}},
		"only Meet says": {func(s *scene) { s.edit("docker-compose.yml", guests, "      enable_guest_api: \"no\"\n") }, lab.KwmserverOptions{}, expect{id: "live-signalling-guest-off", at: "enable_guest_api", says: "KCCONF_MEET_guests_enabled"}},
		"TURN off":       {withTURN, lab.KwmserverOptions{Guest: true}, expect{id: "live-signalling-turn-off", at: "turn_service_credentials_user", says: "404"}},
		"TURN on":        {func(*scene) {}, lab.KwmserverOptions{Guest: true, TURN: true}, expect{id: "live-signalling-turn-on", at: "turn_service_credentials_user", says: "403"}},
		"MCU off": {func(s *scene) {
			s.edit("docker-compose.yml", guests, guests+"      enable_mcu_api: \"yes\"\n")
		}, lab.KwmserverOptions{Guest: true}, expect{id: "live-signalling-mcu-off", at: "enable_mcu_api", says: "404"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			test.edit(s)
			signallingAt(s, test.server)
			test.expect.status, test.expect.rung = checks.OK, checks.Ask
			s.want(checkSignalling(s), test.expect)
		})
	}
}

func TestSignallingFaults(t *testing.T) {
	tests := map[string]struct {
		handler http.Handler
		expect  expect
	}{
		"not kwmserver":   {lab.Page(200, "text/html", "<html>"), expect{reason: checks.ReasonNotKwmserver, id: "live-signalling-not-kwmserver", says: "text/html"}},
		"nothing there":   {http.NotFoundHandler(), expect{reason: checks.ReasonNotKwmserver, id: "live-signalling-not-kwmserver", says: "404"}},
		"no RTM API":      {lab.Kwmserver(lab.KwmserverOptions{NoRTM: true, Guest: true}), expect{reason: checks.ReasonRTMOff, id: "live-signalling-rtm-off", at: "command:", says: "rtm/connect"}},
		"too many":        {lab.Page(429, "text/plain", "slow down"), expect{reason: checks.ReasonRateLimit, id: "live-signalling-rate-limit", says: "429"}},
		"bad gateway":     {lab.Page(502, "text/plain", "502"), expect{reason: checks.ReasonBadGateway, id: "live-signalling-bad-gateway", at: "kopano_kwmserver:", says: "502"}},
		"page for a 404":  {htmlFor404(lab.Kwmserver(asSet)), expect{reason: checks.ReasonUpgradeRefused, id: "live-signalling-upgrade-refused", at: "  web:"}},
		"upgrade refused": {refusing(lab.Kwmserver(asSet), 501), expect{reason: checks.ReasonUpgradeRefused, id: "live-signalling-upgrade-refused", at: "  web:", says: "501"}},
		"other API":       {other403(lab.Kwmserver(asSet)), expect{reason: checks.ReasonNotKwmserver, id: "live-signalling-not-kwmserver", says: "403"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			address, err := s.lab.ServeHTTP("", test.handler, nil)
			labtest.Check(t, err)
			s.pin("kopano_kwmserver:8778", address)
			test.expect.rung = checks.Ask
			s.want(checkSignalling(s), test.expect)
		})
	}
}

func htmlFor404(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/rtm/websocket/") {
			w.Header().Set("Content-Type", "text/html")
			w.WriteHeader(404)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func refusing(h http.Handler, status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Upgrade") != "" {
			w.WriteHeader(status)
			return
		}
		h.ServeHTTP(w, r)
	})
}

func other403(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/rtm/connect") {
			http.Error(w, "Forbidden", http.StatusForbidden)
			return
		}
		h.ServeHTTP(w, r)
	})
}

// TestSignallingUpgradeDropped puts a real proxy between that keeps the
// upgrade's headers, where the server looks at them first.
func TestSignallingUpgradeDropped(t *testing.T) {
	server := lab.Kwmserver(lab.KwmserverOptions{Guest: true, HandshakeFirst: true})
	t.Run("in front of web", func(t *testing.T) {
		s := newScene(t)
		s.publish(s.fronted(lab.Web(nil, server), lab.DropUpgrade, nil))
		s.want(checkSignalling(s), expect{rung: checks.Ask, reason: checks.ReasonUpgradeDropped, id: "live-signalling-upgrade-dropped", at: "  web:", says: "400"})
	})
	t.Run("kwmserver itself is fine", func(t *testing.T) {
		s := newScene(t)
		address, err := s.lab.ServeHTTP("", server, nil)
		labtest.Check(t, err)
		s.pin("kopano_kwmserver:8778", address)
		s.publish(s.fronted(lab.Web(nil, server), lab.DropUpgrade, nil))
		s.want(checkSignalling(s), expect{rung: checks.Ask, reason: checks.ReasonUpgradeDropped, id: "live-signalling-upgrade-dropped", at: "  web:"})
	})
	t.Run("a proxy that passes it", func(t *testing.T) {
		s := newScene(t)
		s.publish(s.fronted(lab.Web(nil, server), nil, nil))
		s.want(checkSignalling(s), expect{status: checks.OK, rung: checks.Ask})
	})
}

func TestSignallingMCUExposed(t *testing.T) {
	s := newScene(t)
	server := lab.Kwmserver(lab.KwmserverOptions{Guest: true, MCU: true})
	mux := http.NewServeMux()
	mux.Handle("/upstreams/kwmserver/", http.StripPrefix("/upstreams/kwmserver", server))
	mux.Handle("/", server)
	s.publish(mux)
	s.want(checkSignalling(s), expect{status: checks.OK, rung: checks.Ask, id: "live-signalling-mcu-exposed", at: "  web:"})
}

func TestSignallingDownBehindWeb(t *testing.T) {
	s := newScene(t)
	s.publish(lab.Web(nil, nil))
	s.want(checkSignalling(s), expect{rung: checks.Ask, reason: checks.ReasonBadGateway, id: "live-signalling-bad-gateway", at: "kopano_kwmserver:", says: "502"})
}

func TestSignallingLowerRungs(t *testing.T) {
	t.Run("refused", func(t *testing.T) {
		s := newScene(t)
		s.pin("kopano_kwmserver:8778", closedPort(t))
		r := checkSignalling(s)
		s.want(r, expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-signalling-refused"})
		if f := findingOf(r, "live-signalling-refused"); !strings.Contains(f.Remedy, "issuer") {
			t.Errorf("remedy is %q", f.Remedy)
		}
	})
	t.Run("TLS", func(t *testing.T) {
		s := newScene(t)
		address, err := s.lab.ServeHTTP("", lab.Kwmserver(asSet), lab.ServerTLS(s.leaf(lab.LeafOptions{})))
		labtest.Check(t, err)
		s.pin("kopano_kwmserver:8778", address)
		s.want(checkSignalling(s), expect{rung: checks.TLS, reason: checks.ReasonTLSOnPlain, id: "live-signalling-tls-on-plain"})
	})
	t.Run("SSH", func(t *testing.T) {
		s := newScene(t)
		address, err := s.lab.Say([]byte("SSH-2.0-OpenSSH_9.2p1\r\n"))
		labtest.Check(t, err)
		s.pin("kopano_kwmserver:8778", address)
		s.want(checkSignalling(s), expect{rung: checks.Greet, reason: checks.ReasonWrongServer, id: "live-signalling-wrong-protocol", says: "SSH"})
	})
	t.Run("hangs up", func(t *testing.T) {
		s := newScene(t)
		address, err := s.lab.Serve(func(net.Conn) {})
		labtest.Check(t, err)
		s.pin("kopano_kwmserver:8778", address)
		s.want(checkSignalling(s), expect{rung: checks.Greet, reason: checks.ReasonClosed, id: "live-signalling-closed"})
	})
	t.Run("nothing reachable", func(t *testing.T) {
		s := newScene(t)
		s.edit("docker-compose.ports.yml", "      - \"${HTTPS:-443}:443\"\n", "")
		s.want(checkSignalling(s), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute, message: "kopano_kwmserver:8778"})
	})
}

func TestSignallingHostile(t *testing.T) {
	hostile(t, "kopano_kwmserver:8778", checkSignalling)
}
