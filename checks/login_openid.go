package checks

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// LoginOpenIDReasons lists what the check of the sign-in tells apart.
func LoginOpenIDReasons() []ReasonDoc {
	return webReasons(
		ReasonDoc{ReasonEndpoint, Ask, "Konnect names no endpoint for the sign-in, or one on another host."},
		ReasonDoc{ReasonClient, Authenticate, "Konnect does not know the application, or not at this address."},
		ReasonDoc{ReasonSignIn, Authenticate, "Konnect takes the password, and does not go on with the sign-in."},
		ReasonDoc{ReasonToken, Authenticate, "Konnect's token cannot be had, or does not hold."},
	)
}

// scopes are what WebApp asks for: who somebody is, and leave to use
// kopano_server and grapi (kopano-core provider/libserver/ECSession.cpp).
var scopes = []string{oidc.ScopeOpenID, "profile", "email", "kopano/gc"}

// openIDLogin is one sign-in at Konnect.
type openIDLogin struct {
	*webLogin
	base     *url.URL // the issuer
	provider *oidc.Provider
	config   oauth2.Config
	state    string
	nonce    string
	verifier string
	idToken  string
}

// CheckLoginOpenID signs in at Konnect as a browser that came from WebApp or
// Meet does: discovery, the authorization endpoint, the sign-in page's own API
// (konnect identifier/handlers.go), the code, the tokens. Trip.End signs out.
func CheckLoginOpenID(ctx context.Context, t Target) Result {
	jar, _ := cookiejar.New(nil) // gives no error
	w, f := newWebLogin(t, jar)
	if f != nil {
		return w.fail(f)
	}
	c := &openIDLogin{webLogin: w, state: rand.Text(), nonce: rand.Text(), verifier: oauth2.GenerateVerifier()}
	c.trip.hide(c.verifier)
	client, ok := publicClient(t.Topology, c.name)
	if !ok {
		return c.fail(&failure{Ask, ReasonNoCheck, "neither WebApp nor Meet is here to sign in to", nil})
	}
	c.config = oauth2.Config{ClientID: client.id, RedirectURL: client.redirect, Scopes: scopes}
	ctx = oidc.ClientContext(ctx, c.http)
	if f := c.discover(ctx); f != nil {
		return c.end(f)
	}
	page, f := c.authorize(ctx)
	if f != nil {
		return c.end(f)
	}
	proceed, f := c.logon(ctx, page)
	if f != nil {
		return c.end(f)
	}
	code, f := c.code(ctx, proceed)
	if f != nil {
		return c.end(f)
	}
	if f := c.redeem(ctx, code); f != nil {
		return c.end(f)
	}
	return c.ok(Ask, "%s lets the test user in and gives a good token to %s", c.to(c.name), client.id)
}

// end is the result of a sign-in that broke: with a finding already, or where no
// answer came.
func (c *openIDLogin) end(f *failure) Result {
	if len(c.found) == 0 && f.status() == Broken {
		return c.lost(f)
	}
	return c.fail(f)
}

// publicClient is an application without a secret that Konnect knows here.
// Konnect knows Meet by its registration file, WebApp since its address is on
// the issuer's host (konnect identity/clients/registry.go).
type openIDClient struct{ id, redirect string }

func publicClient(t *kopano.Topology, name string) (openIDClient, bool) {
	for _, s := range t.Services(kopano.Webapp) {
		if v, ok := s.Get("KCCONF_WEBAPP_OIDC_CLIENT_ID"); ok && v.Reveal() != "" {
			return openIDClient{v.Reveal(), "https://" + name + "/webapp/"}, true
		}
	}
	if len(t.Services(kopano.Webapp)) > 0 {
		return openIDClient{"webapp", "https://" + name + "/webapp/"}, true
	}
	if len(t.Services(kopano.Meet)) > 0 {
		return openIDClient{"kpop-https://" + name + "/meet/", "https://" + name + "/meet/"}, true
	}
	return openIDClient{}, false
}

