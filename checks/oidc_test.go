package checks_test

import (
	"net/http"
	"net/http/httputil"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

const issuer = "https://" + publicName

func checkIssuer(s *scene) checks.Result {
	return s.run(checks.CheckIssuer, "server-issuer", "kopano_server")
}

// provider gives a real OpenID provider.
func (s *scene) provider(o lab.OpenIDOptions) http.Handler {
	s.t.Helper()
	if o.Issuer == "" {
		o.Issuer = issuer
	}
	if o.Keys == nil && !o.NoKeys {
		o.Keys = []op.Key{sharedKey()}
	}
	return labtest.MustStart(s.t, lab.OpenID, o)
}

// sharedKey saves the time of making a key for every provider.
var sharedKey = sync.OnceValue(func() *lab.PublicKey {
	key, err := lab.RSAKey(2048)
	if err != nil {
		panic(err)
	}
	return key
})

// publish serves TLS at the public name with a good certificate.
func (s *scene) publish(h http.Handler) {
	s.publishWith(h, s.leaf(lab.LeafOptions{Names: []string{publicName}}))
}

func (s *scene) publishWith(h http.Handler, leaf *lab.Leaf) {
	s.t.Helper()
	address, err := s.lab.ServeHTTP("", h, lab.ServerTLS(leaf))
	labtest.Check(s.t, err)
	s.pin(publicName+":443", address)
}

// fronted puts a real reverse proxy before a handler, where faults are made.
func (s *scene) fronted(h http.Handler, change func(*httputil.ProxyRequest), answer func(*http.Response) error) http.Handler {
	s.t.Helper()
	address, err := s.lab.ServeHTTP("", h, nil)
	labtest.Check(s.t, err)
	return lab.Proxy(address, change, answer)
}

func TestIssuer(t *testing.T) {
	s := newScene(t)
	s.publish(s.provider(lab.OpenIDOptions{}))
	s.want(checkIssuer(s), expect{status: checks.OK, rung: checks.Ask, message: issuer})
}

func TestIssuerOfEveryClient(t *testing.T) {
	for link, from := range map[string]string{"webapp-issuer": "kopano_webapp", "kapi-issuer": "kopano_kapi", "kwmserver-issuer": "kopano_kwmserver"} {
		t.Run(link, func(t *testing.T) {
			s := newScene(t)
			s.publish(s.provider(lab.OpenIDOptions{}))
			s.want(s.run(checks.CheckIssuer, link, from), expect{status: checks.OK, rung: checks.Ask})
			s.publish404(link, from)
		})
	}
}

// publish404 shows that the same link breaks when the document is not there.
func (s *scene) publish404(link, from string) {
	s.pins = nil
	s.publish(http.NotFoundHandler())
	s.want(s.run(checks.CheckIssuer, link, from), expect{rung: checks.Ask, reason: checks.ReasonNotFound, id: "live-oidc-not-found", at: "https://${FQDN}"})
}

// TestIssuerAsKonnectSaysIt: Konnect's own content type has "encoding" where
// others have "charset".
func TestIssuerAsKonnectSaysIt(t *testing.T) {
	s := newScene(t)
	s.publish(s.fronted(s.provider(lab.OpenIDOptions{}), nil, func(r *http.Response) error {
		kind := "application/json; encoding=utf-8"
		if strings.Contains(r.Request.URL.Path, "keys") {
			kind = "application/jwk-set+json"
		}
		r.Header.Set("Content-Type", kind)
		return nil
	}))
	s.want(checkIssuer(s), expect{status: checks.OK, rung: checks.Ask})
}

func TestIssuerNames(t *testing.T) {
	for name, other := range map[string]string{"other name": "https://mail.example.org", "slash": issuer + "/", "port": issuer + ":2015", "plain": "http://" + publicName} {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publish(s.provider(lab.OpenIDOptions{Issuer: other}))
			s.want(checkIssuer(s), expect{rung: checks.Ask, reason: checks.ReasonIssuer, id: "live-oidc-issuer-differs", at: "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER", says: other})
		})
	}
}

