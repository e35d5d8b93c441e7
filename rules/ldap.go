package rules

import (
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// ldapRules are about the directory's settings, each on its own.
func ldapRules() []Rule {
	return []Rule{
		{
			ID: "ldap-dn-syntax", Subject: "directory", Severity: finding.Error,
			Title:  "A distinguished name cannot be read",
			Why:    "The directory answers \"invalid DN syntax\" (34) to a bind or search with it. A name is made of attribute=value pairs with commas between them (RFC 4514).",
			Source: "RFC 4514; RFC 4511 section 4.1.9 (invalidDNSyntax)",
			Check:  ldapDN,
		},
		{
			ID: "ldap-dn-suspicious", Subject: "directory", Severity: finding.Warning,
			Title:  "A domain stands in one piece in a distinguished name",
			Why:    "dc=example.org is one part with a dot in it; a directory of the domain example.org is called dc=example,dc=org (RFC 2247), which is also what setup.sh makes.",
			Source: "RFC 2247; kopano-docker setup.sh",
			Check:  ldapDomainInOnePiece,
		},
		{
			ID: "ldap-uri-syntax", Fixable: true, Subject: "directory", Severity: finding.Error,
			Title:  "The address of the directory cannot be read",
			Why:    "kopano_server hands the address to ldap_initialize, which wants ldap://, ldaps:// or ldapi:// and a host; docker-mailserver 13 and later wants the scheme too (its setup scripts).",
			Source: "kopano-core provider/plugins/LDAPUserPlugin.cpp; docker-mailserver CHANGELOG 13.0.0; RFC 4516",
			Check:  ldapURI,
		},
		{
			ID: "ldap-uri-path", Subject: "directory", Severity: finding.Warning,
			Title:  "The address of the directory carries a base DN",
			Why:    "ldap_uri is meant to be without any DN (kopano-ldap.cfg(5)); the base is ldap_search_base.",
			Source: "kopano-core kopano-ldap.cfg(5)",
			Check:  ldapURIPath,
		},
		{
			ID: "ldap-filter-syntax", Subject: "directory", Severity: finding.Error,
			Title:  "A search filter cannot be read",
			Why:    "A filter must be in balanced parentheses (RFC 4515). kopano_server answers with \"Bad search filter\", Postfix treats each mail as temporarily undeliverable.",
			Source: "RFC 4515; Postfix ldap_table(5)",
			Check:  ldapFilter,
		},
		{
			ID: "ldap-filter-placeholder", Subject: "directory", Severity: finding.Error,
			Title:  "A mail filter does not ask for the address",
			Why:    "Postfix replaces %s by the address (%u, %d by its parts) before it asks the directory (ldap_table(5)). Without it the filter gives the same answer for every address.",
			Source: "Postfix ldap_table(5)",
			Check:  ldapPlaceholder,
		},
		{
			ID: "ldap-domain-base", Subject: "directory", Severity: finding.Error,
			Title:  "LDAP_DOMAIN does not belong to LDAP_BASE_DN",
			Why:    "The bundled directory (osixia/openldap, startup.sh) makes a domain of the base DN's dc parts and stops when it does not end with LDAP_DOMAIN.",
			Source: "osixia/docker-openldap 1.3.0 startup.sh (get_ldap_base_dn)",
			Check:  ldapDomainBase,
		},
		{
			ID: "ldap-cleartext", Subject: "directory", Severity: finding.Warning,
			Title:  "Passwords travel to the directory in clear text",
			Why:    "ldap:// to a server outside this deployment sends the bind password, and the password of everyone who logs in, unencrypted unless ldap_starttls is on (default no, ldap.cfg).",
			Source: "kopano-core installer/linux/ldap.cfg (ldap_starttls); RFC 4513 section 6.3",
			Check:  ldapCleartext,
		},
		{
			ID: "ldap-active-directory-mix", Subject: "directory", Severity: finding.Warning,
			Title: "The settings of one kind of directory are on, and the directory is of the other",
			Why: "ldap.cfg includes either ldap.openldap.cfg or ldap.active-directory.cfg, which ask for other classes and identifiers (uidNumber or objectGUID). " +
				"With the wrong one users are not found, or are created anew with empty mailboxes.",
			Source: "kopano-core installer/linux/ldap.m4",
			Check:  ldapMix,
		},
		{
			ID: "ldap-hosted-company", Subject: "directory", Severity: finding.Warning,
			Title:  "Several companies are on, but what a company is in the directory is not said",
			Why:    "With enable_hosted_kopano every organizationalUnit counts as a company unless ldap_company_type_attribute_value says otherwise (ldap.openldap.cfg).",
			Source: "kopano-core installer/linux/ldap.m4",
			Check:  ldapHosted,
		},
	}
}

// dnKeys: the settings that hold a distinguished name, wherever they appear.
var dnKeys = []string{
	"KCCONF_LDAP_LDAP_BIND_USER", "KCCONF_LDAP_LDAP_SEARCH_BASE", "KCCONF_GRAPI_LDAP_BASEDN", "KCCONF_GRAPI_LDAP_BINDDN",
	"LDAP_BIND_DN", "LDAP_BASE_DN", "LDAP_SEARCH_BASE", "LDAP_BINDDN", "LDAP_BASEDN", "LDAP_BASE_SEARCH",
	"SASLAUTHD_LDAP_BIND_DN", "SASLAUTHD_LDAP_SEARCH_BASE",
}

// bindKeys are those of dnKeys that log in; Active Directory also takes user@domain and DOMAIN\user there.
var bindKeys = []string{"KCCONF_LDAP_LDAP_BIND_USER", "KCCONF_GRAPI_LDAP_BINDDN", "LDAP_BIND_DN", "LDAP_BINDDN", "SASLAUTHD_LDAP_BIND_DN"}

var (
	userAtDomain = regexp.MustCompile(`^[^\s@=,]+@[^\s@=,]+$`)
	domainUser   = regexp.MustCompile(`^[^\s\\=,]+\\[^\s\\=,]+$`)
)

func ldapDN(in *Input) []finding.Finding {
	return judge(in, keyed(dnKeys...), func(x sighting) *verdict {
		dn := x.text()
		if dn == "" {
			return nil
		}
		bind := slices.Contains(bindKeys, x.value.Key)
		if bind && (userAtDomain.MatchString(dn) || domainUser.MatchString(dn)) {
			return nil
		}
		if _, err := ldap.ParseDN(dn); err == nil {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + ", which is not a distinguished name.",
			consequence: "The directory refuses every search with it: no user is found, and nobody can log in.",
			remedy:      "Write attribute=value pairs with commas between them, for example " + x.name() + "=" + suggestDN(dn, bind),
		}
		if bind {
			v.consequence = "The directory refuses the login with it: no user is found, and nobody can log in."
		}
		return v
	})
}

func suggestDN(dn string, bind bool) string {
	base := "dc=example,dc=com"
	if domain := strings.TrimSpace(dn); hostLooksLikeDomain(domain) {
		base = "dc=" + strings.ReplaceAll(strings.ToLower(domain), ".", ",dc=")
	}
	if bind {
		return "cn=readonly," + base
	}
	return base
}

var domainOnly = regexp.MustCompile(`^[A-Za-z0-9-]{1,63}(\.[A-Za-z0-9-]{1,63}){1,8}$`)

func hostLooksLikeDomain(s string) bool { return domainOnly.MatchString(s) }

func ldapDomainInOnePiece(in *Input) []finding.Finding {
	return judge(in, keyed(dnKeys...), func(x sighting) *verdict {
		dn, err := ldap.ParseDN(x.text())
		if err != nil {
			return nil
		}
		for _, rdn := range dn.RDNs {
			for _, a := range rdn.Attributes {
				if strings.EqualFold(a.Type, "dc") && strings.Contains(a.Value, ".") {
					return &verdict{
						message:     x.name() + " is " + x.shown() + ": dc=" + shortened(a.Value) + " is one part with dots in it.",
						consequence: "The directory has no such entry, unless somebody made it just so: no user is found, and nobody can log in.",
						remedy:      "Write dc=" + strings.ReplaceAll(shortened(a.Value), ".", ",dc="),
					}
				}
			}
		}
		return nil
	})
}

// ldapURIKeys: the settings that hold the address of the directory with a scheme.
var ldapURIKeys = []string{"KCCONF_LDAP_LDAP_URI", "LDAP_SERVER_HOST", "LDAP_SERVER", "KCCONF_GRAPI_LDAP_URI", "LDAP_URI"}

// wantsScheme reports whether the setting cannot do without ldap://:
// docker-mailserver before 13 took a bare host in LDAP_SERVER_HOST (CHANGELOG, v13.0.0).
func wantsScheme(in *Input, x sighting) bool {
	if x.value.Key != "LDAP_SERVER_HOST" {
		return true
	}
	major, known := kopano.MailserverMajor(x.service.Image)
	return known && major >= 13
}

func ldapURI(in *Input) []finding.Finding {
	return judge(in, keyed(ldapURIKeys...), func(x sighting) *verdict {
		for uri := range strings.FieldsSeq(x.text()) {
			why := ldapURIFault(uri, wantsScheme(in, x))
			if why == "" {
				continue
			}
			return &verdict{
				message:     x.name() + " is " + x.shown() + ": " + why + ".",
				consequence: "The directory is not reached: no user is found, nobody can log in, and mail is not accepted.",
				remedy:      "Write " + x.name() + "=" + suggestLDAPURI(uri),
				write:       sameDirectory(x.text()),
			}
		}
		return nil
	})
}

func ldapURIFault(uri string, scheme bool) string {
	if strings.Count(uri, "://") > 1 {
		return "the scheme stands there twice"
	}
	if !strings.Contains(uri, "://") {
		if scheme {
			return "ldap:// or ldaps:// is missing in front"
		}
		uri = "ldap://" + uri
	}
	if strings.HasPrefix(uri, "ldapi://") {
		return "" // a socket, its path in percent signs, which net/url does not take for a host
	}
	u, err := url.Parse(uri)
	switch {
	case err != nil:
		return "it is not an address of the form ldap://host:port"
	case u.Scheme != "ldap" && u.Scheme != "ldaps":
		return "the scheme must be ldap or ldaps, not " + u.Scheme
	case u.Hostname() == "":
		return "there is no host"
	case u.Port() != "" && !isPort(u.Port()):
		return u.Port() + " is no port"
	}
	return ""
}

func suggestLDAPURI(uri string) string {
	scheme, host := "ldap", uri
	if i := strings.LastIndex(uri, "://"); i >= 0 {
		host = uri[i+3:]
		if strings.Contains(uri[:i], "ldaps") {
			scheme = "ldaps"
		}
	}
	host, _, _ = strings.Cut(host, "/")
	if name, port, ok := strings.Cut(host, ":"); name == "" || ok && !isPort(port) {
		host = name
	}
	if host == "" {
		host = "ldap:389"
	}
	return scheme + "://" + shortened(host)
}

// sameDirectory gives the address that is meant without doubt: a bare host with
// its scheme in front, or the one scheme that stands there twice. The port says
// which scheme it is.
func sameDirectory(text string) string {
	better := text
	switch scheme, rest, found := strings.Cut(text, "://"); {
	case !found && strings.HasSuffix(text, ":636"):
		better = "ldaps://" + text
	case !found:
		better = "ldap://" + text
	case strings.HasPrefix(rest, scheme+"://"):
		better = rest
	}
	if better == text || strings.ContainsAny(text, " \t") || ldapURIFault(better, true) != "" {
		return ""
	}
	return better
}

func ldapURIPath(in *Input) []finding.Finding {
	return judge(in, keyed(ldapURIKeys...), func(x sighting) *verdict {
		for uri := range strings.FieldsSeq(x.text()) {
			u, err := url.Parse(uri)
			if err != nil || ldapURIFault(uri, true) != "" || u.Path == "" || u.Path == "/" {
				continue
			}
			return &verdict{
				message:     x.name() + " is " + x.shown() + ": there is more than a host and a port.",
				consequence: "Some of the containers ignore the rest, others fail to connect.",
				remedy:      "Write " + x.name() + "=" + u.Scheme + "://" + u.Host + " and put the base into LDAP_SEARCH_BASE.",
			}
		}
		return nil
	})
}

// isFilterKey: settings that hold a search filter.
func isFilterKey(_ *deployment.Service, key string) bool {
	return strings.HasPrefix(key, "LDAP_QUERY_FILTER_") || key == "SASLAUTHD_LDAP_FILTER" ||
		strings.HasPrefix(key, "KCCONF_LDAP_LDAP_") && strings.HasSuffix(key, "_SEARCH_FILTER") ||
		strings.HasPrefix(key, "DOVECOT_") && strings.HasSuffix(key, "_FILTER") || key == "LDAP_FILTER"
}

// placeholders of Postfix (ldap_table(5)), saslauthd (LDAP_SASLAUTHD) and Dovecot.
var placeholder = regexp.MustCompile(`%([suUdDrnL1-9]|\{[a-z]+\}|[RL][a-z])`)

func ldapFilter(in *Input) []finding.Finding {
	return judge(in, isFilterKey, func(x sighting) *verdict {
		filter := strings.TrimSpace(x.text())
		if filter == "" {
			return nil
		}
		_, err := ldap.CompileFilter(placeholder.ReplaceAllString(filter, "x"))
		why := ""
		switch opened, closed := strings.Count(filter, "("), strings.Count(filter, ")"); {
		case strings.Contains(filter, "=%s=") || strings.Contains(filter, "%s=*"):
			// An old default of kopano-docker; it parses, and asks for nonsense.
			why = "an attribute is compared twice"
		case err == nil:
			return nil
		case opened > closed:
			why = "a closing parenthesis is missing"
		case opened < closed:
			why = "there is a closing parenthesis too many"
		case !strings.HasPrefix(filter, "("):
			why = "it does not begin with a parenthesis"
		default:
			why = "it does not follow the form (attribute=value)"
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ": " + why + ".",
			consequence: filterConsequence(x.value.Key),
			remedy:      "Correct the filter" + example(x.value.Key) + ".",
		}
	})
}

func filterConsequence(key string) string {
	switch {
	case strings.HasPrefix(key, "LDAP_QUERY_FILTER_"):
		return "Incoming mail is not accepted: senders get temporary errors."
	case strings.HasPrefix(key, "KCCONF_LDAP_"):
		return "kopano_server finds no users or groups: nobody can log in."
	default:
		return "Mail programs cannot log in to send mail."
	}
}

// example gives the filter that setup.sh writes for OpenLDAP.
func example(key string) string {
	switch key {
	case "LDAP_QUERY_FILTER_USER":
		return ", for example (&(kopanoAccount=1)(mail=%s))"
	case "LDAP_QUERY_FILTER_GROUP":
		return ", for example (&(objectclass=kopano-group)(mail=%s))"
	case "LDAP_QUERY_FILTER_ALIAS":
		return ", for example (&(kopanoAccount=1)(kopanoAliases=%s))"
	case "LDAP_QUERY_FILTER_DOMAIN":
		return ", for example (&(|(mail=*@%s)(kopanoAliases=*@%s)))"
	case "SASLAUTHD_LDAP_FILTER":
		return ", for example (&(kopanoAccount=1)(uid=%s))"
	}
	return ""
}

func ldapPlaceholder(in *Input) []finding.Finding {
	want := func(_ *deployment.Service, key string) bool { return strings.HasPrefix(key, "LDAP_QUERY_FILTER_") }
	return judge(in, want, func(x sighting) *verdict {
		if x.text() == "" || placeholder.MatchString(x.text()) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + " and has no %s in it.",
			consequence: "Every address gets the same answer: mail for unknown people is accepted, or mail for everybody is refused.",
			remedy:      "Put %s where the address belongs" + example(x.value.Key) + ".",
		}
	})
}

