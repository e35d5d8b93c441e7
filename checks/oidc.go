package checks

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Reasons of the OpenID check.
const (
	ReasonSelfSigned     Reason = "self-signed"      // a certificate that signed itself, for a client that verifies
	ReasonRedirected     Reason = "redirected"       // to a login page, or to another address
	ReasonNotFound       Reason = "not-found"        // 404: no discovery document here
	ReasonBadGateway     Reason = "bad-gateway"      // the proxy answers, Konnect does not
	ReasonHTTPStatus     Reason = "http-status"      // any other answer than 200
	ReasonContentType    Reason = "content-type"     // a web page instead of JSON
	ReasonNotJSON        Reason = "not-json"         // unreadable, or not an object
	ReasonTooLarge       Reason = "too-large"        // more than 1 MB
	ReasonIssuer         Reason = "issuer-differs"   // the document names another issuer
	ReasonEndpoint       Reason = "endpoint"         // an endpoint is missing, or on another host
	ReasonAlgorithm      Reason = "algorithm"        // no algorithm that Kopano's programs take
	ReasonKeysUnreadable Reason = "keys-unreachable" // jwks_uri does not answer with a key set
	ReasonNoKeys         Reason = "no-keys"          // the key set is empty
	ReasonWeakKey        Reason = "weak-key"         // RSA below 2048 bits
	ReasonUnusableKey    Reason = "unusable-key"     // no key for signatures
	ReasonOtherKey       Reason = "key-differs"      // a warning: Konnect signs with another key than the file's
	ReasonClock          Reason = "clock-skew"       // a warning: the clocks differ by more than a minute
)

// OIDCReasons lists what the OpenID check tells apart.
func OIDCReasons() []ReasonDoc {
	out := append(networkReasons(), tlsReasons()...)
	return append(out,
		ReasonDoc{ReasonTLSOnPlain, TLS, "The server speaks TLS where plain HTTP is expected."},
		ReasonDoc{ReasonSelfSigned, TLS, "The certificate signed itself, and the client verifies certificates."},
		ReasonDoc{ReasonRedirected, Ask, "The answer is a redirect, to a login page or another address, which Kopano's programs do not follow."},
		ReasonDoc{ReasonNotFound, Ask, "There is no discovery document at this address."},
		ReasonDoc{ReasonBadGateway, Ask, "The proxy answers, and does not reach Konnect."},
		ReasonDoc{ReasonHTTPStatus, Ask, "The answer is neither a document nor one of the errors named here."},
		ReasonDoc{ReasonContentType, Ask, "A web page answers, not an OpenID provider."},
		ReasonDoc{ReasonNotJSON, Ask, "The discovery document cannot be read."},
		ReasonDoc{ReasonTooLarge, Ask, "The answer has more than 1 MB."},
		ReasonDoc{ReasonIssuer, Ask, "The provider calls itself by another name than the client expects."},
		ReasonDoc{ReasonEndpoint, Ask, "An endpoint is missing, or is on another host than the issuer."},
		ReasonDoc{ReasonAlgorithm, Ask, "The provider signs with no algorithm that Kopano's programs accept."},
		ReasonDoc{ReasonKeysUnreadable, Ask, "The key set cannot be fetched or read."},
		ReasonDoc{ReasonNoKeys, Ask, "The key set is empty."},
		ReasonDoc{ReasonWeakKey, Ask, "A signing key is too short to be safe."},
		ReasonDoc{ReasonUnusableKey, Ask, "The key set has no key that is meant for signatures and has a name."},
		ReasonDoc{ReasonOtherKey, Ask, "Konnect signs with another key than its key file holds; a warning."},
		ReasonDoc{ReasonClock, Ask, "The server's clock and this machine's differ by more than a minute; a warning."},
	)
}

const discoveryPath = "/.well-known/openid-configuration"

// CheckIssuer asks for the discovery document at the issuer that a service is
// told, as that service does when it starts: the document, whether it names
// the same issuer byte for byte, endpoints on the issuer's host, and a key set
// that can be used. It signs nobody in.
func CheckIssuer(ctx context.Context, t Target) Result {
	c := newOIDCClimb(t)
	c.issuer = strings.TrimSpace(addressText(t.Edge))
	base, err := url.Parse(c.issuer)
	if err != nil || base.Host == "" || base.Scheme != "https" && base.Scheme != "http" {
		return c.fail(&failure{Resolve, ReasonConfig, "the issuer is not a URL that can be asked; a rule says why", err})
	}
	c.base = base
	c.web.insecure = insecureClient(t.Edge.From) || browserTakesSelfSigned(t)
	return c.run(ctx, strings.TrimSuffix(c.issuer, "/")+discoveryPath)
}

