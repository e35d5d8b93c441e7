package depmap

import (
	"cmp"
	"slices"

	"github.com/mattn/go-runewidth"
)

// Measures of the picture, in pixels.
const (
	boxHeight  = 48
	boxGap     = 26  // between two boxes of a row
	laneWidth  = 12  // what a line takes where it passes a row
	gutter     = 132 // for the names of the layers
	margin     = 20
	channel    = 66   // between two rows of boxes: the lines turn here
	maxRow     = 1240 // boxes that would not fit beside each other get one more row
	nameChar   = 8.8  // one character of a box's name, and of the words below it;
	doesChar   = 6.9  // measured on the widest of the usual fonts
	maxName    = 31   // characters, what is longer is cut
	sweeps     = 16
	maxOrdered = 4000 // pieces of lines up to which their crossings are made fewer
)

// place is a box, or the lane on which lines pass a row.
type place struct {
	node     *Node // nil for a lane
	row      int
	x, width float64 // x is the middle
	up, down []*place
}

// layout is where everything stands.
type layout struct {
	rows   [][]*place
	of     map[*Node]*place
	labels []rowLabel
	routes []route
	width  float64
	height float64
}

type rowLabel struct {
	title       string
	top, height float64
}

// route is a line and the places that it passes, both ends among them.
type route struct {
	line  *Line
	stops []*place
}

// arrange gives everything its place. The rows are given by the layers, so what
// is left to do is what Sugiyama's method does for each row: its order, by the
// mean of the neighbours, and then the places, as near to these as the order
// allows. Lines from or to a service that has many share their way through the
// rows between.
func arrange(m *Map) *layout {
	l := &layout{of: map[*Node]*place{}}
	l.addRows(m)
	lanes := map[lane]*place{}
	for _, line := range m.Lines {
		l.addRoute(line, lanes)
	}
	l.order()
	l.settle()
	return l
}

func (l *layout) addRows(m *Map) {
	for _, g := range m.Groups {
		label := rowLabel{title: g.Title, top: l.height}
		for _, part := range split(g.Nodes) {
			var row []*place
			for _, n := range part {
				p := &place{node: n, row: len(l.rows), width: boxWidth(n)}
				l.of[n] = p
				row = append(row, p)
			}
			l.rows = append(l.rows, row)
			l.height += boxHeight + channel
		}
		label.height = l.height - label.top
		l.labels = append(l.labels, label)
	}
}

// split cuts the nodes of a layer into rows of about the same length.
func split(nodes []*Node) [][]*Node {
	total := 0.0
	for _, n := range nodes {
		total += boxWidth(n) + boxGap
	}
	rows := int(total/maxRow) + 1
	per := (len(nodes) + rows - 1) / rows
	return slices.Collect(slices.Chunk(nodes, per))
}

func boxWidth(n *Node) float64 {
	name := float64(runewidth.StringWidth(shortName(n.Name))) * nameChar
	does := float64(runewidth.StringWidth(shortName(n.Does))) * doesChar
	return max(96, name+26, does+20)
}

func shortName(s string) string { return runewidth.Truncate(s, maxName, "…") }

// addRoute leads a line through the rows between its ends.
func (l *layout) addRoute(line *Line, lanes map[lane]*place) {
	from, to := l.of[line.From], l.of[line.To]
	r := route{line: line, stops: []*place{from}}
	step := cmp.Compare(to.row, from.row)
	for row := from.row + step; step != 0 && row != to.row; row += step {
		key := laneOf(line, row, step)
		if lanes[key] == nil {
			lanes[key] = &place{row: row, width: laneWidth}
			l.rows[row] = append(l.rows[row], lanes[key])
		}
		r.stops = append(r.stops, lanes[key])
	}
	r.stops = append(r.stops, to)
	l.routes = append(l.routes, r)
	for i := 1; i < len(r.stops); i++ {
		a, b := r.stops[i-1], r.stops[i]
		if a.row > b.row {
			a, b = b, a
		}
		if a.row != b.row && !slices.Contains(a.down, b) {
			a.down, b.up = append(a.down, b), append(b.up, a)
		}
	}
}

// lane names the way of lines through a row: those to one node, or from it.
type lane struct {
	end       *Node
	in        bool
	row, step int
}

// laneOf gives the lane of a line: that of the end with more lines.
func laneOf(line *Line, row, step int) lane {
	if mergesAtEnd(line) {
		return lane{line.To, true, row, step}
	}
	return lane{line.From, false, row, step}
}

