package depmap

import (
	_ "embed"
	"fmt"
	"html"
	"io"
	"math"
	"slices"
	"strings"
)

// Style is what pictures look like, for a page that has one in it.
//
//go:embed map.css
var Style string

// SVG writes the map as a picture. inline leaves out what a page around it
// brings along: see Style. Nothing in it is loaded from elsewhere, and no script runs.
func SVG(w io.Writer, m *Map, inline bool) error {
	l := arrange(m)
	p := &painter{m: m, l: l, ends: map[side][]*place{}}
	p.gather()
	p.open(inline)
	p.bands()
	p.lines()
	p.boxes()
	p.say("</svg>\n")
	_, err := io.WriteString(w, p.b.String())
	return err
}

type painter struct {
	m    *Map
	l    *layout
	b    strings.Builder
	ends map[side][]*place // what lines lead to from a side of a box, from left to right
}

// side is the upper or the lower edge of a box.
type side struct {
	p     *place
	below bool
}

func (p *painter) say(format string, args ...any) { fmt.Fprintf(&p.b, format, args...) }

func (p *painter) open(inline bool) {
	id := ""
	if inline {
		id = " map-inline"
	}
	p.say(`<svg xmlns="http://www.w3.org/2000/svg" class="map%s" role="group" aria-label="%s" viewBox="0 0 %.0f %.0f" width="%.0f" height="%.0f">`+"\n",
		id, html.EscapeString("Map of "+p.m.Title+": "+Counts(p.m)), p.l.width, p.l.height, p.l.width, p.l.height)
	p.say("<title>%s</title>\n<style>\n", html.EscapeString("Map of "+p.m.Title))
	if !inline {
		p.say("%s", Style)
	}
	// Where the pointer or the keyboard is on a service, other lines step back.
	for _, n := range p.m.Nodes() {
		p.say(".map:has(.node%d:is(:hover,:focus-within)) .line:not(.end%d){opacity:.1}\n", n.index, n.index)
	}
	p.say("</style>\n<defs>\n")
	for _, s := range append(States(), Untried) {
		p.say(`<marker id="tip-%s" class="tip %s" viewBox="0 0 10 10" refX="9" refY="5" markerWidth="8" markerHeight="8" markerUnits="userSpaceOnUse" orient="auto"><path d="M0 1L10 5L0 9z"/></marker>`+"\n", class(s), class(s))
	}
	p.say("</defs>\n")
}

func class(s State) string {
	if s == Untried {
		return "untried"
	}
	return string(s)
}

// Counts says how much is on a map: "25 services, 61 links: 60 ok, 1 broken".
func Counts(m *Map) string {
	text := count(m.Services(), "service") + ", " + count(m.Count(), "link")
	if !m.Checked {
		return text
	}
	var parts []string
	for _, s := range []State{OK, Broken, Blocked, NotChecked} {
		if n := m.Count(s); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, s.Name()))
		}
	}
	if len(parts) == 0 {
		return text
	}
	return text + ": " + strings.Join(parts, ", ")
}

func count(n int, noun string) string {
	if n != 1 {
		noun += "s"
	}
	return fmt.Sprintf("%d %s", n, noun)
}

func (p *painter) bands() {
	for i, r := range p.l.labels {
		p.say(`<rect class="band band%d" x="0" y="%.0f" width="%.0f" height="%.0f"/>`+"\n", i%2, r.top, p.l.width, r.height)
		for j, line := range strings.Split(strings.Replace(r.title, " and ", " and\n", 1), "\n") {
			p.say(`<text class="layer" x="%d" y="%.0f">%s</text>`+"\n", margin, r.top+channel/2+20+float64(j)*16, html.EscapeString(line))
		}
	}
}

func top(row int) float64    { return float64(row)*(boxHeight+channel) + channel/2 }
func bottom(row int) float64 { return top(row) + boxHeight }

