package deployment_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// TestPlaces proves that every value of every service stands where the loader
// says: the text is read at the reported file, line and column, its variables
// are replaced by the ones named in the chain, each of which is read at its own
// place in the same way, and the outcome must be the value. None of this uses
// the loader's code.
func TestPlaces(t *testing.T) {
	values := 0
	for _, c := range allCases(t) {
		t.Run(c.name, func(t *testing.T) {
			d := load(t, c.options)
			p := &prover{t: t, dir: d.Dir, environ: c.options.Environ, project: d.Project}
			for _, s := range d.Services {
				p.service(s)
				values += len(s.Env)
			}
		})
	}
	if values < 100 {
		t.Errorf("only %d values looked at", values)
	}
}

type prover struct {
	t       *testing.T
	dir     string
	environ []string
	project string
	files   map[string]string
}

func (p *prover) service(s *deployment.Service) {
	if line := p.line(s.At); !strings.Contains(line, s.Name) {
		p.t.Errorf("service %s is said to be at %s, which reads %q", s.Name, s.At, line)
	}
	for _, key := range s.Keys() {
		v, _ := s.Get(key)
		what := s.Name + ": " + key
		var got string
		switch v.Source {
		case deployment.FromEnvironment:
			got = p.entry(what, key, v)
		case deployment.FromEnvFile:
			got = p.envLine(what, key, v.At, v.Variables)
		default:
			p.t.Errorf("%s: source %q", what, v.Source)
			continue
		}
		if got != v.Reveal() {
			p.t.Errorf("%s: %s gives %q, the value is %q", what, v.At, got, v.Reveal())
		}
		for _, o := range v.Overridden {
			if line := p.line(o); !strings.Contains(line, key) {
				p.t.Errorf("%s is said to be overridden at %s, which reads %q", what, o, line)
			}
		}
	}
}

// entry reads an entry of environment: at its place.
func (p *prover) entry(what, key string, v deployment.Value) string {
	line := p.line(v.At)
	start := max(v.At.Column-1, 0)
	if start > len(line) {
		p.t.Errorf("%s: column of %s is behind the line %q", what, v.At, line)
		return ""
	}
	if strings.HasPrefix(line[start:], key) && len(v.Variables) == 1 && v.Variables[0].Use == v.At && !strings.Contains(line[start+len(key):], "=") {
		return p.variable(what, v.Variables[0], "") // a bare key
	}
	raw := p.scalar(what, key, v.At)
	got := p.expand(what, raw, v.Variables)
	if whole, ok := strings.CutPrefix(got, key+"="); ok && strings.HasPrefix(raw, "$") {
		return whole // "- ${WHOLE_ENTRY}"
	}
	return got
}

// scalar reads the YAML text at a place with the YAML library alone: the lines
// of the entry, cut out of the file, make a document of their own.
func (p *prover) scalar(what, key string, at finding.Location) string {
	text := p.file(at.File)
	lines := strings.Split(text, "\n")
	line := strings.TrimSuffix(lines[at.Line-1], "\r")
	before := line[:at.Column-1]
	anchored := strings.Contains(before, "&")
	if !strings.Contains(before, key) && !anchored && !strings.Contains(line, "- $") {
		p.t.Errorf("%s: %s does not stand behind its key: %q", what, at, line)
	}
	if i := strings.LastIndexAny(before, "{["); i >= 0 {
		return p.flow(line, at)
	}
	block := []string{strings.TrimLeft(line, " ")}
	indent := len(line) - len(block[0])
	if indent == 0 {
		indent = -1
	}
	for _, l := range lines[at.Line:] {
		l = strings.TrimSuffix(l, "\r")
		if own := len(l) - len(strings.TrimLeft(l, " ")); strings.TrimSpace(l) != "" && own <= max(indent, 0) {
			break
		}
		block = append(block, strings.TrimPrefix(l, strings.Repeat(" ", max(indent, 0))))
	}
	var doc any
	if err := yaml.Unmarshal([]byte(strings.Join(block, "\n")+"\n"), &doc); err != nil {
		p.t.Errorf("%s: the lines at %s do not parse: %v", what, at, err)
		return ""
	}
	switch d := doc.(type) {
	case []any:
		item := fmt.Sprint(d[0])
		if strings.HasSuffix(before, "=") || strings.Contains(before, "=") {
			_, value, _ := strings.Cut(item, key+"=")
			if !strings.Contains(item, key+"=") { // the name is a variable
				_, value, _ = strings.Cut(item, "=")
			}
			return value
		}
		return item
	case map[string]any:
		for _, v := range d {
			return fmt.Sprint(v)
		}
	}
	p.t.Errorf("%s: the lines at %s are %v", what, at, doc)
	return ""
}

