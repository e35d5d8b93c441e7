package deployment

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sort"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/compose-spec/compose-go/v2/utils"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Load reads the deployment. An error means that there is nothing to look at
// (no folder, no compose file at all); whatever Compose refuses beyond that is
// in Problems, and the rest is loaded as well as can be.
func Load(ctx context.Context, o Options) (*Deployment, error) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return nil, fmt.Errorf("folder %q: %w", o.Dir, err)
	}
	info, err := os.Stat(dir)
	switch {
	case err != nil:
		return nil, fmt.Errorf("the folder %s cannot be read: %s", o.Dir, bareReason(err))
	case !info.IsDir():
		return nil, fmt.Errorf("%s is not a folder", o.Dir)
	}
	var d *Deployment
	quietly(func() { d, err = loadSafely(ctx, o, dir) })
	return d, err
}

// loadSafely turns a fault of the loader itself into an error: files are not
// to be trusted, and the caller has other things to say.
func loadSafely(ctx context.Context, o Options, dir string) (d *Deployment, err error) {
	defer func() {
		if r := recover(); r != nil {
			d, err = nil, fmt.Errorf("a fault of kopano-doctor while reading %s: %v", dir, r)
		}
	}()
	return load(ctx, o, dir)
}

func load(ctx context.Context, o Options, dir string) (*Deployment, error) {
	w := newWalker(dir)
	s := choose(w, o, dir)
	files, err := s.read()
	if err != nil {
		return nil, err
	}
	s.projectName(files)
	tree := w.model(files, s.workDir, s.scope, nil)
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	project, accepted := loadProject(ctx, s, files, tree)
	d := &Deployment{
		Dir: dir, Project: s.name, Named: s.named, Model: project, Accepted: accepted,
		process:  utils.GetAsEqualsMap(o.Environ),
		services: map[string]*Service{}, sources: &sources{walker: w, tree: tidy(tree)},
	}
	d.fill(s)
	return d, nil
}

// fill completes the deployment from what was read.
func (d *Deployment) fill(s *selection) {
	w := s.w
	d.resolveEnvironment(s)
	for name, sc := range d.Model.Services {
		d.addService(name, sc, s)
	}
	sort.Slice(d.Services, func(i, j int) bool { return d.Services[i].Name < d.Services[j].Name })
	for _, src := range w.compose {
		d.Files = append(d.Files, src.name)
	}
	d.NotLoaded = d.notLoaded()
	if s.origin == defaultNames {
		d.FilesLeft = d.filesLeft()
	}
	d.EnvFiles = w.envFiles.sorted()
	d.EnvBeside = d.envBeside()
	d.Missing = d.missingSources()
	d.Unset = sortUses(append(w.unset, w.envFiles.unset...), d.fileOrder())
	if d.Accepted {
		w.problems.keepAccepted()
	}
	w.problems.dropConsequences()
	d.sources.learn(d)
	d.Problems = w.problems.sorted()
	for i := range d.Problems {
		// compose-go's own words may quote a value.
		p := &d.Problems[i]
		p.Message, p.Remedy = d.sources.hide.redactor.Redact(p.Message), d.sources.hide.redactor.Redact(p.Remedy)
	}
}

// keepAccepted drops what Compose turned out to accept: a part that is not
// active, such as a service of a profile that is off.
func (ps *problems) keepAccepted() {
	ps.groups = nil // their indexes are not kept
	kept := ps.list[:0]
	for _, p := range ps.list {
		if p.Severity != finding.Error {
			kept = append(kept, p)
		}
	}
	ps.list = kept
}

// fileOrder ranks the files for sorting by place.
func (d *Deployment) fileOrder() map[string]int {
	rank := map[string]int{}
	for _, f := range d.EnvFiles {
		if f.Project {
			rank[f.File] = len(rank)
		}
	}
	for _, f := range d.Files {
		rank[f] = len(rank)
	}
	for _, f := range d.EnvFiles {
		if _, ok := rank[f.File]; !ok {
			rank[f.File] = len(rank)
		}
	}
	return rank
}

// sortUses orders uses by place and drops repetitions: an anchor's text is
// seen once where it is written and once for each service that uses it.
func sortUses(in []VariableUse, rank map[string]int) []VariableUse {
	type spot struct {
		name string
		at   finding.Location
	}
	inService := map[spot]bool{}
	for _, u := range in {
		if u.Service != "" {
			inService[spot{u.Name, u.At}] = true
		}
	}
	seen := map[VariableUse]bool{}
	var out []VariableUse
	for _, u := range in {
		if seen[u] || u.Service == "" && inService[spot{u.Name, u.At}] {
			continue
		}
		seen[u] = true
		out = append(out, u)
	}
	sort.SliceStable(out, func(i, j int) bool {
		a, b := out[i], out[j]
		switch {
		case a.At.File != b.At.File:
			return rank[a.At.File] < rank[b.At.File]
		case a.At.Line != b.At.Line:
			return a.At.Line < b.At.Line
		case a.At.Column != b.At.Column:
			return a.At.Column < b.At.Column
		}
		return a.Service < b.Service
	})
	return out
}

func emptyProject(s *selection) *types.Project {
	return &types.Project{
		Name: s.name, WorkingDir: s.workDir, Environment: s.scope.mapping(),
		Services: types.Services{}, Networks: types.Networks{}, Volumes: types.Volumes{},
	}
}
