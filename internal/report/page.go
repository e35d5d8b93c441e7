package report

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/fatih/color"
)

// Page is a text for a terminal that is no report and looks like one: the
// same width, colours and symbols.
type Page struct{ p printer }

// NewPage gives an empty page.
func NewPage(o TextOptions) *Page { return &Page{printer{report: &Report{}, style: newStyle(o)}} }

// WriteTo writes the page.
func (g *Page) WriteTo(w io.Writer) (int64, error) { return g.p.out.WriteTo(w) }

// Title writes "error: title [id]", as a report heads a finding.
func (g *Page) Title(severity, title, id string) {
	g.p.title(&Finding{Severity: severity, Title: title, ID: id}, 1)
}

// Heading writes the name of a part of the page.
func (g *Page) Heading(text string) { g.p.line("%s", g.p.style.bold.Sprint(g.p.text(text))) }

// Say writes a paragraph; the label, where there is one, is bold.
func (g *Page) Say(label, text string) {
	if label != "" {
		label += ": "
	}
	g.p.said(margin, label, text)
}

// Verbatim writes lines to copy, as they are.
func (g *Page) Verbatim(lines ...string) {
	for _, l := range lines {
		g.p.line("%s%s", margin+margin, g.p.text(l))
	}
}

// Item writes a paragraph with an indented tail, for lists.
func (g *Page) Item(text string) { g.p.hanging(margin, margin+margin, "", nil, text) }

// Blank writes an empty line.
func (g *Page) Blank() { g.p.line("") }

// Finding writes a finding as a report does, without its source line.
func (g *Page) Finding(f Finding) { g.p.finding(&f) }

// Mark is the sign before a line of a listing.
type Mark string

// The marks.
const (
	Wrong Mark = ">" // the line to change
	Right Mark = "+" // a line that makes it right
)

// Listing writes a file with its name and the numbers of its lines. Of a long
// file it writes what is marked, what stands around it, and the headings under
// which it stands; keep names further lines to write. Lines count from 1.
func (g *Page) Listing(name string, lines []string, marks map[int]Mark, keep []int) {
	g.p.line("%s%s", margin, g.p.style.bold.Sprint(g.p.text(name)))
	shown := excerpt(lines, marks, keep)
	gap := false
	for i, line := range lines {
		n := i + 1
		if !shown[n] {
			if !gap {
				g.p.line("%s", g.p.style.faint.Sprint("        "+g.p.text("…")))
			}
			gap = true
			continue
		}
		gap = false
		g.listed(n, line, marks[n])
	}
}

func (g *Page) listed(n int, line string, mark Mark) {
	paint := map[Mark]*color.Color{Wrong: g.p.style.red, Right: g.p.style.green}[mark]
	gutter := gutter(n, mark, g.p.style.edge)
	text, _ := crop(g.p.text(Printable(line)), 0, textWidth-cells(gutter), g.p.text("…"))
	if paint == nil {
		g.p.line("%s%s", g.p.style.faint.Sprint(gutter), text)
		return
	}
	g.p.line("%s%s", paint.Sprint(gutter), paint.Sprint(text))
}

// excerpt chooses the lines of a file that are worth showing.
func excerpt(lines []string, marks map[int]Mark, keep []int) map[int]bool {
	const (
		short   = 20 // lines of a file that is shown whole
		context = 1  // lines around a mark
		opening = 12 // lines of a long file in which nothing is marked
	)
	shown := map[int]bool{}
	all := slices.Clone(keep)
	for n := range marks {
		all = append(all, n)
	}
	for n := range lines {
		shown[n+1] = len(lines) <= short || len(all) == 0 && n < opening
	}
	for _, n := range all {
		for i := n - context; i <= n+context; i++ {
			shown[i] = true
		}
		for _, i := range headings(lines, n) {
			shown[i] = true
		}
	}
	return shown
}

// headings gives the lines above line n under which it is indented, as the
// keys of a YAML file are.
func headings(lines []string, n int) []int {
	if n > len(lines) {
		return nil
	}
	var out []int
	depth := indent(lines[n-1])
	for i := n - 1; i >= 1 && depth > 0; i-- {
		if l := lines[i-1]; strings.TrimSpace(l) != "" && indent(l) < depth {
			depth = indent(l)
			out = append(out, i)
		}
	}
	return out
}

func indent(line string) int { return len(line) - len(strings.TrimLeft(line, " ")) }

// gutter gives what stands before a line of a listing.
func gutter(n int, mark Mark, edge string) string {
	if mark == "" {
		mark = " "
	}
	return fmt.Sprintf("%4s%3d %s ", mark, n, edge)
}
