package deployment_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/sirupsen/logrus"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

func testdata(t *testing.T, name string) *deployment.Deployment {
	t.Helper()
	dir := filepath.Join("../../testdata/deployments", name)
	return load(t, deployment.Options{Dir: dir, Environ: processOf(dir)})
}

// TestLocate names the place of parts of merged files.
func TestLocate(t *testing.T) {
	d := testdata(t, "override")
	for _, c := range []struct{ path, want string }{
		{"services app", "compose.yaml:2:3"},
		{"services app image", "compose.override.yaml:3:12"},
		{"services app command", "compose.override.yaml:4:14"},
		{"services app environment CHANGE", "compose.override.yaml:6:9"},
		{"services app environment KEEP", "compose.yaml:6:13"},
		{"services app ports", "compose.yaml:10:5"},
		{"services app ports 0", "compose.yaml:11:10"},
		{"services app ports 2", "compose.yaml:12:10"},          // 9001 of a range
		{"services app ports 3", "compose.yaml:12:10"},          // 9002 of a range
		{"services app ports 4", "compose.override.yaml:12:10"}, // 8443:443 in both forms
		{"services app ports 5", "compose.override.yaml:11:10"},
		{"services app volumes 0", "compose.override.yaml:14:9"}, // same target, later file
		{"services app volumes 1", "compose.yaml:17:9"},
		{"services app volumes 2", "compose.override.yaml:15:9"},
		{"services app volumes 2 source", "compose.override.yaml:16:17"},
		{"services app env_file 1", "compose.override.yaml:18:15"},
		{"services app networks front", "compose.yaml:23:9"},
		{"services app networks back aliases 0", "compose.override.yaml:26:19"},
		{"services app depends_on cache condition", "compose.override.yaml:23:20"},
		{"services app healthcheck test", "compose.yaml:25:7"},
		{"services app healthcheck retries", "compose.override.yaml:28:16"},
		{"services app nothing", "compose.yaml:2:3"},
		{"services db labels b", "compose.override.yaml:38:9"},
		{"volumes extra", "compose.yaml:47:3"},
		{"networks back driver", "compose.yaml:51:13"},
		{"networks default", "compose.yaml:48:1"},
		{"secrets x", "compose.yaml"},
	} {
		if got := d.Locate(strings.Fields(c.path)...); got.String() != c.want {
			t.Errorf("%s: %s, want %s", c.path, got, c.want)
		}
	}
	app, _ := d.Service("app")
	for i, p := range app.Ports {
		line := app.Locate("ports", fmt.Sprint(i)).Line
		if line == 0 {
			t.Errorf("port %d (%s:%d) has no line", i, p.Published, p.Target)
		}
	}
	if got, want := app.Locate("image"), d.Locate("services", "app", "image"); got != want {
		t.Errorf("Service.Locate gives %s, Deployment.Locate %s", got, want)
	}
}

// TestOverridden gives the places that lose, nearest first.
func TestOverridden(t *testing.T) {
	for _, c := range []struct {
		name, service, key, at string
		lost                   []string
	}{
		{"override", "app", "CHANGE", "compose.override.yaml:6:16", []string{"compose.yaml:7:15", "one.env:3:8"}},
		{"override", "app", "KEEP", "compose.yaml:6:13", []string{"one.env:2:6"}},
		{"override", "app", "SHARED", "two.env:1:8", []string{"one.env:4:8"}},
		{"override", "cache", "C", "compose.override.yaml:42:10", nil},
		{"extends", "web", "LEVEL", "compose.yaml:7:15", []string{"base/common.yaml:17:15", "base/deeper.yaml:8:15", "base/common.env:2:7"}},
		{"anchors", "merged", "INSECURE", "compose.yaml:20:18", []string{"compose.yaml:6:14"}},
		{"anchors", "several", "INSECURE", "compose.yaml:6:14", []string{"compose.yaml:10:14"}},
		{"envfiles", "quotes", "DUPLICATE", "quotes.env:28:11", []string{"quotes.env:27:11"}},
		{"interpolation", "list", "REPEATED", "compose.yaml:50:18", []string{"compose.yaml:49:18"}},
	} {
		s, _ := testdata(t, c.name).Service(c.service)
		v, ok := s.Get(c.key)
		if !ok {
			t.Errorf("%s %s: no %s", c.name, c.service, c.key)
			continue
		}
		var lost []string
		for _, l := range v.Overridden {
			lost = append(lost, l.String())
			if l.Role != finding.Overridden {
				t.Errorf("%s: role %q", l, l.Role)
			}
		}
		if v.At.String() != c.at || !slices.Equal(lost, c.lost) {
			t.Errorf("%s %s %s: at %s over %v, want %s over %v", c.name, c.service, c.key, v.At, lost, c.at, c.lost)
		}
	}
	s, _ := testdata(t, "process").Service("map")
	v, _ := s.Get("BEATEN")
	if x := v.Variables[0]; x.Source != deployment.FromProcess || len(x.Overridden) != 1 || x.Overridden[0].String() != ".env:1:8" {
		t.Errorf("a shell variable beats .env: %+v", x)
	}
}

