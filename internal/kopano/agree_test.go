package kopano

import (
	"fmt"
	"slices"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

func agreements(top *Topology, id string) []string {
	var out []string
	e := top.Edge(id)
	if e == nil {
		return []string{"no link " + id}
	}
	for _, a := range top.Agreements(e) {
		out = append(out, fmt.Sprintf("%s %s %v", a.Pair.From, a.To.Key, a.Agree))
	}
	return out
}

func TestAgreements(t *testing.T) {
	renamed := load(t, deployment.Options{Dir: "testdata/renamed"})
	multi := load(t, deployment.Options{Dir: "testdata/multiserver"})
	for _, c := range []struct {
		top  *Topology
		id   string
		want []string
	}{
		{renamed, "server-database@store", []string{
			"KCCONF_SERVER_MYSQL_USER MARIADB_USER true",
			"KCCONF_SERVER_MYSQL_PASSWORD MARIADB_PASSWORD false",
			"KCCONF_SERVER_MYSQL_DATABASE MARIADB_DATABASE true",
		}},
		// DNs are compared as such: blanks and case do not count.
		{renamed, "server-ldap@store", []string{
			"KCCONF_LDAP_LDAP_BIND_PASSWD LDAP_READONLY_USER_PASSWORD true",
			"KCCONF_LDAP_LDAP_BIND_USER LDAP_BASE_DN true",
			"KCCONF_LDAP_LDAP_SEARCH_BASE LDAP_BASE_DN true",
		}},
		// The issuer is compared letter by letter, and this one ends in a slash.
		{renamed, "server-issuer@store", []string{
			"KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER FQDN false",
			"KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER FQDN true",
		}},
		{renamed, "kapi-issuer@api", []string{
			"KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER FQDN true",
			"KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER FQDN true",
		}},
		// Scripts make the second database: only what the image itself makes counts.
		{multi, "server-database@kopano_server", []string{"KCCONF_SERVER_MYSQL_PASSWORD MYSQL_PASSWORD true"}},
		{multi, "server-database@kopano_server_2", []string{"KCCONF_SERVER_MYSQL_PASSWORD MYSQL_ROOT_PASSWORD false"}},
		{multi, "spooler-mail@kopano_spooler", nil},
	} {
		if got := agreements(c.top, c.id); !slices.Equal(got, c.want) {
			t.Errorf("%s:\n got %q\nwant %q", c.id, got, c.want)
		}
	}
}

// A password that must not be shown is not shown by what is made from it.
func TestAgreementsHideSecrets(t *testing.T) {
	renamed := load(t, deployment.Options{Dir: "testdata/renamed"})
	for _, a := range renamed.Agreements(renamed.Edge("server-database@store")) {
		if text := fmt.Sprint(a.Want); a.Pair.What == "the database password" && (text != "«hidden»" || a.Want.Reveal() != "third-secret") {
			t.Errorf("%s", text)
		}
	}
}

func TestAgrees(t *testing.T) {
	for _, c := range []struct {
		how      How
		from, to string
		want     bool
	}{
		{Equal, "a", "a", true}, {Equal, "a", "A", false}, {Equal, " a ", "a", true},
		{SameDN, "CN=a, DC=b", "cn=A,dc=B", true}, {SameDN, "cn=a,dc=b", "dc=b", false},
		{WithinDN, "cn=a,ou=x,dc=b", "dc=B", true}, {WithinDN, "dc=b", "dc=b", true}, {WithinDN, "dc=c", "dc=b", false},
		{WithinDN, "not a dn", "NOT A DN", true}, {WithinDN, "not a dn", "dc=b", false},
		{SameHost, "https://K.example.org:2015/x", "k.example.org:2015", true}, {SameHost, "https://a", "b", false},
		{OnOff, "yes", "true", true}, {OnOff, "no", "false", true}, {OnOff, "yes", "no", false},
	} {
		if got := agrees(c.how, c.from, c.to); got != c.want {
			t.Errorf("%s: %q and %q: %v", c.how, c.from, c.to, got)
		}
	}
}

func TestIssuer(t *testing.T) {
	renamed := load(t, deployment.Options{Dir: "testdata/renamed"})
	issuer, from, konnect := renamed.Issuer()
	if issuer != "https://mail.example.org" || from.Key != "FQDN" || konnect == nil || konnect.Name != "signin" {
		t.Errorf("%q from %q of %v", issuer, from.Key, konnect)
	}
}

func TestLookupHost(t *testing.T) {
	renamed := load(t, deployment.Options{Dir: "testdata/renamed"})
	partial := load(t, deployment.Options{Dir: "testdata/partial"})
	for _, c := range []struct {
		top        *Topology
		from, host string
		to         string
		reachable  bool
	}{
		{renamed, "proxy", "webmail", "webmail", true},
		{renamed, "proxy", "WEBMAIL.", "webmail", true},
		{renamed, "proxy", "groupware_api", "api", true},
		{renamed, "webmail", "mail.example.org", "proxy", true},
		{renamed, "imap", "mail.example.org", "proxy", false}, // an alias of the other network
		{renamed, "imap", "signin", "signin", false},
		{renamed, "store", "sql", "database", true}, // links
		{renamed, "imap", "sql", "", false},
		{renamed, "imap", "172.30.0.9", "directory", true},
		{renamed, "imap", "store.renamed_back", "store", true},
		{renamed, "imap", "localhost", "imap", true},
		{renamed, "imap", "nobody", "", false},
		{renamed, "imap", "", "", false},
		{partial, "mail", "kopano_dagent", "kopano_dagent", false}, // on the host's network
		{partial, "kopano_gateway", "published", "published", true},
		{partial, "kopano_server", "dbhost", "", false}, // extra_hosts
	} {
		from, ok := c.top.Deployment.Service(c.from)
		if !ok {
			t.Fatalf("no service %s", c.from)
		}
		to, reachable := c.top.LookupHost(from, c.host)
		name := ""
		if to != nil {
			name = to.Name
		}
		if name != c.to || reachable != c.reachable {
			t.Errorf("%s asks for %q: %q, %v; want %q, %v", c.from, c.host, name, reachable, c.to, c.reachable)
		}
	}
}

func TestPublishedPort(t *testing.T) {
	partial := load(t, deployment.Options{Dir: "testdata/partial"})
	s, _ := partial.Deployment.Service("published")
	if ip, port, ok := PublishedPort(s, 236, "tcp"); ip != "127.0.0.1" || port != 10236 || !ok {
		t.Errorf("%s %d %v", ip, port, ok)
	}
	if _, _, ok := PublishedPort(s, 236, "udp"); ok {
		t.Error("published for the other protocol")
	}
	if _, _, ok := PublishedPort(nil, 236, "tcp"); ok {
		t.Error("nobody publishes something")
	}
}
