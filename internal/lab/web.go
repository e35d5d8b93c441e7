package lab

import (
	"fmt"
	"net/http"
)

// Web is a stand-in for kweb in front of a whole deployment, with the routes of
// kopano-docker's web/kweb.cfg: the front page leads to WebApp, the MCU API is
// not served, health checks are at /upstreams, and what no rule names is 404.
// Konnect and kwmserver are given; nil is a server that is down. The others are Apps.
func Web(konnect, kwmserver http.Handler) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("/{$}", func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/webapp/", http.StatusFound) })
	mux.Handle("/api/kwm/v2/", orBadGateway(kwmserver))
	mux.HandleFunc("/api/kwm/v2/mcu/", http.NotFound)
	mux.Handle("/upstreams/kwmserver/", http.StripPrefix("/upstreams/kwmserver", orBadGateway(kwmserver)))
	mux.Handle("/upstreams/konnect/", http.StripPrefix("/upstreams/konnect", orBadGateway(konnect)))
	apps := Apps(AppOptions{})
	for _, path := range []string{"/webapp/", "/meet/", "/calendar/", "/api/config/v1/kopano/", "/Microsoft-Server-ActiveSync", "/kdav/", "/caldav/",
		"/api/gc/v1/", "/api/kvs/v1/", "/api/pubs/v1/"} {
		mux.Handle(path, apps)
	}
	for _, prefix := range []string{"/ldap-admin", "/password-reset", "/oidc-playground"} {
		mux.Handle(prefix+"/", http.StripPrefix(prefix, apps))
	}
	mux.HandleFunc("/.well-known/caldav", func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/kdav/", http.StatusMovedPermanently)
	})
	if konnect != nil {
		mux.Handle("/signin/v1/identifier", apps)
	}
	for _, path := range []string{"/.well-known/openid-configuration", "/konnect/v1/", "/signin/v1/", "/keys", "/authorize", "/oauth/", "/userinfo"} {
		mux.Handle(path, orBadGateway(konnect))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "kweb")
		mux.ServeHTTP(w, r)
	})
}

// WebPlain is web's port 80, which sends everybody to https (web/kweb.cfg).
func WebPlain() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "https://"+r.Host+r.URL.RequestURI(), http.StatusMovedPermanently)
	})
}

func orBadGateway(h http.Handler) http.Handler {
	if h != nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.WriteHeader(http.StatusBadGateway)
		fmt.Fprintln(w, "502 Bad Gateway")
	})
}
