package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// secretRules look at passwords without ever showing one.
func secretRules() []Rule {
	return []Rule{
		{
			ID: "default-password", Subject: "secrets", Severity: finding.Warning,
			Title:  "A password is a well-known placeholder",
			Why:    "setup.sh and the examples of kopano-docker come with passwords that everybody can read; so do the manuals of the images. A password that is the name of its account is tried first.",
			Source: "kopano-docker setup.sh and examples; documentation of the images of MariaDB, MinIO, osixia/openldap and LAM",
			Check:  defaultPassword,
		},
		{
			ID: "weak-password", Subject: "secrets", Severity: finding.Warning,
			Title:  "A password is short",
			Why:    "Nobody types these passwords, so they can be long; setup.sh makes 32 characters.",
			Source: "kopano-docker setup.sh, random_string; NIST SP 800-63B section 5.1.1",
			Check:  weakPassword,
		},
		{
			ID: "reused-password", Subject: "secrets", Severity: finding.Warning,
			Title:  "Several accounts have one password",
			Why:    "Who learns the one has the others too; setup.sh makes one for each account. The bind password and that of the bundled read-only user are one account and must be equal.",
			Source: "kopano-docker setup.sh",
			Check:  reusedPassword,
		},
		{
			ID: "password-in-compose-file", Subject: "secrets", Severity: finding.Info,
			Title:  "A password stands in a compose file",
			Why:    "Compose files are kept in Git and passed around; kopano-docker keeps passwords in .env, which its .gitignore leaves out.",
			Source: "kopano-docker .gitignore and setup.sh",
			Check:  passwordInFile,
		},
	}
}

// placeholders are the passwords of setup.sh, of kopano-docker's examples and of
// the manuals of MariaDB's, MinIO's and osixia's images.
var placeholders = []string{
	"kopano123", "kopanodbpw", "adminpassword", "readonlypassword", "readonly", "admin", "password", "passwort", "secret", "changeme", "change-me", "change_me",
	"replace-me", "replaceme", "replace_me", "accesskey", "secretkey", "test", "example", "root", "mysql", "kopano", "demo", "my-secret-pw", "minioadmin", "lam", "ldap", "s3cret", "kopano1234", "config", "12345678", "123456", "geheim",
}

// isPassword accepts settings that hold a password that somebody chose, not a
// path, a switch or a JSON key.
func isPassword(_ *deployment.Service, key string) bool {
	up := strings.ToUpper(key)
	return secret.IsName(key) && (strings.Contains(up, "PASS") || strings.HasSuffix(up, "_PW") || strings.HasSuffix(up, "SECRET") ||
		strings.HasSuffix(up, "SECRETEKEY") || strings.HasSuffix(up, "ACCESSKEY") || strings.HasSuffix(up, "SECRETKEY"))
}

func isPlaceholder(s string) bool { return slices.Contains(placeholders, strings.ToLower(s)) }

// userOf gives the setting that holds the account of a password: MYSQL_USER of
// MYSQL_PASSWORD.
func userOf(key string) string {
	if i := strings.LastIndex(key, "PASS"); i > 0 && !strings.HasSuffix(key, "ROOT_PASSWORD") {
		return strings.TrimSuffix(key[:i], "USER_") + "USER"
	}
	return ""
}

func defaultPassword(in *Input) []finding.Finding {
	return judge(in, isPassword, func(x sighting) *verdict {
		v := &verdict{
			message:     x.name() + " is one of the well-known placeholders.",
			consequence: "Whoever reaches the port can log in with it.",
			remedy:      "Choose a long random one (openssl rand -hex 16), and change it in the program that holds the account first: a database or directory that exists keeps its old password.",
		}
		if isPlaceholder(x.text()) {
			return v
		}
		user := userOf(x.value.Key)
		if x.text() == "" || isSwitch(x.text()) || user == "" || value(x.service, user) != x.text() {
			return nil
		}
		v.message = x.name() + " is the same as the name of its account, " + user + "."
		return v
	})
}