// flow reads a scalar of a mapping or list in one line.
func (p *prover) flow(line string, at finding.Location) string {
	rest := line[at.Column-1:]
	if q := line[at.Column-2]; q == '"' || q == '\'' {
		value, _, _ := strings.Cut(rest, string(q))
		return value
	}
	if i := strings.IndexAny(rest, ",}]"); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimSpace(rest)
}

// envLine reads an assignment of an env file at its place.
func (p *prover) envLine(what, key string, at finding.Location, variables []deployment.Variable) string {
	text := p.file(at.File)
	off := p.offset(at)
	line := p.line(at)
	if !strings.Contains(line, key) {
		p.t.Errorf("%s: %s does not name %s: %q", what, at, key, line)
	}
	if len(variables) == 1 && variables[0].Name == key && variables[0].Use == at && strings.TrimSpace(line) == key {
		return p.variable(what, variables[0], "") // a bare key
	}
	if strings.HasPrefix(filepath.Base(at.File), "raw") {
		value, _, _ := strings.Cut(text[off:], "\n")
		return value
	}
	rest := text[off:]
	if off > 0 && (text[off-1] == '"' || text[off-1] == '\'') {
		quote := text[off-1]
		end := 0
		for end < len(rest) && (rest[end] != quote || end > 0 && rest[end-1] == '\\') {
			end++
		}
		raw := rest[:end]
		if quote == '\'' {
			return strings.ReplaceAll(raw, `\'`, `'`)
		}
		raw = strings.NewReplacer(`\$`, "$$", `\"`, `"`, `\n`, "\n", `\t`, "\t", `\0101`, "A").Replace(raw)
		return p.expand(what, raw, variables)
	}
	raw, _, _ := strings.Cut(rest, "\n")
	raw, _, _ = strings.Cut(raw, " #")
	return p.expand(what, strings.TrimSpace(raw), variables)
}

// expand replaces the variables of a text, in order, by those of the chain.
func (p *prover) expand(what, raw string, variables []deployment.Variable) string {
	var b strings.Builder
	for i := 0; i < len(raw); {
		name, word, to := reference(raw, i)
		switch {
		case strings.HasPrefix(raw[i:], "$$"):
			b.WriteByte('$')
			i += 2
		case name == "":
			b.WriteByte(raw[i])
			i++
		case len(variables) == 0:
			p.t.Errorf("%s: no variable in the chain for %q", what, raw[i:to])
			return ""
		default:
			v := variables[0]
			variables = variables[1:]
			if v.Name != name {
				p.t.Errorf("%s: variable %s in the chain stands for %q", what, v.Name, raw[i:to])
			}
			if whole := i == 0 && to == len(raw); v.Whole != whole {
				p.t.Errorf("%s: %s: whole is %v", what, name, v.Whole)
			}
			p.use(what, v)
			b.WriteString(p.variable(what, v, word))
			i = to
		}
	}
	if len(variables) > 0 {
		p.t.Errorf("%s: %d variables too many in the chain", what, len(variables))
	}
	return b.String()
}

// reference reads a ${VAR} at i: its name, the text after its operator, its end.
func reference(s string, i int) (name, word string, to int) {
	if i+1 >= len(s) || s[i] != '$' {
		return "", "", i
	}
	j := i + 1
	braced := s[j] == '{'
	if braced {
		j++
	}
	from := j
	for j < len(s) && (s[j] == '_' || s[j] >= 'a' && s[j] <= 'z' || s[j] >= 'A' && s[j] <= 'Z' || j > from && s[j] >= '0' && s[j] <= '9') {
		j++
	}
	name = s[from:j]
	if !braced || name == "" {
		return name, "", j
	}
	depth, start := 1, j
	for ; j < len(s); j++ {
		if s[j] == '{' {
			depth++
		}
		if s[j] == '}' {
			if depth--; depth == 0 {
				break
			}
		}
	}
	return name, strings.TrimLeft(s[start:j], ":-+?"), j + 1
}

