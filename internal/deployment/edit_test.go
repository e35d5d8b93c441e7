package deployment_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// editCase changes one file; "|" in before marks the place, want is the file
// afterwards, "" when there must be no edit.
type editCase struct {
	name, file, before string
	edit               func(d *deployment.Deployment, at finding.Location) []finding.Edit
	want               string
}

func set(old, text string) func(*deployment.Deployment, finding.Location) []finding.Edit {
	return func(d *deployment.Deployment, at finding.Location) []finding.Edit { return d.SetValue(at, old, text) }
}

func rename(old, text string) func(*deployment.Deployment, finding.Location) []finding.Edit {
	return func(d *deployment.Deployment, at finding.Location) []finding.Edit { return d.Rename(at, old, text) }
}

func addEnv(name, value string) func(*deployment.Deployment, finding.Location) []finding.Edit {
	return func(d *deployment.Deployment, _ finding.Location) []finding.Edit {
		return d.AddEnvironment("a", name, value)
	}
}

func addNet(name string) func(*deployment.Deployment, finding.Location) []finding.Edit {
	return func(d *deployment.Deployment, _ finding.Location) []finding.Edit { return d.AddNetwork("a", name) }
}

var (
	unquote = (*deployment.Deployment).Unquote
	quote   = (*deployment.Deployment).Quote
	remove  = (*deployment.Deployment).Delete
)

func quoteEnv(text string) func(*deployment.Deployment, finding.Location) []finding.Edit {
	return func(d *deployment.Deployment, at finding.Location) []finding.Edit { return d.QuoteEnv(at, text) }
}

const head = "services:\n  a:\n    image: x:1\n"

