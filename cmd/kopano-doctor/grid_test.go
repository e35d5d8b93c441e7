package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// small is a deployment with one link that can be checked, server-ldap.
const small = `name: small
services:
  kopano_server:
    image: zokradonh/kopano_core
    environment:
      SERVICE_TO_START: server
      KCCONF_LDAP_LDAP_URI: ldap://ldap:389
  ldap:
    image: osixia/openldap
`

func rule(severity finding.Severity) []rules.Rule {
	return []rules.Rule{{ID: "some-rule", Title: "something", Severity: severity, Check: func(*rules.Input) []finding.Finding {
		return []finding.Finding{{Message: "found"}}
	}}}
}

var broken = []rules.Rule{{ID: "some-rule", Check: func(*rules.Input) []finding.Finding { panic("a fault in the rule") }}}

// ends makes a check of the LDAP link that ends in a certain way.
func ends(status checks.Status, reason checks.Reason) map[string]checks.Check {
	return map[string]checks.Check{"server-ldap": func(context.Context, checks.Target) checks.Result {
		return checks.Result{Status: status, Reason: reason, Rung: checks.Dial, Message: "seen"}
	}}
}

// outcome is a way in which a run can end.
type outcome struct {
	name   string
	file   string // compose file; "": there is none
	rules  []rules.Rule
	checks map[string]checks.Check
	args   []string
	want   string // exit codes for --fail-on error, warning, info and never
}

var outcomes = []outcome{
	{"all is well", small, nil, ends(checks.OK, ""), nil, "0000"},
	{"an info", small, rule(finding.Info), ends(checks.OK, ""), nil, "0010"},
	{"a warning", small, rule(finding.Warning), ends(checks.OK, ""), nil, "0110"},
	{"an error", small, rule(finding.Error), ends(checks.OK, ""), nil, "1110"},
	{"a broken link", small, nil, ends(checks.Broken, checks.ReasonRefused), nil, "1110"},
	{"a link out of reach", small, nil, ends(checks.Unchecked, checks.ReasonNoRoute), nil, "3333"},
	{"a warning, a link out of reach", small, rule(finding.Warning), ends(checks.Unchecked, checks.ReasonNoRoute), nil, "3113"},
	{"an error, a link out of reach", small, rule(finding.Error), ends(checks.Unchecked, checks.ReasonNoRoute), nil, "1113"},
	{"a rule that fails", small, broken, ends(checks.OK, ""), nil, "3113"},
	{"no check for any link", small, nil, nil, nil, "0000"},
	{"offline", small, nil, ends(checks.Broken, checks.ReasonRefused), []string{"--offline"}, "0000"},
	{"offline, an error", small, rule(finding.Error), nil, []string{"--offline"}, "1110"},
	{"refused by Compose", small + "    volumes: [nowhere:/data]\n", rules.All(), nil, []string{"--offline"}, "1110"},
	{"broken YAML", "services:\n\tx: [\n", rules.All(), nil, []string{"--offline"}, "1110"},
	{"no compose file", "", nil, nil, nil, "2222"},
	{"wrong usage", small, rule(finding.Error), nil, []string{"--bogus"}, "2222"},
}

func TestExitCodesOfEveryOutcomeInEveryFormat(t *testing.T) {
	for _, o := range outcomes {
		files := map[string]string{}
		if o.file != "" {
			files["docker-compose.yml"] = o.file
		}
		dir := folder(t, files)
		for i, failOn := range doctor.FailOns() {
			for _, format := range report.Formats() {
				for _, file := range []string{"", filepath.Join(t.TempDir(), "report")} {
					got := o.run(dir, format, failOn, file)
					want := int(o.want[i] - '0')
					if got.code != want {
						t.Errorf("%s, --fail-on %s, --format %s: exit %d, want %d\n%s%s", o.name, failOn, format, got.code, want, got.stdout, got.stderr)
					}
					if err := o.written(got, format, file); err != nil {
						t.Errorf("%s, --fail-on %s, --format %s: %v", o.name, failOn, format, err)
					}
				}
			}
		}
	}
}

