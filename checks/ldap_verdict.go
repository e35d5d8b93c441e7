package checks

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// bindRefused judges a login that the server answered with a refusal.
func (c *ldapClimb) bindRefused(code uint16, err error) *failure {
	s, text := c.settings, refusalText(err)
	f := &failure{Authenticate, ReasonBindRefused, fmt.Sprintf("%s refuses the login of %s: %s", c.peer.address, c.who(), text), err}
	switch code {
	case ldap.LDAPResultInvalidCredentials:
		return c.badCredentials(f, text)
	case ldap.LDAPResultInvalidDNSyntax:
		f.Reason = ReasonMalformedDN
		return c.broke(f, s.placesOf(s.keys.dn), "The bind DN is not a distinguished name",
			fmt.Sprintf("Write a whole name into %s: attribute=value pairs with commas between them, for example cn=readonly,%s.", written(s.from, s.keys.dn), c.exampleBase()))
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired:
		return c.tlsRequired(f)
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return c.busy(f)
	case ldap.LDAPResultReferral:
		return c.referral(f, s.placesOf(s.keys.dn), err)
	}
	if s.dn != "" && s.password == "" {
		return c.emptyPassword(f)
	}
	return c.broke(f, s.placesOf(s.keys.dn, s.keys.password), c.to(c.server.Host)+" refuses the login",
		fmt.Sprintf("Look at the access settings of the directory server, or log in with another account: %s.", written(s.from, s.keys.dn)))
}

func (c *ldapClimb) who() string {
	if c.settings.dn == "" {
		return "nobody (anonymous)"
	}
	return oneLine(c.settings.dn)
}

func (c *ldapClimb) exampleBase() string {
	if base := oneLine(c.settings.base); base != "" {
		return base
	}
	return "dc=example,dc=org"
}

func (c *ldapClimb) emptyPassword(f *failure) *failure {
	s := c.settings
	f.Reason = ReasonEmptyPassword
	f.Message = fmt.Sprintf("the bind DN %s has no password: %s is empty", c.who(), s.keys.password)
	return c.broke(f, s.placesOf(s.keys.password, s.keys.dn), "There is no password for the directory",
		fmt.Sprintf("Set %s to the password of %s.", written(s.from, s.keys.password), c.who()))
}

func (c *ldapClimb) tlsRequired(f *failure) *failure {
	f.Reason = ReasonTLSRequired
	remedy := fmt.Sprintf("Write ldaps://%s:636 into %s.", c.server.Host, c.addressWritten())
	if key := c.settings.keys.startTLS; key != "" {
		remedy = fmt.Sprintf("Set %s=yes on %s, or write ldaps://%s:636 into %s.", key, c.from(), c.server.Host, c.addressWritten())
	}
	return c.broke(f, c.target.Edge.Locations(), c.to(c.server.Host)+" takes no passwords without TLS", remedy)
}

func (c *ldapClimb) busy(f *failure) *failure {
	f.Reason = ReasonBusy
	return c.broke(f, c.target.Edge.Locations(), c.to(c.server.Host)+" is busy or shutting down",
		fmt.Sprintf("Look at the load and the log of %s, then run the check again.", c.to(c.server.Host)))
}

func (c *ldapClimb) referral(f *failure, places []finding.Location, err error) *failure {
	f.Reason = ReasonReferral
	f.Message += referralTarget(err)
	return c.broke(f, places, c.to(c.server.Host)+" sends "+c.from()+" to another server",
		fmt.Sprintf("Kopano follows no referrals. Write a base that this server holds into %s, or the address of the server that holds it into %s.",
			written(c.settings.from, c.settings.keys.base), c.addressWritten()))
}

// referralTarget gives where a referral points to (RFC 4511, 4.1.10).
func referralTarget(err error) string {
	e, ok := err.(*ldap.Error)
	if !ok || e.Packet == nil || len(e.Packet.Children) < 2 {
		return ""
	}
	const referralTag = 3
	for _, part := range e.Packet.Children[1].Children {
		if part.Tag == referralTag && len(part.Children) > 0 && part.Children[0].Data != nil {
			if uri := oneLine(part.Children[0].Data.String()); uri != "" {
				return " (to " + uri + ")"
			}
		}
	}
	return ""
}

// adDetail finds the reason that Active Directory adds to code 49: "…, data
// 52e, v3839" (Microsoft, "System Error Codes", in hexadecimal).
var adDetail = regexp.MustCompile(`\bdata ([0-9a-fA-F]{3,4})\b`)

