package checks

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/go-jose/go-jose/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// document is what matters of a discovery document (OpenID Connect Discovery
// 1.0, section 3; Konnect: oidc/provider/provider.go).
type document struct {
	Issuer        string   `json:"issuer"`
	Authorization string   `json:"authorization_endpoint"`
	Token         string   `json:"token_endpoint"`
	UserInfo      string   `json:"userinfo_endpoint"`
	EndSession    string   `json:"end_session_endpoint"`
	CheckSession  string   `json:"check_session_iframe"`
	Keys          string   `json:"jwks_uri"`
	Algorithms    []string `json:"id_token_signing_alg_values_supported"`
}

// usableAlgorithms are those that libkcoidc, kapi and the web apps verify.
var usableAlgorithms = []string{"PS256", "PS384", "PS512", "RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"}

// endpoints judges where the document sends its clients, and how it signs.
func (c *oidcClimb) endpoints(d *document) *failure {
	required := []struct{ name, address string }{
		{"authorization_endpoint", d.Authorization}, {"token_endpoint", d.Token}, {"userinfo_endpoint", d.UserInfo}, {"jwks_uri", d.Keys},
	}
	optional := []struct{ name, address string }{{"end_session_endpoint", d.EndSession}, {"check_session_iframe", d.CheckSession}}
	for _, e := range required {
		if e.address == "" {
			f := &failure{Ask, ReasonEndpoint, "the discovery document names no " + e.name, nil}
			return c.broke(f, "The provider names no "+e.name, c.konnectPlaces(), "Look who answers at the issuer: Konnect names all its endpoints.")
		}
	}
	for _, e := range append(required, optional...) {
		if e.address != "" && !c.sameOrigin(e.address) {
			f := &failure{Ask, ReasonEndpoint, fmt.Sprintf("%s is %s, which is not at %s", e.name, quoted(e.address), c.base.Scheme+"://"+c.base.Host), nil}
			return c.broke(f, "An endpoint of the provider is on another host", c.issuerPlaces(),
				"Let kopano_konnect and every client use the same issuer (FQDN), scheme and port included.")
		}
	}
	for _, name := range d.Algorithms {
		if slices.Contains(usableAlgorithms, name) {
			return nil
		}
	}
	f := &failure{Ask, ReasonAlgorithm, "the provider signs with " + oneLine(strings.Join(d.Algorithms, ", ")), nil}
	if len(d.Algorithms) == 0 {
		f.Message = "the provider names no algorithm for its signatures"
	}
	return c.broke(f, "No client takes the provider's signatures", valuesLocations(c.konnect(), "signing_method"),
		"Set signing_method of kopano_konnect to PS256, or remove it.")
}

// sameOrigin reports whether scheme, host and port are the issuer's.
func (c *oidcClimb) sameOrigin(address string) bool {
	u, err := url.Parse(address)
	if err != nil || u.Scheme != c.base.Scheme {
		return false
	}
	host, port := hostPortOf(u)
	wantHost, wantPort := hostPortOf(c.base)
	return strings.EqualFold(host, wantHost) && port == wantPort
}

// keys fetches and judges the key set. Asked directly, Konnect is asked for
// its keys directly too: the document names the way through the proxy.
func (c *oidcClimb) keys(ctx context.Context, d *document) *failure {
	address := d.Keys
	if c.direct {
		u, _ := url.Parse(d.Keys) // sameOrigin parsed it
		u.Scheme, u.Host = "http", hostPort(c.target.Edge.Addr.Host, c.target.Edge.Addr.Port)
		address = u.String()
	}
	a, f := c.web.get(ctx, address)
	if f != nil {
		return c.noKeys(f, "the key set "+address+" cannot be fetched: "+f.Message)
	}
	if a.Status != http.StatusOK || a.Truncated {
		return c.noKeys(&failure{Rung: Ask}, fmt.Sprintf("the key set %s is answered with %s", address, a.saw()))
	}
	var set jose.JSONWebKeySet
	if err := json.Unmarshal(a.Body, &set); err != nil {
		return c.noKeys(&failure{Rung: Ask, Err: err}, fmt.Sprintf("the key set %s cannot be read: %s", address, start(a.Body)))
	}
	return c.usable(set)
}

func (c *oidcClimb) noKeys(f *failure, message string) *failure {
	if f.status() == Unchecked && f.Reason != ReasonNone {
		return f
	}
	return c.broke(&failure{Ask, ReasonKeysUnreadable, message, f.Err}, "The provider's keys cannot be fetched", c.konnectPlaces(),
		"Look what the logs of web and kopano_konnect say.")
}

// usable judges the keys: at least one must be for signatures and have a
// name, and none may be weak (RFC 7518, 3.3 and 3.5: RSA keys of 2048 bits or more).
func (c *oidcClimb) usable(set jose.JSONWebKeySet) *failure {
	file := valuesLocations(c.konnect(), "signing_private_key")
	if len(set.Keys) == 0 {
		return c.broke(&failure{Ask, ReasonNoKeys, "the provider's key set is empty", nil}, "The provider has no key to sign with", file,
			"Look whether the file that signing_private_key names holds a key, and what the log of kopano_konnect says.")
	}
	good := 0
	for _, key := range set.Keys {
		if bits, weak := weakKey(key.Key); weak {
			return c.broke(&failure{Ask, ReasonWeakKey, fmt.Sprintf("the signing key %s has %d bits, needed are 2048", quoted(key.KeyID), bits), nil},
				"The provider's signing key is too short", file,
				"Make a new key (openssl genpkey -algorithm RSA -pkeyopt rsa_keygen_bits:4096), write it to the file that signing_private_key names, and restart kopano_konnect.")
		}
		if key.Valid() && key.IsPublic() && key.KeyID != "" && (key.Use == "sig" || key.Use == "") {
			good++
		}
	}
	if good == 0 {
		return c.broke(&failure{Ask, ReasonUnusableKey, fmt.Sprintf("none of the provider's %d keys is a public key for signatures with a name", len(set.Keys)), nil},
			"The provider has no key that clients can use", file, "Look what the log of kopano_konnect says about its keys.")
	}
	c.compareKeyFile(set)
	return nil
}

