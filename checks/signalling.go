package checks

import (
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/coder/websocket"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Reasons of the signalling check.
const (
	ReasonNotKwmserver   Reason = "not-kwmserver"   // a web server, and not this one
	ReasonRTMOff         Reason = "rtm-off"         // the API that Meet uses is not served
	ReasonUpgradeDropped Reason = "upgrade-dropped" // a proxy takes the websocket's headers away
	ReasonUpgradeRefused Reason = "upgrade-refused" // something else answers the upgrade
	ReasonRateLimit      Reason = "rate-limit"      // 429: web allows 100 requests a minute
	ReasonGuestOff       Reason = "guest-off"       // a warning, as are the following
	ReasonGuestOn        Reason = "guest-on"
	ReasonTURNOff        Reason = "turn-off"
	ReasonTURNOn         Reason = "turn-on"
	ReasonMCUOff         Reason = "mcu-off"
	ReasonMCUOn          Reason = "mcu-on"
	ReasonMCUExposed     Reason = "mcu-exposed"
)

// SignallingReasons lists what the signalling check tells apart.
func SignallingReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonTLSOnPlain, TLS, "The server speaks TLS where plain HTTP is expected."},
		ReasonDoc{ReasonNotKwmserver, Ask, "A web server answers that is not kwmserver."},
		ReasonDoc{ReasonBadGateway, Ask, "The proxy answers, and does not reach kwmserver."},
		ReasonDoc{ReasonRTMOff, Ask, "kwmserver does not serve the API that Meet calls."},
		ReasonDoc{ReasonUpgradeDropped, Ask, "A proxy takes the upgrade to a websocket out of the request."},
		ReasonDoc{ReasonUpgradeRefused, Ask, "Something answers the upgrade to a websocket that is not kwmserver."},
		ReasonDoc{ReasonRateLimit, Ask, "web allows no more requests from here for a minute."},
		ReasonDoc{ReasonGuestOff, Ask, "Guests are allowed in the settings, and the running kwmserver does not serve them; a warning."},
		ReasonDoc{ReasonGuestOn, Ask, "Guests are not allowed in the settings, and the running kwmserver serves them; a warning."},
		ReasonDoc{ReasonTURNOff, Ask, "A TURN service is set, and the running kwmserver has none; a warning."},
		ReasonDoc{ReasonTURNOn, Ask, "No TURN service is set, and the running kwmserver has one; a note."},
		ReasonDoc{ReasonMCUOff, Ask, "The MCU API is set, and the running kwmserver does not serve it; a warning."},
		ReasonDoc{ReasonMCUOn, Ask, "The MCU API is not set, and the running kwmserver serves it; a warning."},
		ReasonDoc{ReasonMCUExposed, Ask, "The MCU API, which asks nobody for a password, is served to the outside; a warning."},
	)
}

const kwmAPI = "/api/kwm/v2"

// CheckSignalling asks kwmserver what it serves, without signing in: health,
// the RTM API, the upgrade to a websocket, guests, TURN and MCU. It asks the
// server itself where that can be reached, and then once more through web,
// whose part it is to let websockets through.
//
// The upgrade is tried with a random key. kwmserver looks at the key first and
// answers 404 (signaling/rtm/handlers.go), so 404 shows that the request came
// through, not that it came through whole; a 400 that names the version of the
// protocol is what it says to an upgrade whose headers are gone. The MCU API
// is asked without an upgrade: completing one would register a bridge.
func CheckSignalling(ctx context.Context, t Target) Result {
	name := publicName(t)
	if t.Topology.Role(t.Edge.From) == kopano.Meet { // a browser, which knows only web
		if name == "" {
			return newSignalling(t, "", "").fail(&failure{Resolve, ReasonConfig, "web has no FQDN, so nobody knows where browsers find it", nil})
		}
		return throughWeb(t, name).run(ctx)
	}
	direct := newSignalling(t, fmt.Sprintf("http://%s", hostPort(t.Edge.Addr.Host, t.Edge.Addr.Port)), "/health-check")
	if t.Edge.Addr.Scheme == "https" {
		direct.base = fmt.Sprintf("https://%s", hostPort(t.Edge.Addr.Host, t.Edge.Addr.Port))
	}
	result := direct.run(ctx)
	if result.Status == Broken {
		return result
	}
	if name == "" {
		return result
	}
	through := throughWeb(t, name)
	if result.Status == OK {
		return through.second(ctx, result)
	}
	if r := through.run(ctx); r.Rung == Ask {
		return r
	}
	return result
}

func throughWeb(t Target, name string) *signalling {
	c := newSignalling(t, "https://"+name, "/upstreams/kwmserver/health-check")
	c.through, c.web.insecure = true, true // the certificate is another link's matter
	return c
}

// publicName gives the name and port by which clients reach web.
func publicName(t Target) string {
	for _, s := range t.Topology.Services(kopano.Web) {
		if v, ok := s.Get("FQDN"); ok {
			return strings.TrimSpace(v.Reveal())
		}
	}
	return ""
}

