package diagnosis

import "github.com/kopano-doctor/kopano-doctor/internal/kopano"

// WithNeeds gives those of all edges that are wanted, and those that they cannot
// work without, however far away, in the order of all.
func WithNeeds(all []*kopano.Edge, wanted func(*kopano.Edge) bool) []*kopano.Edge {
	links := make([]Link, len(all))
	for i, e := range all {
		links[i].Edge = e
	}
	needs := dependencies(links)
	in := make([]bool, len(all))
	var add func(int)
	add = func(i int) {
		if in[i] {
			return
		}
		in[i] = true
		for _, d := range needs[i] {
			add(d)
		}
	}
	for i, e := range all {
		if wanted(e) {
			add(i)
		}
	}
	var out []*kopano.Edge
	for i, e := range all {
		if in[i] {
			out = append(out, e)
		}
	}
	return out
}
