package deployment_test

import (
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
)

// said writes comments as "line:column text", with a mark for those alone in their line.
func said(d *deployment.Deployment, file string) string {
	var out []string
	for _, c := range d.Comments() {
		if c.At.File != file {
			continue
		}
		mark := ""
		if c.Alone {
			mark = "!"
		}
		out = append(out, fmt.Sprintf("%d:%d%s %s", c.At.Line, c.At.Column, mark, c.Text))
	}
	return strings.Join(out, "\n")
}

func TestComments(t *testing.T) {
	dir := write(t, map[string]string{
		"compose.yaml": `# head
services:
  a: # beside a key
    image: "x # no" # behind quotes
    command: echo a#b # beside
    labels:
      - 'it''s # no'   #beside
      - "a \" # no
         # no either" # yes
      - plain # ends here
    # alone
    environment:
      A: |  # in the head of a block
        # no
        text # no
      # after the block
      B: > 
        # no

        no # no
      "C # no": "" # äöü
    env_file:
      - a.env
      - {path: raw.env, format: raw}
`,
		"a.env":   "# one\n  \t# two\nA=1 # three\nB=1# no\nC=\"# no\" # four\nD='\n# no\n' # five\nE=# no\nF= # no\nG=a  #six\nexport H=b # seven\n#",
		"raw.env": "# one\nA=1 # no\n  # two\nB=\"# no\"\n",
	})
	d := load(t, deployment.Options{Dir: dir})
	for file, want := range map[string]string{
		"compose.yaml": `1:1! head
3:6 beside a key
4:21 behind quotes
5:23 beside
7:24 beside
9:23 yes
10:15 ends here
11:5! alone
13:13 in the head of a block
16:7! after the block
21:20 äöü`,
		"a.env":   "1:1! one\n2:4! two\n3:5 three\n5:10 four\n8:3 five\n11:6 six\n12:12 seven\n13:1! ",
		"raw.env": "1:1! one\n3:3! two",
	} {
		if got := said(d, file); got != want {
			t.Errorf("%s:\n%s\nwant\n%s", file, got, want)
		}
	}
	if !d.Accepted {
		t.Errorf("Compose refuses the example: %+v", d.Problems)
	}
}

// TestCommentsMeanNothing blanks every comment of every deployment, and wants
// YAML to read the same.
func TestCommentsMeanNothing(t *testing.T) {
	n, found := 0, 0
	for _, c := range allCases(t) {
		d := load(t, c.options)
		for file, text := range withoutComments(t, d, d.Files) {
			n++
			before, err := os.ReadFile(filepath.Join(d.Dir, file))
			if err != nil {
				t.Fatal(err)
			}
			if want, ok := values(string(before)); ok {
				if got, _ := values(text); !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %s says something else without its comments", c.name, file)
				}
				if left := commentsOf(text); left != "" {
					t.Errorf("%s: %s still has the comments %q", c.name, file, left)
				}
				found += len(commentsOf(string(before)))
			}
		}
	}
	if n < 10 || found == 0 {
		t.Errorf("only %d files, with %d letters of comments", n, found)
	}
}

// withoutComments gives the text of files with blanks in place of their comments.
func withoutComments(t *testing.T, d *deployment.Deployment, files []string) map[string]string {
	t.Helper()
	out := map[string]string{}
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(d.Dir, file))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.SplitAfter(string(data), "\n")
		for _, c := range d.Comments() {
			if c.At.File != file {
				continue
			}
			line := lines[c.At.Line-1]
			from := c.At.Column - 1
			if c.At.Line == 1 && strings.HasPrefix(line, "\ufeff") {
				from += len("\ufeff")
			}
			if line[from] != '#' {
				t.Fatalf("%s: a comment at %s, where %q stands", file, c.At, line[from:])
			}
			end := len(strings.TrimRight(line, "\r\n"))
			lines[c.At.Line-1] = line[:from] + strings.Repeat(" ", end-from) + line[end:]
		}
		out[file] = strings.Join(lines, "")
	}
	return out
}

func values(text string) (out []any, ok bool) {
	defer func() {
		if recover() != nil {
			out, ok = nil, false
		}
	}()
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		if err := d.Decode(&n); err != nil {
			return out, err.Error() == "EOF"
		}
		out = append(out, plainValue(&n))
	}
}

// commentsOf gives the comments that the YAML library sees.
func commentsOf(text string) string {
	var b strings.Builder
	var walk func(*yaml.Node)
	walk = func(n *yaml.Node) {
		b.WriteString(n.HeadComment + n.LineComment + n.FootComment)
		for _, c := range n.Content {
			walk(c)
		}
	}
	d := yaml.NewDecoder(strings.NewReader(text))
	for {
		var n yaml.Node
		if d.Decode(&n) != nil {
			return b.String()
		}
		walk(&n)
	}
}

// plainValue gives what a node says, without its comments and places.
func plainValue(n *yaml.Node) any {
	if n.Kind == yaml.AliasNode {
		return "*" + n.Value
	}
	out := []any{n.Kind, n.ShortTag(), n.Value, n.Anchor}
	for _, c := range n.Content {
		out = append(out, plainValue(c))
	}
	return out
}

// FuzzComments wants of any YAML and env file that taking out the comments
// changes nothing that is read from it.
func FuzzComments(f *testing.F) {
	for _, s := range []string{
		"a: 'b # c' # d\n", "a: |\n  # x\n # y\nb: 1 # z\n", "a: \"\\\" # \" # b\n", "- # x\n  - a#b #c\n", "? \"a # b\" # c\n: [x, # y\n 'z # w']\n", "a: >-2\n   # x\n#y\n",
		"a: &x !t |\n # t\nb: *x # y\n", "%YAML 1.1 # x\n---\na: b\n", "a: b\n...\n# c\n---\nd: e # f\n", "a: 'x\n  # y\n  ' # z", "\ufeff# x\na: b",
	} {
		f.Add(s, "A=1 # x\n# y\nB='# z' # w\n")
	}
	f.Fuzz(func(t *testing.T, text, env string) {
		if strings.Contains(text, "extends") || strings.Contains(text, "include") || strings.Contains(text, "_file") || strings.HasPrefix(text, "\xff\xfe") || strings.HasPrefix(text, "\xfe\xff") {
			return
		}
		before, ok := values(text)
		if !ok {
			return
		}
		dir := write(t, map[string]string{"compose.yaml": text, ".env": env})
		d, err := loadInTime(t, deployment.Options{Dir: dir})
		if err != nil {
			return
		}
		after, _ := values(withoutComments(t, d, []string{"compose.yaml"})["compose.yaml"])
		if !reflect.DeepEqual(before, after) {
			t.Errorf("%q reads as %v, without its comments as %v", text, before, after)
		}
		if strings.HasPrefix(env, "\xff\xfe") || strings.HasPrefix(env, "\xfe\xff") {
			return
		}
		bare := withoutComments(t, d, []string{".env"})[".env"]
		again, err := loadInTime(t, deployment.Options{Dir: write(t, map[string]string{"compose.yaml": text, ".env": bare})})
		if err != nil {
			t.Fatal(err)
		}
		if got, want := assignments(again), assignments(d); got != want {
			t.Errorf("%q reads as %s, without its comments as %s", env, want, got)
		}
	})
}

func assignments(d *deployment.Deployment) string {
	var b strings.Builder
	for _, f := range d.EnvFiles {
		for _, l := range f.Lines {
			fmt.Fprintf(&b, "%s=%q %q;", l.Key, l.Reveal(), l.Bad)
		}
	}
	return b.String()
}
