package deployment

import (
	"os"
	"path/filepath"
	"slices"
)

func (w *walker) include(c *fileContext, cfg *node, included []string) *node {
	list := cfg.field("include")
	if list == nil {
		return cfg
	}
	cfg = cfg.without("include")
	if list.kind != kindList {
		return cfg
	}
	for _, it := range list.items {
		if m := w.includeOne(c, it, included); m != nil {
			cfg = importModel(m, cfg, c.resets)
		}
	}
	return cfg
}

func (w *walker) includeOne(c *fileContext, it *node, included []string) *node {
	paths := []*node{it}
	var projectDir, envFile *node
	if it.kind == kindMap {
		projectDir, envFile = it.field("project_directory"), it.field("env_file")
		paths = nil
		if p := it.field("path"); p != nil {
			paths = asList(p).items
		}
	}
	var files []*source
	for _, p := range paths {
		src := w.includedFile(c, p, included)
		if src == nil {
			return nil
		}
		files = append(files, src)
	}
	if len(files) == 0 || !w.mayLoad(it) {
		return nil
	}
	dir := filepath.Dir(files[0].path)
	if projectDir != nil && projectDir.text != "" {
		dir = resolve(c.dir, projectDir.text)
	}
	w.noteNested(included, projectDir, envFile)
	return w.model(files, dir, w.includedScope(c, dir, envFile), included)
}

// noteNested remembers that an include within an include has paths that
// compose-go looks for from the working folder of the process instead of the
// project's (loader/include.go, ApplyInclude: workingDir is relative there).
func (w *walker) noteNested(included []string, projectDir, envFile *node) {
	if len(included) < 2 {
		return
	}
	paths := []*node{}
	if projectDir != nil {
		paths = append(paths, projectDir)
	}
	if envFile != nil {
		paths = append(paths, asList(envFile).items...)
	}
	for _, p := range paths {
		if !filepath.IsAbs(p.text) {
			w.fromWorkingFolder = true
		}
	}
}

func (w *walker) includedFile(c *fileContext, p *node, included []string) *source {
	if p.kind != kindScalar {
		return nil
	}
	if isRemote(p.text) {
		w.notFetched(p.location(), p.text)
		return nil
	}
	path := resolve(c.dir, p.text)
	if slices.Contains(included, path) {
		w.includeCycle(p, included)
		return nil
	}
	src, u := w.composeFile(path)
	if u != nil {
		w.composeUnreadable(p.text, path, u, p.location(), "include")
		return nil
	}
	return src
}

// includedScope gives the variables of an included project: those of the
// including one, then its own .env or env_file.
func (w *walker) includedScope(c *fileContext, dir string, envFile *node) *scope {
	sc := c.scope.clone()
	var files []envFileRef
	if envFile == nil || len(asList(envFile).items) == 0 {
		def := filepath.Join(dir, ".env")
		if info, err := os.Stat(def); err == nil && !info.IsDir() {
			files = append(files, envFileRef{path: def})
		}
	} else {
		for _, e := range asList(envFile).items {
			if e.text == os.DevNull {
				continue
			}
			files = append(files, envFileRef{path: resolve(c.dir, e.text), at: e})
		}
	}
	w.envFiles.project(sc, files)
	return sc
}

// importModel puts an included model under the including one, resource by
// resource (compose-go, loader/include.go, importResources).
func importModel(m, cfg *node, resets [][]string) *node {
	cfg = cfg.shallow()
	for _, section := range []string{"services", "jobs", "volumes", "networks", "secrets", "configs", "models"} {
		from := m.field(section)
		if from == nil || from.kind != kindMap {
			continue
		}
		to := cfg.field(section)
		if to == nil || to.kind != kindMap {
			cfg.set(section, from)
			continue
		}
		to = to.shallow()
		for _, name := range from.keys {
			own, ok := to.fields[name]
			switch {
			case !ok:
				to.set(name, from.fields[name])
			case !own.equal(from.fields[name]):
				b := removePaths(newMap().with(section, newMap().with(name, from.fields[name])), resets)
				to.fields[name] = merge(b.field(section).field(name), own, []string{section, name})
			}
		}
		cfg.fields[section] = to
	}
	return cfg
}
