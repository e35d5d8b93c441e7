package rules_test

import (
	"regexp"
	"strings"

	"go.yaml.in/yaml/v4"
)

// settings are the classes of settings and the ways in which each is broken.
var settings = []struct {
	class string
	key   string // pattern
	ways  func(value string) []way
}{
	{"version", `_VERSION$`, func(v string) []way { return []way{{"latest", "latest"}, {"empty", ""}} }},
	{"project", `^COMPOSE_PROJECT_NAME$`, func(v string) []way { return []way{{"another", "mail"}, {"capitals", "Kopano"}} }},
	{"files", `^COMPOSE_FILE$`, func(v string) []way {
		return []way{{"a file that is not there", strings.Replace(v, "docker-compose.db.yml", "docker-compose.database.yml", 1)}, {"semicolons", strings.ReplaceAll(v, ":", ";")}}
	}},
	{"name", `^FQDN$`, func(v string) []way {
		return []way{{"scheme", "https://" + v}, {"port", v + ":8443"}, {"slash", v + "/"}}
	}},
	{"alias", `^FQDNCLEANED$`, func(v string) []way {
		return []way{{"dashes", strings.ReplaceAll(v, ".", "-")}, {"another", "web.example.org"}}
	}},
	{"TLS", `^EMAIL$`, func(v string) []way { return []way{{"dash", "self-signed"}, {"no address", "hostmaster"}} }},
	{"TLS", `^TLS_MODE$`, func(v string) []way { return []way{{"misspelt", "tls_atuo"}, {"custom without files", "tls_custom"}} }},
	{"TLS", `INSECURE`, func(v string) []way { return []way{{"true", "true"}, {"empty", ""}} }},
	{"switch", `^KC(UN)?COMMENT_`, func(v string) []way { return []way{{"empty", ""}, {"no include", "include ldap.cfg"}} }},
	{"filter", `QUERY_FILTER`, func(v string) []way {
		return []way{{"parenthesis lost", strings.TrimSuffix(v, ")")}, {"placeholder lost", strings.ReplaceAll(v, "%s", "x")}}
	}},
	{"DN", `(BIND_?DN|BASE_DN|SEARCH_BASE|BASE_SEARCH|BIND_USER)$`, func(v string) []way {
		return []way{{"another tree", strings.Replace(v, "dc=example", "dc=beispiel", 1)}, {"a domain", "example.org"}}
	}},
	{"domain", `^LDAP_DOMAIN$`, func(v string) []way { return []way{{"another", "beispiel.org"}, {"a DN", "dc=beispiel,dc=org"}} }},
	{"address", `^(LDAP_SERVER|LDAP_SERVER_HOST|KCCONF_LDAP_LDAP_URI)$`, func(v string) []way {
		return []way{{"host misspelt", strings.Replace(v, "//ldap", "//ldapp", 1)}, {"no scheme", strings.TrimPrefix(v, "ldap://")}, {"port", strings.Replace(v, "389", "398", 1)}}
	}},
	{"host", `(_HOST|_HOSTS|SMTP_SERVER|MECH_OPTIONS)$`, func(v string) []way { return []way{{"misspelt", v + "x"}, {"another service", "kopano_ssl"}} }},
	{"port", `_PORT$`, func(v string) []way { return []way{{"no number", "port"}, {"another", v + "1"}} }},
	{"listen", `LISTEN(_TLS)?$`, func(v string) []way {
		_, port, _ := strings.Cut(v, ":")
		return []way{{"loopback", "127.0.0.1:" + port}, {"no port", "0.0.0.0"}, {"another port", "0.0.0.0:1" + port}}
	}},
	{"address", `_SERVER_SOCKET$`, func(v string) []way {
		return []way{{"host misspelt", strings.Replace(v, "server:", "serverr:", 1)}, {"port", strings.Replace(v, "236", "2366", 1)}}
	}},
	{"address", `^POSTFIX_DAGENT$`, func(v string) []way {
		return []way{{"host misspelt", strings.Replace(v, "dagent", "dagnet", 1)}, {"port", strings.Replace(v, "2003", "2004", 1)}}
	}},
	{"issuer", `(ISSUER_IDENTIFIER|OIDC_ISS|oidc_issuer_identifier)$`, func(v string) []way { return []way{{"slash", v + "/"}, {"another", "https://sso.example.org"}} }},
	// That both ends of a link have the same one is tried by TestMutations.
	{"password", `(PASSWORD|PASSWD|_PW|BINDPASS)$`, func(v string) []way { return []way{{"well known", "kopano123"}, {"dollar", v[:8] + "$x" + v[10:]}} }},
	{"password", `^(SELF_SERVICE_)?SECRETEKEY$`, func(v string) []way { return []way{{"short", "abc"}, {"dollar", v[:8] + "$x" + v[10:]}} }},
	{"account", `^MYSQL_USER$`, func(v string) []way { return []way{{"root", "root"}, {"empty", ""}} }},
	{"account", `^MYSQL_DATABASE$`, func(v string) []way { return []way{{"empty", ""}, {"dollar", "kop$ano"}} }},
	{"account", `^KCCONF_SERVER_MYSQL_(USER|DATABASE)$`, func(v string) []way { return []way{{"another", "mail"}, {"empty", `""`}} }},
	{"mail", `^(POSTMASTER_ADDRESS|MAIL_FROM|KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS)$`, func(v string) []way { return []way{{"no domain", "postmaster"}, {"two", "a@b@example.org"}} }},
	{"time zone", `^TZ$|TIMEZONE$`, func(v string) []way { return []way{{"misspelt", "Europe/Amsterdamm"}, {"abbreviation", "MESZ"}} }},
	{"locale", `^MAILBOXLANG$|LOCALE$`, func(v string) []way { return []way{{"unknown", "xx_YY.UTF-8"}, {"no encoding", "en_US"}} }},
	{"service", `^SERVICE_TO_START$`, func(v string) []way { return []way{{"misspelt", v + "d"}, {"capitals", strings.ToUpper(v)}} }},
	{"log level", `LOG_LEVEL$`, func(v string) []way { return []way{{"a word", "loud"}, {"too high", "99"}} }},
	{"job", `^CRON`, func(v string) []way {
		return []way{{"a field too few", strings.Join(strings.Fields(v)[1:], " ")}, {"another container", strings.ReplaceAll(v, "kopano_", "mail_")}}
	}},
	{"mail server", `^SSL_TYPE$`, func(v string) []way { return []way{{"misspelt", "manuell"}, {"self-signed", "self-signed"}} }},
	{"mail server", `^PERMIT_DOCKER$`, func(v string) []way { return []way{{"none", "none"}, {"misspelt", "connected-network"}} }},
	{"mail server", `^(ENABLE_|SMTP_ONLY|ONE_DIR)`, func(v string) []way { return []way{{"a word", `"yes"`}, {"true", `"true"`}} }},
	{"mail server", `^SASLAUTHD_MECHANISMS$`, func(v string) []way { return []way{{"misspelt", "rmap"}, {"capitals", "RIMAP"}} }},
	{"yes and no", `^(allow_client_guests|enable_guest_api)$`, func(v string) []way { return []way{{"a word", `"maybe"`}, {"the contrary", `"no"`}} }},
	{"yes and no", `^allow_dynamic_client_registration$`, func(v string) []way { return []way{{"a word", `"maybe"`}, {"nein", `"nein"`}} }},
	{"yes and no", `^KCCONF_MEET_(guests_enabled|disableFullGAB)$`, func(v string) []way { return []way{{"a word", `"maybe"`}, {"ja", `"ja"`}} }},
	{"yes and no", `(ENABLE_SSO|SYNC_GAB_REALTIME)$`, func(v string) []way { return []way{{"a word", `"maybe"`}, {"nein", `"nein"`}} }},
	{"yes and no", `^(LDAP_READONLY_USER|PHPLDAPADMIN_HTTPS)$`, func(v string) []way { return []way{{"nein", `"nein"`}, {"no quotes", "yes"}} }},
	{"number", `(LIFETIME|TIMEOUT|SURVEYCLIENT_INTERVAL)$`, func(v string) []way { return []way{{"a word", `"thirty"`}, {"a letter", `"3O"`}} }},
	{"file", `(KEY_FILE|CA_FILE|SSLKEY_FILE|SECRET_KEY_FILE)$|^(eckey|ecparam|encryption_secret_key|signing_private_key)$`, func(v string) []way {
		return []way{{"not made", "/kopano/ssl/none.pem"}, {"elsewhere", strings.Replace(v, "/kopano/ssl/", "/ssl/", 1)}}
	}},
	{"file", `^(identifier_)?registration_conf$`, func(v string) []way {
		return []way{{"another", "/kopano/ssl/other.yaml"}, {"elsewhere", "/tmp/registration.yaml"}}
	}},
	{"folder", `(SSLKEYS_PATH|GRAPI_SOCKET_PATH|ATTACHMENT_PATH|INDEX_PATH|PERSISTENCY_PATH|KVS_DB_DATASOURCE)$`, func(v string) []way {
		return []way{{"elsewhere", "/somewhere/else"}, {"relative", strings.TrimPrefix(v, "/")}}
	}},
	{"file", `^SSL_(CERT|KEY)_PATH$`, func(v string) []way { return []way{{"empty", `""`}, {"elsewhere", "/ssl/cert.pem"}} }},
	{"word", `^KCCONF_SERVER_USER_PLUGIN$`, func(v string) []way { return []way{{"misspelt", "ldapp"}, {"capitals", "LDAP"}} }},
	{"file", `^KCCONF_SERVER_USER_PLUGIN_CONFIG$`, func(v string) []way { return []way{{"relative", "ldap.cfg"}, {"empty", `""`}} }},
	{"list", `^ZPUSH_ADDITIONAL_FOLDERS$`, func(v string) []way { return []way{{"no list", `"{}"`}, {"cut", `"["`}} }},
	{"pattern", `^public_guest_access_regexp$`, func(v string) []way {
		return []way{{"parenthesis", "^group/(public/.*"}, {"bracket", "^group/[public/.*"}}
	}},
	{"program", `AUTORESPONDER$`, func(v string) []way {
		return []way{{"relative", "kopano-autorespond"}, {"two slashes lost", "usr/local/bin/kopano-autorespond"}}
	}},
}

