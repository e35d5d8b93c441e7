package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// LoginTokenReasons lists what the checks with Konnect's token tell apart.
func LoginTokenReasons() []ReasonDoc {
	return webReasons(ReasonDoc{ReasonTokenRefused, Authenticate, "The application does not take the token that Konnect gave."})
}

// withToken gives the ladder of an application that takes Konnect's token, and
// the token, or why there is none.
func withToken(t Target, jar http.CookieJar) (*webLogin, string, *failure) {
	c, f := newWebLogin(t, jar)
	if f != nil {
		return c, "", f
	}
	c.trip.mu.Lock()
	defer c.trip.mu.Unlock()
	if c.trip.token == "" {
		return c, "", &failure{Authenticate, ReasonBlocked, "there is no token for it: the sign-in at Konnect did not succeed", nil}
	}
	return c, c.trip.token, nil
}

// CheckLoginAPI asks kapi who has signed in, as Meet does first.
func CheckLoginAPI(ctx context.Context, t Target) Result {
	const path = "/api/gc/v1/me"
	c, token, f := withToken(t, nil)
	switch {
	case f != nil:
		return c.fail(f)
	case !pluginOn(t.Edge.To, "grapi"):
		return c.fail(&failure{Ask, ReasonNoCheck, "its plugin grapi, which knows people and calendars, is not switched on", nil})
	}
	request, err := http.NewRequest(http.MethodGet, c.at(path), nil)
	if err != nil {
		return c.fail(unusable(c.name, err))
	}
	request.Header.Set("Authorization", "Bearer "+token)
	a, f := c.do(ctx, request)
	switch {
	case f != nil:
		return c.lost(f)
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden:
		return c.fail(c.tokenRefused(fmt.Sprintf("%s answers %s with %s to the token that Konnect gave", a.Address, path, a.saw()), "KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER"))
	case a.Status != http.StatusOK || !isJSON(a):
		return c.fail(c.wrong(a, path))
	}
	return c.ok(Ask, "%s knows who has signed in", c.to(c.name))
}

func unusable(name string, err error) *failure {
	return &failure{Resolve, ReasonConfig, "the address " + oneLine(name) + " is not usable", err}
}

func (c *webLogin) tokenRefused(saw string, keys ...string) *failure {
	to := c.to(c.name)
	return c.broke(&failure{Authenticate, ReasonTokenRefused, saw, nil}, to+" does not take Konnect's token",
		uniqueLocations(append(valuesLocations(c.target.Edge.To, keys...), c.servicePlaces()...)),
		fmt.Sprintf("%s must be told the same issuer as Konnect, letter by letter, and must have started after it. Restart %s, then look what it says: docker compose logs %s.", to, to, to))
}

// CheckLoginWebApp signs in to WebApp with Konnect's token, as its own page does
// after the sign-in (kopano-webapp client/zarafa/core/Oidc.js), and out again.
// WebApp gives the token to kopano_server, so a good answer proves that too.
func CheckLoginWebApp(ctx context.Context, t Target) Result {
	const path = "/webapp/kopano.php?service=token"
	jar, _ := cookiejar.New(nil) // gives no error
	c, token, f := withToken(t, jar)
	if f != nil {
		return c.fail(f)
	}
	form := url.Values{"token": {token}, "new": {"true"}}
	request, err := http.NewRequest(http.MethodPost, c.at(path), strings.NewReader(form.Encode()))
	if err != nil {
		return c.fail(unusable(c.name, err))
	}
	request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	a, f := c.do(ctx, request)
	if f != nil {
		return c.lost(f)
	}
	var says struct{ Error json.RawMessage }
	saw := fmt.Sprintf("%s answers %s with %s", a.Address, path, a.saw())
	switch err := json.Unmarshal(a.Body, &says); {
	case a.Status == http.StatusUnauthorized, a.Status == http.StatusForbidden, err == nil && len(says.Error) > 0 && string(says.Error) != "null":
		return c.fail(c.webappRefused(saw + " to the token that Konnect gave"))
	case a.Status != http.StatusOK || err != nil:
		return c.fail(c.wrong(a, path))
	}
	if request, err := http.NewRequest(http.MethodGet, c.at("/webapp/kopano.php?service=logout"), nil); err == nil {
		_, _ = c.do(ctx, request)
	}
	return c.ok(Ask, "%s lets the test user in", c.to(c.name))
}

