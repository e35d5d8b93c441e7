// Package docgen writes the pages of docs/ that are made from the program itself.
package docgen

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/rules"
)

// Files beside an example that are not part of the deployment.
const (
	wanted  = "want.txt"
	excused = "other-errors-expected"
	process = "environ"
)

// Rules writes the rule reference in Markdown: an index, and for each rule why
// it matters, a bad example with what the rule says about it, and a good one.
// examples holds a folder ID/bad*/ and ID/good*/ for each rule. It is an error
// when a rule has no example, or the writer or a file fails.
func Rules(w io.Writer, all []rules.Rule, examples fs.FS) error {
	var b bytes.Buffer
	b.WriteString("# Rules\n\n")
	b.WriteString("<!-- Written by `make docs` from the rules and their examples in testdata/rules; do not edit. -->\n\n")
	fmt.Fprintf(&b, "What kopano-doctor finds in the files alone, without asking any server: %d rules. "+
		"Each has an ID that does not change. An error means that something will not work or that data is at risk, "+
		"a warning that it will bite, an info is worth knowing.\n\n", len(all))
	index(&b, all)
	for _, r := range all {
		if err := rule(&b, r, examples); err != nil {
			return fmt.Errorf("rule %s: %w", r.ID, err)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

func index(b *bytes.Buffer, all []rules.Rule) {
	subject := ""
	for _, r := range all {
		if r.Subject != subject {
			subject = r.Subject
			fmt.Fprintf(b, "**%s**\n\n| rule | severity | what is wrong |\n|---|---|---|\n", subject)
		}
		fmt.Fprintf(b, "| [%s](#%s) | %s | %s |\n", r.ID, r.ID, r.Severity, cell(r.Title))
		if last(all, r) {
			b.WriteByte('\n')
		}
	}
}

// last reports whether r is the last of its subject in a row.
func last(all []rules.Rule, r rules.Rule) bool {
	for i := range all {
		if all[i].ID == r.ID {
			return i+1 == len(all) || all[i+1].Subject != r.Subject
		}
	}
	return false
}

// cell keeps a text from breaking a table.
func cell(s string) string { return strings.ReplaceAll(s, "|", `\|`) }

func rule(b *bytes.Buffer, r rules.Rule, examples fs.FS) error {
	fmt.Fprintf(b, "## %s\n\n%s (%s).\n\n%s\n\n", r.ID, r.Title, r.Severity, r.Why)
	if r.Fixable {
		b.WriteString("`kopano-doctor fix` can repair it where there is one right answer.\n\n")
	}
	for _, kind := range []string{"bad", "good"} {
		dir, err := first(examples, r.ID, kind)
		if err != nil {
			return err
		}
		if err := example(b, examples, dir, kind); err != nil {
			return err
		}
	}
	return nil
}

// first gives the folder of the first bad or good example: the one without a suffix, where there is one.
func first(examples fs.FS, id, kind string) (string, error) {
	entries, err := fs.ReadDir(examples, id)
	if err != nil {
		return "", err
	}
	for _, e := range entries {
		if e.IsDir() && strings.HasPrefix(e.Name(), kind) {
			return path.Join(id, e.Name()), nil
		}
	}
	return "", errors.New("no " + kind + " example")
}

func example(b *bytes.Buffer, examples fs.FS, dir, kind string) error {
	entries, err := fs.ReadDir(examples, dir)
	if err != nil {
		return err
	}
	if kind == "bad" {
		b.WriteString("Bad:\n\n")
	} else {
		b.WriteString("Good:\n\n")
	}
	var says []byte
	for _, e := range entries {
		if e.IsDir() || e.Name() == excused {
			continue
		}
		text, err := fs.ReadFile(examples, path.Join(dir, e.Name()))
		if err != nil {
			return err
		}
		switch e.Name() {
		case wanted:
			says = text
		case process:
			block(b, "sh", "# in the shell that runs Compose\n", "export "+string(text))
		default:
			block(b, language(e.Name()), "# "+e.Name()+"\n", string(text))
		}
	}
	if len(says) > 0 {
		b.WriteString("kopano-doctor says:\n\n")
		block(b, "text", "", string(says))
	}
	return nil
}

func language(name string) string {
	switch path.Ext(name) {
	case ".yml", ".yaml":
		return "yaml"
	case ".env":
		return "sh"
	}
	return "text"
}

// block writes a fenced block; what would spoil the page is made visible.
func block(b *bytes.Buffer, language, head, text string) {
	const longest = 160
	text = strings.NewReplacer("\ufeff", "<BOM>", "\r", "<CR>").Replace(strings.TrimRight(text, "\n"))
	fmt.Fprintf(b, "```%s\n%s", language, head)
	for line := range strings.SplitSeq(text, "\n") {
		if r := []rune(line); len(r) > longest && language != "text" {
			line = string(r[:longest]) + "…"
		}
		b.WriteString(line)
		b.WriteByte('\n')
	}
	b.WriteString("```\n\n")
}