// free are settings that nothing depends on, or whose every value is right,
// with the reason.
var free = map[string]string{
	"LDAP_CONTAINER":                    "a part of an image's name, which may be anybody's",
	"LDAP_ORGANISATION":                 "free text",
	"PKI_COUNTRY":                       "free text in a certificate",
	"KCCONF_SERVER_SERVER_NAME":         "a name of one's own; only several servers must agree on it",
	"KCCONF_AUTORESPOND_SENDDB":         "any file in a folder that can be written",
	"KCCONF_WEBAPP_OIDC_CLIENT_ID":      "konnect knows clients by their address",
	"LDAP_LOG_LEVEL":                    "slapd's own levels, any number is one",
	"identifier_scopes_conf":            "a file of the image",
	"DEFAULTREDIRECT":                   "a variable with a default; its value has tests of its own",
	"turn_service_credentials_user":     "a variable that may be empty",
	"turn_service_credentials_password": "a variable that may be empty",
	"KCCONF_WEBAPP_CLIENT_TIMEOUT":      "PHP's own reading: what is no number is none",
	"allow_dynamic_client_registration": "every word but yes means no, which is the safe one",
	"KCCONF_MEET_disableFullGAB":        "every word but true means no, which shows the address book",
	"PHPLDAPADMIN_HTTPS":                "every word but true means no, which is right behind web",
}

