package rules

import (
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// yamlRules look at the compose files as they are written, before Compose makes
// values of the text.
func yamlRules() []Rule {
	return []Rule{
		{
			ID: "compose-version-obsolete", Fixable: true, Subject: "compose", Severity: finding.Info,
			Title:  "The attribute version has no meaning any more",
			Why:    "Compose 2 ignores it and warns about it at every call (compose-go, loader).",
			Source: "compose-go loader/loader.go",
			Since:  "Docker Compose 2",
			Check:  obsoleteVersion,
		},
		{
			ID: "compose-override-not-loaded", Subject: "compose", Severity: finding.Warning,
			Title:  "docker-compose.override.yml is not loaded",
			Why:    "Compose loads it by itself only as long as nothing names the files. COMPOSE_FILE, which setup.sh writes, names them all, and must name the override too.",
			Source: "Compose specification, multiple files; kopano-docker setup.sh",
			Check:  overrideNotLoaded,
		},
		{
			ID: "compose-files-not-loaded", Subject: "compose", Severity: finding.Warning,
			Title:  "COMPOSE_FILE is not set, and most of the deployment is not loaded",
			Why:    "Since kopano-docker was split up in 2020, the published ports, the database, the directory and the mail server have files of their own, which COMPOSE_FILE in .env must name. An .env from before has no such line.",
			Source: "kopano-docker setup.sh; kopano-docker issues 171 and 182",
			Since:  "kopano-docker of 2020",
			Check:  filesNotLoaded,
		},
		{
			ID: "environment-value-changes", Fixable: true, Subject: "compose", Severity: finding.Warning,
			Title:  "YAML makes another text of an unquoted value",
			Why:    "In the mapping form of environment an unquoted 0123, 1e3, 1.10 or 2020-01-02 is a number or a date to YAML; Compose writes it back in another form (83, 1000, 1.1).",
			Source: "YAML 1.2 core schema, as compose-go reads it",
			Check:  valueChanges,
		},
		{
			ID: "environment-boolean", Fixable: true, Subject: "compose", Severity: finding.Info,
			Title:  "An unquoted yes, no, true or false in a mapping",
			Why:    "Compose 1 refuses such a value (\"contains true, which is an invalid type\"); Compose 2 takes it as text. In quotes both understand it.",
			Source: "docker-compose 1.29 config schema",
			Check:  booleans,
		},
		{
			ID: "port-base-sixty", Fixable: true, Subject: "compose", Severity: finding.Info,
			Title:  "An unquoted port mapping that old YAML reads as one number",
			Why:    "YAML 1.1, which Compose 1 reads, takes 25:25 without quotes for a number to the base of sixty (1525). Compose 2 does not.",
			Source: "YAML 1.1 integer type; docker/compose issue 3109",
			Check:  baseSixty,
		},
		{
			ID: "port-variable-empty", Subject: "compose", Severity: finding.Error,
			Title:  "The port of the host is missing in a port mapping",
			Why:    "With an empty variable ${HTTP}:80 becomes :80. Compose 1 refuses that; Compose 2 lets Docker choose any free port, a new one at each start.",
			Source: "Compose specification, ports",
			Check:  portEmpty,
		},
	}
}

func obsoleteVersion(in *Input) []finding.Finding {
	var places []finding.Location
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) == 1 && sc.Path[0] == "version" {
			role := finding.Related
			if len(places) == 0 {
				role = finding.Fix
			}
			places = append(places, sc.KeyAt.As(role))
		}
	}
	if len(places) == 0 {
		return nil
	}
	return []finding.Finding{{
		Subject: places[0].File, Key: "version",
		Message:     counted(len(places), "file has", "files have") + " the attribute version, which Compose ignores.",
		Consequence: "Nothing; whoever runs Compose sees its warning at every call.",
		Remedy:      "Delete the line.",
		Locations:   places,
		Edits:       deleted(in, places...),
	}}
}

func overrideNotLoaded(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, name := range in.Deployment.NotLoaded {
		f := finding.Finding{
			Subject: name, Key: name,
			Message:     name + " lies in the folder, but COMPOSE_FILE does not name it.",
			Consequence: "Nothing that is written in it has any effect.",
			Remedy:      "Append it to COMPOSE_FILE in .env; if it is a left-over, delete it.",
			Locations:   []finding.Location{{File: name, Role: finding.Fix}},
		}
		if l := definition(in, "COMPOSE_FILE"); l != nil {
			f.Remedy = "Write COMPOSE_FILE=" + l.String() + ":" + name + "; if the file is a left-over, delete it."
			f.Locations = []finding.Location{l.ValueAt.As(finding.Fix), {File: name, Role: finding.Related}}
		}
		out = append(out, f)
	}
	return out
}

// splitFiles are the parts of kopano-docker, and what is in them.
var splitFiles = []struct{ name, what string }{
	{"docker-compose.ports.yml", "the published ports"}, {"docker-compose.db.yml", "the database"},
	{"docker-compose.ldap.yml", "the directory"}, {"docker-compose.mail.yml", "the mail server"},
}

