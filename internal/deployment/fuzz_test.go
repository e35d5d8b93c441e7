package deployment_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// FuzzLoad loads any compose and env file: the loader must not fail by itself,
// every refusal must be explained, and every value must have a place.
func FuzzLoad(f *testing.F) {
	for _, pattern := range []string{"../../testdata/deployments/*/*.y*ml", "../../testdata/refused/*/*.y*ml"} {
		files, _ := filepath.Glob(pattern)
		for _, name := range files {
			text, err := os.ReadFile(name)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(string(text), "A=1\nNAME=${A}\n")
		}
	}
	f.Fuzz(func(t *testing.T, compose, env string) {
		for _, outside := range []string{"/", "..", "~"} {
			if strings.Contains(compose, outside) && (strings.Contains(compose, "extends") || strings.Contains(compose, "include") || strings.Contains(compose, "_file")) {
				return // would read the machine's own files
			}
		}
		dir := write(t, map[string]string{"compose.yaml": compose, ".env": env, "x.env": env})
		d, err := loadInTime(t, deployment.Options{Dir: dir})
		if err != nil {
			if strings.Contains(err.Error(), "fault of kopano-doctor") {
				t.Fatal(err)
			}
			return
		}
		refusals := 0
		for _, p := range d.Problems {
			if p.Severity.String() == "error" {
				refusals++
			}
			checkProblem(t, p)
		}
		if d.Accepted != (refusals == 0) {
			t.Errorf("accepted %v with %d errors: %+v", d.Accepted, refusals, d.Problems)
		}
		for _, s := range d.Services {
			if s.At.Line == 0 || s.Locate("image").IsZero() {
				t.Errorf("service %q has no place", s.Name)
			}
			for k, v := range s.Env {
				if v.At.Line == 0 {
					t.Errorf("%q of %q has no place", k, s.Name)
				}
				_ = d.Excerpt(v.At)
			}
		}
	})
}
