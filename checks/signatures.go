package checks

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// Signature is a line that a program writes into its log when something is
// wrong, and what that explains.
type Signature struct {
	Role     kopano.Role // whose log; Unknown: anybody's
	Pattern  string      // regular expression, without regard to case
	Means    string      // one sentence
	Links    []string    // kinds of links (kopano.Link.ID) that begin or end at the service and are explained when broken
	Stops    bool        // the service does not work: every link to it is explained as well
	NamesEnd bool        // any link from the service, when the line names the host that it calls
	Over     string      // regular expression: a later line that says that it is over; "" when none does
	Reasons  []Reason    // the failures of those links that are explained; nil: all
	Source   string      // where the line comes from

	pattern, over *regexp.Regexp
}

// explains reports whether a line explains why a link is broken. There tells
// that the log is of the end that is called.
func (s *Signature) explains(e *kopano.Edge, there bool, why Reason, line string) bool {
	if len(s.Reasons) > 0 && !slices.Contains(s.Reasons, why) {
		return false
	}
	switch {
	case slices.Contains(s.Links, e.Link.ID), there && s.Stops && calls(e, why):
		return true
	case !there && s.NamesEnd:
		return e.Addr.Host != "" && strings.Contains(line, e.Addr.Host)
	}
	return false
}

// calls reports whether a link fails when the called service does not work:
// not one that is a file, and not for a certificate, which the service has shown.
func calls(e *kopano.Edge, why Reason) bool {
	switch e.Protocol {
	case kopano.ProtoFile, kopano.ProtoLocal:
		return false
	}
	return e.From != e.To && !strings.HasPrefix(string(why), "tls-")
}

// Signatures gives the table, for the reference and the tests.
func Signatures() []Signature { return slices.Clone(signatures) }