func TestIssuerAnswers(t *testing.T) {
	redirect := func(to string) http.Handler { return http.RedirectHandler(to, http.StatusFound) }
	tests := map[string]struct {
		handler http.Handler
		expect  expect
	}{
		"web page":      {lab.Page(200, "text/html; charset=utf-8", "<html>Welcome"), expect{reason: checks.ReasonContentType, id: "live-oidc-content-type", says: "text/html"}},
		"plain text":    {lab.Page(200, "text/plain", "404 page not found"), expect{reason: checks.ReasonContentType, id: "live-oidc-content-type", says: "text/plain"}},
		"login page":    {redirect("https://sso.example.org/login?next=x"), expect{reason: checks.ReasonRedirected, id: "live-oidc-redirected", says: "sso.example.org/login"}},
		"other name":    {redirect("https://www.example.org/"), expect{reason: checks.ReasonRedirected, id: "live-oidc-redirected", says: "www.example.org"}},
		"not found":     {http.NotFoundHandler(), expect{reason: checks.ReasonNotFound, id: "live-oidc-not-found", says: "404"}},
		"konnect down":  {lab.Web(nil, nil), expect{reason: checks.ReasonBadGateway, id: "live-oidc-bad-gateway", at: "kopano_konnect:", says: "502"}},
		"forbidden":     {lab.Page(403, "text/plain", "no"), expect{reason: checks.ReasonHTTPStatus, id: "live-oidc-http-status", at: "kopano_konnect:", says: "403"}},
		"not json":      {lab.Page(200, "application/json", "hello"), expect{reason: checks.ReasonNotJSON, id: "live-oidc-not-json", says: "hello"}},
		"json array":    {lab.Page(200, "application/json", "[1,2]"), expect{reason: checks.ReasonNotJSON, id: "live-oidc-not-json"}},
		"empty":         {lab.Page(200, "application/json", ""), expect{reason: checks.ReasonNotJSON, id: "live-oidc-not-json", says: "empty"}},
		"too large":     {lab.Page(200, "application/json", "{\"issuer\":\""+strings.Repeat("a", 2<<20)+"\"}"), expect{reason: checks.ReasonTooLarge, id: "live-oidc-too-large"}},
		"bare document": {lab.Page(200, "application/json", `{"issuer":"`+issuer+`"}`), expect{reason: checks.ReasonEndpoint, id: "live-oidc-endpoint", at: "kopano_konnect:", says: "authorization_endpoint"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publish(test.handler)
			test.expect.rung = checks.Ask
			if test.expect.at == "" {
				test.expect.at = "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER"
			}
			s.want(checkIssuer(s), test.expect)
		})
	}
}

func TestIssuerKeys(t *testing.T) {
	weak, err := lab.RSAKey(1024)
	labtest.Check(t, err)
	encrypt, err := lab.RSAKey(2048)
	labtest.Check(t, err)
	encrypt.For = "enc"
	nameless, err := lab.RSAKey(2048)
	labtest.Check(t, err)
	nameless.KeyID = ""
	tests := map[string]struct {
		options lab.OpenIDOptions
		expect  expect
	}{
		"none":      {lab.OpenIDOptions{NoKeys: true}, expect{reason: checks.ReasonNoKeys, id: "live-oidc-no-keys"}},
		"weak":      {lab.OpenIDOptions{Keys: []op.Key{weak}}, expect{reason: checks.ReasonWeakKey, id: "live-oidc-weak-key", says: "1024"}},
		"enc only":  {lab.OpenIDOptions{Keys: []op.Key{encrypt}}, expect{reason: checks.ReasonUnusableKey, id: "live-oidc-unusable-key"}},
		"nameless":  {lab.OpenIDOptions{Keys: []op.Key{nameless}}, expect{reason: checks.ReasonUnusableKey, id: "live-oidc-unusable-key"}},
		"algorithm": {lab.OpenIDOptions{Algorithms: []jose.SignatureAlgorithm{"HS256", "none"}}, expect{reason: checks.ReasonAlgorithm, id: "live-oidc-algorithm", says: "HS256, none", at: "environment:"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publish(s.provider(test.options))
			test.expect.rung = checks.Ask
			if test.expect.at == "" {
				test.expect.at = "signing_private_key"
			}
			s.want(checkIssuer(s), test.expect)
		})
	}
}

// rewrite changes the discovery document on its way through a proxy.
func rewrite(old, new string) func(*http.Response) error {
	return func(r *http.Response) error {
		if !strings.HasSuffix(r.Request.URL.Path, "openid-configuration") {
			return nil
		}
		body := new
		if old != "" {
			text := make([]byte, 1<<16)
			n := 0
			for {
				m, err := r.Body.Read(text[n:])
				n += m
				if err != nil {
					break
				}
			}
			body = strings.Replace(string(text[:n]), old, new, 1)
		}
		*r = *replaced(r, body)
		return nil
	}
}

func replaced(r *http.Response, body string) *http.Response {
	out := *r
	out.Body = readCloser{strings.NewReader(body)}
	out.ContentLength = int64(len(body))
	out.Header = r.Header.Clone()
	out.Header.Del("Content-Length")
	return &out
}

type readCloser struct{ *strings.Reader }

func (readCloser) Close() error { return nil }