func (c *webLogin) webappRefused(saw string) *failure {
	var places []finding.Location
	for _, s := range c.target.Topology.Services("server") {
		places = append(places, valuesLocations(s, "KCCONF_SERVER_ENABLE_SSO", "KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER")...)
	}
	return c.broke(&failure{Authenticate, ReasonTokenRefused, saw, nil}, c.to(c.name)+" does not take Konnect's token", append(places, related(c.servicePlaces())...),
		"WebApp gives the token to kopano_server. Set KCCONF_SERVER_ENABLE_SSO=yes there, and KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER to Konnect's issuer, letter by letter; then look what docker compose logs kopano_server says.")
}

// LoginBasicReasons lists what the checks of phones and calendar programs tell apart.
func LoginBasicReasons() []ReasonDoc {
	return webReasons(ReasonDoc{ReasonNoSync, Ask, "ActiveSync answers, and names no version of its protocol."})
}

// principal asks a DAV server who has signed in (RFC 5397), and nothing else.
const principal = `<?xml version="1.0" encoding="utf-8"?><propfind xmlns="DAV:"><prop><current-user-principal/></prop></propfind>`

// basicLogins are the questions of programs that send the password each time.
var basicLogins = map[string]struct{ method, path, body string }{
	"login-activesync": {http.MethodOptions, "/Microsoft-Server-ActiveSync", ""},
	"login-kdav":       {"PROPFIND", "/kdav/", principal},
	"login-caldav":     {"PROPFIND", "/caldav/", principal},
}

// CheckLoginBasic asks as phones and calendar programs do, with the password in
// the request: ActiveSync for its versions, DAV for the user's principal.
func CheckLoginBasic(ctx context.Context, t Target) Result {
	c, f := newWebLogin(t, nil)
	if f != nil {
		return c.fail(f)
	}
	q := basicLogins[t.Edge.Link.ID]
	address := c.at(q.path)
	if q.body == "" { // Z-Push takes a request without it for one without a login
		address += "?" + url.Values{"User": {t.Login.Username}}.Encode()
	}
	request, err := http.NewRequest(q.method, address, strings.NewReader(q.body))
	if err != nil {
		return c.fail(unusable(c.name, err))
	}
	request.SetBasicAuth(c.trip.Username, c.trip.Password.Reveal())
	if q.body != "" {
		request.Header.Set("Depth", "0")
		request.Header.Set("Content-Type", "application/xml; charset=utf-8")
	}
	to := c.to(c.name)
	if f := c.trip.give(to); f != nil {
		return c.fail(f)
	}
	a, f := c.do(ctx, request)
	if f != nil {
		if c.web.last == nil || f.Rung != Greet && f.Rung != Ask {
			c.trip.says(to, unjudged) // the password never left
		}
		return c.lost(f)
	}
	saw := fmt.Sprintf("%s answers %s %s with %s to the test user", a.Address, q.method, q.path, a.saw())
	if a.Status == http.StatusUnauthorized || a.Status == http.StatusForbidden {
		return c.fail(c.refuse(to, saw))
	}
	return c.basicAnswer(q.path, q.body != "", a)
}

func (c *webLogin) basicAnswer(path string, dav bool, a *answer) Result {
	to := c.to(c.name)
	switch versions := a.Header.Get("MS-ASProtocolVersions"); {
	case dav && a.Status == http.StatusMultiStatus:
		c.trip.says(to, accepted)
		return c.ok(Ask, "%s lets the test user in", to)
	case !dav && a.Status == http.StatusOK && versions != "":
		c.trip.says(to, unjudged) // older releases of Z-Push answer OPTIONS without a look at the password
		return c.ok(Ask, "%s answers the test user, and speaks ActiveSync %s", to, c.trip.told(versions))
	case !dav && a.Status == http.StatusOK:
		c.trip.says(to, unjudged)
		return c.fail(c.broke(&failure{Ask, ReasonNoSync, fmt.Sprintf("%s answers %s with %s and without MS-ASProtocolVersions", a.Address, path, a.saw()), nil},
			"Phones do not find ActiveSync at "+path, c.servicePlaces(), fmt.Sprintf("Look what answers there instead of Z-Push, and what it says: docker compose logs %s.", to)))
	}
	c.trip.says(to, unjudged)
	return c.fail(c.wrong(a, path))
}