func ldapDomainBase(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.LDAP) {
		domain, hasDomain := s.Get("LDAP_DOMAIN")
		base, hasBase := s.Get("LDAP_BASE_DN")
		if !hasDomain || !hasBase || domain.Reveal() == "" || base.Reveal() == "" {
			continue
		}
		derived := domainOf(base.Reveal())
		want := strings.ToLower(domain.Reveal())
		if derived == "" || strings.HasSuffix(derived, want) {
			continue
		}
		odd, other := domain, base
		if searchesBelow(in, want) { // two against one
			odd, other = base, domain
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "LDAP_DOMAIN", Links: linksTo(in, s),
			Message:     "LDAP_DOMAIN is " + quote(domain.Reveal()) + ", but the base DN " + quote(base.Reveal()) + " belongs to the domain " + quote(derived) + ".",
			Consequence: "The directory stops when it is started for the first time: no users, no mail, no login.",
			Remedy:      "Write LDAP_DOMAIN=" + derived + ", or LDAP_BASE_DN=dc=" + strings.ReplaceAll(shortened(want), ".", ",dc="),
			Locations:   append(odd.Locations(), placed(other, finding.Related)...),
		})
	}
	return out
}

// searchesBelow reports whether a service looks for users in the tree of a domain.
func searchesBelow(in *Input, domain string) bool {
	for _, s := range in.Deployment.Services {
		for _, key := range []string{"LDAP_SEARCH_BASE", "KCCONF_LDAP_LDAP_SEARCH_BASE"} {
			if d := domainOf(value(s, key)); d != "" && d == domain {
				return true
			}
		}
	}
	return false
}