type signalling struct {
	*climb
	web     *web
	base    string // scheme, host and port
	health  string // path of the health check
	through bool   // asked through web
}

func newSignalling(t Target, base, health string) *signalling {
	return &signalling{climb: newClimb(t, "signalling"), web: &web{target: t}, base: base, health: health}
}

func (c *signalling) run(ctx context.Context) Result {
	a, f := c.web.get(ctx, c.base+c.health)
	if f != nil {
		return c.unreachable(f)
	}
	c.address = a.Address
	for _, step := range []func() *failure{
		func() *failure { return c.alive(a) },
		func() *failure { return c.rtm(ctx) },
		func() *failure { return c.upgrade(ctx) },
		func() *failure { return c.features(ctx) },
	} {
		if f := step(); f != nil {
			return c.fail(f)
		}
	}
	how := ""
	if c.through {
		how = " through web"
	}
	return c.ok(Ask, "kwmserver is healthy%s, its RTM API asks for a sign-in, and an upgrade to a websocket reaches it", how)
}

// second looks at the way through web after the server itself was found well.
// A web that cannot be reached is the matter of its own link.
func (c *signalling) second(ctx context.Context, direct Result) Result {
	c.found, c.address = direct.Findings, direct.Address
	f := c.upgrade(ctx)
	if f == nil {
		f = c.exposed(ctx)
	}
	switch {
	case f == nil:
		return c.ok(Ask, "%s; also through web", direct.Message)
	case f.Rung == Ask:
		return c.fail(f)
	}
	return direct
}

func (c *signalling) unreachable(f *failure) Result {
	if f.status() == Unchecked {
		return c.fail(f)
	}
	e := c.target.Edge
	out := c.network(f, c.host(), c.port())
	if f.Reason == ReasonRefused {
		out.Remedy = fmt.Sprintf("Look what the log of %s says (docker compose logs %s). It opens its port only after it has fetched the discovery document of its issuer, which may take six minutes: look at that link first.", c.to(c.host()), c.to(c.host()))
	}
	if f.Reason == ReasonTLSOnPlain {
		out = c.finding(f.Reason, e.Locations(), "TLS answers where kwmserver speaks plain HTTP", f.Message, "Correct host and port in "+c.settingName()+".")
	}
	return c.fail(f, out)
}

// alive judges the health check.
func (c *signalling) alive(a *answer) *failure {
	saw := fmt.Sprintf("%s answers %s with %s", a.Address, c.health, a.saw())
	switch {
	case a.Status == http.StatusOK && len(bytes.TrimSpace(a.Body)) == 0:
		return nil
	case gatewayStatus(a.Status):
		return c.down(saw)
	case a.Status == http.StatusTooManyRequests:
		return c.limited(saw)
	}
	f := &failure{Ask, ReasonNotKwmserver, saw + "; kwmserver answers 200 and an empty page", nil}
	return c.broke(f, "Another web server answers where kwmserver should", c.target.Edge.Locations(),
		fmt.Sprintf("Correct host and port in %s: kopano_kwmserver listens on 8778.", c.settingName()))
}

func gatewayStatus(status int) bool {
	return status == http.StatusBadGateway || status == http.StatusServiceUnavailable || status == http.StatusGatewayTimeout
}

func (c *signalling) down(saw string) *failure {
	places := c.target.Edge.Locations()
	if to := c.target.Edge.To; to != nil {
		places = append([]finding.Location{to.At.As(finding.Fix)}, related(places)...)
	}
	return c.broke(&failure{Ask, ReasonBadGateway, saw, nil}, "web does not reach kwmserver", places,
		"Look whether kopano_kwmserver runs and what its log says (docker compose logs kopano_kwmserver).")
}

func (c *signalling) limited(saw string) *failure {
	return c.broke(&failure{Ask, ReasonRateLimit, saw, nil}, "web takes no more requests from here", c.target.Edge.Locations(),
		"Wait a minute and run the check again. If this goes on, too many clients share one address: web allows 100 requests a minute for each.")
}

// rtm asks the API that Meet calls: without a sign-in it says 403 "auth
// failed" (signaling/rtm/http.go, MakeHTTPConnectHandler).
func (c *signalling) rtm(ctx context.Context) *failure {
	path := kwmAPI + "/rtm/connect"
	a, f := c.web.get(ctx, c.base+path)
	if f != nil {
		return c.stopped(f, path)
	}
	saw := fmt.Sprintf("%s answers %s with %s", a.Address, path, a.saw())
	switch {
	case a.Status == http.StatusForbidden && strings.Contains(string(a.Body), "auth failed"):
		return nil
	case a.Status == http.StatusNotFound:
		return c.broke(&failure{Ask, ReasonRTMOff, saw, nil}, "kwmserver does not serve the API that Meet calls", c.servicePlaces(),
			"Start kopano_kwmserver with its RTM API, which is on by default (remove --enable-rtm-api=false), and let web send "+kwmAPI+" to it.")
	case gatewayStatus(a.Status):
		return c.down(saw)
	case a.Status == http.StatusTooManyRequests:
		return c.limited(saw)
	}
	f = &failure{Ask, ReasonNotKwmserver, saw + "; kwmserver answers 403", nil}
	return c.broke(f, "Another web server answers where kwmserver should", c.target.Edge.Locations(), "Correct host and port in "+c.settingName()+".")
}

