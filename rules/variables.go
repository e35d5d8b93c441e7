package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// variableRules are about ${VARIABLES} and where they come from.
func variableRules() []Rule {
	return []Rule{
		{
			ID: "unset-variable", Subject: "env files", Severity: finding.Warning,
			Title: "A variable is defined nowhere",
			Why: "Compose puts nothing in its place and goes on (with a warning that is easily overlooked). setup.sh writes .env once; a newer kopano-docker needs variables that an old .env does not have. " +
				"${NAME:-} says that empty is meant, and is left alone.",
			Source: "compose-go template/template.go; kopano-docker setup.sh",
			Check:  unsetVariable,
		},
		{
			ID: "shell-beats-dotenv", Subject: "env files", Severity: finding.Warning,
			Title:  "A variable of the shell takes the place of the one in .env",
			Why:    "Compose asks the environment of whoever runs it first, then .env. A variable that was exported for something else silently changes the deployment; another shell changes it back.",
			Source: "Compose documentation, environment variables precedence",
			Check:  shellBeats,
		},
		{
			ID: "variable-misspelt", Fixable: true, Subject: "env files", Severity: finding.Warning,
			Title:  "A line of .env misses the name that the compose files use",
			Why:    "A variable with a default, ${NAME:-default}, is never missed: a misspelt line in .env has no effect, and nothing says so.",
			Source: "Compose specification, interpolation",
			Check:  variableMisspelt,
		},
		{
			ID: "dotenv-not-used", Subject: "env files", Severity: finding.Warning,
			Title:  "A setting in .env reaches no container",
			Why:    ".env only fills ${VARIABLES} of the compose files; it is not handed to the containers. A setting that no file mentions has no effect there.",
			Source: "Compose specification, interpolation",
			Check:  dotenvUnused,
		},
	}
}

// brokenWhenEmpty says what an empty value breaks, for the settings without
// which their service cannot do its work, by the role that reads them.
var brokenWhenEmpty = map[kopano.Role]map[string]string{
	kopano.Web: {
		"FQDN": "web has no name to serve: nobody reaches WebApp, mail on the phone or Meet.",
	},
	kopano.SSL: {
		"FQDN": "The internal certificates are made without the deployment's name.",
	},
	kopano.Konnect: {
		"FQDN": "The login service has no address: nobody can log in.",
	},
	kopano.Server: {
		"KCCOMMENT_LDAP_1":                          "All of ldap.cfg is commented out: kopano_server does not start.",
		"KCUNCOMMENT_LDAP_1":                        "Every comment in ldap.cfg becomes a setting: kopano_server does not start.",
		"KCCONF_LDAP_LDAP_URI":                      "kopano_server does not find the directory: nobody can log in.",
		"KCCONF_LDAP_LDAP_SEARCH_BASE":              "kopano_server does not know where to look for users: nobody can log in.",
		"KCCONF_LDAP_LDAP_BIND_PASSWD":              "The directory refuses a login without a password: nobody can log in.",
		"KCCONF_SERVER_MYSQL_HOST":                  "kopano_server does not find the database and does not start.",
		"KCCONF_SERVER_MYSQL_DATABASE":              "kopano_server does not know its database and does not start.",
		"KCCONF_SERVER_MYSQL_USER":                  "The database refuses kopano_server, which does not start.",
		"KCCONF_SERVER_MYSQL_PASSWORD":              "The database refuses kopano_server, which does not start.",
		"KCCONF_SERVER_KCOIDC_ISSUER_IDENTIFIER":    "kopano_server cannot check logins: nobody gets into WebApp or Meet.",
		"KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY": "kopano_server does not check the certificate of the login service.",
	},
	kopano.Webapp: {
		"KCCONF_WEBAPP_OIDC_ISS": "WebApp does not find the login service: nobody gets in.",
	},
	kopano.Kapi: {
		"KCCONF_KAPID_OIDC_ISSUER_IDENTIFIER": "kopano_kapi waits for a login service without an address: Meet and the API do not work.",
	},
	kopano.Kwmserver: {
		"oidc_issuer_identifier": "The signalling server waits for a login service without an address: no calls.",
	},
	kopano.Mail: {
		"LDAP_SERVER_HOST":         "The mail server does not find the directory: incoming mail is not accepted.",
		"LDAP_SEARCH_BASE":         "The mail server does not know where to look for users: incoming mail is not accepted.",
		"LDAP_QUERY_FILTER_USER":   "The mail server does not find the users: incoming mail is not accepted.",
		"LDAP_QUERY_FILTER_DOMAIN": "The mail server does not know its own domain: incoming mail is not accepted.",
		"POSTFIX_DAGENT":           "Incoming mail does not reach the mailboxes.",
	},
	kopano.LDAP: {
		"LDAP_ADMIN_PASSWORD": "The directory cannot be set up.",
		"LDAP_BASE_DN":        "The directory is set up for another domain.",
		"LDAP_DOMAIN":         "The directory is set up for another domain.",
	},
	kopano.Database: {
		"MYSQL_ROOT_PASSWORD": "The database refuses to be set up without a password.",
	},
	kopano.Spooler: {
		"KCCONF_SPOOLER_SMTP_SERVER": "Nobody can send mail.",
	},
}

