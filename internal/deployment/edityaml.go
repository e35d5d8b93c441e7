package deployment

import (
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// entry is an item of a list or a key of a mapping with its value.
type entry struct {
	src    *source
	parent *yaml.Node
	key    *yaml.Node // nil for an item
	value  *yaml.Node
	path   []string
	up     *entry // the entry whose value is parent; nil at the top
}

// deepestEntry is how far down entries are looked for.
const deepestEntry = 64

// entries calls visit for every entry of a file until it gives false. What an
// alias stands for is visited where it is written.
func (d *Deployment) entries(src *source, visit func(*entry) bool) {
	more := true
	var walk func(y *yaml.Node, up *entry, path []string)
	add := func(e *entry) {
		if more = more && visit(e); more {
			walk(e.value, e, e.path)
		}
	}
	walk = func(y *yaml.Node, up *entry, path []string) {
		if len(path) > deepestEntry {
			return
		}
		step := func(s string) []string { return append(slices.Clip(path), s) }
		switch y.Kind {
		case yaml.DocumentNode:
			for _, c := range y.Content {
				walk(c, up, path)
			}
		case yaml.MappingNode:
			for i := 0; i+1 < len(y.Content) && more; i += 2 {
				add(&entry{src: src, parent: y, key: y.Content[i], value: y.Content[i+1], path: step(y.Content[i].Value), up: up})
			}
		case yaml.SequenceNode:
			for i := 0; i < len(y.Content) && more; i++ {
				add(&entry{src: src, parent: y, value: y.Content[i], path: step(strconv.Itoa(i)), up: up})
			}
		}
	}
	for _, doc := range d.sources.walker.docs[src] {
		walk(doc, nil, nil)
	}
}

// entryAt gives the entry whose name, item or value starts at the place.
func (d *Deployment) entryAt(f editedFile) *entry {
	var found *entry
	d.entries(f.src, func(e *entry) bool {
		if e.key != nil && (scalarStart(f.src, e.key) == f.off || newScalar(f.src, e.key).inner == f.off) {
			found = e
		}
		if e.value.Kind == yaml.ScalarNode && found == nil {
			if s := newScalar(f.src, e.value); s.exact && s.inner <= f.off && f.off <= s.end() && !(e.key != nil && s.raw == "") {
				found = e
			}
		}
		return found == nil
	})
	return found
}

// entryOf gives the entry of a path in a file.
func (d *Deployment) entryOf(src *source, path ...string) *entry {
	var found *entry
	d.entries(src, func(e *entry) bool {
		if slices.Equal(e.path, path) {
			found = e
		}
		return found == nil
	})
	return found
}

// NameAt gives the place of the key of a path in one file; false where the file
// does not have it.
func (d *Deployment) NameAt(file string, path ...string) (finding.Location, bool) {
	src := d.editable(file)
	if src == nil {
		return finding.Location{}, false
	}
	e := d.entryOf(src, path...)
	if e == nil || e.key == nil {
		return finding.Location{}, false
	}
	return src.at(scalarStart(src, e.key)), true
}

func inFlow(y *yaml.Node) bool { return y.Style&yaml.FlowStyle != 0 }

func (e *entry) inFlow() bool {
	for ; e != nil; e = e.up {
		if inFlow(e.parent) {
			return true
		}
	}
	return false
}

// start is the first byte of the entry's name or, in a list, of its value.
func (e *entry) start() int {
	if e.key != nil {
		return scalarStart(e.src, e.key)
	}
	if y := e.value; y.Kind == yaml.ScalarNode {
		return e.src.offset(y.Line, y.Column)
	}
	return e.src.offset(e.value.Line, e.value.Column)
}

// end is the byte behind the entry.
func (e *entry) end() (int, bool) {
	if e.value.Kind == yaml.ScalarNode && e.value.Value == "" && e.value.Tag == "!!null" && e.key != nil {
		return nodeEnd(e.src, e.key)
	}
	return nodeEnd(e.src, e.value)
}

// nodeEnd gives the byte behind a node; false where that cannot be told.
func nodeEnd(src *source, y *yaml.Node) (int, bool) {
	switch y.Kind {
	case yaml.ScalarNode:
		s := newScalar(src, y)
		end := s.end()
		if s.inner > s.start {
			end++
		}
		return end, end <= len(src.text)
	case yaml.AliasNode:
		return src.offset(y.Line, y.Column) + 1 + len(y.Value), true
	}
	end := src.offset(y.Line, y.Column)
	for i, c := range y.Content {
		if y.Kind == yaml.MappingNode && i%2 == 1 && c.Kind == yaml.ScalarNode && c.Value == "" && c.Tag == "!!null" {
			continue
		}
		e, ok := nodeEnd(src, c)
		if !ok {
			return 0, false
		}
		end = max(end, e)
	}
	if !inFlow(y) {
		return end, true
	}
	closing := byte(']')
	if y.Kind == yaml.MappingNode {
		closing = '}'
	}
	for ; end < len(src.text); end++ {
		switch src.text[end] {
		case closing:
			return end + 1, true
		case '#':
			return 0, false
		}
	}
	return 0, false
}

// editScalar replaces a part of a scalar, or of what stands behind the "=" of
// an entry NAME=value when the place is there.
func (d *Deployment) editScalar(f editedFile, choose part, text string) []finding.Edit {
	e := d.entryAt(f)
	if e == nil || e.value.Kind != yaml.ScalarNode {
		return nil
	}
	s := newScalar(f.src, e.value)
	if !s.exact || f.off < s.inner || f.off > s.inner+len(s.raw) {
		return nil
	}
	skip := f.off - s.inner
	from, to, ok := choose(s.raw[skip:])
	if !ok {
		return nil
	}
	from, to = from+skip, to+skip
	raw := s.raw[:from] + text + s.raw[to:]
	switch quote := quoteOf(s); {
	case quote != 0:
		if strings.ContainsAny(text, string(quote)+"\\\r\n") {
			return nil
		}
	case e.plainFits(raw):
	case e.key != nil && !strings.ContainsAny(raw, "\"\\\r\n"):
		return []finding.Edit{f.src.change(s.inner, s.inner+len(s.raw), `"`+raw+`"`)}
	default:
		return nil
	}
	return []finding.Edit{f.src.change(s.inner+from, s.inner+to, text)}
}

// quoteOf gives the quote around a scalar, 0 when there is none.
func quoteOf(s *scalar) byte {
	if s.inner > s.start {
		return s.src.text[s.start]
	}
	return 0
}

// plainFits reports whether a text may stand in the entry without quotes: both
// YAML 1.1 and 1.2 read it as that text.
func (e *entry) plainFits(raw string) bool {
	around := [2]string{"- ", "\n"}
	if e.inFlow() {
		around = [2]string{"[", "]\n"}
	}
	docs, err := parseYAML(around[0] + raw + around[1])
	if err != nil || len(docs) != 1 || len(docs[0].Content) != 1 {
		return false
	}
	list := docs[0].Content[0]
	if list.Kind != yaml.SequenceNode || len(list.Content) != 1 {
		return false
	}
	y := list.Content[0]
	return y.Kind == yaml.ScalarNode && y.Value == raw && y.ShortTag() == "!!str" && y.Style == 0 && y.LineComment == "" && !oldBoolean(raw)
}

// oldBoolean reports whether YAML 1.1 takes a word for a boolean.
func oldBoolean(s string) bool {
	return slices.Contains([]string{"y", "n", "yes", "no", "on", "off", "true", "false"}, strings.ToLower(s))
}

// Quote puts the scalar at the place into double quotes.
func (d *Deployment) Quote(at finding.Location) []finding.Edit {
	f, ok := d.editedFile(at)
	if !ok || f.env {
		return nil
	}
	e := d.entryAt(f)
	if e == nil || e.value.Kind != yaml.ScalarNode || e.value.Tag == "" {
		return nil
	}
	s := newScalar(f.src, e.value)
	if !s.exact || quoteOf(s) != 0 || strings.ContainsAny(s.raw, "\"\\\r\n") || s.raw == "" {
		return nil
	}
	return []finding.Edit{f.src.change(s.inner, s.inner+len(s.raw), `"`+s.raw+`"`)}
}

// Unquote takes out the quotes that are a part of the value at the place, in an
// entry - NAME="value". Where the value cannot do without, they go around the
// whole entry.
func (d *Deployment) Unquote(at finding.Location) []finding.Edit {
	f, ok := d.editedFile(at)
	if !ok || f.env {
		return nil
	}
	e := d.entryAt(f)
	if e == nil || e.value.Kind != yaml.ScalarNode {
		return nil
	}
	s := newScalar(f.src, e.value)
	skip := f.off - s.inner
	if !s.exact || skip < 0 || len(s.raw) < skip+2 {
		return nil
	}
	quoted := s.raw[skip:]
	q := quoted[0]
	if q != '"' && q != '\'' || quoted[len(quoted)-1] != q || strings.Count(quoted, string(q)) != 2 {
		return nil
	}
	inner := quoted[1 : len(quoted)-1]
	last := s.inner + len(s.raw) - 1
	out := []finding.Edit{f.src.change(f.off, f.off+1, ""), f.src.change(last, last+1, "")}
	if quoteOf(s) != 0 || e.plainFits(s.raw[:skip]+inner) {
		return out
	}
	if strings.ContainsAny(s.raw[:skip]+inner, "'\r\n") {
		return nil
	}
	out[0] = f.src.change(s.inner, f.off+1, "'"+s.raw[:skip])
	out[1] = f.src.change(last, last+1, "'")
	return out
}

func (d *Deployment) renameYAML(f editedFile, old, name string) []finding.Edit {
	e := d.entryAt(f)
	if e == nil {
		return nil
	}
	if e.key != nil {
		s := newScalar(f.src, e.key)
		if !s.exact || s.raw != old || e.key.Anchor != "" || e.value.Kind == yaml.ScalarNode && e.value.Tag == "!!null" && len(e.path) == 4 && e.path[2] == "environment" {
			return nil
		}
		return []finding.Edit{f.src.change(s.inner, s.inner+len(old), name)}
	}
	if e.value.Kind != yaml.ScalarNode {
		return nil
	}
	s := newScalar(f.src, e.value)
	if !s.exact || !strings.HasPrefix(s.raw, old) {
		return nil
	}
	if rest := s.raw[len(old):]; rest != "" && rest[0] != '=' || rest == "" && len(e.path) == 4 && e.path[2] == "environment" {
		return nil
	}
	return []finding.Edit{f.src.change(s.inner, s.inner+len(old), name)}
}

func (d *Deployment) deleteYAML(f editedFile) []finding.Edit {
	e := d.entryAt(f)
	if e == nil {
		return nil
	}
	// A mapping or list that loses its last entry goes too: Compose wants no empty ones.
	for e.up != nil && (e.key != nil && len(e.parent.Content) == 2 || e.key == nil && len(e.parent.Content) == 1) {
		e = e.up
	}
	end, ok := e.end()
	if !ok || e.inFlow() || hasAnchor(e.value) || e.up == nil && len(e.parent.Content) == 2 {
		return nil
	}
	start := e.start()
	from, to := f.src.lineStart(start), f.src.lineEnd(max(end-1, start))
	before := strings.TrimSpace(f.src.text[from:start])
	behind := strings.TrimSpace(f.src.text[end:max(end, to)])
	if before != "" && !(e.key == nil && before == "-") || behind != "" && behind != ":" && behind[0] != '#' && !strings.HasPrefix(behind, ": #") {
		return nil
	}
	return []finding.Edit{f.src.change(from, to, "")}
}

func hasAnchor(y *yaml.Node) bool {
	return y.Anchor != "" || slices.ContainsFunc(y.Content, hasAnchor)
}