// upgrade tries to open a websocket with a key that nobody has.
func (c *signalling) upgrade(ctx context.Context) *failure {
	path := kwmAPI + "/rtm/websocket/" + randomKey()
	shown := kwmAPI + "/rtm/websocket/…"
	response, f := c.handshake(ctx, c.base+path)
	if f != nil {
		return c.stopped(f, shown)
	}
	saw := fmt.Sprintf("%s answers the upgrade on %s with HTTP %d", c.lastAddress(), shown, response.StatusCode)
	switch {
	case response.StatusCode == http.StatusNotFound && !isHTMLAnswer(response):
		return nil
	case response.StatusCode == http.StatusBadRequest && response.Header.Get("Sec-Websocket-Version") != "",
		response.StatusCode == http.StatusUpgradeRequired:
		return c.broke(&failure{Ask, ReasonUpgradeDropped, saw + ": the headers Upgrade and Connection did not arrive", nil},
			"A proxy keeps websockets from kwmserver", c.proxyPlaces(),
			"Let the proxy in front of kwmserver pass websockets for "+kwmAPI+": nginx needs proxy_http_version 1.1 and proxy_set_header Upgrade $http_upgrade; proxy_set_header Connection \"upgrade\"; Apache needs mod_proxy_wstunnel.")
	case gatewayStatus(response.StatusCode):
		return c.down(saw)
	case response.StatusCode == http.StatusTooManyRequests:
		return c.limited(saw)
	}
	return c.broke(&failure{Ask, ReasonUpgradeRefused, saw + "; kwmserver answers 404 to a key that it does not know", nil},
		"Something else answers websockets in the place of kwmserver", c.proxyPlaces(),
		"Let the proxy in front of kwmserver send "+kwmAPI+"/rtm/websocket/ on to it, upgrade included.")
}

// handshake sends a real upgrade and gives the answer to it. A server that
// accepts it is left at once.
func (c *signalling) handshake(ctx context.Context, address string) (*http.Response, *failure) {
	client := &http.Client{Transport: c.web, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	options := &websocket.DialOptions{HTTPClient: client, HTTPHeader: http.Header{"User-Agent": {userAgent}}}
	conn, response, err := websocket.Dial(ctx, address, options)
	if conn != nil {
		_ = conn.CloseNow()
	}
	if response == nil {
		return nil, c.web.failure(ctx, err)
	}
	return response, nil
}

// isHTMLAnswer: kwmserver's own 404 is plain text; a page is somebody else's.
func isHTMLAnswer(r *http.Response) bool {
	return strings.HasPrefix(strings.ToLower(strings.TrimSpace(r.Header.Get("Content-Type"))), "text/html")
}

func randomKey() string {
	key := make([]byte, 12)
	_, _ = rand.Read(key) // never fails
	return "doctor" + hex.EncodeToString(key)
}

// stopped is a connection that failed after the first answer.
func (c *signalling) stopped(f *failure, path string) *failure {
	if f.status() == Unchecked {
		return f
	}
	f = &failure{f.Rung, f.Reason, f.Message + " to " + path, f.Err}
	c.found = append(c.found, c.network(f, c.host(), c.port()))
	return f
}

func (c *signalling) host() string {
	u, err := url.Parse(c.base)
	if err != nil {
		return c.target.Edge.Addr.Host
	}
	return u.Hostname()
}

func (c *signalling) port() int {
	u, err := url.Parse(c.base)
	if err != nil {
		return c.target.Edge.Addr.Port
	}
	_, port := hostPortOf(u)
	return port
}

func (c *signalling) lastAddress() string {
	if c.web.last != nil {
		return c.web.last.address
	}
	return c.base
}

func (c *signalling) service() *deployment.Service {
	if c.target.Edge.To != nil && c.target.Topology.Role(c.target.Edge.To) == kopano.Kwmserver {
		return c.target.Edge.To
	}
	for _, s := range c.target.Topology.Services(kopano.Kwmserver) {
		return s
	}
	return nil
}

func (c *signalling) servicePlaces() []finding.Location {
	if s := c.service(); s != nil {
		return []finding.Location{s.Locate("command").As(finding.Fix)}
	}
	return c.target.Edge.Locations()
}

// proxyPlaces: what stands in front of kwmserver, where it is a part of the deployment.
func (c *signalling) proxyPlaces() []finding.Location {
	for _, s := range c.target.Topology.Services(kopano.Web) {
		return append([]finding.Location{s.At.As(finding.Fix)}, related(c.target.Edge.Locations())...)
	}
	return c.target.Edge.Locations()
}