func (o outcome) run(dir string, format report.Format, failOn doctor.FailOn, file string) call {
	var stdout, stderr bytes.Buffer
	p := &program{
		stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr,
		rules: o.rules, checks: o.checks, vantage: doctor.From, now: time.Now,
	}
	args := append([]string{"kopano-doctor", "check", "--format", string(format), "--fail-on", string(failOn), dir}, o.args...)
	if file != "" {
		args = append(args, "--output", file)
	}
	code := p.run(args)
	return call{code, stdout.String(), stderr.String()}
}

// written checks that the report went where it should, whole and alone.
func (o outcome) written(got call, format report.Format, file string) error {
	text := got.stdout
	if file != "" {
		if got.stdout != "" {
			return fmt.Errorf("standard output is not empty: %s", got.stdout)
		}
		data, err := os.ReadFile(file)
		if err != nil && got.code != doctor.ExitUsage {
			return err
		}
		text = string(data)
		_ = os.Remove(file)
	}
	switch {
	case got.code == doctor.ExitUsage:
		if text != "" || got.stderr == "" {
			return fmt.Errorf("exit 2 with a report, or without a word on standard error: %s", text)
		}
		return nil
	case got.stderr != "":
		return fmt.Errorf("standard error: %s", got.stderr)
	case format == report.FormatSARIF || format == report.FormatGitLab:
		var v any
		if err := json.Unmarshal([]byte(text), &v); err != nil {
			return fmt.Errorf("no JSON: %w: %s", err, text)
		}
		if code := fmt.Sprintf("\"exitCode\": %d,", got.code); format == report.FormatSARIF && !strings.Contains(text, code) {
			return fmt.Errorf("exit %d is not told: %s", got.code, text)
		}
		return nil
	case format == report.FormatJUnit:
		// Red exactly where the run is: what a CI server makes of the file must not differ from the exit code.
		if red := strings.Contains(text, "<failure ") || strings.Contains(text, "<error "); red != (got.code != 0) {
			return fmt.Errorf("exit %d, but: %s", got.code, text)
		}
		return beginsWith(text, "<?xml")
	case format == report.FormatJSON:
		var r report.Report
		d := json.NewDecoder(strings.NewReader(text))
		if err := d.Decode(&r); err != nil || r.Schema != report.Schema || r.ExitCode != got.code {
			return fmt.Errorf("no report of exit %d: %v: %s", got.code, err, text)
		}
		if _, err := d.Token(); err != io.EOF {
			return fmt.Errorf("something follows the object: %v", err)
		}
		return keepsToSchema(text)
	}
	return beginsWith(text, map[report.Format]string{
		report.FormatText: "kopano-doctor ", report.FormatMarkdown: "# kopano-doctor", report.FormatHTML: "<!DOCTYPE html>\n", report.FormatGitHub: "::",
		report.FormatCheckstyle: "<?xml", report.FormatPrometheus: "# HELP kopano_doctor_",
	}[format])
}

// schemaFile is found before any test changes the folder.
var schemaFile, _ = filepath.Abs("../../docs/report.schema.json")

var reportSchema = sync.OnceValues(func() (*jsonschema.Schema, error) {
	return jsonschema.NewCompiler().Compile(schemaFile)
})

// keepsToSchema holds a JSON report against the schema that is promised.
func keepsToSchema(text string) error {
	schema, err := reportSchema()
	if err != nil {
		return err
	}
	v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		return err
	}
	return schema.Validate(v)
}

func beginsWith(text, start string) error {
	if start == "" || !strings.HasPrefix(text, start) || !strings.HasSuffix(text, "\n") {
		return fmt.Errorf("no report that begins with %q: %s", start, text)
	}
	return nil
}
