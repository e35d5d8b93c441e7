package rules_test

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// variant is the bundled deployment changed as people change theirs, so that it
// still works. It must give no error, and no warning but those named.
type variant struct {
	name     string
	change   func(*variation)
	warnings []string // rules that have a point
}

// variation is a copy of the bundled deployment that is being changed.
type variation struct {
	t   *testing.T
	dir string
}

func (v *variation) read(file string) string {
	v.t.Helper()
	data, err := os.ReadFile(filepath.Join(v.dir, file))
	if err != nil {
		v.t.Fatal(err)
	}
	return string(data)
}

func (v *variation) write(file, text string) {
	v.t.Helper()
	if err := os.WriteFile(filepath.Join(v.dir, file), []byte(text), 0o644); err != nil {
		v.t.Fatal(err)
	}
}

// edit replaces a text, which must be there once.
func (v *variation) edit(file, old, text string) {
	v.t.Helper()
	was := v.read(file)
	if n := strings.Count(was, old); n != 1 {
		v.t.Fatalf("%s has %q %d times, want once", file, old, n)
	}
	v.write(file, strings.Replace(was, old, text, 1))
}

// everywhere replaces every occurrence of a text in every file.
func (v *variation) everywhere(old, text string) {
	v.t.Helper()
	count := 0
	for _, file := range v.files() {
		was := v.read(file)
		count += strings.Count(was, old)
		v.write(file, strings.ReplaceAll(was, old, text))
	}
	if count == 0 {
		v.t.Fatalf("no file has %q", old)
	}
}

func (v *variation) files() []string {
	v.t.Helper()
	entries, err := os.ReadDir(v.dir)
	if err != nil {
		v.t.Fatal(err)
	}
	var out []string
	for _, e := range entries {
		out = append(out, e.Name())
	}
	return out
}

// env sets a line of .env; line removes or replaces one that begins with a text.
func (v *variation) env(key, value string) { v.line(".env", key+"=", key+"="+value) }

func (v *variation) line(file, begins, text string) {
	v.t.Helper()
	was := v.read(file)
	old := regexp.MustCompile(`(?m)^ *`+regexp.QuoteMeta(begins)+`.*\n`).FindAllString(was, -1)
	if len(old) != 1 {
		v.t.Fatalf("%s has %d lines with %q, want one", file, len(old), begins)
	}
	if text != "" {
		text += "\n"
	}
	v.write(file, strings.Replace(was, old[0], text, 1))
}

// without takes services out of every compose file, and out of what others
// depend on.
func (v *variation) without(services ...string) {
	v.t.Helper()
	// The anchor may go with its service.
	const mounts = "volumes: &core-volumes\n"
	was := v.read(mainFile)
	_, after, _ := strings.Cut(was, mounts)
	list, _, _ := strings.Cut(after, "\n\n")
	was = strings.Replace(was, mounts, "volumes:\n", 1)
	v.write(mainFile, strings.ReplaceAll(was, "volumes: *core-volumes", "volumes:\n"+list))
	for _, file := range v.files() {
		if !strings.HasSuffix(file, ".yml") {
			continue
		}
		text := v.read(file)
		for _, s := range services {
			text = regexp.MustCompile(`(?m)^  `+regexp.QuoteMeta(s)+`:\n(?:(?:    .*)?\n)*`).ReplaceAllString(text, "")
			text = regexp.MustCompile(`(?m)^      - `+regexp.QuoteMeta(s)+`\n`).ReplaceAllString(text, "")
		}
		text = regexp.MustCompile(`(?m)^    depends_on:\n(    [^ ]|  [^ ]|[^ ]|\n|\z)`).ReplaceAllString(text, "$1")
		text = regexp.MustCompile(`(?m)^services:\n+([^ ]|\z)`).ReplaceAllString(text, "services: {}\n$1")
		v.write(file, text)
	}
}

// load names the compose files that are loaded.
func (v *variation) load(parts ...string) {
	v.t.Helper()
	files := []string{"docker-compose.yml"}
	for _, p := range parts {
		files = append(files, "docker-compose."+p+".yml")
	}
	v.env("COMPOSE_FILE", strings.Join(files, ":"))
}

