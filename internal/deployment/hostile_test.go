package deployment_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// write makes a deployment of the given files.
func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

// loadInTime fails when loading takes long; a hang must not hang the tests.
func loadInTime(t *testing.T, o deployment.Options) (*deployment.Deployment, error) {
	t.Helper()
	const bound = time.Minute // a hang is longer, a busy machine is not
	type result struct {
		d   *deployment.Deployment
		err error
	}
	done := make(chan result, 1)
	go func() {
		d, err := deployment.Load(context.Background(), o)
		done <- result{d, err}
	}()
	select {
	case r := <-done:
		return r.d, r.err
	case <-time.After(bound):
		t.Fatalf("loading takes longer than %v", bound)
		return nil, nil
	}
}

const web = "services:\n  web:\n    image: example/web\n"

// TestHostile gives files that try to hang or crash the loader; each must end
// in a problem of the kind named.
func TestHostile(t *testing.T) {
	nest := func(open, inner, shut string, n int) string {
		return strings.Repeat(open, n) + inner + strings.Repeat(shut, n)
	}
	large := strings.Repeat("# filler\n", 1<<20)
	doubling := "A0=xxxxxxxxxx\n"
	for i := 1; i < 40; i++ {
		doubling += fmt.Sprintf("A%d=$A%d$A%d\n", i, i-1, i-1)
	}
	laughs := "x0: &x0 [lol]\n"
	for i := 1; i < 30; i++ {
		laughs += fmt.Sprintf("x-%d: &x%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*x%d, ", i-1), 10), ", "))
	}
	for name, c := range map[string]struct {
		files map[string]string
		pipe  string
		kind  deployment.ProblemKind
	}{
		"compose file is a pipe":     {files: map[string]string{}, pipe: "compose.yaml", kind: deployment.ComposeFileMissing},
		"override is a pipe":         {files: map[string]string{"compose.yaml": web}, pipe: "compose.override.yaml", kind: deployment.ComposeFileMissing},
		"env is a pipe":              {files: map[string]string{"compose.yaml": web}, pipe: ".env", kind: deployment.EnvFileSyntax},
		"env_file is a pipe":         {files: map[string]string{"compose.yaml": web + "    env_file: pipe\n"}, pipe: "pipe", kind: deployment.EnvFileSyntax},
		"optional env_file is one":   {files: map[string]string{"compose.yaml": web + "    env_file: [{path: pipe, required: false}]\n"}, pipe: "pipe", kind: deployment.EnvFileSyntax},
		"label_file is a pipe":       {files: map[string]string{"compose.yaml": web + "    label_file: pipe\n"}, pipe: "pipe", kind: deployment.Refused},
		"include is a pipe":          {files: map[string]string{"compose.yaml": "include: [pipe]\n" + web}, pipe: "pipe", kind: deployment.ComposeFileMissing},
		"extends a pipe":             {files: map[string]string{"compose.yaml": web + "    extends: {file: pipe, service: x}\n"}, pipe: "pipe", kind: deployment.ComposeFileMissing},
		"env_file is a device":       {files: map[string]string{"compose.yaml": web + "    env_file: /dev/zero\n"}, kind: deployment.EnvFileSyntax},
		"compose file too large":     {files: map[string]string{"compose.yaml": web + large}, kind: deployment.ComposeFileMissing},
		"env_file too large":         {files: map[string]string{"compose.yaml": web + "    env_file: x.env\n", "x.env": large}, kind: deployment.EnvFileSyntax},
		"values double":              {files: map[string]string{"compose.yaml": web + "    environment: {A: $A39}\n", ".env": doubling}, kind: deployment.EnvFileSyntax},
		"values double in env_file":  {files: map[string]string{"compose.yaml": web + "    env_file: x.env\n", "x.env": doubling}, kind: deployment.EnvFileSyntax},
		"anchors multiply":           {files: map[string]string{"compose.yaml": laughs + web}, kind: deployment.Refused},
		"anchor in itself":           {files: map[string]string{"compose.yaml": web + "x-a: &a\n  b: *a\n"}, kind: deployment.Refused},
		"defaults nested deeply":     {files: map[string]string{"compose.yaml": web + "    environment: {A: '" + nest("${A:-", "x", "}", 100_000) + "'}\n"}, kind: deployment.BadInterpolation},
		"many variables in one text": {files: map[string]string{"compose.yaml": web + "    environment: {A: '" + strings.Repeat("${A:-b}", 500_000) + "'}\n"}, kind: deployment.BadInterpolation},
		"nested brackets":            {files: map[string]string{"compose.yaml": web + "x-a: " + nest("[", "x", "]", 200_000) + "\n"}, kind: deployment.YAMLSyntax},
		"not UTF-8":                  {files: map[string]string{"compose.yaml": web + "    hostname: caf\xe9\n"}, kind: deployment.YAMLSyntax},
		"zero bytes":                 {files: map[string]string{"compose.yaml": web + "\x00\x00"}, kind: deployment.YAMLSyntax},
		"include of itself":          {files: map[string]string{"compose.yaml": "include: [compose.yaml]\n" + web}, kind: deployment.DependencyCycle},
		"list at the top":            {files: map[string]string{"compose.yaml": "- a\n- b\n"}, kind: deployment.WrongType},
	} {
		t.Run(name, func(t *testing.T) {
			dir := write(t, c.files)
			if c.pipe != "" {
				fifo(t, filepath.Join(dir, c.pipe))
			}
			d, err := loadInTime(t, deployment.Options{Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if d.Accepted {
				t.Error("accepted")
			}
			if d.Model == nil {
				t.Error("no model")
			}
			found := false
			for _, p := range d.Problems {
				checkProblem(t, p)
				found = found || p.Kind == c.kind
				if len(p.Message) > 600 {
					t.Errorf("a message of %d bytes", len(p.Message))
				}
			}
			if !found {
				t.Errorf("no %s among %+v", c.kind, d.Problems)
			}
		})
	}
}

// TestNothingThere names the cases in which there is nothing to load.
func TestNothingThere(t *testing.T) {
	empty := t.TempDir()
	file := filepath.Join(write(t, map[string]string{"x": ""}), "x")
	for name, o := range map[string]deployment.Options{
		"no folder":       {Dir: filepath.Join(empty, "gone")},
		"a file":          {Dir: file},
		"empty folder":    {Dir: empty},
		"missing file":    {Dir: empty, Files: []string{"gone.yml"}},
		"by COMPOSE_FILE": {Dir: empty, Environ: []string{"COMPOSE_FILE=a.yml:b.yml"}},
	} {
		if d, err := deployment.Load(context.Background(), o); err == nil {
			t.Errorf("%s: no error, but %+v", name, d)
		}
	}
}

// TestAcceptedOddities are unusual but fine for Compose.
func TestAcceptedOddities(t *testing.T) {
	utf16 := "\xff\xfe"
	for _, r := range web {
		utf16 += string([]byte{byte(r), 0})
	}
	for name, files := range map[string]map[string]string{
		"UTF-16":           {"compose.yaml": utf16},
		"deep defaults":    {"compose.yaml": web + "    hostname: ${A:-${B:-${C:-${D:-x}}}}\n"},
		"null env file":    {"compose.yaml": web + "    env_file: /dev/null\n"},
		"empty override":   {"compose.yaml": web, "compose.override.yaml": "# nothing\n"},
		"remote include":   {"compose.yaml": "include: ['oci://example.org/app']\n" + web},
		"long line":        {"compose.yaml": web + "    hostname: " + strings.Repeat("x", 1<<20) + "\n"},
		"large flow":       {"compose.yaml": web + "    command: [" + strings.Repeat("ä, ", 5_000) + "z]\n"},
		"Windows env file": {"compose.yaml": web + "    env_file: x.env\n", "x.env": "\xef\xbb\xbfA=1\r\nB=2\r\n"},
	} {
		t.Run(name, func(t *testing.T) {
			d, err := loadInTime(t, deployment.Options{Dir: write(t, files)})
			if err != nil {
				t.Fatal(err)
			}
			if !d.Accepted || len(d.Services) != 1 {
				t.Errorf("accepted %v, %d services, %+v", d.Accepted, len(d.Services), d.Problems)
			}
		})
	}
}