// weakKey gives the size of a key and whether it is below what is safe.
func weakKey(key any) (bits int, weak bool) {
	switch k := key.(type) {
	case *rsa.PublicKey:
		return k.N.BitLen(), k.N.BitLen() < 2048
	case *ecdsa.PublicKey:
		return k.Params().BitSize, k.Params().BitSize < 256
	}
	return 0, false
}

// compareKeyFile finds a Konnect that still signs with the key it read at its
// start, where the file can be read from here.
func (c *oidcClimb) compareKeyFile(set jose.JSONWebKeySet) {
	k := c.konnect()
	if k == nil || c.target.Files == nil {
		return
	}
	v, ok := k.Get("signing_private_key")
	if !ok {
		return
	}
	data, err := c.target.Files.ReadFile(k, v.Reveal(), maxKeyFile)
	if err != nil {
		return
	}
	private, err := privateKey(data)
	if err != nil {
		return // the check of kopano_ssl's files says so
	}
	for _, key := range set.Keys {
		if sameKey(key.Key, private.Public()) {
			return
		}
	}
	f := c.finding(ReasonOtherKey, v.Locations(), "Konnect signs with another key than its key file holds",
		"none of the keys that Konnect publishes is the one in "+v.Reveal(), "Restart kopano_konnect, so that it reads the file again.")
	f.Consequence = "After the next restart of kopano_konnect every session ends, and programs that remember the old key refuse to sign people in."
	c.warn(finding.Warning, f)
}

func sameKey(a any, b crypto.PublicKey) bool {
	switch k := a.(type) {
	case *rsa.PublicKey:
		return k.Equal(b)
	case *ecdsa.PublicKey:
		return k.Equal(b)
	case ed25519.PublicKey:
		return k.Equal(b)
	}
	return false
}

// konnectIssuer gives what Konnect calls itself: oidc_issuer_identifier, else
// https:// and FQDN (konnect/wrapper.sh of kopano-docker).
func konnectIssuer(s *deployment.Service) string {
	if s == nil {
		return ""
	}
	if v, ok := s.Get("oidc_issuer_identifier"); ok && v.Reveal() != "" {
		return v.Reveal()
	}
	if v, ok := s.Get("FQDN"); ok && v.Reveal() != "" {
		return "https://" + v.Reveal()
	}
	return ""
}

// basePath gives Konnect's uri_base_path without a slash at its end.
func basePath(s *deployment.Service) string {
	if s == nil {
		return ""
	}
	v, ok := s.Get("uri_base_path")
	if !ok || v.Reveal() == "" || v.Reveal() == "/" {
		return ""
	}
	return "/" + strings.Trim(v.Reveal(), "/")
}

// insecureSettings are those by which a service takes any certificate.
var insecureSettings = []string{"KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY", "KCCONF_KAPID_INSECURE", "INSECURE", "insecure"}

// insecureClient reports whether a service takes any certificate. kopano_server
// takes every value but no, false and 0 for yes, the empty one too
// (common/include/kopano/stringutil.h); the others only the word yes.
func insecureClient(s *deployment.Service) bool {
	if s == nil {
		return false
	}
	if v, ok := s.Get(insecureSettings[0]); ok {
		switch strings.ToLower(strings.TrimSpace(v.Reveal())) {
		case "no", "false", "0":
			return false
		}
		return true
	}
	for _, key := range insecureSettings[1:] {
		if v, ok := s.Get(key); ok && v.Reveal() == "yes" {
			return true
		}
	}
	return false
}

// browserTakesSelfSigned: webapp itself does not call the issuer, its users'
// browsers do, and those let a person go on where web's certificate signs
// itself on purpose.
func browserTakesSelfSigned(t Target) bool {
	if t.Topology.Role(t.Edge.From) != kopano.Webapp {
		return false
	}
	for _, s := range t.Topology.Services(kopano.Web) {
		return certificateMode(s) == modeSelfSigned
	}
	return false
}

// addressText gives the address of a link exactly as it is written.
func addressText(e *kopano.Edge) string {
	if len(e.Addr.Values) > 0 {
		return e.Addr.Values[0].Reveal()
	}
	return e.Addr.Text
}

func hostPort(host string, port int) string { return net.JoinHostPort(host, strconv.Itoa(port)) }

// quoted writes a server's or file's words in quotes, fit to print.
func quoted(s string) string { return strconv.Quote(oneLine(s)) }

// start gives the first words of a body.
func start(body []byte) string {
	text := oneLine(string(body[:min(len(body), 80)]))
	if text == "" {
		return "it is empty"
	}
	return strconv.Quote(text)
}