// CheckKonnect asks Konnect itself, past the proxy, where that can be reached
// from here; otherwise through web, which is the link in question too.
func CheckKonnect(ctx context.Context, t Target) Result {
	c := newOIDCClimb(t)
	c.issuer = konnectIssuer(t.Edge.To)
	c.base, _ = url.Parse(c.issuer)
	if c.base == nil || c.base.Host == "" {
		return c.fail(&failure{Resolve, ReasonConfig, "Konnect's issuer cannot be told from its settings", nil})
	}
	direct := fmt.Sprintf("http://%s%s%s", hostPort(t.Edge.Addr.Host, t.Edge.Addr.Port), basePath(t.Edge.To), discoveryPath)
	c.direct = true
	result := c.run(ctx, direct)
	if result.Reason != ReasonNoRoute {
		return result
	}
	through := newOIDCClimb(t)
	through.issuer, through.base, through.through = c.issuer, c.base, true
	through.web.insecure = true // the certificate is another link's matter
	if r := through.run(ctx, strings.TrimSuffix(c.issuer, "/")+discoveryPath); r.Rung == Ask {
		return r
	}
	return result
}

type oidcClimb struct {
	*climb
	web     *web
	issuer  string   // as the client expects it
	base    *url.URL // the same, parsed
	direct  bool     // Konnect itself is asked
	through bool     // Konnect is asked through web
}

func newOIDCClimb(t Target) *oidcClimb {
	return &oidcClimb{climb: newClimb(t, "oidc"), web: &web{target: t}}
}

// run climbs the ladder from the address of the document.
func (c *oidcClimb) run(ctx context.Context, address string) Result {
	a, f := c.web.get(ctx, address)
	if f != nil {
		return c.unreachable(f, address)
	}
	c.address = a.Address
	if f := c.readable(a, address); f != nil {
		return c.fail(f)
	}
	document, f := c.discover(ctx, a)
	if f != nil {
		return c.fail(f)
	}
	c.clock(a)
	if f := c.endpoints(document); f != nil {
		return c.fail(f)
	}
	if f := c.keys(ctx, document); f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "issuer %s answers with its own name, its endpoints and its keys%s", c.issuer, c.trusted(a))
}

// trusted says how the certificate was taken.
func (c *oidcClimb) trusted(a *answer) string {
	if a.State != nil && c.web.insecure && !c.through {
		return "; its certificate was not verified, as INSECURE says"
	}
	return ""
}

// unreachable is a provider that does not answer over HTTP at all.
func (c *oidcClimb) unreachable(f *failure, address string) Result {
	if f.status() == Unchecked {
		return c.fail(f)
	}
	u, _ := url.Parse(address)
	host, port := hostPortOf(u)
	out := c.network(f, host, port)
	switch {
	case f.Reason == ReasonPlainOnTLS:
		out.Title = fmt.Sprintf("%s answers in plain HTTP where HTTPS is expected", hostPort(host, port))
		out.Remedy = "Let web serve TLS: set EMAIL to a mail address, or to self_signed together with INSECURE=yes. If another proxy serves TLS in front of web, remove FQDNCLEANED, so that the name leads to that proxy."
		out.Locations = uniqueLocations(append(c.webPlaces("EMAIL", "TLS_MODE"), related(out.Locations)...))
	case f.Reason == ReasonTLSUnknown && strings.Contains(f.Message, selfSignedMark):
		f = &failure{f.Rung, ReasonSelfSigned, f.Message, f.Err}
		out = c.finding(f.Reason, c.insecurePlaces(), "The issuer's certificate signed itself, and "+c.from()+" does not accept that",
			f.Message, c.selfSignedRemedy())
	case f.Reason == ReasonTLSRefused:
		out.Remedy = fmt.Sprintf("web has no certificate for %s: FQDN must be that name, without https:// and path. Then look what its log says (docker compose logs web).", host)
		out.Locations = uniqueLocations(append(c.webPlaces("FQDN"), related(out.Locations)...))
	}
	return c.fail(f, out)
}

// selfSignedMark is how certificateReason words a certificate that signed itself.
const selfSignedMark = "(it signed itself)"

