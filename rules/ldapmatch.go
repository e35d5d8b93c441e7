package rules

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// ldapMatchRules compare what the directory is with what is asked of it, and
// what kopano_server asks with what the mail server asks.
func ldapMatchRules() []Rule {
	return []Rule{
		{
			ID: "ldap-ca-missing", Subject: "directory", Severity: finding.Warning,
			Title: "Nothing knows the authority behind the directory's certificate",
			Why: "A name that is known in the house only has a certificate of the house's own authority. OpenLDAP's library trusts the authorities that /etc/ldap/ldap.conf names, " +
				"or LDAPTLS_CACERT, and the image knows the public ones only.",
			Source: "kopano-core installer/linux/ldap.cfg; OpenLDAP ldap.conf(5); docker-mailserver issue 2190",
			Check:  ldapCA,
		},
		{
			ID: "ldap-tls-bundled", Subject: "directory", Severity: finding.Warning,
			Title:  "TLS to the bundled directory asks for a certificate that nobody has",
			Why:    "osixia/openldap wants a certificate from everybody who speaks TLS with it (LDAP_TLS_VERIFY_CLIENT is demand unless it is set), and signs its own with an authority that only it knows.",
			Source: "osixia/docker-openldap 1.3.0 environment/default.startup.yaml",
			Check:  ldapTLSBundled,
		},
		{
			ID: "ldap-two-directories", Subject: "directory", Severity: finding.Warning,
			Title:  "kopano_server and the mail server ask different directories",
			Why:    "Who has a mailbox is in the one that kopano_server asks, and for whom mail is taken in is in the one that the mail server asks. setup.sh writes one address for both, LDAP_SERVER.",
			Source: "kopano-docker setup.sh, docker-compose.yml, docker-compose.mail.yml",
			Check:  ldapTwoDirectories,
		},
		{
			ID: "ldap-user-filters-differ", Subject: "directory", Severity: finding.Info,
			Title: "kopano_server and the mail server do not mean the same people",
			Why: "Left alone, kopano_server takes every posixAccount (every user of Active Directory) for a user, whether or not kopanoAccount is 1; setup.sh lets the mail server ask for kopanoAccount=1. " +
				"Whoever is in one set only has a mailbox without mail, or mail without a mailbox.",
			Source: "kopano-core installer/linux/ldap.m4, provider/plugins/LDAPUserPlugin.cpp; kopano-docker setup.sh",
			Check:  ldapUserFilters,
		},
		{
			ID: "ldap-active-directory-filters", Subject: "directory", Severity: finding.Warning,
			Title:  "A mail filter asks Active Directory for what only OpenLDAP has",
			Why:    "Accounts of Active Directory are of the class user and their login name is sAMAccountName; posixAccount, posixGroup and kopano-group are classes of OpenLDAP's tree, and uid is mostly empty.",
			Source: "kopano-core installer/linux/ldap.m4; kopano-docker setup.sh",
			Check:  ldapADFilters,
		},
	}
}

// speaksTLS reports whether a link to the directory is encrypted, and the
// setting that makes it so.
func speaksTLS(e *kopano.Edge) (sighting, bool) {
	x, ok := hostSetting(e)
	if ok && e.Addr.Scheme == "ldaps" {
		return x, true
	}
	for _, key := range []string{"KCCONF_LDAP_LDAP_STARTTLS", "LDAP_START_TLS"} {
		if v, set := e.From.Get(key); set && v.Reveal() == "yes" {
			return sighting{e.From, v}, true
		}
	}
	return sighting{}, false
}

// isPrivateHost reports whether no public authority certifies a host's name.
// Names for documents (RFC 2606) stand for whatever the reader has.
func isPrivateHost(host string) bool {
	if strings.HasSuffix(host, ".example") || strings.HasSuffix(host, ".invalid") {
		return false
	}
	if addr, err := netip.ParseAddr(host); err == nil {
		return addr.IsPrivate()
	}
	return slices.ContainsFunc(privateEndings, func(end string) bool { return strings.HasSuffix(strings.ToLower(host), "."+end) })
}

