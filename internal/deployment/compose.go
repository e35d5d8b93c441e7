package deployment

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// loadProject gives compose-go's view of the project, and whether Docker
// Compose would have it. Env files of services are not read yet.
func loadProject(ctx context.Context, s *selection, files []*source, tree *node) (*types.Project, bool) {
	w := s.w
	if w.problems.refused() || w.unsafe || w.envFiles.refused {
		return repair(ctx, s, tree), false
	}
	if w.remote || w.fromWorkingFolder && !inFolder(s.workDir) {
		return loadMerged(ctx, s, tree)
	}
	p, err := composeLoad(ctx, s, configFiles(files), nil)
	if err == nil {
		if err = p.CheckContainerNameUnicity(); err == nil {
			return p, true
		}
	}
	repaired := repair(ctx, s, tree)
	if !w.problems.refused() {
		w.explain(s, tree, err)
	}
	return repaired, false
}

// loadMerged loads the walker's own merge where compose-go cannot be given the
// files: a part would have to be fetched, or it would look for paths in the
// wrong folder. What could not be fetched is not held against the deployment.
func loadMerged(ctx context.Context, s *selection, tree *node) (*types.Project, bool) {
	if dict, ok := tidy(tree).plain(s.workDir).(map[string]any); ok {
		if p, err := loadTree(ctx, s, dict, true); err == nil {
			return p, true
		}
	}
	p := repair(ctx, s, tree)
	return p, s.w.remote && !s.w.problems.refused()
}

func inFolder(dir string) bool {
	wd, err := os.Getwd()
	return err == nil && wd == dir
}

func configFiles(files []*source) []types.ConfigFile {
	var out []types.ConfigFile
	for _, f := range files {
		out = append(out, types.ConfigFile{Filename: f.path, Content: []byte(f.text)})
	}
	return out
}

// composeLoad calls compose-go; a panic of its is an error.
func composeLoad(ctx context.Context, s *selection, files []types.ConfigFile, change func(*loader.Options)) (p *types.Project, err error) {
	defer func() {
		if r := recover(); r != nil {
			p, err = nil, fmt.Errorf("compose-go stopped: %v", r)
		}
	}()
	return loader.LoadWithContext(ctx, types.ConfigDetails{
		WorkingDir: s.workDir, ConfigFiles: files, Environment: s.scope.mapping(),
	}, func(o *loader.Options) {
		o.SetProjectName(s.name, true)
		o.Profiles = s.profiles()
		o.SkipResolveEnvironment = true
		o.SkipResolveLabels = true
		o.ResourceLoaders = []loader.ResourceLoader{remoteLoader{}}
		if change != nil {
			change(o)
		}
	})
}

// remoteLoader takes the references that Docker Compose would fetch, and fetches nothing.
type remoteLoader struct{}

var errNotFetched = errors.New("it would be fetched from another machine")

func (remoteLoader) Accept(path string) bool                          { return isRemote(path) }
func (remoteLoader) Load(_ context.Context, _ string) (string, error) { return "", errNotFetched }
func (remoteLoader) Dir(string) string                                { return "." }

// resolveEnvironment reads the env files of the services, once it is known that reading them cannot hang.
func (d *Deployment) resolveEnvironment(s *selection) {
	w := s.w
	safe := true
	d.sources.sets = map[string][]assignment{}
	for _, name := range d.Model.ServiceNames() {
		d.sources.sets[name] = w.readServiceFiles(d, s, name)
	}
	if w.envFiles.refused || w.unsafe {
		safe, d.Accepted = false, false
	}
	if safe && d.labelsReadable(s) {
		p, err := resolveProject(d.Model)
		if err == nil {
			d.Model = p
			return
		}
		if d.Accepted {
			d.Accepted = false
			w.explain(s, d.sources.tree, err)
		}
	}
	d.resolveOurselves(s)
}

func (w *walker) readServiceFiles(d *Deployment, s *selection, name string) []assignment {
	spec := d.Model.Services[name]
	refs := w.envFileRefs(d.sources.tree, name, spec.EnvFiles)
	v := newValuer(s.scope, d.sources.tree.field("services").field(name))
	sets := w.envFiles.service(name, refs, v.scopeOf(spec.Environment))
	for _, hook := range spec.PreStart {
		w.envFiles.service(name, w.envFileRefs(nil, name, hook.EnvFiles), v.scopeOf(hook.Environment))
	}
	return sets
}

// scopeOf is what a service's env file can refer to: the project's variables,
// then the service's own environment.
func (v *valuer) scopeOf(env types.MappingWithEquals) finder {
	return func(name string) (*definition, bool) {
		if d, ok := v.scope.find(name); ok {
			return d, true
		}
		value, ok := env[name]
		if !ok || value == nil {
			return nil, false
		}
		d := &definition{name: name, value: *value, source: FromEnvironment}
		if n := v.entries[name]; n != nil {
			d.at, d.variables = v.entry(name, n, *value)
			d.history = history(d.variables)
		}
		return d, true
	}
}

// envFileRefs joins compose-go's list of env files with the places where they
// are written.
func (w *walker) envFileRefs(tree *node, service string, files []types.EnvFile) []envFileRef {
	var items []*node
	if list := tree.field("services").field(service).field("env_file"); list != nil {
		items = asList(list).items
	}
	var refs []envFileRef
	for i, f := range files {
		ref := envFileRef{path: f.Path, optional: !bool(f.Required), format: f.Format}
		if len(items) == len(files) {
			ref.at = items[i]
			if p := items[i].field("path"); p != nil {
				ref.at = p
			}
		}
		refs = append(refs, ref)
	}
	return refs
}

func resolveProject(p *types.Project) (out *types.Project, err error) {
	defer func() {
		if r := recover(); r != nil {
			out, err = nil, fmt.Errorf("compose-go stopped: %v", r)
		}
	}()
	if out, err = p.WithServicesEnvironmentResolved(false); err != nil {
		return nil, err
	}
	return out.WithServicesLabelsResolved(false)
}

// labelsReadable guards the label files in the same way as the env files.
func (d *Deployment) labelsReadable(s *selection) bool {
	ok := true
	for _, name := range d.Model.ServiceNames() {
		spec := d.Model.Services[name]
		files := spec.LabelFiles
		for _, hook := range spec.PreStart {
			files = append(files[:len(files):len(files)], hook.LabelFiles...)
		}
		for _, f := range files {
			if _, u := s.w.read(f); u != nil {
				ok, d.Accepted = false, false
				s.w.labelFileUnreadable(name, f, u, d.sources.tree)
			}
		}
	}
	return ok
}

// resolveOurselves does what compose-go would, for files that it refuses.
func (d *Deployment) resolveOurselves(s *selection) {
	for name, spec := range d.Model.Services {
		env := types.MappingWithEquals{}
		for _, set := range d.sources.sets[name] {
			v := set.value
			env[set.key] = &v
		}
		spec.Environment = env.OverrideBy(spec.Environment.Resolve(finder(s.scope.find).value))
		d.Model.Services[name] = spec
	}
}