// emptyMeansNone are settings whose readers take an empty value for none.
var emptyMeansNone = []string{"ADDITIONAL_KOPANO_PACKAGES", "ADDITIONAL_KOPANO_WEBAPP_PLUGINS", "turn_service_credentials_user", "turn_service_credentials_password"}

// uses are all places that need one variable.
type uses struct {
	name    string
	places  []deployment.VariableUse
	serious []string // consequences of the uses that break their service
	links   []string // the links that these uses have a part in
}

func unsetVariable(in *Input) []finding.Finding {
	var order []*uses
	byName := map[string]*uses{}
	cut := linesCut(in)
	for _, u := range in.Deployment.Unset {
		if meantElsewhere(in, u) != notMeantElsewhere || cut[finding.Location{File: u.At.File, Line: u.At.Line}] {
			continue // another rule speaks of dollar signs that are not for Compose
		}
		x := byName[u.Name]
		if x == nil {
			x = &uses{name: u.Name}
			byName[u.Name] = x
			order = append(order, x)
		}
		x.places = append(x.places, u)
		s, ok := in.Deployment.Service(u.Service)
		if !ok {
			continue
		}
		why := lossWhenEmpty(in, s, u.Key)
		switch {
		case u.Key == "image" && !imageReference.MatchString(s.Image):
			why = "Docker refuses the image " + quote(s.Image) + " of " + s.Name + ", which is not started."
			x.links = append(x.links, linksTo(in, s)...)
		case strings.HasPrefix(u.Key, "ports"):
			why = s.Name + " is published on a port of the host that Docker chooses, another one after each start."
		case why != "" && !wholeOrIssuer(s, u):
			why = ""
		}
		if why != "" && u.Key != "image" {
			x.links = append(x.links, linksBy(in, s, u.Key)...)
		}
		if why != "" && !contains(x.serious, why) {
			x.serious = append(x.serious, why)
		}
	}
	var out []finding.Finding
	for _, x := range order {
		out = append(out, x.finding(in))
	}
	return out
}

// wholeOrIssuer reports whether the setting is spoilt by the missing variable:
// nothing but a scheme is left of it.
func wholeOrIssuer(s *deployment.Service, u deployment.VariableUse) bool {
	switch rest := value(s, u.Key); {
	case rest == "", strings.HasSuffix(rest, "://"):
		return true
	default:
		return false
	}
}

