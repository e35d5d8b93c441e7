package checks

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

const (
	// kopano_server reads the directory in pages of ldap_page_size, 1000 by
	// default; a server's limit on the size of results shows only that way.
	pageSize = 1000
	maxPages = 5
	// Others look for one entry at a time.
	fewEntries = 2
)

// adCapability is in the root entry of every Active Directory (Microsoft,
// [MS-ADTS] 3.1.1.3.4.3.1).
const adCapability = "1.2.840.113556.1.4.800"

// search proves that the directory can be used: its base is there, and people
// are found. It gives a line about what was found.
func (c *ldapClimb) search(ctx context.Context) (string, *failure) {
	s := c.settings
	if s.keys.base == "" {
		if _, err := c.query(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", 0, nil); err != nil {
			return "", c.searchFailed(ctx, err, "the root entry", c.target.Edge.Locations())
		}
		return "the directory answers", nil
	}
	if f := c.baseExists(ctx); f != nil {
		return "", f
	}
	if s.filter == "" {
		return fmt.Sprintf("logged in as %s; %s is there", c.who(), c.baseName()), nil
	}
	return c.users(ctx)
}

func (c *ldapClimb) baseName() string {
	if c.settings.base == "" {
		return "the empty search base"
	}
	return oneLine(c.settings.base)
}

func (c *ldapClimb) query(ctx context.Context, base string, scope int, filter string, limit int, controls []ldap.Control, attributes ...string) (*ldap.SearchResult, error) {
	c.peer.rung(ctx, c.target)
	if len(attributes) == 0 {
		attributes = []string{"1.1"} // no attributes at all (RFC 4511, 4.5.1.8)
	}
	seconds := max(1, int(c.target.timeout().Seconds()))
	return c.conn.Search(ldap.NewSearchRequest(base, scope, ldap.NeverDerefAliases, limit, seconds, false, filter, attributes, controls))
}

func (c *ldapClimb) baseExists(ctx context.Context) *failure {
	s := c.settings
	result, err := c.query(ctx, s.base, ldap.ScopeBaseObject, "(objectClass=*)", 0, nil)
	switch {
	case err != nil:
		return c.searchFailed(ctx, err, "the search base "+c.baseName(), s.placesOf(s.keys.base))
	case len(result.Entries) == 0:
		return c.noBase(&failure{Ask, ReasonNoBase, fmt.Sprintf("%s shows nothing at %s to %s", c.peer.address, c.baseName(), c.who()), nil})
	}
	return nil
}

func (c *ldapClimb) noBase(f *failure) *failure {
	s := c.settings
	return c.broke(f, s.placesOf(s.keys.base, s.keys.dn), "The search base does not exist",
		fmt.Sprintf("Correct %s. If the base is right, %s may not see it: let it read the directory.", written(s.from, s.keys.base), c.who()))
}

// users looks for people as the client does.
func (c *ldapClimb) users(ctx context.Context) (string, *failure) {
	s := c.settings
	if !s.keys.kopano {
		result, err := c.query(ctx, s.base, ldap.ScopeWholeSubtree, s.filter, fewEntries, nil)
		if err != nil && !limited(err) {
			return "", c.searchFailed(ctx, err, "a search for "+oneLine(s.filter), s.placesOf(s.keys.filter))
		}
		found, f := c.foundAny(ctx, result)
		if f == nil {
			c.compareWithServer(ctx)
			c.speed(ctx)
		}
		return found, f
	}
	return c.countUsers(ctx)
}

// limited: a search that was cut short found what it was for.
func limited(err error) bool {
	return ldap.IsErrorWithCode(err, ldap.LDAPResultSizeLimitExceeded)
}

func (c *ldapClimb) foundAny(ctx context.Context, result *ldap.SearchResult) (string, *failure) {
	if len(result.Entries) == 0 {
		return "", c.noUsers(ctx, result)
	}
	return fmt.Sprintf("logged in as %s; users are found below %s", c.who(), c.baseName()), nil
}

