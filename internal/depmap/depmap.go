// Package depmap is the connection map of a deployment: its services in layers,
// from the outside world to the operation, and the lines between them. New makes
// it from plain data; a file for each format writes it.
package depmap

import (
	"cmp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// State is what became of a link.
type State string

// The states. Untried is that of a map that only shows what is configured.
const (
	Untried    State = ""
	OK         State = "ok"
	Broken     State = "broken"
	Blocked    State = "blocked"     // it needs another link that is broken
	NotChecked State = "not-checked" // nobody looked, or nobody could
)

// States lists those that a run can find, the worst last.
func States() []State { return []State{NotChecked, OK, Blocked, Broken} }

// Name is the state as a person reads it.
func (s State) Name() string {
	return map[State]string{OK: "ok", Broken: "broken", Blocked: "blocked", NotChecked: "not checked"}[s]
}

// Service is a service of the deployment, as the map needs it.
type Service struct {
	Name string
	Role kopano.Role
	Href string // where a picture leads to from its box; "" nowhere
}

// Link is a connection. All its texts are printable, on one line, and without
// secrets: the map shows them as they are.
type Link struct {
	ID       string
	From, To string // services, or what is outside
	Protocol string
	Address  string
	State    State
	Message  string // one line: what was seen
	Href     string // as in Service
}

// Map is a deployment as it is drawn.
type Map struct {
	Title   string // the project
	Checked bool   // the links were tried: states are shown
	Groups  []Group
	Lines   []*Line
}

// Group is a layer with its nodes, sorted by name.
type Group struct {
	Title string
	Nodes []*Node
}

// Node is a service, or something outside that a link leads to or from.
type Node struct {
	Service
	Does    string // a few words: "storage server"
	Outside bool   // no service of the deployment
	In, Out []*Line

	index int // in the order of the groups
}

// Line is everything that goes from one node to another.
type Line struct {
	From, To *Node
	Links    []Link // sorted by ID
	State    State  // the worst of the links
}

// New makes the map. Links between the same two nodes share a line.
func New(title string, checked bool, services []Service, links []Link) *Map {
	m := &Map{Title: title, Checked: checked}
	nodes := map[string]*Node{}
	layers := map[*Node]layer{}
	for _, s := range services {
		n := &Node{Service: s, Does: does(s.Role)}
		nodes[s.Name], layers[n] = n, layerOf(s.Role)
	}
	end := func(name string) *Node {
		if nodes[name] == nil {
			n, l := outside(name)
			nodes[name], layers[n] = n, l
		}
		return nodes[name]
	}
	lines := map[[2]*Node]*Line{}
	sorted := slices.Clone(links)
	slices.SortStableFunc(sorted, func(a, b Link) int { return cmp.Compare(a.ID, b.ID) })
	for _, l := range sorted {
		if !checked {
			l.State = Untried
		}
		from, to := end(l.From), end(engineName(l))
		line := lines[[2]*Node{from, to}]
		if line == nil {
			line = &Line{From: from, To: to, State: l.State}
			lines[[2]*Node{from, to}] = line
			m.Lines = append(m.Lines, line)
		}
		line.Links = append(line.Links, l)
		if slices.Index(States(), l.State) > slices.Index(States(), line.State) {
			line.State = l.State
		}
	}
	m.group(layers)
	m.connect()
	return m
}

// engineName tells the engine's socket from other things outside.
func engineName(l Link) string {
	if l.Protocol == string(kopano.ProtoDocker) && bare(l.To) == string(kopano.External) {
		return strings.TrimSuffix(l.To, string(kopano.External)) + engine
	}
	return l.To
}

func (m *Map) group(layers map[*Node]layer) {
	for l := layer(0); l < layerCount; l++ {
		g := Group{Title: l.title()}
		for n, other := range layers {
			if other == l {
				g.Nodes = append(g.Nodes, n)
			}
		}
		slices.SortFunc(g.Nodes, func(a, b *Node) int { return strings.Compare(a.Name, b.Name) })
		if len(g.Nodes) > 0 {
			m.Groups = append(m.Groups, g)
		}
	}
	for i, n := range m.Nodes() {
		n.index = i
	}
}

// connect sorts the lines and hangs them on their nodes.
func (m *Map) connect() {
	slices.SortFunc(m.Lines, func(a, b *Line) int {
		return cmp.Or(cmp.Compare(a.From.index, b.From.index), cmp.Compare(a.To.index, b.To.index))
	})
	for _, l := range m.Lines {
		l.From.Out = append(l.From.Out, l)
		l.To.In = append(l.To.In, l)
	}
}

// Nodes gives all nodes, from the outside in.
func (m *Map) Nodes() []*Node {
	var out []*Node
	for _, g := range m.Groups {
		out = append(out, g.Nodes...)
	}
	return out
}

// Services counts the nodes that are services of the deployment.
func (m *Map) Services() int {
	n := 0
	for _, node := range m.Nodes() {
		if !node.Outside {
			n++
		}
	}
	return n
}

// Count counts the links, those of a state; without a state, all of them.
func (m *Map) Count(states ...State) int {
	n := 0
	for _, line := range m.Lines {
		for _, l := range line.Links {
			if len(states) == 0 || slices.Contains(states, l.State) {
				n++
			}
		}
	}
	return n
}

// Focus gives the part of the map that touches one node: it, whatever it calls
// and whatever calls it. It is nil when there is no such node.
func (m *Map) Focus(name string) *Map {
	var services []Service
	var links []Link
	for _, n := range m.Nodes() {
		touches := func(l *Line) bool { return l.From.Name == name || l.To.Name == name }
		if !n.Outside && (n.Name == name || slices.ContainsFunc(n.In, touches) || slices.ContainsFunc(n.Out, touches)) {
			services = append(services, n.Service)
		}
	}
	for _, line := range m.Lines {
		if line.From.Name == name || line.To.Name == name {
			links = append(links, line.Links...)
		}
	}
	if len(services) == 0 && len(links) == 0 {
		return nil
	}
	return New(m.Title, m.Checked, services, links)
}
