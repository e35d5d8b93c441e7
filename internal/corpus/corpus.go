// Package corpus finds the deployments below a folder, to run rules over them.
package corpus

import (
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
)

// Deployment is one that was found.
type Deployment struct {
	deployment.Options
	Name string // below the folder that was searched: the folder, or the file
	Part bool   // a compose file by itself: an overlay, or a part to copy from
}

// defaults are the names that Compose loads by itself.
var defaults = []string{"compose.yaml", "compose.yml", "docker-compose.yml", "docker-compose.yaml"}

// Find gives everything below a folder that Compose may load, in the order of
// the names: folders with a file of a default name or a COMPOSE_FILE in .env,
// and every other compose file on its own. What the process environment is to hold stands in the file
// "environ" beside them.
func Find(root string) ([]Deployment, error) {
	var out []Deployment
	err := filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		d := Deployment{Options: deployment.Options{Dir: filepath.Dir(path), Environ: environ(filepath.Dir(path))}}
		switch ext := filepath.Ext(e.Name()); {
		case slices.Contains(defaults, e.Name()), e.Name() == ".env" && chooses(path):
			d.Name = relative(root, d.Dir)
		case (ext == ".yml" || ext == ".yaml" || strings.Contains(e.Name(), ".yml-")) && !strings.HasPrefix(e.Name(), "."):
			d.Name, d.Files, d.Part = relative(root, path), []string{e.Name()}, true
		default:
			return nil
		}
		out = append(out, d)
		return nil
	})
	return out, err
}

// chooses reports whether a .env names the compose files of a folder that has
// none of a default name.
func chooses(file string) bool {
	for _, name := range defaults {
		if _, err := os.Stat(filepath.Join(filepath.Dir(file), name)); err == nil {
			return false
		}
	}
	text, err := os.ReadFile(file)
	return err == nil && strings.Contains("\n"+string(text), "\nCOMPOSE_FILE=")
}

func relative(root, path string) string {
	rel, err := filepath.Rel(root, path)
	if err != nil {
		return path // the walk only gives what is below root
	}
	return filepath.ToSlash(rel)
}

func environ(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, rulebook.Process))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}
