package rules_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// TestEveryValue goes through every line of the bundled deployment on which a
// value stands, breaks it in at least two ways that people break such values,
// and wants a finding that names the line as one to change, or as one that the
// wrong value came from. Values that nothing depends on are in the table free,
// with the reason; a new value that has no way to be broken and no reason fails
// the test.
//
// The same is tried on upstream's deployment where it is at hand; there, values
// that are in no class are left out.
//
// Each try loads the whole deployment. A plain run takes every fourth (of
// upstream's every twelfth), one under the race detector every thirtieth,
// `make mutations` all of them.
func TestEveryValue(t *testing.T) {
	t.Run("full", func(t *testing.T) { everyValue(t, walk{t: t, dir: "../testdata/deployments/full", own: true}) })
	t.Run("corpus", func(t *testing.T) { everyValue(t, walk{t: t, dir: filepath.Join(corpus(t), "kopano-docker")}) })
}

// walk goes through the files of one deployment.
type walk struct {
	t   *testing.T
	dir string
	own bool // ours, of which every value has a class, and every miss a reason
}

// unknown reports a value that is in no class.
func (w walk) unknown(file string, line int, what any) {
	w.t.Helper()
	if w.own {
		w.t.Errorf("%s:%d: nobody knows how to break %v", file, line, what)
	}
}

func everyValue(t *testing.T, w walk) {
	dir := w.dir
	damages := w.damages()
	step := 4
	if !w.own {
		step = 12
	}
	switch {
	case os.Getenv("KOPANO_DOCTOR_MUTATIONS") == "all":
		step = 1
	case testing.Short() || raceDetector:
		step = 30
	}
	var tried []damage
	for i := 0; i < len(damages); i += step {
		tried = append(tried, damages[i])
	}
	results := tryAll(t, dir, tried)
	all, found := map[string]int{}, map[string]int{}
	bySeverity := map[finding.Severity]int{}
	for i, d := range tried {
		all[d.class]++
		switch reason, known := missed[d.class+": "+d.what]; {
		case results[i] > 0:
			found[d.class]++
			bySeverity[results[i]]++
			if known && w.own {
				t.Errorf("found, although the table says that it is not: %s: %s", d, reason)
			}
		case known:
			t.Logf("not found: %s: %s", d, reason)
		case !w.own && missedUpstream(d) != "":
			t.Logf("not found: %s: %s", d, missedUpstream(d))
		default:
			t.Errorf("not found, and no reason is given: %s", d)
		}
	}
	total, sum := 0, 0
	for _, class := range sortedKeys(all) {
		total, sum = total+all[class], sum+found[class]
		t.Logf("%-14s %3d of %3d found", class, found[class], all[class])
	}
	t.Logf("%-14s %3d of %3d found, %.1f %%; %d as errors, %d as warnings, %d as notes", "all", sum, total, 100*float64(sum)/float64(total),
		bySeverity[finding.Error], bySeverity[finding.Warning], bySeverity[finding.Info])
	// A part may hold more than its share of the misses that have a reason.
	if step == 1 && 100*sum < 97*total {
		t.Errorf("less than 97 %% of the damages are found")
	}
}

// damage is one change of one line.
type damage struct {
	class string
	what  string // the value and how it is broken
	file  string
	line  int
	text  string         // the new line; "\x00" removes it
	near  *regexp.Regexp // for removed lines: lines that may be named instead
}

const removed = "\x00"

func (d damage) String() string {
	return fmt.Sprintf("%s: %s (%s:%d %q)", d.class, d.what, d.file, d.line, d.text)
}

// tryAll makes each change in turn, in a copy of its own for each worker, and
// gives the severity of the worst new finding that names the line, 0 for none.
func tryAll(t *testing.T, original string, damages []damage) []finding.Severity {
	out := make([]finding.Severity, len(damages))
	before := map[string]bool{}
	for _, f := range rules.Run(rules.All(), load(t, deployment.Options{Dir: original})) {
		before[f.ID+f.Message] = true
	}
	next := make(chan int)
	var workers sync.WaitGroup
	for range runtime.GOMAXPROCS(0) {
		dir := copyOf(t, original)
		workers.Go(func() {
			for i := range next {
				out[i] = damages[i].try(t, dir, before)
			}
		})
	}
	for i := range damages {
		next <- i
	}
	close(next)
	workers.Wait()
	return out
}