func (c *oidcClimb) selfSignedRemedy() string {
	return fmt.Sprintf("Set EMAIL to a mail address, so that web gets a certificate from Let's Encrypt; or, for a test, INSECURE=yes, so that %s takes any certificate.", c.from())
}

// readable judges status and type of the answer.
func (c *oidcClimb) readable(a *answer, address string) *failure {
	kind, _, err := mime.ParseMediaType(a.Header.Get("Content-Type"))
	if err != nil {
		kind = strings.ToLower(strings.TrimSpace(strings.Split(a.Header.Get("Content-Type"), ";")[0]))
	}
	saw := fmt.Sprintf("%s answers the question for %s with %s", a.Address, address, a.saw())
	switch {
	case a.Status >= 300 && a.Status < 400:
		return c.redirected(a, saw)
	case a.Status == http.StatusNotFound:
		return c.notFound(saw)
	case a.Status == http.StatusBadGateway, a.Status == http.StatusServiceUnavailable, a.Status == http.StatusGatewayTimeout:
		return c.broke(&failure{Ask, ReasonBadGateway, saw, nil}, "The proxy does not reach Konnect", c.konnectPlaces(),
			"Look whether kopano_konnect runs and what its log says (docker compose logs kopano_konnect).")
	case a.Status != http.StatusOK:
		return c.broke(&failure{Ask, ReasonHTTPStatus, saw, nil}, "The issuer does not give its discovery document", c.konnectPlaces(),
			"Look what the logs of web and kopano_konnect say.")
	case a.Truncated:
		return c.broke(&failure{Ask, ReasonTooLarge, saw + ", more than 1 MB of it", nil}, "The issuer's answer is no discovery document", c.issuerPlaces(),
			"Correct the issuer: another server answers at this address.")
	case !strings.HasSuffix(kind, "json"):
		return c.broke(&failure{Ask, ReasonContentType, saw + "; a discovery document is application/json", nil},
			"A web page answers where the OpenID provider should", c.issuerPlaces(),
			fmt.Sprintf("Look who answers at %s: the name must lead to web, and web to kopano_konnect. A hosting provider's page, a router or another proxy often stands there.", c.base.Host))
	}
	return nil
}

func (c *oidcClimb) redirected(a *answer, saw string) *failure {
	where := oneLine(a.Header.Get("Location"))
	f := &failure{Ask, ReasonRedirected, saw + ", which sends on to " + where, nil}
	remedy := fmt.Sprintf("Let %s answer %s itself: Kopano's programs do not follow redirects here.", c.base.Host, discoveryPath)
	if u, err := url.Parse(where); err == nil && looksLikeLogin(u) {
		remedy = fmt.Sprintf("Take %s out of the sign-in that the proxy in front asks for: programs fetch it without a browser.", discoveryPath)
	} else if err == nil && u.Host != "" && u.Host != c.base.Host {
		remedy = fmt.Sprintf("Use one name everywhere: set FQDN to %s, or stop the redirect from %s.", oneLine(u.Host), c.base.Host)
	}
	return c.broke(f, "The issuer's discovery document is a redirect", c.issuerPlaces(), remedy)
}

func looksLikeLogin(u *url.URL) bool {
	text := strings.ToLower(u.Host + u.Path)
	for _, word := range []string{"login", "logon", "signin", "sign-in", "sign_in", "auth", "sso"} {
		if strings.Contains(text, word) {
			return true
		}
	}
	return false
}

func (c *oidcClimb) notFound(saw string) *failure {
	f := &failure{Ask, ReasonNotFound, saw, nil}
	remedy := fmt.Sprintf("Look who answers at %s: the name must lead to web, and web to kopano_konnect.", c.base.Host)
	if path := basePath(c.konnect()); path != "" {
		remedy = fmt.Sprintf("kopano_konnect is told to live below %s: either remove uri_base_path, or let the issuer end in that path, everywhere.", path)
	}
	return c.broke(f, "There is no discovery document at the issuer", c.issuerPlaces(), remedy)
}

// discover has a real OpenID client library judge the document, the same
// that a client would use, on the bytes that were fetched.
func (c *oidcClimb) discover(ctx context.Context, a *answer) (*document, *failure) {
	ctx = oidc.ClientContext(ctx, &http.Client{Transport: replay{a}})
	// With this context the library takes any issuer; that one is compared below, byte for byte.
	provider, err := oidc.NewProvider(oidc.InsecureIssuerURLContext(ctx, c.issuer), c.issuer)
	d := &document{}
	if err == nil {
		err = provider.Claims(d)
	}
	if err != nil {
		return nil, c.broke(&failure{Ask, ReasonNotJSON, fmt.Sprintf("%s answers with something that is no discovery document: %s", a.Address, start(a.Body)), err},
			"The issuer's discovery document cannot be read", c.issuerPlaces(), "Look what the logs of web and kopano_konnect say.")
	}
	if d.Issuer != c.issuer {
		return nil, c.otherIssuer(d)
	}
	return d, nil
}

