package rules_test

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// spellings are the bundled deployment, each thing in it written as Compose
// lets people write it too.
func spellings() []variant {
	return []variant{
		{name: "long forms", change: func(v *variation) {
			v.edit(dbFile, "      - mysql:/var/lib/mysql\n", "      - type: volume\n        source: mysql\n        target: /var/lib/mysql\n")
			v.edit(portFile, "      - \"${HTTPS:-443}:443\"\n", "      - target: 443\n        published: \"${HTTPS:-443}\"\n        protocol: tcp\n        mode: host\n")
			v.edit(dbFile, "    depends_on:\n      - db\n", "    depends_on:\n      db:\n        condition: service_healthy\n")
			v.edit(mailFile, "    env_file:\n      - mail.env\n", "    env_file:\n      - path: ./mail.env\n        required: false\n")
			v.edit(mailFile, "    networks:\n      - kopano-net\n", "    networks:\n      kopano-net: {}\n")
			// What another file merges with must have the same form.
			v.edit(mainFile, "    depends_on:\n      - kopano_ssl\n      - kopano_konnect\n", "    depends_on:\n      kopano_ssl:\n        condition: service_completed_successfully\n      kopano_konnect:\n        condition: service_started\n")
			v.edit(mainFile, "      - /var/run/docker.sock:/var/run/docker.sock:ro\n", "      - type: bind\n        source: /var/run/docker.sock\n        target: /var/run/docker.sock\n        read_only: true\n")
		}},
		{name: "environment from an anchor", change: func(v *variation) {
			v.edit(mainFile, "services:\n  web:\n", "x-zone: &zone\n  TZ: ${TZ}\n\nservices:\n  web:\n")
			v.write(mainFile, strings.ReplaceAll(v.read(mainFile), "      TZ: ${TZ}\n", "      <<: *zone\n"))
		}},
		{name: "values in block scalars", change: func(v *variation) {
			v.edit(mainFile, "      CRON_KOPANOUSERS: 10 * * * * docker exec kopano_server kopano-admin --sync\n", "      CRON_KOPANOUSERS: >-\n        10 * * * *\n        docker exec kopano_server kopano-admin --sync\n")
		}},
		{name: "variables with defaults and in another form", change: func(v *variation) {
			v.everywhere("${TZ}", "${TZ:-Europe/Berlin}")
			v.everywhere("${MYSQL_PASSWORD}", "${MYSQL_PASSWORD:?is not set}")
			v.everywhere("${FQDN}", "$FQDN")
		}},
		{name: "JSON", change: func(v *variation) {
			v.write(portFile, "{\"services\": {\"web\": {\"ports\": [\"80:80\", \"443:443\"]},\n \"kopano_server\": {\"ports\": [\"127.0.0.1:237:237\"]},\n \"kopano_gateway\": {\"ports\": [\"143:143\"]}}}\n")
		}},
		{name: "files with another separator", change: func(v *variation) {
			m := regexp.MustCompile(`(?m)^COMPOSE_FILE=(.*)$`).FindStringSubmatch(v.read(".env"))
			v.env("COMPOSE_FILE", "./"+strings.ReplaceAll(m[1], ":", ";./"))
			v.write(".env", v.read(".env")+"COMPOSE_PATH_SEPARATOR=;\n")
		}},
		{name: "one file per service included", change: func(v *variation) {
			v.write("playground.yml", "services:\n  kopano_playground:\n    image: zokradonh/kopano_playground:1.0\n    restart: unless-stopped\n")
			v.without("kopano_playground")
			v.write("docker-compose.extras.yml", "include:\n  - playground.yml\n"+v.read("docker-compose.extras.yml"))
		}},
		{name: "entries reset and overridden", change: func(v *variation) {
			v.write("docker-compose.local.yml", "services:\n  kopano_gateway:\n    ports: !reset []\n  web:\n    ports: !override\n      - \"8443:443\"\n      - \"443:443\"\n      - \"80:80\"\n")
			v.load("ports", "db", "ldap", "mail", "extras", "local")
		}},
		{name: "two env files, the second with the last word", change: func(v *variation) {
			v.edit(mainFile, "    env_file:\n      - kopano_server.env\n", "    env_file:\n      - kopano_server.env\n      - local.env\n")
			v.write("kopano_server.env", "KCCONF_SERVER_LOG_LEVEL=3\n")
			v.write("local.env", "# louder for a while\nKCCONF_SERVER_LOG_LEVEL=4\n")
		}},
		{name: "every env value in quotes", change: func(v *variation) {
			v.write(".env", regexp.MustCompile(`(?m)^(\w+)=([^"'\n]+)$`).ReplaceAllString(v.read(".env"), `$1="$2"`))
		}},
		{name: "every environment value in quotes", change: func(v *variation) {
			text := regexp.MustCompile(`(?m)^(      [A-Za-z_0-9]+): ([^"'\n&*<{\[]+)$`).ReplaceAllString(v.read(mainFile), `$1: "$2"`)
			v.write(mainFile, text)
		}},
		{name: "with a byte order mark in a compose file", change: func(v *variation) {
			v.write(dbFile, "\uFEFF"+v.read(dbFile))
		}},
	}
}

