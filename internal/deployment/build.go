package deployment

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// maxNodes is the most YAML nodes of one document that are looked at, anchors
// counted each time they are used: compose-go's own limit (loader/reset.go).
const maxNodes = 100_000

// builder turns one YAML document into nodes.
type builder struct {
	w      *walker
	src    *source
	scope  *scope
	dir    string
	resets [][]string // paths marked !reset or !override
	visits int
	open   map[*yaml.Node]bool // anchors being followed, to see cycles
	refuse bool                // a limit was hit
}

func (b *builder) build(y *yaml.Node) *node {
	b.open = map[*yaml.Node]bool{}
	return b.node(y, pos{}, nil)
}

// node makes the node of y. key is the place of the key or item that holds it;
// nil is given for a value marked !reset.
func (b *builder) node(y *yaml.Node, key pos, path []string) *node {
	b.visits++
	if b.visits > maxNodes {
		if !b.refuse {
			b.refuse = true
			b.w.tooManyNodes(b.src)
		}
		return nil
	}
	switch y.Tag {
	case "!reset":
		b.resets = append(b.resets, slices.Clone(path))
		return nil
	case "!override":
		b.resets = append(b.resets, slices.Clone(path))
	}
	switch y.Kind {
	case yaml.DocumentNode:
		if len(y.Content) == 0 {
			return &node{kind: kindNull, file: b.src, dir: b.dir}
		}
		return b.node(y.Content[0], key, path)
	case yaml.AliasNode:
		return b.alias(y, key, path)
	case yaml.MappingNode:
		return b.mapping(y, key, path)
	case yaml.SequenceNode:
		return b.sequence(y, key, path)
	}
	return b.scalar(y, key, path)
}

func (b *builder) alias(y *yaml.Node, key pos, path []string) *node {
	if y.Alias == nil || b.open[y.Alias] {
		return nil
	}
	b.open[y.Alias] = true
	defer delete(b.open, y.Alias)
	return b.node(y.Alias, key, path)
}

func (b *builder) at(y *yaml.Node) pos { return pos{b.src, scalarStart(b.src, y)} }

func (b *builder) mapping(y *yaml.Node, key pos, path []string) *node {
	out := newMap()
	out.key, out.file, out.dir, out.at = key, b.src, b.dir, b.at(y)
	var merged []*node
	first := map[string]*yaml.Node{}
	for i := 0; i+1 < len(y.Content); i += 2 {
		k, v := y.Content[i], y.Content[i+1]
		if isMergeKey(k) {
			merged = append(merged, b.mergedMaps(v, path)...)
			continue
		}
		if k.Kind == yaml.AliasNode && k.Alias != nil {
			k = k.Alias
		}
		if k.Kind != yaml.ScalarNode {
			continue
		}
		if k.ShortTag() != "!!str" {
			b.w.keyIsNoText(b.src, k, path)
		}
		name := k.Value
		if old, ok := first[name]; ok {
			b.w.duplicateKey(b.src, old, k, path)
		} else {
			first[name] = k
		}
		child := b.node(v, b.at(k), append(path[:len(path):len(path)], name))
		if child != nil {
			out.set(name, beats(child, out.fields[name]))
		}
	}
	return layMerged(out, merged)
}

// layMerged puts the mappings of "<<" under the keys written out; of several,
// the first wins (https://yaml.org/type/merge.html).
func layMerged(out *node, merged []*node) *node {
	for _, m := range merged {
		for _, k := range m.keys {
			v := m.fields[k]
			if own, ok := out.fields[k]; ok {
				out.fields[k] = beats(own, v)
			} else {
				out.set(k, v)
			}
		}
	}
	return out
}

func isMergeKey(k *yaml.Node) bool {
	return k.Kind == yaml.ScalarNode && k.Value == "<<" && (k.Tag == "" || k.Tag == "!" || k.Tag == "!!merge")
}

func (b *builder) mergedMaps(v *yaml.Node, path []string) []*node {
	target := v
	if v.Kind == yaml.AliasNode && v.Alias != nil {
		target = v.Alias
	}
	if target.Kind == yaml.SequenceNode {
		var out []*node
		for _, c := range target.Content {
			out = append(out, b.mergedMaps(c, path)...)
		}
		return out
	}
	n := b.node(v, pos{}, path)
	if n == nil || n.kind != kindMap {
		return nil
	}
	return []*node{n}
}

func (b *builder) sequence(y *yaml.Node, key pos, path []string) *node {
	out := &node{kind: kindList, key: key, at: b.at(y), file: b.src, dir: b.dir}
	for i, c := range y.Content {
		item := b.node(c, b.at(c), append(path[:len(path):len(path)], strconv.Itoa(i)))
		if item != nil {
			item.item = true
			out.items = append(out.items, item)
		}
	}
	return out
}

func (b *builder) scalar(y *yaml.Node, key pos, path []string) *node {
	n := &node{kind: kindScalar, key: key, file: b.src, dir: b.dir, scope: b.scope}
	n.scalar = newScalar(b.src, y)
	n.at = pos{b.src, n.scalar.inner}
	if y.Tag == "!!null" {
		n.kind = kindNull
		return n
	}
	n.text = y.Value
	if y.Tag != "!!str" && y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) == 0 {
		var v any
		if err := y.Decode(&v); err == nil && v != nil {
			if s, ok := v.(string); ok {
				n.text = s
			} else {
				n.value, n.text = v, fmt.Sprint(v)
				return n
			}
		}
	}
	b.expand(n, path)
	return n
}

func (b *builder) expand(n *node, path []string) {
	if b.scope == nil || !strings.Contains(n.text, "$") {
		return
	}
	place := func(i int) finding.Location { return b.src.at(n.scalar.place(i)) }
	e := expand(n.text, b.scope.find, place, false)
	b.w.expanded(len(e.text))
	service, key := whoseKey(path, n.scalar.raw)
	for _, u := range e.unset {
		b.w.unset = append(b.w.unset, VariableUse{Name: u.name, At: place(u.from), Service: service, Key: key})
	}
	if e.err != nil {
		n.broken = true
		b.w.badExpansion(n, e, service, key)
		if errors.Is(e.err, errTooComplex) || errors.Is(e.err, errTooLong) {
			n.text = "" // nobody else is to work on it either
			return
		}
		if !isMissing(e.err) {
			return
		}
		// The rest of the text can be looked at with the variable left empty.
	}
	n.text = e.text
}

// whoseKey names the service and the environment key or YAML path of a scalar.
func whoseKey(path []string, raw string) (service, key string) {
	if len(path) < 2 || path[0] != "services" {
		return "", strings.Join(path, ".")
	}
	rest := path[2:]
	if len(rest) == 2 && rest[0] == "environment" {
		key = rest[1]
		if _, err := strconv.Atoi(key); err == nil && strings.Contains(raw, "=") {
			key = itemName(raw)
		}
		return path[1], key
	}
	return path[1], strings.Join(rest, ".")
}
