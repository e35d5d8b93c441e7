package checks

import (
	"context"
	"fmt"
	"net/http"
)

// ReasonNotWeb: something else than web answers on its port.
const ReasonNotWeb Reason = "not-web"

// ProxiedReasons lists what the check of web behind another proxy tells apart.
func ProxiedReasons() []ReasonDoc {
	return append(networkReasons(),
		ReasonDoc{ReasonTLSOnPlain, TLS, "web speaks TLS where the proxy in front expects plain HTTP."},
		ReasonDoc{ReasonNotWeb, Ask, "Another web server answers on the port of web."},
	)
}

// CheckProxied asks web for its front page in plain HTTP, as the proxy does
// that stands in front of it: web without TLS sends everybody from / to
// DEFAULTREDIRECT (kopano-docker web/kweb.cfg).
func CheckProxied(ctx context.Context, t Target) Result {
	addr := clientsView(t.Edge)
	c := &routing{climb: newClimb(t, "proxied"), web: t.Edge.To}
	c.host, c.port = addr.Host, addr.Port
	c.base = "http://" + hostPort(addr.Host, addr.Port)
	a, f := c.client().get(ctx, c.base+"/")
	switch {
	case f != nil && f.Reason == ReasonTLSOnPlain:
		return c.fail(c.broke(f, "web speaks TLS, and the settings say that it does not", valuesLocations(c.web, "TLS_MODE", "EMAIL"),
			"Recreate web with the settings as they are (docker compose up -d web), or let the proxy in front speak TLS to it."))
	case f != nil:
		return c.unreachable(f, c.host, c.port)
	}
	c.address = a.Address
	if !c.isWeb(a) && a.Status != http.StatusTooManyRequests {
		f := &failure{Ask, ReasonNotWeb, fmt.Sprintf("%s answers / with %s; web sends everybody on to its start page", a.Address, a.saw()), nil}
		return c.fail(c.broke(f, "Another web server answers on the port of web", valuesLocations(c.web, "DEFAULTREDIRECT"),
			"Look what listens on this port, and whether DEFAULTREDIRECT is what the running web has (docker compose up -d web)."))
	}
	return c.ok(Ask, "web answers in plain HTTP, for the proxy in front of it")
}
