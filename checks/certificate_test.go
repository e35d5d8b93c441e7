package checks_test

import (
	"context"
	"crypto/tls"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func checkWeb(s *scene) checks.Result { return s.run(checks.CheckWebCertificate, "client-web", "web") }

func publicLeaf(change func(*lab.LeafOptions)) func(*scene) *lab.Leaf {
	o := lab.LeafOptions{Names: []string{publicName}}
	if change != nil {
		change(&o)
	}
	return issued(o)
}

func TestWebCertificate(t *testing.T) {
	s := newScene(t)
	s.publish(lab.Web(nil, nil))
	s.want(checkWeb(s), expect{status: checks.OK, rung: checks.Ask, message: "issued by Lab"})
}

func TestWebCertificateFaults(t *testing.T) {
	day := 24 * time.Hour
	other, err := lab.NewCA("Another Lab")
	labtest.Check(t, err)
	foreign, err := other.Issue(lab.LeafOptions{Names: []string{publicName}})
	labtest.Check(t, err)
	tests := map[string]struct {
		leaf   func(*scene) *lab.Leaf
		expect expect
	}{
		"unknown authority": {func(*scene) *lab.Leaf { return foreign }, expect{reason: checks.ReasonTLSUnknown, id: "live-certificate-tls-unknown-authority", at: "EMAIL=", says: "Another Lab"}},
		"self-signed":       {publicLeaf(func(o *lab.LeafOptions) { o.SelfSigned = true }), expect{reason: checks.ReasonSelfSigned, id: "live-certificate-self-signed", at: "EMAIL="}},
		"other name":        {issued(lab.LeafOptions{Names: []string{"mail.example.org", "192.0.2.1"}}), expect{reason: checks.ReasonTLSName, id: "live-certificate-tls-name", at: "FQDN=", says: "mail.example.org, 192.0.2.1"}},
		"common name only":  {publicLeaf(func(o *lab.LeafOptions) { o.NoNames = true }), expect{reason: checks.ReasonTLSName, id: "live-certificate-tls-name", at: "FQDN=", says: "common name only"}},
		"expired":           {publicLeaf(func(o *lab.LeafOptions) { o.NotAfter = time.Now().Add(-time.Hour) }), expect{reason: checks.ReasonTLSExpired, id: "live-certificate-tls-expired", at: "EMAIL="}},
		"not yet":           {publicLeaf(func(o *lab.LeafOptions) { o.NotBefore = time.Now().Add(day) }), expect{reason: checks.ReasonTLSNotYet, id: "live-certificate-tls-not-yet-valid", at: "EMAIL="}},
		"weak key":          {publicLeaf(func(o *lab.LeafOptions) { o.RSABits = 1024 }), expect{reason: checks.ReasonWeakKey, id: "live-certificate-weak-key", at: "EMAIL=", says: "1024 bits"}},
		"client only":       {publicLeaf(func(o *lab.LeafOptions) { o.ClientOnly = true }), expect{reason: checks.ReasonTLSBad, id: "live-certificate-tls-bad-certificate", at: "EMAIL="}},
		"ends soon": {publicLeaf(func(o *lab.LeafOptions) {
			o.NotBefore, o.NotAfter = time.Now().Add(-80*day), time.Now().Add(10*day+time.Hour)
		}), expect{status: checks.OK, reason: "", id: "live-certificate-expires-soon", at: "EMAIL=", says: "10 days"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := newScene(t)
			s.publishWith(lab.Web(nil, nil), test.leaf(s))
			test.expect.rung = checks.TLS
			if test.expect.status == checks.OK {
				test.expect.rung = checks.Ask
			}
			s.want(checkWeb(s), test.expect)
		})
	}
}

// TestWebCertificateSaysAll: what is wrong beside the first thing is said too.
func TestWebCertificateSaysAll(t *testing.T) {
	s := newScene(t)
	s.publishWith(lab.Web(nil, nil), s.leaf(lab.LeafOptions{Names: []string{"old.example.org"}, NotAfter: time.Now().Add(-time.Hour), RSABits: 1024}))
	r := checkWeb(s)
	for _, id := range []string{"live-certificate-tls-expired", "live-certificate-tls-name", "live-certificate-weak-key"} {
		if findingOf(r, id) == nil {
			t.Errorf("no %s in %+v", id, r.Findings)
		}
	}
}

// TestWebCertificateByTheClock: the same certificate, judged at other times.
func TestWebCertificateByTheClock(t *testing.T) {
	s := newScene(t)
	end := time.Now().Add(90 * 24 * time.Hour)
	s.publishWith(lab.Web(nil, nil), s.leaf(lab.LeafOptions{Names: []string{publicName}, NotAfter: end}))
	const day = 24 * time.Hour
	for _, test := range []struct {
		left, soon time.Duration
		id         string
	}{
		{31 * day, 0, ""}, {29 * day, 0, "live-certificate-expires-soon"}, {time.Minute, 0, "live-certificate-expires-soon"}, {-time.Minute, 0, "live-certificate-tls-expired"},
		{15 * day, 14 * day, ""}, {13 * day, 14 * day, "live-certificate-expires-soon"},
	} {
		s.now = func() time.Time { return end.Add(-test.left) }
		target := s.target("client-web", "web")
		target.ExpiresSoon = test.soon
		r := checks.CheckWebCertificate(t.Context(), target)
		s.sane(r)
		if !r.CertificateEnd.Equal(end.Truncate(time.Second)) {
			t.Errorf("%s before its end: the certificate is said to end %s, not %s", test.left, r.CertificateEnd, end)
		}
		for _, id := range []string{"live-certificate-expires-soon", "live-certificate-tls-expired"} {
			if got := findingOf(r, id) != nil; got != (id == test.id) {
				t.Errorf("%s before its end: %s is %v", test.left, id, got)
			}
		}
	}
}

func TestWebCertificateSelfSignedOnPurpose(t *testing.T) {
	selfSigned := func(t *testing.T, from, until time.Time) (*scene, checks.Result) {
		s := newScene(t)
		s.edit(".env", "EMAIL=hostmaster@example.org", "EMAIL=self_signed")
		s.publishWith(lab.Web(nil, nil), s.leaf(lab.LeafOptions{Names: []string{publicName}, SelfSigned: true, NotBefore: from, NotAfter: until}))
		return s, checkWeb(s)
	}
	now, day := time.Now(), 24*time.Hour
	t.Run("fresh", func(t *testing.T) {
		s, r := selfSigned(t, now.Add(-day), now.Add(6*day))
		s.want(r, expect{status: checks.OK, rung: checks.Ask, message: "it signed itself, as EMAIL says"})
	})
	t.Run("sixth day", func(t *testing.T) {
		s, r := selfSigned(t, now.Add(-6*day), now.Add(day))
		s.want(r, expect{status: checks.OK, rung: checks.Ask, id: "live-certificate-expires-soon", at: "EMAIL=self_signed"})
	})
	t.Run("eighth day", func(t *testing.T) {
		s, r := selfSigned(t, now.Add(-8*day), now.Add(-day))
		s.want(r, expect{rung: checks.TLS, reason: checks.ReasonTLSExpired, id: "live-certificate-tls-expired", at: "EMAIL=self_signed"})
		if f := findingOf(r, "live-certificate-tls-expired"); !strings.Contains(f.Remedy, "docker compose restart web") {
			t.Errorf("remedy is %q", f.Remedy)
		}
	})
}

// listenTLS serves the public name with a configuration of its own.
func (s *scene) listenTLS(config *tls.Config) {
	address, err := s.lab.ServeHTTP("", lab.Web(nil, nil), config)
	labtest.Check(s.t, err)
	s.pin(publicName+":443", address)
}

func TestWebCertificateHandshakes(t *testing.T) {
	t.Run("no certificate for the name", func(t *testing.T) {
		s := newScene(t)
		// Caddy ends the handshake with the alert internal_error, as crypto/tls does on an error here.
		s.listenTLS(&tls.Config{GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return nil, context.Canceled }})
		s.want(checkWeb(s), expect{rung: checks.TLS, reason: checks.ReasonNoCertificate, id: "live-certificate-no-certificate", at: "FQDN="})
	})
	t.Run("plain HTTP", func(t *testing.T) {
		s := newScene(t)
		s.listenTLS(nil)
		s.want(checkWeb(s), expect{rung: checks.TLS, reason: checks.ReasonPlainOnTLS, id: "live-certificate-plain-on-tls", at: "EMAIL="})
	})
	t.Run("only old TLS", func(t *testing.T) {
		s := newScene(t)
		config := lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{publicName}}))
		config.MinVersion, config.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
		s.listenTLS(config)
		s.want(checkWeb(s), expect{rung: checks.TLS, reason: checks.ReasonTLSVersion, id: "live-certificate-tls-version", at: "EMAIL="})
	})
	t.Run("old TLS too", func(t *testing.T) {
		s := newScene(t)
		config := lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{publicName}}))
		config.MinVersion = tls.VersionTLS10
		s.listenTLS(config)
		r := checkWeb(s)
		s.want(r, expect{status: checks.OK, rung: checks.Ask, id: "live-certificate-old-tls", at: "EMAIL=", says: "TLS 1.1"})
		if f := findingOf(r, "live-certificate-old-tls"); f.Severity != finding.Warning {
			t.Errorf("severity is %s", f.Severity)
		}
	})
	t.Run("client certificate", func(t *testing.T) {
		s := newScene(t)
		config := lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{publicName}}))
		config.ClientAuth = tls.RequireAnyClientCert
		s.listenTLS(config)
		s.want(checkWeb(s), expect{rung: checks.TLS, reason: checks.ReasonTLSClient, id: "live-certificate-tls-client-certificate", at: "EMAIL="})
	})
	t.Run("no HTTP behind it", func(t *testing.T) {
		s := newScene(t)
		leaf := s.leaf(lab.LeafOptions{Names: []string{publicName}})
		address, err := s.lab.Serve(func(c net.Conn) {
			_, _ = tls.Server(c, lab.ServerTLS(leaf)).Write([]byte("* OK IMAP4rev1 ready\r\n"))
		})
		labtest.Check(t, err)
		s.pin(publicName+":443", address)
		s.want(checkWeb(s), expect{rung: checks.Greet, reason: checks.ReasonWrongServer, id: "live-certificate-wrong-protocol", at: "FQDN="})
	})
	t.Run("refused", func(t *testing.T) {
		s := newScene(t)
		s.pin(publicName+":443", closedPort(t))
		s.want(checkWeb(s), expect{rung: checks.Dial, reason: checks.ReasonRefused, id: "live-certificate-refused", at: "FQDN="})
	})
	t.Run("clock", func(t *testing.T) {
		s := newScene(t)
		s.publish(s.fronted(lab.Web(nil, nil), nil, func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(10*time.Minute).UTC().Format(http.TimeFormat))
			return nil
		}))
		s.want(checkWeb(s), expect{status: checks.OK, rung: checks.Ask, id: "live-certificate-clock-skew", at: "FQDN=", says: "ahead of"})
	})
	t.Run("other port", func(t *testing.T) {
		s := newScene(t)
		s.edit(".env", "FQDN="+publicName, "FQDN="+publicName+":2015")
		address, err := s.lab.ServeHTTP("", lab.Web(nil, nil), lab.ServerTLS(s.leaf(lab.LeafOptions{Names: []string{publicName}})))
		labtest.Check(t, err)
		s.pin(publicName+":2015", address)
		s.want(checkWeb(s), expect{status: checks.OK, rung: checks.Ask})
	})
}