func TestIssuerEndpoints(t *testing.T) {
	tests := map[string]struct{ old, new, says string }{
		"other host": {`"token_endpoint":"` + issuer, `"token_endpoint":"https://konnect.internal`, "token_endpoint"},
		"other port": {`"userinfo_endpoint":"` + issuer, `"userinfo_endpoint":"` + issuer + ":2015", "userinfo_endpoint"},
		"plain":      {`"jwks_uri":"https`, `"jwks_uri":"http`, "jwks_uri"},
		"relative":   {`"authorization_endpoint":"` + issuer, `"authorization_endpoint":"`, "authorization_endpoint"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publish(s.fronted(s.provider(lab.OpenIDOptions{}), nil, rewrite(test.old, test.new)))
			s.want(checkIssuer(s), expect{rung: checks.Ask, reason: checks.ReasonEndpoint, id: "live-oidc-endpoint", at: "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER", says: test.says})
		})
	}
}

func TestIssuerKeysUnreachable(t *testing.T) {
	s := newScene(t)
	provider := s.provider(lab.OpenIDOptions{})
	s.publish(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/keys") {
			http.NotFound(w, r)
			return
		}
		provider.ServeHTTP(w, r)
	}))
	s.want(checkIssuer(s), expect{rung: checks.Ask, reason: checks.ReasonKeysUnreadable, id: "live-oidc-keys-unreachable", at: "kopano_konnect:", says: "404"})
}

func TestIssuerPlainHTTP(t *testing.T) {
	s := newScene(t)
	address, err := s.lab.ServeHTTP("", s.provider(lab.OpenIDOptions{}), nil)
	labtest.Check(t, err)
	s.pin(publicName+":443", address)
	s.want(checkIssuer(s), expect{rung: checks.TLS, reason: checks.ReasonPlainOnTLS, id: "live-oidc-plain-on-tls", at: "EMAIL="})
}

func TestIssuerCertificates(t *testing.T) {
	past, future := time.Now().Add(-time.Hour), time.Now().Add(time.Hour)
	other, err := lab.NewCA("Another Lab")
	labtest.Check(t, err)
	foreign, err := other.Issue(lab.LeafOptions{Names: []string{publicName}})
	labtest.Check(t, err)
	tests := map[string]struct {
		leaf   func(*scene) *lab.Leaf
		expect expect
	}{
		"self-signed": {issued(lab.LeafOptions{Names: []string{publicName}, SelfSigned: true}), expect{reason: checks.ReasonSelfSigned, id: "live-oidc-self-signed", at: "EMAIL="}},
		"unknown":     {func(*scene) *lab.Leaf { return foreign }, expect{reason: checks.ReasonTLSUnknown, id: "live-oidc-tls-unknown-authority", says: "Another Lab"}},
		"name":        {issued(lab.LeafOptions{Names: []string{"mail.example.org"}}), expect{reason: checks.ReasonTLSName, id: "live-oidc-tls-name", says: "mail.example.org"}},
		"expired":     {issued(lab.LeafOptions{Names: []string{publicName}, NotAfter: past}), expect{reason: checks.ReasonTLSExpired, id: "live-oidc-tls-expired"}},
		"not yet":     {issued(lab.LeafOptions{Names: []string{publicName}, NotBefore: future}), expect{reason: checks.ReasonTLSNotYet, id: "live-oidc-tls-not-yet-valid"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publishWith(s.provider(lab.OpenIDOptions{}), test.leaf(s))
			test.expect.rung = checks.TLS
			s.want(checkIssuer(s), test.expect)
		})
	}
}

func issued(o lab.LeafOptions) func(*scene) *lab.Leaf {
	return func(s *scene) *lab.Leaf { return s.leaf(o) }
}

func TestIssuerSelfSignedAndInsecure(t *testing.T) {
	s := newScene(t)
	s.edit(".env", "INSECURE=no", "INSECURE=yes")
	s.edit(".env", "EMAIL=hostmaster@example.org", "EMAIL=self_signed")
	s.publishWith(s.provider(lab.OpenIDOptions{}), s.leaf(lab.LeafOptions{Names: []string{publicName}, SelfSigned: true}))
	for link, from := range map[string]string{"server-issuer": "kopano_server", "kapi-issuer": "kopano_kapi", "kwmserver-issuer": "kopano_kwmserver", "webapp-issuer": "kopano_webapp"} {
		s.want(s.run(checks.CheckIssuer, link, from), expect{status: checks.OK, rung: checks.Ask, message: "not verified"})
	}
}