func (x *uses) finding(in *Input) finding.Finding {
	f := finding.Finding{
		Subject: x.name, Key: x.name, Links: slices.Compact(slices.Sorted(slices.Values(x.links))),
		Consequence: "The containers get an empty text, or a text with a hole, in its place.",
		Remedy:      "Define it in .env: " + x.name + "=" + usualValue(x.name) + ". Where empty is meant, write ${" + x.name + ":-}.",
	}
	if len(x.serious) > 0 {
		f.Severity = finding.Error
		f.Consequence = strings.Join(x.serious, " ")
		f.Remedy = "Define it in .env: " + x.name + "=" + usualValue(x.name)
	}
	var users []string
	harmless := true
	for _, u := range x.places {
		f.Locations = append(f.Locations, u.At.As(finding.Origin))
		what := strings.TrimRight(strings.TrimRight(u.Key, "0123456789"), ".") // ports.1
		if !strings.Contains(u.Key, ".") {
			what = u.Key
		}
		harmless = harmless && slices.Contains(emptyMeansNone, u.Key)
		if u.Service != "" {
			what += " of " + u.Service
		}
		if what != "" && !contains(users, what) {
			users = append(users, what)
		}
	}
	if harmless {
		f.Severity = finding.Info
		f.Consequence = "Nothing: empty means none here. Compose warns about it at every call."
	}
	f.Locations = distinct(f.Locations)
	if len(f.Locations) > 0 {
		f.Locations[0].Role = finding.Fix
	}
	f.Message = "Nothing defines ${" + x.name + "}."
	if len(users) > 0 {
		f.Message = "Nothing defines ${" + x.name + "}, which stands in " + list(users, 5) + "."
	}
	if like := likeDefined(in, x.name); like != "" {
		f.Remedy = "Is " + like + " meant? Otherwise define " + x.name + " in .env."
	}
	return f
}

// usualValue gives what setup.sh writes, where that helps.
func usualValue(name string) string {
	switch name {
	case "FQDN", "FQDNCLEANED":
		return "kopano.example.com"
	case "INSECURE":
		return "no"
	case "LDAP_SERVER":
		return "ldap://ldap:389"
	case "LDAP_HOST":
		return "ldap:389"
	case "LDAP_BASE_DN", "LDAP_SEARCH_BASE":
		return "dc=example,dc=com"
	case "LDAP_BIND_DN":
		return "cn=readonly,dc=example,dc=com"
	case "LDAP_DOMAIN":
		return "example.com"
	case "MYSQL_HOST":
		return "db"
	case "MYSQL_USER", "MYSQL_DATABASE":
		return "kopano"
	case "KCCOMMENT_LDAP_1":
		return "!include /usr/share/kopano/ldap.active-directory.cfg"
	case "KCUNCOMMENT_LDAP_1":
		return "!include /usr/share/kopano/ldap.openldap.cfg"
	case "LDAP_QUERY_FILTER_USER":
		return "(&(kopanoAccount=1)(mail=%s))"
	case "LDAP_QUERY_FILTER_GROUP":
		return "(&(objectclass=kopano-group)(mail=%s))"
	case "LDAP_QUERY_FILTER_ALIAS":
		return "(&(kopanoAccount=1)(kopanoAliases=%s))"
	case "LDAP_QUERY_FILTER_DOMAIN":
		return "(&(|(mail=*@%s)(kopanoAliases=*@%s)))"
	case "SASLAUTHD_LDAP_FILTER":
		return "(&(kopanoAccount=1)(uid=%s))"
	case "POSTMASTER_ADDRESS":
		return "postmaster@example.com"
	case "TZ":
		return "Europe/Berlin"
	}
	return "…"
}

// likeDefined finds the variable of .env that a misspelt one means. It must not
// be in use itself.
func likeDefined(in *Input, name string) string {
	var defined []string
	for _, f := range in.Deployment.EnvFiles {
		if !f.Project {
			continue
		}
		for _, l := range f.Lines {
			if l.Bad == "" && !referenced(in, l.Key) {
				defined = append(defined, l.Key)
			}
		}
	}
	like, ok := nearestOf(name, defined)
	if !ok {
		return ""
	}
	return like
}

func shellBeats(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for i := range f.Lines {
			l := &f.Lines[i]
			given, set := in.Deployment.ProcessValue(l.Key)
			if !f.Project || l.Bad != "" || l.Bare || !set || given.Reveal() == l.Reveal() || definition(in, l.Key) != l || !referenced(in, l.Key) {
				continue
			}
			what := "it is " + quote(given.String()) + " there and " + quote(l.String()) + " in " + f.File
			if given.IsSecret() || l.IsSecret() {
				what = "the two differ"
			}
			v := finding.Finding{
				Subject: l.Key, Key: l.Key,
				Message:     l.Key + " comes from the environment of whoever runs Compose: " + what + ".",
				Consequence: "What is written in " + f.File + " has no effect, until Compose is run from another shell and the deployment changes.",
				Remedy:      "Run unset " + l.Key + " before Compose, or make " + f.File + " say the same.",
				Locations:   append([]finding.Location{l.ValueAt.As(finding.Overridden)}, useOf(in, l.Key)...),
			}
			if l.Key == "COMPOSE_PROJECT_NAME" {
				v.Consequence = "Every volume and container gets another name: Compose makes new, empty volumes, and all mail seems to be gone until the name is right again."
			}
			out = append(out, v)
		}
	}
	return out
}