// domainOf makes a domain of the dc parts of a DN, as osixia/openldap does.
func domainOf(dn string) string {
	parsed, err := ldap.ParseDN(dn)
	if err != nil {
		return ""
	}
	var parts []string
	for _, rdn := range parsed.RDNs {
		for _, a := range rdn.Attributes {
			if strings.EqualFold(a.Type, "dc") {
				parts = append(parts, strings.ToLower(a.Value))
			}
		}
	}
	return strings.Join(parts, ".")
}

func ldapCleartext(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, e := range in.Topology.Edges {
		if e.Link == nil || e.Link.Protocol != kopano.ProtoLDAP || !e.Outside || e.Addr.Scheme != "ldap" || e.Addr.Host == "" || len(e.Addr.Values) == 0 {
			continue
		}
		if in.Topology.Role(e.From) != kopano.Server || value(e.From, "KCCONF_LDAP_LDAP_STARTTLS") == "yes" || e.Addr.Host == "localhost" || strings.HasPrefix(e.Addr.Host, "127.") {
			continue
		}
		out = append(out, finding.Finding{
			Subject: e.From.Name, Key: "ldap",
			Message:     "The directory " + quote(e.Addr.Host) + " is outside this deployment and is spoken to without encryption.",
			Consequence: "Everyone on the way can read the passwords of all who log in.",
			Remedy:      "Use ldaps://" + shortened(e.Addr.Host) + ", or set KCCONF_LDAP_LDAP_STARTTLS=yes on " + e.From.Name + ".",
			Locations:   e.Locations(),
		})
	}
	return out
}

