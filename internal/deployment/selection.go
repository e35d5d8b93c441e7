package deployment

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"
	"github.com/compose-spec/compose-go/v2/consts"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/utils"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// selection is what Docker Compose decides before it reads a compose file:
// which files, in which folder, with which variables. Its steps are those of
// docker/compose (cmd/compose/compose.go, setEnvWithDotEnv and
// toProjectOptions) over compose-go (cli/options.go), with Options.Dir in
// place of the working folder and Options.Environ in place of the environment.
type selection struct {
	w       *walker
	o       Options
	dir     string // absolute Options.Dir
	workDir string // the project's folder
	files   []string
	origin  string // how the files were chosen, for messages
	scope   *scope
	name    string
	named   bool // the name is written down: -p, COMPOSE_PROJECT_NAME or name:
}

// defaultNames is the origin of files that nothing names.
const defaultNames = "the default names"

func choose(w *walker, o Options, dir string) *selection {
	s := &selection{w: w, o: o, dir: dir, scope: newScope()}
	for k, v := range utils.GetAsEqualsMap(o.Environ) {
		s.process(k, v)
	}
	s.process("PWD", dir) // as the shell sets it in that folder
	for _, f := range o.Files {
		s.files = append(s.files, s.composePath(f))
	}
	s.origin = "-f"
	s.workDir = s.folder()
	s.composeVariables()
	w.envFiles.project(s.scope, s.envFileRefs())
	s.chooseFiles()
	if before := s.workDir; s.folder() != before {
		// Compose reads .env once more when the project turns out to be in
		// another folder; what is set already stays.
		s.workDir = s.folder()
		w.envFiles.project(s.scope, s.envFileRefs())
	}
	return s
}

func (s *selection) process(key, value string) {
	s.scope.defs[key] = &definition{name: key, value: value, source: FromProcess, at: finding.Location{File: processEnvironment}}
}

func (s *selection) composePath(file string) string {
	if isRemote(file) {
		return file
	}
	return resolve(s.dir, file)
}

// folder is the project's folder: that of the first compose file.
func (s *selection) folder() string {
	for _, f := range s.files {
		if !isRemote(f) {
			return filepath.Dir(f)
		}
	}
	return s.dir
}

func (s *selection) variable(name string) string {
	v, _ := finder(s.scope.find).value(name)
	return v
}

// envFileRefs gives --env-file, COMPOSE_ENV_FILES or .env.
func (s *selection) envFileRefs() []envFileRef {
	named := s.o.EnvFiles
	if d, ok := s.scope.find("COMPOSE_ENV_FILES"); ok && len(named) == 0 && d.source == FromProcess {
		named = strings.FieldsFunc(d.value, func(r rune) bool { return r == ',' })
	}
	var refs []envFileRef
	for _, f := range named {
		refs = append(refs, envFileRef{path: resolve(s.dir, f)})
	}
	if len(refs) > 0 {
		return refs
	}
	if off, err := strconv.ParseBool(s.variable(consts.ComposeDisableDefaultEnvFile)); err == nil && off {
		return nil
	}
	def := filepath.Join(s.workDir, ".env")
	info, err := os.Stat(def)
	if err != nil || info.IsDir() {
		return nil
	}
	return []envFileRef{{path: def}}
}

// composeVariables takes the COMPOSE_… variables of .env before all others, as
// Docker Compose exports them to itself.
func (s *selection) composeVariables() {
	sc := s.scope.clone()
	probe := &envFiles{w: newWalker(s.dir), at: map[string]int{}}
	probe.w.sources, probe.w.failed = s.w.sources, s.w.failed
	probe.project(sc, s.envFileRefs())
	for k, d := range sc.defs {
		if _, known := s.scope.defs[k]; !known && strings.HasPrefix(k, "COMPOSE_") {
			s.scope.defs[k] = d
		}
	}
	s.w.unsafe = s.w.unsafe || probe.w.unsafe
}

// chooseFiles applies COMPOSE_FILE and the default names.
func (s *selection) chooseFiles() {
	if len(s.files) > 0 {
		return
	}
	if list, ok := s.scope.find(consts.ComposeFilePath); ok {
		s.origin = "COMPOSE_FILE"
		separator := s.variable(consts.ComposePathSeparator)
		if separator == "" {
			separator = string(os.PathListSeparator)
		}
		for _, f := range s.separated(strings.Split(list.value, separator), separator) {
			s.files = append(s.files, s.composePath(f))
		}
		return
	}
	s.origin = defaultNames
	for dir := s.dir; ; dir = filepath.Dir(dir) {
		if f, ok := firstOf(dir, cli.DefaultFileNames); ok {
			s.files = []string{f}
			if over, ok := firstOf(dir, cli.DefaultOverrideFileNames); ok {
				s.files = append(s.files, over)
			}
			return
		}
		if dir == filepath.Dir(dir) {
			return
		}
	}
}