func (v *variation) findings() []finding.Finding {
	return rules.Run(rules.All(), load(v.t, deployment.Options{Dir: v.dir}))
}

// TestVariants runs all rules over deployments that work.
func TestVariants(t *testing.T) {
	type seenBefore struct {
		id       string
		severity finding.Severity
	}
	before := map[seenBefore]bool{}
	for _, f := range (&variation{t: t, dir: "../testdata/deployments/full"}).findings() {
		before[seenBefore{f.ID, f.Severity}] = true
	}
	for _, v := range variants() {
		t.Run(v.name, func(t *testing.T) {
			c := &variation{t: t, dir: copyOf(t, "../testdata/deployments/full")}
			v.change(c)
			seen := map[string]bool{}
			for _, f := range c.findings() {
				seen[f.ID] = true
				switch {
				case f.Severity == finding.Info, before[seenBefore{f.ID, f.Severity}], f.Severity == finding.Warning && slices.Contains(v.warnings, f.ID):
				default:
					t.Errorf("false alarm:\n%s", render([]finding.Finding{f}))
				}
			}
			for _, id := range v.warnings {
				if !seen[id] {
					t.Errorf("%s has a point here, and is silent", id)
				}
			}
		})
	}
}

const (
	mainFile = "docker-compose.yml"
	mailFile = "docker-compose.mail.yml"
	ldapFile = "docker-compose.ldap.yml"
	dbFile   = "docker-compose.db.yml"
	portFile = "docker-compose.ports.yml"
)

