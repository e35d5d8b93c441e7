package fix

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// shadow is a copy of the file system, as far as the deployment can tell: the
// folders on the way to it are real, the files that were changed are copies,
// and everything else is a symbolic link. Compose follows relative names in it
// as in the original.
type shadow struct {
	root string
	dir  string          // the folder of the original
	real map[string]bool // folders of the original that are no links in the copy
}

func newShadow(dir string) (*shadow, error) {
	if filepath.VolumeName(dir) != "" {
		return nil, errors.New("folders with a drive letter are not supported")
	}
	root, err := os.MkdirTemp("", "kopano-doctor-")
	if err != nil {
		return nil, err
	}
	if resolved, err := filepath.EvalSymlinks(root); err == nil {
		root = resolved
	}
	s := &shadow{root: root, dir: dir, real: map[string]bool{}}
	if err := s.unfold(dir); err != nil {
		s.remove()
		return nil, err
	}
	return s, nil
}

// remove deletes the copy; links in it are not followed.
func (s *shadow) remove() { _ = os.RemoveAll(s.root) }

// most is how many entries of a folder are linked; nobody keeps more beside a compose file.
const most = 20_000

// unfold makes a folder of the original a real one in the copy, with links to what is in it.
func (s *shadow) unfold(dir string) error {
	if s.real[dir] {
		return nil
	}
	parent := filepath.Dir(dir)
	if parent != dir {
		if err := s.unfold(parent); err != nil {
			return err
		}
		here := s.path(dir)
		if info, err := os.Lstat(here); err == nil && info.Mode()&fs.ModeSymlink != 0 {
			if err := os.Remove(here); err != nil {
				return err
			}
		}
		if err := os.Mkdir(here, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	s.real[dir] = true
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > most {
		return nil // the names on the way are known all the same
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		if name == s.root {
			continue
		}
		if err := os.Symlink(name, s.path(name)); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
	}
	return nil
}

// path is where a file of the original is in the copy.
func (s *shadow) path(original string) string { return filepath.Join(s.root, original) }

// write puts texts into the copy, by their names; files that are in before and
// not in texts become links again.
func (s *shadow) write(dir string, texts, before map[string]string) error {
	for name := range before {
		if _, ok := texts[name]; ok {
			continue
		}
		original := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.Remove(s.path(original)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if _, err := os.Lstat(original); err == nil {
			if err := os.Symlink(original, s.path(original)); err != nil {
				return err
			}
		}
	}
	for name, text := range texts {
		original := filepath.Join(dir, filepath.FromSlash(name))
		if err := s.unfold(filepath.Dir(original)); err != nil {
			return err
		}
		if err := os.Remove(s.path(original)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		if err := os.WriteFile(s.path(original), []byte(text), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// options are those that load the copy in place of the original.
func (s *shadow) options(o deployment.Options, dir string) deployment.Options {
	o.Dir = s.path(dir)
	o.Files, o.EnvFiles = s.moved(o.Files), s.moved(o.EnvFiles)
	return o
}

func (s *shadow) moved(files []string) []string {
	out := slices.Clone(files)
	for i, f := range out {
		if filepath.IsAbs(f) {
			out[i] = s.path(f)
		}
	}
	return out
}

// realName gives the name that a file of the copy has in the original. They
// differ only for files that the configuration names by an absolute path.
func (s *shadow) realName(name string) string {
	path := filepath.Join(s.path(s.dir), filepath.FromSlash(name))
	if inside, ok := strings.CutPrefix(path, s.root+string(filepath.Separator)); ok {
		path = string(filepath.Separator) + inside
	}
	rel, err := filepath.Rel(s.dir, path)
	if err != nil {
		return name
	}
	return filepath.ToSlash(rel)
}
