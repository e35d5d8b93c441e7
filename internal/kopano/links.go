package kopano

import "slices"

// Links is every kind of connection that holds a deployment together, in the
// order of the layers: clients, proxy, sign-in, storage, mail, meetings,
// operation. It is not changed by anybody.
//
// Both ends of a container's own health check are the container itself (the
// database's, L62): that is no link.
var Links = slices.Concat(clientLinks, webLinks, identityLinks, certificateLinks, coreLinks, serverUserLinks, mailLinks, meetLinks, operationLinks)

// LinkByID gives a link of Links or LoginLinks, or nil.
func LinkByID(id string) *Link {
	for _, links := range [][]Link{Links, LoginLinks} {
		for i := range links {
			if links[i].ID == id {
				return &links[i]
			}
		}
	}
	return nil
}

// bundledLDAP is what must agree with the directory that comes along: its image
// makes cn=admin and cn=readonly below LDAP_BASE_DN with the passwords of its
// own settings, at its first start (osixia/openldap 1.3.0, startup.sh).
func bundledLDAP(dn, password, base string) []Pair {
	return []Pair{
		{From: password, To: "LDAP_READONLY_USER_PASSWORD", What: "the password of cn=readonly", When: WhenReadonly, By: dn},
		{From: password, To: "LDAP_ADMIN_PASSWORD", What: "the password of cn=admin", When: WhenAdmin, By: dn},
		{From: dn, To: "LDAP_BASE_DN", What: "the bind DN", When: WhenBundled, How: WithinDN},
		{From: base, To: "LDAP_BASE_DN", What: "the search base", When: WhenBundled, How: WithinDN},
	}
}

// oneIssuer is what must agree with sign-in: the issuer is compared letter by
// letter (kopano-core ECServer.cpp, konnect wrapper.sh), and its host is the
// one name that the proxy answers to (web/wrapper.sh).
func oneIssuer(setting string) []Pair {
	return []Pair{
		{From: setting, ToRole: Konnect, To: "oidc_issuer_identifier", ToElse: "FQDN", ElseAs: "https://%s", What: "the issuer"},
		{From: setting, ToRole: Web, To: "FQDN", What: "the public host name", How: SameHost},
	}
}

var (
	ldapVia = []Via{
		{Scheme: "ldap", Protocol: ProtoLDAP, Listener: "ldap", Port: 389},
		{Scheme: "ldaps", Protocol: ProtoLDAP, Listener: "ldaps", Port: 636},
		{Scheme: "ldapi", Protocol: ProtoSocket},
	}
	issuerVia = []Via{
		{Scheme: "https", Protocol: ProtoOIDC, Listener: "https", Port: 443},
		{Scheme: "http", Protocol: ProtoHTTP, Listener: "redirect", Port: 80},
	}
	// kopano-core reads file:, http: and https:; its start script rewrites
	// http to tcp to wait for it, and can wait for no other scheme.
	serverVia = []Via{
		{Scheme: "file", Protocol: ProtoSocket, Listener: "socket"},
		{Scheme: "http", Protocol: ProtoSOAP, Listener: "soap", Port: 236},
		{Scheme: "https", Protocol: ProtoSOAP, Listener: "soap-tls", Port: 237},
	}
)
