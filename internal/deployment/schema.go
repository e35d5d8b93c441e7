package deployment

import (
	"encoding/json"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"golang.org/x/text/language"
	"golang.org/x/text/message"
)

// composeSchema is the schema of the Compose specification. compose-go reports
// only one error of it; the doctor wants them all.
type composeSchema struct {
	compiled *jsonschema.Schema
	document map[string]any
}

// compiledSchema gives the schema, compiled once: that takes longer than all
// the rest of loading.
var compiledSchema = sync.OnceValues(newSchema)

func newSchema() (*composeSchema, error) {
	document, err := jsonschema.UnmarshalJSON(strings.NewReader(schema.Schema))
	if err != nil {
		return nil, err
	}
	const name = "compose-spec.json"
	c := jsonschema.NewCompiler()
	if err := c.AddResource(name, document); err != nil {
		return nil, err
	}
	compiled, err := c.Compile(name)
	if err != nil {
		return nil, err
	}
	m, ok := document.(map[string]any)
	if !ok {
		return nil, errors.New("the Compose schema is no object")
	}
	return &composeSchema{compiled: compiled, document: m}, nil
}

// misfit is one place where a configuration does not follow the schema.
type misfit struct {
	path []string
	kind jsonschema.ErrorKind
}

func (m misfit) text() string {
	return m.kind.LocalizedString(message.NewPrinter(language.English))
}

// misfits gives every independent error of a configuration, sorted by path.
func (s *composeSchema) misfits(dict map[string]any) []misfit {
	data, err := json.Marshal(dict)
	if err != nil {
		return nil
	}
	instance, err := jsonschema.UnmarshalJSON(strings.NewReader(string(data)))
	if err != nil {
		return nil
	}
	var invalid *jsonschema.ValidationError
	if !errors.As(s.compiled.Validate(instance), &invalid) {
		return nil
	}
	var out []misfit
	for _, m := range leaves(invalid) {
		out = append(out, s.unknown(m)...)
	}
	slices.SortStableFunc(out, func(a, b misfit) int { return slices.Compare(a.path, b.path) })
	return slices.CompactFunc(out, func(a, b misfit) bool { return slices.Equal(a.path, b.path) })
}

// leaves walks to the errors that stand for themselves. Of alternatives that
// all fail, the deepest error is what the author most likely got wrong.
func leaves(e *jsonschema.ValidationError) []misfit {
	if len(e.Causes) == 0 {
		return []misfit{{e.InstanceLocation, e.ErrorKind}}
	}
	switch e.ErrorKind.(type) {
	case *kind.OneOf, *kind.AnyOf:
		return deepest(e)
	}
	var out []misfit
	for _, c := range e.Causes {
		out = append(out, leaves(c)...)
	}
	return out
}

func deepest(e *jsonschema.ValidationError) []misfit {
	var best []misfit
	var types kind.Type
	depth := len(e.InstanceLocation)
	for _, c := range e.Causes {
		ls := leaves(c)
		for _, l := range ls {
			t, isType := l.kind.(*kind.Type)
			switch {
			case isType && len(l.path) == len(e.InstanceLocation):
				types.Got = t.Got
				types.Want = append(types.Want, t.Want...)
			case specificity(l) > depth:
				best, depth = ls, specificity(l)
			}
		}
	}
	if best != nil {
		return best
	}
	return []misfit{{e.InstanceLocation, &types}}
}

func specificity(m misfit) int {
	switch m.kind.(type) {
	case *kind.AdditionalProperties:
		return len(m.path) + 1
	case *kind.Type:
		return len(m.path)
	}
	return len(m.path) + 1
}

// unknownField is the kind of a misfit that is a field the schema lacks.
type unknownField struct{ kind.FalseSchema }

// unknown turns what the schema says about fields it lacks into one misfit
// each, whose path ends in the field. When a service has another error, the
// schema library takes all its fields for unknown; those are dropped.
func (s *composeSchema) unknown(m misfit) []misfit {
	var paths [][]string
	switch k := m.kind.(type) {
	case *kind.AdditionalProperties:
		for _, p := range k.Properties {
			paths = append(paths, append(slices.Clone(m.path), p))
		}
	case *kind.FalseSchema:
		paths = append(paths, m.path)
	default:
		return []misfit{m}
	}
	var out []misfit
	for _, p := range paths {
		if len(p) > 0 && !slices.Contains(s.fields(p[:len(p)-1]), p[len(p)-1]) {
			out = append(out, misfit{p, &unknownField{}})
		}
	}
	return out
}

// fields gives the names of the fields that the schema knows at a path.
func (s *composeSchema) fields(path []string) []string {
	at := s.flatten(s.document, 0)
	for _, step := range path {
		var next []map[string]any
		for _, n := range at {
			next = append(next, s.step(n, step)...)
		}
		at = next
	}
	names := map[string]bool{}
	for _, n := range at {
		for name := range object(n["properties"]) {
			names[name] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}

func (s *composeSchema) step(n map[string]any, step string) []map[string]any {
	if p, ok := object(n["properties"])[step]; ok {
		return s.flatten(object(p), 0)
	}
	for pattern, p := range object(n["patternProperties"]) {
		if ok, err := regexp.MatchString(pattern, step); err == nil && ok {
			return s.flatten(object(p), 0)
		}
	}
	if _, err := strconv.Atoi(step); err == nil {
		return s.flatten(object(n["items"]), 0)
	}
	return s.flatten(object(n["additionalProperties"]), 0)
}

// flatten follows references and alternatives.
func (s *composeSchema) flatten(n map[string]any, depth int) []map[string]any {
	const deepest = 8
	if n == nil || depth > deepest {
		return nil
	}
	out := []map[string]any{n}
	if ref, ok := n["$ref"].(string); ok {
		if name, ok := strings.CutPrefix(ref, "#/$defs/"); ok {
			out = append(out, s.flatten(object(object(s.document["$defs"])[name]), depth+1)...)
		}
	}
	for _, group := range []string{"allOf", "anyOf", "oneOf"} {
		list, _ := n[group].([]any)
		for _, m := range list {
			out = append(out, s.flatten(object(m), depth+1)...)
		}
	}
	return out
}

func object(v any) map[string]any {
	m, _ := v.(map[string]any)
	return m
}