func weakPassword(in *Input) []finding.Finding {
	return judge(in, isPassword, func(x sighting) *verdict {
		s := x.text()
		if s == "" || len(s) >= 10 || isPlaceholder(s) || isSwitch(s) || s == value(x.service, userOf(x.value.Key)) || strings.HasPrefix(s, "/") || strings.HasPrefix(s, "{") {
			return nil
		}
		return &verdict{
			message:     x.name() + " has fewer than ten characters.",
			consequence: "Who reaches the port finds it by trying.",
			remedy:      "Use at least 16 random letters and digits (openssl rand -hex 16), without backslash, dollar sign or quote; change it in the program that holds the account first.",
		}
	})
}

func isSwitch(s string) bool {
	return slices.Contains([]string{"yes", "no", "true", "false", "on", "off", "0", "1"}, strings.ToLower(s))
}

// sameAccount: settings that hold the password of one account on both ends of
// a link. Only different accounts count as reuse.
func account(key string) string {
	up := strings.ToUpper(key)
	switch {
	case strings.Contains(up, "READONLY") || strings.Contains(up, "BIND") || up == "SASLAUTHD_LDAP_PASSWORD":
		return "the directory's bind account"
	case strings.Contains(up, "ROOT_PASS"):
		return "the database's administrator"
	case strings.Contains(up, "MYSQL") || strings.Contains(up, "MARIADB") || strings.Contains(up, "DB_PASS"):
		return "the database account"
	case strings.Contains(up, "LDAP_ADMIN") || strings.Contains(up, "LDAP_CONFIG"):
		return "the directory's administrator"
	case strings.Contains(up, "TURN"):
		return "the TURN account"
	case strings.Contains(up, "SELF_SERVICE") || up == "SECRETEKEY":
		return "the password self-service"
	}
	return ""
}

func reusedPassword(in *Input) []finding.Finding {
	type use struct {
		account string
		x       sighting
	}
	uses := map[string][]use{}
	for _, s := range in.Deployment.Services {
		for _, key := range s.Keys() {
			v := s.Env[key]
			x := sighting{s, v}
			a := account(x.name())
			if a == "" || !isPassword(s, key) || len(v.Reveal()) < 4 || isPlaceholder(v.Reveal()) || isSwitch(v.Reveal()) {
				continue
			}
			known := uses[v.Reveal()]
			if !slices.ContainsFunc(known, func(u use) bool { return u.account == a }) {
				uses[v.Reveal()] = append(known, use{a, x})
			}
		}
	}
	var out []finding.Finding
	for _, us := range uses {
		if len(us) < 2 {
			continue
		}
		slices.SortFunc(us, func(a, b use) int { return strings.Compare(a.account, b.account) })
		var accounts []string
		var places []finding.Location
		for i, u := range us {
			accounts = append(accounts, u.account+" ("+u.x.name()+")")
			for j, l := range u.x.value.Locations() {
				if i > 0 && j == 0 {
					l = l.As(finding.Related)
				}
				places = append(places, l)
			}
		}
		out = append(out, finding.Finding{
			Subject: us[0].x.name(), Key: strings.Join(accounts, ", "),
			Message:     "One password opens " + list(accounts, 4) + ".",
			Consequence: "Who learns the password of the least of them has all of them.",
			Remedy:      "Give each account its own password, first in the program that holds the account.",
			Locations:   distinct(places),
		})
	}
	// Groups come out of a map; their accounts put them in order.
	slices.SortFunc(out, func(a, b finding.Finding) int { return strings.Compare(a.Key, b.Key) })
	return out
}

func passwordInFile(in *Input) []finding.Finding {
	fs := judge(in, isPassword, func(x sighting) *verdict {
		v := x.value
		if v.Source != deployment.FromEnvironment || v.Reveal() == "" || len(v.Variables) > 0 || isSwitch(v.Reveal()) || strings.HasPrefix(v.Reveal(), "/") {
			return nil
		}
		return &verdict{
			message:     x.name() + " is written out in the compose file.",
			consequence: "Everyone who can read the file, or its history in Git, knows the password.",
			remedy:      "Move it to .env and write " + v.Key + "=${" + v.Key + "}",
		}
	})
	return fs
}
