package fix

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// judge says why a change must not be made, "" when all is well: its findings
// are gone, no error is new, and Compose reads everything else as before.
func (p *planner) judge(before, after *state, batch []finding.Finding, edited map[string][]finding.Edit) string {
	fixed := map[string]int{}
	for _, f := range batch {
		fixed[identity(&f)]++
	}
	for id, n := range fixed {
		if after.counts[id] > before.counts[id]-n {
			return "the change does not cure it"
		}
	}
	if why := p.worse(before, after); why != "" {
		return why
	}
	if !before.d.Accepted {
		return "" // there was nothing that Compose would have run
	}
	return p.otherwise(before.d, after.d, edited)
}

// unreadable are the problems that keep others from being seen.
var unreadable = []string{string(deployment.YAMLSyntax), string(deployment.DuplicateKey), string(deployment.EnvFileSyntax)}

// worse looks for errors that were not there before. One may come to light in
// place of one that is cured: a setting gets its right name, and its value turns
// out to be wrong as well. While Compose refuses the deployment many rules keep
// quiet; what they say once it is accepted is not the fault of the change.
func (p *planner) worse(before, after *state) string {
	if before.d.Accepted && !after.d.Accepted {
		return "Compose would refuse the deployment afterwards"
	}
	more := before.d.Accepted && errorsIn(after) > errorsIn(before)
	for i := range after.found {
		f := &after.found[i]
		if f.Severity < finding.Error || after.counts[identity(f)] <= before.counts[identity(f)] {
			continue
		}
		if more || slices.Contains(unreadable, f.ID) {
			return "it would bring another error, " + f.ID + ": " + strings.TrimSuffix(p.tidy(*f).Message, ".")
		}
	}
	return ""
}

func errorsIn(s *state) int {
	n := 0
	for i := range s.found {
		if s.found[i].Severity >= finding.Error {
			n++
		}
	}
	return n
}

// otherwise compares what Compose reads, apart from the values that come from
// the edited lines.
func (p *planner) otherwise(before, after *deployment.Deployment, edited map[string][]finding.Edit) string {
	was := p.touched(before, edited, false)
	is := p.touched(after, edited, true)
	var names []string
	for _, s := range before.Services {
		names = append(names, s.Name)
	}
	if !slices.EqualFunc(after.Services, names, func(s *deployment.Service, n string) bool { return s.Name == n }) {
		return "the services would be others afterwards"
	}
	for i, s := range before.Services {
		t := after.Services[i]
		for key := range union(s.Env, t.Env) {
			old, had := s.Env[key]
			now, has := t.Env[key]
			if had == has && old.Reveal() == now.Reveal() {
				continue
			}
			if !(had && p.passes(old, was)) && !(has && p.passes(now, is)) {
				return "it would change " + key + " of " + s.Name + " too"
			}
		}
	}
	return ""
}

func union(a, b map[string]deployment.Value) map[string]bool {
	out := map[string]bool{}
	for k := range a {
		out[k] = true
	}
	for k := range b {
		out[k] = true
	}
	return out
}

// lineOf is a line of a file.
type lineOf struct {
	file string
	line int
}

// touched gives the lines that the edits change, before or after them.
func (p *planner) touched(d *deployment.Deployment, edited map[string][]finding.Edit, after bool) map[lineOf]bool {
	out := map[lineOf]bool{}
	for name, edits := range edited {
		text, _ := p.textOf(d, name)
		shift := 0
		for _, e := range inOrder(edits) {
			from, to := e.Start, e.End
			if after {
				from += shift
				to = from + len(e.New.Reveal())
				shift += len(e.New.Reveal()) - (e.End - e.Start)
			}
			from, to = min(from, len(text)), min(to, len(text))
			first := strings.Count(text[:from], "\n") + 1
			for n := range strings.Count(text[from:to], "\n") + 1 {
				out[lineOf{name, first + n}] = true
			}
		}
	}
	return out
}

// passes reports whether a value has anything to do with the lines.
func (p *planner) passes(v deployment.Value, lines map[lineOf]bool) bool {
	return slices.ContainsFunc(v.Locations(), func(l finding.Location) bool {
		return lines[lineOf{p.names(l.File), l.Line}] || lines[lineOf{l.File, l.Line}]
	})
}

// creation allows a new file where an env file is missing and its folder is there.
func (p *planner) creation(d *deployment.Deployment, name string, edits []finding.Edit) (text, why string) {
	wanted := func(q deployment.Problem) bool {
		return q.Kind == deployment.EnvFileMissing && (q.Key == name || p.names(q.Key) == name)
	}
	if !slices.ContainsFunc(d.Problems, wanted) {
		return "", name + " is not one of the files that the configuration names"
	}
	path := filepath.Join(p.base.d.Dir, filepath.FromSlash(name))
	if _, err := os.Lstat(path); err == nil {
		return "", name + " is there, but it cannot be read"
	}
	if info, err := os.Stat(filepath.Dir(path)); err != nil || !info.IsDir() {
		return "", "the folder of " + name + " does not exist"
	}
	for _, e := range edits {
		if e.New.Reveal() != "" {
			return "", "two findings want to create " + name
		}
	}
	return "", ""
}