var editCases = []editCase{
	{"plain env value", ".env", "# c\nA=|true # why\nB=2\n", set("true", "yes"), "# c\nA=yes # why\nB=2\n"},
	{"quoted env value", ".env", "A=\"|true\"\n", set("true", "yes"), "A=\"yes\"\n"},
	{"env value with CR LF", ".env", "A=|true\r\nB=1\r\n", set("true", "yes"), "A=yes\r\nB=1\r\n"},
	{"env value that is another", ".env", "A=|truer\n", set("true", "yes"), ""},
	{"env value that would need quotes", ".env", "A=|true\n", set("true", "a #b"), ""},
	{"default in an env file", ".env", "A=|${B:-true}\n", set("true", "yes"), "A=${B:-yes}\n"},
	{"list item", "compose.yaml", head + "    environment:\n      - A=|true  # why\n", set("true", "yes"), head + "    environment:\n      - A=yes  # why\n"},
	{"list item in quotes", "compose.yaml", head + "    environment:\n      - \"A=|true\"\n", set("true", "yes"), head + "    environment:\n      - \"A=yes\"\n"},
	{"default in a list item", "compose.yaml", head + "    environment:\n      - A=|${A:-true}\n", set("true", "yes"), head + "    environment:\n      - A=${A:-yes}\n"},
	{"flow list", "compose.yaml", head + "    environment: [A=|true, B=1]\n", set("true", "yes"), head + "    environment: [A=yes, B=1]\n"},
	{"flow list that would break", "compose.yaml", head + "    environment: [A=|true, B=1]\n", set("true", "a,b"), ""},
	{"mapping value that becomes a boolean", "compose.yaml", head + "    environment:\n      A: |true\n", set("true", "yes"), head + "    environment:\n      A: \"yes\"\n"},
	{"mapping value", "compose.yaml", head + "    environment:\n      A: |foo # b\n", set("foo", "bar:1"), head + "    environment:\n      A: bar:1 # b\n"},
	{"value with a variable", "compose.yaml", head + "    environment:\n      - A=|${B}true\n", set("true", "yes"), ""},
	{"value over two lines", "compose.yaml", head + "    environment:\n      A: |one\n        two\n", set("one two", "x"), ""},
	{"image in a variable's company", "compose.yaml", "services:\n  a:\n    image: |tvial/x:${V:-1}\n",
		func(d *deployment.Deployment, at finding.Location) []finding.Edit {
			return d.ReplaceIn(at, "tvial/", "mailserver/")
		},
		"services:\n  a:\n    image: mailserver/x:${V:-1}\n"},
	{"end of a value", "compose.yaml", head + "    environment:\n      - A=|https://${F}/\n",
		func(d *deployment.Deployment, at finding.Location) []finding.Edit { return d.ReplaceEnd(at, "/", "") },
		head + "    environment:\n      - A=https://${F}\n"},
	{"rename env line", ".env", "  |A=1\nB=2\n", rename("A", "C"), "  C=1\nB=2\n"},
	{"rename bare env line", ".env", "|A\nB=2\n", rename("A", "C"), ""},
	{"rename list item", "compose.yaml", head + "    environment:\n      - |A=1\n      - AA=2\n", rename("A", "C"), head + "    environment:\n      - C=1\n      - AA=2\n"},
	{"rename bare list item", "compose.yaml", head + "    environment:\n      - |A\n", rename("A", "C"), ""},
	{"rename key", "compose.yaml", head + "    environment:\n      \"|A\": 1\n", rename("A", "C"), head + "    environment:\n      \"C\": 1\n"},
	{"rename bare key", "compose.yaml", head + "    environment:\n      |A:\n", rename("A", "C"), ""},
	{"rename field", "compose.yaml", head + "    |enviroment:\n      - A=1\n", rename("enviroment", "environment"), head + "    environment:\n      - A=1\n"},
	{"quotes of an item", "compose.yaml", head + "    environment:\n      - A=|\"b\" # c\n", unquote, head + "    environment:\n      - A=b # c\n"},
	{"quotes around a variable", "compose.yaml", head + "    environment:\n      - A=|\"${B:-x}\"\n", unquote, head + "    environment:\n      - A=${B:-x}\n"},
	{"quotes that are needed", "compose.yaml", head + "    environment:\n      - A=|\"b \"\n", unquote, head + "    environment:\n      - 'A=b '\n"},
	{"quotes in quotes", "compose.yaml", head + "    environment:\n      - 'A=|\"b: c\"'\n", unquote, head + "    environment:\n      - 'A=b: c'\n"},
	{"no quotes", "compose.yaml", head + "    environment:\n      - A=|b\n", unquote, ""},
	{"quote a number", "compose.yaml", head + "    environment:\n      A: |0123 # c\n", quote, head + "    environment:\n      A: \"0123\" # c\n"},
	{"quote what has quotes", "compose.yaml", head + "    environment:\n      A: '|0123'\n", quote, ""},
	{"quote env", ".env", "A=|pa$word # c\n", quoteEnv("pa$word"), "A='pa$word' # c\n"},
	{"quote env in double quotes", ".env", "A=\"|pa$word\"\n", quoteEnv("pa$word"), "A='pa$word'\n"},
	{"quote env with a quote", ".env", "A=|pa$wo'rd\n", quoteEnv("pa$wo'rd"), ""},
	{"quote env with a colon", ".env", "|A: b\nC=1\n", quoteEnv("b"), "A='b'\nC=1\n"},
	{"delete env line", ".env", "# one\nA=1\n|A=2 # c\nB=3\n", remove, "# one\nA=1\nB=3\n"},
	{"delete item", "compose.yaml", head + "    environment:\n      # c\n      - A=1\n      - |A=2 # d\n      # e\n      - B=3\n", remove, head + "    environment:\n      # c\n      - A=1\n      # e\n      - B=3\n"},
	{"delete the last item", "compose.yaml", head + "    environment:\n      - |A=2\n    tty: true\n", remove, head + "    tty: true\n"},
	{"delete block", "compose.yaml", head + "volumes:\n  |v:\n    driver: local\n    driver_opts:\n      type: nfs\n\n  w:\n", remove, head + "volumes:\n\n  w:\n"},
	{"delete the only block", "compose.yaml", head + "volumes:\n  |v:\n", remove, head},
	{"delete empty value with comment", "compose.yaml", head + "volumes:\n  |v: # old\n  w:\n", remove, head + "volumes:\n  w:\n"},
	{"delete from flow", "compose.yaml", head + "volumes: {|v: , w: }\n", remove, ""},
	{"delete an anchor", "compose.yaml", head + "volumes:\n  |v: &x\n    driver: local\n  w: *x\n", remove, ""},
	{"delete at the end without line end", "compose.yaml", "version: '3'\n" + head + "    |restart: always", remove, "version: '3'\n" + head},
	{"add to list", "compose.yaml", "|" + head + "    environment:\n    -   A=1 # c\n    # d\n    tty: true\n", addEnv("B", "2"), head + "    environment:\n    -   A=1 # c\n    -   B=2\n    # d\n    tty: true\n"},
	{"add to list with CR LF", "compose.yaml", "|services:\r\n  a:\r\n    image: x\r\n    environment:\r\n      - A=1\r\n", addEnv("B", "2"), "services:\r\n  a:\r\n    image: x\r\n    environment:\r\n      - A=1\r\n      - B=2\r\n"},
	{"add to list without line end", "compose.yaml", "|" + head + "    environment:\n      - A=1", addEnv("B", "2"), head + "    environment:\n      - A=1\n      - B=2"},
	{"add to mapping", "compose.yaml", "|" + head + "    environment:\n      A: |\n        one\n        two\n    tty: true\n", addEnv("B", "yes"), head + "    environment:\n      A: |\n        one\n        two\n      B: \"yes\"\n    tty: true\n"},
	{"add to flow list", "compose.yaml", "|" + head + "    environment: [ A=1 ]\n", addEnv("B", "2"), head + "    environment: [ A=1, B=2 ]\n"},
	{"add a first one", "compose.yaml", "|" + head + "    tty: true\n", addEnv("B", "2"), head + "    environment:\n      - B=2\n    tty: true\n"},
	{"not under a merge", "compose.yaml", "|x-a: &a\n  environment: {Z: z}\n" + head + "    <<: *a\n", addEnv("B", "2"), ""},
	{"add network to list", "compose.yaml", "|" + head + "    networks:\n      - n\nnetworks: {n: , m: }\n", addNet("m"), head + "    networks:\n      - n\n      - m\nnetworks: {n: , m: }\n"},
	{"add network to mapping", "compose.yaml", "|" + head + "    networks:\n      n:\n        aliases: [q]\nnetworks: {n: , m: }\n", addNet("m"), head + "    networks:\n      n:\n        aliases: [q]\n      m:\nnetworks: {n: , m: }\n"},
	{"add network to none", "compose.yaml", "|" + head + "networks: {m: }\n", addNet("m"), head + "    networks:\n      - default\n      - m\nnetworks: {m: }\n"},
	{"no network with network_mode", "compose.yaml", "|" + head + "    network_mode: host\nnetworks: {m: }\n", addNet("m"), ""},
	{"unix line ends", ".env", "|\ufeffA=1\r\nB=2\nC=3\r\n", func(d *deployment.Deployment, at finding.Location) []finding.Edit { return d.UnixLines(at.File) }, "A=1\nB=2\nC=3\n"},
}