// discover reads the provider's own description. Whether that is all right is
// for another check; here it must lead to an endpoint on the issuer's host,
// since a password is going to follow.
func (c *openIDLogin) discover(ctx context.Context) *failure {
	issuer := strings.TrimSpace(konnectIssuer(c.target.Edge.To))
	base, err := url.Parse(issuer)
	if err != nil || base.Host == "" || base.Scheme != "https" {
		return &failure{Resolve, ReasonConfig, "the issuer is no https address that can be asked", err}
	}
	c.base = base
	request, err := http.NewRequest(http.MethodGet, strings.TrimSuffix(issuer, "/")+discoveryPath, nil)
	if err != nil {
		return unusable(issuer, err)
	}
	a, f := c.do(ctx, request)
	switch {
	case f != nil:
		return f
	case a.Status != http.StatusOK:
		return c.wrong(a, discoveryPath)
	}
	c.provider, err = oidc.NewProvider(ctx, issuer)
	if err != nil {
		if f := c.broken(err); f != nil {
			return f
		}
		return c.wrong(a, discoveryPath)
	}
	c.config.Endpoint = c.provider.Endpoint()
	c.config.Endpoint.AuthStyle = oauth2.AuthStyleInParams
	for _, address := range []string{c.config.Endpoint.AuthURL, c.config.Endpoint.TokenURL} {
		if !c.own(address) {
			f := &failure{Ask, ReasonEndpoint, "the discovery document names no endpoint on the issuer's host: " + quoted(c.trip.told(address)), nil}
			return c.broke(f, c.to(c.name)+" sends people to another host to sign in", valuesLocations(c.target.Edge.To, "oidc_issuer_identifier", "FQDN"),
				"Restart Konnect, so that it takes the issuer that is configured now.")
		}
	}
	return nil
}

// broken gives the network's failure in an error, nil when there is none.
func (c *openIDLogin) broken(err error) *failure {
	var f *failure
	if errors.As(err, &f) {
		return f
	}
	return nil
}

// own reports whether an address is on the issuer's host.
func (c *openIDLogin) own(address string) bool {
	u, err := url.Parse(address)
	return err == nil && u.Scheme == c.base.Scheme && u.Host == c.base.Host
}

// follow asks a page and gives where it leads to.
func (c *openIDLogin) follow(ctx context.Context, address string) (*url.URL, *answer, *failure) {
	request, err := http.NewRequest(http.MethodGet, address, nil)
	if err != nil {
		return nil, nil, unusable(c.name, err)
	}
	a, f := c.do(ctx, request)
	if f != nil {
		return nil, nil, f
	}
	to, err := request.URL.Parse(a.Header.Get("Location"))
	if err != nil || a.Status < 300 || a.Status > 399 || a.Header.Get("Location") == "" {
		return nil, a, nil
	}
	return to, a, nil
}

// authorize asks for leave to sign in and gives the sign-in page.
func (c *openIDLogin) authorize(ctx context.Context) (*url.URL, *failure) {
	ask := c.config.AuthCodeURL(c.state, oidc.Nonce(c.nonce), oauth2.S256ChallengeOption(c.verifier))
	page, a, f := c.follow(ctx, ask)
	switch {
	case f != nil:
		return nil, f
	case gatewayStatus(a.Status), a.Status == http.StatusTooManyRequests, a.Status == http.StatusNotFound:
		return nil, c.wrong(a, "the sign-in")
	case page == nil, strings.HasPrefix(page.String(), c.config.RedirectURL), !c.own(page.String()):
		saw := fmt.Sprintf("%s answers the question of %s for a sign-in with %s", a.Address, oneLine(c.config.ClientID), a.saw())
		if page != nil && page.Query().Get("error") != "" {
			saw += ": " + c.trip.told(page.Query().Get("error"))
		}
		return nil, c.broke(&failure{Authenticate, ReasonClient, saw, nil}, "Konnect lets no sign-in begin for "+oneLine(c.config.ClientID),
			valuesLocations(c.target.Edge.To, "oidc_issuer_identifier", "FQDN"),
			"Konnect trusts WebApp since both have one scheme, host and port: the issuer must be https:// and FQDN. Meet must be in its registration file. Then look what docker compose logs "+c.to(c.name)+" says.")
	}
	return page, nil
}

