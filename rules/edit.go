package rules

import (
	"slices"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// changes gives the edits of a verdict, when it has one right answer for all of
// the values that it speaks of.
func (v verdict) changes(in *Input, xs []sighting) []finding.Edit {
	var out []finding.Edit
	for _, x := range xs {
		var es []finding.Edit
		switch {
		case v.edits != nil:
			es = v.edits
		case v.rename != "":
			es = renamed(in, x, v.rename)
		case v.write != "":
			es = written(in, x, v.write)
		}
		if len(es) == 0 {
			return nil
		}
		out = together(out, es)
	}
	return out
}

// together adds edits that are not there yet.
func together(all, more []finding.Edit) []finding.Edit {
	for _, e := range more {
		if !slices.Contains(all, e) {
			all = append(all, e)
		}
	}
	return all
}

// written gives the edit that writes another value: at the entry, or where the
// ${VARIABLE} that is all of it is defined.
func written(in *Input, x sighting, text string) []finding.Edit {
	if ls := x.value.Locations(); len(ls) > 0 {
		return in.Deployment.SetValue(ls[0], x.text(), text)
	}
	return nil
}

// replacedIn gives the edit that replaces a part of a value, wherever in the
// chain of places it is written out.
func replacedIn(in *Input, x sighting, old, text string) []finding.Edit {
	for _, l := range x.value.Locations() {
		if l.Role == finding.Overridden {
			continue
		}
		if es := in.Deployment.ReplaceIn(l, old, text); es != nil {
			return es
		}
	}
	return nil
}

// settle gives the edit that gives a setting a value: in place of the one it
// has, or as a new entry of its service.
func settle(in *Input, s *deployment.Service, key, text string) []finding.Edit {
	v, ok := s.Get(key)
	if !ok {
		return in.Deployment.AddEnvironment(s.Name, key, text)
	}
	if v.Reveal() == "" {
		return nil // an empty value has no text that could be looked for
	}
	return written(in, sighting{s, v}, text)
}

// renamed gives the edits that rename a setting, in every place that sets it. A
// setting that is there under the new name as well is left to people.
func renamed(in *Input, x sighting, name string) []finding.Edit {
	if _, taken := x.service.Get(name); taken {
		return nil
	}
	var out []finding.Edit
	for _, at := range append([]finding.Location{x.value.At}, x.value.Overridden...) {
		if f, _ := envLineAt(in, at); f != nil && f.Project && referenced(in, x.value.Key) {
			return nil // ${NAME} would lose its definition
		}
		es := in.Deployment.Rename(nameAt(in, x.value.Key, at), x.value.Key, name)
		if es == nil {
			return nil
		}
		out = together(out, es)
	}
	return out
}

// nameAt gives the place of the name of an entry by the place of its value.
func nameAt(in *Input, key string, at finding.Location) finding.Location {
	if _, line := envLineAt(in, at); line != nil {
		return line.At
	}
	for _, sc := range in.Deployment.Scalars() {
		if sc.At.File == at.File && sc.At.Line == at.Line && len(sc.Path) > 0 && sc.Path[len(sc.Path)-1] == key {
			return sc.KeyAt
		}
	}
	return at
}

// deleted gives the edits that take out the entries at some places, or none
// when one of them cannot be taken out.
func deleted(in *Input, places ...finding.Location) []finding.Edit {
	var out []finding.Edit
	for _, l := range places {
		es := in.Deployment.Delete(l)
		if es == nil {
			return nil
		}
		out = together(out, es)
	}
	return out
}
