package deployment

import (
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

func (d *Deployment) addService(name string, spec types.ServiceConfig, s *selection) {
	n := d.sources.tree.field("services").field(name)
	svc := &Service{Name: name, ServiceConfig: spec, Env: map[string]Value{}, deployment: d}
	if n != nil {
		svc.At = n.key.location()
	}
	if svc.At.IsZero() {
		svc.At = finding.Location{File: s.w.firstFile(), Line: 1}
	}
	v := newValuer(s.scope, n)
	v.fallback = svc.At
	for _, set := range d.sources.sets[name] {
		v.sets[set.key] = append(v.sets[set.key], set)
	}
	for key, value := range spec.Environment {
		if value != nil {
			svc.Env[key] = v.value(key, *value)
		}
	}
	d.services[name] = svc
	d.Services = append(d.Services, svc)
}

func (w *walker) firstFile() string {
	if len(w.compose) == 0 {
		return "compose.yaml"
	}
	return w.compose[0].name
}

// valuer finds the places of the values of one service.
type valuer struct {
	scope    *scope
	entries  map[string]*node        // environment:
	sets     map[string][]assignment // env_file lines by key, in the order of reading
	fallback finding.Location
}

func newValuer(sc *scope, service *node) *valuer {
	v := &valuer{scope: sc, entries: map[string]*node{}, sets: map[string][]assignment{}}
	if env := service.field("environment"); env != nil {
		if env = keyed(env); env.kind == kindMap {
			v.entries = env.fields
		}
	}
	return v
}

func (v *valuer) value(key, value string) Value {
	out := Value{Key: key}
	entry, sets := v.entries[key], v.sets[key]
	switch {
	case entry != nil:
		out.Source = FromEnvironment
		out.At, out.Variables = v.entry(key, entry, value)
		for _, lost := range entry.lost {
			at, _ := entryPlace(key, lost)
			out.Overridden = append(out.Overridden, at.As(finding.Overridden))
		}
	case len(sets) > 0:
		last := sets[len(sets)-1]
		sets = sets[:len(sets)-1]
		out.Source, out.At, out.Variables = FromEnvFile, last.at, last.variables
	default:
		out.Source, out.At = FromEnvironment, v.fallback
	}
	for _, set := range slices.Backward(sets) {
		out.Overridden = append(out.Overridden, set.at.As(finding.Overridden))
	}
	out.Text = secret.New(value, secret.IsName(key) || anySecret(out.Variables))
	return out
}

// entry gives the place and the variables of an entry of environment:.
func (v *valuer) entry(key string, n *node, value string) (finding.Location, []Variable) {
	at, from := entryPlace(key, n)
	if from < 0 {
		return at, v.bare(key, n, value, at)
	}
	if n.value != nil || n.scope == nil {
		return at, nil
	}
	place := func(i int) finding.Location { return n.file.at(n.scalar.place(from + i)) }
	return at, expand(n.scalar.raw[from:], n.scope.find, place, secret.IsName(key)).variables
}

// bare gives the variable behind a key without value. It is looked for in the
// variables of the file, or of the whole project when the file is an included
// one and the key a mapping's.
func (v *valuer) bare(key string, n *node, value string, at finding.Location) []Variable {
	for _, sc := range []*scope{n.scope, v.scope} {
		if sc == nil {
			continue
		}
		if d, ok := sc.find(key); ok && d.value == value {
			return []Variable{inherited(key, d, at)}
		}
	}
	return nil
}

// entryPlace gives the place of an entry's value, and the offset of the value
// in the entry's text; -1 for a key without value, whose place is the key's.
func entryPlace(key string, n *node) (finding.Location, int) {
	if n.kind != kindScalar {
		return n.key.location(), -1
	}
	if !n.item {
		return n.at.location(), 0
	}
	eq := firstEquals(n.scalar.raw)
	switch {
	case eq >= 0:
		return n.file.at(n.scalar.after(eq)), eq + 1
	case strings.Contains(n.text, "="):
		return n.at.location(), 0 // "- ${WHOLE_ENTRY}"
	}
	return n.at.location(), -1
}

// firstEquals finds the "=" that ends the name of a list entry: the first one
// that is not part of a ${VAR}.
func firstEquals(raw string) int {
	refs, _ := references(raw)
	for i := 0; i < len(raw); i++ {
		if len(refs) > 0 && i == refs[0].from {
			i = refs[0].to - 1
			refs = refs[1:]
			continue
		}
		if raw[i] == '=' {
			return i
		}
	}
	return -1
}
