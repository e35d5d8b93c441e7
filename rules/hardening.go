package rules

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// hardeningRules are about settings that leave a door open.
func hardeningRules() []Rule {
	return []Rule{
		{
			ID: "tls-version-weak", Fixable: true, Subject: "security", Severity: finding.Warning,
			Title:  "An old TLS is allowed, or one that does not exist",
			Why:    "kopano_server, kopano_gateway and kopano_ical know the words ssl3, tls1.0, tls1.1, tls1.2 and tls1.3, in small letters, and take tls1.2 unless told otherwise. TLS 1.0 and 1.1 have been withdrawn.",
			Source: "kopano-core common/SSLUtil.cpp, ec_tls_minproto; RFC 8996",
			Check:  tlsVersion,
		},
		{
			ID: "tls-ciphers-weak", Subject: "security", Severity: finding.Warning,
			Title:  "Ciphers that can be broken are switched on",
			Why:    "A list of ciphers that is set by hand takes the place of kopano-core's own, which leaves out the weak ones and is kept up to date with the release.",
			Source: "kopano-core common/include/kopano/SSLUtil.h, KC_DEFAULT_CIPHERLIST; RFC 7525 section 4.1",
			Check:  tlsCiphers,
		},
		{
			ID: "mail-tls-intermediate", Subject: "security", Severity: finding.Info,
			Title:  "The mail server takes TLS 1.0 and 1.1",
			Why:    "TLS_LEVEL=intermediate makes Postfix and Dovecot of docker-mailserver offer TLS versions that have been withdrawn; modern, which holds when nothing is set, starts at TLS 1.2.",
			Source: "docker-mailserver documentation, environment, TLS_LEVEL; RFC 8996",
			Check:  mailTLS,
		},
		{
			ID: "dynamic-client-registration", Subject: "security", Severity: finding.Info,
			Title:  "Everybody may register programs at the login service",
			Why:    "With allow_dynamic_client_registration=yes konnect takes a new program from anybody who asks, without a password. Kopano's own programs are registered in konnectd-identifier-registration.yaml and do not need it; kopano-docker switches it on for trying out.",
			Source: "kopano-docker docker-compose.yml, kopano_konnect; OpenID Connect Dynamic Client Registration 1.0",
			Check:  dynamicRegistration,
		},
		{
			ID: "database-root-open", Subject: "security", Severity: finding.Warning,
			Title:  "The database's administrator has no password",
			Why:    "MYSQL_ALLOW_EMPTY_PASSWORD and MARIADB_ALLOW_EMPTY_ROOT_PASSWORD count as yes with any text, also with no, when no password is given (MariaDB/mariadb-docker, docker-entrypoint.sh).",
			Source: "MariaDB/mariadb-docker docker-entrypoint.sh",
			Check:  databaseRootOpen,
		},
		{
			ID: "ldap-demo-in-use", Subject: "security", Severity: finding.Warning,
			Title:  "The directory with demo users runs under a real name",
			Why:    "kopano_ldap_demo comes with 23 users whose password is their own name; user23 is an administrator. kopano_ldap is the same directory without users.",
			Source: "kopano-docker ldap_demo/README.md",
			Check:  demoDirectory,
		},
		{
			ID: "ldap-bind-administrator", Subject: "security", Severity: finding.Info,
			Title:  "A service logs in to the directory as its administrator",
			Why:    "kopano_server and the mail server only read. LDAP_READONLY_USER=true makes the bundled directory create an account for that, which setup.sh uses.",
			Source: "kopano-docker docker-compose.ldap.yml and setup.sh",
			Check:  bindAdministrator,
		},
		{
			ID: "ldap-certificate-unchecked", Subject: "security", Severity: finding.Warning,
			Title:  "The directory's certificate is not checked",
			Why:    "OpenLDAP's library, with which kopano_server, Postfix and PHP talk to the directory, takes LDAPTLS_REQCERT from the environment; never and allow make it accept any certificate, demand is what it does by itself.",
			Source: "OpenLDAP ldap.conf(5), TLS_REQCERT; osixia/docker-phpLDAPadmin README",
			Check:  ldapUnchecked,
		},
		{
			ID: "webapp-cookies-insecure", Fixable: true, Subject: "security", Severity: finding.Warning,
			Title:  "WebApp's login cookie is sent without TLS too",
			Why:    "SECURE_COOKIES keeps browsers from sending the session over plain http; WebApp has it on, and with it refuses a login without https.",
			Source: "Kopano WebApp config.php.dist, SECURE_COOKIES",
			Check:  insecureCookies,
		},
		{
			ID: "s3-cleartext", Subject: "security", Severity: finding.Warning,
			Title:  "Attachments travel to S3 in clear text",
			Why:    "KCCONF_SERVER_ATTACHMENT_S3_PROTOCOL=http sends every attachment as it is; https is what kopano_server takes when nothing is set.",
			Source: "kopano-core ECServer.cpp, attachment_s3_protocol",
			Check:  s3Cleartext,
		},
	}
}

