package deployment

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestOwnMerge holds the merge of the located tree, which gives the places and
// what is left of a refused deployment, to compose-go's: loading its outcome
// must give the same project as loading the files.
func TestOwnMerge(t *testing.T) {
	var dirs []string
	for _, pattern := range []string{"../../testdata/deployments/*", os.Getenv("KOPANO_DOCTOR_CORPUS") + "/*", os.Getenv("KOPANO_DOCTOR_CORPUS") + "/third-party/*/*"} {
		found, _ := filepath.Glob(pattern)
		dirs = append(dirs, found...)
	}
	compared := 0
	for _, dir := range dirs {
		environ, _ := os.ReadFile(filepath.Join(dir, "environ"))
		o := Options{Dir: dir, Environ: strings.Split(string(environ), "\n")}
		d, err := Load(context.Background(), o)
		if err != nil || !d.Accepted {
			continue
		}
		compared++
		t.Run(filepath.Base(dir), func(t *testing.T) { compareMerge(t, o, d) })
	}
	if compared < 8 {
		t.Errorf("only %d deployments compared", compared)
	}
}

func compareMerge(t *testing.T, o Options, d *Deployment) {
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		t.Fatal(err)
	}
	quietly(func() {
		w := newWalker(dir)
		s := choose(w, o, dir)
		files, err := s.read()
		if err != nil {
			t.Fatal(err)
		}
		s.projectName(files)
		tree := w.model(files, s.workDir, s.scope, nil)
		dict, _ := tidy(tree).plain(s.workDir).(map[string]any)
		delete(dict, "version")
		p, err := loadTree(context.Background(), s, dict, true)
		if err != nil {
			t.Fatalf("compose-go refuses our merge: %v", err)
		}
		if p, err = resolveProject(p); err != nil {
			t.Fatal(err)
		}
		got, want := asJSON(t, p), asJSON(t, d.Model)
		for _, section := range []string{"services", "networks", "volumes", "secrets", "configs"} {
			g, _ := got[section].(map[string]any)
			w, _ := want[section].(map[string]any)
			for name := range w {
				if !reflect.DeepEqual(g[name], w[name]) {
					t.Errorf("%s.%s: our merge gives\n%v\ncompose-go's\n%v", section, name, g[name], w[name])
				}
			}
			if len(g) != len(w) {
				t.Errorf("%s: %d in our merge, %d in compose-go's", section, len(g), len(w))
			}
		}
	})
}

func asJSON(t *testing.T, v any) map[string]any {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	return m
}
