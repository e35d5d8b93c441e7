package deployment_test

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// TestAsDockerCompose loads every deployment and compares with what Docker
// Compose itself says about it: all of its configuration, or that it refuses.
func TestAsDockerCompose(t *testing.T) {
	binary := composeBinary(t)
	for _, c := range append(folders(t, refused, false), allCases(t)...) {
		t.Run(c.name, func(t *testing.T) {
			d := load(t, c.options)
			want, stderr, err := composeConfig(t, binary, c.options)
			if err != nil {
				if d.Accepted {
					t.Fatalf("Docker Compose refuses the deployment, the loader does not:\n%s", stderr)
				}
				return
			}
			if !d.Accepted {
				t.Fatalf("the loader refuses what Docker Compose accepts: %+v", d.Problems)
			}
			got := ourConfig(t, d)
			for _, section := range []string{"name", "services", "networks", "volumes", "secrets", "configs"} {
				compare(t, section, got[section], want[section])
			}
			compareEnvironment(t, d, want)
		})
	}
}

// composeBinary gives the Docker Compose to compare with.
func composeBinary(t *testing.T) string {
	t.Helper()
	b, err := lab.Compose()
	if err != nil {
		t.Skip(err)
	}
	return b
}

func composeConfig(t *testing.T, binary string, o deployment.Options) (map[string]any, string, error) {
	t.Helper()
	var args []string
	for _, f := range o.Files {
		args = append(args, "-f", f)
	}
	cmd := exec.Command(binary, append(args, "config", "--format", "json")...)
	cmd.Dir = o.Dir
	cmd.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir(), "PWD=" + o.Dir}, o.Environ...)
	var out, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &stderr
	if err := cmd.Run(); err != nil {
		return nil, stderr.String(), err
	}
	var config map[string]any
	if err := json.Unmarshal(out.Bytes(), &config); err != nil {
		t.Fatalf("docker compose config printed no JSON: %v", err)
	}
	return config, "", nil
}

// ourConfig prints our project as `docker compose config` does: without what
// no service uses, and with every dollar doubled.
func ourConfig(t *testing.T, d *deployment.Deployment) map[string]any {
	t.Helper()
	project := d.Model.WithoutUnnecessaryResources()
	for name, s := range project.Services {
		s.EnvFiles = nil
		project.Services[name] = s
	}
	text, err := project.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	var config map[string]any
	if err := json.Unmarshal(bytes.ReplaceAll(text, []byte("$"), []byte("$$")), &config); err != nil {
		t.Fatal(err)
	}
	return config
}

func compare(t *testing.T, path string, got, want any) {
	t.Helper()
	g, gotMap := got.(map[string]any)
	w, wantMap := want.(map[string]any)
	if !gotMap || !wantMap {
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, Docker Compose has %v", path, got, want)
		}
		return
	}
	for k := range w {
		compare(t, path+"."+k, g[k], w[k])
	}
	for k := range g {
		if _, ok := w[k]; !ok {
			t.Errorf("%s.%s: got %v, Docker Compose has none", path, k, g[k])
		}
	}
}

// compareEnvironment holds Service.Env, which the rules read, to the same measure.
func compareEnvironment(t *testing.T, d *deployment.Deployment, config map[string]any) {
	t.Helper()
	services, _ := config["services"].(map[string]any)
	if len(services) != len(d.Services) {
		t.Errorf("%d services, Docker Compose has %d", len(d.Services), len(services))
	}
	for _, s := range d.Services {
		spec, _ := services[s.Name].(map[string]any)
		env, _ := spec["environment"].(map[string]any)
		for key, want := range env {
			got, ok := s.Get(key)
			switch text, isText := want.(string); {
			case !isText && ok:
				t.Errorf("%s: %s has a value, Docker Compose gives none", s.Name, key)
			case isText && !ok:
				t.Errorf("%s: %s is missing", s.Name, key)
			case isText && got.Reveal() != strings.ReplaceAll(text, "$$", "$"):
				t.Errorf("%s: %s is %q, Docker Compose has %q", s.Name, key, got.Reveal(), text)
			}
		}
		for _, key := range s.Keys() {
			if _, ok := env[key]; !ok {
				t.Errorf("%s: Docker Compose does not set %s", s.Name, key)
			}
		}
	}
}

// TestDoctorAsAService lets Docker Compose read the bundled deployment together
// with the file that adds the doctor to it.
func TestDoctorAsAService(t *testing.T) {
	binary := composeBinary(t)
	dir := filepath.Join(t.TempDir(), "site")
	if err := os.CopyFS(dir, os.DirFS("../../testdata/deployments/full")); err != nil {
		t.Fatal(err)
	}
	own, err := filepath.Abs("../../docker-compose.doctor.yml")
	if err != nil {
		t.Fatal(err)
	}
	o := deployment.Options{Dir: dir}
	for _, name := range []string{"docker-compose.yml", "docker-compose.ports.yml", "docker-compose.db.yml", "docker-compose.ldap.yml", "docker-compose.mail.yml", "docker-compose.extras.yml"} {
		o.Files = append(o.Files, filepath.Join(dir, name))
	}
	o.Files = append(o.Files, own)
	without, stderr, err := composeConfig(t, binary, o)
	if err != nil {
		t.Fatal(stderr)
	}
	if _, there := without["services"].(map[string]any)["doctor"]; there {
		t.Error("the doctor starts with the others")
	}
	o.Environ, o.Profiles = []string{"COMPOSE_PROFILES=doctor"}, []string{"doctor"}
	with, stderr, err := composeConfig(t, binary, o)
	if err != nil {
		t.Fatal(stderr)
	}
	service, _ := with["services"].(map[string]any)["doctor"].(map[string]any)
	if service == nil {
		t.Fatal("the profile does not enable the doctor")
	}
	for key, want := range map[string]any{"working_dir": dir, "read_only": true, "cap_drop": []any{"ALL"}} {
		if !reflect.DeepEqual(service[key], want) {
			t.Errorf("%s is %v, want %v", key, service[key], want)
		}
	}
	d := load(t, o)
	if !d.Accepted || len(d.Problems) > 0 {
		t.Errorf("the loader says of it: %+v", d.Problems)
	}
	compare(t, "services", ourConfig(t, d)["services"], with["services"])
}