func variants() []variant {
	out := []variant{
		{name: "as it is", change: func(*variation) {}},
		{name: "external directory", change: func(v *variation) {
			v.load("ports", "db", "mail")
			v.env("LDAP_SERVER", "ldaps://ldap.corp.example:636")
			v.env("LDAP_BIND_DN", "cn=kopano,ou=services,dc=corp,dc=example")
			v.env("LDAP_SEARCH_BASE", "ou=people,dc=corp,dc=example")
		}},
		{name: "Active Directory", change: func(v *variation) {
			v.load("ports", "db", "mail")
			v.env("LDAP_SERVER", "ldaps://dc1.corp.example:636")
			v.env("LDAP_BIND_DN", "cn=kopano,cn=Users,dc=corp,dc=example")
			v.env("LDAP_SEARCH_BASE", "dc=corp,dc=example")
			v.env("KCUNCOMMENT_LDAP_1", "!include /usr/share/kopano/ldap.active-directory.cfg")
			v.env("LDAP_QUERY_FILTER_GROUP", "(&(objectClass=group)(mail=%s))")
			v.env("KCCOMMENT_LDAP_1", "!include /usr/share/kopano/ldap.openldap.cfg")
		}},
		{name: "two directory servers", change: func(v *variation) {
			v.load("ports", "db", "mail")
			v.env("LDAP_SERVER", "ldaps://ldap1.corp.example:636 ldaps://ldap2.corp.example:636")
		}},
		{name: "external database", change: func(v *variation) {
			v.load("ports", "ldap", "mail", "extras")
			v.env("MYSQL_HOST", "mariadb.corp.example")
		}},
		{name: "database on an address", change: func(v *variation) {
			v.load("ports", "ldap", "mail", "extras")
			v.env("MYSQL_HOST", "192.0.2.33")
		}},
		{name: "TLS proxy in front", change: func(v *variation) {
			v.env("EMAIL", "off")
			v.line(".env", "FQDNCLEANED=", "")
		}},
		{name: "self-signed", warnings: []string{"self-signed-seven-days"}, change: func(v *variation) {
			v.env("EMAIL", "self_signed")
			v.env("INSECURE", "yes")
		}},
		{name: "own certificate", change: func(v *variation) {
			v.edit(mainFile, "      TLS_MODE: tls_auto\n", "      TLS_MODE: tls_custom\n      TLS_CERT: /certs/kopano.pem\n      TLS_KEY: /certs/kopano.key\n")
			v.edit(mainFile, "      - web:/.kweb\n", "      - web:/.kweb\n      - /etc/ssl/kopano:/certs:ro\n")
		}},
		{name: "only webapp", change: func(v *variation) {
			v.load("ports", "db", "ldap")
			v.write(ldapFile, regexp.MustCompile(`(?m)^  mail:\n(?:(?:    .*)?\n)*`).ReplaceAllString(v.read(ldapFile), ""))
			v.without("kopano_zpush", "kopano_kdav", "kopano_dagent", "kopano_spooler", "kopano_gateway", "kopano_ical", "kopano_monitor", "kopano_search",
				"kopano_scheduler", "kopano_kapps", "kopano_kapi", "kopano_grapi", "kopano_kwmserver", "kopano_meet")
			v.line(mainFile, "KCCONF_SERVER_SYNC_GAB_REALTIME:", "      KCCONF_SERVER_SYNC_GAB_REALTIME: \"yes\"\n      KCCONF_SERVER_SEARCH_ENABLED: \"no\"")
		}},
		{name: "only Meet with a directory", change: func(v *variation) {
			v.load("ports", "ldap")
			v.edit(mainFile, "${DEFAULTREDIRECT:-/webapp}", "${DEFAULTREDIRECT:-/meet}")
			v.write(ldapFile, regexp.MustCompile(`(?m)^  (mail|kopano_server):\n(?:(?:    .*)?\n)*`).ReplaceAllString(v.read(ldapFile), ""))
			v.without("kopano_server", "kopano_webapp", "kopano_zpush", "kopano_kdav", "kopano_dagent", "kopano_spooler", "kopano_gateway", "kopano_ical", "kopano_monitor",
				"kopano_search", "kopano_scheduler", "kopano_kapps")
			v.edit(mainFile, "      KCCONF_GRAPI_INSECURE: ${INSECURE}\n", "      KCCONF_GRAPI_INSECURE: ${INSECURE}\n      GRAPI_BACKEND: ldap\n      LDAP_URI: ${LDAP_SERVER}\n      LDAP_BASEDN: ${LDAP_BASE_DN}\n      LDAP_BINDDN: ${LDAP_BIND_DN}\n      LDAP_BINDPW: ${LDAP_BIND_PW}\n")
			v.edit(mainFile, "      allow_client_guests: \"yes\"\n", "      allow_client_guests: \"yes\"\n      KONNECT_BACKEND: ldap\n      LDAP_URI: ${LDAP_SERVER}\n      LDAP_BASEDN: ${LDAP_BASE_DN}\n      LDAP_BINDDN: ${LDAP_BIND_DN}\n      LDAP_BINDPW: ${LDAP_BIND_PW}\n")
			v.all(mainFile, "      - kopano-net\n      - web-net\n    volumes:\n      - /etc/machine-id:/etc/machine-id\n      - /etc/machine-id:/var/lib/dbus/machine-id\n      - kopanograpi", "      - kopano-net\n      - ldap-net\n      - web-net\n    volumes:\n      - /etc/machine-id:/etc/machine-id\n      - /etc/machine-id:/var/lib/dbus/machine-id\n      - kopanograpi")
			v.all(mainFile, "      identifier_scopes_conf: /etc/kopano/konnectd-identifier-scopes.yaml\n    networks:\n", "      identifier_scopes_conf: /etc/kopano/konnectd-identifier-scopes.yaml\n    networks:\n      - ldap-net\n")
		}},
		{name: "services renamed", change: func(v *variation) {
			for _, name := range []string{"server", "webapp", "zpush", "grapi", "kapi", "kapps", "kdav", "dagent", "spooler", "gateway", "ical", "monitor", "search", "konnect", "kwmserver", "meet", "scheduler", "ssl"} {
				for _, file := range v.files() {
					text := v.read(file)
					text = regexp.MustCompile(`(?m)^  kopano_`+name+`:`).ReplaceAllString(text, "  groupware-"+name+":")
					text = regexp.MustCompile(`(?m)^      - kopano_`+name+`$`).ReplaceAllString(text, "      - groupware-"+name)
					text = strings.ReplaceAll(text, "http://kopano_"+name+":", "http://groupware-"+name+":")
					text = strings.ReplaceAll(text, "lmtp:kopano_"+name+":", "lmtp:groupware-"+name+":")
					text = strings.ReplaceAll(text, "SASLAUTHD_MECH_OPTIONS: kopano_"+name, "SASLAUTHD_MECH_OPTIONS: groupware-"+name)
					v.write(file, text)
				}
			}
			var dns []string
			for _, name := range []string{"KONNECT", "KAPI", "KWMSERVER", "WEBAPP", "ZPUSH", "ICAL", "KDAV", "MEET", "KAPPS"} {
				dns = append(dns, "      KWEBD_DNS_"+name+": groupware-"+strings.ToLower(name))
			}
			v.edit(mainFile, "      TLS_MODE: tls_auto\n", "      TLS_MODE: tls_auto\n"+strings.Join(dns, "\n")+"\n")
			v.edit(mainFile, "    hostname: kopano_server\n", "    hostname: kopano_server\n    # ssl names its certificate so, and scheduler waits for it\n")
			v.edit(mainFile, "    env_file:\n      - kopano_server.env\n    networks:\n      - kopano-net\n      - web-net\n", "    env_file:\n      - kopano_server.env\n    networks:\n      kopano-net:\n        aliases:\n          - kopano_server\n      web-net:\n")
			v.write(ldapFile, strings.Replace(v.read(ldapFile), "      - ldap\n    networks:\n      - ldap-net\n\n  mail:", "      - ldap\n    networks:\n      ldap-net:\n\n  mail:", 1))
		}},
		{name: "environment as a list", change: func(v *variation) {
			for _, file := range v.files() {
				if strings.HasSuffix(file, ".yml") {
					v.write(file, asLists(v.read(file)))
				}
			}
		}},
		{name: "other published ports", change: func(v *variation) {
			v.write(".env", v.read(".env")+"HTTP=8080\nHTTPS=443\nIMAPPORT=1143\nSMTPPORT=2525\nSMTPSPORT=10465\nMSAPORT=10587\nLDAPPORT=10389\nKOPANOSPORT=10237\n")
		}},
		{name: "port 2015", change: func(v *variation) {
			v.env("FQDN", "kopano.example.org:2015")
			v.env("EMAIL", "off")
			v.line(".env", "FQDNCLEANED=", "")
			v.line(portFile, `- "${HTTPS:-443}:443"`, `      - "2015:2015"`)
		}},
		{name: "settings moved to an env file", change: func(v *variation) { v.moveToEnvFile() }},
		{name: "settings moved out of .env", change: func(v *variation) {
			for _, key := range []string{"MYSQL_HOST", "MYSQL_USER", "MYSQL_DATABASE", "LDAP_ORGANISATION", "TZ", "POSTMASTER_ADDRESS"} {
				m := regexp.MustCompile(`(?m)^` + key + `=(.*)\n`).FindStringSubmatch(v.read(".env"))
				v.line(".env", key+"=", "")
				v.everywhere("${"+key+"}", strings.Trim(m[1], `"`))
			}
		}},
		{name: "profiles", change: func(v *variation) {
			v.edit("docker-compose.extras.yml", "  ldap-admin:\n", "  ldap-admin:\n    profiles: [admin]\n")
			v.edit("docker-compose.extras.yml", "  kopano_playground:\n", "  kopano_playground:\n    profiles: [dev]\n")
		}},
		{name: "profiles that are on", change: func(v *variation) {
			v.edit("docker-compose.extras.yml", "  ldap-admin:\n", "  ldap-admin:\n    profiles: [admin]\n")
			v.write(".env", v.read(".env")+"COMPOSE_PROFILES=admin\n")
		}},
		{name: "private registry", change: func(v *variation) {
			v.write(".env", v.read(".env")+"docker_repo=registry.corp.example:5000/groupware\n")
			v.edit(dbFile, "image: mariadb:10.11", "image: registry.corp.example:5000/library/mariadb:10.11.6")
			v.edit(mailFile, "mailserver/docker-mailserver:10", "ghcr.io/docker-mailserver/docker-mailserver:10.5.0")
		}},
		{name: "pinned by digest", change: func(v *variation) {
			digest := "@sha256:" + strings.Repeat("0123456789abcdef", 4)
			v.everywhere(":${CORE_VERSION}", ":${CORE_VERSION}"+digest)
			v.everywhere(":${WEBAPP_VERSION}", ":${WEBAPP_VERSION}"+digest)
			v.edit(dbFile, "image: mariadb:10.11", "image: mariadb:10.11"+digest)
		}},
		{name: "forked images", change: func(v *variation) {
			v.write(".env", v.read(".env")+"docker_repo=myorg\n")
			v.edit(mainFile, "/kopano_webapp:${WEBAPP_VERSION}", "/kopano_webapp_with_plugins:${WEBAPP_VERSION}-3")
		}},
		{name: "without bundled mail transport", change: func(v *variation) {
			v.load("ports", "db", "ldap")
			v.write(ldapFile, regexp.MustCompile(`(?m)^  mail:\n(?:(?:    .*)?\n)*`).ReplaceAllString(v.read(ldapFile), ""))
			v.line(mainFile, "KCCONF_SPOOLER_SMTP_SERVER:", "      KCCONF_SPOOLER_SMTP_SERVER: smtp.corp.example")
		}},
		{name: "comments and blank lines", change: func(v *variation) {
			for _, file := range v.files() {
				v.write(file, "# a comment\n\n"+strings.ReplaceAll(v.read(file), "\n", "\n\n")+"\n# end\n")
			}
		}},
		{name: "environment in one line", change: func(v *variation) {
			v.edit("docker-compose.extras.yml", "    environment:\n      PHPLDAPADMIN_LDAP_HOSTS: ldap\n      PHPLDAPADMIN_HTTPS: \"false\"\n", "    environment: {PHPLDAPADMIN_LDAP_HOSTS: ldap, PHPLDAPADMIN_HTTPS: \"false\"}\n")
		}},
		{name: "passwords in files", change: func(v *variation) {
			v.edit(dbFile, "      MYSQL_ROOT_PASSWORD: ${MYSQL_ROOT_PASSWORD}\n", "      MYSQL_ROOT_PASSWORD_FILE: /run/secrets/root\n")
			v.edit(dbFile, "    volumes:\n      - mysql:", "    secrets: [root]\n    volumes:\n      - mysql:")
			v.write(dbFile, v.read(dbFile)+"secrets:\n  root:\n    file: ./root.txt\n")
			v.write("root.txt", "Fp8sLc4hJy6kVt9wGa2xNr7m\n")
			v.line(".env", "MYSQL_ROOT_PASSWORD=", "")
		}},
		{name: "memory limits", change: func(v *variation) {
			v.edit(dbFile, "    restart: unless-stopped\n", "    restart: unless-stopped\n    mem_limit: 4g\n")
			v.edit(mainFile, "    container_name: ${COMPOSE_PROJECT_NAME}_server\n", "    container_name: ${COMPOSE_PROJECT_NAME}_server\n    deploy:\n      resources:\n        limits:\n          memory: 4G\n")
		}},
		{name: "container names of one's own", change: func(v *variation) {
			v.edit(mainFile, "    container_name: ${COMPOSE_PROJECT_NAME}_kapi\n", "    container_name: my-kapi\n")
		}},
		{name: "bind mounts", change: func(v *variation) {
			v.everywhere("kopanodata:/kopano/data", "/srv/kopano/data:/kopano/data")
			v.line(mainFile, "kopanodata:", "")
			v.everywhere("mysql:/var/lib/mysql", "/srv/kopano/mysql:/var/lib/mysql")
			v.edit(dbFile, "\nvolumes:\n  mysql:\n", "")
		}},
		{name: "one network for all", change: func(v *variation) {
			for _, both := range []string{"      - ldap-net\n      - web-net\n", "      - web-net\n"} {
				v.write("docker-compose.extras.yml", strings.ReplaceAll(v.read("docker-compose.extras.yml"), "      - kopano-net\n"+both, "      - kopano-net\n      - web-net\n"))
			}
			v.everywhere("      - ldap-net\n", "      - kopano-net\n")
			v.write(ldapFile, strings.Replace(v.read(ldapFile), "\nnetworks:\n  ldap-net:\n    driver: bridge\n", "", 1))
		}},
		{name: "another time zone and locale", change: func(v *variation) {
			v.env("TZ", "America/Argentina/Buenos_Aires")
			v.env("MAILBOXLANG", "de_DE.UTF-8")
		}},
		{name: "S3 attachments", change: func(v *variation) {
			v.line(mainFile, "KCCONF_SERVER_ATTACHMENT_PATH:", "      KCCONF_SERVER_ATTACHMENT_STORAGE: s3\n      KCCONF_SERVER_ATTACHMENT_S3_HOSTNAME: s3.corp.example\n      KCCONF_SERVER_ATTACHMENT_S3_ACCESSKEYID: kopano\n      KCCONF_SERVER_ATTACHMENT_S3_SECRETACCESSKEY: ${S3_KEY}\n      KCCONF_SERVER_ATTACHMENT_S3_BUCKETNAME: attachments\n      KCCONF_SERVER_ATTACHMENT_S3_REGION: eu-west-1")
			v.write(".env", v.read(".env")+"S3_KEY=Jd8fKe3hLq5mTy7nVx2pZr4s\n")
		}},
		{name: "guests switched off", change: func(v *variation) {
			v.edit(mainFile, `allow_client_guests: "yes"`, `allow_client_guests: "no"`)
			v.edit(mainFile, `enable_guest_api: "yes"`, `enable_guest_api: "no"`)
			v.edit(mainFile, `KCCONF_MEET_guests_enabled: "true"`, `KCCONF_MEET_guests_enabled: "false"`)
		}},
		{name: "own TURN server", change: func(v *variation) {
			v.line(mainFile, "turn_service_credentials_user:", "      turn_uris: turns:turn.example.org:443?transport=tcp turn:turn.example.org:3478")
			v.line(mainFile, "turn_service_credentials_password:", "      turn_server_shared_secret: ${TURN_SECRET}")
			v.write(".env", v.read(".env")+"TURN_SECRET=Be5nGh8jKm2pQs4tUw7yXz9c\n")
		}},
		{name: "docker-mailserver 15", change: func(v *variation) {
			v.edit(mailFile, "docker-mailserver:10", "docker-mailserver:15")
			v.line(mailFile, "ENABLE_LDAP:", "      ACCOUNT_PROVISIONER: LDAP")
			v.line(mailFile, "ONE_DIR:", "")
			v.line(mailFile, "ENABLE_POSTFIX_VIRTUAL_TRANSPORT:", "")
		}},
		{name: "a server that others work with", change: func(v *variation) {
			v.line(mainFile, "KCCONF_SERVER_SERVER_NAME:", "      KCCONF_SERVER_SERVER_NAME: node1\n      KCCONF_SERVER_ENABLE_DISTRIBUTED_KOPANO: \"yes\"")
			v.line(portFile, `- "127.0.0.1:${KOPANOSPORT:-237}:237"`, `      - "192.0.2.10:237:237"`)
		}},
		{name: "written on Windows", warnings: []string{"env-file-line-ends"}, change: func(v *variation) {
			for _, file := range v.files() {
				v.write(file, strings.ReplaceAll(v.read(file), "\n", "\r\n"))
			}
		}},
		{name: "one file that includes the others", change: func(v *variation) {
			m := regexp.MustCompile(`(?m)^COMPOSE_FILE=(.*)$`).FindStringSubmatch(v.read(".env"))
			v.write("compose.all.yml", "include:\n  - path:\n      - "+strings.ReplaceAll(m[1], ":", "\n      - ")+"\n")
			v.env("COMPOSE_FILE", "compose.all.yml")
		}},
		{name: "override that is loaded", change: func(v *variation) {
			v.write("docker-compose.override.yml", "services:\n  web:\n    environment:\n      DEFAULTREDIRECT: /meet\n  kopano_webapp:\n    read_only: false\n    environment:\n      ADDITIONAL_KOPANO_WEBAPP_PLUGINS: kopano-webapp-plugin-files\n")
			v.load("ports", "db", "ldap", "mail", "extras", "override")
		}},
		{name: "service that extends one of another file", change: func(v *variation) {
			v.write("common.yml", "services:\n  base:\n    restart: unless-stopped\n    read_only: true\n    tmpfs: [/tmp]\n")
			v.edit(mainFile, "  kopano_meet:\n    image: ${docker_repo:-zokradonh}/kopano_meet:${MEET_VERSION}\n    read_only: true\n    restart: unless-stopped\n", "  kopano_meet:\n    extends:\n      file: common.yml\n      service: base\n    image: ${docker_repo:-zokradonh}/kopano_meet:${MEET_VERSION}\n")
		}},
		{name: "MariaDB 11", change: func(v *variation) { v.edit(dbFile, "mariadb:10.11", "mariadb:11.4") }},
	}
	// Each optional service may be left out.
	for _, s := range []string{"kopano_zpush", "kopano_kdav", "kopano_ical", "kopano_monitor", "kopano_kapps", "kopano_playground", "ldap-admin", "password-self-service", "kopano_gateway"} {
		out = append(out, variant{name: "without " + s, change: func(v *variation) {
			v.without(s)
			if s == "kopano_zpush" {
				v.line(mainFile, "CRON_ZPUSHGAB:", "")
			}
			if s == "kopano_gateway" { // who sends mail logs in to the directory instead
				v.line(mailFile, "SASLAUTHD_MECHANISMS:", "      SASLAUTHD_MECHANISMS: ldap")
				v.line(mailFile, "SASLAUTHD_MECH_OPTIONS:", "      SASLAUTHD_LDAP_SERVER: ldap://ldap:389\n      SASLAUTHD_LDAP_BIND_DN: ${LDAP_BIND_DN}\n      SASLAUTHD_LDAP_PASSWORD: ${LDAP_BIND_PW}\n      SASLAUTHD_LDAP_SEARCH_BASE: ${LDAP_SEARCH_BASE}\n      SASLAUTHD_LDAP_FILTER: (&(uid=%U)(objectClass=kopano-user))")
			}
		}})
	}
	return slices.Concat(out, spellings(), shapes(), passwords())
}