func classOf(key string) string {
	for _, s := range settings {
		if regexp.MustCompile(s.key).MatchString(key) {
			return s.class
		}
	}
	return "free"
}

// waysOf gives the ways to break a setting's value.
func waysOf(key, value string) []way {
	if free[key] != "" || value == "kapps" { // the image of kapps has one program only
		return nil
	}
	for _, s := range settings {
		if regexp.MustCompile(s.key).MatchString(key) {
			return s.ways(value)
		}
	}
	return nil
}

// freeFields are fields of a service that nothing in Kopano depends on.
var freeFields = map[string]string{
	"restart": "the owner's choice", "read_only": "true and false both work", "container_name": "a name of one's own; the jobs that use one have their own class",
	"hostname": "only the mail server's matters, and has its own class", "domainname": "as hostname", "command": "has its own class", "cap_add": "more rights do no harm",
	"depends_on": "has its own class", "driver": "bridge is the default",
}

// composeWays gives the ways to break one value of a compose file.
func (w walk) composeWays(file string, path []string, n *yaml.Node) []change {
	w.t.Helper()
	if path[0] == "x-core" {
		path = append([]string{"services", "x-core"}, path[1:]...)
	}
	switch {
	case path[0] == "networks", path[0] == "volumes":
		return nil // names are broken where they are used
	case len(path) < 3:
		w.unknown(file, n.Line, path)
		return nil
	}
	service, field, last := path[1], path[2], path[len(path)-1]
	v := n.Value
	swap := func(class, how, old, new string) change {
		return change{class: class, how: how, value: quoted(n, strings.Replace(v, old, new, 1))}
	}
	switch field {
	case "environment":
		return w.environmentWays(file, last, n)
	case "image":
		if strings.Contains(v, ":-latest}") { // whatever is wrong with the variable, the default is taken
			i := strings.LastIndex(v, ":${")
			return []change{{class: "image", how: "no tag behind the colon", value: v[:i+1]}}
		}
		if strings.Contains(v, "${") {
			i := strings.LastIndexByte(v, ':')
			return []change{{class: "image", how: "variable misspelt", value: v[:i+1] + strings.Replace(v[i+1:], "_VERSION", "_VERSON", 1)}, {class: "image", how: "no tag behind the colon", value: v[:i+1]}}
		}
		i := strings.LastIndexByte(v, ':')
		return []change{{class: "image", how: "latest", value: v[:i] + ":latest"}, {class: "image", how: "no tag behind the colon", value: v[:i+1]}}
	case "volumes":
		source, target, _ := strings.Cut(v, ":")
		if strings.HasPrefix(source, "/") {
			if source == "/etc/machine-id" {
				return []change{{class: "mount", how: "old source", value: "/var/lib/dbus/machine-id:" + target}, {class: "mount", how: "removed", value: removed}}
			}
			return []change{{class: "mount", how: "another target", value: source + ":/somewhere"}, {class: "mount", how: "removed", value: removed}}
		}
		return []change{{class: "mount", how: "volume misspelt", value: source + "x:" + target}, {class: "mount", how: "another target", value: source + ":/somewhere"}, {class: "mount", how: "slash", value: source + "/:" + target}}
	case "networks":
		if last == "-" && path[len(path)-2] == "aliases" {
			return []change{{class: "alias", how: "another name", value: "elsewhere.example.com"}, {class: "alias", how: "variable misspelt", value: "${FQDN_CLEANED:-domain.invalid}"}}
		}
		// What a link loses with a network is tried by TestMutations.
		return []change{{class: "network", how: "misspelt", value: v + "t"}, {class: "network", how: "capitals", value: strings.ToUpper(v)}}
	case "ports":
		colon := strings.LastIndexByte(v, ':')
		return []change{{class: "published", how: "another port", value: `"` + v[:colon] + `:9` + v[colon+1:] + `"`}, {class: "published", how: "no number", value: `"` + v[:colon] + `:x"`}}
	case "depends_on":
		return []change{{class: "depends_on", how: "misspelt", value: v + "x"}, {class: "depends_on", how: "capitals", value: strings.ToUpper(v)}}
	case "env_file":
		return []change{{class: "env_file", how: "misspelt", value: "x" + v}, {class: "env_file", how: "in a folder", value: "env/" + v}}
	case "tmpfs":
		return []change{{class: "tmpfs", how: "removed", value: removed}, {class: "tmpfs", how: "relative", value: strings.TrimPrefix(v, "/")}}
	case "hostname", "domainname":
		if service == "mail" && field == "hostname" {
			return []change{swap("mail server", "a domain in it", v, "mail.example.org"), {class: "mail server", how: "removed", value: removed}}
		}
		if service == "mail" {
			return []change{{class: "mail server", how: "variable misspelt", value: "${LDAP_DOMIAN}"}, {class: "mail server", how: "removed", value: removed}}
		}
	case "command":
		if service == "kopano_kwmserver" {
			return []change{{class: "command", how: "removed", value: removed}, {class: "command", how: "misspelt", value: "wraper.sh"}}
		}
	case "container_name":
		if service == "kopano_server" || service == "kopano_zpush" {
			return []change{{class: "job", how: "another", value: "mail_" + strings.TrimPrefix(service, "kopano_")}, {class: "job", how: "removed", value: removed}}
		}
	case "healthcheck":
		if last == "interval" || last == "timeout" {
			return []change{{class: "duration", how: "no unit", value: "30"}, {class: "duration", how: "a word", value: "often"}}
		}
		if last == "retries" {
			return []change{{class: "duration", how: "a word", value: "four"}, {class: "duration", how: "negative", value: "-1"}}
		}
		return nil // any program may be called
	}
	if freeFields[field] == "" {
		w.unknown(file, n.Line, path)
	}
	return nil
}

