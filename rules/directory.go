package rules

import (
	"strings"

	ldap "github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// directoryRules compare what the services ask of the bundled directory with
// what its image makes.
func directoryRules() []Rule {
	return []Rule{
		{
			ID: "ldap-bind-dn-not-created", Subject: "directory", Severity: finding.Error,
			Title: "A service logs in to the directory with an account that its image does not make",
			Why: "osixia/openldap makes cn=admin below LDAP_BASE_DN, and cn=readonly with LDAP_READONLY_USER=true. Nothing outside LDAP_BASE_DN can exist in it. " +
				"Any other name is refused as if the password were wrong (error 49).",
			Source: "osixia/docker-openldap 1.3.0 startup.sh",
			Check:  bindDN,
		},
		{
			ID: "ldap-search-base-outside", Subject: "directory", Severity: finding.Error,
			Title:  "A service searches the directory where there is nothing",
			Why:    "The bundled directory holds one tree, which starts at LDAP_BASE_DN. A search that starts elsewhere ends with \"no such object\" (error 32), and no user is found.",
			Source: "osixia/docker-openldap 1.3.0 startup.sh; RFC 4511 section 4.1.9 (noSuchObject)",
			Check:  searchBase,
		},
	}
}

// baseDN gives where the bundled directory's tree starts: LDAP_BASE_DN, or else
// the parts of LDAP_DOMAIN (osixia/openldap, startup.sh).
func baseDN(s *deployment.Service) (dn *ldap.DN, from deployment.Value, ok bool) {
	for _, key := range []string{"LDAP_BASE_DN", "LDAP_DOMAIN"} {
		v, found := s.Get(key)
		text := v.Reveal()
		if !found || strings.TrimSpace(text) == "" {
			continue
		}
		if key == "LDAP_DOMAIN" {
			text = "dc=" + strings.ReplaceAll(text, ".", ",dc=")
		}
		parsed, err := ldap.ParseDN(text)
		return parsed, v, err == nil
	}
	return nil, deployment.Value{}, false
}

// below reports whether a DN is another or lies under it.
func below(dn, base *ldap.DN) bool { return dn.EqualFold(base) || base.AncestorOfFold(dn) }

// withinPairs gives the settings of an edge that must name something within
// the bundled directory, by what they are.
func withinPairs(in *Input, e *kopano.Edge, what string) []sighting {
	var out []sighting
	if e.From == nil || !bundled(in, e) {
		return nil
	}
	for _, p := range e.Link.Same {
		if v, ok := e.From.Get(p.From); ok && p.How == kopano.WithinDN && p.What == what {
			out = append(out, sighting{e.From, v})
		}
	}
	return out
}

func bindDN(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		for _, x := range withinPairs(in, e, "the bind DN") {
			if f := bindFault(e, x); f != nil {
				return f
			}
		}
		return nil
	})
}

func bindFault(e *kopano.Edge, x sighting) *fault {
	base, from, ok := baseDN(e.To)
	dn, err := ldap.ParseDN(x.text())
	if !ok || err != nil || len(dn.RDNs) == 0 { // what does not parse is ldap-dn-syntax's
		return nil
	}
	readonly := readonlyName(e.To)
	f := &fault{
		key:    x.value.Key,
		remedy: "Write " + x.name() + "=cn=" + readonly + "," + base.String(),
		places: append(x.value.Locations(), placed(from, finding.Related)...),
	}
	direct := len(dn.RDNs) == len(base.RDNs)+1
	name := dn.RDNs[0].Attributes[0].Value
	switch {
	case !below(dn, base):
		f.message = x.name() + " is " + x.shown() + ", but the tree of " + e.To.Name + " starts at " + quote(base.String()) + "."
	case direct && hasName(x.text(), "admin"):
		return nil
	case direct && hasName(x.text(), readonly):
		v, set := e.To.Get("LDAP_READONLY_USER")
		if isYes(v.Reveal()) {
			return nil
		}
		f.subject, f.key = e.To.Name, "LDAP_READONLY_USER"
		f.message = x.name() + " is " + x.shown() + ", but LDAP_READONLY_USER is not true on " + e.To.Name + ", so that this account is not made."
		f.remedy = "Set LDAP_READONLY_USER=true on " + e.To.Name + ". It has an effect only before its first start."
		if set {
			f.places = append(v.Locations(), placed(x.value, finding.Related)...)
		} else {
			f.places = append([]finding.Location{e.To.Locate("environment").As(finding.Fix)}, placed(x.value, finding.Related)...)
		}
	case direct:
		like, near := nearestOf(name, []string{"admin", readonly})
		f.message = x.name() + " is " + x.shown() + ", but " + e.To.Name + " makes only cn=admin and cn=" + readonly + "."
		if near {
			f.remedy = "Write " + x.name() + "=cn=" + like + "," + base.String()
			break
		}
		// Somebody may have made it by hand.
		f.severity = finding.Warning
		f.remedy = "Check that somebody made this account, or write cn=" + readonly + "," + base.String()
	default:
		return nil
	}
	return f
}

func searchBase(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		for _, x := range withinPairs(in, e, "the search base") {
			base, from, ok := baseDN(e.To)
			dn, err := ldap.ParseDN(x.text())
			if !ok || err != nil || len(dn.RDNs) == 0 || below(dn, base) {
				continue
			}
			return &fault{
				key:     x.value.Key,
				message: x.name() + " is " + x.shown() + ", but the tree of " + e.To.Name + " starts at " + quote(base.String()) + ".",
				remedy:  "Write " + x.name() + "=" + base.String() + ", or a DN below it.",
				places:  append(x.value.Locations(), placed(from, finding.Related)...),
			}
		}
		return nil
	})
}