// mergesAtEnd reports whether a line shares its way with others to the same
// end, rather than with others from the same start.
func mergesAtEnd(line *Line) bool { return len(line.To.In) >= len(line.From.Out) }

// order sorts the rows so that few lines cross.
func (l *layout) order() {
	pieces := 0
	for _, row := range l.rows {
		for _, p := range row {
			pieces += len(p.down)
		}
	}
	if pieces > maxOrdered {
		return
	}
	best, fewest := l.snapshot(), l.crossings()
	for i := range sweeps {
		for k := range l.rows {
			row, near := l.rows[k], func(p *place) []*place { return p.up }
			if i%2 == 1 {
				row, near = l.rows[len(l.rows)-1-k], func(p *place) []*place { return p.down }
			}
			l.number()
			slices.SortStableFunc(row, func(a, b *place) int { return cmp.Compare(mean(a, near(a)), mean(b, near(b))) })
		}
		if n := l.crossings(); n < fewest {
			best, fewest = l.snapshot(), n
		}
	}
	l.rows = best
}

func (l *layout) snapshot() [][]*place {
	out := make([][]*place, len(l.rows))
	for i, row := range l.rows {
		out[i] = slices.Clone(row)
	}
	return out
}

// number makes x the position in the row, between 0 and 1, so that rows of
// different length compare.
func (l *layout) number() {
	for _, row := range l.rows {
		for i, p := range row {
			p.x = (float64(i) + 0.5) / float64(len(row))
		}
	}
}

func mean(p *place, near []*place) float64 {
	if len(near) == 0 {
		return p.x
	}
	sum := 0.0
	for _, n := range near {
		sum += n.x
	}
	return sum / float64(len(near))
}

func (l *layout) crossings() int {
	l.number()
	n := 0
	for _, row := range l.rows {
		type piece struct{ a, b float64 }
		var pieces []piece
		for _, p := range row {
			for _, d := range p.down {
				pieces = append(pieces, piece{p.x, d.x})
			}
		}
		for i, p := range pieces {
			for _, q := range pieces[i+1:] {
				if (p.a-q.a)*(p.b-q.b) < 0 {
					n++
				}
			}
		}
	}
	return n
}

// settle turns the order into places.
func (l *layout) settle() {
	for _, row := range l.rows {
		x := 0.0
		for i, p := range row {
			if i > 0 {
				x += apart(row[i-1], p)
			}
			p.x = x
		}
		for _, p := range row { // rows are centred on each other
			p.x -= x / 2
		}
	}
	for i := range sweeps {
		for k := range l.rows {
			row := l.rows[k]
			if i%2 == 1 {
				row = l.rows[len(l.rows)-1-k]
			}
			pull(row)
		}
	}
	left, right := 0.0, 0.0
	for _, row := range l.rows {
		left = min(left, row[0].x-row[0].width/2)
		right = max(right, row[len(row)-1].x+row[len(row)-1].width/2)
	}
	for _, row := range l.rows {
		for _, p := range row {
			p.x += gutter + margin - left
		}
	}
	l.width = gutter + 2*margin + right - left
}

// apart is how far the middles of two neighbours of a row must be from each other.
func apart(a, b *place) float64 {
	gap := float64(boxGap)
	if a.node == nil || b.node == nil {
		gap = 10
	}
	return a.width/2 + gap + b.width/2
}

// pull moves the places of a row as near to their neighbours as its order
// allows: the least squares under that condition, which neighbours that would
// overlap reach by moving as one block.
func pull(row []*place) {
	type block struct {
		first, count int
		weight, sum  float64
	}
	offset := make([]float64, len(row))
	var blocks []block
	for i, p := range row {
		if i > 0 {
			offset[i] = offset[i-1] + apart(row[i-1], p)
		}
		weight := 1.0
		if p.node == nil {
			weight = 3 // a straight lane pleases more than a centred box
		}
		want := mean(p, slices.Concat(p.up, p.down))
		want = (want*4 + p.x) / 5 // slowly, so that the picture does not swing
		blocks = append(blocks, block{i, 1, weight, weight * (want - offset[i])})
		for n := len(blocks); n > 1 && blocks[n-2].sum/blocks[n-2].weight >= blocks[n-1].sum/blocks[n-1].weight; n = len(blocks) {
			blocks[n-2].count += blocks[n-1].count
			blocks[n-2].weight += blocks[n-1].weight
			blocks[n-2].sum += blocks[n-1].sum
			blocks = blocks[:n-1]
		}
	}
	for _, b := range blocks {
		for i := b.first; i < b.first+b.count; i++ {
			row[i].x = b.sum/b.weight + offset[i]
		}
	}
}