// all replaces every occurrence of a text in one file.
func (v *variation) all(file, old, text string) {
	v.t.Helper()
	if !strings.Contains(v.read(file), old) {
		v.t.Fatalf("%s has no %q", file, old)
	}
	v.write(file, strings.ReplaceAll(v.read(file), old, text))
}

// asLists turns environments written as mappings into lists.
func asLists(text string) string {
	var out []string
	in := false
	entry := regexp.MustCompile(`^      ([A-Za-z_0-9]+): ?(.*)$`)
	for _, line := range strings.Split(text, "\n") {
		if line == "    environment:" {
			in = true
		} else if in {
			if m := entry.FindStringSubmatch(line); m != nil {
				value := strings.Trim(m[2], `"`)
				line = "      - '" + m[1] + "=" + value + "'"
			} else if !strings.HasPrefix(line, "      ") {
				in = false
			}
		}
		out = append(out, line)
	}
	return strings.Join(out, "\n")
}

// moveToEnvFile moves kopano_server's environment into its env file. Compose
// expands variables there too.
func (v *variation) moveToEnvFile() {
	v.t.Helper()
	text := v.read(mainFile)
	start := strings.Index(text, "      SERVICE_TO_START: server\n")
	end := strings.Index(text[start:], "    env_file:") + start
	var moved []string
	for _, line := range strings.Split(strings.TrimSpace(text[start:end]), "\n") {
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		moved = append(moved, key+"="+strings.Trim(value, `"`))
	}
	text = text[:start] + "      SERVICE_TO_START: server\n" + text[end:]
	v.write(mainFile, text)
	v.write("kopano_server.env", strings.Join(moved[1:], "\n")+"\n")
}