// signatures is ordered: of several that a line has, the first counts.
var signatures = compiled([]Signature{
	// kopano_server
	{Role: kopano.Server, Pattern: `access denied for user`, Stops: true, Links: []string{"server-database"}, Over: `startup succeeded`,
		Means: "The database refuses the user or the password.", Source: "MariaDB error 1045, printed by kopano-server, provider/libserver/ECDatabaseMySQL.cpp"},
	{Role: kopano.Server, Pattern: `unknown mysql server host`, Stops: true, Links: []string{"server-database"}, Over: `startup succeeded`,
		Means: "The database's host name does not resolve.", Source: "MariaDB client error 2005"},
	{Role: kopano.Server, Pattern: `unknown database`, Stops: true, Links: []string{"server-database"}, Over: `startup succeeded`,
		Means: "The database server has no database of that name.", Source: "MariaDB error 1049"},
	{Role: kopano.Server, Pattern: `failed to connect to database|can't connect to (mysql|mariadb|(local )?server)|lost connection to (mysql|server)|server has gone away`, Stops: true, Links: []string{"server-database"}, Over: `startup succeeded`,
		Means: "kopano_server has no connection to its database.", Source: "kopano-server, common/database.cpp; MariaDB client errors 2002, 2003, 2006, 2013"},
	{Role: kopano.Server, Pattern: `database version is newer`, Stops: true, Links: []string{"server-database"}, Over: `startup succeeded`,
		Means: "The database was used by a newer release of Kopano; this one does not open it.", Source: "kopano-server, provider/libserver/ECDatabaseMySQL.cpp"},
	{Role: kopano.Server, Pattern: `(ldap|bind).*invalid credentials`, Links: []string{"server-ldap"},
		Means: "The directory refuses kopano_server's bind DN or password.", Source: "kopano-server, provider/plugins/LDAPUserPlugin.cpp; LDAP result 49"},
	{Role: kopano.Server, Pattern: `cannot instantiate user plugin|connecting any of the ldap servers|can't contact ldap server`, Links: []string{"server-ldap"},
		Means: "kopano_server cannot use its directory, so nobody can log in.", Source: "kopano-server, provider/libserver/ECPluginFactory.cpp; LDAPUserPlugin.cpp"},
	{Role: kopano.Server, Pattern: `kcoid\w* .*(failed to initialize|discovery error)|kcoid discovery error`, Stops: true, Links: []string{"server-issuer"}, Over: `startup succeeded`,
		Means: "kopano_server cannot read the issuer's discovery document, and ends when that lasts.", Source: "kopano-server, provider/server/ECServer.cpp"},
	{Role: kopano.Server, Pattern: `unable to bind.*address already in use|address already in use`, Stops: true,
		Means: "Another program has the port already.", Source: "kopano-server; errno EADDRINUSE"},
	{Role: kopano.Server, Pattern: `attachment.*(permission denied|no such file|read-only file system|no space left)`, Links: []string{"server-attachments"},
		Means: "kopano_server cannot use the folder of the attachments.", Source: "kopano-server, provider/libserver/ECAttachmentStorage.cpp"},

	// The programs that log in to kopano_server
	{Role: kopano.Dagent, Pattern: `getsession failed|hrlogon|unable to login for user "?system|network error \(80040115\)`, Stops: true, Links: []string{"dagent-server", "mail-dagent"},
		Means: "kopano_dagent cannot log in to kopano_server, so it takes no mail.", Source: "kopano-dagent, spooler/DAgent.cpp"},
	{Role: kopano.Spooler, Pattern: `hrlogon|unable to login for user "?system|network error \(80040115\)|disk error \(80040116\)`, Links: []string{"spooler-server"},
		Means: "kopano_spooler cannot log in to kopano_server; mail that users send waits.", Source: "kopano-spooler, spooler/Spooler.cpp"},
	{Role: kopano.Spooler, Pattern: `relay access denied`, Links: []string{"spooler-mail"},
		Means: "The mail server does not send mail to other domains for kopano_spooler.", Source: "Postfix, smtpd_check.c, reply 554 5.7.1"},
	{Role: kopano.Spooler, Pattern: `(smtp|outgoing server).*(refused|could ?n.t connect|unable to connect|failed to connect)`, Links: []string{"spooler-mail"},
		Means: "kopano_spooler does not reach the mail server.", Source: "kopano-spooler, spooler/Spooler.cpp"},
	{Role: kopano.Gateway, Pattern: `opene?csession failed|network error \(80040115\)`, Links: []string{"gateway-server", "client-imap", "client-imaps", "client-pop3", "client-pop3s"},
		Means: "kopano_gateway does not reach kopano_server.", Source: "kopano-gateway, gateway/IMAP.cpp"},
	{Role: kopano.Ical, Pattern: `hrlogon|network error \(80040115\)`, Links: []string{"ical-server"},
		Means: "kopano_ical does not reach kopano_server.", Source: "kopano-ical"},
	{Role: kopano.Monitor, Pattern: `hrlogon|unable to (login|open)|network error \(80040115\)`, Links: []string{"monitor-server"},
		Means: "kopano_monitor cannot log in to kopano_server; nobody is warned of a full mailbox.", Source: "kopano-monitor"},
	{Role: kopano.Search, Pattern: `mapierrornetworkerror|network error|connection refused|could not connect`, Stops: true, Links: []string{"search-server"},
		Means: "kopano_search does not reach kopano_server and indexes nothing.", Source: "kopano-search, python-kopano"},
	{Role: kopano.Kapi, Pattern: `waiting for proxy .*sock files`, Links: []string{"kapi-grapi"},
		Means: "kopano_kapi waits for the sockets of kopano_grapi.", Source: "kapi, plugins/grapi/proxy.go"},

	// Sign-in and meetings
	{Role: kopano.Konnect, Pattern: `kc identifier backend .*error`, Links: []string{"konnect-server"},
		Means: "Konnect cannot ask kopano_server who somebody is.", Source: "konnect (libregraph/lico), identifier/backends/kc/kc.go"},
	{Role: kopano.Konnect, Pattern: `ldap.*(result code 49|invalid credentials)`, Links: []string{"konnect-ldap"},
		Means: "The directory refuses Konnect's bind DN or password.", Source: "konnect; LDAP result 49"},
	{Role: kopano.Konnect, Pattern: `(signing|encryption|validation).*(key|secret).*(no such file|permission denied|fail|error)`, Stops: true, Links: []string{"konnect-ssl"},
		Means: "Konnect cannot read the key with which it signs.", Source: "konnect, cmd/konnectd/serve.go"},
	{Role: kopano.Kwmserver, Pattern: `oidc provider initialization error|kcoidc?:? .*(error|fail)`, Links: []string{"kwmserver-issuer", "web-kwmserver"},
		Means: "kwmserver cannot read the issuer's discovery document; nobody can join a meeting.", Source: "kwmserver, signaling/server/server.go"},
	{Role: kopano.Kapi, Pattern: `oidc provider initialization error|kcoidc?:? .*(error|fail)`, Links: []string{"kapi-issuer", "web-kapi"},
		Means: "kopano_kapi cannot read the issuer's discovery document.", Source: "kapi"},

	// The database
	{Role: kopano.Database, Pattern: `access denied for user`, Links: []string{"server-database"}, Reasons: []Reason{ReasonCredentials},
		Means: "MariaDB refused a login: the stored password is not the one that was sent.", Source: "MariaDB error 1045, sql/sql_acl.cc"},
	{Role: kopano.Database, Pattern: `database is uninitialized and password option is not specified`, Stops: true,
		Means: "The volume is empty and no root password is set, so the database is not made.", Source: "mariadb image, docker-entrypoint.sh"},
	{Role: kopano.Database, Pattern: `upgrade after a crash is not supported|redo log was created with`, Stops: true,
		Means: "The data was not closed cleanly by the older release, and this one does not open it.", Source: "MariaDB, storage/innobase/log"},
	{Role: kopano.Database, Pattern: `no space left on device|errno: 28|disk is full`, Stops: true,
		Means: "The disk of the database is full.", Source: "MariaDB; errno ENOSPC"},
	{Role: kopano.Database, Pattern: `table .*(doesn't exist in engine|is marked as crashed)|innodb: .*(corrupt|checksum mismatch)`, Stops: true,
		Means: "Files of the database are damaged.", Source: "MariaDB, storage/innobase"},
	{Role: kopano.Database, Pattern: `unable to lock|can't lock aria control file`, Stops: true,
		Means: "Another database server has the same files open.", Source: "MariaDB, storage/innobase/os/os0file.cc; storage/maria/ma_control_file.c"},
	{Role: kopano.Database, Pattern: `too many connections`, Links: []string{"server-database"},
		Means: "The database takes no more connections.", Source: "MariaDB error 1040"},

	// The directory
	{Role: kopano.LDAP, Pattern: `result.* err=49\b`, Links: []string{"server-ldap", "mail-ldap", "mail-ldap-login", "konnect-ldap", "grapi-ldap", "password-self-service-ldap", "ldap-admin-ldap", "ldap-account-manager-ldap"},
		Reasons: []Reason{ReasonCredentials}, Means: "slapd refused a login: the DN or the password is wrong.", Source: "slapd, RESULT lines of loglevel stats; LDAP result 49"},
	{Role: kopano.LDAP, Pattern: `derived from ldap_base_dn.*does not match`, Stops: true,
		Means: "LDAP_BASE_DN does not belong to LDAP_DOMAIN, so the directory is not made.", Source: "osixia/openldap, startup.sh"},
	{Role: kopano.LDAP, Pattern: `no global superior knowledge`, Links: []string{"server-ldap", "mail-ldap", "konnect-ldap"},
		Means: "slapd does not hold the base that was asked for.", Source: "slapd; LDAP result 53"},
	{Role: kopano.LDAP, Pattern: `slapd stopped|bad configuration (file|directory)|mdb_env_open|no space left`, Stops: true,
		Means: "slapd does not start with its files.", Source: "slapd, servers/slapd/main.c; libmdb"},
	{Role: kopano.LDAPAdmin, Pattern: `php (fatal|parse) error|can't contact ldap server`, Stops: true, Links: []string{"ldap-admin-ldap"},
		Means: "phpLDAPadmin fails or does not reach the directory.", Source: "php-fpm error log"},
	{Role: kopano.PasswordSelf, Pattern: `ldap - (bind|connection|unable)|can't contact ldap server|invalid credentials`, Links: []string{"password-self-service-ldap"},
		Means: "The password page cannot log in to the directory.", Source: "Self Service Password, lib/functions.inc.php"},

	// Mail
	{Role: kopano.Mail, Pattern: `tls setup.*does not exist`, Stops: true,
		Means: "docker-mailserver ends because the certificate of SSL_TYPE is missing.", Source: "docker-mailserver, target/scripts/helpers/ssl.sh"},
	{Role: kopano.Mail, Pattern: `must include the uri scheme`, Stops: true, Links: []string{"mail-ldap", "mail-ldap-login"},
		Means: "This docker-mailserver wants ldap:// or ldaps:// in front of the directory's host.", Source: "docker-mailserver 13, target/scripts/startup/variables-stack.sh"},
	{Role: kopano.Mail, Pattern: `enable_ldap.*has been changed`, Stops: true, Links: []string{"mail-ldap"},
		Means: "This docker-mailserver does not know ENABLE_LDAP any more and runs without the directory.", Source: "docker-mailserver 13, CHANGELOG.md"},
	{Role: kopano.Mail, Pattern: `setting hostname/domainname is required`, Stops: true,
		Means: "docker-mailserver ends because it has no full host name.", Source: "docker-mailserver, target/scripts/helpers/dns.sh"},
	{Role: kopano.Mail, Pattern: `dict_ldap_connect: unable to bind|ldap: can't connect to server`, Links: []string{"mail-ldap"},
		Means: "The mail server cannot use the directory and defers mail.", Source: "Postfix, src/global/dict_ldap.c; Dovecot, db-ldap.c"},
	{Role: kopano.Mail, Pattern: `saslauthd.*auth failure`, Links: []string{"mail-ldap-login", "mail-gateway"},
		Means: "A user who sends mail was not let in.", Source: "cyrus-sasl, saslauthd"},
	{Role: kopano.Mail, Pattern: `connect to .*:2003: |connection refused.*2003`, Links: []string{"mail-dagent"},
		Means: "The mail server does not reach kopano_dagent; mail waits in its queue.", Source: "Postfix, src/smtp/smtp_connect.c"},

	// The web server
	{Role: kopano.Web, Pattern: `file to import not found`, Stops: true,
		Means: "TLS_MODE names no settings that web has.", Source: "kweb (Caddy 1), caddyfile/parse.go"},
	{Role: kopano.Web, Pattern: `acme.*(error|urn:ietf:params:acme)|failed to (get|obtain|renew) certificate|too many certificates`, Links: []string{"client-web"},
		Means: "Let's Encrypt gave no certificate.", Source: "kweb (Caddy 1), lego; RFC 8555 section 6.7"},
	{Role: kopano.Web, Pattern: `dial tcp.*(refused|no such host|timeout)|\[error 502`, NamesEnd: true,
		Means: "web does not reach the service behind it.", Source: "kweb (Caddy 1), caddyhttp/proxy"},

	// The start scripts, in every Kopano image
	{Pattern: `invalid service specified`, Stops: true,
		Means: "SERVICE_TO_START names nothing that this image can start.", Source: "kopano-docker, core/start-service.sh"},
	{Pattern: `option "?[^"]+"? is unknown|unknown option "?\w`, Stops: true,
		Means: "A setting of this name does not exist for this program.", Source: "Kopano core, common/ECConfigImpl.cpp"},
	{Pattern: `re\.error: (invalid group reference|bad escape)`, Stops: true,
		Means: "A value with a backslash breaks the script that writes the settings.", Source: "kopano-docker, base/kcconf.py"},
	{Pattern: `timeout after .* waiting on dependencies`, Stops: true,
		Means: "What the service waits for before it starts did not come in time, so it ended.", Source: "dockerize, main.go"},
	{Pattern: `problem with (dial|request): `, Stops: true, NamesEnd: true, Over: `connected to (tcp|unix)|received \d+ from http`,
		Means: "The service waits for another one before it starts, and does not reach it.", Source: "dockerize, main.go"},
	{Pattern: `x509: certificate`, NamesEnd: true,
		Means: "The service does not trust the other end's certificate.", Source: "Go, crypto/x509"},
	{Pattern: `lookup \S+ on \S+: no such host`, NamesEnd: true,
		Means: "The service calls a name that does not exist.", Source: "Go, net/dnsclient.go"},
	{Pattern: `no space left on device`, Stops: true,
		Means: "A disk is full.", Source: "errno ENOSPC"},
	{Pattern: `too many open files`, Stops: true,
		Means: "The program has as many files open as it may.", Source: "errno EMFILE"},
	{Pattern: `read-only file system`, Stops: true,
		Means: "The program cannot write where it has to.", Source: "errno EROFS"},
})

func compiled(table []Signature) []Signature {
	for i := range table {
		table[i].pattern = regexp.MustCompile("(?i)" + table[i].Pattern)
		if table[i].Over != "" {
			table[i].over = regexp.MustCompile("(?i)" + table[i].Over)
		}
	}
	return table
}
