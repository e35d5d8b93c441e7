package deployment

import (
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// AddEnvironment adds NAME=value to the environment of a service, in the first
// file that gives it one, at the end and in the form that is used there.
func (d *Deployment) AddEnvironment(service, name, value string) []finding.Edit {
	if !simpleName.MatchString(name) || !envPlain.MatchString(value) || value == "" {
		return nil
	}
	return d.addTo(service, "environment", newEntry{item: name + "=" + value, field: name + ": \"" + value + "\""})
}

// AddNetwork adds a network to a service. One that had none stays on the
// network default as well, so that it loses nobody.
func (d *Deployment) AddNetwork(service, network string) []finding.Edit {
	s, ok := d.Service(service)
	if !ok || s.NetworkMode != "" || !simpleName.MatchString(network) {
		return nil
	}
	return d.addTo(service, "networks", newEntry{item: network, field: network + ":", first: "default"})
}

// newEntry is an entry in both forms: of a list and of a mapping.
type newEntry struct {
	item, field string
	first       string // an item that goes before it where the list is new; "" for none
}

func (d *Deployment) addTo(service, field string, add newEntry) []finding.Edit {
	for _, src := range d.sources.walker.compose {
		if e := d.entryOf(src, "services", service, field); e != nil {
			if d.editable(src.name) == nil || d.sources.walker.repaired[src.name] {
				return nil
			}
			return e.append(add)
		}
	}
	for _, src := range d.sources.walker.compose {
		if e := d.entryOf(src, "services", service); e != nil && d.editable(src.name) != nil && !d.sources.walker.repaired[src.name] {
			return e.begin(field, add)
		}
	}
	return nil
}

// append adds to the list or mapping of the entry.
func (e *entry) append(add newEntry) []finding.Edit {
	y := e.value
	if y.Kind != yaml.SequenceNode && y.Kind != yaml.MappingNode || len(y.Content) == 0 || strings.HasPrefix(y.Tag, "!r") || strings.HasPrefix(y.Tag, "!o") {
		return nil
	}
	last := &entry{src: e.src, parent: y, value: y.Content[len(y.Content)-1], up: e}
	text := add.item
	if y.Kind == yaml.MappingNode {
		last.key, text = y.Content[len(y.Content)-2], add.field
	}
	end, ok := last.end()
	if !ok {
		return nil
	}
	if last.key == nil && !last.plainFits(text) {
		text = `"` + text + `"`
	}
	if inFlow(y) {
		if last.key != nil && strings.HasSuffix(text, ":") {
			text += " {}"
		}
		return []finding.Edit{e.src.change(end, end, ", "+text)}
	}
	start := last.start()
	head := e.src.text[e.src.lineStart(start):start]
	if strings.TrimSpace(head) != "" && !(last.key == nil && strings.TrimSpace(head) == "-") || e.inFlow() {
		return nil
	}
	return e.src.addLines(max(end-1, start), head+text)
}

// begin gives a service a field that it does not have yet.
func (e *entry) begin(field string, add newEntry) []finding.Edit {
	y := e.value
	if y.Kind != yaml.MappingNode || inFlow(y) || e.inFlow() || len(y.Content) == 0 {
		return nil
	}
	merged := func(k *yaml.Node) bool { return isMergeKey(k) }
	if slices.ContainsFunc(y.Content, merged) {
		return nil // it may have the field from there, and would lose it
	}
	first := &entry{src: e.src, parent: y, key: y.Content[0], value: y.Content[1], up: e}
	start := first.start()
	head := e.src.text[e.src.lineStart(start):start]
	end, ok := first.end()
	if strings.TrimSpace(head) != "" || !ok {
		return nil
	}
	lines := []string{head + field + ":"}
	if add.first != "" {
		lines = append(lines, head+"  - "+add.first)
	}
	text := add.item
	if !(&entry{src: e.src, parent: &yaml.Node{Kind: yaml.SequenceNode}}).plainFits(text) {
		text = `"` + text + `"`
	}
	return e.src.addLines(max(end-1, start), append(lines, head+"  - "+text)...)
}

// addLines inserts lines behind the line of a byte, with that line's end.
func (s *source) addLines(off int, lines ...string) []finding.Edit {
	at, newline := s.lineEnd(off), s.newline(off)
	text := strings.Join(lines, newline)
	if at == len(s.text) && !strings.HasSuffix(s.text, "\n") {
		return []finding.Edit{s.change(at, at, newline+text)}
	}
	return []finding.Edit{s.change(at, at, text+newline)}
}
