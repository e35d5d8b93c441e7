package deployment

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6/kind"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// maxRounds bounds how often the schema is asked again after parts are dropped.
const maxRounds = 20

// dropMisfits reports what does not follow the Compose specification and takes
// it out of dict, so that the rest loads.
func (r *repairer) dropMisfits() {
	s, err := compiledSchema()
	if err != nil {
		return
	}
	for range maxRounds {
		found := s.misfits(r.dict)
		if len(found) == 0 {
			return
		}
		// From the back, so that positions in lists stay true.
		for _, m := range slices.Backward(found) {
			r.reportMisfit(s, m)
			remove(r.dict, m.path)
		}
	}
}

func (r *repairer) reportMisfit(s *composeSchema, m misfit) {
	at, _ := r.place(m.path)
	subject := r.subject(m.path)
	key := strings.Join(m.path, ".")
	if slices.Contains(r.dropped, key) {
		return
	}
	r.dropped = append(r.dropped, key)
	if r.w.repaired[at.File] {
		return // most likely a consequence of the syntax error that is reported
	}
	name := ""
	if len(m.path) > 0 {
		name = m.path[len(m.path)-1]
	}
	switch k := m.kind.(type) {
	case *unknownField:
		r.reportUnknown(s, m.path, name, subject, key)
	case *kind.Type:
		r.w.refuse(WrongType, subject, fmt.Sprintf("%s is %s here, but Compose wants %s.", dotted(m.path), article(k.Got), wanted(k.Want)),
			typeRemedy(name, k), key, at)
	case *kind.Required:
		r.w.refuse(InvalidValue, subject, fmt.Sprintf("%s lacks %s, which Compose needs there.", dotted(m.path), strings.Join(quoted(k.Missing), ", ")),
			fmt.Sprintf("Add %s.", strings.Join(quoted(k.Missing), ", ")), key, at)
	case *kind.UniqueItems:
		r.w.refuse(InvalidValue, subject, fmt.Sprintf("%s has the same item twice.", dotted(m.path)), "Delete one of the two.", key, at)
	default:
		if r.unexpanded(m.path) {
			return
		}
		r.w.refuse(InvalidValue, subject, fmt.Sprintf("%s does not follow the Compose specification: %s.", dotted(m.path), m.text()), "Correct the value.", key, at)
	}
}

func (r *repairer) reportUnknown(s *composeSchema, path []string, name, subject, key string) {
	at := r.keyPlace(path)
	parent := path[:len(path)-1]
	if len(parent) == 1 && len(s.fields(parent)) == 0 {
		r.w.refuse(InvalidValue, subject, fmt.Sprintf("%q is no name that Compose allows under %s.", name, parent[0]),
			"Use only letters, digits, \".\", \"_\" and \"-\".", key, at)
		return
	}
	where := "at the top of a compose file"
	if len(parent) > 0 {
		where = "in " + dotted(parent)
	}
	near, _ := nearestOf(name, s.fields(parent))
	r.w.problems.add(Problem{
		Kind: UnknownField, Severity: finding.Error, Subject: subject, Key: key, Locations: []finding.Location{at}, Suggested: near,
		Message: fmt.Sprintf("Compose does not know %q %s.", name, where), Remedy: r.unknownRemedy(s, path, name),
	})
}

func (r *repairer) unknownRemedy(s *composeSchema, path []string, name string) string {
	parent := path[:len(path)-1]
	if near, ok := nearestOf(name, s.fields(parent)); ok {
		return fmt.Sprintf("Did you mean %q?", near)
	}
	n := r.tree
	for _, step := range path {
		if n = n.field(step); n == nil {
			break
		}
	}
	switch {
	case len(parent) == 0 && (n.field("image") != nil || n.field("build") != nil):
		return "It looks like a service: indent it, so that it stands under \"services:\"."
	case len(parent) >= 2 && slices.Contains(s.fields(parent[:len(parent)-1]), name):
		return fmt.Sprintf("It belongs one level up: indent it less, so that it stands beside %q.", parent[len(parent)-1])
	case len(parent) == 2 && slices.Contains(s.fields(nil), name):
		return "It belongs at the top of the file: do not indent it."
	}
	return "Delete it, or check its spelling and indentation. A name that begins with \"x-\" is left alone."
}

func dotted(path []string) string {
	if len(path) == 0 {
		return "The file"
	}
	return strings.Join(path, ".")
}

func quoted(words []string) []string {
	var out []string
	for _, w := range words {
		out = append(out, strconv.Quote(w))
	}
	return out
}

func article(t string) string {
	switch t {
	case "null":
		return "empty"
	case "object":
		return "a mapping (key: value)"
	case "array":
		return "a list (- item)"
	case "integer":
		return "an integer"
	}
	return "a " + t
}

func wanted(types []string) string {
	var out []string
	for _, t := range types {
		if w := article(t); !slices.Contains(out, w) && t != "null" {
			out = append(out, w)
		}
	}
	if len(out) == 0 {
		return "something else"
	}
	return strings.Join(out, " or ")
}

func typeRemedy(name string, k *kind.Type) string {
	switch {
	case k.Got == "null":
		return "Indent what belongs under it, or delete the line."
	case k.Got == "object" && slices.Contains(k.Want, "array"):
		return "Write every entry as an item: \"- …\"."
	case k.Got == "array" && slices.Contains(k.Want, "object"):
		return fmt.Sprintf("Write the entries of %s as \"key: value\", without \"- \".", name)
	case k.Got == "array" || k.Got == "object":
		return "Write one value there."
	case slices.Contains(k.Want, "string"):
		return "Put the value into quotes."
	case slices.Contains(k.Want, "array"):
		return "Write it as a list, each item on its own line: \"- …\"."
	case slices.Contains(k.Want, "object"):
		return "Write it as \"key: value\" lines, indented below it."
	}
	return "Write it in that form."
}

// remove takes a part out of a configuration.
func remove(v any, path []string) {
	if len(path) == 0 {
		return
	}
	last := len(path) == 1
	switch c := v.(type) {
	case map[string]any:
		if last {
			delete(c, path[0])
			return
		}
		if list, ok := c[path[0]].([]any); ok && len(path) == 2 {
			if i, err := strconv.Atoi(path[1]); err == nil && i >= 0 && i < len(list) {
				c[path[0]] = slices.Delete(list, i, i+1)
			}
			return
		}
		remove(c[path[0]], path[1:])
	case []any:
		if i, err := strconv.Atoi(path[0]); err == nil && i >= 0 && i < len(c) {
			remove(c[i], path[1:])
		}
	}
}

// place gives the place of a path, and whether it is written exactly there.
func (r *repairer) place(path []string) (finding.Location, bool) {
	at, found := r.tree.locate(path)
	if at.IsZero() {
		at = finding.Location{File: r.w.firstFile()}
	}
	return at, found
}

// keyPlace gives the place of the key at the end of a path.
func (r *repairer) keyPlace(path []string) finding.Location {
	n := r.tree
	for _, step := range path {
		if n = n.child(step); n == nil {
			at, _ := r.place(path)
			return at
		}
	}
	if n.key.src != nil {
		return n.key.location()
	}
	return n.location()
}

func (r *repairer) subject(path []string) string {
	if len(path) >= 2 && path[0] == "services" {
		return path[1]
	}
	at, _ := r.place(path)
	return at.File
}

// unexpanded reports whether a text still has a variable in it that could not
// be replaced; that is reported already.
func (r *repairer) unexpanded(path []string) bool {
	n := r.tree
	for _, step := range path {
		if n = n.child(step); n == nil {
			return false
		}
	}
	return n.broken
}
