package main

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"html"
	"math/rand/v2"
	"net/url"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// planted makes secrets of all kinds of letters, the same in every run.
func planted() []string {
	r := rand.New(rand.NewPCG(1, 2))
	alphabets := []string{
		"abcdefghijkmnopqrstuvwxyz0123456789", `ab9!$%&/()=?*+#-_.:;,<>|{}[]^~@"`, "äöüßéñ中文字пароль", `a\b"c`, "Zz9 ",
	}
	var out []string
	for i := range 40 {
		letters := []rune(alphabets[i%len(alphabets)])
		var b strings.Builder
		for range 6 + r.IntN(20) {
			b.WriteRune(letters[r.IntN(len(letters))])
		}
		// No two may hold one another, and none may look like a word of the report.
		out = append(out, fmt.Sprintf("q%d%sQ", i, b.String()))
	}
	return out
}

// spellings are the forms in which a secret may come back.
func spellings(s string) []string {
	quoted, _ := json.Marshal(s)
	return []string{
		s, url.QueryEscape(s), url.PathEscape(s), html.EscapeString(s), string(quoted[1 : len(quoted)-1]),
		base64.StdEncoding.EncodeToString([]byte(s)), base64.RawURLEncoding.EncodeToString([]byte(s)),
	}
}

// leakyDeployment writes the secrets in every place that holds some: .env, an
// env file, and the compose file itself as list, as mapping and in a command.
func leakyDeployment(t *testing.T, secrets []string) string {
	var dotenv, env, list strings.Builder
	for i, s := range secrets {
		switch i % 3 {
		case 0:
			fmt.Fprintf(&dotenv, "MYSQL_PASSWORD_%d='%s'\n", i, s)
			fmt.Fprintf(&list, "      - SOME%d_PASSWORD=${MYSQL_PASSWORD_%d}\n", i, i)
		case 1:
			fmt.Fprintf(&env, "LDAP%d_PASSWD='%s'\n", i, s)
		case 2:
			entry, _ := json.Marshal(fmt.Sprintf("OTHER%d_PASSWORD=%s", i, strings.ReplaceAll(s, "$", "$$")))
			fmt.Fprintf(&list, "      - %s\n", entry)
		}
	}
	return folder(t, map[string]string{
		".env": dotenv.String(), "ldap.env": env.String(),
		"docker-compose.yml": small + "  extra:\n    image: busybox\n    env_file: [ldap.env]\n    environment:\n" + list.String(),
	})
}

// tattler tells every secret in every field that takes text, at every line of every file.
func tattler(secrets []string) (rules.Check, checks.Check) {
	var all []string
	for _, s := range secrets {
		all = append(all, spellings(s)...)
	}
	text := "the server said: " + strings.Join(all, " | ") + " and mysql://root:" + url.QueryEscape(secrets[0]) + "@db/"
	tell := func(id string) []finding.Finding {
		var places []finding.Location
		for _, file := range []string{".env", "ldap.env", "docker-compose.yml"} {
			for line := 1; line < 80; line++ {
				places = append(places, finding.Location{File: file, Line: line, Column: 1, Role: finding.Related})
			}
		}
		var out []finding.Finding
		for i := 0; i < len(places); i += 6 { // as many as the text form shows
			out = append(out, finding.Finding{
				ID: id, Key: fmt.Sprint(i), Severity: finding.Error, Title: text, Message: text, Subject: text, Consequence: text, Remedy: text,
				Locations: places[i:min(i+6, len(places))],
			})
		}
		return out
	}
	check := func(context.Context, checks.Target) checks.Result {
		return checks.Result{
			Status: checks.Broken, Reason: checks.ReasonCredentials, Message: text, Address: text, Findings: tell("live-tattler"),
		}
	}
	return func(*rules.Input) []finding.Finding { return tell("tattler") }, check
}

func TestNoSecretIsWritten(t *testing.T) {
	secrets := planted()
	dir := leakyDeployment(t, secrets)
	rule, check := tattler(secrets)
	o := outcome{
		rules:  append(rules.All(), rules.Rule{ID: "tattler", Check: rule}),
		checks: map[string]checks.Check{"server-ldap": check},
	}
	for _, format := range report.Formats() {
		for _, file := range []string{"", filepath.Join(t.TempDir(), "report")} {
			got := o.run(dir, format, "error", file)
			if got.code != 1 {
				t.Fatalf("exit %d\n%s", got.code, got.stderr)
			}
			if file != "" {
				continue // the same bytes go to the file: see the grid
			}
			text := got.stdout + got.stderr
			switch format {
			case report.FormatJSON, report.FormatSARIF, report.FormatGitLab:
				text += decoded(t, got.stdout)
			default:
				text += html.UnescapeString(got.stdout) + unescaped.ReplaceAllString(got.stdout, "$1")
			}
			if n := strings.Count(text, "«hidden»"); n < len(secrets) && format != report.FormatPrometheus { // that has names and counts only
				t.Errorf("%s: %d secrets are hidden, want at least %d", format, n, len(secrets))
			}
			for _, s := range secrets {
				for _, form := range spellings(s) {
					if strings.Contains(text, form) {
						t.Errorf("%s: the secret %q stands in the report as %q", format, s, form)
					}
				}
			}
		}
	}
}

// TestNoSecretIsOnAMap has a check say the secrets that the map's lines tell of.
func TestNoSecretIsOnAMap(t *testing.T) {
	secrets := planted()
	dir := leakyDeployment(t, secrets)
	_, check := tattler(secrets)
	for _, f := range mapFormats {
		var stdout, stderr bytes.Buffer
		p := &program{
			stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, rules: rules.All(),
			checks: map[string]checks.Check{"server-ldap": check}, vantage: doctor.From, now: time.Now,
		}
		if code := p.run([]string{"kopano-doctor", "map", "--status", "--format", f.name, dir}); code != 1 {
			t.Fatalf("%s: exit %d\n%s", f.name, code, stderr.String())
		}
		text := html.UnescapeString(stdout.String()) + unescaped.ReplaceAllString(stdout.String(), "$1") + stderr.String()
		if f.name != "mermaid" && !strings.Contains(text, "«hidden»") { // that has no messages
			t.Errorf("%s: what the check says is not on the map", f.name)
		}
		for _, s := range secrets {
			for _, form := range spellings(s) {
				if strings.Contains(text, form) {
					t.Errorf("%s: the secret %q stands on the map as %q", f.name, s, form)
				}
			}
		}
	}
}

// unescaped takes the backslashes of markdown away.
var unescaped = regexp.MustCompile(`\\(.)`)

// decoded gives all strings of a JSON text.
func decoded(t *testing.T, text string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(text), &v); err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case string:
			b.WriteString(v + "\n")
		case []any:
			for _, x := range v {
				walk(x)
			}
		case map[string]any:
			for _, x := range v {
				walk(x)
			}
		}
	}
	walk(v)
	return b.String()
}
