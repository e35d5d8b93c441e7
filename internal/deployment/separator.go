package deployment

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/consts"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// separated gives the names in COMPOSE_FILE as they are meant. Compose takes
// what stands between two separators letter by letter: another system's
// separator, a blank or a separator too many make it look for a file that
// nobody has. Each such mistake is a problem, and the files that are meant are
// loaded, so that the rest can be looked at.
func (s *selection) separated(parts []string, separator string) []string {
	var out []string
	wrong := ""
	for _, part := range parts {
		names, how := s.meant(part, separator)
		if wrong == "" {
			wrong = how
		}
		out = append(out, names...)
	}
	if wrong == "" || len(out) == 0 {
		return parts
	}
	better := strings.Join(out, separator)
	message := fmt.Sprintf("COMPOSE_FILE %s; Compose takes what stands between two %q letter by letter.", wrong, separator)
	remedy := fmt.Sprintf("Write COMPOSE_FILE=%s", better)
	at, _ := s.scope.find(consts.ComposeFilePath)
	s.w.problems.add(Problem{Kind: ComposeFileSeparator, Severity: finding.Error, Subject: consts.ComposeFilePath, Message: message, Remedy: remedy,
		Key: at.value, Suggested: better, Locations: []finding.Location{at.at}})
	return out
}

// meant gives the names in one part of COMPOSE_FILE, and what is wrong with it.
func (s *selection) meant(part, separator string) (names []string, wrong string) {
	trimmed := strings.TrimSpace(part)
	switch {
	case trimmed == "":
		return nil, fmt.Sprintf("has a %q with no name beside it", separator)
	case s.isFile(part):
		return []string{part}, ""
	case trimmed != part && s.isFile(trimmed):
		return []string{trimmed}, "has a blank beside a name"
	}
	for _, other := range []string{";", ":", ",", " "} {
		if other == separator || !strings.Contains(trimmed, other) {
			continue
		}
		names := strings.FieldsFunc(trimmed, func(r rune) bool { return string(r) == other || r == ' ' })
		if len(names) > 0 && !slices.ContainsFunc(names, func(n string) bool { return !s.isFile(n) }) {
			return names, fmt.Sprintf("separates the files with %q, and this system wants %q", other, separator)
		}
	}
	return []string{part}, ""
}

func (s *selection) isFile(name string) bool {
	info, err := os.Stat(s.composePath(name))
	return err == nil && info.Mode().IsRegular()
}
