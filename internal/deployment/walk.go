package deployment

import (
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// maxLoads bounds how often files are loaded through include and extends.
const maxLoads = 1000

// walker reads the compose files in the order in which Compose does, and
// merges them into one tree of nodes that know their places. Its steps are
// those of compose-go's loader (loader/loader.go, loadYamlModel).
type walker struct {
	dir      string // what names of files are relative to
	sources  map[string]*source
	failed   map[string]*unreadable
	docs     map[*source][]*yaml.Node
	repaired map[string]bool // files that are no YAML, by name
	compose  []*source       // compose files in the order of their first use
	envFiles *envFiles

	unset    []VariableUse
	problems problems
	loads    int
	expandTo int  // bytes of expanded text so far
	unsafe   bool // compose-go must not be given these files: reading or expanding them may hang
	remote   bool // something would have to be fetched

	fromWorkingFolder bool // see noteNested
}

func newWalker(dir string) *walker {
	w := &walker{dir: dir, sources: map[string]*source{}, failed: map[string]*unreadable{}, docs: map[*source][]*yaml.Node{}, repaired: map[string]bool{}}
	w.envFiles = &envFiles{w: w, at: map[string]int{}}
	return w
}

// read gives the text of a file; every file is read once.
func (w *walker) read(path string) (*source, *unreadable) {
	path = filepath.Clean(path)
	if s, ok := w.sources[path]; ok {
		return s, nil
	}
	if u, ok := w.failed[path]; ok {
		return nil, u
	}
	s, u := readSource(path, w.name(path))
	if u != nil {
		w.failed[path] = u
		if !u.refused {
			w.unsafe = true
		}
		return nil, u
	}
	w.sources[path] = s
	return s, nil
}

// name makes a path relative to the deployment's folder.
func (w *walker) name(path string) string {
	rel, err := filepath.Rel(w.dir, path)
	if err != nil {
		return filepath.ToSlash(path)
	}
	return filepath.ToSlash(rel)
}

// composeFile reads a compose file and remembers it as one.
func (w *walker) composeFile(path string) (*source, *unreadable) {
	s, u := w.read(path)
	if u == nil && !slices.Contains(w.compose, s) {
		w.compose = append(w.compose, s)
	}
	return s, u
}

func (w *walker) expanded(size int) {
	w.expandTo += size
	if w.expandTo > maxExpand {
		w.unsafe = true
	}
}

// fileContext is what a compose file is read in.
type fileContext struct {
	src    *source
	dir    string // the folder that relative paths start from
	scope  *scope
	resets [][]string
}

// model loads compose files and lays each over the ones before.
func (w *walker) model(files []*source, dir string, sc *scope, included []string) *node {
	dict := newMap()
	for _, f := range files {
		dict = w.file(&fileContext{src: f, dir: dir, scope: sc}, append(included[:len(included):len(included)], f.path), dict)
	}
	return dict
}

func (w *walker) file(c *fileContext, included []string, dict *node) *node {
	for _, y := range w.documents(c.src) {
		cfg := w.document(c, y)
		if cfg == nil {
			continue
		}
		cfg = w.include(c, cfg, included)
		dict = removePaths(dict, c.resets)
		cfg = w.extendAll(c, cfg)
		dict = merge(dict, cfg, nil)
	}
	return dict
}

// document builds one YAML document; c.resets are then those of the document.
func (w *walker) document(c *fileContext, y *yaml.Node) *node {
	b := &builder{w: w, src: c.src, scope: c.scope, dir: c.dir}
	if w.expandTo > maxExpand {
		b.scope = nil
	}
	cfg := b.build(y)
	c.resets = b.resets
	if cfg == nil || cfg.kind != kindMap {
		w.notMapping(c.src, cfg)
		return nil
	}
	return cfg
}

// base loads a file for extends: as it is, without its includes, and with its
// own extends left to be followed by name.
func (w *walker) base(c *fileContext) *node {
	dict := newMap()
	for _, y := range w.documents(c.src) {
		if cfg := w.document(c, y); cfg != nil {
			dict = merge(removePaths(dict, c.resets), cfg, nil)
		}
	}
	return dict
}

func (w *walker) extendAll(c *fileContext, cfg *node) *node {
	for _, section := range []string{"services", "jobs"} {
		services := cfg.field(section)
		if services == nil || services.kind != kindMap {
			continue
		}
		changed := services.shallow()
		for _, name := range services.keys {
			changed.fields[name] = w.extended(c, name, services, nil)
		}
		cfg = cfg.shallow()
		cfg.fields[section] = changed
	}
	return cfg
}

// extended gives a service with what it extends under it.
func (w *walker) extended(c *fileContext, name string, services *node, chain []string) *node {
	s := services.field(name)
	e := s.field("extends")
	if s == nil || e == nil {
		return s
	}
	ref, file := e, (*node)(nil)
	if e.kind == kindMap {
		ref, file = e.field("service"), e.field("file")
	}
	if ref == nil || ref.kind != kindScalar {
		return s.without("extends")
	}
	link := c.src.path + "\x00" + name
	if slices.Contains(chain, link) {
		w.extendsCycle(s, name, e)
		return s.without("extends")
	}
	base, baseServices := c, services
	if file != nil && file.kind == kindScalar {
		base = w.baseOf(c, file)
		if base == nil {
			return s.without("extends")
		}
		baseServices = w.base(base).field("services")
	}
	if baseServices.field(ref.text) == nil {
		w.extendsUnknown(name, ref, base, baseServices)
		return s.without("extends")
	}
	b := w.extended(base, ref.text, baseServices, append(chain[:len(chain):len(chain)], link))
	if b == nil || b.kind != kindMap {
		return s
	}
	b = removePaths(newMap().with("services", newMap().with(name, b)), c.resets).field("services").field(name)
	return layService(b, s)
}

// layService lays a service over its base; it stands where it is written itself.
func layService(base, s *node) *node {
	if base == nil {
		return s.without("extends")
	}
	out := merge(base, s, []string{"services", "*"}).without("extends")
	if out == base {
		out = out.shallow()
	}
	out.at, out.key, out.file = s.at, s.key, s.file
	return out
}

func (n *node) with(key string, v *node) *node {
	n.set(key, v)
	return n
}

// baseOf reads the file of an extends; nil when there is none to read.
func (w *walker) baseOf(c *fileContext, file *node) *fileContext {
	if isRemote(file.text) {
		w.notFetched(file.location(), file.text)
		return nil
	}
	path := resolve(c.dir, file.text)
	src, u := w.composeFile(path)
	if u != nil {
		w.composeUnreadable(file.text, path, u, file.location(), "extends")
		return nil
	}
	if !w.mayLoad(file) {
		return nil
	}
	return &fileContext{src: src, dir: filepath.Dir(path), scope: c.scope}
}

func (w *walker) mayLoad(at *node) bool {
	w.loads++
	if w.loads == maxLoads {
		w.tooManyLoads(at)
		w.unsafe = true
	}
	return w.loads < maxLoads
}

// resolve makes a path absolute as compose-go does.
func resolve(dir, path string) string {
	if filepath.IsAbs(path) {
		return filepath.Clean(path)
	}
	return filepath.Join(dir, path)
}

// isRemote reports whether Docker Compose would fetch a compose file instead
// of opening it: Git and OCI references (docker/compose, pkg/remote).
func isRemote(path string) bool {
	for _, prefix := range []string{"oci://", "git://", "ssh://", "git@", "http://", "https://", "github.com/"} {
		if strings.HasPrefix(path, prefix) {
			return true
		}
	}
	return false
}
