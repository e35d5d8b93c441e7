// Package config reads .kopano-doctor.yaml, the settings of kopano-doctor for
// one deployment.
package config

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Names are the names under which the file is looked for.
func Names() []string { return []string{".kopano-doctor.yaml", ".kopano-doctor.yml"} }

// Off is the severity of findings that are dropped.
const Off finding.Severity = 0

// Config is what the file says; what it does not say is the zero value.
type Config struct {
	File            string                      // its path
	Severity        map[string]finding.Severity // by rule ID; Off drops the findings
	Ignores         []Ignore
	CertificateDays int      // how many days before its end a certificate is warned about
	ExternalHosts   []string // names without a dot that exist outside the deployment

	// Keys are those that stand in the file, by their names. Those that are flags
	// too have their values, which fit the flag.
	Keys map[string]Key
}

// Key is a key at the top of the file.
type Key struct {
	Values []string         // as they would be given on the command line
	At     finding.Location // of its value
}

// Ignore is a kind of finding that is accepted.
type Ignore struct {
	Rule    string
	Subject string // pattern of path.Match; "" fits any
	File    string // pattern of path.Match; "" fits any
	Reason  string
	Until   string           // the last day on which it counts, as 2027-03-31; "" for ever
	At      finding.Location // its first line; Excerpt is filled
}

// IDs are the IDs that findings may have.
type IDs struct {
	Known   []string
	Retired []string // those of rules that are gone: accepted, without effect
}

// Find gives the path of the file that belongs to a deployment: in its folder,
// else in one of the folders above, up to the root of its Git repository.
// Outside of a repository the folders above may be anybody's, and are not
// looked at. It gives "" when there is none.
func Find(dir string) (string, error) {
	abs, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for _, folder := range upToRoot(abs) {
		var found []string
		for _, name := range Names() {
			file := filepath.Join(folder, name)
			switch _, err := os.Stat(file); {
			case err == nil:
				found = append(found, file)
			case !errors.Is(err, fs.ErrNotExist):
				return "", err
			}
		}
		switch len(found) {
		case 1:
			return found[0], nil
		case 2:
			return "", fmt.Errorf("%s and %s are both there; keep one", found[0], filepath.Base(found[1]))
		}
	}
	return "", nil
}

// upToRoot gives the folder and those above it, up to the root of the Git repository.
func upToRoot(dir string) []string {
	folders := []string{dir}
	for at := dir; ; {
		if _, err := os.Stat(filepath.Join(at, ".git")); err == nil {
			return folders
		}
		up := filepath.Dir(at)
		if up == at {
			return folders[:1]
		}
		at = up
		folders = append(folders, at)
	}
}

// Load reads a file. Places in it are named relative to dir, the deployment's
// folder. The error is a Mistakes when the file does not say what it should.
func Load(file, dir string, ids IDs) (*Config, error) {
	y, err := deployment.ReadYAML(file, file)
	var syntax *deployment.SyntaxError
	switch {
	case errors.As(err, &syntax):
		return nil, Mistakes{{syntax.At, syntax.Message}}
	case err != nil:
		return nil, fmt.Errorf("%s: %w", file, err)
	}
	r := &reader{file: y, name: file, ids: ids, nodes: map[string]*yaml.Node{}, keys: map[string]*yaml.Node{}}
	value := r.document()
	if len(r.mistakes) == 0 {
		r.validate(value)
	}
	c := &Config{File: file}
	if len(r.mistakes) == 0 {
		r.fill(c, value, RelativeName(file, dir))
	}
	if len(r.mistakes) > 0 {
		return nil, r.mistakes.sorted()
	}
	return c, nil
}

// RelativeName names a file as findings do: relative to the deployment's
// folder, with forward slashes.
func RelativeName(file, dir string) string {
	f, err := filepath.Abs(file)
	if err != nil {
		return filepath.ToSlash(file)
	}
	d, err := filepath.Abs(dir)
	if err != nil {
		return filepath.ToSlash(f)
	}
	rel, err := filepath.Rel(d, f)
	if err != nil {
		return filepath.ToSlash(f)
	}
	return filepath.ToSlash(rel)
}