// hello is what the sign-in page tells its API about the application
// (konnect identifier/models.go, HelloRequest).
type hello struct {
	State       string `json:"state"`
	Flow        string `json:"flow"`
	Scope       string `json:"scope"`
	Prompt      string `json:"prompt"`
	ClientID    string `json:"client_id"`
	RedirectURI string `json:"redirect_uri"`
}

// logon gives user name and password to the sign-in page's API, consents where
// it must, and gives the address at which the sign-in goes on.
func (c *openIDLogin) logon(ctx context.Context, page *url.URL) (string, *failure) {
	to, query := c.to(c.name), page.Query()
	if f := c.trip.give(to); f != nil {
		return "", f
	}
	a, f := c.post(ctx, page, "logon", map[string]any{
		"state":  c.state,
		"params": []string{c.trip.Username, c.trip.Password.Reveal(), "1"}, // "1": by user name and password
		"hello":  hello{c.state, query.Get("flow"), query.Get("scope"), query.Get("prompt"), query.Get("client_id"), query.Get("redirect_uri")},
	})
	if f != nil {
		if f.Rung != Greet && f.Rung != Ask {
			c.trip.says(to, unjudged) // the password never left
		}
		return "", f
	}
	var says struct {
		Success bool
		Hello   struct {
			Next        string
			ContinueURI string `json:"continue_uri"`
		}
	}
	err := json.Unmarshal(a.Body, &says)
	saw := fmt.Sprintf("%s answers the sign-in of the test user with %s", a.Address, a.saw())
	switch {
	case a.Status == http.StatusNoContent, a.Status == http.StatusOK && err == nil && !says.Success:
		return "", c.refuse(to, saw+", as to a wrong password")
	case a.Status == http.StatusInternalServerError:
		return "", c.unable(to, saw)
	case a.Status != http.StatusOK || err != nil:
		c.trip.says(to, unjudged)
		return "", c.wrong(a, page.Path)
	}
	c.trip.says(to, accepted)
	if says.Hello.Next == "consent" {
		if f := c.consent(ctx, page); f != nil {
			return "", f
		}
	}
	if !c.own(says.Hello.ContinueURI) {
		return "", c.stuck(saw + " and does not say how it goes on")
	}
	query.Del("flow")
	query.Set("prompt", "none")
	return says.Hello.ContinueURI + "?" + query.Encode(), nil
}

func (c *openIDLogin) consent(ctx context.Context, page *url.URL) *failure {
	query := page.Query()
	a, f := c.post(ctx, page, "consent", map[string]any{
		"state": c.state, "allow": true, "scope": query.Get("scope"), "client_id": query.Get("client_id"),
		"redirect_uri": query.Get("redirect_uri"), "ref": query.Get("state"), "flow_nonce": query.Get("nonce"),
	})
	switch {
	case f != nil:
		return f
	case a.Status != http.StatusOK:
		return c.stuck(fmt.Sprintf("%s answers the consent of the test user with %s", a.Address, a.saw()))
	}
	return nil
}

// post sends JSON to the sign-in page's API, which takes it only from its own
// page (konnect identifier/handlers.go, secureHandler).
func (c *openIDLogin) post(ctx context.Context, page *url.URL, what string, value any) (*answer, *failure) {
	body, err := json.Marshal(value)
	if err != nil {
		return nil, &failure{Ask, ReasonInternal, "the request cannot be written", err}
	}
	address := &url.URL{Scheme: page.Scheme, Host: page.Host, Path: strings.TrimSuffix(page.Path, "/") + "/_/" + what}
	request, err := http.NewRequest(http.MethodPost, address.String(), bytes.NewReader(body))
	if err != nil {
		return nil, unusable(c.name, err)
	}
	request.Header.Set("Content-Type", "application/json")
	request.Header.Set("Kopano-Konnect-XSRF", "1")
	request.Header.Set("Origin", page.Scheme+"://"+page.Host)
	request.Header.Set("Referer", page.Scheme+"://"+page.Host+page.Path)
	return c.do(ctx, request)
}

