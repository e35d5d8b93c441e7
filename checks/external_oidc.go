package checks

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strings"
)

// ExternalOIDCReasons lists what the check of another provider tells apart.
func ExternalOIDCReasons() []ReasonDoc {
	return append(append(networkReasons(), tlsReasons()...),
		ReasonDoc{ReasonTLSOnPlain, TLS, "TLS answers where plain HTTP is expected."},
		ReasonDoc{ReasonNotFound, Ask, "There is no discovery document at the address."},
		ReasonDoc{ReasonNotJSON, Ask, "The answer is no discovery document."},
		ReasonDoc{ReasonIssuer, Ask, "The provider calls itself by another name than Konnect is told."},
		ReasonDoc{ReasonKeysUnreadable, Ask, "The provider's keys cannot be fetched."},
	)
}

// CheckExternalOIDC asks the provider that Konnect sends people to for its
// discovery document and its keys. Its endpoints may be anywhere: it is not
// ours. Konnect waits for it and compares its name (kopano-docker
// konnect/wrapper.sh).
func CheckExternalOIDC(ctx context.Context, t Target) Result {
	issuer := strings.TrimSuffix(strings.TrimSpace(addressText(t.Edge)), "/")
	u, err := url.Parse(issuer)
	c := &externalOIDC{climb: newClimb(t, "external-oidc"), web: &web{target: t, insecure: insecureClient(t.Edge.From)}}
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" {
		return c.fail(&failure{Resolve, ReasonConfig, "the address of the other provider is no URL that can be asked", err})
	}
	host, port := hostPortOf(u)
	a, f := c.web.get(ctx, issuer+discoveryPath)
	if f != nil {
		return c.unreachable(f, host, port)
	}
	c.address = a.Address
	d, f := c.document(a, issuer)
	if f != nil {
		return c.fail(f)
	}
	if f := c.keys(ctx, d); f != nil {
		return c.fail(f)
	}
	return c.ok(Ask, "the provider %s answers with its own name and its keys", oneLine(d.Issuer))
}

type externalOIDC struct {
	*climb
	web *web
}

func (c *externalOIDC) document(a *answer, issuer string) (*document, *failure) {
	saw := fmt.Sprintf("%s answers %s with %s", a.Address, discoveryPath, a.saw())
	d := &document{}
	switch {
	case a.Status == http.StatusNotFound:
		return nil, c.wrong(ReasonNotFound, saw, "The other provider has no discovery document at this address")
	case a.Status != http.StatusOK || json.Unmarshal(a.Body, d) != nil || d.Issuer == "" || d.Authorization == "" || d.Keys == "":
		return nil, c.wrong(ReasonNotJSON, saw+" and no discovery document", "The other provider cannot be read")
	case strings.TrimSuffix(d.Issuer, "/") != issuer:
		return nil, c.wrong(ReasonIssuer, fmt.Sprintf("the provider calls itself %s, Konnect is told %s", quoted(d.Issuer), quoted(issuer)), "The other provider has another name than Konnect is told")
	}
	return d, nil
}

func (c *externalOIDC) wrong(reason Reason, saw, title string) *failure {
	return c.broke(&failure{Ask, reason, saw, nil}, title, c.target.Edge.Locations(),
		"Write the issuer of the provider into "+c.addressWritten()+", as its own manual and its discovery document give it, without "+discoveryPath+".")
}

func (c *externalOIDC) keys(ctx context.Context, d *document) *failure {
	a, f := c.web.get(ctx, d.Keys)
	if f != nil && f.status() == Unchecked {
		return f
	}
	var set struct{ Keys []json.RawMessage }
	message := ""
	switch {
	case f != nil:
		message = f.Message
	case a.Status != http.StatusOK || json.Unmarshal(a.Body, &set) != nil || len(set.Keys) == 0:
		message = a.Address + " answers with " + a.saw() + " and no keys"
	default:
		return nil
	}
	return c.broke(&failure{Ask, ReasonKeysUnreadable, message, nil}, "The keys of the other provider cannot be fetched", c.target.Edge.Locations(),
		"Let "+c.from()+" reach "+oneLine(d.Keys)+": a firewall or a proxy may be in between.")
}