// otherIssuer: tokens carry the provider's own name, and every client refuses
// a token whose issuer is not the one that it was told (OpenID Connect Core, 3.1.3.7).
func (c *oidcClimb) otherIssuer(d *document) *failure {
	f := &failure{Ask, ReasonIssuer, fmt.Sprintf("the provider calls itself %s, expected is %s", quoted(d.Issuer), quoted(c.issuer)), nil}
	remedy := fmt.Sprintf("Write %s here and in every other place that names the issuer, or correct FQDN (oidc_issuer_identifier) of kopano_konnect; then recreate the containers (docker compose up -d).", quoted(d.Issuer))
	if strings.TrimSuffix(d.Issuer, "/") == strings.TrimSuffix(c.issuer, "/") {
		remedy = "The two differ only by the slash at the end; write both the same way. " + remedy
	}
	return c.broke(f, "The provider has another name than "+c.from()+" expects", c.issuerPlaces(), remedy)
}

// maxSkew is how far clocks may differ: tokens are valid from the second they
// are made.
const maxSkew = time.Minute

// clock compares the server's Date with ours.
func (c *oidcClimb) clock(a *answer) {
	c.compareClock(a, "Tokens are refused as not yet valid or expired, so that people cannot sign in.")
}

func (c *climb) compareClock(a *answer, consequence string) {
	at, err := http.ParseTime(a.Header.Get("Date"))
	if err != nil {
		return
	}
	skew := c.target.now().Sub(at)
	if skew.Abs() <= maxSkew {
		return
	}
	how := "behind"
	if skew < 0 {
		how = "ahead of"
	}
	f := c.finding(ReasonClock, nil, "The clocks of this machine and of "+c.to("the server")+" differ",
		fmt.Sprintf("the clock of %s is %s %s this machine's", a.Address, skew.Abs().Round(time.Second), how),
		"Let both machines take their time from the network (chrony, ntpd or systemd-timesyncd).")
	f.Consequence = consequence
	c.warn(finding.Warning, f)
}

// replay gives the answer that was already fetched to the library.
type replay struct{ a *answer }

// RoundTrip gives the answer whatever is asked.
func (r replay) RoundTrip(request *http.Request) (*http.Response, error) {
	return &http.Response{
		StatusCode: r.a.Status, Status: http.StatusText(r.a.Status), Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: r.a.Header.Clone(), Body: io.NopCloser(bytes.NewReader(r.a.Body)), Request: request,
	}, nil
}

func (c *oidcClimb) konnect() *deployment.Service {
	for _, s := range c.target.Topology.Services(kopano.Konnect) {
		return s
	}
	return nil
}

// issuerPlaces are the places of the issuer at the client, and of Konnect's own.
func (c *oidcClimb) issuerPlaces() []finding.Location {
	own := valuesLocations(c.konnect(), "oidc_issuer_identifier", "FQDN")
	if c.direct || c.through {
		return own
	}
	return append(c.target.Edge.Locations(), related(own)...)
}

// konnectPlaces are those of Konnect, the client's only beside it.
func (c *oidcClimb) konnectPlaces() []finding.Location {
	k := c.konnect()
	if k == nil {
		return c.target.Edge.Locations()
	}
	return append([]finding.Location{k.At.As(finding.Fix)}, related(c.target.Edge.Locations())...)
}

func (c *oidcClimb) webPlaces(keys ...string) []finding.Location {
	for _, s := range c.target.Topology.Services(kopano.Web) {
		return valuesLocations(s, keys...)
	}
	return nil
}

// insecurePlaces: how web gets its certificate, and whether the client minds.
func (c *oidcClimb) insecurePlaces() []finding.Location {
	places := c.webPlaces("EMAIL", "TLS_MODE")
	if s := c.target.Edge.From; s != nil {
		for _, key := range insecureSettings {
			if v, ok := s.Get(key); ok {
				places = append(places, related(v.Locations())...)
			}
		}
	}
	if len(places) == 0 {
		return c.target.Edge.Locations()
	}
	return places
}