func ldapCA(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "server-ldap" || e.To != nil || !e.Outside || !isPrivateHost(e.Addr.Host) {
			return nil
		}
		x, encrypted := speaksTLS(e)
		// An image of somebody's own may have the authority in it.
		if !encrypted || !kopano.ParseImage(e.From.Image).Is("zokradonh/kopano_core") || knowsOwnCA(e.From) {
			return nil
		}
		return &fault{
			key:         "ca",
			message:     x.name() + " is " + x.shown() + ": TLS with a server of the house, but nothing tells " + e.From.Name + " the authority that signed its certificate.",
			consequence: "If that authority is the house's own, the connection is refused (\"Can't contact LDAP server\"): nobody can log in, and the address book is empty.",
			remedy: "Mount the authority's certificate and set LDAPTLS_CACERT to its path on " + e.From.Name + ", for example LDAPTLS_CACERT=/etc/ldap/ca.pem with ./ca.pem:/etc/ldap/ca.pem:ro. " +
				"The mail server needs it too.",
			places: x.value.Locations(),
		}
	})
}

// knowsOwnCA reports whether something is mounted or set that may tell a
// container of further authorities.
func knowsOwnCA(s *deployment.Service) bool {
	for _, file := range []string{"/etc/ldap/ldap.conf", "/etc/ssl/certs/ca-certificates.crt", "/usr/local/share/ca-certificates/x.crt", "/root/.ldaprc"} {
		if mountOver(s, file) != "" {
			return true
		}
	}
	for _, v := range s.Volumes {
		if strings.HasPrefix(v.Target, "/etc/ldap/") || strings.HasPrefix(v.Target, "/etc/ssl/") || strings.HasPrefix(v.Target, "/usr/local/share/ca-certificates") {
			return true
		}
	}
	return slices.ContainsFunc(s.Keys(), func(key string) bool {
		return strings.HasPrefix(key, "LDAPTLS_") || key == "LDAPCONF" || key == "LDAPRC"
	})
}

func ldapTLSBundled(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.To != kopano.LDAP || e.From == nil || !bundled(in, e) {
			return nil
		}
		x, encrypted := speaksTLS(e)
		verify := strings.ToLower(value(e.To, "LDAP_TLS_VERIFY_CLIENT"))
		if !encrypted || verify != "" && verify != "demand" && verify != "hard" {
			return nil
		}
		f := &fault{
			key:     "tls " + x.value.Key,
			message: x.name() + " is " + x.shown() + ", but " + e.To.Name + " speaks TLS only with those who show a certificate, and nobody here has one.",
			remedy:  "Write ldap://" + e.Addr.Host + ":389 and no StartTLS: both are on one host, and nobody is on the way. Or set LDAP_TLS_VERIFY_CLIENT=try on " + e.To.Name + ", and give " + e.From.Name + " the authority of its certificate.",
			places:  x.value.Locations(),
		}
		if v, ok := e.To.Get("LDAP_TLS_VERIFY_CLIENT"); ok {
			f.places = append(f.places, placed(v, finding.Related)...)
		}
		return f
	})
}

func ldapTwoDirectories(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "mail-ldap" && e.Link.ID != "mail-ldap-login" {
			return nil
		}
		servers := in.Topology.EdgesOf("server-ldap")
		if len(servers) == 0 {
			return nil
		}
		server := servers[0] // several servers of one Kopano share a directory
		mine, theirs := directoryOf(e), directoryOf(server)
		if mine == "" || theirs == "" || mine == theirs || e.To != nil == (server.To != nil) {
			return nil // two outside may be copies of each other
		}
		f := &fault{
			key:         "directory",
			message:     e.From.Name + " asks the directory " + quote(mine) + ", but " + server.From.Name + " asks " + quote(theirs) + ".",
			consequence: "Mail for people of the one is refused, and mail for people of the other comes back to its sender.",
			remedy:      "Write one address for both: LDAP_SERVER in .env.",
			places:      append(addressPlaces(e), related(addressPlaces(server)...)...),
		}
		if e.Link.ID == "mail-ldap-login" {
			f.key = "login"
			f.message = e.From.Name + " checks passwords in the directory " + quote(mine) + ", but " + server.From.Name + " asks " + quote(theirs) + "."
			f.consequence = "Users cannot send from mail programs: the password that they know from WebApp is refused."
			f.remedy = "Write one host into both: LDAP_HOST in .env is LDAP_SERVER without the scheme."
			if major, known := kopano.MailserverMajor(e.From.Image); known && major >= 13 {
				f.remedy = "Write one address for both: LDAP_SERVER in .env."
			}
		}
		return f
	})
}

