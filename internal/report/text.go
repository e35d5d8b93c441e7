package report

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/fatih/color"
)

// TextOptions say what the reader's terminal can show.
type TextOptions struct {
	Color bool
	ASCII bool // the terminal knows no UTF-8: plain symbols and arrows

	Verbose bool // a line and the proof for each link that works, not only for groups of them
}

// Text writes the report for a person: what is wrong, each cause with its
// consequences, then the links, then the totals.
func Text(w io.Writer, r *Report, o TextOptions) error {
	p := &printer{report: r, style: newStyle(o), verbose: o.Verbose}
	p.header()
	p.findings()
	p.links()
	p.unknownServices()
	p.totals()
	_, err := w.Write(p.out.Bytes())
	return err
}

type printer struct {
	report *Report
	style  style
	out    bytes.Buffer

	verbose bool
}

// style holds the paint of one writer; nothing about colours is global.
type style struct {
	ascii                                         bool
	red, yellow, cyan, green, bold, faint         *color.Color
	okSymbol, brokenSymbol, uncheckedSymbol, edge string
}

func newStyle(o TextOptions) style {
	paint := func(attributes ...color.Attribute) *color.Color {
		c := color.New(attributes...)
		if o.Color {
			c.EnableColor()
		} else {
			c.DisableColor()
		}
		return c
	}
	s := style{
		ascii: o.ASCII,
		red:   paint(color.FgRed, color.Bold), yellow: paint(color.FgYellow, color.Bold), cyan: paint(color.FgCyan, color.Bold),
		green: paint(color.FgGreen), bold: paint(color.Bold), faint: paint(color.Faint),
		okSymbol: "√", brokenSymbol: "×", uncheckedSymbol: "-", edge: "│",
	}
	if o.ASCII {
		s.okSymbol, s.brokenSymbol, s.edge = "+", "x", "|"
	}
	return s
}

// severity gives the colour of a severity.
func (s style) severity(word string) *color.Color {
	switch word {
	case "error":
		return s.red
	case "warning":
		return s.yellow
	}
	return s.cyan
}

// plainer replaces what a terminal without UTF-8 would garble. The mark of a
// hidden secret stays as it is: programs look for it.
var plainer = strings.NewReplacer("→", "->", "…", "...", "–", "-", "—", "-", "─", "-", "’", "'", "“", `"`, "”", `"`)

// text gives s as this terminal can show it.
func (p *printer) text(s string) string {
	if p.style.ascii {
		return plainer.Replace(s)
	}
	return s
}

// line writes one line.
func (p *printer) line(format string, args ...any) {
	p.out.WriteString(strings.TrimRight(fmt.Sprintf(format, args...), " "))
	p.out.WriteByte('\n')
}

// paragraph writes text between a left margin and the width of the report.
// The label stands before the first line and is painted.
func (p *printer) paragraph(margin, label string, paint *color.Color, text string) {
	p.hanging(margin, margin, label, paint, text)
}

// hanging writes a paragraph whose further lines have a margin of their own.
func (p *printer) hanging(margin, rest, label string, paint *color.Color, text string) {
	first := margin + label
	for i, l := range wrap(p.text(text), first, rest, textWidth) {
		if i == 0 && label != "" {
			l = margin + paint.Sprint(label) + strings.TrimPrefix(l, first)
		}
		p.line("%s", l)
	}
}

func (p *printer) header() {
	d := p.report.Deployment
	p.paragraph("", "", nil, fmt.Sprintf("%s %s: project %s in %s", p.report.Tool.Name, p.report.Tool.Version, d.Project, d.Directory))
	read := strings.Join(d.Files, ", ")
	if n := len(d.EnvFiles); n > 0 {
		read += " and " + count(n, "env file")
	}
	if read != "" {
		p.paragraph("  ", "", nil, "read: "+read)
	}
	if d.Config != "" {
		p.paragraph("  ", "", nil, "settings: "+d.Config)
	}
	p.engine()
	p.line("")
}

// engine says who was asked what runs, and what could not be done.
func (p *printer) engine() {
	e := p.report.Engine
	text := e.Name
	if e.Containers > 0 {
		text += ": " + count(e.Containers, "container")
	}
	if e.Note != "" {
		text = strings.TrimPrefix(text+"; "+e.Note, "; ")
	}
	if text != "" {
		p.paragraph("  ", "", nil, "engine: "+text)
	}
}

// root reports whether a finding is told by itself, and not under its cause.
func (p *printer) root(f *Finding) bool {
	return f.Cause == nil || p.byPrint(*f.Cause) == nil
}

func (p *printer) byPrint(fingerprint string) *Finding {
	for i := range p.report.Findings {
		if p.report.Findings[i].Fingerprint == fingerprint {
			return &p.report.Findings[i]
		}
	}
	return nil
}

// count gives "1 error", "2 errors".
func count(n int, thing string) string {
	if n == 1 {
		return "1 " + thing
	}
	return fmt.Sprintf("%d %ss", n, thing)
}