// adReasons say what the numbers mean.
var adReasons = map[string]struct {
	reason Reason
	means  string
}{
	"525": {ReasonUnknownDN, "nobody has this bind DN"},
	"52e": {ReasonCredentials, "the password is wrong"},
	"530": {ReasonAccount, "the account may not log in at this time"},
	"531": {ReasonAccount, "the account may not log in from this machine"},
	"532": {ReasonAccount, "the password has expired"},
	"533": {ReasonAccount, "the account is disabled"},
	"568": {ReasonAccount, "the account is in too many groups"},
	"701": {ReasonAccount, "the account has expired"},
	"773": {ReasonAccount, "the password must be changed first"},
	"775": {ReasonAccount, "the account is locked after too many wrong passwords"},
}

func (c *ldapClimb) badCredentials(f *failure, text string) *failure {
	s := c.settings
	f.Reason, c.final = ReasonCredentials, !c.target.Settling()
	if m := adDetail.FindStringSubmatch(text); m != nil {
		if ad, ok := adReasons[strings.ToLower(m[1])]; ok {
			return c.adRefused(f, ad.reason, ad.means)
		}
	}
	f.Message += "; either the password is wrong, or there is no such entry: directories do not tell which"
	f.Message += NotTriedAgain(f.Err)
	places := append(s.placesOf(s.keys.password, s.keys.dn), c.otherEnd()...)
	return c.broke(f, places, fmt.Sprintf("%s does not let %s in", c.to(c.server.Host), c.from()), c.credentialsRemedy())
}

func (c *ldapClimb) adRefused(f *failure, reason Reason, means string) *failure {
	s := c.settings
	f.Reason = reason
	f.Message = fmt.Sprintf("%s refuses the login of %s: %s", c.peer.address, c.who(), means) + NotTriedAgain(f.Err)
	switch reason {
	case ReasonUnknownDN:
		return c.broke(f, s.placesOf(s.keys.dn), "Nobody has this bind DN", fmt.Sprintf("Correct %s.", written(s.from, s.keys.dn)))
	case ReasonAccount:
		return c.broke(f, s.placesOf(s.keys.dn), "The account for the directory is blocked",
			fmt.Sprintf("Unblock the account in Active Directory (%s), and let its password never expire.", means))
	}
	return c.broke(f, s.placesOf(s.keys.password, s.keys.dn), "The password for the directory is wrong", fmt.Sprintf("Correct %s.", written(s.from, s.keys.password)))
}

// passwordPair gives the setting of the bundled directory from which the
// account's password was made.
func (c *ldapClimb) passwordPair() (key, value string, ok bool) {
	to := c.target.Edge.To
	if to == nil {
		return "", "", false
	}
	account, _, _ := strings.Cut(strings.ToLower(c.settings.dn), ",")
	for _, pair := range c.target.Edge.Link.Same {
		if pair.From != c.settings.keys.password || !pairAccount(pair, account) {
			continue
		}
		if v, found := to.Get(pair.To); found {
			return pair.To, v.Reveal(), true
		}
	}
	return "", "", false
}

// pairAccount: osixia/openldap makes cn=readonly and cn=admin, each with a
// password of its own.
func pairAccount(p kopano.Pair, account string) bool {
	switch p.When {
	case kopano.WhenReadonly:
		return account == "cn=readonly"
	case kopano.WhenAdmin:
		return account == "cn=admin"
	}
	return true
}

func (c *ldapClimb) otherEnd() []finding.Location {
	if key, _, ok := c.passwordPair(); ok {
		v, _ := c.target.Edge.To.Get(key)
		return related(v.Locations())
	}
	return nil
}

func (c *ldapClimb) credentialsRemedy() string {
	s := c.settings
	mine := written(s.from, s.keys.password)
	key, other, bundled := c.passwordPair()
	switch {
	case bundled && other != s.password:
		return fmt.Sprintf("Give %s and %s the same value: the password that the directory had at its first start.", mine, written(c.target.Edge.To, key))
	case bundled:
		to := c.target.Edge.To.Name
		return fmt.Sprintf("%s takes its passwords from the settings only at its first start; its volume still has the old one. Write the old password into %s and %s, or set the new one in the directory (ldappasswd).",
			to, mine, written(c.target.Edge.To, key))
	}
	return fmt.Sprintf("Correct %s, and look whether %s names an entry that exists.", mine, written(s.from, s.keys.dn))
}
