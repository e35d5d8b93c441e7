package doctor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/cli"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// Folders are the deployments that some paths belong to.
type Folders struct {
	Dirs  []string // absolute and sorted, each once
	Alone []string // files that no deployment loads, as they were given
	Other []string // folders with a deployment that has nothing of Kopano in it, absolute and sorted
	Cut   []string // folders below which not everything was looked through, since it is too much
}

// The bounds of looking for deployments below a folder.
const (
	maxFolders = 20000
	maxDepth   = 12
)

// FindFolders gives the deployments that paths belong to. A folder with a
// deployment stands for that one, another folder for all those below it. A file
// stands for every deployment that loads it, or that has it for its settings:
// those in the folders of the same Git working tree, of the current folder where
// the file is in no working tree, else of the file's own folder. Deployments
// without anything of Kopano count only where their folder was given. load gives
// the options to load the deployment of a folder. The error says which path
// cannot be read, or has no deployment.
func FindFolders(ctx context.Context, paths []string, load func(dir string) deployment.Options) (*Folders, error) {
	f := &finder{ctx: ctx, load: load, below: map[string][]string{}, files: map[string][]string{}}
	for _, path := range paths {
		if err := f.path(path); err != nil {
			return nil, err
		}
	}
	for _, list := range []*[]string{&f.out.Dirs, &f.out.Other, &f.out.Cut} {
		slices.Sort(*list)
		*list = slices.Compact(*list)
	}
	return &f.out, ctx.Err()
}

// finder remembers what was found for one path, since the next one is mostly
// beside it.
type finder struct {
	ctx   context.Context
	load  func(string) deployment.Options
	out   Folders
	below map[string][]string // deployments below a folder
	files map[string][]string // the files that a deployment is made of, without links in their paths
}

func (f *finder) path(path string) error {
	abs, err := filepath.Abs(path)
	if err != nil {
		return err
	}
	info, err := os.Stat(abs)
	switch {
	case err != nil:
		return fmt.Errorf("%s cannot be read: %w", path, reason(err))
	case !info.IsDir():
		return f.file(path, abs)
	case holdsDeployment(abs):
		f.out.Dirs = append(f.out.Dirs, abs)
		return nil
	}
	found, err := f.deployments(abs)
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return fmt.Errorf("there is no compose file in %s or below", path)
	}
	for _, dir := range found {
		f.add(dir)
	}
	return nil
}

// file adds the deployments that load a file.
func (f *finder) file(given, abs string) error {
	found, err := f.deployments(around(abs))
	if err != nil {
		return err
	}
	known, real := false, withoutLinks(abs)
	for _, dir := range found {
		if slices.Contains(f.loads(dir), real) || settingsOf(dir) == real {
			f.add(dir)
			known = true
		}
	}
	if !known {
		f.out.Alone = append(f.out.Alone, given)
	}
	return f.ctx.Err()
}

// around gives the folder below which the deployments of a file are looked for.
func around(file string) string {
	dir := filepath.Dir(file)
	if top := workingTree(dir); top != "" {
		return top
	}
	here, err := os.Getwd()
	if err != nil {
		return dir
	}
	if rel, err := filepath.Rel(here, dir); err == nil && filepath.IsLocal(rel) {
		return here
	}
	return dir
}

// add takes a deployment that nobody named, when it is one of Kopano.
func (f *finder) add(dir string) {
	if slices.ContainsFunc(f.loads(dir), namesKopano) {
		f.out.Dirs = append(f.out.Dirs, dir)
	} else {
		f.out.Other = append(f.out.Other, dir)
	}
}

// loads gives the files that a deployment is made of.
func (f *finder) loads(dir string) []string {
	if files, ok := f.files[dir]; ok {
		return files
	}
	var files []string
	if d, err := deployment.Load(f.ctx, f.load(dir)); err != nil {
		files = append(files, withoutLinks(filepath.Join(dir, ".env"))) // it names what is not there
	} else {
		for _, name := range d.Files {
			files = append(files, withoutLinks(within(d.Dir, name)))
		}
		for _, e := range d.EnvFiles {
			files = append(files, withoutLinks(within(d.Dir, e.File)))
		}
	}
	f.files[dir] = files
	return files
}

// settingsOf gives the file with settings of a deployment, "" for none.
func settingsOf(dir string) string {
	name, err := config.Find(dir)
	if err != nil || name == "" {
		return ""
	}
	return withoutLinks(name)
}