// useOf gives the first place where a service takes a value from a variable,
// else where the compose files mention it.
func useOf(in *Input, name string) []finding.Location {
	for _, s := range in.Deployment.Services {
		for _, key := range s.Keys() {
			for _, v := range s.Env[key].Variables {
				if v.Name == name && !v.Use.IsZero() {
					return []finding.Location{v.Use.As(finding.Origin)}
				}
			}
		}
	}
	return mentionOf(in, name)
}

// mentionOf gives the first place where the compose files use a variable.
func mentionOf(in *Input, name string) []finding.Location {
	for _, sc := range in.Deployment.Scalars() {
		if mentions(sc.Text, name) || sc.InList && sc.Text == name {
			return []finding.Location{sc.At.As(finding.Origin)}
		}
	}
	return nil
}

// settingReaders: names that are settings of a container, not variables for
// compose files, and the role that reads them. KCCONF_ and its like are told by
// their section.
var settingReaders = []struct {
	prefix string
	role   kopano.Role
}{
	{"KWEBD_DNS_", kopano.Web}, {"TLS_MODE", kopano.Web}, {"TLS_CERT", kopano.Web}, {"TLS_KEY", kopano.Web},
	{"SASLAUTHD_", kopano.Mail}, {"POSTFIX_", kopano.Mail}, {"ENABLE_", kopano.Mail},
	{"CRON_", kopano.Scheduler}, {"CRONDELAYED_", kopano.Scheduler},
	{"KCCONF_WEBAPP", kopano.Webapp}, {"KCCONF_ZPUSH", kopano.ZPush}, {"KCCONF_MEET_", kopano.Meet}, {"KCCONF_CALENDAR_", kopano.Kapps},
}

func dotenvUnused(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		if !f.Project || len(f.Services) > 0 {
			continue // a service that lists .env under env_file gets everything in it
		}
		for _, l := range f.Lines {
			if l.Bad != "" || l.Bare || !readerRuns(in, l.Key) || referenced(in, l.Key) || definition(in, l.Key).At != l.At {
				continue
			}
			users, same := holders(in, l)
			if same {
				continue // the containers have that value already
			}
			remedy := "Put it under environment of its service in docker-compose.override.yml, and name that file in COMPOSE_FILE."
			if len(users) > 0 {
				remedy = "The compose files set " + l.Key + " of " + list(users, 3) + " themselves; change it in docker-compose.override.yml."
			}
			out = append(out, finding.Finding{
				Subject: l.Key, Key: l.Key,
				Message:     l.Key + " is set in " + f.File + ", but no compose file mentions ${" + l.Key + "}.",
				Consequence: "The setting has no effect.",
				Remedy:      remedy,
				Locations:   []finding.Location{l.At.As(finding.Fix)},
			})
		}
	}
	return out
}

// readerRuns reports whether a name is a setting of a service that is a part of
// this deployment. Where only a few of the files are loaded, the rest of .env
// is for the others.
func readerRuns(in *Input, key string) bool {
	runs := func(r kopano.Role) bool {
		return slices.ContainsFunc(in.Topology.Services(r), func(s *deployment.Service) bool { return !fragment(s) })
	}
	for _, r := range settingReaders {
		if strings.HasPrefix(key, r.prefix) && runs(r.role) {
			return true
		}
	}
	st, ok := settingOf(key)
	if !ok {
		return false
	}
	for role, files := range coreRoles {
		if slices.Contains(files, st.section) && runs(role) {
			return true
		}
	}
	return false
}

// variableName finds the variables that a text uses, with their operators.
var variableName = regexp.MustCompile(`\$\{?([A-Za-z_][A-Za-z0-9_]*)`)

