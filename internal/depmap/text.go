package depmap

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"
	"github.com/mattn/go-runewidth"
)

// TextOptions say what the reader's terminal can show.
type TextOptions struct {
	Color bool
	ASCII bool // the terminal knows no UTF-8
}

const textWidth = 100 // columns

// Text writes the map for a terminal: each service with what it calls, and by
// whom it is called.
func Text(w io.Writer, m *Map, o TextOptions) error {
	t := &texter{m: m, o: o}
	t.paragraph("", "Map of "+m.Title+": "+Counts(m))
	if m.Checked {
		t.put(nil, "Signs: %s ok   %s broken   %s blocked by another link   %s not checked", t.sign(OK), t.sign(Broken), t.sign(Blocked), t.sign(NotChecked))
	}
	for _, g := range m.Groups {
		t.put(nil, "")
		t.put([]color.Attribute{color.Bold}, "%s", g.Title)
		t.put([]color.Attribute{color.Faint}, "%s", strings.Repeat("─", runewidth.StringWidth(g.Title)))
		for i, n := range g.Nodes {
			if i > 0 {
				t.put(nil, "")
			}
			t.node(n)
		}
	}
	_, err := w.Write(t.out.Bytes())
	return err
}

type texter struct {
	m   *Map
	o   TextOptions
	out bytes.Buffer
}

func (t *texter) put(paint []color.Attribute, format string, args ...any) {
	line := fmt.Sprintf(format, args...)
	if t.o.ASCII {
		line = plainer.Replace(line)
	}
	if len(paint) > 0 {
		c := color.New(paint...)
		if t.o.Color {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		line = c.Sprint(line)
	}
	t.out.WriteString(strings.TrimRight(line, " ") + "\n")
}

var plainer = strings.NewReplacer("→", "->", "─", "-", "…", "...", "√", "+", "×", "x", "‖", "=", "·", ".")

func (t *texter) sign(s State) string {
	return map[State]string{OK: "√", Broken: "×", Blocked: "‖", NotChecked: "·", Untried: "→"}[s]
}

func paintOf(s State) []color.Attribute {
	return map[State][]color.Attribute{
		OK: {color.FgGreen}, Broken: {color.FgRed, color.Bold}, Blocked: {color.FgYellow}, NotChecked: {color.Faint},
	}[s]
}

func (t *texter) node(n *Node) {
	t.put([]color.Attribute{color.Bold}, "  %s", runewidth.Truncate(fmt.Sprintf("%-24s %s", n.Name, n.Does), textWidth-2, "…"))
	if from := names(n.In, func(l *Line) *Node { return l.From }); from != "" {
		t.paragraph("      used by ", from)
	}
	for _, line := range n.Out {
		for i, l := range line.Links {
			to := line.To.Name
			if line.From == line.To {
				to = "(in itself)"
			}
			if i > 0 && l.State == Untried && what(l) == what(line.Links[i-1]) {
				continue // two questions to one address
			}
			t.link(to, l)
		}
	}
}

// link writes one line for a link, and one more for what was seen when it does
// not work.
func (t *texter) link(to string, l Link) {
	t.put(paintOf(l.State), "    %s %s", t.sign(l.State), runewidth.Truncate(fmt.Sprintf("%-24s %-9s %s", to, l.Protocol, l.Address), textWidth-8, "…"))
	if l.Message != "" && (l.State == Broken || l.State == Blocked) {
		t.paragraph("        ", l.Message)
	}
}

// paragraph writes a text below itself, the lines after the first indented.
func (t *texter) paragraph(indent, text string) {
	lead, line := indent, indent
	blank := strings.Repeat(" ", len(indent))
	for i, word := range strings.Fields(text) {
		word = runewidth.Truncate(word, textWidth-len(indent), "…")
		if i > 0 && runewidth.StringWidth(line)+1+runewidth.StringWidth(word) > textWidth-2 {
			t.put(nil, "%s", line)
			lead, line = blank, blank
		}
		if line != lead {
			line += " "
		}
		line += word
	}
	t.put(nil, "%s", line)
}
