package checks_test

import (
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func (s *scene) routing() checks.Result {
	s.t.Helper()
	return s.run(checks.CheckRouting, "client-web-routing", "web")
}

// wholeWeb is web with all that is behind it.
func (s *scene) wholeWeb() http.Handler {
	return lab.Web(s.provider(lab.OpenIDOptions{}), lab.Kwmserver(lab.KwmserverOptions{Guest: true}))
}

func (s *scene) plainPort(h http.Handler) {
	s.t.Helper()
	address, err := s.lab.ServeHTTP("", h, nil)
	labtest.Check(s.t, err)
	s.pin(publicName+":80", address)
}

// instead answers some paths otherwise.
func instead(h http.Handler, paths map[string]http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for prefix, other := range paths {
			if strings.HasPrefix(r.URL.Path, prefix) {
				other.ServeHTTP(w, r)
				return
			}
		}
		h.ServeHTTP(w, r)
	})
}

// nginx hides web's name, as proxies in front do.
func nginx(h http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h.ServeHTTP(serverName{w, "nginx"}, r)
	})
}

type serverName struct {
	http.ResponseWriter
	name string
}

func (s serverName) WriteHeader(status int) {
	s.Header().Set("Server", s.name)
	s.ResponseWriter.WriteHeader(status)
}

func TestRouting(t *testing.T) {
	s := newScene(t)
	s.publish(s.wholeWeb())
	s.plainPort(lab.WebPlain())
	s.want(s.routing(), expect{status: checks.OK, rung: checks.Ask, message: "http:// leads there"})

	s = newScene(t)
	s.publish(nginx(s.wholeWeb()))
	s.plainPort(lab.Page(404, "text/html", "nothing"))
	s.want(s.routing(), expect{status: checks.OK, rung: checks.Ask})
}

// A start page of the administrator's own at / is no fault.
func TestRoutingOwnStartPage(t *testing.T) {
	s := newScene(t)
	whole := s.wholeWeb()
	s.publish(nginx(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/" {
			lab.Page(200, "text/html", "our intranet").ServeHTTP(w, r)
			return
		}
		whole.ServeHTTP(w, r)
	})))
	s.plainPort(lab.WebPlain())
	s.want(s.routing(), expect{status: checks.OK, rung: checks.Ask})
}

func TestRoutingFaults(t *testing.T) {
	notFound, gateway := http.NotFoundHandler(), lab.Page(502, "text/html", "bad gateway")
	tests := map[string]struct {
		front  func(whole http.Handler) http.Handler
		expect expect
	}{
		"default page of a shared proxy": {func(http.Handler) http.Handler { return lab.Page(200, "text/html", "Welcome to nginx!") },
			expect{reason: checks.ReasonAnotherSite, id: "live-routing-another-site", at: "FQDN=", says: "as no service"}},
		"another site that knows nothing": {func(http.Handler) http.Handler { return notFound },
			expect{reason: checks.ReasonAnotherSite, id: "live-routing-another-site", at: "FQDN="}},
		"another site that sends people away": {func(http.Handler) http.Handler {
			return http.RedirectHandler("https://www.example.com/", http.StatusFound)
		},
			expect{reason: checks.ReasonAnotherSite, id: "live-routing-another-site"}},
		"proxy in front of port 80": {func(http.Handler) http.Handler { return lab.WebPlain() },
			expect{reason: checks.ReasonRedirectLoop, id: "live-routing-redirect-loop", at: "FQDN=", says: "the same page"}},
		"proxy that passes on WebApp only": {func(whole http.Handler) http.Handler {
			return nginx(instead(notFound, map[string]http.Handler{"/webapp/": whole, "/caldav/": whole}))
		}, expect{reason: checks.ReasonNotPassedOn, id: "live-routing-not-passed-on", at: "FQDN=", says: "more"}},
		"a service that web does not reach": {func(whole http.Handler) http.Handler {
			return instead(whole, map[string]http.Handler{"/kdav/": gateway})
		}, expect{reason: checks.ReasonUpstream, id: "live-routing-upstream", at: "kopano_kdav:", says: "/kdav/ with HTTP 502"}},
		"password of the proxy's own": {func(whole http.Handler) http.Handler {
			return instead(whole, map[string]http.Handler{"/webapp/": lab.Login("Restricted")})
		}, expect{reason: checks.ReasonOtherAnswer, id: "live-routing-other-answer", at: "FQDN=", says: "401"}},
		"realm of another program": {func(whole http.Handler) http.Handler {
			return instead(whole, map[string]http.Handler{"/Microsoft-Server-ActiveSync": lab.Login("Restricted")})
		}, expect{reason: checks.ReasonOtherAnswer, id: "live-routing-other-answer", says: "ActiveSync"}},
		"redirect to another host": {func(whole http.Handler) http.Handler {
			return instead(whole, map[string]http.Handler{"/webapp/": http.RedirectHandler("https://sso.example.com/", http.StatusFound)})
		}, expect{reason: checks.ReasonOtherAnswer, id: "live-routing-other-answer", says: "sso.example.com"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publish(test.front(s.wholeWeb()))
			test.expect.rung = checks.Ask
			s.want(s.routing(), test.expect)
		})
	}
}