// TestUnset lists the variables that nothing defines, and only those.
func TestUnset(t *testing.T) {
	var got []string
	for _, u := range testdata(t, "interpolation").Unset {
		got = append(got, fmt.Sprintf("%s %s %s %s", u.Name, u.At, u.Service, u.Key))
	}
	want := []string{"NOWHERE compose.yaml:18:16 app UNSET"}
	if !slices.Equal(got, want) {
		t.Errorf("unset %q, want %q", got, want)
	}
	got = nil
	for _, u := range testdata(t, "envfiles").Unset {
		got = append(got, fmt.Sprintf("%s %s %s %s", u.Name, u.At, u.Service, u.Key))
	}
	if want := []string{"b quotes.env:19:11 quotes ESCAPED"}; !slices.Equal(got, want) {
		t.Errorf("unset %q, want %q", got, want)
	}
	anchored := load(t, deployment.Options{Dir: write(t, map[string]string{
		"compose.yaml": "x-e: &e {A: $GONE}\nservices:\n  a: {image: x, environment: *e}\n  b: {image: x, environment: *e}\n",
		".env":         "B=${MISSING}\n",
	})})
	got = nil
	for _, u := range anchored.Unset {
		got = append(got, fmt.Sprintf("%s %s %s %s", u.Name, u.At, u.Service, u.Key))
	}
	if want := []string{"MISSING .env:1:3  B", "GONE compose.yaml:1:13 a A", "GONE compose.yaml:1:13 b A"}; !slices.Equal(got, want) {
		t.Errorf("unset %q, want %q", got, want)
	}
}

