package main

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
)

// Tests of this repository read these; a flag of that name would change what a
// developer's own runs do.
var variablesOfTests = []string{
	"KOPANO_DOCTOR_CORPUS", "KOPANO_DOCTOR_CI", "KOPANO_DOCTOR_COMPOSE", "KOPANO_DOCTOR_MUTATIONS", "KOPANO_DOCTOR_ENGINE_DEPLOYMENTS",
}

// The one variable of two flags must mean the same in every command.
func TestEveryFlagHasAVariable(t *testing.T) {
	usage := map[string]string{}
	for _, c := range (&program{}).app().Commands {
		for _, f := range c.Flags {
			if f.Names()[0] == "help" || c.Hidden {
				continue
			}
			name := variable(c.Name, f)
			if !regexp.MustCompile(`^KOPANO_DOCTOR_[A-Z][A-Z_]*[A-Z]$`).MatchString(name) || slices.Contains(variablesOfTests, name) {
				t.Errorf("%s %s: the variable is %q", c.Name, f.Names()[0], name)
			}
			first := f.Names()[0]
			if first == "answer-timeout" {
				first = "timeout" // what it is for check
			}
			if before, ok := usage[name]; ok && before != first {
				t.Errorf("%s belongs to --%s and to --%s", name, before, first)
			}
			usage[name] = first
		}
	}
	if len(usage) < 20 {
		t.Errorf("only %d variables", len(usage))
	}
}

// propertiesOfSchema gives the keys that the file with settings may have.
func propertiesOfSchema(t *testing.T) []string {
	t.Helper()
	var schema struct {
		Properties map[string]any `json:"properties"`
	}
	if err := json.Unmarshal(config.Schema(), &schema); err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(maps.Keys(schema.Properties))
}

// quiet is a deployment that nothing can be said about.
const quiet = "# beside Kopano\nname: quiet\nservices:\n  hello:\n    image: hello-world:1\n"

func TestVariables(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": quiet, "loud.yml": noisy, "nothing.yml": "services:\n  hello:\n    image: hello-world:1\n"})
	out := filepath.Join(t.TempDir(), "report.sarif")
	for _, c := range []struct {
		name string
		env  []string
		args []string
		code int
		says string // on standard output, or on standard error for 2
	}{
		{"a word", []string{"KOPANO_DOCTOR_FORMAT=json"}, nil, 0, `"schema"`},
		{"the command line wins", []string{"KOPANO_DOCTOR_FORMAT=json"}, []string{"--format", "markdown"}, 0, "# kopano-doctor"},
		{"without it, a finding", nil, []string{"-f", "loud.yml", "--offline"}, 1, ""},
		{"a switch", []string{"KOPANO_DOCTOR_OFFLINE=1", "KOPANO_DOCTOR_FAIL_ON=never"}, []string{"-f", "loud.yml"}, 0, "(--offline)"},
		{"a list, one a line", []string{"KOPANO_DOCTOR_FILE=compose.yaml\n\n nothing.yml \n"}, nil, 0, "read: compose.yaml, nothing.yml"},
		{"a report", []string{"KOPANO_DOCTOR_REPORT=sarif=" + out}, nil, 0, ""},
		{"an empty one is none", []string{"KOPANO_DOCTOR_FORMAT=", "KOPANO_DOCTOR_TIMEOUT="}, nil, 0, "read:"},
		{"one that contradicts a flag", []string{"KOPANO_DOCTOR_CONFIG=/nowhere"}, []string{"--no-config"}, 0, "read:"},
		{"a wrong word", []string{"KOPANO_DOCTOR_FAIL_ON=fatal"}, nil, 2, "the variable KOPANO_DOCTOR_FAIL_ON: choose one of"},
		{"a wrong time", []string{"KOPANO_DOCTOR_TIMEOUT=5"}, nil, 2, "the variable KOPANO_DOCTOR_TIMEOUT: write a number with its unit"},
		{"a wrong switch", []string{"KOPANO_DOCTOR_OFFLINE=maybe"}, nil, 2, "the variable KOPANO_DOCTOR_OFFLINE: write true or false"},
		{"one of another command", []string{"KOPANO_DOCTOR_RULES_FORMAT=json", "KOPANO_DOCTOR_WRITE=maybe"}, nil, 0, "read:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := run(t, append([]string{"LANG=C.UTF-8"}, c.env...), append(append([]string{"check"}, c.args...), dir)...)
			text := got.stdout
			if c.code == 2 {
				text = got.stderr
			}
			if got.code != c.code || !strings.Contains(text, c.says) {
				t.Errorf("exit code %d, want %d and %q\n%s\n%s", got.code, c.code, c.says, got.stdout, got.stderr)
			}
		})
	}
	if text, err := os.ReadFile(out); err != nil || !strings.Contains(string(text), "sarif") {
		t.Errorf("the report of the variable: %v", err)
	}
}