// tlsSettings: the setting of the oldest TLS version, by role, and the one that makes the service speak TLS.
var tlsSettings = map[kopano.Role]struct{ version, ciphers, listen string }{
	kopano.Server:  {"KCCONF_SERVER_SERVER_TLS_MIN_PROTO", "KCCONF_SERVER_SERVER_SSL_CIPHERS", "KCCONF_SERVER_SERVER_LISTEN_TLS"},
	kopano.Gateway: {"KCCONF_GATEWAY_TLS_MIN_PROTO", "KCCONF_GATEWAY_SSL_CIPHERS", "KCCONF_GATEWAY_IMAPS_LISTEN"},
	kopano.Ical:    {"KCCONF_ICAL_TLS_MIN_PROTO", "KCCONF_ICAL_SSL_CIPHERS", "KCCONF_ICAL_ICALS_LISTEN"},
}

func tlsVersion(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool { return tlsSettings[in.Topology.Role(s)].version == key }
	return judge(in, want, func(x sighting) *verdict {
		v := &verdict{remedy: "Delete the line, or write " + x.name() + "=tls1.2", write: "tls1.2"}
		switch x.text() {
		case "", "tls1.2", "tls1.3": // an empty one is kcconf-empty-refused's
			return nil
		case "ssl3", "tls1.0", "tls1.1":
			v.message = x.name() + " is " + x.shown() + ", a version that has been withdrawn."
			v.consequence = "Passwords and mail can be read on the way where a program still uses it."
		default:
			v.message = x.name() + " is " + x.shown() + "; the words are tls1.0, tls1.1, tls1.2 and tls1.3."
			v.consequence = "The service cannot open its port with TLS."
			if in.Topology.Role(x.service) == kopano.Server && has(x.service, "KCCONF_SERVER_SERVER_LISTEN_TLS") {
				v.severity, v.stops = finding.Error, true
				v.consequence = x.service.Name + " does not start, and nobody gets mail."
			}
		}
		return v
	})
}

// weakCiphers are the parts of OpenSSL's names for ciphers that can be broken
// or do not encrypt at all.
var weakCiphers = []string{"RC4", "DES", "MD5", "NULL", "EXP", "LOW", "ADH", "AECDH", "SSLV2"}

func tlsCiphers(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool { return tlsSettings[in.Topology.Role(s)].ciphers == key }
	return judge(in, want, func(x sighting) *verdict {
		weak := weakIn(x.text())
		if len(weak) == 0 {
			return nil
		}
		return &verdict{
			message:     x.name() + " switches on " + list(weak, 4) + ".",
			consequence: "Passwords and mail can be read on the way where a program agrees to one of these.",
			remedy:      "Delete the line: kopano-core's own list leaves them out.",
		}
	})
}

// weakIn gives the words of a list of ciphers that switch on a weak one.
func weakIn(ciphers string) []string {
	var out []string
	words := strings.FieldsFunc(ciphers, func(r rune) bool { return strings.ContainsRune(":, ", r) })
	for _, w := range words {
		if strings.ContainsAny(w[:1], "!-+@") || slices.Contains(words, "!"+w) || slices.Contains(words, "-"+w) {
			continue
		}
		up := strings.ToUpper(w)
		if slices.ContainsFunc(weakCiphers, func(bad string) bool { return strings.Contains(up, bad) }) {
			out = append(out, w)
		}
	}
	return out
}

func mailTLS(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Mail, "TLS_LEVEL"), func(x sighting) *verdict {
		if x.text() != "intermediate" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is intermediate, which allows TLS 1.0 and 1.1.",
			consequence: "Passwords of mail programs that use them can be read on the way.",
			remedy:      "Write " + x.name() + "=modern, unless an old device sends its mail here.",
		}
	})
}

func dynamicRegistration(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Konnect, "allow_dynamic_client_registration"), func(x sighting) *verdict {
		if x.text() != "yes" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is yes: anybody may register a program at https://FQDN that asks users to log in.",
			consequence: "Users can be led to a foreign program that asks for access to their mail under your name.",
			remedy:      "Write " + x.name() + "=no, unless a program of yours registers itself.",
		}
	})
}

// openRoot are the settings that allow an administrator without a password.
var openRoot = []string{"MYSQL_ALLOW_EMPTY_PASSWORD", "MARIADB_ALLOW_EMPTY_ROOT_PASSWORD"}

func databaseRootOpen(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Database, openRoot...), func(x sighting) *verdict {
		if x.text() == "" {
			return nil
		}
		for _, prefix := range []string{"MYSQL_", "MARIADB_"} {
			for _, given := range []string{"ROOT_PASSWORD", "ROOT_PASSWORD_FILE", "RANDOM_ROOT_PASSWORD", "ROOT_PASSWORD_HASH"} {
				if has(x.service, prefix+given) {
					return nil
				}
			}
		}
		return &verdict{
			message:     x.name() + " is set and no password of root is given, so root of the database has none.",
			consequence: "Every container that reaches the database can read and delete all mail.",
			remedy:      "Delete it and write MYSQL_ROOT_PASSWORD=${MYSQL_ROOT_PASSWORD}. A database that exists keeps its root without one until you set it there: ALTER USER root@'%' IDENTIFIED BY '…'.",
		}
	})
}