// stuck is a sign-in that does not go on although the password was right.
func (c *openIDLogin) stuck(saw string) *failure {
	to := c.to(c.name)
	return c.broke(&failure{Authenticate, ReasonSignIn, saw, nil}, to+" takes the password, and the sign-in does not go on", c.servicePlaces(),
		fmt.Sprintf("Look what it says: docker compose logs %s. A proxy that drops cookies, or Konnect's encryption key that changes with each start, does this.", to))
}

// code goes on with the sign-in and gives the code that the application gets.
func (c *openIDLogin) code(ctx context.Context, address string) (string, *failure) {
	back, a, f := c.follow(ctx, address)
	switch {
	case f != nil:
		return "", f
	case gatewayStatus(a.Status), a.Status == http.StatusTooManyRequests:
		return "", c.wrong(a, "the sign-in")
	}
	saw := fmt.Sprintf("%s answers the signed-in test user with %s", a.Address, a.saw())
	if back == nil {
		return "", c.stuck(saw)
	}
	query := back.Query()
	code := query.Get("code")
	c.trip.hide(code)
	switch {
	case query.Get("error") != "":
		return "", c.stuck(saw + ": " + c.trip.told(query.Get("error")))
	case !strings.HasPrefix(back.String(), c.config.RedirectURL), code == "", query.Get("state") != c.state:
		return "", c.stuck(saw + " and does not lead back to " + oneLine(c.config.ClientID) + " with a code")
	}
	return code, nil
}

// redeem takes the code for tokens and verifies them.
func (c *openIDLogin) redeem(ctx context.Context, code string) *failure {
	token, err := c.config.Exchange(ctx, code, oauth2.VerifierOption(c.verifier))
	if err != nil {
		if f := c.broken(err); f != nil {
			return f
		}
		var says *oauth2.RetrieveError
		why := "no answer that can be read"
		if errors.As(err, &says) && says.Response != nil {
			why = fmt.Sprintf("HTTP %d %s", says.Response.StatusCode, c.trip.told(says.ErrorCode))
		}
		return c.badToken("the token endpoint answers with " + why)
	}
	c.idToken, _ = token.Extra("id_token").(string)
	c.trip.hide(token.AccessToken, token.RefreshToken, c.idToken)
	verifier := c.provider.VerifierContext(ctx, &oidc.Config{ClientID: c.config.ClientID, Now: c.target.now})
	id, err := verifier.Verify(ctx, c.idToken)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return c.badToken("the token had expired before it came, on " + day(expired.Expiry) + ": the clocks differ")
	case err != nil:
		if f := c.broken(err); f != nil {
			return f
		}
		return c.badToken("the token cannot be verified: " + c.trip.told(strings.TrimPrefix(err.Error(), "oidc: ")))
	case id.Nonce != c.nonce:
		return c.badToken("the token is for another sign-in")
	}
	c.trip.mu.Lock()
	c.trip.token, c.trip.end = token.AccessToken, c.signOut
	c.trip.mu.Unlock()
	return nil
}

func (c *openIDLogin) badToken(saw string) *failure {
	to := c.to(c.name)
	return c.broke(&failure{Authenticate, ReasonToken, saw, nil}, "The token of "+to+" does not hold",
		valuesLocations(c.target.Edge.To, "signing_private_key", "oidc_issuer_identifier", "FQDN"),
		fmt.Sprintf("Look what it says: docker compose logs %s. Its signing key must be the one in its key set, and the clocks must agree.", to))
}

// signOut ends the session. That it cannot be ended is no fault of the sign-in:
// it is kept in a cookie, which nobody has after the run.
func (c *openIDLogin) signOut(ctx context.Context) {
	var document struct {
		End string `json:"end_session_endpoint"`
	}
	if err := c.provider.Claims(&document); err != nil || !c.own(document.End) {
		return
	}
	request, err := http.NewRequest(http.MethodGet, document.End+"?"+url.Values{"id_token_hint": {c.idToken}}.Encode(), nil)
	if err == nil {
		_, _ = c.do(ctx, request)
	}
}
