package rules

import (
	"slices"
	"strings"
	"unicode"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// dollarRules are about dollar signs of compose files that are meant for
// somebody else than Compose.
func dollarRules() []Rule {
	return []Rule{
		{
			ID: "dollar-not-doubled", Fixable: true, Subject: "compose", Severity: finding.Error,
			Title: "A dollar sign in a compose file is taken for a variable",
			Why: "Compose replaces $NAME and ${NAME} in the whole file, passwords and commands included, before anything else sees them. " +
				"A dollar sign that belongs to a password, or a variable that a shell in the container is to replace, is written with two: $$NAME.",
			Source: "Compose specification, interpolation; compose-go template/template.go",
			Check:  dollarNotDoubled,
		},
	}
}

func dollarNotDoubled(in *Input) []finding.Finding {
	var out []finding.Finding
	texts := map[finding.Location][]finding.Location{} // of the compose files, by line
	for _, sc := range in.Deployment.Scalars() {
		line := finding.Location{File: sc.At.File, Line: sc.At.Line}
		texts[line] = append(texts[line], sc.At)
	}
	for _, u := range in.Deployment.Unset {
		why := meantElsewhere(in, u)
		if why == notMeantElsewhere {
			continue
		}
		f := finding.Finding{
			Subject: u.Service, Key: u.Key, // what follows the dollar sign may be a part of a password
			Message:     u.Key + " has a dollar sign in its value, and Compose takes what follows for a variable that nobody defines.",
			Consequence: "The containers get the value with a part missing; a password is then wrong.",
			Remedy:      "Write two dollar signs: $$",
			Locations:   []finding.Location{u.At.As(finding.Fix)},
			Edits:       doubled(in, u.Name, texts[finding.Location{File: u.At.File, Line: u.At.Line}]),
		}
		if why == meantForShell {
			what, _, _ := strings.Cut(u.Key, ".")
			f.Message = what + " of " + u.Service + " uses " + u.Name + ", which is set inside of the container, but Compose replaces it beforehand, by nothing."
			f.Consequence = "The command runs with an empty text in its place."
			f.Remedy = "Write $$" + u.Name + ", so that Compose leaves it to the container."
		}
		out = append(out, f)
	}
	return out
}

type meant int

const (
	notMeantElsewhere meant = iota
	meantAsText             // the dollar sign belongs to a password
	meantForShell           // the container's shell is to replace it
)

// meantElsewhere says for whom a variable that nothing defines is, when it is
// not for Compose.
func meantElsewhere(in *Input, u deployment.VariableUse) meant {
	s, ok := in.Deployment.Service(u.Service)
	if !ok {
		return notMeantElsewhere
	}
	part, _, _ := strings.Cut(u.Key, ".")
	if slices.Contains([]string{"command", "entrypoint", "healthcheck"}, part) {
		if _, set := s.Get(u.Name); set {
			return meantForShell
		}
		return notMeantElsewhere
	}
	v, ok := s.Get(u.Key)
	if !ok || !secret.IsName(u.Key) || v.Source == deployment.FromEnvFile || !strings.HasPrefix(textAt(in, u.At), "$"+u.Name) {
		return notMeantElsewhere
	}
	// $MYSQL_PASSWORD as the whole value is a variable; pa$word is not.
	small := strings.ContainsFunc(u.Name, unicode.IsLower)
	if v.Reveal() != "" || small && len(v.Variables) == 1 && v.Variables[0].Whole {
		return meantAsText
	}
	return notMeantElsewhere
}

// doubled gives the edit that writes $$ in place of the $ of one variable, which
// stands in one of the texts at the places.
func doubled(in *Input, name string, places []finding.Location) []finding.Edit {
	for _, at := range places {
		for _, form := range []string{"$" + name, "${" + name + "}"} {
			if es := in.Deployment.ReplaceIn(at, form, "$"+form); es != nil {
				return es
			}
		}
	}
	return nil
}
