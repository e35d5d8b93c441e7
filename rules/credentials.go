package rules

import (
	"slices"
	"strings"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// credentialRules compare what the two ends of a link must both know.
func credentialRules() []Rule {
	return []Rule{
		{
			ID: "link-credentials-differ", Subject: "links", Severity: finding.Error,
			Title: "The two ends of a link were given different credentials",
			Why: "The images of database and directory make their users from their own settings, when their volume is still empty; the others log in with settings of their own. " +
				"Where they differ the login is refused. (Where they agree it may still be refused: what counts is what the volume was filled with.)",
			Source: "MariaDB image docker-entrypoint.sh; osixia/docker-openldap startup.sh; kopano-docker docker-compose.db.yml, docker-compose.ldap.yml",
			Check:  credentials,
		},
		{
			ID: "database-user-root", Subject: "database", Severity: finding.Warning,
			Title:  "The storage server logs in to the database as root",
			Why:    "root may do everything, in every database. The image makes a user for Kopano from MYSQL_USER and MYSQL_PASSWORD, and that one is enough.",
			Source: "MariaDB image docker-entrypoint.sh",
			Check:  databaseRoot,
		},
		{
			ID: "bundled-service-unused", Subject: "links", Severity: finding.Warning,
			Title: "A service runs although nothing uses it",
			Why: "Whoever moves to a directory or a database outside must also take docker-compose.ldap.yml or docker-compose.db.yml out of COMPOSE_FILE (setup.sh only prints a hint). " +
				"The one that stays keeps old passwords, and without LDAP_CONTAINER it is the demo directory, in which every user's password is the user's name.",
			Source: "kopano-docker setup.sh, docker-compose.ldap.yml, docker-compose.db.yml",
			Check:  bundledUnused,
		},
	}
}

// bundled reports whether the other end is a service whose settings mean what
// the catalogue says: one of the images that it knows, or its own build.
func bundled(in *Input, e *kopano.Edge) bool {
	if e.To == nil || in.Topology.Role(e.To) != e.Link.To {
		return false
	}
	image := kopano.ParseImage(e.To.Image)
	if e.Link.To == kopano.LDAP && image.Is("bitnami/openldap", "bitnamilegacy/openldap") {
		return false // its settings have other names and meanings
	}
	return e.To.Image == "" || image.Is(kopano.SystemOf(e.Link.To).Images...)
}

// readonlyName is the name of the account that osixia/openldap makes for readers.
func readonlyName(s *deployment.Service) string {
	if name := value(s, "LDAP_READONLY_USER_USERNAME"); name != "" {
		return name
	}
	return "readonly"
}

// hasName reports whether the first part of a DN is cn=name.
func hasName(dn, name string) bool {
	parsed, err := ldap.ParseDN(dn)
	if err != nil || len(parsed.RDNs) == 0 || len(parsed.RDNs[0].Attributes) == 0 {
		return false
	}
	first := parsed.RDNs[0].Attributes[0]
	return strings.EqualFold(first.Type, "cn") && strings.EqualFold(first.Value, name)
}

func credentials(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, p := range equalPairs() {
		out = append(out, judgeLinks(in, func(e *kopano.Edge) *fault {
			for _, a := range in.Topology.Agreements(e) {
				if a.Pair == p && !a.Agree {
					return pairFault(e, a)
				}
			}
			return nil
		})...)
	}
	return out
}

// equalPairs gives every pair of settings that must be equal, each once. What
// must agree otherwise has rules of its own, and so has the file of registered
// programs.
func equalPairs() []kopano.Pair {
	var out []kopano.Pair
	for _, l := range kopano.Links {
		for _, p := range l.Same {
			if (p.How == kopano.Equal || p.How == kopano.SameDN) && p.ToElse == "" && p.From != "registration_conf" && !slices.Contains(out, p) {
				out = append(out, p)
			}
		}
	}
	return out
}

func pairFault(e *kopano.Edge, a kopano.Agreement) *fault {
	if a.To.Key == "MYSQL_DATABASE" && value(e.From, a.Pair.By) == "root" {
		return nil // root makes the database that it does not find
	}
	x, theirs := sighting{e.From, a.From}, sighting{a.Other, a.To}
	both := x.name() + " and " + theirs.name()
	if x.name() == theirs.name() { // one variable, which one end does not use
		both = a.From.Key + " of " + e.From.Name + " and " + a.To.Key + " of " + a.Other.Name
	}
	f := &fault{
		key:    a.Pair.From,
		remedy: "Write the same value into " + both + ". Which one is right depends on what " + a.Other.Name + " was first started with.",
		places: append(a.From.Locations(), placed(a.To, finding.Related)...),
	}
	what := capital(a.Pair.What) + " in " + x.name()
	if a.From.IsSecret() || a.To.IsSecret() {
		f.message = what + " is not the one that " + a.Other.Name + " has in " + theirs.name() + "."
	} else {
		f.message = what + " is " + x.shown() + ", but " + a.Other.Name + " has " + theirs.shown() + " in " + a.To.Key + "."
	}
	return f
}

// capital makes the first letter of a sentence.
func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func databaseRoot(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "server-database" || value(e.From, "KCCONF_SERVER_MYSQL_USER") != "root" {
			return nil
		}
		x := sighting{e.From, e.From.Env["KCCONF_SERVER_MYSQL_USER"]}
		f := &fault{
			key:         x.value.Key,
			message:     x.name() + " is root.",
			consequence: "Whoever takes over the storage server has all databases, and can stop the database.",
			remedy:      "Make a user for Kopano and write it into " + x.name() + ".",
			places:      x.value.Locations(),
		}
		if e.To == nil || !isOfficialDatabase(in, e.To) {
			return f
		}
		if v, ok := databaseHas(e.To, "USER"); ok && v.Reveal() == "root" {
			f.message = x.name() + " is root, and " + e.To.Name + " is told to make a user of that name, which it has already."
			f.consequence = "On an empty volume the database stops at its first start. On a filled one, whoever takes over the storage server has all databases."
			f.places = append(f.places, placed(v, finding.Related)...)
		}
		return f
	})
}

func bundledUnused(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, role := range []kopano.Role{kopano.LDAP, kopano.Database} {
		outside := outsideOf(in, role)
		if outside == nil {
			continue
		}
		for _, s := range in.Topology.Services(role) {
			if used(in, s) || s.Name != kopano.SystemOf(role).Service {
				continue
			}
			x, _ := hostSetting(outside)
			out = append(out, finding.Finding{
				Subject: s.Name, Key: "unused",
				Message:     "Nothing uses " + s.Name + ": " + x.name() + " leads to " + quote(outside.Addr.Host) + ", outside this deployment.",
				Consequence: "It takes memory, keeps its passwords and data, and may be open to others on a published port.",
				Remedy:      "Take the file that defines " + s.Name + " out of COMPOSE_FILE, and give the other services what else they had from it.",
				Locations:   append([]finding.Location{s.At.As(finding.Fix)}, related(addressPlaces(outside)...)...),
			})
		}
	}
	return out
}

// outsideOf gives the storage server's link to a server outside that plays a role.
func outsideOf(in *Input, role kopano.Role) *kopano.Edge {
	for _, e := range in.Topology.Edges {
		if e.Link.To == role && e.Link.From == kopano.Server && e.Outside && len(e.Addr.Values) > 0 && e.Addr.Host != "" {
			return e
		}
	}
	return nil
}

func used(in *Input, s *deployment.Service) bool {
	for _, e := range in.Topology.Edges {
		if e.To == s && e.From != nil {
			return true
		}
	}
	return false
}
