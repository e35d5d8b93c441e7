package deployment

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// envFileRef is a mention of an env file.
type envFileRef struct {
	path     string
	at       *node // where it is mentioned; nil for .env and --env-file
	optional bool
	format   string
}

func (r envFileRef) location() finding.Location {
	if r.at == nil {
		return finding.Location{}
	}
	return r.at.location()
}

// envFiles reads env files and keeps each once, in the order of first use.
type envFiles struct {
	w       *walker
	files   []*EnvFile
	at      map[string]int // path to index of files
	unset   []VariableUse
	refused bool // Compose refuses one of them

	plain map[string]*envReading // readings that do not depend on who reads
}

// project reads the files that define variables and adds to sc what it does
// not have yet (compose-go, dotenv/env.go and types/mapping.go, Merge).
func (e *envFiles) project(sc *scope, refs []envFileRef) {
	c := projectContext(sc.find)
	lines := map[string][]assignment{}
	var order []string
	for _, ref := range refs {
		src, u := e.w.read(ref.path)
		if u != nil {
			e.refused = e.refused || u.refused
			e.w.envUnreadable(ref, u, "")
			continue
		}
		r := readEnv(src, c)
		e.record(src, r, "")
		for _, set := range r.sets {
			if lines[set.key] == nil {
				order = append(order, set.key)
			}
			lines[set.key] = append(lines[set.key], set)
		}
	}
	for _, key := range order {
		sc.add(key, lines[key])
	}
}

// add defines a name by the last of its lines, or notes that they lose.
func (s *scope) add(key string, sets []assignment) {
	var places []finding.Location
	for i := len(sets) - 1; i >= 0; i-- {
		places = append(places, sets[i].at.As(finding.Overridden))
	}
	if d, ok := s.defs[key]; ok {
		last := sets[len(sets)-1]
		if last.bare && last.value == d.value {
			return
		}
		c := *d
		for _, p := range places {
			if !slices.Contains(c.overridden, p) && p != d.at.As(finding.Overridden) {
				c.overridden = append(c.overridden[:len(c.overridden):len(c.overridden)], p)
			}
		}
		s.defs[key] = &c
		return
	}
	last := sets[len(sets)-1]
	s.defs[key] = &definition{
		name: key, value: last.value, source: FromEnvFile, at: last.at,
		variables: last.variables, history: history(last.variables), overridden: places[1:],
	}
}

// record keeps the file and reports what Compose refuses in it.
func (e *envFiles) record(src *source, r *envReading, service string) *EnvFile {
	i, known := e.at[src.path]
	if !known {
		i = len(e.files)
		e.at[src.path] = i
		e.files = append(e.files, r.file)
		e.w.envLines(src, r)
		src.secrets = append(src.secrets, r.hidden...)
	}
	f := e.files[i]
	if service == "" {
		f.Project = true
	} else if !slices.Contains(f.Services, service) {
		f.Services = append(f.Services, service)
	}
	for _, u := range r.unset {
		u.Service = service
		e.unset = append(e.unset, u)
	}
	e.refused = e.refused || r.refused != nil
	return f
}

// sorted gives the files that define variables first.
func (e *envFiles) sorted() []*EnvFile {
	out := slices.Clone(e.files)
	slices.SortStableFunc(out, func(a, b *EnvFile) int {
		switch {
		case a.Project == b.Project:
			return 0
		case a.Project:
			return -1
		}
		return 1
	})
	return out
}

// service reads the env_file entries of a service.
func (e *envFiles) service(name string, refs []envFileRef, outer finder) []assignment {
	c := serviceContext("", outer)
	var out []assignment
	for _, ref := range refs {
		src, u := e.w.read(ref.path)
		if u != nil {
			if ref.optional && u.missing {
				continue
			}
			e.refused = e.refused || u.refused
			e.w.envUnreadable(ref, u, name)
			continue
		}
		c.format = ref.format
		r := e.reading(src, c)
		e.record(src, r, name)
		out = append(out, r.sets...)
	}
	return out
}

// reading reads a file, once for all services when its text says the same to all.
func (e *envFiles) reading(src *source, c *envContext) *envReading {
	key := c.format + "\x00" + src.path
	r, ok := e.plain[key]
	if !ok {
		r = readEnv(src, c)
		if !strings.Contains(src.text, "$") && !hasBare(r) {
			if e.plain == nil {
				e.plain = map[string]*envReading{}
			}
			e.plain[key] = r
		}
		return r
	}
	for _, set := range r.sets {
		c.above[set.key] = &definition{name: set.key, value: set.value, source: FromEnvFile, at: set.at}
	}
	return r
}

func hasBare(r *envReading) bool {
	return slices.ContainsFunc(r.file.Lines, func(l EnvLine) bool { return l.Bare })
}