func within(dir, name string) string {
	if filepath.IsAbs(name) {
		return name
	}
	return filepath.Join(dir, filepath.FromSlash(name))
}

// withoutLinks gives a path without links in it, where it leads anywhere.
func withoutLinks(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		return real
	}
	return filepath.Clean(path)
}

// deployments gives the folders with a deployment in a folder and below, sorted.
// Hidden folders and those of packages are not looked into, nor are links.
func (f *finder) deployments(top string) ([]string, error) {
	if found, ok := f.below[top]; ok {
		return found, nil
	}
	var found []string
	folders := 0
	err := filepath.WalkDir(top, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case f.ctx.Err() != nil:
			return f.ctx.Err()
		case err != nil && path == top:
			return fmt.Errorf("%s cannot be read: %w", top, reason(err))
		case err != nil: // a folder that is closed to this user
			f.out.Cut = append(f.out.Cut, path)
			return fs.SkipDir
		case !entry.IsDir():
			return nil
		case path != top && (strings.HasPrefix(entry.Name(), ".") || entry.Name() == "node_modules" || entry.Name() == "vendor"):
			return fs.SkipDir
		}
		folders++
		if folders > maxFolders {
			f.out.Cut = append(f.out.Cut, top)
			return fs.SkipAll
		}
		if holdsDeployment(path) {
			found = append(found, path)
		}
		if rel, err := filepath.Rel(top, path); err == nil && strings.Count(rel, string(filepath.Separator)) >= maxDepth {
			f.out.Cut = append(f.out.Cut, path)
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	f.below[top] = found
	return found, nil
}

// What the line begins with that says which compose files there are.
var (
	namedByEnv      = regexp.MustCompile(`(?m)^\s*(export\s+)?COMPOSE_FILE\s*=\s*[^\s]`)
	namedBySettings = regexp.MustCompile(`(?m)^file\s*:`)
)

// holdsDeployment reports whether a folder is one that Docker Compose is run in:
// it has a file of a default name, or COMPOSE_FILE in .env, or settings of
// kopano-doctor that name the files.
func holdsDeployment(dir string) bool {
	for _, name := range cli.DefaultFileNames {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return true
		}
	}
	if text, err := readSome(filepath.Join(dir, ".env")); err == nil && namedByEnv.Match(text) {
		return true
	}
	for _, name := range config.Names() {
		if text, err := readSome(filepath.Join(dir, name)); err == nil && namedBySettings.Match(text) {
			return true
		}
	}
	return false
}

// namesKopano reports whether a file has a word of Kopano in it: the name, or
// what only its images know. A file that cannot be read may be one.
func namesKopano(file string) bool {
	text, err := readSome(file)
	if err != nil {
		return true
	}
	text = bytes.ToLower(text)
	for _, word := range []string{"kopano", "kcconf_", "service_to_start"} {
		if bytes.Contains(text, []byte(word)) {
			return true
		}
	}
	return false
}

// maxRead is how much of a file is looked at, in bytes.
const maxRead = 1 << 20

// readSome gives the beginning of a regular file: a pipe might never end.
func readSome(name string) ([]byte, error) {
	info, err := os.Stat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("no regular file")
	}
	file, err := os.Open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(io.LimitReader(file, maxRead))
}

// reason gives why a path cannot be read, without the path.
func reason(err error) error {
	var p *fs.PathError
	if errors.As(err, &p) {
		return p.Err
	}
	return err
}

// TopOfAll gives the folder that reports of several deployments name their files
// from: the current one when all are in it, else the deepest that holds them all;
// and that folder as seen from the top of its Git working tree, "" for the top
// or outside of any.
func TopOfAll(dirs []string) (base, inRepository string, err error) {
	base, err = os.Getwd()
	if err != nil {
		return "", "", err
	}
	if slices.ContainsFunc(dirs, func(dir string) bool { return !inside(base, dir) }) {
		base = dirs[0]
		for _, dir := range dirs {
			for !inside(base, dir) && base != filepath.Dir(base) {
				base = filepath.Dir(base)
			}
		}
	}
	if rel, err := filepath.Rel(workingTree(base), base); err == nil && workingTree(base) != "" && rel != "." {
		inRepository = filepath.ToSlash(rel)
	}
	return base, inRepository, nil
}

func inside(base, dir string) bool {
	rel, err := filepath.Rel(base, dir)
	return err == nil && filepath.IsLocal(rel)
}
