package checks

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// A search for one entry is slow when it takes this long, and this many times
// as long as reading an entry whose name is known: then it is the searching
// that takes the time, not the way or the load.
const (
	slowSearch  = 500 * time.Millisecond
	slowerTimes = 20
)

// nobodysAddress is asked for: what has no index is read from end to end before
// the server can say that there is none (RFC 2606 keeps the domain free).
const nobodysAddress = "nobody@kopano-doctor.invalid"

// lookups are the searches that the client makes for one address.
func (s ldapSettings) lookups() []string {
	if s.keys.kopano {
		a := s.people()
		address := ldap.EscapeFilter(nobodysAddress)
		return []string{fmt.Sprintf("(&%s(|(%s=%s)(%s=%s)))", s.filter, a.mail, address, a.aliases, address)}
	}
	var out []string
	for _, key := range mailFilters {
		if filter, _ := s.value(key); filter != "" {
			out = append(out, forRecipient(filter, nobodysAddress))
		}
	}
	return out
}

// speed tells of searches that are slow for want of an index, which cannot be
// seen itself without the rights of an administrator.
func (c *ldapClimb) speed(ctx context.Context) {
	s := c.settings
	for _, filter := range s.lookups() {
		took, ok := c.measure(ctx, ldap.ScopeWholeSubtree, filter)
		if !ok || took < slowSearch {
			continue
		}
		known, ok := c.measure(ctx, ldap.ScopeBaseObject, "(objectClass=*)")
		again, okAgain := c.measure(ctx, ldap.ScopeWholeSubtree, filter)
		took = min(took, again)
		if !ok || !okAgain || took < slowSearch || took < slowerTimes*known {
			continue
		}
		shown := strings.ReplaceAll(oneLine(filter), nobodysAddress, "…")
		c.warnOf(finding.Info, ReasonSlow, append(c.directoryPlaces(), related(s.placesOf(s.keys.filter))...), "The directory is slow to find an address",
			fmt.Sprintf("a search for one address takes %s, and reading a known entry %s: %s", inMilliseconds(took), inMilliseconds(known), shown),
			"Every mail and every login waits that long, several times over.",
			fmt.Sprintf("Let %s keep an index for equality of the attributes in that filter (OpenLDAP: olcDbIndex: mail,kopanoAliases eq).", c.to(c.server.Host)))
		return
	}
}

func (c *ldapClimb) measure(ctx context.Context, scope int, filter string) (time.Duration, bool) {
	start := time.Now()
	_, err := c.query(ctx, c.settings.base, scope, filter, fewEntries, nil)
	return time.Since(start), err == nil
}

func inMilliseconds(d time.Duration) string {
	return fmt.Sprintf("%d ms", max(1, d.Milliseconds()))
}
