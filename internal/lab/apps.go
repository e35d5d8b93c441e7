package lab

import (
	"io"
	"net/http"
	"strings"
)

// AppOptions say what is missing from the applications.
type AppOptions struct {
	Without string // paths with this beginning are not found
}

// Apps is a stand-in for Kopano's web applications, none of which is a Debian
// package: each path answers somebody who has not signed in as the program behind
// it does (kopano-docker web/kweb.cfg and the images; kapi server/handlers.go;
// kopano-core caldav/CalDAV.cpp).
func Apps(o AppOptions) http.Handler {
	mux := http.NewServeMux()
	html := Page(http.StatusOK, "text/html; charset=utf-8", "<!doctype html><title>Kopano</title>")
	for _, path := range []string{"/{$}", "/webapp/", "/meet/", "/calendar/", "/signin/v1/identifier"} {
		mux.Handle(path, html)
	}
	mux.Handle("/api/config/v1/kopano/", Page(http.StatusOK, "application/json", `{"apiPrefix":"/api/gc/v1"}`))
	mux.Handle("/.well-known/openid-configuration", Page(http.StatusOK, "application/json; encoding=utf-8", `{"issuer":"https://kopano.example.org"}`))
	mux.Handle("/Microsoft-Server-ActiveSync", Login("ZPush"))
	mux.Handle("/kdav/", Login("Kopano DAV"))
	mux.Handle("/caldav/", Login("Kopano CalDav Gateway"))
	mux.Handle("/health-check", Page(http.StatusOK, "text/plain", ""))
	for _, path := range []string{"/api/gc/v1/", "/api/kvs/v1/", "/api/pubs/v1/"} {
		mux.Handle(path, Page(http.StatusForbidden, "text/plain", ""))
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if o.Without != "" && strings.HasPrefix(r.URL.Path, o.Without) {
			http.NotFound(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// Login asks for a password, whatever is asked for.
func Login(realm string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("WWW-Authenticate", `Basic realm="`+realm+`"`)
		w.WriteHeader(http.StatusUnauthorized)
		_, _ = io.WriteString(w, "401")
	})
}
