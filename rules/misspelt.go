package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// misspeltRules are about names of settings that no other rule knows in full.
func misspeltRules() []Rule {
	return []Rule{
		{
			ID: "service-setting-misspelt", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "The name of a setting is misspelt",
			Why:    "The start scripts and programs of the images ask for each setting by its name. What nobody asks for has no effect, and nothing is said about it.",
			Source: "kopano-docker core/start-service.sh, web/wrapper.sh, ssl/start.sh, docker-compose.yml; osixia/openldap, osixia/phpldapadmin, tiredofit/self-service-password",
			Check:  serviceSettingMisspelt,
		},
	}
}

// furtherSettings are what images read besides what their links need.
var furtherSettings = map[kopano.Role][]string{
	kopano.Web:       {"FQDN", "EMAIL", "TLS_MODE", "TLS_CERT", "TLS_KEY", "DEFAULTREDIRECT", "KONNECTPATH"},
	kopano.SSL:       {"FQDN", "PKI_COUNTRY"},
	kopano.Konnect:   {"FQDN", "KONNECT_BACKEND", "LDAP_URI", "LDAP_BASEDN", "LDAP_BINDDN", "LDAP_BINDPW", "LDAP_SCOPE", "LDAP_LOGIN_ATTRIBUTE", "LDAP_EMAIL_ATTRIBUTE", "LDAP_NAME_ATTRIBUTE", "LDAP_UUID_ATTRIBUTE", "LDAP_UUID_ATTRIBUTE_TYPE", "LDAP_FILTER"},
	kopano.Grapi:     {"GRAPI_BACKEND", "LDAP_URI", "LDAP_BASEDN", "LDAP_BINDDN", "LDAP_BINDPW"},
	kopano.Kwmserver: {"INSECURE"},
	kopano.Kapi:      {"DEFAULT_PLUGIN_PUBS_SECRET_KEY_FILE"},
	kopano.Server:    {"KCCONF_ADMIN_DEFAULT_STORE_LOCALE"},
	kopano.ZPush:     {"ZPUSH_ADDITIONAL_FOLDERS", "KCCONF_SERVERHOSTNAME", "KCCONF_SERVERPORT"},
	kopano.Kdav:      {"KCCONF_SERVERHOSTNAME", "KCCONF_SERVERPORT"},
	kopano.Webapp: {"KCCONF_WEBAPP_OIDC_ISS", "KCCONF_WEBAPP_OIDC_CLIENT_ID", "KCCONF_WEBAPP_CLIENT_TIMEOUT", "ADDITIONAL_KOPANO_WEBAPP_PLUGINS",
		"KCCONF_SERVERHOSTNAME", "KCCONF_SERVERPORT"},
	kopano.Meet:      {"KCCONF_MEET_guests_enabled", "KCCONF_MEET_disableFullGAB", "KCCONF_MEET_oidc_useImplicitFlow", "KCCONF_MEET_minimumVersion"},
	kopano.LDAP:      {"LDAP_ORGANISATION", "LDAP_DOMAIN", "LDAP_BASE_DN", "LDAP_ADMIN_PASSWORD", "LDAP_READONLY_USER", "LDAP_READONLY_USER_PASSWORD"},
	kopano.LDAPAdmin: {"PHPLDAPADMIN_LDAP_HOSTS", "PHPLDAPADMIN_HTTPS"},
	kopano.PasswordSelf: {"LDAP_SERVER", "LDAP_BINDDN", "LDAP_BINDPASS", "LDAP_BASE_SEARCH", "MAIL_FROM", "SMTP_HOST", "SMTP_PORT", "SECRETEKEY",
		"LDAP_LOGIN_ATTRIBUTE", "SMTP_SECURE_TYPE", "SMTP_AUTOTLS", "WHO_CAN_CHANGE_PASSWORD", "QUESTIONS_ENABLED", "PASSWORD_HASH", "PASSWORD_NO_REUSE",
		"PASSWORD_MIN_LENGTH", "PASSWORD_MAX_LENGTH", "PASSWORD_MIN_LOWERCASE", "PASSWORD_MIN_UPPERCASE", "PASSWORD_MIN_DIGIT", "PASSWORD_MIN_SPECIAL"},
}

// startSettings are what the start scripts of Kopano's own images read.
var startSettings = []string{"AUTOCONFIGURE", "DISABLE_CHECKS", "DISABLE_CONFIG_CHANGES", "KOPANO_CONFIG_PATH", "ADDITIONAL_KOPANO_PACKAGES"}

// readBy gives the settings that a role's image is known to read.
func readBy(role kopano.Role) []string {
	known := append(settingsRead(role), furtherSettings[role]...)
	if sys := kopano.SystemOf(role); sys != nil && sys.MachineID { // made from Kopano's base image
		known = append(known, startSettings...)
	}
	return known
}

func serviceSettingMisspelt(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		role := in.Topology.Role(s)
		return role != kopano.Unknown && role != kopano.Mail && !knownElsewhere(role, key)
	}
	return judge(in, want, func(x sighting) *verdict {
		role, key := in.Topology.Role(x.service), x.value.Key
		known := readBy(role)
		if slices.Contains(known, key) {
			return nil
		}
		near, ok := nearestOf(key, known)
		if !ok || strings.EqualFold(near, key) || tooFar(key, near) {
			return nil
		}
		if _, both := x.service.Get(near); both {
			return nil // it may be a setting of its own
		}
		return &verdict{
			key:         true,
			message:     key + " is not read; the setting is called " + near + ", which is not set.",
			consequence: "The setting has no effect, and " + x.service.Name + " runs with another value, or not at all.",
			remedy:      "Write " + near,
			rename:      near,
		}
	})
}

// knownElsewhere leaves names to the rules that have whole lists of them.
func knownElsewhere(role kopano.Role, key string) bool {
	low := key == strings.ToLower(key)
	switch role {
	case kopano.Konnect, kopano.Kwmserver, kopano.Kwmbridge:
		return low
	case kopano.Scheduler:
		return strings.HasPrefix(key, "CRON")
	case kopano.Meet, kopano.Webapp:
		return strings.HasPrefix(key, "KCCONF_KWEBD_")
	case kopano.Server:
		return isSettingKey(key) && !strings.HasPrefix(key, "KCCONF_ADMIN_")
	}
	return isSettingKey(key)
}

// tooFar reports whether two names differ in more than one letter that was
// forgotten, doubled, swapped with the next one or mistyped: then it may well be
// another setting.
func tooFar(a, b string) bool {
	start := 0
	for start < len(a) && start < len(b) && a[start] == b[start] {
		start++
	}
	end := 0
	for end < len(a)-start && end < len(b)-start && a[len(a)-1-end] == b[len(b)-1-end] {
		end++
	}
	x, y := a[start:len(a)-end], b[start:len(b)-end]
	swapped := len(x) == 2 && len(y) == 2 && x[0] == y[1] && x[1] == y[0]
	return !swapped && (len(x) > 1 || len(y) > 1)
}
