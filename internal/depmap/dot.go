package depmap

import (
	"fmt"
	"io"
	"strings"
)

// Dot writes the map in the language of Graphviz: kopano-doctor map --format
// dot | dot -Tpdf.
func Dot(w io.Writer, m *Map) error {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir=TB;\n  node [shape=box, style=\"rounded,filled\", fillcolor=white, fontname=\"sans-serif\"];\n  edge [fontname=\"sans-serif\", fontsize=9, color=\"#7d8692\"];\n", dotText(m.Title))
	for i, g := range m.Groups {
		fmt.Fprintf(&b, "  subgraph cluster_%d {\n    label=%s;\n    style=\"rounded,filled\"; color=\"#f3f1ec\";\n", i, dotText(g.Title))
		for _, n := range g.Nodes {
			style := ""
			if n.Outside {
				style = ", style=\"rounded,dashed\""
			}
			fmt.Fprintf(&b, "    n%d [label=%s%s];\n", n.index, dotText(n.Name+"\n"+n.Does), style)
		}
		b.WriteString("  }\n")
	}
	for _, l := range m.Lines {
		fmt.Fprintf(&b, "  n%d -> n%d [label=%s, tooltip=%s%s];\n", l.From.index, l.To.index, dotText(protocols(l)), dotText(lineTitle(l)), dotStyle(l.State))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func dotStyle(s State) string {
	if s == Untried {
		return ""
	}
	style := map[State]string{OK: "solid", Broken: "bold,dotted", Blocked: "dashed", NotChecked: "dotted"}[s]
	return fmt.Sprintf(", color=%q, fontcolor=%q, style=%q", inks[s], inks[s], style)
}

// dotText writes a quoted string. A backslash begins a sequence such as \N in
// labels and an ampersand an entity, so neither stays as it is.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`, "&", "&amp;").Replace(s) + `"`
}