func filesNotLoaded(in *Input) []finding.Finding {
	if len(in.Deployment.Files) == 0 {
		return nil
	}
	all := slices.Clone(in.Deployment.Files)
	var places []finding.Location
	var lost []string
	for _, f := range splitFiles {
		if slices.Contains(in.Deployment.FilesLeft, f.name) {
			all = append(all, f.name)
			lost = append(lost, f.what)
			places = append(places, finding.Location{File: f.name, Role: finding.Related})
		}
	}
	if len(lost) < 2 {
		return nil // one file more may be for a rare occasion
	}
	first := finding.Location{File: in.Deployment.Files[0], Role: finding.Fix}
	for _, f := range in.Deployment.EnvFiles {
		if f.Project {
			first.File = f.File
		}
	}
	return []finding.Finding{{
		Subject: "COMPOSE_FILE", Key: "COMPOSE_FILE",
		Message:     "COMPOSE_FILE is not set, so Compose loads " + list(in.Deployment.Files, 3) + " and leaves out " + list(lost, 4) + ".",
		Consequence: "The containers run, but nothing answers from outside, or what they need is not there.",
		Remedy:      "Write COMPOSE_FILE=" + strings.Join(all, ":") + " in .env, without the parts that you have elsewhere.",
		Locations:   append([]finding.Location{first}, places...),
	}}
}

// inEnvironmentMapping reports whether a scalar is a value of services.NAME.environment in mapping form.
func inEnvironmentMapping(sc deployment.Scalar) bool {
	return len(sc.Path) == 4 && sc.Path[0] == "services" && sc.Path[2] == "environment" && !sc.InList
}

// effective gives the environment value that a scalar makes, when it is the one that counts.
func effective(in *Input, sc deployment.Scalar) (deployment.Value, bool) {
	s, ok := in.Deployment.Service(sc.Path[1])
	if !ok {
		return deployment.Value{}, false
	}
	v, ok := s.Get(sc.Path[3])
	return v, ok && v.At.File == sc.At.File && v.At.Line == sc.At.Line
}

func valueChanges(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, sc := range in.Deployment.Scalars() {
		if !inEnvironmentMapping(sc) || !sc.Plain || sc.Tag == "!!str" || sc.Tag == "!!null" || strings.Contains(sc.Text, "$") {
			continue
		}
		v, ok := effective(in, sc)
		if !ok || v.Reveal() == sc.Text || v.Source != deployment.FromEnvironment {
			continue
		}
		key := sc.Path[3]
		message := key + " is written as " + quote(sc.Text) + ", but the container gets " + quote(v.String()) + "."
		remedy := "Put the value in quotes: " + key + ": " + quote(sc.Text)
		if v.IsSecret() {
			remedy = "Put the value in quotes."
			message = "The value of " + key + " is not in quotes, and the container gets another one than is written."
		}
		out = append(out, finding.Finding{
			Subject: sc.Path[1], Key: key,
			Message:     message,
			Consequence: "The program works with a value that nobody wrote.",
			Remedy:      remedy,
			Locations:   []finding.Location{sc.At.As(finding.Fix)},
			Edits:       in.Deployment.Quote(sc.At),
		})
	}
	return out
}

func booleans(in *Input) []finding.Finding {
	words := []string{"yes", "no", "true", "false", "on", "off"}
	var fs []finding.Finding
	for _, sc := range in.Deployment.Scalars() {
		if !inEnvironmentMapping(sc) || !sc.Plain || !slices.Contains(words, strings.ToLower(sc.Text)) {
			continue
		}
		if v, ok := effective(in, sc); !ok || v.Reveal() != sc.Text {
			continue // the rule about changed values speaks of it
		}
		fs = append(fs, finding.Finding{
			Subject: sc.Path[1], Key: "boolean",
			Message:     sc.Path[3] + ": " + sc.Text + " is not in quotes, which Compose 1 refuses.",
			Consequence: "Nothing with Compose 2; with Compose 1 the administrator cannot start the deployment.",
			Remedy:      "Write " + sc.Path[3] + ": \"" + sc.Text + "\"",
			Locations:   []finding.Location{sc.At.As(finding.Fix)},
			Edits:       in.Deployment.Quote(sc.At),
		})
	}
	return perService(fs)
}

// perService keeps one finding for each service, with the places of all.
func perService(fs []finding.Finding) []finding.Finding {
	var out []finding.Finding
	at := map[string]int{}
	for _, f := range fs {
		i, ok := at[f.Subject]
		if !ok {
			at[f.Subject] = len(out)
			out = append(out, f)
			continue
		}
		for _, l := range f.Locations {
			out[i].Locations = append(out[i].Locations, l.As(finding.Related))
		}
		if len(out[i].Edits) > 0 && len(f.Edits) > 0 {
			out[i].Edits = together(out[i].Edits, f.Edits)
		} else {
			out[i].Edits = nil
		}
	}
	return out
}