// What the service itself says tells who is at fault.
func TestRoutingComparesWithTheService(t *testing.T) {
	for says, direct := range map[string]http.Handler{
		"itself answers well":          lab.Apps(lab.AppOptions{}),
		"itself answers HTTP 503":      lab.Page(503, "text/html", "down"),
		"itself does not answer":       nil,
		"itself answers HTTP 404":      http.NotFoundHandler(),
		"kopano_kdav does not answer ": lab.Apps(lab.AppOptions{}), // in the title
	} {
		s := newScene(t)
		s.publish(instead(s.wholeWeb(), map[string]http.Handler{"/kdav/": lab.Page(502, "text/html", "")}))
		if direct == nil {
			s.pin("kopano_kdav:9080", "127.0.0.1:1")
		} else {
			s.app("kopano_kdav:9080", direct)
		}
		f := findingOf(s.routing(), "live-routing-upstream")
		if f == nil || !strings.Contains(f.Message+f.Title, says) {
			t.Errorf("want %q: %+v", says, f)
		}
	}
}

// A server that has enough is not asked on, and nothing is said to be wrong.
func TestRoutingRateLimit(t *testing.T) {
	s := newScene(t)
	asked := atomic.Int32{}
	s.publish(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if asked.Add(1) > 1 {
			w.Header().Set("Retry-After", "60")
			lab.Page(429, "text/plain", "Too Many Requests").ServeHTTP(w, r)
			return
		}
		http.Redirect(w, r, "/webapp/", http.StatusFound)
	}))
	s.want(s.routing(), expect{status: checks.Unchecked, rung: checks.Ask, reason: checks.ReasonLimited})
	if n := asked.Load(); n > 5 {
		t.Errorf("asked %d times", n)
	}
}

func TestRoutingOverHTTP(t *testing.T) {
	for id, plain := range map[string]http.Handler{
		"live-routing-plain-http":    lab.Page(200, "text/html", "WebApp"),
		"live-routing-redirect-away": http.RedirectHandler("https://www.example.com/", http.StatusMovedPermanently),
	} {
		s := newScene(t)
		s.publish(s.wholeWeb())
		s.plainPort(plain)
		s.want(s.routing(), expect{status: checks.OK, rung: checks.Ask, id: id, at: "FQDN="})
	}
}

func TestRoutingSurvivesHostileServers(t *testing.T) {
	hostile(t, publicName+":443", func(s *scene) checks.Result { return s.routing() })
}

// web without TLS, behind a proxy that has it: the proxy stands elsewhere, and
// from here the name leads to web itself.
func TestProxied(t *testing.T) {
	off := func() *scene {
		s := newScene(t)
		s.edit("docker-compose.yml", "TLS_MODE: tls_auto", "TLS_MODE: tls_off")
		return s
	}
	proxied := func(s *scene) checks.Result { return s.run(checks.CheckProxied, "proxy-web", "web") }
	s := off()
	s.app("web:443", s.wholeWeb())
	s.want(proxied(s), expect{status: checks.OK, rung: checks.Ask})
	s.app(publicName+":443", s.wholeWeb())
	s.want(s.routing(), expect{status: checks.OK, rung: checks.Ask})

	s = off()
	s.app("web:443", lab.Page(200, "text/html", "Welcome to nginx!"))
	s.want(proxied(s), expect{rung: checks.Ask, reason: checks.ReasonNotWeb, id: "live-proxied-not-web", at: "DEFAULTREDIRECT"})

	s = off()
	address, err := s.lab.ServeHTTP("", s.wholeWeb(), lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{publicName}})))
	labtest.Check(t, err)
	s.pin("web:443", address)
	s.want(proxied(s), expect{rung: checks.TLS, reason: checks.ReasonTLSOnPlain, id: "live-proxied-tls-on-plain", at: "TLS_MODE"})
}
