package deployment

import (
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

type nodeKind uint8

const (
	kindNull nodeKind = iota
	kindScalar
	kindList
	kindMap
)

// node is a part of the configuration with the place where it is written.
// Nodes are not changed once made: merging makes new ones, since anchors and
// extends let one node stand in several places.
type node struct {
	kind   nodeKind
	at     pos  // of the value: a scalar's text, the first key of a mapping, the first item of a list
	key    pos  // of the key or the list item that holds it
	item   bool // it stands in a list
	file   *source
	dir    string  // the folder that relative paths in it start from
	scalar *scalar // of a scalar
	text   string  // of a scalar: with variables expanded
	value  any     // of a scalar that YAML reads as no string: a number, a boolean, a date
	broken bool    // its variables could not be expanded; that is reported
	scope  *scope  // the variables in force where it is written

	keys   []string // of a mapping, in the order of the file
	fields map[string]*node
	items  []*node // of a list

	lost []*node // values of the same key that this one beats, nearest first
}

func newMap() *node { return &node{kind: kindMap, fields: map[string]*node{}} }

// set adds or replaces a field of a mapping that is still being made.
func (n *node) set(key string, v *node) {
	if _, ok := n.fields[key]; !ok {
		n.keys = append(n.keys, key)
	}
	n.fields[key] = v
}

func (n *node) field(key string) *node {
	if n == nil || n.kind != kindMap {
		return nil
	}
	return n.fields[key]
}

// shallow copies a node so that it can be changed without changing the original.
func (n *node) shallow() *node {
	c := *n
	if n.kind == kindMap {
		c.keys = append([]string(nil), n.keys...)
		c.fields = make(map[string]*node, len(n.fields))
		for k, v := range n.fields {
			c.fields[k] = v
		}
	}
	c.items = append([]*node(nil), n.items...)
	return &c
}

func (n *node) without(key string) *node {
	if _, ok := n.fields[key]; !ok {
		return n
	}
	c := n.shallow()
	delete(c.fields, key)
	for i, k := range c.keys {
		if k == key {
			c.keys = append(c.keys[:i], c.keys[i+1:]...)
			break
		}
	}
	return c
}

// beats returns over with everything that it overrides appended to its history.
func beats(over, base *node) *node {
	if base == nil || over == base {
		return over
	}
	c := *over
	c.lost = append(append(append([]*node(nil), over.lost...), base), base.lost...)
	return &c
}

// location is where the value is written, its key where there is no value.
func (n *node) location() finding.Location {
	if n.at.src != nil {
		return n.at.location()
	}
	return n.key.location()
}

// place is where a finding about the node points to: a scalar's value, the key
// of anything else.
func (n *node) place() finding.Location {
	if n.kind != kindScalar && n.key.src != nil {
		return n.key.location()
	}
	return n.location()
}

// child follows one step of a path: a key of a mapping, an index of a list, or
// an item of a list by its name, so that "environment", "X" finds the item
// "X=1" and "networks", "a" finds the item "a".
func (n *node) child(step string) *node {
	switch n.kind {
	case kindMap:
		return n.fields[step]
	case kindList:
		if i, err := strconv.Atoi(step); err == nil && i >= 0 && i < len(n.items) {
			return n.items[i]
		}
		for i := len(n.items) - 1; i >= 0; i-- {
			if it := n.items[i]; it.kind == kindScalar && itemName(it.text) == step {
				return it
			}
		}
	}
	return nil
}

func itemName(text string) string {
	name, _, _ := strings.Cut(text, "=")
	return name
}

// locate gives the place of a path, or of the nearest written parent.
func (n *node) locate(path []string) (finding.Location, bool) {
	if n == nil {
		return finding.Location{}, false
	}
	best, found := finding.Location{}, true
	for _, step := range path {
		c := n.child(step)
		if c == nil {
			found = false
			break
		}
		n = c
		if l := n.place(); !l.IsZero() {
			best = l
		}
	}
	return best, found
}

func (n *node) equal(o *node) bool {
	if n == nil || o == nil || n.kind != o.kind {
		return n == o
	}
	switch n.kind {
	case kindScalar:
		return n.text == o.text && (n.value == nil) == (o.value == nil)
	case kindList:
		if len(n.items) != len(o.items) {
			return false
		}
		for i := range n.items {
			if !n.items[i].equal(o.items[i]) {
				return false
			}
		}
	case kindMap:
		if len(n.fields) != len(o.fields) {
			return false
		}
		for k, v := range n.fields {
			if !v.equal(o.fields[k]) {
				return false
			}
		}
	}
	return true
}