// countUsers reads pages as kopano_server does, and looks at who is in them.
func (c *ldapClimb) countUsers(ctx context.Context) (string, *failure) {
	s := c.settings
	entries, about, err := c.pages(ctx, s.base, s.filter, s.people().names()...)
	if err != nil {
		if !limited(err) || len(entries) == 0 {
			return "", c.searchFailed(ctx, err, "a search for "+oneLine(s.filter), s.placesOf(s.keys.filter, s.keys.base))
		}
		c.cutShort(len(entries), err)
	}
	if len(entries) == 0 {
		return "", c.noUsers(ctx, &ldap.SearchResult{Referrals: c.referrals})
	}
	if f := c.judgePeople(s.people().read(entries), about == ""); f != nil {
		return "", f
	}
	c.speed(ctx)
	return c.counted(len(entries), about), nil
}

// pages reads at most maxPages pages, and begins none when a rung's time is over:
// a large and slow directory works all the same. Where that is not all, about says so: "at
// least " when the server ended the list, with its error; "more than " when
// it has more.
func (c *ldapClimb) pages(ctx context.Context, base, filter string, attributes ...string) (entries []*ldap.Entry, about string, err error) {
	paging := ldap.NewControlPaging(pageSize)
	end := time.Now().Add(c.target.timeout())
	for page := range maxPages {
		if page > 0 && time.Now().After(end) {
			break
		}
		result, err := c.query(ctx, base, ldap.ScopeWholeSubtree, filter, 0, []ldap.Control{paging}, attributes...)
		if result != nil {
			entries = append(entries, result.Entries...)
			c.referrals = result.Referrals
		}
		if err != nil {
			return entries, "at least ", err
		}
		next, ok := ldap.FindControl(result.Controls, ldap.ControlTypePaging).(*ldap.ControlPaging)
		if !ok || len(next.Cookie) == 0 {
			return entries, "", nil
		}
		paging.SetCookie(next.Cookie)
	}
	return entries, "more than ", nil
}

func (c *ldapClimb) counted(n int, about string) string {
	users := "users"
	if n == 1 {
		users = "user"
	}
	return fmt.Sprintf("logged in as %s; %s%d %s below %s", c.who(), about, n, users, c.baseName())
}

// cutShort: the server's limit ends the list before the last user.
func (c *ldapClimb) cutShort(count int, err error) {
	f := c.finding(ReasonSizeLimit, c.settings.placesOf(c.settings.keys.dn, c.settings.keys.base), "The directory hands out only the first users",
		fmt.Sprintf("%s ends the list of users after %d: %s", c.peer.address, count, refusalText(err)),
		fmt.Sprintf("Raise the size limit of the directory server for %s (OpenLDAP: limits dn.exact=\"%s\" size=unlimited).", c.who(), c.who()))
	f.Consequence = "Users and groups behind the limit are missing in the address book, and get no mailbox."
	c.warn(finding.Warning, f)
}

// noUsers: everything works but the filter.
func (c *ldapClimb) noUsers(ctx context.Context, result *ldap.SearchResult) *failure {
	s := c.settings
	f := &failure{Ask, ReasonNoUsers, fmt.Sprintf("nobody is found below %s with the filter %s", c.baseName(), oneLine(s.filter)), nil}
	if len(result.Referrals) > 0 {
		f.Message = fmt.Sprintf("nobody is found below %s; the server refers to %s", c.baseName(), oneLine(result.Referrals[0]))
		return c.referral(f, s.placesOf(s.keys.base), nil)
	}
	if s.keys.kopano && c.isActiveDirectory(ctx) != s.usesActiveDirectory() {
		return c.wrongInclude(f)
	}
	if c.withoutSchema(ctx, f) {
		return f
	}
	places := s.placesOf(s.keys.base)
	remedy := fmt.Sprintf("Look whether the users lie below %s (%s).", c.baseName(), written(s.from, s.keys.base))
	if _, set := s.value(s.keys.filter); set {
		places = s.placesOf(s.keys.filter, s.keys.base)
		remedy = fmt.Sprintf("Correct the filter in %s, or the search base in %s.", written(s.from, s.keys.filter), written(s.from, s.keys.base))
	}
	return c.broke(f, places, "No users are found in the directory", remedy)
}