// sixty matches what YAML 1.1 takes for a number to the base of sixty (yaml.org/type/int.html).
var sixty = regexp.MustCompile(`^[1-9][0-9_]*(:[0-5]?[0-9])+$`)

func baseSixty(in *Input) []finding.Finding {
	var fs []finding.Finding
	for _, sc := range in.Deployment.Scalars() {
		if !isPort4(sc) || !sc.Plain || !sixty.MatchString(sc.Text) {
			continue
		}
		fs = append(fs, finding.Finding{
			Subject: sc.Path[1], Key: "ports",
			Message:     "The port mapping " + sc.Text + " is not in quotes, and Compose 1 reads it as one number.",
			Consequence: "Nothing with Compose 2; with Compose 1 nobody reaches the service on this port.",
			Remedy:      "Write \"" + sc.Text + "\"",
			Locations:   []finding.Location{sc.At.As(finding.Fix)},
			Edits:       in.Deployment.Quote(sc.At),
		})
	}
	return perService(fs)
}

// isPort4 reports whether a scalar is a port mapping in short form.
func isPort4(sc deployment.Scalar) bool {
	return len(sc.Path) == 4 && sc.Path[0] == "services" && sc.Path[2] == "ports"
}

// variableBefore finds the variable that gives the host's port: ${NAME}:80, ${IP}:${NAME}:80.
var variableBefore = regexp.MustCompile(`\$(?:\{([A-Za-z_][A-Za-z0-9_]*)[^}]*\}|([A-Za-z_][A-Za-z0-9_]*)):(\d+)(?:/(?:tcp|udp))?$`)

func portEmpty(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, sc := range in.Deployment.Scalars() {
		if !isPort4(sc) {
			continue
		}
		m := variableBefore.FindStringSubmatch(sc.Text)
		if m == nil {
			continue
		}
		s, ok := in.Deployment.Service(sc.Path[1])
		name := m[1] + m[2]
		if !ok || !randomPort(s, m[3]) || undefined(in, name) {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: m[3],
			Message:     name + " is empty, so container port " + m[3] + " is published on a port of the host that Docker chooses.",
			Consequence: "Nobody finds the service: the port is another one after each start.",
			Remedy:      "Write " + name + "=" + m[3] + " in .env.",
			Locations:   []finding.Location{sc.At.As(finding.Fix)},
		}
		if l := definition(in, name); l != nil {
			f.Locations = []finding.Location{l.At.As(finding.Fix), sc.At.As(finding.Origin)}
		}
		out = append(out, f)
	}
	return out
}

// randomPort reports whether a container port is published without a port of the host.
func randomPort(s *deployment.Service, target string) bool {
	for _, p := range s.Ports {
		if strconv.Itoa(int(p.Target)) == target && p.Published == "" {
			return true
		}
	}
	return false
}

// referenced reports whether any compose file or env file mentions ${NAME}.
func referenced(in *Input, name string) bool {
	for _, sc := range in.Deployment.Scalars() {
		if mentions(sc.Text, name) || sc.InList && sc.Text == name {
			return true
		}
	}
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			if slices.Contains(l.References, name) {
				return true
			}
		}
	}
	return strings.HasPrefix(name, "COMPOSE_")
}

// mentions finds $NAME, ${NAME}, ${NAME:-x} and NAME inside another one's default.
func mentions(text, name string) bool {
	for rest := text; ; {
		i := strings.Index(rest, name)
		if i < 0 {
			return false
		}
		before := strings.HasSuffix(rest[:i], "$") || strings.HasSuffix(rest[:i], "${")
		after := rest[i+len(name):]
		if before && (after == "" || !isNameByte(after[0])) {
			return true
		}
		rest = after
	}
}

func isNameByte(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

// entryAt gives the scalar of an environment entry by the place of its value.
func entryAt(in *Input, service string, l finding.Location) (deployment.Scalar, bool) {
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) == 4 && sc.Path[0] == "services" && sc.Path[1] == service && sc.Path[2] == "environment" && sc.At.File == l.File && sc.At.Line == l.Line {
			return sc, true
		}
	}
	return deployment.Scalar{}, false
}

// sameList reports whether two entries stand in one environment list of a service.
func sameList(in *Input, s *deployment.Service, a, b finding.Location) bool {
	x, ok1 := entryAt(in, s.Name, a)
	y, ok2 := entryAt(in, s.Name, b)
	return ok1 && ok2 && x.InList && y.InList
}

// sameText reports whether two entries of a list are written alike.
func sameText(in *Input, s *deployment.Service, a, b finding.Location) bool {
	x, _ := entryAt(in, s.Name, a)
	y, _ := entryAt(in, s.Name, b)
	return x.Text == y.Text
}

// undefined reports whether a variable is defined nowhere.
func undefined(in *Input, name string) bool {
	return slices.ContainsFunc(in.Deployment.Unset, func(u deployment.VariableUse) bool { return u.Name == name })
}
