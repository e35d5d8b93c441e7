package doctor

import (
	"os"
	"path/filepath"
	"sync"

	"github.com/fsnotify/fsnotify"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// fileWatch rings when a file of the deployment changes. It watches folders,
// since editors and deployment tools put a new file in the place of the old one.
type fileWatch struct {
	watcher *fsnotify.Watcher // nil: this machine cannot
	ring    func()
	note    func(format string, args ...any)

	mu     sync.Mutex
	files  map[string]bool // absolute
	dirs   map[string]bool
	failed bool // and it was said
}

func watchFiles(ring func(), note func(string, ...any)) *fileWatch {
	w := &fileWatch{ring: ring, note: note, files: map[string]bool{}, dirs: map[string]bool{}}
	watcher, err := fsnotify.NewWatcher()
	if err != nil {
		w.fail(err)
		return w
	}
	w.watcher = watcher
	go w.run()
	return w
}

func (w *fileWatch) fail(err error) {
	if !w.failed {
		w.failed = true
		w.note("changes of the files are seen only after the interval: %s", err)
	}
}

func (w *fileWatch) run() {
	for {
		select {
		case e, ok := <-w.watcher.Events:
			if !ok {
				return
			}
			// Whoever only reads or makes a backup changes no more than times.
			if e.Op != fsnotify.Chmod && w.belongs(e.Name) {
				w.ring()
			}
		case _, ok := <-w.watcher.Errors:
			if !ok {
				return
			}
			w.ring() // events were lost
		}
	}
}

// belongs reports whether a file is one of the deployment, or may become one:
// an override file, an env file or settings that were not there before.
func (w *fileWatch) belongs(file string) bool {
	w.mu.Lock()
	known := w.files[file]
	w.mu.Unlock()
	name := filepath.Base(file)
	switch ext := filepath.Ext(name); {
	case known, name == ".env":
		return true
	default:
		return ext == ".yml" || ext == ".yaml" || ext == ".env"
	}
}

// add watches the folders of files, and those that symbolic links lead to.
func (w *fileWatch) add(files []string) {
	for _, f := range files {
		w.one(f)
		if real, err := filepath.EvalSymlinks(f); err == nil && real != f {
			w.one(real)
		}
	}
}

func (w *fileWatch) one(file string) {
	dir := filepath.Dir(file)
	w.mu.Lock()
	w.files[file] = true
	known := w.dirs[dir]
	w.dirs[dir] = true
	w.mu.Unlock()
	if known || w.watcher == nil {
		return
	}
	if err := w.watcher.Add(dir); err != nil && !os.IsNotExist(err) {
		w.fail(err)
	}
}

func (w *fileWatch) close() {
	if w.watcher != nil {
		_ = w.watcher.Close()
	}
}

// filesOf gives all that was read of a deployment, and what would be read if it
// were there: a file in its folder.
func filesOf(d *deployment.Deployment, o Options) []string {
	names := append([]string{".env"}, d.Files...)
	for _, e := range d.EnvFiles {
		names = append(names, e.File)
	}
	if settings, err := filepath.Abs(o.Config.File); err == nil && o.Config.File != "" {
		names = append(names, settings)
	}
	out := make([]string, 0, len(names))
	for _, n := range names {
		n = filepath.FromSlash(n)
		if !filepath.IsAbs(n) {
			n = filepath.Join(d.Dir, n)
		}
		out = append(out, n)
	}
	return out
}