func ldapMix(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Server) {
		include, ok := s.Get("KCUNCOMMENT_LDAP_1")
		bind, bound := s.Get("KCCONF_LDAP_LDAP_BIND_USER")
		if !ok {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "include",
			Consequence: "Users are not found, or are taken for new ones and get empty mailboxes.",
			Remedy:      "Swap the values of KCUNCOMMENT_LDAP_1 and KCCOMMENT_LDAP_1, before users are synchronised.",
			Locations:   include.Locations(),
		}
		directory := bundledDirectory(in, s)
		switch {
		case bound && strings.Contains(include.Reveal(), "openldap") && looksLikeAD(bind.Reveal()):
			f.Message = "The login " + quote(bind.Reveal()) + " is one of Active Directory, but the OpenLDAP settings are switched on."
			f.Locations = append(f.Locations, placed(bind, finding.Related)...)
		case directory != nil && asksAD(s):
			f.Message = directory.To.Name + " is an OpenLDAP, but the settings for Active Directory are switched on."
			f.Consequence = "No user is found: nobody can log in, and the address book is empty."
			f.Links = []string{directory.ID}
			f.Locations = append(f.Locations, related(addressPlaces(directory)...)...)
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

// bundledDirectory gives a storage server's link to the OpenLDAP that comes along, or nil.
func bundledDirectory(in *Input, s *deployment.Service) *kopano.Edge {
	for _, e := range in.Topology.EdgesOf("server-ldap") {
		if e.From == s && bundled(in, e) {
			return e
		}
	}
	return nil
}

// looksLikeAD: user@domain and DOMAIN\user are forms that only Active
// Directory takes, and CN=Users is where it keeps its accounts.
func looksLikeAD(bind string) bool {
	return userAtDomain.MatchString(bind) || domainUser.MatchString(bind) || strings.Contains(strings.ToLower(bind), ",cn=users,")
}

func ldapHosted(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Server, "KCCONF_SERVER_ENABLE_HOSTED_KOPANO"), func(x sighting) *verdict {
		on := strings.ToLower(x.text())
		if on != "yes" && on != "true" && on != "1" || has(x.service, "KCCONF_LDAP_LDAP_COMPANY_TYPE_ATTRIBUTE_VALUE") || value(x.service, "KCCONF_SERVER_USER_PLUGIN") != "ldap" {
			return nil
		}
		return &verdict{
			message:     "Several companies are switched on, but KCCONF_LDAP_LDAP_COMPANY_TYPE_ATTRIBUTE_VALUE is not set.",
			consequence: "Every organizational unit of the directory becomes a company of its own, and its people see only themselves.",
			remedy:      "Set KCCONF_LDAP_LDAP_COMPANY_TYPE_ATTRIBUTE_VALUE to the class of your companies, kopano-company in the demo directory.",
		}
	})
}