// gather finds out what leads to each side of each box.
func (p *painter) gather() {
	add := func(at, other *place, below bool) {
		if at.node == nil {
			return
		}
		s := side{at, below}
		if !slices.Contains(p.ends[s], other) {
			p.ends[s] = append(p.ends[s], other)
		}
	}
	for _, r := range p.l.routes {
		for i := 1; i < len(r.stops); i++ {
			a, b := r.stops[i-1], r.stops[i]
			if a != b {
				add(a, b, b.row >= a.row)
				add(b, a, a.row >= b.row)
			}
		}
	}
	for _, list := range p.ends {
		slices.SortStableFunc(list, func(a, b *place) int { return int(math.Copysign(1, a.x-b.x)) })
	}
}

// port gives the place on the edge of a box where the line to another begins.
func (p *painter) port(at, other *place, below bool) float64 {
	if at.node == nil {
		return at.x
	}
	list := p.ends[side{at, below}]
	i := slices.Index(list, other)
	width := min(at.width-28, float64(len(list)-1)*18)
	if len(list) < 2 {
		return at.x
	}
	return at.x - width/2 + width*float64(i)/float64(len(list)-1)
}

// piece is the way between two neighbouring places, and the lines that take it.
type piece struct {
	from, to *place
	lines    []*Line
}

func (c *piece) state() State { return worst(c.lines) }

// lines draws each piece of the ways once, so that the patterns of lines that
// share it do not fill each other, the broken ones above the others; then what
// the pointer reaches, and the signs.
func (p *painter) lines() {
	pieces := p.pieces()
	for _, s := range append([]State{Untried}, States()...) {
		for _, c := range pieces {
			if c.state() == s {
				p.piece(c)
			}
		}
	}
	for _, r := range p.l.routes {
		p.reach(r)
	}
}

func (p *painter) pieces() []*piece {
	var out []*piece
	known := map[[2]*place]*piece{}
	for _, r := range p.l.routes {
		for i := 1; i < len(r.stops); i++ {
			key := [2]*place{r.stops[i-1], r.stops[i]}
			if known[key] == nil {
				known[key] = &piece{from: key[0], to: key[1]}
				out = append(out, known[key])
			}
			known[key].lines = append(known[key].lines, r.line)
		}
	}
	return out
}

func (p *painter) piece(c *piece) {
	path, _, _ := p.path(c.from, c.to)
	state, tip, ends := class(c.state()), "", map[int]bool{}
	if c.to.node != nil {
		tip = fmt.Sprintf(` marker-end="url(#tip-%s)"`, state)
	}
	p.say(`<path class="stroke line %s`, state)
	for _, l := range c.lines {
		for _, n := range []*Node{l.From, l.To} {
			if !ends[n.index] {
				ends[n.index] = true
				p.say(" end%d", n.index)
			}
		}
	}
	p.say(`" d="%s"%s/>`+"\n", path, tip)
}

// reach draws what the pointer finds of a line, and its sign, on the piece that
// it has for itself.
func (p *painter) reach(r route) {
	l, own := r.line, 1
	if !mergesAtEnd(l) {
		own = len(r.stops) - 1
	}
	var whole strings.Builder
	var x, y float64
	for i := 1; i < len(r.stops); i++ {
		path, midX, midY := p.path(r.stops[i-1], r.stops[i])
		whole.WriteString(path)
		if i == own {
			x, y = midX, midY
		}
	}
	p.say(`<g class="line %s end%d end%d">`, class(l.State), l.From.index, l.To.index)
	href := l.href()
	if href != "" {
		p.say(`<a href="%s" tabindex="-1">`, html.EscapeString(href))
	}
	p.say(`<title>%s</title><path class="reach" d="%s"/>`, html.EscapeString(lineTitle(l)), whole.String())
	switch l.State {
	case Broken:
		p.say(`<g class="sign"><circle cx="%.1f" cy="%.1f" r="8"/><path d="M%.1f %.1fl6 6m0-6l-6 6"/></g>`, x, y, x-3, y-3)
	case Blocked:
		p.say(`<g class="sign"><circle cx="%.1f" cy="%.1f" r="7"/><path d="M%.1f %.1fh6"/></g>`, x, y, x-3, y)
	}
	if href != "" {
		p.say("</a>")
	}
	p.say("</g>\n")
}