// passwords puts one printable character into a password and writes it in every
// way in which Compose gives it to the container as it is.
func passwords() []variant {
	var out []variant
	for c := '!'; c < 0x7f; c++ {
		if c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' {
			continue
		}
		out = append(out, variant{name: fmt.Sprintf("password with %c", c), change: func(v *variation) { v.spellPassword(string(c)) }})
	}
	return out
}

func (v *variation) spellPassword(c string) {
	// Each account has a password of its own.
	password := func(account string) string { return account + "6bUj9t" + c + "m3zXe7nKv2yDq5g" }
	yaml := func(account string) string { return strings.ReplaceAll(password(account), "$", "$$") }
	// MariaDB's image takes any character, written in the compose file.
	v.edit(dbFile, "MYSQL_ROOT_PASSWORD: ${MYSQL_ROOT_PASSWORD}", "MYSQL_ROOT_PASSWORD: '"+strings.ReplaceAll(yaml("Fp"), "'", "''")+"'")
	v.line(".env", "MYSQL_ROOT_PASSWORD=", "")
	defer v.holds("db", "MYSQL_ROOT_PASSWORD", password("Fp"))
	if c == `\` {
		return // kcconf.py takes a backslash for its own (kopano-docker base/kcconf.py)
	}
	if c != "'" {
		v.env("MYSQL_PASSWORD", "'"+password("Rw")+"'")
		defer v.holds("kopano_server", "KCCONF_SERVER_MYSQL_PASSWORD", password("Rw"))
	}
	if c != `"` && c != "$" {
		v.env("LDAP_ADMIN_PASSWORD", `"`+password("Qm")+`"`)
		defer v.holds("ldap", "LDAP_ADMIN_PASSWORD", password("Qm"))
	}
	// In quotes of YAML, at both ends of one link.
	text := `"` + strings.ReplaceAll(yaml("Ht"), `"`, `\"`) + `"`
	v.everywhere("LDAP_READONLY_USER_PASSWORD: ${LDAP_READONLY_USER_PASSWORD}", "LDAP_READONLY_USER_PASSWORD: "+text)
	v.everywhere("KCCONF_LDAP_LDAP_BIND_PASSWD: ${LDAP_BIND_PW}", "KCCONF_LDAP_LDAP_BIND_PASSWD: "+text)
	v.everywhere("LDAP_BIND_PW: ${LDAP_BIND_PW}", "LDAP_BIND_PW: "+text)
	v.line(".env", "LDAP_READONLY_USER_PASSWORD=", "")
	v.line(".env", "LDAP_BIND_PW=", "")
	defer v.holds("mail", "LDAP_BIND_PW", password("Ht"))
}

// holds checks that a container gets a value as it is meant.
func (v *variation) holds(service, key, want string) {
	v.t.Helper()
	s, ok := load(v.t, deployment.Options{Dir: v.dir}).Deployment.Service(service)
	if !ok {
		v.t.Fatalf("no service %s", service)
	}
	if got, _ := s.Get(key); got.Reveal() != want {
		v.t.Errorf("%s gets %q as %s, want %q", service, got.Reveal(), key, want)
	}
}
