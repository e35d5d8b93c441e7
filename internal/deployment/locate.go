package deployment

import (
	"strconv"
	"sync"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// sources is what the deployment keeps of its files.
type sources struct {
	walker *walker
	tree   *node                   // the merged configuration
	sets   map[string][]assignment // env_file lines by service

	secrets []string
	public  []string
	hide    *hider

	scalarsOnce sync.Once
	scalars     []Scalar
}

// Locate gives the place of a node of the merged compose files by its path
// from the top: Locate("volumes", "mysql"). See Service.Locate.
func (d *Deployment) Locate(path ...string) finding.Location {
	if d.sources == nil {
		return finding.Location{}
	}
	at, _ := d.sources.tree.locate(d.written(path))
	if at.IsZero() && len(path) >= 2 && path[0] == "services" {
		if s, ok := d.services[path[1]]; ok {
			at = s.At
		}
	}
	if at.IsZero() {
		at = finding.Location{File: d.sources.walker.firstFile()}
	}
	return at
}

// written turns the position of a port in the merged list into the one of the
// entry it was written as: a range is one entry and several ports.
func (d *Deployment) written(path []string) []string {
	if len(path) < 4 || path[0] != "services" || path[2] != "ports" {
		return path
	}
	list := d.sources.tree.field("services").field(path[1]).field("ports")
	want, err := strconv.Atoi(path[3])
	if list == nil || list.kind != kindList || err != nil {
		return path
	}
	for i, it := range list.items {
		if want -= portCount(it); want < 0 {
			out := append([]string(nil), path...)
			out[3] = strconv.Itoa(i)
			return out
		}
	}
	return path[:3]
}

// tidy brings the lists of services that no second file touched into the form
// that merging gives: one entry per key.
func tidy(tree *node) *node {
	services := tree.field("services")
	if services == nil || services.kind != kindMap {
		return tree
	}
	changed := services.shallow()
	for _, name := range services.keys {
		s := services.fields[name]
		if s.kind != kindMap {
			continue
		}
		c := s.shallow()
		for _, f := range s.keys {
			c.fields[f] = tidyField(f, s.fields[f])
		}
		changed.fields[name] = c
	}
	tree = tree.shallow()
	tree.fields["services"] = changed
	return tree
}

func tidyField(name string, n *node) *node {
	switch serviceRule(name) {
	case mergeSequence:
		return unique(asList(n), itemKey)
	case uniqueTarget:
		return unique(n, targetKey)
	case uniquePort:
		return unique(n, portKey)
	case uniqueVerbatim:
		return unique(n, entryKey)
	}
	return n
}
