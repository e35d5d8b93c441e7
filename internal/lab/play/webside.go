//go:build linux

package main

import (
	"crypto/tls"
	"fmt"
	"log"
	"net/http"
	"os"
	"path/filepath"
	"time"

	"github.com/zitadel/oidc/v3/pkg/op"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// certificateFolder is where the lab puts web's certificate, which in a real
// deployment comes from a public authority.
const certificateFolder = "/lab/tls"

// app plays a web application on a port.
func app(port int) part {
	return func(l *lab.Lab) error {
		address := fmt.Sprint(":", port)
		if bad, err := faulty(l, address); bad {
			return err
		}
		handler := lab.Apps(lab.AppOptions{Without: os.Getenv("LAB_WITHOUT")})
		if os.Getenv("LAB_FAULT") == "500" {
			handler = lab.Page(http.StatusInternalServerError, "text/plain", "Internal Server Error")
		}
		_, err := l.ServeHTTP(address, handler, nil)
		return err
	}
}

// konnect is a real OpenID provider with the keys of kopano_ssl.
func konnect(l *lab.Lab) error {
	if bad, err := faulty(l, ":8777"); bad {
		return err
	}
	waitForFile(filepath.Join(sslFolder, "konnectd-tokens-signing-key.pem"))
	key, err := lab.SigningKey(sslFolder)
	if err != nil {
		return err
	}
	issuer := "https://" + os.Getenv("FQDN")
	if other := os.Getenv("oidc_issuer_identifier"); other != "" {
		issuer = other
	}
	options := lab.OpenIDOptions{Issuer: issuer, Keys: []op.Key{key}}
	if os.Getenv("LAB_FAULT") == "no-keys" {
		options.Keys, options.NoKeys = nil, true
	}
	provider, err := lab.OpenID(options)
	if err != nil {
		return err
	}
	mux := http.NewServeMux()
	mux.Handle("/", provider)
	mux.Handle("/signin/v1/identifier", lab.Apps(lab.AppOptions{}))
	mux.Handle("/health-check", lab.Apps(lab.AppOptions{}))
	_, err = l.ServeHTTP(":8777", mux, nil)
	return err
}

// kwmserver plays the signalling server, whose port is open only once it has
// found its issuer.
func kwmserver(l *lab.Lab) error {
	if bad, err := faulty(l, ":8778"); bad {
		return err
	}
	waitForFile(filepath.Join(sslFolder, "konnectd-identifier-registration.yaml"))
	waitForIssuer(os.Getenv("oidc_issuer_identifier"))
	_, err := l.ServeHTTP(":8778", lab.Kwmserver(lab.KwmserverOptions{
		Guest: os.Getenv("enable_guest_api") == "yes", TURN: os.Getenv("turn_service_credentials_user") != "",
		NoRTM: os.Getenv("LAB_FAULT") == "no-rtm",
	}), nil)
	return err
}

func waitForIssuer(issuer string) {
	client := &http.Client{Timeout: 3 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for n := 0; ; n++ {
		answer, err := client.Get(issuer + "/.well-known/openid-configuration")
		if err == nil {
			_ = answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return
			}
			err = fmt.Errorf("%s", answer.Status)
		}
		if n%10 == 0 { // kwmserver cmd/kwmserverd/serve.go
			log.Printf("level=error msg=\"OIDC provider discovery failed\" error=%q", err)
		}
		time.Sleep(300 * time.Millisecond)
	}
}

// grapi plays the workers of the API.
func grapi(l *lab.Lab) error {
	if err := os.MkdirAll("/run/kopano/grapi", 0o755); err != nil {
		return err
	}
	sockets := []string{"/run/kopano/grapi/rest0.sock", "/run/kopano/grapi/rest1.sock"}
	for _, s := range sockets {
		_ = os.Remove(s)
	}
	if bad, err := faulty(l, sockets...); bad {
		return err
	}
	for _, s := range sockets {
		if err := l.ServeHTTPSocket(s, lab.Page(http.StatusOK, "text/plain", "")); err != nil {
			return err
		}
	}
	return nil
}

// kapi plays the API's front.
func kapi(l *lab.Lab) error {
	listen := os.Getenv("KCCONF_KAPID_LISTEN")
	if bad, err := faulty(l, listen); bad {
		return err
	}
	if err := os.MkdirAll("/kopano/data/kapi-kvs", 0o755); err != nil {
		return err
	}
	waitForFile(filepath.Join(sslFolder, "kapid-pubs-secret.key"))
	_, err := l.ServeHTTP(listen, lab.Apps(lab.AppOptions{Without: os.Getenv("LAB_WITHOUT")}), nil)
	return err
}

// web is a TLS reverse proxy with the routes of kopano_web (web/kweb.cfg of kopano-docker).
func web(l *lab.Lab) error {
	if bad, err := faulty(l, ":80", ":443"); bad {
		return err
	}
	to := func(address string) http.Handler { return lab.Proxy(address, nil, nil) }
	mux := http.NewServeMux()
	mux.Handle("/{$}", http.RedirectHandler(os.Getenv("DEFAULTREDIRECT"), http.StatusFound))
	konnect, kwmserver, kapi := to("kopano_konnect:8777"), to("kopano_kwmserver:8778"), to("kopano_kapi:8039")
	for path, backend := range map[string]http.Handler{
		"/.well-known/openid-configuration": konnect, "/konnect/v1/": konnect, "/signin/v1/": konnect, "/upstreams/konnect/": http.StripPrefix("/upstreams/konnect", konnect),
		"/keys": konnect, "/authorize": konnect, "/oauth/": konnect, "/userinfo": konnect, // where the library keeps its own
		"/api/kwm/v2/": kwmserver, "/upstreams/kwmserver/": http.StripPrefix("/upstreams/kwmserver", kwmserver),
		"/api/kwm/v2/mcu/": http.NotFoundHandler(),
		"/api/gc/v1/":      kapi, "/api/kvs/v1/": kapi, "/api/pubs/v1/": kapi, "/upstreams/kapi/": http.StripPrefix("/upstreams/kapi", kapi),
		"/webapp/": to("kopano_webapp:9080"), "/meet/": to("kopano_meet:9080"), "/calendar/": to("kopano_kapps:9080"),
		"/Microsoft-Server-ActiveSync": to("kopano_zpush:9080"), "/kdav/": to("kopano_kdav:9080"), "/caldav/": to("kopano_ical:8080"),
		"/api/config/v1/kopano/meet/": to("kopano_meet:9080"), "/api/config/v1/kopano/": to("kopano_kapps:9080"),
	} {
		mux.Handle(path, backend)
	}
	for prefix, address := range map[string]string{"/oidc-playground": "kopano_playground:8888", "/ldap-admin": "ldap-admin:80", "/password-reset": "password-self-service:80"} {
		mux.Handle(prefix+"/", http.StripPrefix(prefix, to(address)))
	}
	mux.Handle("/.well-known/caldav", http.RedirectHandler("/kdav/", http.StatusMovedPermanently))
	for _, path := range []string{"/webapp", "/meet", "/calendar", "/kdav", "/caldav"} {
		mux.Handle(path, http.RedirectHandler(path+"/", http.StatusMovedPermanently))
	}
	handler := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "kweb")
		w.Header().Set("Strict-Transport-Security", "max-age=31536000")
		mux.ServeHTTP(w, r)
	})
	config, err := lab.ServerTLSFiles(filepath.Join(certificateFolder, "cert.pem"), filepath.Join(certificateFolder, "key.pem"))
	if err != nil {
		return err
	}
	config.NextProtos = []string{"h2", "http/1.1"}
	config.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { // read anew, as web does after a renewal
		c, err := tls.LoadX509KeyPair(filepath.Join(certificateFolder, "cert.pem"), filepath.Join(certificateFolder, "key.pem"))
		return &c, err
	}
	config.Certificates = nil
	if _, err := l.ServeHTTP(":80", lab.WebPlain(), nil); err != nil {
		return err
	}
	_, err = l.ServeHTTP(":443", handler, config)
	return err
}
