package depmap

import (
	"fmt"
	"io"
	"strings"
)

// Mermaid writes the map as a flowchart of Mermaid (mermaid.js.org), which
// GitHub, GitLab and many wikis draw.
func Mermaid(w io.Writer, m *Map) error {
	var b strings.Builder
	b.WriteString("flowchart TB\n")
	for i, g := range m.Groups {
		fmt.Fprintf(&b, "  subgraph layer%d[\"%s\"]\n", i, mermaidText(g.Title))
		for _, n := range g.Nodes {
			shape := [2]string{"[", "]"}
			if n.Outside {
				shape = [2]string{"([", "])"}
			}
			fmt.Fprintf(&b, "    n%d%s\"%s<br/>%s\"%s\n", n.index, shape[0], mermaidText(n.Name), mermaidText(n.Does), shape[1])
		}
		b.WriteString("  end\n")
	}
	for _, l := range m.Lines {
		arrow := map[State]string{Untried: "-->", OK: "-->", Broken: "--x", Blocked: "-.-x", NotChecked: "-.->"}[l.State]
		fmt.Fprintf(&b, "  n%d %s|\"%s\"| n%d\n", l.From.index, arrow, mermaidText(protocols(l)), l.To.index)
	}
	for i, l := range m.Lines {
		if colour := inks[l.State]; colour != "" {
			fmt.Fprintf(&b, "  linkStyle %d stroke:%s,stroke-width:2px\n", i, colour)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// inks are the colours of the states where a format has one theme.
var inks = map[State]string{OK: "#2f7d5b", Broken: "#b3261e", Blocked: "#8f5a00", NotChecked: "#6f747c"}

// protocols names what a line speaks, each once, and its state where it has one.
func protocols(l *Line) string {
	var out []string
	seen := map[string]bool{}
	for _, k := range l.Links {
		if !seen[k.Protocol] {
			seen[k.Protocol] = true
			out = append(out, k.Protocol)
		}
	}
	text := strings.Join(out, ", ")
	if l.State != Untried && l.State != OK {
		text += " (" + l.State.Name() + ")"
	}
	return text
}

// mermaidText writes s so that Mermaid takes nothing in it for syntax or
// markup: everything but letters, digits and a few signs becomes a number.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		switch {
		case r >= 'a' && r <= 'z', r >= 'A' && r <= 'Z', r >= '0' && r <= '9', strings.ContainsRune(" _-.,:()/", r), r > 0x7f:
			b.WriteRune(r)
		default:
			fmt.Fprintf(&b, "#%d;", r)
		}
	}
	return b.String()
}