func (d damage) try(t *testing.T, dir string, before map[string]bool) finding.Severity {
	path := filepath.Join(dir, d.file)
	old, err := os.ReadFile(path)
	if err != nil {
		t.Error(err)
		return 0
	}
	defer func() {
		if err := os.WriteFile(path, old, 0o644); err != nil {
			t.Error(err)
		}
	}()
	lines := strings.Split(string(old), "\n")
	if d.text == removed {
		lines = slices.Delete(lines, d.line-1, d.line)
	} else {
		if lines[d.line-1] == d.text {
			t.Errorf("%s changes nothing", d)
		}
		lines[d.line-1] = d.text
	}
	if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")), 0o644); err != nil {
		t.Error(err)
		return 0
	}
	loaded, err := deployment.Load(context.Background(), deployment.Options{Dir: dir})
	if err != nil {
		t.Errorf("%s: %v", d, err)
		return 0
	}
	var worst finding.Severity
	for _, f := range rules.Run(rules.All(), &rules.Input{Deployment: loaded, Topology: kopano.Recognise(loaded)}) {
		if before[f.ID+f.Message] || f.Severity <= worst || !d.namedBy(t, dir, f) {
			continue
		}
		worst = f.Severity
	}
	return worst
}

func (d damage) namedBy(t *testing.T, dir string, f finding.Finding) bool {
	for _, l := range f.Locations {
		// The other end of a disagreement is a place worth looking at, not the damage.
		if l.File == d.file && l.Line == d.line && d.text != removed && l.Role != finding.Related {
			return true
		}
		if d.text == removed && (d.near == nil || d.near.MatchString(textAt(t, dir, l))) {
			return true // the finding is new, and the line is no more
		}
	}
	return false
}

// textAt gives the line at a place, "" when there is none.
func textAt(t *testing.T, dir string, l finding.Location) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join(dir, l.File))
	lines := strings.Split(string(data), "\n")
	if err != nil || l.Line < 1 || l.Line > len(lines) {
		return ""
	}
	return lines[l.Line-1]
}

