package deployment

import (
	"net/url"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// learn gathers the secrets of all files and prepares the excerpts.
func (s *sources) learn(d *Deployment) {
	s.hide = &hider{sources: map[string]*source{}}
	found := newGatherer()
	for _, src := range s.walker.sources {
		s.hide.sources[src.name] = src
	}
	for _, src := range s.walker.compose {
		for _, y := range s.walker.docs[src] {
			hideYAML(src, y, "")
			found.yaml(y, "")
		}
	}
	for _, src := range s.walker.sources {
		blocks := keyBlocks(src.text)
		src.secrets = append(src.secrets, blocks...)
		src.sealSecrets()
		found.keys(src.text, blocks)
	}
	for _, f := range d.EnvFiles {
		for i := range f.Lines {
			found.line(&f.Lines[i])
		}
	}
	for name, def := range s.walker.scopeOf(d) {
		found.add(name, def)
	}
	for _, svc := range d.Services {
		found.service(svc)
	}
	found.resources(d)
	s.secrets, s.public = found.lists()
	s.hide.redactor = secret.NewRedactor(s.secrets, s.public)
}

// scopeOf gives the variables of the project.
func (w *walker) scopeOf(d *Deployment) map[string]string { return d.Model.Environment }

// gatherer collects secret and public words.
type gatherer struct {
	secrets map[string]bool
	public  map[string]bool
}

func newGatherer() *gatherer {
	return &gatherer{secrets: map[string]bool{}, public: map[string]bool{}}
}

func (g *gatherer) add(key, value string) {
	if value == "" {
		return
	}
	if secret.IsName(key) {
		g.secrets[value] = true
	} else if publicWord(value) {
		g.public[value] = true
	}
	g.urls(value)
}

// publicWord keeps texts and lists out of the public words: only what may be
// mistaken for a secret matters, and that is one word.
func publicWord(s string) bool {
	const longest = 256
	return len(s) <= longest && !strings.ContainsAny(s, " \t\n$") && !urlPassword.MatchString(s)
}

// urls finds the passwords in URLs. One that is URL-encoded is a secret in
// both forms.
func (g *gatherer) urls(value string) {
	if !strings.Contains(value, "://") {
		return
	}
	for _, m := range urlPassword.FindAllStringSubmatch(value, -1) {
		if strings.HasPrefix(m[2], "$") {
			continue
		}
		g.secrets[m[2]] = true
		if plain, err := url.PathUnescape(m[2]); err == nil {
			g.secrets[plain] = true
		}
	}
}

func (g *gatherer) line(l *EnvLine) {
	if l.Bad != "" && l.Key == "" {
		g.secrets[strings.TrimSpace(l.Raw.Reveal())] = true
		return
	}
	g.text(l.Key, l.Text)
	if l.IsSecret() {
		g.secrets[l.Compose1.Reveal()] = true
	}
}

// keys takes the lines of private keys, each of which an error message may quote.
func (g *gatherer) keys(text string, blocks []span) {
	const shortest, most = 16, 10_000
	for _, b := range blocks {
		for i, l := range strings.Split(text[b.from:b.to], "\n") {
			if l = strings.TrimSpace(l); i > 0 && len(l) >= shortest && len(g.secrets) < most {
				g.secrets[l] = true
			}
		}
	}
}

func (g *gatherer) text(key string, t secret.Text) {
	if t.IsSecret() {
		g.secrets[t.Reveal()] = true
		g.urls(t.Reveal())
		return
	}
	g.add(key, t.Reveal())
}

func (g *gatherer) service(s *Service) {
	for k, v := range s.Env {
		g.text(k, v.Text)
		g.variables(v.Variables)
	}
	g.public[s.Name] = true
	for _, w := range []string{s.Image, s.ContainerName, s.Hostname, s.DomainName} {
		g.add("", w)
	}
}

func (g *gatherer) variables(vs []Variable) {
	for _, v := range vs {
		// A default that stands in a secret is one, whatever its variable is called.
		if v.IsSecret() && (secret.IsName(v.Name) || v.Source == FromDefault) {
			g.secrets[v.Reveal()] = true
		}
		g.variables(v.Variables)
	}
}

// yaml finds the literal secrets of a compose file, unused parts included.
func (g *gatherer) yaml(y *yaml.Node, key string) {
	switch y.Kind {
	case yaml.ScalarNode:
		name, value, ok := strings.Cut(y.Value, "=")
		if secret.IsName(key) {
			name, value, ok = key, y.Value, y.Tag != "!!bool" && y.Tag != "!!null"
		}
		if ok && secret.IsName(name) {
			g.literal(value)
		}
		g.urls(y.Value)
	case yaml.MappingNode:
		for i := 0; i+1 < len(y.Content); i += 2 {
			g.yaml(y.Content[i+1], y.Content[i].Value)
		}
	case yaml.AliasNode:
		if y.Alias != nil && y.Alias.Kind == yaml.ScalarNode && secret.IsName(key) {
			g.literal(y.Alias.Value)
		}
	default:
		for _, c := range y.Content {
			g.yaml(c, "")
		}
	}
}

// literal takes the characters that are written out: the whole text, or the
// defaults of its variables.
func (g *gatherer) literal(text string) {
	if tooComplex(text) {
		return
	}
	refs, _ := references(text)
	if len(refs) == 0 {
		g.secrets[text] = true
		return
	}
	for _, r := range refs {
		if r.operator == ":-" || r.operator == "-" || r.operator == ":+" || r.operator == "+" {
			g.literal(text[r.wordFrom:r.wordTo])
		}
	}
}

func (g *gatherer) resources(d *Deployment) {
	for n := range d.Model.Networks {
		g.public[n] = true
	}
	for n := range d.Model.Volumes {
		g.public[n] = true
	}
	g.public[d.Project] = true
}

func (g *gatherer) lists() (secrets, public []string) {
	delete(g.secrets, "")
	for s := range g.secrets {
		secrets = append(secrets, s)
	}
	for p := range g.public {
		public = append(public, p)
	}
	slices.Sort(secrets)
	slices.Sort(public)
	return secrets, public
}

// Secrets gives every secret that the deployment's files hold, to feed a secret.Redactor.
func (d *Deployment) Secrets() []string {
	if d.sources == nil {
		return nil
	}
	return slices.Clone(d.sources.secrets)
}

// PublicWords gives values that are not secret (names of services, users,
// hosts, plain values), which a Redactor must leave alone.
func (d *Deployment) PublicWords() []string {
	if d.sources == nil {
		return nil
	}
	return slices.Clone(d.sources.public)
}