// quoted writes a value with the quotes that the old one had.
func quoted(n *yaml.Node, v string) string {
	if n.Style == yaml.DoubleQuotedStyle {
		return `"` + v + `"`
	}
	return v
}

func (w walk) environmentWays(file, key string, n *yaml.Node) []change {
	w.t.Helper()
	if free[key] != "" {
		return nil
	}
	v := n.Value
	if i := strings.Index(v, "${"); i >= 0 && !strings.Contains(v, ":-") {
		// The value itself is broken in .env; here its name is.
		end := strings.IndexByte(v[i:], '}') + i
		return []change{{class: "variable", how: "misspelt", value: quoted(n, v[:end]+"X"+v[end:])}, {class: "variable", how: "bracket lost", value: quoted(n, v[:end]+v[end+1:])}}
	}
	ways := waysOf(key, v)
	if len(ways) == 0 && !strings.Contains(v, "${") && v != "kapps" {
		w.unknown(file, n.Line, key)
	}
	var out []change
	for _, to := range ways {
		value := to.value
		if value == "" || strings.ContainsAny(value, "{}[]*&!|>%@`") && !strings.HasPrefix(value, `"`) {
			value = "'" + strings.ReplaceAll(value, "'", "''") + "'"
		}
		out = append(out, change{class: classOf(key), how: to.how, value: value})
	}
	return out
}

