package checks

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// mailFilters are the settings by which the mail transport looks recipients up
// (docker-mailserver, "LDAP Authentication").
var mailFilters = []string{"LDAP_QUERY_FILTER_USER", "LDAP_QUERY_FILTER_ALIAS", "LDAP_QUERY_FILTER_GROUP"}

// maxMissing is how many users are asked for by name, to be sure.
const maxMissing = 3

// maxDomains is how many domains are asked for.
const maxDomains = 5

// compareWithServer asks, over the mail transport's own login, whether it finds
// the users that kopano_server finds. Each of the two has a filter and a base
// of its own, and mail to whom the first does not find is refused.
func (c *ldapClimb) compareWithServer(ctx context.Context) {
	if c.target.Edge.Link.ID != "mail-ldap" {
		return
	}
	server, ok := c.serversView()
	if !ok {
		return
	}
	attributes := server.people()
	entries, about, err := c.pages(ctx, server.base, server.filter, attributes.names()...)
	if err != nil || about != "" || len(entries) == 0 {
		return // that is the other link's to tell; half a list proves nothing
	}
	known, ok := c.knownToMail(ctx)
	if !ok {
		return
	}
	var missing []user
	domains := map[string]int{} // of the users whom mail knows, and how many
	for _, u := range attributes.read(entries) {
		switch {
		case u.mail == "" || u.off:
		case !known[strings.ToLower(u.dn)]:
			missing = append(missing, u)
		default:
			_, domain, _ := strings.Cut(strings.ToLower(u.mail), "@")
			domains[domain]++
		}
	}
	c.unknownToMail(ctx, server, missing)
	c.unknownDomains(ctx, domains)
}

// unknownDomains asks, as Postfix does before it takes a mail, whether the
// domains of the users are its own: another filter decides that. Domains with
// few users are not asked for when there are many.
func (c *ldapClimb) unknownDomains(ctx context.Context, domains map[string]int) {
	const key = "LDAP_QUERY_FILTER_DOMAIN"
	filter, _ := c.settings.value(key)
	names := slices.SortedFunc(maps.Keys(domains), func(a, b string) int {
		return cmp.Or(domains[b]-domains[a], strings.Compare(a, b))
	})
	var refused []string
	for _, domain := range names[:min(len(names), maxDomains)] {
		if domain == "" || filter == "" {
			continue
		}
		result, err := c.query(ctx, c.settings.base, ldap.ScopeWholeSubtree, forRecipient(filter, domain), fewEntries, nil)
		if err != nil && !limited(err) {
			return // a filter that is none is a rule's to tell
		}
		if len(result.Entries) == 0 {
			refused = append(refused, fmt.Sprintf("%s (%s)", oneLine(domain), usersOf(domains[domain])))
		}
	}
	if len(refused) == 0 {
		return
	}
	c.warnOf(finding.Warning, ReasonDomainUnknown, c.settings.placesOf(key, c.settings.keys.base), "The mail server does not take the users' domain for its own",
		fmt.Sprintf("%s finds nothing below %s for %s", key, c.baseName(), someOf(refused)),
		"Mail to these domains is refused (relay access denied), unless the mail server is told of them elsewhere.",
		fmt.Sprintf("Correct %s; with Kopano's schema it is (|(mail=*@%%s)(kopanoAliases=*@%%s)).", written(c.settings.from, key)))
}

func usersOf(n int) string {
	if n == 1 {
		return "1 user"
	}
	return fmt.Sprintf("%d users", n)
}

// serversView gives the settings of a kopano_server that uses the same directory.
func (c *ldapClimb) serversView() (ldapSettings, bool) {
	mine := c.target.Edge.Addr
	for _, e := range c.target.Topology.EdgesOf("server-ldap") {
		if e.Addr.Host == mine.Host && e.Addr.Port == mine.Port && e.Addr.Problem == "" {
			t := c.target
			t.Edge = e
			s := ldapSettingsOf(t)
			return s, s.base != ""
		}
	}
	return ldapSettings{}, false
}

// knownToMail gives the entries that any of mail's filters finds, by their names
// in small letters. It is false when these are not all.
func (c *ldapClimb) knownToMail(ctx context.Context) (map[string]bool, bool) {
	known := map[string]bool{}
	for _, key := range mailFilters {
		filter, _ := c.settings.value(key)
		if filter == "" {
			continue
		}
		entries, about, err := c.pages(ctx, c.settings.base, anyone(filter))
		if err != nil || about != "" {
			return nil, false
		}
		for _, e := range entries {
			known[strings.ToLower(e.DN)] = true
		}
	}
	return known, true
}

func (c *ldapClimb) unknownToMail(ctx context.Context, server ldapSettings, missing []user) {
	slices.SortFunc(missing, func(a, b user) int { return strings.Compare(a.mail, b.mail) })
	var refused []string
	for _, u := range missing[:min(len(missing), maxMissing)] {
		found, ok := c.mailFinds(ctx, u.mail)
		if !ok {
			return
		}
		if !found {
			refused = append(refused, oneLine(u.mail))
		}
	}
	if len(refused) == 0 {
		return
	}
	who := strings.Join(refused, ", ")
	if more := len(missing) - maxMissing; more > 0 {
		who += fmt.Sprintf(" and %d more", more)
	}
	s := c.settings
	places := append(s.placesOf(s.keys.filter, s.keys.base), related(server.placesOf(server.keys.filter, server.keys.base))...)
	c.warnOf(finding.Warning, ReasonUnknownToMail, places, "Mail to users of Kopano is refused",
		fmt.Sprintf("%s finds them with %s below %s, and %s does not find them with %s below %s: %s", server.from.Name, oneLine(server.filter), oneLine(server.base),
			c.from(), s.keys.filter, c.baseName(), who),
		"They can log in and send, and mail to them comes back: user unknown.",
		fmt.Sprintf("Give these users what the filter asks for (kopanoAccount: 1 in the bundled one), or correct %s. If they shall have no mailbox, set kopanoAccount to 0, and let %s ask for it too.",
			written(s.from, s.keys.filter), server.keys.filter))
}

// mailFinds asks as Postfix does for one recipient.
func (c *ldapClimb) mailFinds(ctx context.Context, address string) (found, ok bool) {
	for _, key := range mailFilters {
		filter, _ := c.settings.value(key)
		if filter == "" {
			continue
		}
		result, err := c.query(ctx, c.settings.base, ldap.ScopeWholeSubtree, forRecipient(filter, address), fewEntries, nil)
		if err != nil && !limited(err) {
			return false, false
		}
		if len(result.Entries) > 0 {
			return true, true
		}
	}
	return false, true
}

// forRecipient puts an address into a filter (ldap_table(5), query_filter).
func forRecipient(filter, address string) string {
	local, domain, _ := strings.Cut(address, "@")
	return strings.NewReplacer("%%", "%", "%s", ldap.EscapeFilter(address), "%S", ldap.EscapeFilter(address),
		"%u", ldap.EscapeFilter(local), "%U", ldap.EscapeFilter(local), "%d", ldap.EscapeFilter(domain), "%D", ldap.EscapeFilter(domain)).Replace(filter)
}