// What one command does with a variable, the next call must not remember.
func TestVariablesOfOtherCommands(t *testing.T) {
	if got := run(t, []string{"KOPANO_DOCTOR_FORMAT=sarif"}, "rules"); got.code != 0 || strings.HasPrefix(got.stdout, "{") {
		t.Errorf("rules takes the format of check: %d %.100s%s", got.code, got.stdout, got.stderr)
	}
	if got := run(t, []string{"KOPANO_DOCTOR_RULES_FORMAT=json"}, "rules"); got.code != 0 || !strings.HasPrefix(got.stdout, "{") && !strings.HasPrefix(got.stdout, "[") {
		t.Errorf("rules does not take its own: %d %.100s%s", got.code, got.stdout, got.stderr)
	}
}

// The file with settings may name the deployment's files, from its own folder,
// and the baseline, from that of the settings.
func TestSettingsMayHoldFlags(t *testing.T) {
	top := tree(t, map[string]string{
		".kopano-doctor.yaml":       "baseline: known.json\nfail-on: info\n",
		"site/prod.yml":             noisy,
		"site/prod.env":             "X=1\n",
		"other/.kopano-doctor.yaml": "file: [prod.yml]\nproject-name: other\nenv-file: [prod.env]\n",
		"other/prod.yml":            quiet,
		"other/prod.env":            "X=1\n",
	})
	if got := run(t, nil, "check", "--offline", "-f", "site/prod.yml", "--write-baseline", "known.json", "site"); got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	if got := run(t, nil, "check", "--offline", "-f", "site/prod.yml", "site"); got.code != 0 || !strings.Contains(got.stdout, "suppressed") {
		t.Errorf("the baseline of the settings is not obeyed: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	got := run(t, nil, "check", "--offline", filepath.Join(top, "other"))
	if got.code != 0 || !strings.Contains(got.stdout, "project other in") || !strings.Contains(got.stdout, "prod.yml and 1 env file") {
		t.Errorf("the files of the settings are not read: exit code %d\n%s%s", got.code, got.stdout, got.stderr)
	}
	// lint knows a deployment by them, and the files that belong to it.
	if folders := lintedBy(t, run(t, nil, "lint", "--format", "json", "other")); !slices.Equal(folders, []string{"other"}) {
		t.Errorf("lint looked at %q", folders)
	}
}

func TestConfigSaysWhatHoldsAndWhy(t *testing.T) {
	dir := folder(t, map[string]string{
		"compose.yaml":        noisy,
		".kopano-doctor.yaml": "deadline: 2m\nfail-on: warning\nresolve: ['db:3306=127.0.0.1:1']\nseverity: {unset-variable: off}\n",
	})
	env := []string{"KOPANO_DOCTOR_TIMEOUT=2s", "KOPANO_DOCTOR_FAIL_ON=info", "KOPANO_DOCTOR_ENGINE=tcp://me:hush@engine:2375", "KOPANO_DOCTOR_TIMOUT=1s"}
	got := run(t, env, "config", "--offline", "--resolve", "ldap:389=127.0.0.1:2", dir)
	if got.code != 0 {
		t.Fatalf("exit code %d\n%s", got.code, got.stderr)
	}
	file := filepath.Join(dir, ".kopano-doctor.yaml")
	for _, want := range []string{
		`deadline: 2m +# ` + file + ":1", `timeout: 2s +# variable KOPANO_DOCTOR_TIMEOUT`, `fail-on: info +# variable KOPANO_DOCTOR_FAIL_ON`,
		`offline: true +# flag --offline`, `from: auto +# default`, `severity: unset-variable=off +# ` + file + ":4",
		`resolve: ldap:389=127.0.0.1:2, db:3306=127.0.0.1:1 +# flag --resolve and ` + file + ":3", `format: text +# default`, `login: - +# default`,
	} {
		if !regexp.MustCompile(`(?m)^` + want + `$`).MatchString(got.stdout) {
			t.Errorf("%s is not in\n%s", want, got.stdout)
		}
	}
	if strings.Contains(got.stdout, "hush") {
		t.Errorf("a password is shown:\n%s", got.stdout)
	}
	if !strings.Contains(got.stderr, "KOPANO_DOCTOR_TIMOUT belongs to no flag") {
		t.Errorf("a misspelt variable is not told: %s", got.stderr)
	}
	if got := run(t, nil, "config", filepath.Join(dir, "compose.yaml")); got.code != 2 {
		t.Errorf("a file instead of a folder gives %d", got.code)
	}
}

// Every key of the schema that is a flag is one of check's.
func TestKeysOfTheSchemaAreFlags(t *testing.T) {
	flags := (&program{}).checkCommand().Flags
	for _, name := range propertiesOfSchema(t) {
		if slices.Contains([]string{"severity", "ignore", "thresholds", "external-hosts"}, name) {
			continue
		}
		if !slices.ContainsFunc(flags, func(f cli.Flag) bool { return slices.Contains(f.Names(), name) }) {
			t.Errorf("there is no flag --%s", name)
		}
	}
}
