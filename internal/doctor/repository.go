package doctor

import (
	"os"
	"path/filepath"
)

// workingTree gives the top of the git working tree that holds a folder, "" for
// none. Only the name .git is looked for: it is a folder, or, in a second
// working tree or a submodule, a file.
func workingTree(dir string) string {
	for {
		if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
			return dir
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return ""
		}
		dir = parent
	}
}