// TestEdits applies each edit and compares the whole file, byte for byte.
func TestEdits(t *testing.T) {
	for _, c := range editCases {
		t.Run(c.name, func(t *testing.T) {
			mark := strings.LastIndex(c.before, "|")
			if strings.HasPrefix(c.before, "|") {
				mark = 0
			}
			before := c.before[:mark] + c.before[mark+1:]
			dir := t.TempDir()
			files := map[string]string{"compose.yaml": "services:\n  a:\n    image: x\n", c.file: before}
			for name, text := range files {
				if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			d := load(t, deployment.Options{Dir: dir})
			line := strings.Count(before[:mark], "\n")
			at := finding.Location{File: c.file, Line: line + 1, Column: mark - (strings.LastIndex(before[:mark], "\n") + 1) + 1}
			got := applied(t, before, c.edit(d, at))
			if got != c.want {
				t.Errorf("got\n%q\nwant\n%q", got, c.want)
			}
		})
	}
}

// applied gives the text with the edits made, "" when there are none.
func applied(t *testing.T, text string, edits []finding.Edit) string {
	t.Helper()
	if len(edits) == 0 {
		return ""
	}
	slices.SortFunc(edits, func(a, b finding.Edit) int { return b.Start - a.Start })
	for _, e := range edits {
		if got := text[e.Start:e.End]; got != e.Old.Reveal() {
			t.Errorf("the edit replaces %q, and %q stands there", e.Old.Reveal(), got)
		}
		text = text[:e.Start] + e.New.Reveal() + text[e.End:]
	}
	return text
}

// TestEditsNeedExactFiles wants no edit of a file in UTF-16, of one that is no
// YAML, of an env file that is read as it stands, and of the environment.
func TestEditsNeedExactFiles(t *testing.T) {
	utf16 := "\xff\xfe"
	for _, c := range "A=true\n" {
		utf16 += string([]byte{byte(c), 0})
	}
	for name, c := range map[string]struct {
		files map[string]string
		at    finding.Location
	}{
		"UTF-16":      {map[string]string{".env": utf16}, finding.Location{File: ".env", Line: 1, Column: 3}},
		"tab":         {map[string]string{"compose.yaml": "services:\n  a:\n\timage: x\n    environment:\n      - A=true\n"}, finding.Location{File: "compose.yaml", Line: 5, Column: 11}},
		"raw":         {map[string]string{"compose.yaml": "services:\n  a:\n    image: x\n    env_file:\n      - path: raw.env\n        format: raw\n", "raw.env": "A=true\n"}, finding.Location{File: "raw.env", Line: 1, Column: 3}},
		"environment": {nil, finding.Location{File: "(environment)"}},
		"not loaded":  {map[string]string{"other.env": "A=true\n"}, finding.Location{File: "other.env", Line: 1, Column: 3}},
		"no column":   {map[string]string{".env": "A=true\n"}, finding.Location{File: ".env", Line: 1}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			files := map[string]string{"compose.yaml": "services:\n  a:\n    image: x\n"}
			for n, text := range c.files {
				files[n] = text
			}
			for n, text := range files {
				if err := os.WriteFile(filepath.Join(dir, n), []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			d := load(t, deployment.Options{Dir: dir})
			if es := d.SetValue(c.at, "true", "yes"); es != nil {
				t.Errorf("an edit of %s: %+v", c.at, es)
			}
		})
	}
}

// TestMentionedElsewhere looks into files that nothing loads, in a folder whose name is a pattern.
func TestMentionedElsewhere(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "a[b]*")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"compose.yaml": "services:\n  a:\n    image: x\nvolumes:\n  here:\n  there:\n",
		"other.yml":    "services:\n  b:\n    image: x\n    volumes: [there:/x]\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d := load(t, deployment.Options{Dir: dir})
	if d.MentionedElsewhere("nowhere") {
		t.Error("what other files mention is not told right")
	}
	if !d.MentionedElsewhere("there") {
		t.Error("other.yml mentions there")
	}
}
