package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// sighting is one environment value of one service.
type sighting struct {
	service *deployment.Service
	value   deployment.Value
}

// verdict is what a rule says about a value. The message names the value by
// sighting.name and never the service, so that one wrong line of .env that ten
// services use is one finding.
type verdict struct {
	severity    finding.Severity // 0: the rule's own
	message     string
	consequence string
	remedy      string
	here        bool               // the entry itself is to be changed, not the variable that it takes its value from
	key         bool               // the entry's name is what is wrong
	stops       bool               // the service does not start with it: every link to it is down
	related     []finding.Location // places worth looking at, besides those of the value

	// The change, where there is one right answer; at most one of the three is set.
	write  string         // the value in place of the whole old one
	rename string         // the name of the entry
	edits  []finding.Edit // anything else
}

// places gives the places of a value for a verdict, the one to change first.
func (v verdict) places(in *Input, x sighting) []finding.Location {
	switch {
	case v.key:
		return []finding.Location{keyPlace(in, x).As(finding.Fix)}
	case v.here:
		out := []finding.Location{x.value.At.As(finding.Fix)}
		return distinct(append(out, placed(x.value, finding.Origin)...))
	}
	return x.value.Locations()
}

// keyPlace gives the place of an entry's name, where it can be told.
func keyPlace(in *Input, x sighting) finding.Location {
	if _, line := envLineAt(in, x.value.At); line != nil && line.Key == x.value.Key {
		return line.At
	}
	if sc, ok := entryAt(in, x.service.Name, x.value.At); ok && sc.Path[3] == x.value.Key {
		return sc.KeyAt
	}
	return x.value.At
}

// judge looks at every environment value for which want holds and reports the
// verdicts, one finding per place to change. rule gives nil for a value that is
// right. Values that could not be made out are passed over: what is missing in
// them is the fault, and the rules about variables report it.
func judge(in *Input, want func(s *deployment.Service, key string) bool, rule func(x sighting) *verdict) []finding.Finding {
	var order []string
	groups := map[string][]sighting{}
	verdicts := map[string]verdict{}
	for _, s := range in.Deployment.Services {
		for _, key := range s.Keys() {
			if !want(s, key) {
				continue
			}
			x := sighting{s, s.Env[key]}
			if x.unresolved() {
				continue
			}
			v := rule(x)
			if v == nil {
				continue
			}
			place := ""
			if ls := v.places(in, x); len(ls) > 0 {
				place = ls[0].String()
			}
			id := fmt.Sprintf("%d\x00%s\x00%s", v.severity, v.message, place)
			if _, ok := groups[id]; !ok {
				order = append(order, id)
				verdicts[id] = *v
			}
			groups[id] = append(groups[id], x)
		}
	}
	out := make([]finding.Finding, 0, len(order))
	for _, id := range order {
		out = append(out, verdicts[id].about(in, groups[id]))
	}
	return out
}

// about makes the finding of a verdict on values that share their place of change.
func (v verdict) about(in *Input, xs []sighting) finding.Finding {
	f := finding.Finding{
		Severity: v.severity, Message: v.message, Consequence: v.consequence, Remedy: v.remedy,
		Subject: xs[0].service.Name, Key: xs[0].name(),
	}
	var names []string
	for _, x := range xs {
		if !slices.Contains(names, x.service.Name) {
			names = append(names, x.service.Name)
		}
		f.Locations = append(f.Locations, append(v.places(in, x), v.related...)...)
		f.Links = append(f.Links, linksBy(in, x.service, x.value.Key)...)
		if v.stops {
			f.Links = append(f.Links, linksTo(in, x.service)...)
		}
	}
	f.Locations = distinct(f.Locations)
	slices.Sort(f.Links)
	f.Links = slices.Compact(f.Links)
	f.Edits = v.changes(in, xs)
	if len(names) > 1 {
		f.Subject = xs[0].name()
		f.Message += " It is used by " + list(names, 6) + "."
	}
	return f
}

// linksBy gives the links that a setting of a service has a part in: it is
// their address, at either end, or something that they cannot do without.
func linksBy(in *Input, s *deployment.Service, key string) []string {
	isKey := func(v deployment.Value) bool { return v.Key == key }
	return linksWhere(in, func(e *kopano.Edge) bool {
		from := e.From == s && (slices.ContainsFunc(e.Addr.Values, isKey) || slices.Contains(e.Link.Requires, key) ||
			slices.ContainsFunc(e.Link.Same, func(p kopano.Pair) bool { return p.From == key }))
		to := e.To == s && (e.Listen != nil && e.Listen.Value != nil && e.Listen.Value.Key == key ||
			slices.ContainsFunc(e.Link.Same, func(p kopano.Pair) bool { return p.To == key }))
		return from || to
	})
}

// linksTo gives the links that end at a service.
func linksTo(in *Input, s *deployment.Service) []string {
	return linksWhere(in, func(e *kopano.Edge) bool { return e.To == s })
}

// linksToIssuer gives the links of those who fetch the login keys from https://FQDN.
func linksToIssuer(in *Input) []string {
	return linksWhere(in, func(e *kopano.Edge) bool { return e.Link.Protocol == kopano.ProtoOIDC && e.Link.To == kopano.Web })
}

func linksWhere(in *Input, want func(*kopano.Edge) bool) []string {
	var out []string
	for _, e := range in.Topology.Edges {
		if e.Link != nil && want(e) {
			out = append(out, e.ID)
		}
	}
	return out
}

