package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// projectRules are about the project as a whole: its name, the names of its
// images, and what Compose has better ways for today.
func projectRules() []Rule {
	return []Rule{
		{
			ID: "project-name-missing", Subject: "compose", Severity: finding.Warning,
			Title: "COMPOSE_PROJECT_NAME is not set",
			Why: "Every volume and container begins with the project's name. Where nothing gives it, Compose 2 takes the folder's name, so that a moved or renamed folder starts with empty volumes; " +
				"Compose 1 puts nothing in place of ${COMPOSE_PROJECT_NAME}, and Docker refuses a container called _server. setup.sh writes kopano.",
			Source: "compose-go cli/options.go; kopano-docker setup.sh",
			Check:  projectName,
		},
		{
			ID: "image-name-invalid", Subject: "compose", Severity: finding.Error,
			Title:  "The name of an image cannot be read",
			Why:    "Compose does not look at it, and Docker then refuses it as an invalid reference format. Mostly a variable for the release or the registry is empty.",
			Source: "distribution/reference grammar",
			Check:  imageName,
		},
		{
			ID: "compose-links-legacy", Subject: "compose", Severity: finding.Info,
			Title:  "links, external_links or volumes_from is in use",
			Why:    "They come from the time before networks and named volumes. Services on one network find each other by name without links, and links join no network.",
			Source: "Docker documentation, legacy container links",
			Check:  legacyLinks,
		},
	}
}

func projectName(in *Input) []finding.Finding {
	const name = "COMPOSE_PROJECT_NAME"
	i := slices.IndexFunc(in.Deployment.EnvFiles, func(f *deployment.EnvFile) bool { return f.Project })
	used := mentionOf(in, name)
	if in.Deployment.Named || len(used) == 0 || i < 0 {
		return nil
	}
	return []finding.Finding{{
		Subject: name, Key: name,
		Message:     name + " is not set, so Compose calls the project " + in.Deployment.Project + ", after its folder.",
		Consequence: "Volumes and containers begin with that name: when the folder is moved, or another name is given once, Compose starts with new, empty volumes, and all mail seems to be gone.",
		Remedy:      "Write " + name + "=" + in.Deployment.Project + " in .env, the name that the volumes have now (docker volume ls); for a new deployment kopano.",
		Locations:   append([]finding.Location{{File: in.Deployment.EnvFiles[i].File, Role: finding.Fix}}, used...),
	}}
}

// imageReference is what Docker takes for the name of an image: host and port,
// a path in small letters, tag and digest (distribution/reference, regexp.go).
var imageReference = regexp.MustCompile(`^(?:[A-Za-z0-9.-]+(?::[0-9]+)?/|\[[0-9a-fA-F:]+\](?::[0-9]+)?/)?` +
	`[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*` +
	`(?::[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(?:@[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,})?$`)

func imageName(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		hole := slices.ContainsFunc(in.Deployment.Unset, func(u deployment.VariableUse) bool { return u.Service == s.Name && u.Key == "image" })
		// Of a variable that nobody defines other rules speak, ${NAME:?message} among them.
		hole = hole || strings.Contains(textAt(in, s.Locate("image")), "?")
		if s.Image == "" || hole || strings.Contains(s.Image, "${") || imageReference.MatchString(s.Image) {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "image", Links: linksTo(in, s),
			Message:     "The image of " + s.Name + " is " + quote(s.Image) + ": " + imageFault(s.Image) + ".",
			Consequence: "Docker refuses the name (\"invalid reference format\"), and " + s.Name + " is not started.",
			Remedy:      "Write image: REGISTRY/NAME:TAG, in small letters and without blanks.",
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
		}
		if l := guiltyOf(in, s); l != nil {
			f.Remedy = "Correct " + l.Key + " in line " + itoa(l.At.Line) + " of " + l.At.File + "."
			if l.Reveal() == "" {
				f.Remedy = "Give " + l.Key + " a value in line " + itoa(l.At.Line) + " of " + l.At.File + "."
			}
			f.Locations = []finding.Location{l.At.As(finding.Fix), s.Locate("image").As(finding.Origin)}
		}
		out = append(out, f)
	}
	return byPlace(out, "image")
}

// byPlace makes one finding of those that are cured at one place.
func byPlace(fs []finding.Finding, subject string) []finding.Finding {
	var order []string
	groups := map[string][]finding.Finding{}
	for _, f := range fs {
		at := f.Locations[0].String()
		if groups[at] == nil {
			order = append(order, at)
		}
		groups[at] = append(groups[at], f)
	}
	var out []finding.Finding
	for _, at := range order {
		out = append(out, merged(groups[at], subject)...)
	}
	return out
}

// imageFault says what is wrong with the name of an image.
func imageFault(image string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	switch {
	case strings.ContainsAny(image, " \t"):
		return "there is a blank in it"
	case strings.ContainsAny(image, "\"'"):
		return "there is a quote in it"
	case strings.Contains(image, "://"):
		return "there is a scheme in it"
	case strings.HasSuffix(image, ":"):
		return "the tag behind the colon is missing"
	case strings.HasPrefix(image, "/") || strings.Contains(image, "//"):
		return "a part before a slash is missing"
	case strings.ToLower(name) != name:
		return "there are capital letters in it"
	}
	return "it has characters that are not allowed there"
}

// guiltyOf gives the variable that spoils the name of a service's image: it is
// empty, or has something in it that no name has.
func guiltyOf(in *Input, s *deployment.Service) *deployment.EnvLine {
	// The text at the place, since a service may have its image from an anchor.
	for _, m := range variableName.FindAllStringSubmatch(textAt(in, s.Locate("image")), -1) {
		if l := definition(in, m[1]); l != nil && (l.Reveal() == "" || strings.ContainsAny(l.Reveal(), "\"' \t") || strings.Contains(l.Reveal(), "://")) {
			return l
		}
	}
	return nil
}

// writtenBy gives the line of an env file whose variable, at a place, makes the
// given value; nil when the value stands at the place itself.
func writtenBy(in *Input, at finding.Location, value string) *deployment.EnvLine {
	for _, m := range variableName.FindAllStringSubmatch(textAt(in, at), -1) {
		if l := definition(in, m[1]); l != nil && l.Reveal() == value {
			return l
		}
	}
	return nil
}

func legacyLinks(in *Input) []finding.Finding {
	fields := []string{"links", "external_links", "volumes_from"}
	var places []finding.Location
	var used, services []string
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) < 4 || sc.Path[0] != "services" || !slices.Contains(fields, sc.Path[2]) {
			continue
		}
		role := finding.Related
		if len(places) == 0 {
			role = finding.Fix
		}
		places = append(places, sc.At.As(role))
		if !slices.Contains(used, sc.Path[2]) {
			used = append(used, sc.Path[2])
		}
		if !slices.Contains(services, sc.Path[1]) {
			services = append(services, sc.Path[1])
		}
	}
	if len(places) == 0 {
		return nil
	}
	verb := " use "
	if len(services) == 1 {
		verb = " uses "
	}
	return []finding.Finding{{
		Subject: places[0].File, Key: "links",
		Message:     list(services, 6) + verb + list(used, 3) + ", which Compose keeps for old files only.",
		Consequence: "Nothing today; the administrator who changes the networks relies on something that joins none.",
		Remedy:      "Put the services on one network and call them by name; for volumes_from mount the volume in both.",
		Locations:   places,
	}}
}
