// Package deployment loads what Compose would run, and knows where every value
// was written. The values are compose-go's; the places are ours.
package deployment

import (
	"sort"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// Options say what to load, in the words of `docker compose`, as if it were
// run in Dir: Files and EnvFiles that are not absolute start from there.
type Options struct {
	Dir         string   // the project's folder; "" is the current one
	Files       []string // -f; empty: COMPOSE_FILE, then the default names and their override
	EnvFiles    []string // --env-file; empty: .env of Dir
	Profiles    []string // --profile; empty: COMPOSE_PROFILES
	ProjectName string   // -p
	Environ     []string // "KEY=VALUE" of the process, as os.Environ gives; nil: an empty environment
}

// Deployment is one project as Compose sees it. It is read-only after Load.
type Deployment struct {
	Dir       string         // absolute path of the project's folder
	Project   string         // project name
	Files     []string       // compose files in the order in which they are merged, included and extended ones too; relative to Dir
	EnvFiles  []*EnvFile     // every env file read: first those that define ${VARIABLES}, then the services' env_file entries; no file twice
	Services  []*Service     // active services, sorted by name
	Model     *types.Project // compose-go's own view; never nil (empty when nothing could be loaded)
	Accepted  bool           // whether Compose loads the deployment; when not, Problems says why and the rest is best effort
	Problems  []Problem      // what Compose refuses or warns about, each with its place
	NotLoaded []string       // override files of the folder that Compose would load by itself if nothing (-f, COMPOSE_FILE) named the files to load
	FilesLeft []string       // other compose files of the folder, when nothing (-f, COMPOSE_FILE) names the files to load
	EnvBeside []string       // env files of the folder that nothing reads, by their names; empty files and examples are not among them
	Missing   []string       // sources of bind mounts below Dir that do not exist, absolute, sorted; Docker makes a folder of each
	Named     bool           // the project's name is written down: -p, COMPOSE_PROJECT_NAME or name:; else it is the folder's
	Unset     []VariableUse  // every ${VAR} without default that no place defines, in file order

	process  map[string]string // the environment of whoever runs Compose
	sources  *sources          // the text and the YAML nodes of each file
	services map[string]*Service
}

// Service is one service of the merged project.
type Service struct {
	Name                string
	types.ServiceConfig                  // compose-go's merged view. Environment is better read through Env, which knows places and secrets.
	At                  finding.Location // where the service is written (its key), in the first file that has it
	Env                 map[string]Value // the effective environment: env_file under environment, interpolated; keys set to null and not given by the process are absent

	deployment *Deployment
}

// Value is one environment value of one service, and where it was written.
type Value struct {
	Key         string
	secret.Text // prints «hidden» when the key names a secret; Reveal gives the characters

	At         finding.Location   // where the winning entry is written: a compose file's environment, or an env_file line; the column is that of the value (of the key when there is no value)
	Source     Source             // what kind of place At is
	Variables  []Variable         // the ${VAR}s in the winning entry, in order; for a bare KEY, the one variable KEY
	Overridden []finding.Location // entries that set the same key and lose, nearest first (Role Overridden)
}

// Source is the kind of place that gave a value.
type Source string

// The kinds of places.
const (
	FromEnvironment Source = "environment" // `environment:` of a compose file
	FromEnvFile     Source = "env_file"    // a line of an env file
	FromProcess     Source = "process"     // the process environment of whoever runs Compose
	FromDefault     Source = "default"     // the default inside ${VAR:-default}
	FromUnset       Source = "unset"       // nothing defines it: an empty string
)

// Variable is a ${VAR} that took part in a value.
type Variable struct {
	Name        string
	secret.Text                    // what it expanded to
	Source      Source             // FromEnvFile, FromProcess, FromDefault or FromUnset; FromEnvironment in an env_file line that uses what the service's environment: sets
	At          finding.Location   // where it is defined; for FromProcess the file is "(environment)"; for FromDefault the place of the ${…}; zero for FromUnset
	Use         finding.Location   // where the ${…} stands
	Variables   []Variable         // the ${…}s inside its own definition
	Overridden  []finding.Location // definitions that lose: an earlier duplicate, the .env line that a shell variable beats
	Whole       bool               // the ${…} is all of the text it stands in
}

// VariableUse is a ${VAR} that nothing defines.
type VariableUse struct {
	Name    string
	At      finding.Location
	Service string // "" outside services
	Key     string // environment key or YAML path it stands in
}

// Problem is something that Compose refuses or warns about.
type Problem struct {
	Kind      ProblemKind
	Severity  finding.Severity // Error: Compose refuses the deployment
	Message   string           // plain words, complete sentence
	Subject   string           // service, file or key
	Remedy    string
	Locations []finding.Location // first: where to change it
	Key       string             // for the fingerprint
	Suggested string             // UnknownField: the known name that was meant, "" when none is near
}

// ProblemKind names a kind of problem; each has a rule of the same meaning in package rules.
type ProblemKind string

// The kinds of problems that the loader finds.
const (
	ComposeFileMissing   ProblemKind = "compose-file-missing"   // a file named by -f, COMPOSE_FILE, include or extends does not exist
	ComposeFileSeparator ProblemKind = "compose-file-separator" // COMPOSE_FILE is not separated as this system wants it
	EnvFileMissing       ProblemKind = "env-file-missing"       // an env_file that is required and absent
	YAMLSyntax           ProblemKind = "yaml-syntax"            // tab, bad indentation, unclosed quote …
	DuplicateKey         ProblemKind = "yaml-duplicate-key"     // a mapping key twice
	UnknownField         ProblemKind = "compose-unknown-field"  // a field that the Compose specification does not have
	WrongType            ProblemKind = "compose-wrong-type"     // a list where a mapping is wanted …
	UndefinedVolume      ProblemKind = "compose-undefined-volume"
	UndefinedNetwork     ProblemKind = "compose-undefined-network"
	UndefinedService     ProblemKind = "compose-undefined-service"  // depends_on, extends, links …
	UndefinedResource    ProblemKind = "compose-undefined-resource" // secret, config
	NoImage              ProblemKind = "compose-service-without-image"
	DependencyCycle      ProblemKind = "compose-dependency-cycle"
	BadInterpolation     ProblemKind = "compose-bad-interpolation" // ${X unclosed, ${A:?message} unmet
	EnvFileSyntax        ProblemKind = "env-file-syntax"
	InvalidValue         ProblemKind = "compose-invalid-value" // a port, duration, volume … that does not parse
	Refused              ProblemKind = "compose-refused"       // anything else that Compose refuses
)

// EnvFile is an env file, line by line.
type EnvFile struct {
	File     string    // relative to the deployment's folder
	Project  bool      // defines ${VARIABLES} (.env, --env-file)
	Services []string  // services that list it under env_file
	Lines    []EnvLine // assignments and lines that are neither assignment, comment nor blank
	BOM      bool      // starts with a byte order mark
	CRLF     bool      // at least one line ends in CR LF
}

// EnvLine is an assignment, or a line that is none.
type EnvLine struct {
	At          finding.Location // of the key
	ValueAt     finding.Location // of the value's first byte, inside its quotes
	Key         string
	secret.Text             // the value as Compose 2 and later reads it: quotes, escapes and comment removed, variables expanded
	Raw         secret.Text // the value exactly as written
	Compose1    secret.Text // the value as Compose 1.29 reads it
	Rest        secret.Text // what stands behind the value on its line: mostly a comment, sometimes the rest of the value
	Quote       byte        // '"', '\'' or 0
	Export      bool
	Bare        bool     // a key without "="
	Bad         string   // why the line is no assignment, in plain words; "" when it is one
	Nameless    bool     // a last line without "=" and without line end: Compose takes it for the value of the name ""
	References  []string // names of the ${VAR}s in it
	LastLine    int      // of a value that spans lines; the same as At.Line otherwise
}

// Service gives a service by name.
func (d *Deployment) Service(name string) (*Service, bool) {
	s, ok := d.services[name]
	return s, ok
}

// ProcessValue gives the value of a name in the environment of whoever runs
// Compose.
func (d *Deployment) ProcessValue(name string) (secret.Text, bool) {
	v, ok := d.process[name]
	return secret.New(v, secret.IsName(name)), ok
}

// Get gives an environment value.
func (s *Service) Get(key string) (Value, bool) {
	v, ok := s.Env[key]
	return v, ok
}

// Keys gives the environment's keys, sorted.
func (s *Service) Keys() []string {
	keys := make([]string, 0, len(s.Env))
	for k := range s.Env {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}

// NetworkNames gives the networks of the service, sorted; "default" when it names none, none at all with network_mode.
func (s *Service) NetworkNames() []string {
	if s.NetworkMode != "" {
		return nil
	}
	names := make([]string, 0, len(s.Networks))
	for n := range s.Networks {
		names = append(names, n)
	}
	if len(names) == 0 {
		names = append(names, "default")
	}
	sort.Strings(names)
	return names
}

// Locations gives the places of the value in the order of a finding: where to
// change it (the definition of the variable when the whole value is one
// ${VAR}, else the entry itself), then where it passed through, then what it
// overrides.
func (v Value) Locations() []finding.Location {
	if v.At.IsZero() {
		return nil
	}
	var out []finding.Location
	if len(v.Variables) == 1 && v.Variables[0].Whole && !v.Variables[0].At.IsZero() {
		out = append(out, v.Variables[0].locations()...)
		out = append(out, v.At.As(finding.Origin))
	} else {
		out = append(out, v.At.As(finding.Fix))
		for _, x := range v.Variables {
			for _, l := range x.locations() {
				if l.Role == finding.Fix {
					l.Role = finding.Origin
				}
				out = append(out, l)
			}
		}
	}
	for _, o := range v.Overridden {
		out = append(out, o.As(finding.Overridden))
	}
	return dedupe(out)
}

func (x Variable) locations() []finding.Location {
	var out []finding.Location
	switch {
	case x.At.IsZero():
		return nil
	case len(x.Variables) == 1 && x.Variables[0].Whole && !x.Variables[0].At.IsZero():
		out = append(out, x.Variables[0].locations()...)
		out = append(out, x.At.As(finding.Origin))
	default:
		out = append(out, x.At.As(finding.Fix))
		for _, y := range x.Variables {
			for _, l := range y.locations() {
				if l.Role == finding.Fix {
					l.Role = finding.Origin
				}
				out = append(out, l)
			}
		}
	}
	for _, o := range x.Overridden {
		out = append(out, o.As(finding.Overridden))
	}
	return out
}

func dedupe(in []finding.Location) []finding.Location {
	seen := map[finding.Location]bool{}
	out := in[:0]
	for _, l := range in {
		key := l
		key.Role = ""
		if !seen[key] {
			seen[key] = true
			out = append(out, l)
		}
	}
	return out
}

// Locate gives the place of a node of the merged compose files by its path
// below the service: Locate("networks"), Locate("ports", "0"),
// Locate("healthcheck", "test"). List positions are those of the merged list.
// Where the path is not written, the nearest written parent is given; it is
// never zero for a service that exists.
func (s *Service) Locate(path ...string) finding.Location {
	return s.deployment.Locate(append([]string{"services", s.Name}, path...)...)
}
