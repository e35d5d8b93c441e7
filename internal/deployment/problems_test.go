package deployment_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

var update = flag.Bool("update", false, "write the expected problems anew")

// refused holds deployments that Docker Compose refuses, each with the
// problems that the loader must find in it.
const refused = "../../testdata/refused"

// TestProblems compares kind, places and words of every problem.
func TestProblems(t *testing.T) {
	kinds := map[deployment.ProblemKind]bool{}
	for _, c := range folders(t, refused, false) {
		t.Run(c.name, func(t *testing.T) {
			d := load(t, c.options)
			if d.Accepted {
				t.Error("the loader accepts it")
			}
			for _, p := range d.Problems {
				kinds[p.Kind] = true
				checkProblem(t, p)
			}
			expect(t, filepath.Join(refused, c.name, "problems.txt"), describe(d))
		})
	}
	for _, k := range []deployment.ProblemKind{
		deployment.ComposeFileMissing, deployment.ComposeFileSeparator, deployment.EnvFileMissing, deployment.YAMLSyntax, deployment.DuplicateKey,
		deployment.UnknownField, deployment.WrongType, deployment.UndefinedVolume, deployment.UndefinedNetwork,
		deployment.UndefinedService, deployment.UndefinedResource, deployment.NoImage, deployment.DependencyCycle,
		deployment.BadInterpolation, deployment.EnvFileSyntax, deployment.InvalidValue, deployment.Refused,
	} {
		if !kinds[k] {
			t.Errorf("no example of %s", k)
		}
	}
}

func checkProblem(t *testing.T, p deployment.Problem) {
	t.Helper()
	if p.Message == "" || !strings.HasSuffix(p.Message, ".") && !strings.HasSuffix(p.Message, `."`) {
		t.Errorf("the message is no sentence: %q", p.Message)
	}
	if p.Subject == "" || p.Remedy == "" || p.Severity == 0 {
		t.Errorf("incomplete: %+v", p)
	}
	if len(p.Locations) == 0 || p.Locations[0].Role != finding.Fix {
		t.Errorf("no place to change: %+v", p.Locations)
	}
}

// describe writes the problems as a person would read them, and what could be
// loaded in spite of them.
func describe(d *deployment.Deployment) string {
	var b strings.Builder
	for _, p := range d.Problems {
		fmt.Fprintf(&b, "%s %s (%s)\n  %s\n  %s\n", p.Severity, p.Kind, p.Subject, p.Message, p.Remedy)
		for _, l := range p.Locations {
			fmt.Fprintf(&b, "  %s %s | %s\n", l.Role, l, strings.TrimSpace(d.Excerpt(l)))
		}
	}
	for _, s := range d.Services {
		fmt.Fprintf(&b, "loaded %s %s", s.Name, s.At)
		for _, k := range s.Keys() {
			v, _ := s.Get(k)
			fmt.Fprintf(&b, " %s=%q@%s", k, v.Text, v.At)
		}
		b.WriteByte('\n')
	}
	return b.String()
}

func expect(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("differs from %s (write it anew with -update)\n--- got\n%s--- want\n%s", file, got, want)
	}
}