// TestSelection gives what the options select.
func TestSelection(t *testing.T) {
	dir := write(t, map[string]string{
		"compose.yaml":          "services:\n  a: {image: 'a:${TAG}'}\n  p: {image: p, profiles: [p]}\n  q: {image: q, profiles: [q]}\n",
		"compose.override.yaml": "services:\n  a: {hostname: over}\n",
		"other/b.yml":           "services:\n  b: {image: 'b:${TAG}'}\n",
		"other/.env":            "TAG=other\n",
		".env":                  "TAG=env\nCOMPOSE_PROFILES=p\n",
		"x.env":                 "TAG=x\nCOMPOSE_PROJECT_NAME=xx\n",
		"y.env":                 "TAG=y$TAG\n",
	})
	base := filepath.Base(dir)
	for name, c := range map[string]struct {
		o    deployment.Options
		want string
	}{
		"defaults":          {deployment.Options{}, "[compose.yaml compose.override.yaml] a:env p"},
		"-f":                {deployment.Options{Files: []string{"compose.yaml"}}, "[compose.yaml] a:env p"},
		"-f elsewhere":      {deployment.Options{Files: []string{"other/b.yml"}}, "[other/b.yml] b:other"},
		"COMPOSE_FILE":      {deployment.Options{Environ: []string{"COMPOSE_FILE=compose.yaml:other/b.yml"}}, "[compose.yaml other/b.yml] a:env b:env p"},
		"separator":         {deployment.Options{Environ: []string{"COMPOSE_FILE=compose.yaml|other/b.yml", "COMPOSE_PATH_SEPARATOR=|"}}, "[compose.yaml other/b.yml] a:env b:env p"},
		"profile":           {deployment.Options{Profiles: []string{"q"}}, "[compose.yaml compose.override.yaml] a:env q"},
		"COMPOSE_PROFILES":  {deployment.Options{Environ: []string{"COMPOSE_PROFILES=q,p"}}, "[compose.yaml compose.override.yaml] a:env p q"},
		"env file":          {deployment.Options{EnvFiles: []string{"x.env", "y.env"}}, "xx: [compose.yaml compose.override.yaml] a:yx"},
		"COMPOSE_ENV_FILES": {deployment.Options{Environ: []string{"COMPOSE_ENV_FILES=x.env,y.env"}}, "xx: [compose.yaml compose.override.yaml] a:yx"},
		"no .env":           {deployment.Options{Environ: []string{"COMPOSE_DISABLE_ENV_FILE=1", "TAG=t"}}, "[compose.yaml compose.override.yaml] a:t"},
		"shell wins":        {deployment.Options{Environ: []string{"TAG=shell"}}, "[compose.yaml compose.override.yaml] a:shell p"},
		"-p":                {deployment.Options{ProjectName: "named"}, "named: [compose.yaml compose.override.yaml] a:env p"},
	} {
		c.o.Dir = dir
		d := load(t, c.o)
		got := ""
		if d.Project != base && !strings.HasPrefix(name, "-f elsewhere") {
			got = d.Project + ": "
		}
		got += fmt.Sprint(d.Files)
		for _, s := range d.Services {
			got += " " + s.Image
		}
		if name == "defaults" || strings.HasPrefix(c.want, "[") {
			got = strings.TrimPrefix(got, strings.ToLower(base)+": ")
		}
		if got != c.want || !d.Accepted {
			t.Errorf("%s: %s (accepted %v), want %s", name, got, d.Accepted, c.want)
		}
	}
}