// damages gives every damage to every line of a deployment.
func (w walk) damages() []damage {
	w.t.Helper()
	env := w.read(".env")
	compose := strings.Split(regexp.MustCompile(`(?m)^COMPOSE_FILE=(.*)$`).FindStringSubmatch(string(env))[1], ":")
	out := w.inEnvFile(".env", strings.Split(string(env), "\n"))
	for _, file := range compose {
		data := w.read(file)
		out = append(out, w.inCompose(file, data, strings.Split(string(data), "\n"))...)
	}
	files, err := filepath.Glob(filepath.Join(w.dir, "*.env"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		if file := filepath.Base(f); file != ".env" {
			out = append(out, w.inEnvFile(file, strings.Split(string(w.read(file)), "\n"))...)
		}
	}
	return out
}

func (w walk) read(file string) []byte {
	w.t.Helper()
	data, err := os.ReadFile(filepath.Join(w.dir, file))
	if err != nil {
		w.t.Fatal(err)
	}
	return data
}

// inEnvFile breaks the values of an env file.
func (w walk) inEnvFile(file string, lines []string) []damage {
	var out []damage
	for i, line := range lines {
		key, value, ok := strings.Cut(line, "=")
		if !ok || strings.HasPrefix(line, "#") {
			continue
		}
		add := func(how, text string, near *regexp.Regexp) {
			out = append(out, damage{classOf(key), file + " " + key + " " + how, file, i + 1, text, near})
		}
		if !w.own && file == ".env" && !strings.HasPrefix(key, "COMPOSE_") && !w.reads(key) {
			continue // nothing depends on it
		}
		users := regexp.MustCompile(`\$\{` + regexp.QuoteMeta(key) + `\b`)
		ways := waysOf(key, strings.Trim(value, `"'`))
		if len(ways) == 0 && free[key] == "" {
			w.unknown(file, i+1, key)
		}
		for _, to := range ways {
			if text := key + "=" + to.value; w.own || text != line && (to.value != "" || !w.defaulted(key)) {
				add(to.how, text, nil)
			}
		}
		if file == ".env" && len(ways) > 0 && !strings.HasPrefix(key, "COMPOSE_") && !w.defaulted(key) {
			add("removed", removed, users)
		}
	}
	return out
}

// reads reports whether a compose file takes a variable.
func (w walk) reads(key string) bool {
	w.t.Helper()
	env := string(w.read(".env"))
	for _, file := range strings.Split(regexp.MustCompile(`(?m)^COMPOSE_FILE=(.*)$`).FindStringSubmatch(env)[1], ":") {
		if regexp.MustCompile(`\$\{?` + regexp.QuoteMeta(key) + `\b`).Match(w.read(file)) {
			return true
		}
	}
	return false
}

// defaulted reports whether the files do with a default when a variable is gone.
func (w walk) defaulted(key string) bool {
	w.t.Helper()
	files, err := filepath.Glob(filepath.Join(w.dir, "*.yml"))
	if err != nil {
		w.t.Fatal(err)
	}
	for _, f := range files {
		if strings.Contains(string(w.read(filepath.Base(f))), "${"+key+":-") {
			return true
		}
	}
	return false
}

// anyName reports whether a setting may have another name: any job, any number
// behind KCCOMMENT_, and names of which only the value is of no matter.
func anyName(key, value string) bool {
	return strings.HasPrefix(key, "CRON") || strings.HasPrefix(key, "KCCOMMENT_") || strings.HasPrefix(key, "KCUNCOMMENT_") || value == "kapps" ||
		free[key] != "" || key == "TZ" && value == "${TZ}"
}

// inCompose breaks the values of a compose file.
func (w walk) inCompose(file string, data []byte, lines []string) []damage {
	w.t.Helper()
	var document yaml.Node
	if err := yaml.Unmarshal(data, &document); err != nil {
		w.t.Fatal(err)
	}
	var out []damage
	scalars(document.Content[0], nil, func(path []string, n *yaml.Node) {
		line := lines[n.Line-1]
		if len(path) == 4 && path[2] == "environment" && path[3] == "-" {
			out = append(out, w.inList(file, path[1], line, n)...)
			return
		}
		name := strings.Join(append([]string{file}, path...), " ")
		if path[len(path)-1] == "-" {
			name += " " + n.Value
		}
		for _, to := range w.composeWays(file, path, n) {
			text := removed
			if to.value != removed {
				text = line[:n.Column-1] + to.value
			}
			out = append(out, damage{to.class, name + " " + to.how, file, n.Line, text, nil})
		}
		if key := path[len(path)-1]; len(path) > 3 && path[2] == "environment" && !anyName(key, n.Value) {
			// A letter is doubled, which every reader takes for another name.
			misspelt := strings.Replace(line, key, key[:len(key)-1]+key[len(key)-1:]+key[len(key)-1:], 1)
			out = append(out, damage{"name", name + " misspelt", file, n.Line, misspelt, nil})
		}
	})
	return out
}

// inList breaks an entry of an environment that is written as a list.
func (w walk) inList(file, service, line string, n *yaml.Node) []damage {
	key, value, ok := strings.Cut(n.Value, "=")
	if !ok {
		return nil // the shell's value
	}
	name := strings.Join([]string{file, "services", service, "environment", key}, " ")
	entry := func(key, value string) string {
		return line[:n.Column-1] + "'" + strings.ReplaceAll(key+"="+value, "'", "''") + "'"
	}
	var out []damage
	for _, to := range w.environmentWays(file, key, &yaml.Node{Value: value, Line: n.Line}) {
		changed := strings.Trim(to.value, `"'`)
		if changed == value || to.how == "no quotes" {
			continue // an entry of a list is a text with and without quotes
		}
		out = append(out, damage{to.class, name + " " + to.how, file, n.Line, entry(key, changed), nil})
	}
	if !anyName(key, value) {
		out = append(out, damage{"name", name + " misspelt", file, n.Line, entry(key+key[len(key)-1:], value), nil})
	}
	return out
}

// scalars walks over the values of a document, aliases left out.
func scalars(n *yaml.Node, path []string, visit func([]string, *yaml.Node)) {
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == "<<" {
				continue
			}
			scalars(n.Content[i+1], append(slices.Clone(path), n.Content[i].Value), visit)
		}
	case yaml.SequenceNode:
		for _, c := range n.Content {
			scalars(c, append(slices.Clone(path), "-"), visit)
		}
	case yaml.ScalarNode:
		visit(path, n)
	}
}

// change is one way to break a value.
type change struct {
	class string
	how   string
	value string // the new value, as it is written; removed takes the line away
}

// way is one way to break the value of a setting.
type way struct{ how, value string }