// href leads to the link that gives the line its state.
func (l *Line) href() string {
	for _, k := range l.Links {
		if k.State == l.State {
			return k.Href
		}
	}
	return ""
}

// lineTitle says all there is to say of a line.
func lineTitle(l *Line) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s → %s", l.From.Name, l.To.Name)
	for _, k := range l.Links {
		b.WriteString("\n" + what(k))
		if k.State != Untried {
			b.WriteString(": " + k.State.Name())
		}
		if k.Message != "" {
			b.WriteString(", " + k.Message)
		}
	}
	return b.String()
}

// what names a link by its protocol and address.
func what(l Link) string { return strings.TrimSpace(l.Protocol + " " + l.Address) }

// path gives the curve of a piece, and its middle.
func (p *painter) path(a, b *place) (path string, x, y float64) {
	switch {
	case a == b: // something within one container
		x, y = a.x+a.width/2, top(a.row)+boxHeight/2
		return fmt.Sprintf("M%.1f %.1fc26 -8 26 20 2 18", x, y-8), x + 19, y + 2
	case a.row == b.row:
		from, to, base := p.port(a, b, true), p.port(b, a, true), bottom(a.row)
		deep := min(float64(channel)*.6, 20+math.Abs(to-from)/12)
		return fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", from, base, from, base+deep, to, base+deep, to, base+1),
			(from + to) / 2, base + deep*.75
	}
	down := b.row > a.row
	x1, x2 := p.port(a, b, down), p.port(b, a, !down)
	y1, y2, far, step := bottom(a.row), top(b.row), bottom(b.row), 1.0
	if !down {
		y1, y2, far, step = top(a.row), bottom(b.row), top(b.row), -1
	}
	bend := step * channel * .55
	path = fmt.Sprintf("M%.1f %.1fC%.1f %.1f %.1f %.1f %.1f %.1f", x1, y1, x1, y1+bend, x2, y2-bend, x2, y2)
	if b.node == nil {
		path += fmt.Sprintf("V%.1f", far)
	}
	return path, (x1 + x2) / 2, (y1 + y2) / 2
}

func (p *painter) boxes() {
	for _, row := range p.l.rows {
		for _, at := range row {
			if at.node != nil {
				p.box(at)
			}
		}
	}
}

func (p *painter) box(at *place) {
	n := at.node
	kind, x, y := "inside", at.x-at.width/2, top(at.row)
	if n.Outside {
		kind = "outside"
	}
	if worst := worst(n.Out); worst == Broken || worst == Blocked {
		kind += " " + class(worst)
	}
	p.say(`<g class="node node%d %s">`, n.index, kind)
	if n.Href != "" {
		p.say(`<a href="%s">`, html.EscapeString(n.Href))
	}
	p.say(`<title>%s</title><rect class="box" x="%.1f" y="%.1f" width="%.1f" height="%d" rx="8"/>`, html.EscapeString(nodeTitle(n)), x, y, at.width, boxHeight)
	p.say(`<text class="name" x="%.1f" y="%.1f">%s</text><text class="does" x="%.1f" y="%.1f">%s</text>`,
		at.x, y+21, html.EscapeString(shortName(n.Name)), at.x, y+37, html.EscapeString(shortName(n.Does)))
	if n.Href != "" {
		p.say("</a>")
	}
	p.say("</g>\n")
}

func worst(lines []*Line) State {
	out := Untried
	for _, l := range lines {
		if slices.Index(States(), l.State) > slices.Index(States(), out) {
			out = l.State
		}
	}
	return out
}

func nodeTitle(n *Node) string {
	text := n.Name + ": " + n.Does
	if names := names(n.Out, func(l *Line) *Node { return l.To }); names != "" {
		text += "\nuses " + names
	}
	if names := names(n.In, func(l *Line) *Node { return l.From }); names != "" {
		text += "\nused by " + names
	}
	return text
}

// names lists the other ends of lines.
func names(lines []*Line, end func(*Line) *Node) string {
	var out []string
	for _, l := range lines {
		if l.From != l.To {
			out = append(out, end(l).Name)
		}
	}
	return strings.Join(out, ", ")
}
