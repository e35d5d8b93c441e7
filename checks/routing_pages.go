package checks

import (
	"net/http"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// page is what web passes on to one service: where it is found at the public
// address, where at the service itself, and what the service says there to
// somebody who has not signed in.
type page struct {
	question
	edge  *kopano.Edge // web's link to the service
	inner string       // the same page, asked of the service itself
}

// tells reports whether the answer tells this program from any other web
// server, which would hardly ask for a password, or refuse, in the same place.
func (p page) tells() bool {
	return p.isJSON || !slices.ContainsFunc(p.status, func(status int) bool {
		return status != http.StatusUnauthorized && status != http.StatusForbidden
	})
}

// loses says what people lose without the page. The links of web name what web
// itself answers then, which need not be what came back here.
func (p page) loses() string {
	text, _, cut := strings.Cut(p.edge.Link.Loses, ": /")
	if cut {
		return text + "."
	}
	return text
}

// prefixes are the paths under which web serves applications that know nothing
// of them, and whether web takes them away (kopano-docker web/kweb.cfg, "without").
var prefixes = map[string]struct {
	path  string
	taken bool
}{
	"web-playground":            {"/oidc-playground/", false},
	"web-grapi-explorer":        {"/grapi-explorer/", false},
	"web-ldap-admin":            {"/ldap-admin/", true},
	"web-password-self-service": {"/password-reset/", true},
	"web-ldap-account-manager":  {"/lam/", false},
	"web-owncloud":              {"/owncloud/", false},
}

// publicPages gives the pages of one service behind web.
func publicPages(e *kopano.Edge) []page {
	var questions []question
	id := e.Link.ID
	switch id {
	case "web-konnect":
		base := basePath(e.To)
		questions = []question{
			{path: base + discoveryPath, status: []int{http.StatusOK}, isJSON: true},
			{path: base + "/signin/v1/identifier", status: []int{http.StatusOK, http.StatusFound}},
		}
	case "web-kwmserver":
		questions = []question{{path: kwmAPI + "/rtm/connect", status: []int{http.StatusForbidden}}}
	default:
		questions = apps(id)
	}
	var out []page
	for _, q := range questions {
		p := page{question: q, edge: e, inner: q.path}
		switch prefix, ok := prefixes[id]; {
		case q.plugin != "" && !pluginOn(e.To, q.plugin), q.path == "/health-check":
			continue
		case ok:
			p.path, p.inner = prefix.path, prefix.path
			if prefix.taken {
				p.inner = "/"
			}
		}
		out = append(out, p)
	}
	return out
}

// pagesOf gives the pages of all services of the deployment that web passes
// on, in the order of the links.
func pagesOf(t Target) []page {
	var out []page
	for _, e := range t.Topology.Edges {
		if e.From == t.Edge.To && e.To != nil && e.Addr.Problem == "" && strings.HasPrefix(e.Link.ID, "web-") {
			out = append(out, publicPages(e)...)
		}
	}
	return out
}
