package kopano

import (
	"net/url"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/go-ldap/ldap/v3"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// Agreement is a Pair of one edge, with what both ends say.
type Agreement struct {
	Pair  Pair
	From  deployment.Value
	To    deployment.Value
	Other *deployment.Service // who holds To
	Want  secret.Text         // what From would have to be (Equal, SameDN), made from To
	Agree bool
}

// Agreements gives the pairs of an edge that hold here and that both ends set,
// in the catalogue's order. A pair is left out where one end does not say what
// it has (a password in a file, an image that is configured otherwise): nothing
// can be said about it then.
func (t *Topology) Agreements(e *Edge) []Agreement {
	var out []Agreement
	for _, p := range e.Link.Same {
		if a, ok := t.agreement(e, p); ok {
			out = append(out, a)
		}
	}
	return out
}

func (t *Topology) agreement(e *Edge, p Pair) (Agreement, bool) {
	a := Agreement{Pair: p, Other: t.holder(e, p)}
	var ok bool
	if e.From == nil || a.Other == nil || !t.pairHolds(e, p, a.Other) {
		return a, false
	}
	if a.From, ok = e.From.Get(p.From); !ok {
		return a, false
	}
	if a.To, ok = a.Other.Get(p.To); !ok && p.ToAlso != "" {
		a.To, ok = a.Other.Get(p.ToAlso)
	}
	want := a.To.Reveal()
	if want == "" && p.ToElse != "" {
		if a.To, ok = a.Other.Get(p.ToElse); ok {
			want = strings.ReplaceAll(p.ElseAs, "%s", a.To.Reveal())
		}
	}
	// What is empty is a matter of required settings.
	if !ok || strings.TrimSpace(a.From.Reveal()) == "" || strings.TrimSpace(a.To.Reveal()) == "" {
		return a, false
	}
	a.Want = secret.New(want, a.To.IsSecret())
	a.Agree = agrees(p.How, a.From.Reveal(), want)
	return a, true
}

// holder gives the service whose setting From's must agree with. Where several
// play the role nobody can tell which one is meant.
func (t *Topology) holder(e *Edge, p Pair) *deployment.Service {
	if p.ToRole == Unknown || p.ToRole == t.Role(e.To) {
		if !t.Fits(e) {
			return nil
		}
		return e.To
	}
	if services := t.Services(p.ToRole); len(services) == 1 {
		return services[0]
	}
	return nil
}

// bundledLDAPImages are the directories whose settings the catalogue knows.
var bundledLDAPImages = []string{"kopano_ldap", "kopano_ldap_demo", "osixia/openldap"}

func (t *Topology) pairHolds(e *Edge, p Pair, other *deployment.Service) bool {
	if p.When == Always {
		return true
	}
	if role := t.Role(other); role == LDAP && other.Image != "" && !ParseImage(other.Image).Is(bundledLDAPImages...) {
		return false
	}
	by := ""
	if v, ok := e.From.Get(p.By); ok {
		by = strings.TrimSpace(v.Reveal())
	}
	switch p.When {
	case WhenReadonly:
		name := "readonly"
		if v, ok := other.Get("LDAP_READONLY_USER_USERNAME"); ok {
			name = v.Reveal()
		}
		return isEntry(other, by, name)
	case WhenAdmin:
		return isEntry(other, by, "admin")
	case WhenRoot:
		return by == "root"
	case WhenUser:
		return by != "root" && by == databaseUser(other)
	case WhenOneSchema:
		return !makesMore(other) && (by != "root" || p.To == "MYSQL_DATABASE")
	}
	return true
}

// isEntry reports whether a DN is cn=name directly below the base that the
// directory's image was given, where it makes its own entries.
func isEntry(s *deployment.Service, dn, name string) bool {
	base, ok := s.Get("LDAP_BASE_DN")
	if !ok || strings.TrimSpace(base.Reveal()) == "" {
		return false
	}
	return agrees(SameDN, dn, "cn="+name+","+base.Reveal())
}

func databaseUser(s *deployment.Service) string {
	for _, key := range []string{"MYSQL_USER", "MARIADB_USER"} {
		if v, ok := s.Get(key); ok {
			return strings.TrimSpace(v.Reveal())
		}
	}
	return ""
}

// makesMore reports whether a database's image runs scripts at its first start,
// which may make further users and databases.
func makesMore(s *deployment.Service) bool {
	const scripts = "/docker-entrypoint-initdb.d"
	for _, v := range s.Volumes {
		if within(cleanPath(v.Target), scripts) {
			return true
		}
	}
	return slices.ContainsFunc(s.Configs, func(c types.ServiceConfigObjConfig) bool { return within(cleanPath(c.Target), scripts) })
}

func agrees(how How, from, to string) bool {
	from, to = strings.TrimSpace(from), strings.TrimSpace(to)
	switch how {
	case SameDN, WithinDN:
		a, errA := ldap.ParseDN(from)
		b, errB := ldap.ParseDN(to)
		if errA != nil || errB != nil {
			return strings.EqualFold(from, to)
		}
		return a.EqualFold(b) || how == WithinDN && b.AncestorOfFold(a)
	case SameHost:
		return hostOf(from) == hostOf(to)
	case OnOff:
		return isOn(from) == isOn(to)
	default:
		return from == to
	}
}

// hostOf gives the host of an address with or without scheme, port and path.
func hostOf(text string) string {
	if !strings.Contains(text, "://") {
		text = "//" + text
	}
	u, err := url.Parse(text)
	if err != nil {
		return strings.ToLower(text)
	}
	return strings.ToLower(strings.TrimSuffix(u.Hostname(), "."))
}

func isOn(text string) bool {
	switch strings.ToLower(text) {
	case "yes", "true", "1", "on":
		return true
	}
	return false
}

// Issuer gives the issuer that sign-in announces, and the setting that it comes
// from: oidc_issuer_identifier, else https:// and FQDN (konnect/wrapper.sh).
// It is "" when nobody plays the role, or several do.
func (t *Topology) Issuer() (issuer string, from deployment.Value, konnect *deployment.Service) {
	services := t.Services(Konnect)
	if len(services) != 1 {
		return "", deployment.Value{}, nil
	}
	konnect = services[0]
	if v, ok := konnect.Get("oidc_issuer_identifier"); ok && v.Reveal() != "" {
		return v.Reveal(), v, konnect
	}
	if v, ok := konnect.Get("FQDN"); ok && v.Reveal() != "" {
		return "https://" + v.Reveal(), v, konnect
	}
	return "https://localhost", deployment.Value{}, konnect
}
