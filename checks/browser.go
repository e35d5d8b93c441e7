package checks

import (
	"context"
	"fmt"
	"net/http"
	"slices"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// BrowserReasons lists what the check of the way of browsers tells apart.
func BrowserReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonBadGateway, Ask, "web answers, and does not reach the service behind it."},
		ReasonDoc{ReasonNotFound, Ask, "web, or a proxy before it, does not pass this path on."},
		ReasonDoc{ReasonRateLimit, Ask, "web allows no more requests from here for a minute."},
		ReasonDoc{ReasonNotApp, Ask, "Something else answers on this path."},
	)
}

// browserPages are what Meet in the browser asks web for (kopano-docker
// web/kweb.cfg), and what it is told before anybody has signed in.
var browserPages = map[string][]question{
	"meet-kapi":    {{path: "/api/gc/v1/me", status: []int{http.StatusForbidden, http.StatusUnauthorized}}},
	"meet-konnect": {{path: "/.well-known/openid-configuration", status: []int{http.StatusOK}}, {path: "/signin/v1/identifier", status: []int{http.StatusOK, http.StatusFound}}},
}

// CheckBrowser goes the way of the browser: to the public address, through web.
// The certificate is another link's matter.
func CheckBrowser(ctx context.Context, t Target) Result {
	c := &appClimb{climb: newClimb(t, "browser"), web: &web{target: t, insecure: true}}
	name := publicName(t)
	if name == "" {
		return c.fail(&failure{Resolve, ReasonConfig, "web has no FQDN, so nobody knows where browsers find it", nil})
	}
	c.host, c.port = name, 443
	for _, q := range browserPages[t.Edge.Link.ID] {
		a, f := c.web.get(ctx, "https://"+name+q.path)
		if f != nil {
			return c.unreachable(f, c.host, c.port)
		}
		c.address = a.Address
		if !slices.Contains(q.status, a.Status) {
			return c.fail(c.notPassedOn(q, a))
		}
	}
	return c.ok(Ask, "browsers reach %s through web", c.to(name))
}

func (c *appClimb) notPassedOn(q question, a *answer) *failure {
	f := &failure{Ask, ReasonNotApp, fmt.Sprintf("%s answers %s with %s", a.Address, q.path, a.saw()), nil}
	to := c.to(c.host)
	places := c.appPlaces()
	switch {
	case gatewayStatus(a.Status):
		f.Reason = ReasonBadGateway
		return c.broke(f, "web does not reach "+to, places, fmt.Sprintf("Look whether %s runs and shares a network with web: docker compose ps %s.", to, to))
	case a.Status == http.StatusTooManyRequests:
		f.Reason = ReasonRateLimit
		return c.broke(f, "web takes no more requests from here", places, "Run the check again in a minute.")
	case a.Status == http.StatusNotFound:
		f.Reason = ReasonNotFound
		return c.broke(f, fmt.Sprintf("Browsers do not reach %s: %s is not found", to, q.path), webPlaces(c.target, places),
			fmt.Sprintf("Pass %s on to web in the proxy before it; if there is none, look what the log of web says.", q.path))
	}
	return c.broke(f, "Something else answers on "+q.path, webPlaces(c.target, places), "Look what stands before web and answers in its place.")
}

// webPlaces are the place of the public name, and those given as related.
func webPlaces(t Target, places []finding.Location) []finding.Location {
	for _, s := range t.Topology.Services(kopano.Web) {
		if v, ok := s.Get("FQDN"); ok {
			return append(v.Locations(), related(places)...)
		}
	}
	return places
}
