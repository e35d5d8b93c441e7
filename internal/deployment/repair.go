package deployment

import (
	"context"
	"fmt"
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// loadTree gives compose-go the tree that the walker has merged, in place of
// the files. strict keeps all of compose-go's checks.
func loadTree(ctx context.Context, s *selection, dict map[string]any, strict bool) (*types.Project, error) {
	file := types.ConfigFile{Filename: filepath.Join(s.workDir, "compose.yaml"), Config: clone(dict).(map[string]any)}
	return composeLoad(ctx, s, []types.ConfigFile{file}, func(o *loader.Options) {
		o.SkipInclude, o.SkipExtends = true, true
		o.SkipConsistencyCheck = !strict
	})
}

// clone copies a configuration: compose-go changes what it is given.
func clone(v any) any {
	switch c := v.(type) {
	case map[string]any:
		out := make(map[string]any, len(c))
		for k, e := range c {
			out[k] = clone(e)
		}
		return out
	case []any:
		out := make([]any, len(c))
		for i, e := range c {
			out[i] = clone(e)
		}
		return out
	}
	return v
}

// repairer loads what is left of a deployment that Compose refuses, and
// reports why it does, all of it in one go.
type repairer struct {
	ctx     context.Context
	s       *selection
	w       *walker
	tree    *node          // tidy, for places
	dict    map[string]any // the same as plain data; what is refused is taken out
	dropped []string       // paths taken out
}

// repair loads a refused deployment as far as it goes. It never fails: of a
// deployment that is broken throughout, an empty project is left.
func repair(ctx context.Context, s *selection, tree *node) *types.Project {
	r := &repairer{ctx: ctx, s: s, w: s.w, tree: tidy(tree)}
	r.dict, _ = r.tree.plain(s.workDir).(map[string]any)
	delete(r.dict, "include")
	delete(r.dict, "version")
	r.dropMisfits()
	r.dropInvalid()
	if len(r.services()) == 0 {
		return emptyProject(s)
	}
	p, err := loadTree(ctx, s, r.dict, false)
	if err != nil {
		p = r.isolate()
	}
	r.stripSlashes(p)
	r.checkConsistency(p)
	return p
}

func (r *repairer) services() map[string]any { return object(r.dict["services"]) }

// dropInvalid reports ports and volumes that do not parse.
func (r *repairer) dropInvalid() {
	for _, name := range slices.Sorted(maps.Keys(r.services())) {
		spec := object(r.services()[name])
		r.dropItems(name, spec, "ports", "a port mapping", "Write HOST:CONTAINER, with port numbers, as in \"8080:80\".", func(text string) error {
			_, err := types.ParsePortConfig(text)
			return err
		})
		r.dropItems(name, spec, "volumes", "a volume", "Write SOURCE:TARGET, as in \"data:/var/lib/data\".", func(text string) error {
			_, err := format.ParseVolume(text)
			return err
		})
		r.trimNames(name, spec)
	}
}

func (r *repairer) dropItems(service string, spec map[string]any, field, what, remedy string, parse func(string) error) {
	list, ok := spec[field].([]any)
	if !ok {
		return
	}
	kept := []any{}
	for _, v := range list {
		text, ok := v.(string)
		if !ok || parse(text) == nil {
			kept = append(kept, v)
			continue
		}
		at, written := finding.Location{}, text
		if it := r.item(service, field, text); it != nil {
			if it.broken {
				continue // a variable without value, reported as such
			}
			at, written = it.location(), it.scalar.raw
		} else {
			at, _ = r.place([]string{"services", service, field})
		}
		r.w.refuse(InvalidValue, service, fmt.Sprintf("%q of service %s is no %s that Compose can read.", shorten(text), service, strings.TrimPrefix(what, "a ")), remedy, field+"\x00"+written, at)
	}
	spec[field] = kept
}

// trimNames reports the names of an environment list that end in a blank, which
// compose-go refuses (types/mapping.go), and reads the entries as they are meant.
func (r *repairer) trimNames(service string, spec map[string]any) {
	env, _ := spec["environment"].([]any)
	for i, v := range env {
		text, _ := v.(string)
		name, value, given := strings.Cut(text, "=")
		better := strings.TrimRight(name, " ")
		if !given || better == name {
			continue
		}
		at, _ := r.place([]string{"services", service, "environment", strconv.Itoa(i)})
		meant := better + "=" + strings.TrimLeft(value, " ")
		if it := r.item(service, "environment", text); it != nil {
			at = it.location()
			it.text = strings.ReplaceAll(meant, "$$", "$")
		}
		env[i] = meant
		r.w.refuse(InvalidValue, service, fmt.Sprintf("The name %s in the environment of service %s has a blank at its end, which Compose refuses.", better, service),
			fmt.Sprintf("Write %s=… without a blank before the =.", better), environmentKey+name, at)
	}
}

// environmentKey begins the key of a problem with a name of an environment.
const environmentKey = "environment\x00"

// item finds an entry of a list by its text.
func (r *repairer) item(service, field, text string) *node {
	list := r.tree.field("services").field(service).field(field)
	if list == nil {
		return nil
	}
	for _, it := range list.items {
		if it.kind == kindScalar && strings.ReplaceAll(it.text, "$", "$$") == text {
			return it
		}
	}
	return nil
}

// isolate finds what compose-go refuses, reports it and loads the rest: of a
// service or a resource the field that the error names, else all of it.
func (r *repairer) isolate() *types.Project {
	for _, section := range []string{"networks", "volumes", "secrets", "configs", "models", "jobs", "services"} {
		entries := object(r.dict[section])
		for _, name := range slices.Sorted(maps.Keys(entries)) {
			r.isolateEntry(section, name, entries)
		}
	}
	p, err := loadTree(r.ctx, r.s, r.dict, false)
	if err != nil || len(r.services()) == 0 {
		return emptyProject(r.s)
	}
	return p
}

func (r *repairer) isolateEntry(section, name string, entries map[string]any) {
	for range maxRounds {
		alone := map[string]any{section: map[string]any{name: entries[name]}}
		if section == "services" {
			alone = maps.Clone(r.dict)
			alone["services"] = map[string]any{name: entries[name]}
		} else {
			alone["services"] = map[string]any{"x": map[string]any{"image": "x"}}
		}
		_, err := loadTree(r.ctx, r.s, alone, false)
		if err == nil {
			return
		}
		path := r.w.explain(r.s, r.tree, err)
		if len(path) < 3 || path[0] != section || path[1] != name || !written(r.dict, path[:3]) {
			break
		}
		remove(r.dict, path[:3])
	}
	delete(entries, name)
}

func written(dict map[string]any, path []string) bool {
	var v any = dict
	for _, step := range path {
		m, ok := v.(map[string]any)
		if !ok {
			return false
		}
		if v, ok = m[step]; !ok {
			return false
		}
	}
	return true
}

// stripSlashes reads "data/:/target" as Compose 1 did: the volume data.
func (r *repairer) stripSlashes(p *types.Project) {
	for _, name := range p.ServiceNames() {
		svc := p.Services[name]
		for i, v := range svc.Volumes {
			bare := strings.TrimRight(v.Source, "/")
			if _, ok := p.Volumes[v.Source]; ok || v.Type != types.VolumeTypeVolume || bare == v.Source || bare == "" {
				continue
			}
			if _, ok := p.Volumes[bare]; ok {
				r.reportSlash(name, i, v.Source, bare)
				svc.Volumes[i].Source = bare
			}
		}
	}
}

var (
	sectionPath = regexp.MustCompile(`'?\b(services|networks|volumes|secrets|configs)(?:\.([A-Za-z0-9_-]+)|\[([A-Za-z0-9._-]+)\])((?:[.\[][A-Za-z0-9_\]-]+)*)'?`)
	serviceWord = regexp.MustCompile(`service "?([A-Za-z0-9._-]+)"?`)
	ending      = regexp.MustCompile(`(: invalid compose project|: invalid project)$`)
)

// explain reports a refusal of compose-go that no other problem accounts for,
// with the best place that its words allow.
func (w *walker) explain(s *selection, tree *node, err error) []string {
	if err == nil {
		return nil
	}
	text := w.plainError(s, err)
	subject, at := s.name, finding.Location{File: w.firstFile()}
	path := errorPath(text)
	if path != nil {
		if l, _ := tree.locate(path); !l.IsZero() {
			at = l
		}
		if path[0] == "services" {
			subject = path[1]
		}
	}
	kind := Refused
	if strings.Contains(text, "invalid") || strings.Contains(text, "must ") {
		kind = InvalidValue
	}
	w.refuse(kind, subject, fmt.Sprintf("Docker Compose refuses the deployment: %s.", text),
		"Correct what the message names; `docker compose config` shows whether Compose is content.", strings.Join(path, "."), at)
	return path
}

// plainError shortens compose-go's words: one line, names of files as the
// reader knows them.
func (w *walker) plainError(s *selection, err error) string {
	text := err.Error()
	text = strings.ReplaceAll(text, s.workDir+string(filepath.Separator), "")
	text = strings.ReplaceAll(text, w.dir+string(filepath.Separator), "")
	text = ending.ReplaceAllString(text, "")
	text = strings.ReplaceAll(text, "decoding failed due to the following error(s):", "")
	text = strings.Join(strings.Fields(text), " ")
	const longest = 300
	if len(text) > longest {
		text = strings.ToValidUTF8(text[:longest], "") + "…"
	}
	return strings.TrimSuffix(text, ".")
}

func errorPath(text string) []string {
	if m := sectionPath.FindStringSubmatch(text); m != nil {
		path := []string{m[1], m[2] + m[3]}
		return append(path, strings.FieldsFunc(m[4], func(r rune) bool { return strings.ContainsRune(".[]", r) })...)
	}
	if m := serviceWord.FindStringSubmatch(text); m != nil {
		return []string{"services", m[1]}
	}
	return nil
}

func (w *walker) labelFileUnreadable(service, path string, u *unreadable, tree *node) {
	at, _ := tree.locate([]string{"services", service, "label_file"})
	w.refuse(Refused, service, fmt.Sprintf("Service %s reads the label file %s, which cannot be used: %s.", service, w.name(path), u.reason),
		"Put the file there, or take it out of label_file.", path, at)
}