// trialNames are ends of host names that no public deployment has.
var trialNames = []string{".demo", ".test", ".example", ".invalid", ".localhost", ".local", ".localdomain", ".lan", ".internal", ".home.arpa"}

func demoDirectory(in *Input) []finding.Finding {
	web := firstService(in, kopano.Web)
	if web == nil || !has(web, "FQDN") {
		return nil
	}
	fqdn := web.Env["FQDN"]
	host := strings.ToLower(hostOf(fqdn.Reveal()))
	if _, err := netip.ParseAddr(host); err == nil || !strings.Contains(host, ".") || slices.ContainsFunc(trialNames, func(end string) bool { return strings.HasSuffix(host, end) }) {
		return nil
	}
	if (sighting{web, fqdn}).unresolved() {
		return nil
	}
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.LDAP) {
		if !kopano.ParseImage(s.Image).Is("kopano_ldap_demo") {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "demo",
			Message:     s.Name + " is the directory with the demo users, while web answers to " + quote(host) + ".",
			Consequence: "Anybody can log in as user1 to user23, whose passwords are their names; user23 may do everything.",
			Remedy:      "Write LDAP_CONTAINER=kopano_ldap in .env for a directory without users, before there is real mail. Where the directory has been in use, delete the demo users instead.",
			Locations:   append([]finding.Location{s.Locate("image").As(finding.Fix)}, placed(fqdn, finding.Related)...),
		})
	}
	return out
}

func bindAdministrator(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		switch in.Topology.Role(s) {
		case kopano.Server:
			return key == "KCCONF_LDAP_LDAP_BIND_USER"
		case kopano.Mail:
			return key == "LDAP_BIND_DN" || key == "SASLAUTHD_LDAP_BIND_DN"
		}
		return false
	}
	return judge(in, want, func(x sighting) *verdict {
		first, _, _ := strings.Cut(x.text(), ",")
		switch strings.ToLower(strings.ReplaceAll(first, " ", "")) {
		case "cn=admin", "cn=manager", "cn=administrator":
		default:
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", the administrator of the directory, though the service only reads.",
			consequence: "Whoever finds a hole in the mail server or in kopano_server can change every user's password.",
			remedy:      "Log in with an account that only reads; the bundled directory makes one with LDAP_READONLY_USER=true, on an empty volume: " + x.name() + "=cn=readonly,${LDAP_BASE_DN}",
		}
	})
}

func ldapUnchecked(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		switch in.Topology.Role(s) {
		case kopano.Server, kopano.Mail, kopano.PasswordSelf, kopano.LDAPAccountManager:
			return key == "LDAPTLS_REQCERT"
		case kopano.LDAPAdmin:
			return key == "LDAPTLS_REQCERT" || key == "PHPLDAPADMIN_LDAP_CLIENT_TLS_REQCERT"
		}
		return false
	}
	return judge(in, want, func(x sighting) *verdict {
		if low := strings.ToLower(x.text()); low != "never" && low != "allow" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", so any certificate passes for the directory's.",
			consequence: "Whoever stands in between can pretend to be the directory: they get the passwords of all users who log in.",
			remedy:      "Mount the certificate of the authority that signed the directory's, name it in LDAPTLS_CACERT=/path/ca.pem, and delete " + x.name() + ".",
		}
	})
}

func insecureCookies(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Webapp, "KCCONF_WEBAPP_SECURE_COOKIES"), func(x sighting) *verdict {
		if strings.ToLower(x.text()) != "false" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is false.",
			consequence: "A browser that is led to http://FQDN once sends the session along, and whoever listens can read that user's mail.",
			remedy:      "Delete the line, or write " + x.name() + "=true",
			write:       "true",
		}
	})
}

func s3Cleartext(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Server, "KCCONF_SERVER_ATTACHMENT_S3_PROTOCOL"), func(x sighting) *verdict {
		host := value(x.service, "KCCONF_SERVER_ATTACHMENT_S3_HOSTNAME")
		if x.text() != "http" || value(x.service, "KCCONF_SERVER_ATTACHMENT_STORAGE") != "s3" || !beyondHost(in, x.service, host) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is http, and " + quote(host) + " is outside this deployment.",
			consequence: "Every attachment that users send or get can be read on the way.",
			remedy:      "Write " + x.name() + "=https",
		}
	})
}

// beyondHost reports whether a host is surely neither a container nor in a private network.
func beyondHost(in *Input, from *deployment.Service, host string) bool {
	host, _, _ = strings.Cut(host, ":")
	if to, _ := in.Topology.LookupHost(from, host); to != nil || !strings.Contains(host, ".") {
		return false
	}
	if slices.ContainsFunc(trialNames, func(end string) bool { return strings.HasSuffix(host, end) }) {
		return false
	}
	a, err := netip.ParseAddr(host)
	return err != nil || !a.IsPrivate() && !a.IsLoopback()
}
