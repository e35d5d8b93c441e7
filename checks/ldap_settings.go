package checks

import (
	"regexp"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// ldapKeys are the names of one client's settings. An empty name: it has no
// such setting.
type ldapKeys struct {
	dn, password, base, filter, startTLS string

	kopano  bool // kopano_server's own way of finding users
	postfix bool // Postfix checks no certificate unless told to (ldap_table(5), tls_require_cert)
}

// ldapClients are the clients of a directory, by link.
var ldapClients = map[string]ldapKeys{
	"server-ldap": {dn: "KCCONF_LDAP_LDAP_BIND_USER", password: "KCCONF_LDAP_LDAP_BIND_PASSWD", base: "KCCONF_LDAP_LDAP_SEARCH_BASE",
		filter: "KCCONF_LDAP_LDAP_USER_SEARCH_FILTER", startTLS: "KCCONF_LDAP_LDAP_STARTTLS", kopano: true},
	"mail-ldap": {dn: "LDAP_BIND_DN", password: "LDAP_BIND_PW", base: "LDAP_SEARCH_BASE",
		filter: "LDAP_QUERY_FILTER_USER", startTLS: "LDAP_START_TLS", postfix: true},
	"mail-ldap-login": {dn: "SASLAUTHD_LDAP_BIND_DN", password: "SASLAUTHD_LDAP_PASSWORD", base: "SASLAUTHD_LDAP_SEARCH_BASE",
		filter: "SASLAUTHD_LDAP_FILTER", startTLS: "SASLAUTHD_LDAP_START_TLS", postfix: true},
	"password-self-service-ldap": {dn: "LDAP_BINDDN", password: "LDAP_BINDPASS", base: "LDAP_BASE_SEARCH"},
	"konnect-ldap":               {dn: "LDAP_BINDDN", password: "LDAP_BINDPW", base: "LDAP_BASEDN", filter: "LDAP_FILTER"},
	"grapi-ldap":                 {dn: "LDAP_BINDDN", password: "LDAP_BINDPW", base: "LDAP_BASEDN", filter: "LDAP_FILTER"},
	// Here a person types name and password; the directory has only to answer.
	"ldap-admin-ldap":           {},
	"ldap-account-manager-ldap": {},
	"client-ldap":               {},
}

// ldapSettings are the values of one client.
type ldapSettings struct {
	keys     ldapKeys
	from     *deployment.Service
	dn       string
	password string
	base     string
	filter   string // "" when the client looks for nobody in particular
	startTLS bool
}

// The include of ldap.cfg decides what a user is (kopano-core
// installer/linux/ldap.m4); kopano-docker chooses it by uncommenting a line.
const (
	includeKey       = "KCUNCOMMENT_LDAP_1"
	activeDirectory  = "active-directory"
	adUserFilter     = "(&(objectCategory=Person)(|(objectClass=user)))"
	objectTypeKey    = "KCCONF_LDAP_LDAP_OBJECT_TYPE_ATTRIBUTE"
	userTypeValueKey = "KCCONF_LDAP_LDAP_USER_TYPE_ATTRIBUTE_VALUE"
)

func ldapSettingsOf(t Target) ldapSettings {
	keys := ldapClients[t.Edge.Link.ID]
	s := ldapSettings{keys: keys, from: t.Edge.From}
	s.dn, _ = s.value(keys.dn)
	s.password, _ = s.value(keys.password)
	s.base, _ = s.value(keys.base)
	wanted, _ := s.value(keys.startTLS)
	s.startTLS = switchedOn(wanted)
	filter, _ := s.value(keys.filter)
	switch {
	case keys.kopano:
		s.filter = s.kopanoFilter(filter)
	case filter != "":
		s.filter = anyone(filter)
	}
	return s
}

func (s ldapSettings) value(key string) (string, bool) {
	if s.from == nil || key == "" {
		return "", false
	}
	v, ok := s.from.Get(key)
	return v.Reveal(), ok
}

// switchedOn reads a switch as kopano-core does: everything but no, false and 0 is
// yes (stringutil.h), and as docker-mailserver does: yes.
func switchedOn(s string) bool {
	switch strings.ToLower(strings.TrimSpace(s)) {
	case "", "no", "false", "0":
		return false
	}
	return true
}

// kopanoFilter is how kopano_server finds users: those of the user type, and
// of the filter that the configuration adds (LDAPUserPlugin.cpp).
func (s ldapSettings) kopanoFilter(more string) string {
	types := adUserFilter
	if !s.usesActiveDirectory() {
		attribute, value := "objectClass", "posixAccount"
		if v, ok := s.value(objectTypeKey); ok && v != "" {
			attribute = v
		}
		if v, ok := s.value(userTypeValueKey); ok && v != "" {
			value = v
		}
		types = "(|(" + attribute + "=" + value + "))"
	}
	if more == "" {
		return types
	}
	return "(&" + types + more + ")"
}

func (s ldapSettings) usesActiveDirectory() bool {
	include, _ := s.value(includeKey)
	return strings.Contains(include, activeDirectory)
}

var (
	placeholders = regexp.MustCompile(`%[sSuUdDrRvVpPnN1-9]`) // ldap_table(5) and saslauthd's LDAP_SASLAUTHD
	stars        = regexp.MustCompile(`\*{2,}`)
)

// anyone makes a filter for one person into one for everybody.
func anyone(filter string) string {
	filter = placeholders.ReplaceAllString(filter, "*")
	return stars.ReplaceAllString(strings.ReplaceAll(filter, "%%", "%"), "*")
}

// placesOf gives the places of settings, the first one's first.
func (s ldapSettings) placesOf(keys ...string) []finding.Location {
	return valuesLocations(s.from, keys...)
}