// directoryOf names the directory that a link leads to: a service, or a host
// outside; "" when that cannot be told.
func directoryOf(e *kopano.Edge) string {
	switch {
	case len(e.Addr.Values) == 0:
		return ""
	case e.To != nil:
		return e.To.Name
	case e.Outside:
		return e.Addr.Host
	}
	return ""
}

// asksKopano reports whether a filter asks for an attribute or class of Kopano.
func asksKopano(filter string) bool { return strings.Contains(strings.ToLower(filter), "kopano") }

func ldapUserFilters(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		servers := in.Topology.EdgesOf("server-ldap")
		if e.Link.ID != "mail-ldap" || len(servers) != 1 {
			return nil
		}
		server := servers[0].From
		mail, set := e.From.Get("LDAP_QUERY_FILTER_USER")
		theirs, explicit := server.Get("KCCONF_LDAP_LDAP_USER_SEARCH_FILTER")
		if !set || mail.Reveal() == "" || (sighting{e.From, mail}).unresolved() || (sighting{server, theirs}).unresolved() || !configured(server) {
			return nil
		}
		f := &fault{key: "users", places: append(mail.Locations(), placed(theirs, finding.Related)...)}
		m, s := asksKopano(mail.Reveal()), asksKopano(theirs.Reveal())
		switch {
		// In the tree that comes along, everybody is Kopano's.
		case m && !s && servers[0].To == nil:
			f.subject = server.Name
			f.message = (sighting{e.From, mail}).name() + " asks for people of Kopano only, but " + server.Name + " takes everybody in the directory."
			f.consequence = "People without kopanoAccount=1 get a mailbox and stand in the address book, but mail to them from outside is refused."
			f.remedy = "Set KCCONF_LDAP_LDAP_USER_SEARCH_FILTER=(|(kopanoAccount=1)(objectClass=kopano-contact)) on " + server.Name + ". Read first what happens to mailboxes of those who drop out (user_safe_mode)."
			f.places = []finding.Location{server.Locate("environment").As(finding.Fix)}
			if explicit {
				f.places = theirs.Locations()
			}
			f.places = append(f.places, placed(mail, finding.Related)...)
		case !m && s:
			f.severity = finding.Warning
			f.message = (sighting{e.From, mail}).name() + " asks for everybody with the address, but " + server.Name + " knows people of Kopano only."
			f.consequence = "Mail for people who have no mailbox is taken in and comes back later, often to somebody who never sent it."
			f.remedy = "Write (&(kopanoAccount=1)(mail=%s))."
		default:
			return nil
		}
		return f
	})
}

// notInAD are what a filter says that fits OpenLDAP's tree only, and what says
// the same to Active Directory.
var notInAD = []struct{ asks, instead string }{
	{"objectclass=posixaccount", "objectClass=user"},
	{"objectclass=posixgroup", "objectClass=group"},
	{"objectclass=kopano-group", "objectClass=group"},
	{"(uid=", "sAMAccountName="},
}

// asksAD reports whether the settings for Active Directory are switched on.
func asksAD(s *deployment.Service) bool {
	return strings.Contains(value(s, "KCUNCOMMENT_LDAP_1"), "active-directory")
}

func ldapADFilters(in *Input) []finding.Finding {
	ad := slices.ContainsFunc(in.Topology.EdgesOf("server-ldap"), func(e *kopano.Edge) bool { return e.To == nil && asksAD(e.From) })
	if !ad {
		return nil
	}
	want := func(s *deployment.Service, key string) bool {
		return in.Topology.Role(s) == kopano.Mail && strings.HasPrefix(key, "LDAP_QUERY_FILTER_") ||
			key == "SASLAUTHD_LDAP_FILTER" && strings.Contains(value(s, "SASLAUTHD_MECHANISMS"), "ldap")
	}
	return judge(in, want, func(x sighting) *verdict {
		filter := strings.ToLower(strings.ReplaceAll(x.text(), " ", ""))
		for _, n := range notInAD {
			if !strings.Contains(filter, n.asks) {
				continue
			}
			asks := strings.TrimPrefix(n.asks, "(")
			consequence := "Senders from outside are told that there is no such address."
			if x.value.Key == "SASLAUTHD_LDAP_FILTER" {
				consequence = filterConsequence(x.value.Key)
			}
			return &verdict{
				message:     x.name() + " is " + x.shown() + ": it asks for " + asks + ", which entries of Active Directory do not have.",
				consequence: consequence,
				remedy:      "Write " + n.instead + " in place of " + asks + ".",
			}
		}
		return nil
	})
}
