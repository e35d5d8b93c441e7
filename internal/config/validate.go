package config

import (
	"bytes"
	_ "embed" // for the schema
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
)

//go:embed kopano-doctor.schema.json
var schemaText []byte

const schemaName = "kopano-doctor.schema.json"

// Schema gives the JSON schema of the file, which is also in docs/.
func Schema() []byte { return bytes.Clone(schemaText) }

// compiled gives the schema in the form that validates.
func compiled() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaName, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaName)
}

// validate holds the value against the schema.
func (r *reader) validate(value any) {
	schema, err := compiled()
	if err == nil {
		err = schema.Validate(value)
	}
	var v *jsonschema.ValidationError
	switch {
	case err == nil:
	case errors.As(err, &v):
		r.explain(v)
	default:
		r.mistakes = append(r.mistakes, Mistake{Message: err.Error()})
	}
}

// explain turns what the validator found into mistakes with places. Only the
// innermost errors say something.
func (r *reader) explain(e *jsonschema.ValidationError) {
	if name, ok := e.ErrorKind.(*kind.PropertyNames); ok {
		// The validator does not say where; only severity has names that it looks at.
		r.wrong(r.key([]string{"severity", name.Property}), "%s is no ID of a rule; IDs are like unset-variable", show(name.Property))
		return
	}
	if len(e.Causes) > 0 {
		for _, c := range e.Causes {
			r.explain(c)
		}
		return
	}
	path := e.InstanceLocation
	switch k := e.ErrorKind.(type) {
	case *kind.AdditionalProperties:
		for _, name := range k.Properties {
			r.wrong(r.key(step(path, name)), "%s", unknownKey(name, propertiesOf(path)))
		}
	case *kind.Required:
		r.wrong(r.node(path), "%s is missing here", strings.Join(k.Missing, " and "))
	default:
		r.wrong(r.node(path), "%s", badValue(lastName(path), k))
	}
}

// node gives the node of a path, or the nearest one above it.
func (r *reader) node(path []string) *yaml.Node {
	for n := len(path); n >= 0; n-- {
		if y, ok := r.nodes[pathOf(path[:n])]; ok {
			return y
		}
	}
	return &yaml.Node{Line: 1, Column: 1}
}

// key gives the key of a path.
func (r *reader) key(path []string) *yaml.Node {
	if y, ok := r.keys[pathOf(path)]; ok {
		return y
	}
	return r.node(path)
}

func unknownKey(name string, known []string) string {
	if near, ok := nearest.Of(name, known); ok {
		return fmt.Sprintf("there is no key %s; %s was probably meant", show(name), near)
	}
	return fmt.Sprintf("there is no key %s; known are %s", show(name), strings.Join(known, ", "))
}

// lastName gives the last step of a path that is no position in a list.
func lastName(path []string) string {
	for i := len(path) - 1; i >= 0; i-- {
		if _, err := strconv.Atoi(path[i]); err != nil {
			return path[i]
		}
	}
	return "the file"
}

// badValue says what a value should be like.
func badValue(name string, k jsonschema.ErrorKind) string {
	switch k := k.(type) {
	case *kind.Type:
		return fmt.Sprintf("%s must be %s, and is %s", name, kinds(k.Want), kindWord(k.Got))
	case *kind.Enum:
		return fmt.Sprintf("%s must be one of %s", name, words(k))
	case *kind.Minimum, *kind.Maximum:
		return fmt.Sprintf("%s must be a number from 1 to 365", name)
	case *kind.MinLength:
		return name + " is empty"
	case *kind.Pattern:
		return badPattern(name, k.Got)
	}
	return name + " does not have the right form"
}

func badPattern(name, got string) string {
	switch name {
	case "rule":
		return fmt.Sprintf("%s is no ID of a rule; IDs are like unset-variable", show(got))
	case "reason":
		return "the reason is empty; say why the finding is accepted"
	case "until":
		return fmt.Sprintf("%s is no day; write year-month-day, for example 2027-03-31", show(got))
	case "timeout", "deadline":
		return fmt.Sprintf("%s is no time; write a number with its unit, for example 5s or 2m", show(got))
	case "external-hosts":
		return fmt.Sprintf("%s is no name without dots; names with a dot and addresses count as external anyway", show(got))
	case "resolve":
		return fmt.Sprintf("%s is no pinned address; write NAME:PORT=ADDR:PORT, for example db:3306=127.0.0.1:3306", show(got))
	}
	return fmt.Sprintf("%s does not have the right form: %s", name, show(got))
}

func words(k *kind.Enum) string {
	var out []string
	for _, w := range k.Want {
		out = append(out, fmt.Sprint(w))
	}
	text := strings.Join(out, ", ")
	if got, ok := k.Got.(string); ok {
		if near, ok := nearest.Of(got, out); ok {
			return fmt.Sprintf("%s; %s was probably meant", text, near)
		}
		return fmt.Sprintf("%s, and is %s", text, show(got))
	}
	return text
}

func kinds(types []string) string {
	var out []string
	for _, t := range types {
		if t != "null" {
			out = append(out, kindWord(t))
		}
	}
	return strings.Join(out, " or ")
}

// kindWord gives a type of JSON in the words of someone who writes YAML.
func kindWord(t string) string {
	switch t {
	case "object":
		return "a mapping (key: value)"
	case "array":
		return "a list"
	case "string":
		return "a text"
	case "boolean":
		return "true or false"
	case "integer":
		return "a whole number"
	case "number":
		return "a number"
	case "null":
		return "empty"
	}
	return t
}

// propertiesOf gives the keys that the schema knows at a path, sorted.
func propertiesOf(path []string) []string {
	var at map[string]any
	if err := json.Unmarshal(schemaText, &at); err != nil {
		return nil
	}
	for _, s := range path {
		next, ok := object(at, "properties")[s].(map[string]any)
		if !ok {
			next = object(at, "items")
		}
		at = next
	}
	return slices.Sorted(maps.Keys(object(at, "properties")))
}

func object(in map[string]any, key string) map[string]any {
	out, _ := in[key].(map[string]any)
	return out
}

// show quotes a word of the file, short and on one line.
func show(s string) string {
	const longest = 60
	if r := []rune(s); len(r) > longest {
		s = string(r[:longest]) + "…"
	}
	return strconv.Quote(s)
}