func firstOf(dir string, names []string) (string, bool) {
	for _, n := range names {
		f := filepath.Join(dir, n)
		if _, err := os.Stat(f); err == nil {
			return f, true
		}
	}
	return "", false
}

// read reads the chosen files. A file that is not there is a problem; it is an
// error when nothing is.
func (s *selection) read() ([]*source, error) {
	if len(s.files) == 0 {
		return nil, fmt.Errorf("there is no compose file in %s or above (looked for %s)", s.dir, strings.Join(cli.DefaultFileNames, ", "))
	}
	var out []*source
	found := false
	for _, f := range s.files {
		if isRemote(f) {
			s.w.notFetched(s.originAt(f), f)
			continue
		}
		src, u := s.w.composeFile(f)
		if u == nil {
			out, found = append(out, src), true
			continue
		}
		found = found || !u.missing
		s.w.composeUnreadable(filepath.Base(f), f, u, s.originAt(f), s.origin)
	}
	if !found {
		return nil, errors.New(s.nothing())
	}
	return out, nil
}

func (s *selection) nothing() string {
	names := make([]string, 0, len(s.files))
	for _, f := range s.files {
		names = append(names, s.w.name(f))
	}
	if len(names) == 1 {
		return fmt.Sprintf("the compose file %s (named by %s) does not exist", names[0], s.origin)
	}
	return fmt.Sprintf("none of the compose files %s (named by %s) exists", strings.Join(names, ", "), s.origin)
}

// originAt is where COMPOSE_FILE names a file, as exactly as can be told.
func (s *selection) originAt(file string) finding.Location {
	d, ok := s.scope.find(consts.ComposeFilePath)
	if s.origin != "COMPOSE_FILE" || !ok {
		return finding.Location{File: s.w.name(file)}
	}
	at := d.at
	if at.Line == 0 {
		return at
	}
	src, u := s.w.read(resolve(s.dir, at.File))
	if u != nil {
		return at
	}
	line, _ := src.lineSpan(at.Line)
	if i := strings.Index(src.text[line.from:line.to], s.w.name(file)); i >= 0 {
		return src.at(line.from + i)
	}
	return at
}

// projectName settles the name as compose-go does (cli/options.go,
// withNamePrecedenceLoad; loader/loader.go, projectName).
func (s *selection) projectName(files []*source) {
	s.name = s.o.ProjectName
	by := "-p"
	if s.name == "" {
		s.name, by = s.variable(consts.ComposeProjectName), consts.ComposeProjectName
	}
	if s.named = s.name != ""; s.named {
		if good := loader.NormalizeProjectName(s.name); good != s.name {
			s.w.refuse(Refused, s.name, fmt.Sprintf("The project name %q, given by %s, is not allowed: only lower-case letters, digits, - and _, with a letter or digit first.", shorten(s.name), by),
				fmt.Sprintf("Use %q.", good), "name", s.nameAt(by))
			s.name = good
		}
		s.defineName(finding.Location{File: processEnvironment}, FromProcess)
		return
	}
	if at := s.nameInFiles(files); at != nil {
		s.named = true
		s.defineName(at.location(), FromDefault)
		return
	}
	s.name = loader.NormalizeProjectName(filepath.Base(s.workDir))
	s.defineName(finding.Location{File: processEnvironment}, FromProcess)
}

func (s *selection) nameAt(by string) finding.Location {
	if d, ok := s.scope.find(by); ok {
		return d.at
	}
	return finding.Location{File: processEnvironment}
}

func (s *selection) nameInFiles(files []*source) *node {
	var at *node
	for _, f := range files {
		for _, y := range s.w.documents(f) {
			n := topField(s.w, f, y, "name", s.scope)
			if n == nil || n.kind != kindScalar || n.text == "" {
				continue
			}
			if name := loader.NormalizeProjectName(n.text); name != "" {
				at, s.name = n, name
			}
		}
	}
	return at
}

func (s *selection) defineName(at finding.Location, source Source) {
	if d, ok := s.scope.find(consts.ComposeProjectName); ok && d.value == s.name {
		return
	}
	s.scope.defs[consts.ComposeProjectName] = &definition{name: consts.ComposeProjectName, value: s.name, source: source, at: at}
}

// profiles gives the active profiles.
func (s *selection) profiles() []string {
	if len(s.o.Profiles) > 0 {
		return s.o.Profiles
	}
	var out []string
	for _, p := range strings.Split(s.variable(consts.ComposeProfiles), ",") {
		out = append(out, strings.TrimSpace(p))
	}
	return out
}
