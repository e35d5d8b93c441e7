package lab

import (
	"io"
	"net/http"
	"strings"
)

// SignedInOptions say what is wrong behind the public name.
type SignedInOptions struct {
	Konnect    *Konnect
	Account    *Account
	KapiForgot bool // kapi takes no token
	WebAppDown bool // WebApp says that kopano_server takes no token
	NoVersions bool // something answers in Z-Push's place
}

// SignedIn is a stand-in for everything that a person reaches through web: each
// path wants the right password, or Konnect's token, and answers as the program
// behind it does (kapi plugins/grapi; kopano-webapp
// server/includes/controllers/service.php; Z-Push src/index.php; RFC 4918 for
// kDAV and CalDAV). None of them is a Debian package.
func SignedIn(o SignedInOptions) http.Handler {
	mux := http.NewServeMux()
	mux.Handle("/", o.Konnect)
	mux.HandleFunc("/api/gc/v1/me", func(w http.ResponseWriter, r *http.Request) {
		token, ok := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
		if !ok || o.KapiForgot || !o.Konnect.Knows(token) {
			w.WriteHeader(http.StatusForbidden)
			return
		}
		writeJSON(w, map[string]string{"displayName": "Test User"})
	})
	mux.HandleFunc("/webapp/kopano.php", func(w http.ResponseWriter, r *http.Request) {
		service := r.URL.Query().Get("service")
		if service == "token" && (o.WebAppDown || !o.Konnect.Knows(r.FormValue("token"))) {
			w.Header().Set("Content-Type", "application/json; charset=utf-8")
			w.WriteHeader(http.StatusUnauthorized)
			_, _ = io.WriteString(w, `{"error":{"code":2147746321,"hcode":"MAPI_E_LOGON_FAILED"}}`)
			return
		}
		writeJSON(w, map[string]any{"authenticated": service == "token"})
	})
	mux.Handle("/Microsoft-Server-ActiveSync", o.Account.Basic("ZPush", http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodOptions && !o.NoVersions {
			w.Header().Set("MS-ASProtocolVersions", "2.5,12.0,12.1,14.0,14.1")
		}
	})))
	dav := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method != "PROPFIND" || r.Header.Get("Depth") != "0" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		Page(http.StatusMultiStatus, "application/xml; charset=utf-8", `<?xml version="1.0"?><d:multistatus xmlns:d="DAV:"/>`).ServeHTTP(w, r)
	})
	mux.Handle("/kdav/", o.Account.Basic("Kopano DAV", dav))
	mux.Handle("/caldav/", o.Account.Basic("Kopano CalDav Gateway", dav))
	return mux
}
