package deployment_test

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/cli"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// environ beside a deployment holds the KEY=VALUE lines of the process that loads it.
const environ = "environ"

// loadCase is one deployment that the tests load.
type loadCase struct {
	name    string
	options deployment.Options
}

// allCases gives every deployment of testdata and of the corpus.
func allCases(t *testing.T) []loadCase {
	t.Helper()
	cases := folders(t, "../../testdata/deployments", false)
	corpus := os.Getenv("KOPANO_DOCTOR_CORPUS")
	if corpus == "" {
		t.Log("KOPANO_DOCTOR_CORPUS is not set: only testdata is loaded")
		return cases
	}
	found := folders(t, corpus, true)
	if len(found) < 10 {
		t.Fatalf("only %d deployments found in KOPANO_DOCTOR_CORPUS", len(found))
	}
	return append(cases, found...)
}

// folders finds the deployments below a folder: folders with a compose file of
// a default name or a COMPOSE_FILE, and, with lone, every other compose file by itself.
func folders(t *testing.T, root string, lone bool) []loadCase {
	t.Helper()
	root, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	var cases []loadCase
	err = filepath.WalkDir(root, func(path string, e fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, path)
		if err != nil {
			return err
		}
		switch {
		case e.IsDir() && (lone || filepath.Dir(path) == root) && isDeployment(path):
			cases = append(cases, loadCase{name, deployment.Options{Dir: path, Environ: processOf(path)}})
		case lone && !e.IsDir() && (strings.HasSuffix(path, ".yml") || strings.Contains(path, "override.yml-")) && !slices.Contains(cli.DefaultFileNames, filepath.Base(path)):
			cases = append(cases, loadCase{name, deployment.Options{Dir: filepath.Dir(path), Files: []string{filepath.Base(path)}}})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return cases
}

func isDeployment(dir string) bool {
	for _, n := range cli.DefaultFileNames {
		if _, err := os.Stat(filepath.Join(dir, n)); err == nil {
			return true
		}
	}
	text, err := os.ReadFile(filepath.Join(dir, ".env"))
	return err == nil && strings.Contains(string(text), "COMPOSE_FILE=")
}

func processOf(dir string) []string {
	text, err := os.ReadFile(filepath.Join(dir, environ))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n")
}

func load(t *testing.T, o deployment.Options) *deployment.Deployment {
	t.Helper()
	d, err := deployment.Load(context.Background(), o)
	if err != nil {
		t.Fatal(err)
	}
	return d
}
