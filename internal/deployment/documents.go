package deployment

import (
	"errors"
	"fmt"
	"io"
	"strings"

	"go.yaml.in/yaml/v4"
)

// documents parses a compose file, once.
func (w *walker) documents(src *source) []*yaml.Node {
	if docs, ok := w.docs[src]; ok {
		return docs
	}
	docs, err := parseYAML(src.text)
	if err != nil {
		w.repaired[src.name] = true
		docs = w.repairSyntax(src, err)
	}
	w.docs[src] = docs
	if src.utf16 {
		w.warn(YAMLSyntax, src.name, src.name+" is written in UTF-16. Compose reads it, most other tools do not.",
			"Save it as UTF-8.", "utf-16", src.whole())
	}
	return docs
}

func parseYAML(text string) (docs []*yaml.Node, err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: %v", p)
		}
	}()
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		n := &yaml.Node{}
		err := d.Decode(n)
		if errors.Is(err, io.EOF) {
			return docs, nil
		}
		if err != nil {
			return docs, err
		}
		docs = append(docs, n)
	}
}

// topField builds one field of the top mapping alone.
func topField(w *walker, src *source, doc *yaml.Node, name string, sc *scope) *node {
	if len(doc.Content) == 0 || doc.Content[0].Kind != yaml.MappingNode {
		return nil
	}
	top := doc.Content[0]
	for i := 0; i+1 < len(top.Content); i += 2 {
		if top.Content[i].Value == name {
			b := &builder{w: w, src: src, scope: sc, open: map[*yaml.Node]bool{}}
			return b.node(top.Content[i+1], pos{}, []string{name})
		}
	}
	return nil
}