// missed are damages that are not found at their line, with the reason.
var missed = map[string]string{
	"alias: docker-compose.yml services web networks web-net aliases - ${FQDNCLEANED:-domain.invalid} variable misspelt": "with a default the other name is one of its own; that nothing reads FQDNCLEANED in .env any more is found there",
	"mount: docker-compose.mail.yml services mail volumes - maildata:/var/mail another target":                           "with SMTP_ONLY=1 nothing is kept there",
	"mount: docker-compose.mail.yml services mail volumes - maillogs:/var/log/mail another target":                       "logs; it works without them",
	"mount: docker-compose.yml services kopano_webapp volumes - kopanossl:/kopano/ssl another target":                    "WebApp needs no key as long as it uses the socket",
	"tmpfs: docker-compose.yml services kopano_kdav tmpfs - /var/log/kdav/ removed":                                      "it works without its log",
	"tmpfs: docker-compose.yml services kopano_webapp tmpfs - /var/log/ removed":                                         "it works without its log",
	"tmpfs: docker-compose.yml services kopano_webapp tmpfs - /var/lib/kopano-webapp/plugin_files removed":               "it works without the files of plugins",
	"tmpfs: docker-compose.yml services kopano_zpush tmpfs - /var/log/ removed":                                          "it works without its log",
	"project: .env COMPOSE_PROJECT_NAME another":                                                                         "the jobs that name the old containers are to be changed, the project's name is named as the other end",
	"job: docker-compose.yml services kopano_server container_name another":                                              "as the project's name: the jobs are to be changed, this is the other end",
	"job: docker-compose.yml services kopano_zpush container_name another":                                               "as the project's name: the jobs are to be changed, this is the other end",
	"mount: docker-compose.mail.yml services mail volumes - mtaconfig:/tmp/docker-mailserver/ another target":            "SSL_CERT_PATH and SSL_KEY_PATH are reported, and the mount as a place worth looking at: nothing says that these files are meant to come from it",
	"yes and no: docker-compose.yml services kopano_server environment KCCONF_SERVER_SYNC_GAB_REALTIME a word":           "every word but no, false and 0 means yes; only words that mean no are reported",
}

// upstream are damages to upstream's own deployment that are not found at their
// line, with the reason.
var upstream = []struct{ what, reason string }{
	{`(zpush|kdav|gateway|ical|monitor|search) volumes - kopanossl:/kopano/ssl another target$`, "the service names no file in it"},
	{`(gateway|ical) volumes - kopanosocket:/run/kopano another target$`, "the service reaches kopano_server at port 236"},
	{`web volumes - web:/.kweb another target$`, "with EMAIL=self_signed nothing is kept there"},
	{`KCCONF_KAPID_LOG_LEVEL (a word|too high)$`, "it stands there twice, which is reported; the other one counts"},
	{`mail hostname a domain in it$`, "the domain is another than domainname, which may be meant"},
	{`\.env LDAP_HOST `, "SASLAUTHD_LDAP_SERVER is made of it, which nobody asks with SASLAUTHD_MECHANISMS=rimap"},
	{`mail image latest$`, "all images there are latest: one finding, which names the first few lines"},
}

func missedUpstream(d damage) string {
	for _, u := range upstream {
		if regexp.MustCompile(u.what).MatchString(d.what) {
			return u.reason
		}
	}
	return ""
}
