package rules

import (
	"maps"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// cures gives the edits of the loader's problems, by kind.
func cures() map[deployment.ProblemKind]func(*Input, deployment.Problem) []finding.Edit {
	return map[deployment.ProblemKind]func(*Input, deployment.Problem) []finding.Edit{
		deployment.ComposeFileSeparator: separate,
		deployment.EnvFileMissing:       createEnvFile,
		deployment.InvalidValue:         trimName,
		deployment.UnknownField:         renameField,
		deployment.UndefinedVolume:      nameVolume,
		deployment.UndefinedNetwork:     nameNetwork,
	}
}

// trimName takes the blanks around the = out of an entry of an environment list.
func trimName(in *Input, p deployment.Problem) []finding.Edit {
	name, ok := strings.CutPrefix(p.Key, "environment\x00")
	if !ok || len(p.Locations) == 0 {
		return nil
	}
	start := name + "="
	if rest, ok := strings.CutPrefix(textAt(in, p.Locations[0]), start); ok {
		start += rest[:len(rest)-len(strings.TrimLeft(rest, " "))]
	}
	return in.Deployment.ReplaceStart(p.Locations[0], start, strings.TrimRight(name, " ")+"=")
}

// separate writes COMPOSE_FILE with the separator that holds here.
func separate(in *Input, p deployment.Problem) []finding.Edit {
	if len(p.Locations) == 0 {
		return nil
	}
	return in.Deployment.SetValue(p.Locations[0], p.Key, p.Suggested)
}

// createEnvFile makes an env file that a service needs. One that was given with
// --env-file defines the variables, and an empty one would not do.
func createEnvFile(_ *Input, p deployment.Problem) []finding.Edit {
	if len(p.Locations) == 0 || p.Locations[0].File == p.Key || p.Key == "" {
		return nil
	}
	return []finding.Edit{finding.Creation(p.Key)}
}

// renameField writes the known name that a misspelt field was meant to be.
func renameField(in *Input, p deployment.Problem) []finding.Edit {
	if p.Suggested == "" || len(p.Locations) == 0 {
		return nil
	}
	// The key is the path with dots; the name is its end, and may have dots itself.
	for old := p.Key; ; {
		if es := in.Deployment.Rename(p.Locations[0], old, p.Suggested); es != nil {
			return es
		}
		_, rest, more := strings.Cut(old, ".")
		if !more {
			return nil
		}
		old = rest
	}
}

// nameVolume writes the name of a declared volume: without the slash at its
// end, or the one that was misspelt.
func nameVolume(in *Input, p deployment.Problem) []finding.Edit {
	better := strings.TrimRight(p.Key, "/")
	known := slices.Sorted(maps.Keys(in.Deployment.Model.Volumes))
	if better == p.Key {
		var ok bool
		if better, ok = nearestOf(p.Key, known); !ok || onlyDigitsDiffer(p.Key, better) {
			return nil
		}
	} else if !slices.Contains(known, better) {
		return nil
	}
	var out []finding.Edit
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) < 4 || sc.Path[0] != "services" || sc.Path[2] != "volumes" {
			continue
		}
		if len(sc.Path) == 4 && strings.HasPrefix(sc.Text, p.Key+":") {
			out = together(out, in.Deployment.ReplaceStart(sc.At, p.Key+":", better+":"))
		} else if len(sc.Path) == 5 && sc.Path[4] == "source" && sc.Text == p.Key {
			out = together(out, in.Deployment.SetValue(sc.At, p.Key, better))
		}
	}
	return out
}

// nameNetwork writes the name of a declared network that was misspelt.
func nameNetwork(in *Input, p deployment.Problem) []finding.Edit {
	better, ok := nearestOf(p.Key, slices.Sorted(maps.Keys(in.Deployment.Model.Networks)))
	if !ok || better == "default" || onlyDigitsDiffer(p.Key, better) {
		return nil
	}
	var out []finding.Edit
	for _, s := range in.Deployment.Services {
		if _, uses := s.Networks[p.Key]; !uses {
			continue
		}
		if _, both := s.Networks[better]; both {
			return nil // it is on that one already, so another was meant
		}
		for _, f := range in.Deployment.Files {
			if l, ok := in.Deployment.NameAt(f, "services", s.Name, "networks", p.Key); ok {
				out = together(out, in.Deployment.Rename(l, p.Key, better))
			}
		}
	}
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) == 4 && sc.InList && sc.Path[0] == "services" && sc.Path[2] == "networks" && sc.Text == p.Key {
			out = together(out, in.Deployment.SetValue(sc.At, p.Key, better))
		}
	}
	return out
}

// onlyDigitsDiffer keeps data1 and data2 apart: such names are not misspelt,
// and two servers on one volume destroy each other's data.
func onlyDigitsDiffer(a, b string) bool {
	letters := func(s string) string {
		return strings.Map(func(r rune) rune {
			if r >= '0' && r <= '9' {
				return -1
			}
			return r
		}, s)
	}
	return letters(a) == letters(b)
}