// usedVariables gives the names that the compose files and the env files use.
func usedVariables(in *Input) map[string]bool {
	names := map[string]bool{}
	for _, sc := range in.Deployment.Scalars() {
		if sc.InList && len(sc.Path) == 4 && sc.Path[2] == "environment" && sc.Path[3] == sc.Text {
			names[sc.Text] = true // - NAME, without a value
		}
		for _, m := range variableName.FindAllStringSubmatchIndex(sc.Text, -1) {
			if m[0] == 0 || sc.Text[m[0]-1] != '$' {
				names[sc.Text[m[2]:m[3]]] = true
			}
		}
	}
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			for _, name := range l.References {
				names[name] = true
			}
		}
	}
	return names
}

// isUsed reports whether Compose or somebody's file has a use for a variable.
func isUsed(used map[string]bool, name string) bool {
	return used[name] || strings.HasPrefix(name, "COMPOSE_")
}

// shortName is the length up to which names are alike by nature: HTTP and HTTPS.
const shortName = 8

func variableMisspelt(in *Input) []finding.Finding {
	used := usedVariables(in)
	free := freeVariables(in, used)
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			if !f.Project || len(f.Services) > 0 || l.Bad != "" || len(l.Key) < shortName || isUsed(used, l.Key) || ofSetup(l.Key) {
				continue
			}
			near, ok := nearestOf(l.Key, free)
			if !ok || onlyDigitsDiffer(near, l.Key) {
				continue
			}
			out = append(out, finding.Finding{
				Subject: l.Key, Key: l.Key,
				Message:     l.Key + " is set in " + f.File + ", but the compose files use ${" + near + "}, which nothing sets.",
				Consequence: "The line has no effect, and the default is used.",
				Remedy:      "Write " + near + "=…",
				Locations:   append([]finding.Location{l.At.As(finding.Fix)}, mentionOf(in, near)...),
				Edits:       in.Deployment.Rename(l.At, l.Key, near),
			})
		}
	}
	return out
}

// freeVariables gives the variables that the compose files use with a default
// and that nothing sets. One without a default is the business of unset-variable.
func freeVariables(in *Input, used map[string]bool) []string {
	defined := map[string]bool{}
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			defined[l.Key] = defined[l.Key] || f.Project
		}
	}
	var free []string
	for _, name := range sorted(used) {
		_, given := in.Deployment.ProcessValue(name)
		if !given && len(name) >= shortName && !defined[name] && len(mentionOf(in, name)) > 0 && !undefined(in, name) && !strings.HasPrefix(name, "COMPOSE_") {
			free = append(free, name)
		}
	}
	return free
}

// ofSetup reports whether setup.sh writes a variable of this name: it is
// spelt right, and for a part that is not loaded.
func ofSetup(name string) bool {
	return strings.HasSuffix(name, "_VERSION") || strings.HasSuffix(name, "PORT") || slices.Contains([]string{
		"LDAP_CONTAINER", "LDAP_ORGANISATION", "LDAP_DOMAIN", "LDAP_BASE_DN", "LDAP_SERVER", "LDAP_HOST", "LDAP_ADMIN_PASSWORD", "LDAP_READONLY_USER_PASSWORD",
		"LDAP_BIND_DN", "LDAP_BIND_PW", "LDAP_SEARCH_BASE", "LDAP_QUERY_FILTER_USER", "LDAP_QUERY_FILTER_GROUP", "LDAP_QUERY_FILTER_ALIAS", "LDAP_QUERY_FILTER_DOMAIN",
		"SASLAUTHD_LDAP_FILTER", "MYSQL_HOST", "MYSQL_USER", "MYSQL_DATABASE", "MYSQL_PASSWORD", "MYSQL_ROOT_PASSWORD", "POSTMASTER_ADDRESS", "MAILBOXLANG",
		"KCCOMMENT_LDAP_1", "KCUNCOMMENT_LDAP_1", "DEFAULTREDIRECT", "FQDNCLEANED", "INSECURE", "docker_repo",
	}, name)
}

// holders gives the services that have the setting anyway, and whether it has the same value there.
func holders(in *Input, l deployment.EnvLine) (users []string, same bool) {
	for _, s := range in.Deployment.Services {
		if v, ok := s.Get(l.Key); ok {
			users = append(users, s.Name)
			same = same || v.Reveal() == l.Reveal()
		}
	}
	return users, same
}
