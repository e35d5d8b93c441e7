package checks_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

// app puts a web application behind an address of the configuration.
func (s *scene) app(address string, h http.Handler) {
	s.t.Helper()
	listening, err := s.lab.ServeHTTP("", h, nil)
	labtest.Check(s.t, err)
	s.pin(address, listening)
}

func TestApps(t *testing.T) {
	wells := map[string]struct{ link, from, address, says string }{
		"webapp":     {"web-webapp", "web", "kopano_webapp:9080", "PHP"},
		"zpush":      {"web-zpush", "web", "kopano_zpush:9080", "ActiveSync"},
		"kdav":       {"web-kdav", "web", "kopano_kdav:9080", "kDAV"},
		"ical":       {"web-ical", "web", "kopano_ical:8080", "CalDAV"},
		"meet":       {"web-meet", "web", "kopano_meet:9080", "settings"},
		"kapps":      {"web-kapps", "web", "kopano_kapps:9080", "calendar"},
		"kapi":       {"web-kapi", "web", "kopano_kapi:8039", "sign-in"},
		"playground": {"web-playground", "web", "kopano_playground:8888", "answers"},
		"ldap-admin": {"web-ldap-admin", "web", "ldap-admin:80", "answers"},
		"password":   {"web-password-self-service", "web", "password-self-service:80", "answers"},
	}
	for name, w := range wells {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.app(w.address, lab.Apps(lab.AppOptions{}))
			s.want(s.run(checks.CheckApp, w.link, w.from), expect{status: checks.OK, rung: checks.Ask, message: w.says})
			down := newScene(t)
			down.app(w.address, lab.Page(502, "text/html", "bad gateway"))
			down.want(down.run(checks.CheckApp, w.link, w.from), expect{rung: checks.Ask, reason: checks.ReasonAppError, id: "live-app-app-error", at: strings.TrimSuffix(strings.SplitN(w.address, ":", 2)[0], ":") + ":", says: "502"})
		})
	}
}

func TestAppFaults(t *testing.T) {
	tests := map[string]struct {
		link, address string
		handler       http.Handler
		expect        expect
	}{
		"another realm": {"web-zpush", "kopano_zpush:9080", lab.Login("Router"), expect{reason: checks.ReasonNotApp, id: "live-app-not-the-app", says: "Router"}},
		"no login":      {"web-kdav", "kopano_kdav:9080", lab.Page(200, "text/html", "hello"), expect{reason: checks.ReasonNotApp, id: "live-app-not-the-app", says: "200"}},
		"not found":     {"web-webapp", "kopano_webapp:9080", http.NotFoundHandler(), expect{reason: checks.ReasonNotFound, id: "live-app-not-found", says: "/webapp/"}},
		"no kvs":        {"web-kapi", "kopano_kapi:8039", lab.Apps(lab.AppOptions{Without: "/api/kvs/"}), expect{reason: checks.ReasonPluginGone, id: "live-app-plugin-off", says: "kvs"}},
		"health page":   {"web-kapi", "kopano_kapi:8039", lab.Page(200, "text/html", "welcome"), expect{reason: checks.ReasonNotApp, id: "live-app-not-the-app"}},
		"settings": {"web-meet", "kopano_meet:9080", lab.Page(200, "text/html", "<html>"),
			expect{reason: checks.ReasonConfigJSON, id: "live-app-app-settings", says: "config.json"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.app(test.address, test.handler)
			test.expect.rung = checks.Ask
			s.want(s.run(checks.CheckApp, test.link, "web"), test.expect)
		})
	}
}

func TestAppWithoutPlugin(t *testing.T) {
	s := newScene(t)
	s.edit("docker-compose.yml", "      KCCONF_KAPID_LISTEN:", "      KCCONF_KAPID_PLUGINS: grapi,pubs\n      KCCONF_KAPID_LISTEN:")
	s.app("kopano_kapi:8039", lab.Apps(lab.AppOptions{Without: "/api/kvs/"}))
	s.want(s.run(checks.CheckApp, "web-kapi", "web"), expect{status: checks.OK, rung: checks.Ask})
}

func TestBrowser(t *testing.T) {
	leaf := func(s *scene) string {
		address, err := s.lab.ServeHTTP("", lab.Apps(lab.AppOptions{}), lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{publicName}})))
		labtest.Check(s.t, err)
		return address
	}
	s := newScene(t)
	s.pin(publicName+":443", leaf(s))
	for _, link := range []string{"meet-kapi", "meet-konnect"} {
		s.want(s.run(checks.CheckBrowser, link, "kopano_meet"), expect{status: checks.OK, rung: checks.Ask})
	}
	for status, e := range map[int]expect{
		502: {reason: checks.ReasonBadGateway, id: "live-browser-bad-gateway", at: "kopano_kapi:"},
		404: {reason: checks.ReasonNotFound, id: "live-browser-not-found", at: "FQDN="},
		429: {reason: checks.ReasonRateLimit, id: "live-browser-rate-limit"},
		200: {reason: checks.ReasonNotApp, id: "live-browser-not-the-app", at: "FQDN="},
	} {
		s := newScene(t)
		address, err := s.lab.ServeHTTP("", lab.Page(status, "text/html", "x"), lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{publicName}})))
		labtest.Check(t, err)
		s.pin(publicName+":443", address)
		e.rung = checks.Ask
		s.want(s.run(checks.CheckBrowser, "meet-kapi", "kopano_meet"), e)
	}
}

func TestMCU(t *testing.T) {
	bridge := func(s *scene, h http.Handler) checks.Result {
		s.edit("docker-compose.yml", "  kopano_meet:\n", "  kopano_kwmbridge:\n    image: kopano/kwmbridged:0.1.3\n    networks: [web-net, kopano-net]\n    environment:\n      kwm_server_urls: http://kopano_kwmserver:8778\n      oidc_issuer_identifier: https://${FQDN}\n  kopano_meet:\n")
		s.app("kopano_kwmserver:8778", h)
		return s.run(checks.CheckMCU, "kwmbridge-kwmserver", "kopano_kwmbridge")
	}
	registered := 0
	s := newScene(t)
	s.want(bridge(s, lab.Kwmserver(lab.KwmserverOptions{MCU: true, MCUUpgrades: func() { registered++ }})), expect{status: checks.OK, rung: checks.Ask})
	if registered > 0 {
		t.Error("a bridge was registered")
	}
	off := newScene(t)
	off.want(bridge(off, lab.Kwmserver(lab.KwmserverOptions{})), expect{rung: checks.Ask, reason: checks.ReasonMCUOff, id: "live-mcu-mcu-off"})
	other := newScene(t)
	other.want(bridge(other, lab.Page(200, "text/html", "hi")), expect{rung: checks.Ask, reason: checks.ReasonNotKwmserver, id: "live-mcu-not-kwmserver"})
}

func TestAppsSurviveHostileServers(t *testing.T) {
	hostile(t, "kopano_kapi:8039", func(s *scene) checks.Result { return s.run(checks.CheckApp, "web-kapi", "web") })
}