func (p *prover) use(what string, v deployment.Variable) {
	text := p.file(v.Use.File)[p.offset(v.Use):]
	if !strings.HasPrefix(text, "$"+v.Name) && !strings.HasPrefix(text, "${"+v.Name) {
		p.t.Errorf("%s: %s is said to be used at %s, which reads %q", what, v.Name, v.Use, p.line(v.Use))
	}
}

// variable reads what a variable expands to at the place that defines it.
func (p *prover) variable(what string, v deployment.Variable, word string) string {
	what += " <- " + v.Name
	got := ""
	switch v.Source {
	case deployment.FromEnvFile:
		got = p.envLine(what, v.Name, v.At, v.Variables)
	case deployment.FromEnvironment: // an env_file line that uses what environment: sets
		got = p.entry(what, v.Name, deployment.Value{Key: v.Name, Text: v.Text, At: v.At, Variables: v.Variables})
	case deployment.FromProcess:
		got = p.fromProcess(what, v)
	case deployment.FromDefault:
		if v.Name == "COMPOSE_PROJECT_NAME" && v.At != v.Use {
			got = p.project
			break
		}
		if v.At != v.Use {
			p.t.Errorf("%s: a default stands where it is used, not at %s", what, v.At)
		}
		got = p.expand(what, word, v.Variables)
	case deployment.FromUnset:
		if !v.At.IsZero() || len(p.inProcess(v.Name)) > 0 {
			p.t.Errorf("%s: set after all", what)
		}
	default:
		p.t.Errorf("%s: source %q", what, v.Source)
	}
	if got != v.Reveal() {
		p.t.Errorf("%s: %s gives %q, the variable is %q", what, v.At, got, v.Reveal())
	}
	for _, o := range v.Overridden {
		if o.File != "(environment)" && !strings.Contains(p.line(o), v.Name) {
			p.t.Errorf("%s is said to be overridden at %s, which reads %q", what, o, p.line(o))
		}
	}
	return got
}

func (p *prover) fromProcess(what string, v deployment.Variable) string {
	if v.At.File != "(environment)" {
		p.t.Errorf("%s comes from the process, not from %s", what, v.At)
	}
	if found := p.inProcess(v.Name); len(found) > 0 {
		return found[0]
	}
	if v.Name == "COMPOSE_PROJECT_NAME" {
		return p.project
	}
	p.t.Errorf("%s is not in the environment of the process", what)
	return ""
}

func (p *prover) inProcess(name string) []string {
	i := slices.IndexFunc(p.environ, func(e string) bool { return strings.HasPrefix(e, name+"=") })
	if i < 0 {
		return nil
	}
	return []string{p.environ[i][len(name)+1:]}
}

// file gives the text of a file without byte order mark.
func (p *prover) file(name string) string {
	if text, ok := p.files[name]; ok {
		return text
	}
	data, err := os.ReadFile(filepath.Join(p.dir, name))
	if err != nil {
		p.t.Errorf("a place in %q: %v", name, err)
	}
	if p.files == nil {
		p.files = map[string]string{}
	}
	p.files[name] = strings.TrimPrefix(string(data), "\uFEFF")
	return p.files[name]
}

func (p *prover) line(l finding.Location) string {
	lines := strings.Split(p.file(l.File), "\n")
	if l.Line < 1 || l.Line > len(lines) {
		p.t.Errorf("%s is no line of the file", l)
		return ""
	}
	return strings.TrimSuffix(lines[l.Line-1], "\r")
}

func (p *prover) offset(l finding.Location) int {
	text := p.file(l.File)
	off := 0
	for range l.Line - 1 {
		off += strings.IndexByte(text[off:], '\n') + 1
	}
	return min(off+max(l.Column-1, 0), len(text))
}