func (c *ldapClimb) wrongInclude(f *failure) *failure {
	s := c.settings
	kind, include := "Active Directory", "ldap.active-directory.cfg"
	if s.usesActiveDirectory() {
		kind, include = "no Active Directory", "ldap.openldap.cfg"
	}
	f.Message += fmt.Sprintf("; the server is %s, and %s uses the filter of the other kind", kind, c.from())
	return c.broke(f, s.placesOf(includeKey), "The filter is for another kind of directory",
		fmt.Sprintf("Set %s to \"!include /usr/share/kopano/%s\", and KCCOMMENT_LDAP_1 to the other include.", written(s.from, includeKey), include))
}

// isActiveDirectory asks the root entry, which everybody may read.
func (c *ldapClimb) isActiveDirectory(ctx context.Context) bool {
	result, err := c.query(ctx, "", ldap.ScopeBaseObject, "(objectClass=*)", 1, nil, "supportedCapabilities")
	return err == nil && len(result.Entries) == 1 &&
		slices.Contains(result.Entries[0].GetAttributeValues("supportedCapabilities"), adCapability)
}

// searchFailed judges a search that the server, or the library, refused.
func (c *ldapClimb) searchFailed(ctx context.Context, err error, what string, places []finding.Location) *failure {
	s := c.settings
	code, answered := resultCode(err)
	f := &failure{Ask, ReasonSearchFailed, fmt.Sprintf("%s answers the question for %s with %s", c.peer.address, what, refusalText(err)), err}
	switch {
	case isFilterError(err):
		f.Reason = ReasonBadFilter
		f.Message = fmt.Sprintf("%s is not an LDAP filter: %s", oneLine(s.filter), filterTrouble(err))
		return c.broke(f, s.placesOf(s.keys.filter), "The user filter cannot be read", fmt.Sprintf("Correct %s: every ( needs its ).", written(s.from, s.keys.filter)))
	case !answered:
		f = c.noAnswer(ctx, c.wire, err, Ask)
		if f.status() == Broken && len(c.found) == 0 {
			c.found = append(c.found, c.network(f, c.server.Host, c.server.Port))
		}
		return f
	}
	switch code {
	case ldap.LDAPResultNoSuchObject:
		f.Reason = ReasonNoBase
		return c.noBase(f)
	case ldap.LDAPResultInvalidDNSyntax:
		f.Reason = ReasonMalformedDN
		return c.broke(f, s.placesOf(s.keys.base), "The search base is not a distinguished name",
			fmt.Sprintf("Write attribute=value pairs with commas between them into %s, for example dc=example,dc=org.", written(s.from, s.keys.base)))
	case ldap.LDAPResultReferral:
		return c.referral(f, s.placesOf(s.keys.base), err)
	case ldap.LDAPResultConfidentialityRequired, ldap.LDAPResultStrongAuthRequired:
		return c.tlsRequired(f)
	case ldap.LDAPResultInsufficientAccessRights, ldap.LDAPResultOperationsError, ldap.LDAPResultInappropriateAuthentication:
		f.Reason = ReasonNoAccess
		return c.broke(f, s.placesOf(s.keys.dn, s.keys.base), c.who()+" may not search the directory",
			fmt.Sprintf("Let %s read the directory, or log in with another account: %s.", c.who(), written(s.from, s.keys.dn)))
	case ldap.LDAPResultBusy, ldap.LDAPResultUnavailable:
		return c.busy(f)
	}
	return c.broke(f, places, "The directory refuses the search", fmt.Sprintf("Look what the log of %s says.", c.to(c.server.Host)))
}

func isFilterError(err error) bool {
	return ldap.IsErrorWithCode(err, ldap.ErrorFilterCompile) || ldap.IsErrorWithCode(err, ldap.LDAPResultFilterError)
}

func filterTrouble(err error) string {
	var e *ldap.Error
	if errors.As(err, &e) && e.Err != nil {
		return oneLine(e.Err.Error())
	}
	return oneLine(err.Error())
}