// name is what the person who wrote the value calls it: the variable when the
// value is nothing but one ${VARIABLE}, else the environment key.
func (x sighting) name() string {
	name, vars := x.value.Key, x.value.Variables
	for len(vars) == 1 && vars[0].Whole && !vars[0].At.IsZero() {
		name, vars = vars[0].Name, vars[0].Variables
	}
	return name
}

// unresolved reports whether the value could not be made out: it has a hole, or
// a ${VARIABLE} was left standing because Compose refuses it.
func (x sighting) unresolved() bool { return x.unset() || strings.Contains(x.text(), "${") }

// unset reports whether a ${VARIABLE} in the value is defined nowhere; the rule
// unset-variable speaks about those.
func (x sighting) unset() bool {
	return slices.ContainsFunc(x.value.Variables, func(v deployment.Variable) bool { return v.Source == deployment.FromUnset })
}

// text gives the value itself, to judge it.
func (x sighting) text() string { return x.value.Reveal() }

// shown gives the value for a message: quoted, not too long, and hidden when
// it, or a variable in it, is a secret.
func (x sighting) shown() string {
	if x.value.IsSecret() || anySecret(x.value.Variables) {
		return secret.Hidden
	}
	return quote(x.text())
}

func anySecret(vs []deployment.Variable) bool {
	return slices.ContainsFunc(vs, func(v deployment.Variable) bool { return v.IsSecret() || anySecret(v.Variables) })
}

// quote puts a text in quotes and shortens a long one.
func quote(s string) string {
	const longest = 80
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest-1]) + "…"
	}
	q := strconv.Quote(s)
	// strconv escapes the quotes and backslashes of the text, but people look for what they typed.
	if !strings.ContainsAny(s, "\n\r\t\x00") {
		return `"` + s + `"`
	}
	return q
}

// list joins names as one writes them: "a, b and c", or "a, b and 7 more".
func list(names []string, most int) string {
	switch n := len(names); {
	case n == 0:
		return "nothing"
	case n == 1:
		return names[0]
	case n > most:
		return strings.Join(names[:most-1], ", ") + fmt.Sprintf(" and %d more", n-most+1)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

// distinct keeps the first of locations that name one place.
func distinct(in []finding.Location) []finding.Location {
	seen := map[string]bool{}
	var out []finding.Location
	for _, l := range in {
		if key := l.String(); !seen[key] {
			seen[key] = true
			out = append(out, l)
		}
	}
	return out
}

// keyed accepts values by name, whatever the service.
func keyed(keys ...string) func(*deployment.Service, string) bool {
	return func(_ *deployment.Service, key string) bool { return slices.Contains(keys, key) }
}

// on accepts values by role and name.
func on(in *Input, role kopano.Role, keys ...string) func(*deployment.Service, string) bool {
	return func(s *deployment.Service, key string) bool {
		return in.Topology.Role(s) == role && (len(keys) == 0 || slices.Contains(keys, key))
	}
}

// value gives the text of an environment value, "" when it is absent.
func value(s *deployment.Service, key string) string {
	v, ok := s.Get(key)
	if !ok {
		return ""
	}
	return v.Reveal()
}

// has reports whether a service has an environment value that is not empty.
func has(s *deployment.Service, key string) bool { return value(s, key) != "" }

// placed gives the locations of a value with a role other than the place to change.
func placed(v deployment.Value, role finding.Role) []finding.Location {
	ls := v.Locations()
	out := make([]finding.Location, len(ls))
	for i, l := range ls {
		out[i] = l.As(role)
	}
	return out
}

// firstService gives the first service of a role, or nil.
func firstService(in *Input, r kopano.Role) *deployment.Service {
	if ss := in.Topology.Services(r); len(ss) > 0 {
		return ss[0]
	}
	return nil
}

// sorted gives the keys of a map in order.
func sorted[V any](m map[string]V) []string {
	return slices.Sorted(maps.Keys(m))
}

// merged makes one finding of many that say the same of several services, and
// keeps all their places. Findings with a text of their own stay apart.
func merged(fs []finding.Finding, subject string) []finding.Finding {
	if len(fs) < 2 {
		return fs
	}
	first := fs[0]
	var names []string
	var places []finding.Location
	var edits []finding.Edit
	whole := true // every one of them can be changed
	for _, f := range fs {
		if !slices.Contains(names, f.Subject) {
			names = append(names, f.Subject)
		}
		edits, whole = together(edits, f.Edits), whole && len(f.Edits) > 0
		for i, l := range f.Locations {
			if i == 0 && len(places) > 0 {
				l = l.As(finding.Related)
			}
			places = append(places, l)
		}
	}
	first.Subject = subject
	first.Message += " It concerns " + list(names, 6) + "."
	first.Consequence = strings.ReplaceAll(first.Consequence, fs[0].Subject, "each of them")
	first.Locations = distinct(places)
	if first.Edits = edits; !whole {
		first.Edits = nil
	}
	return []finding.Finding{first}
}

// volumePlace gives the place of one mount of a service.
func volumePlace(s *deployment.Service, i int) finding.Location {
	return s.Locate("volumes", strconv.Itoa(i)).As(finding.Fix)
}

func itoa(n int) string { return strconv.Itoa(n) }

// nearestOf gives the known word that a misspelt one was meant to be.
func nearestOf(word string, known []string) (string, bool) { return nearest.Of(word, known) }