func TestWebCertificateHostile(t *testing.T) {
	hostile(t, publicName+":443", checkWeb)
}

// gsoap answers as kopano_server does to a GET.
var gsoap = http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Server", "gSOAP/2.8")
	w.Header().Set("Content-Type", "text/xml; charset=utf-8")
	w.WriteHeader(http.StatusMethodNotAllowed)
})

func checkServer(s *scene) checks.Result {
	return s.run(checks.CheckServerCertificate, "client-server-tls", "kopano_server")
}

func TestServerCertificate(t *testing.T) {
	start := func(t *testing.T, h http.Handler, change func(*scene, *lab.CA) *lab.Leaf) *scene {
		s := newScene(t)
		internal, err := lab.WriteSSLFiles(s.sslVolume(), publicName)
		labtest.Check(t, err)
		address, err := s.lab.ServeHTTP("", h, lab.ServerTLS(change(s, internal)))
		labtest.Check(t, err)
		s.pin("kopano_server:237", address)
		return s
	}
	by := func(o lab.LeafOptions) func(*scene, *lab.CA) *lab.Leaf {
		return func(s *scene, internal *lab.CA) *lab.Leaf {
			leaf, err := internal.Issue(o)
			labtest.Check(s.t, err)
			return leaf
		}
	}
	names := []string{"kopano_server", publicName}
	key := "KCCONF_SERVER_SERVER_SSL_KEY_FILE"
	tests := map[string]struct {
		handler http.Handler
		leaf    func(*scene, *lab.CA) *lab.Leaf
		expect  expect
	}{
		"good":            {gsoap, by(lab.LeafOptions{Names: names}), expect{status: checks.OK, rung: checks.Ask}},
		"old authority":   {gsoap, func(s *scene, _ *lab.CA) *lab.Leaf { return s.leaf(lab.LeafOptions{Names: names}) }, expect{rung: checks.TLS, reason: checks.ReasonTLSUnknown, id: "live-certificate-tls-unknown-authority", at: key}},
		"former FQDN":     {gsoap, by(lab.LeafOptions{Names: []string{"kopano_server", "old.example.org"}}), expect{rung: checks.TLS, reason: checks.ReasonTLSName, id: "live-certificate-tls-name", at: key, says: "old.example.org"}},
		"other service":   {gsoap, by(lab.LeafOptions{Names: []string{"kopano_dagent", publicName}}), expect{rung: checks.TLS, reason: checks.ReasonTLSName, id: "live-certificate-tls-name", at: key, says: "kopano_server"}},
		"expired":         {gsoap, by(lab.LeafOptions{Names: names, NotAfter: time.Now().Add(-time.Hour)}), expect{rung: checks.TLS, reason: checks.ReasonTLSExpired, id: "live-certificate-tls-expired", at: key}},
		"another service": {lab.Page(200, "text/html", "<html>"), by(lab.LeafOptions{Names: names}), expect{rung: checks.Ask, reason: checks.ReasonNotServer, id: "live-certificate-not-kopano", at: "ports:", says: "text/html"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			s := start(t, test.handler, test.leaf)
			s.want(checkServer(s), test.expect)
		})
	}
	t.Run("no volume", func(t *testing.T) {
		s := newScene(t)
		address, err := s.lab.ServeHTTP("", gsoap, lab.ServerTLS(s.leaf(lab.LeafOptions{Names: names})))
		labtest.Check(t, err)
		s.pin("kopano_server:237", address)
		s.want(checkServer(s), expect{status: checks.OK, rung: checks.Ask, message: "was not checked"})
	})
}