func TestIssuerClock(t *testing.T) {
	s := newScene(t)
	s.publish(s.fronted(s.provider(lab.OpenIDOptions{}), nil, func(r *http.Response) error {
		r.Header.Set("Date", time.Now().Add(-5*time.Minute).UTC().Format(http.TimeFormat))
		return nil
	}))
	s.want(checkIssuer(s), expect{status: checks.OK, rung: checks.Ask, id: "live-oidc-clock-skew", at: "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER", says: " behind this machine's"})
}

func TestIssuerRefused(t *testing.T) {
	s := newScene(t)
	s.pin(publicName+":443", closedPort(t))
	s.want(checkIssuer(s), expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-oidc-refused", at: "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER"})
}

func TestIssuerKeyFile(t *testing.T) {
	s := newScene(t)
	s.publish(s.provider(lab.OpenIDOptions{}))
	dir := s.sslVolume()
	key := s.leaf(lab.LeafOptions{RSABits: 2048})
	labtest.Check(t, os.WriteFile(filepath.Join(dir, "konnectd-tokens-signing-key.pem"), key.KeyPEM(), 0o644))
	s.want(checkIssuer(s), expect{status: checks.OK, rung: checks.Ask, id: "live-oidc-key-differs", at: "signing_private_key"})
	s.pins = nil
	own := &lab.PublicKey{KeyID: "own", For: "sig", Sign: jose.PS256, Public: key.Key.Public()}
	s.publish(s.provider(lab.OpenIDOptions{Keys: []op.Key{own}}))
	s.want(checkIssuer(s), expect{status: checks.OK, rung: checks.Ask})
}

func TestKonnect(t *testing.T) {
	check := func(s *scene) checks.Result { return s.run(checks.CheckKonnect, "web-konnect", "web") }
	t.Run("direct", func(t *testing.T) {
		s := newScene(t)
		address, err := s.lab.ServeHTTP("", s.provider(lab.OpenIDOptions{}), nil)
		labtest.Check(t, err)
		s.pin("kopano_konnect:8777", address)
		s.want(check(s), expect{status: checks.OK, rung: checks.Ask})
	})
	t.Run("through web", func(t *testing.T) {
		s := newScene(t)
		s.publish(lab.Web(s.provider(lab.OpenIDOptions{}), nil))
		s.want(check(s), expect{status: checks.OK, rung: checks.Ask})
	})
	t.Run("down behind web", func(t *testing.T) {
		s := newScene(t)
		s.publish(lab.Web(nil, nil))
		s.want(check(s), expect{rung: checks.Ask, reason: checks.ReasonBadGateway, id: "live-oidc-bad-gateway", at: "kopano_konnect:"})
	})
	t.Run("base path", func(t *testing.T) {
		s := newScene(t)
		s.edit("docker-compose.yml", "      allow_client_guests: \"yes\"\n", "      allow_client_guests: \"yes\"\n      uri_base_path: /kopanoid\n")
		s.publish(lab.Web(http.StripPrefix("/kopanoid", s.provider(lab.OpenIDOptions{})), nil))
		r := check(s)
		s.want(r, expect{rung: checks.Ask, reason: checks.ReasonNotFound, id: "live-oidc-not-found", at: "FQDN"})
		if f := findingOf(r, "live-oidc-not-found"); !strings.Contains(f.Remedy, "uri_base_path") {
			t.Errorf("remedy is %q", f.Remedy)
		}
	})
	t.Run("refused", func(t *testing.T) {
		s := newScene(t)
		s.pin("kopano_konnect:8777", closedPort(t))
		s.want(check(s), expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-oidc-refused"})
	})
	t.Run("TLS", func(t *testing.T) {
		s := newScene(t)
		address, err := s.lab.ServeHTTP("", s.provider(lab.OpenIDOptions{}), lab.ServerTLS(s.leaf(lab.LeafOptions{})))
		labtest.Check(t, err)
		s.pin("kopano_konnect:8777", address)
		s.want(check(s), expect{rung: checks.TLS, reason: checks.ReasonTLSOnPlain, id: "live-oidc-tls-on-plain"})
	})
	t.Run("nothing reachable", func(t *testing.T) {
		s := newScene(t)
		s.edit("docker-compose.ports.yml", "      - \"${HTTPS:-443}:443\"\n", "")
		s.want(check(s), expect{status: checks.Unchecked, rung: checks.Resolve, reason: checks.ReasonNoRoute, message: "kopano_konnect:8777"})
	})
}

func TestIssuerHostile(t *testing.T) {
	hostile(t, publicName+":443", checkIssuer)
}

func TestKonnectHostile(t *testing.T) {
	hostile(t, "kopano_konnect:8777", func(s *scene) checks.Result { return s.run(checks.CheckKonnect, "web-konnect", "web") })
}

func TestIssuerHostileBehindTLS(t *testing.T) {
	hostileTLS(t, publicName+":443", checkIssuer)
}
