package config

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// The bounds of the file. One that is nested deeper, or that aliases blow up to
// more values, is no configuration.
const (
	maxDepth  = 16
	maxValues = 20000
)

// reader turns the YAML of the file into values and remembers where each stands.
type reader struct {
	file     *deployment.YAMLFile
	name     string
	ids      IDs
	nodes    map[string]*yaml.Node // value by path
	keys     map[string]*yaml.Node // key by the path of its value
	values   int
	mistakes Mistakes
}

// pathOf writes a path as the key of the maps.
func pathOf(steps []string) string { return strings.Join(steps, "\x00") }

func (r *reader) wrong(y *yaml.Node, format string, args ...any) {
	r.mistakes = append(r.mistakes, Mistake{r.file.At(y), fmt.Sprintf(format, args...)})
}

// document gives the value of the file; nil when it is empty.
func (r *reader) document() any {
	switch len(r.file.Docs) {
	case 0:
		return nil
	case 1:
		return r.value(r.file.Docs[0], nil)
	}
	r.wrong(r.file.Docs[1], "a second document begins here; the file must hold one")
	return nil
}

// value gives a node as encoding/json would, with numbers as json.Number and
// days as texts.
func (r *reader) value(y *yaml.Node, path []string) any {
	if r.values++; len(path) > maxDepth || r.values > maxValues {
		if r.values != maxValues+2 { // said once
			r.wrong(y, "the file is nested too deeply or too large")
		}
		r.values = maxValues + 1
		return nil
	}
	if old, ok := r.nodes[pathOf(path)]; !ok || old.Kind == yaml.DocumentNode { // an alias stands where it is used
		r.nodes[pathOf(path)] = y
	}
	switch y.Kind {
	case yaml.DocumentNode:
		if len(y.Content) == 1 {
			return r.value(y.Content[0], path)
		}
	case yaml.AliasNode:
		if y.Alias != nil {
			return r.value(y.Alias, path)
		}
	case yaml.MappingNode:
		return r.mapping(y, path)
	case yaml.SequenceNode:
		list := []any{}
		for i, c := range y.Content {
			list = append(list, r.value(c, step(path, strconv.Itoa(i))))
		}
		return list
	case yaml.ScalarNode:
		return scalar(y)
	}
	return nil
}

func step(path []string, s string) []string { return append(path[:len(path):len(path)], s) }

func (r *reader) mapping(y *yaml.Node, path []string) any {
	out := map[string]any{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		key := y.Content[i]
		below := step(path, key.Value)
		if key.Kind != yaml.ScalarNode {
			r.wrong(key, "a key must be a word")
			continue
		}
		if _, ok := out[key.Value]; ok {
			r.wrong(key, "the key %s is there twice; the first one is in line %d", show(key.Value), r.keys[pathOf(below)].Line)
			continue
		}
		r.keys[pathOf(below)] = key
		out[key.Value] = r.value(y.Content[i+1], below)
	}
	return out
}

func scalar(y *yaml.Node) any {
	switch y.ShortTag() {
	case "!!null":
		return nil
	case "!!bool":
		return strings.EqualFold(y.Value, "true")
	case "!!int", "!!float":
		if json.Valid([]byte(y.Value)) {
			return json.Number(y.Value)
		}
	}
	return y.Value
}