// TestEnvFiles reads what the env files of a deployment are like.
func TestEnvFiles(t *testing.T) {
	d := testdata(t, "envfiles")
	files := map[string]*deployment.EnvFile{}
	var order []string
	for _, f := range d.EnvFiles {
		files[f.File] = f
		order = append(order, f.File)
	}
	if want := []string{".env", "empty.env", "quotes.env", "first.env", "raw.env", "second.env", "crlf.env", "bom.env"}; !slices.Equal(order, want) {
		t.Errorf("env files %q, want %q", order, want)
	}
	if f := files["bom.env"]; !f.BOM || f.CRLF || f.Lines[0].At.String() != "bom.env:1:1" {
		t.Errorf("bom.env: %+v", f)
	}
	if f := files["crlf.env"]; f.BOM || !f.CRLF || f.Lines[1].LastLine != 3 {
		t.Errorf("crlf.env: %+v", f)
	}
	if f := files[".env"]; !f.Project || files["first.env"].Project || !slices.Equal(files["first.env"].Services, []string{"several"}) {
		t.Errorf(".env: %+v", f)
	}
	lines := map[string]deployment.EnvLine{}
	for _, l := range files["quotes.env"].Lines {
		lines[l.Key] = l
	}
	for _, c := range []struct{ key, value, compose1, raw string }{
		{"PLAIN", "plain value", "plain value", "plain value"},
		{"COMMENTED", "value", "value", "value"},
		{"HASH", "val#ue", "val#ue", "val#ue"},
		{"SINGLE", `single $NOT ${NOT} \n`, `single $NOT ${NOT} \n`, `'single $NOT ${NOT} \n'`},
		{"DOLLAR", "a$b", "a$$b", "a$$b"},
		{"ESCAPED", `a\`, `a\$b`, `a\$b`},
		{"COLON", "colon value", "", "colon value"},
		{"EMPTY", "", "", ""},
		{"TABBED", "spaced", "spaced", "spaced"},
		{"AFTER_QUOTE", "x", "x", "'x'"},
		{"BARE_KNOWN", "known", "", ""},
	} {
		l := lines[c.key]
		if l.Reveal() != c.value || l.Compose1.Reveal() != c.compose1 || l.Raw.Reveal() != c.raw {
			t.Errorf("%s: %q, Compose 1 %q, written %q; want %q, %q, %q", c.key, l.Reveal(), l.Compose1.Reveal(), l.Raw.Reveal(), c.value, c.compose1, c.raw)
		}
	}
	if l := lines["PASSWORD"]; l.String() != secret.Hidden || l.Raw.String() != secret.Hidden || l.Compose1.String() != secret.Hidden {
		t.Errorf("a password shows: %v", l)
	}
	if l := lines["EXPORTED"]; !l.Export || l.Key != "EXPORTED" || lines["BARE_KNOWN"].Bare != true || l.Bare {
		t.Errorf("EXPORTED: %+v", l)
	}
}

// TestSecretsStayInside plants secrets in every corner and looks for them in
// everything that the loader lets out.
func TestSecretsStayInside(t *testing.T) {
	secrets := []string{"s3cretDotenv", "s3cretEntry", "s3cretDefault", "s3cretUrl", "s3cretEnvFile", "s3cretBlock", "s3cretAnchor", "s3cretArg", "s3cretBroken", "s3cretFlow", "s3cretQuoted", "s3cretUnused"}
	dir := write(t, map[string]string{
		".env":  "MYSQL_PASSWORD=s3cretDotenv\nLDAP PASSWORD=s3cretBroken\nURL=ldap://u:s3cretUrl@h/\n",
		"x.env": "API_TOKEN=\"s3cretEnvFile\"\n",
		"compose.yaml": `x-p: &p s3cretAnchor
x-unused: {password: s3cretUnused}
services:
  web:
    image: example/web
    env_file: x.env
    command: login --password s3cretDotenv s3cretArg
    build: {context: ., args: [DB_PASSWORD=s3cretArg]}
    environment:
      DB_PASSWORD: s3cretEntry # s3cretEntry
      OTHER_PASSWORD: ${NOTHING:-s3cretDefault}
      THIRD_PASSWORD: *p
      FROM_ENV: ${MYSQL_PASSWORD}
      FLOW: "x"
      BLOCK_PASSWORD: |
        s3cretBlock
      QUOTED_PASSWORD: "s3cret\x51uoted"
      UNCLOSED: ${
  flow: {image: x, environment: {A_PASSWORD: s3cretFlow, B: b}}
`,
	})
	d := load(t, deployment.Options{Dir: dir})
	known := d.Secrets()
	for _, s := range secrets {
		if !slices.ContainsFunc(known, func(k string) bool { return strings.TrimSpace(k) == s }) && s != "s3cretBroken" {
			t.Errorf("Secrets() lacks %s", s)
		}
	}
	var out bytes.Buffer
	for _, f := range []string{".env", "x.env", "compose.yaml"} {
		for line := 1; line < 40; line++ {
			fmt.Fprintln(&out, d.Excerpt(finding.Location{File: f, Line: line, Column: 20}))
		}
	}
	for _, p := range d.Problems {
		fmt.Fprintf(&out, "%+v\n", p)
	}
	for _, s := range d.Services {
		for k, v := range s.Env {
			fmt.Fprintf(&out, "%s %v %+v %#v %s\n", k, v, v.Variables, v.Text, v)
		}
	}
	fmt.Fprintf(&out, "%v %+v %q\n", d.EnvFiles, d.Unset, d.PublicWords())
	for _, s := range secrets {
		if i := strings.Index(out.String(), s); i >= 0 {
			t.Errorf("%s gets out: …%s…", s, out.String()[max(0, i-60):min(out.Len(), i+30)])
		}
	}
	for _, visible := range []string{"DB_PASSWORD: «hidden»", "OTHER_PASSWORD: ${NOTHING:-«hidden»}", "FROM_ENV: ${MYSQL_PASSWORD}", "B: b", "URL=ldap://u:«hidden»@h/"} {
		if !strings.Contains(out.String(), visible) {
			t.Errorf("%q is not shown", visible)
		}
	}
}

// TestExcerptIsShort cuts lines of any length around the column.
func TestExcerptIsShort(t *testing.T) {
	long := strings.Repeat("x", 1<<19)
	d := load(t, deployment.Options{Dir: write(t, map[string]string{
		"compose.yaml": web + "    environment: {FIRST: 1, LONG: '" + long + "', LAST: end" + strings.Repeat(" ", 1000) + "}\n",
	})})
	s, _ := d.Service("web")
	for key, want := range map[string]string{"FIRST": "FIRST: 1", "LAST": "LAST: end"} {
		v, _ := s.Get(key)
		got := d.Excerpt(v.At)
		if len(got) > 1000 || !strings.Contains(got, want) {
			t.Errorf("%s: an excerpt of %d bytes: %.80q", key, len(got), got)
		}
	}
	for _, l := range []finding.Location{{}, {File: "compose.yaml"}, {File: "compose.yaml", Line: 999}, {File: "gone", Line: 1}, {File: "compose.yaml", Line: 1, Column: 999}} {
		_ = d.Excerpt(l)
	}
}

// TestQuiet sees that compose-go's warnings do not reach standard error, and
// that the logger is as before afterwards.
func TestQuiet(t *testing.T) {
	var log bytes.Buffer
	logrus.SetOutput(&log)
	defer logrus.SetOutput(os.Stderr)
	load(t, deployment.Options{Dir: write(t, map[string]string{"compose.yaml": "version: '3'\n" + web + "    hostname: $GONE\n"})})
	if log.Len() > 0 {
		t.Errorf("compose-go wrote %q", log.String())
	}
	logrus.Warn("still here")
	if log.Len() == 0 {
		t.Error("the logger was not given back")
	}
}

// TestAtOnce loads in several goroutines and expects the same every time.
func TestAtOnce(t *testing.T) {
	defer logrus.SetOutput(os.Stderr)
	logrus.SetOutput(io.Discard)
	var wg sync.WaitGroup
	texts := make([]string, 6)
	for i := range texts {
		wg.Go(func() {
			d, err := deployment.Load(context.Background(), deployment.Options{Dir: filepath.Join(refused, "undefined")})
			if err != nil {
				texts[i] = err.Error()
				return
			}
			texts[i] = describe(d)
		})
	}
	wg.Wait()
	for _, text := range texts {
		if text != texts[0] || !strings.Contains(text, "dta") {
			t.Errorf("one load differs:\n%s\n%s", text, texts[0])
		}
	}
}

// TestNestedInclude follows an include within an include whose env_file is
// relative, from any working folder.
func TestNestedInclude(t *testing.T) {
	d := load(t, deployment.Options{Dir: write(t, map[string]string{
		"compose.yaml":         "include: [one/compose.yaml]\n" + web,
		"one/compose.yaml":     "include:\n  - path: two/compose.yaml\n    env_file: two/two.env\nservices:\n  one: {image: one}\n",
		"one/two/compose.yaml": "services:\n  two: {image: two, environment: {A: \"${A}\"}, env_file: x.env}\n",
		"one/two/two.env":      "A=from two\n",
		"one/two/x.env":        "X=x\n",
	})})
	s, ok := d.Service("two")
	if !d.Accepted || !ok {
		t.Fatalf("accepted %v: %+v", d.Accepted, d.Problems)
	}
	a, _ := s.Get("A")
	x, _ := s.Get("X")
	if a.Reveal() != "from two" || a.Variables[0].At.String() != "one/two/two.env:1:3" || x.At.String() != "one/two/x.env:1:3" {
		t.Errorf("A %+v, X %+v", a, x)
	}
}
