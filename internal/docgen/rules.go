// Package docgen writes the pages of docs/ that are made from the program itself.
package docgen

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
)

// Index is the name of the page that leads to the others.
const Index = "README.md"

const (
	notice = "<!-- Written by `make docs` from the rules and their examples in testdata/rules; do not edit. -->\n"
	intro  = "What kopano-doctor finds in the files alone, without asking any server: %d rules, %d of which `kopano-doctor fix` can repair. " +
		"Each has an ID that does not change. An error means that something will not work or that data is at risk, " +
		"a warning that it will bite, an info is worth knowing. `kopano-doctor explain ID` shows a rule in the terminal. " +
		"Of each rule's examples the pages show two; all are in `testdata/rules`.\n"
)

// Rules writes the whole rule reference as one page.
func Rules(w io.Writer, all []rulebook.Entry) error {
	var b bytes.Buffer
	b.WriteString("# Rules\n\n" + notice + "\n")
	fmt.Fprintf(&b, intro, len(all), repairable(all))
	for _, s := range bySubject(all) {
		fmt.Fprintf(&b, "\n# %s\n\n", heading(s.Name))
		about(&b, s.About)
		table(&b, s.Rules, "")
		for _, e := range s.Rules {
			entry(&b, e)
		}
	}
	_, err := w.Write(b.Bytes())
	return err
}

// RulePages gives the rule reference as an index and a page for each subject,
// by file name.
func RulePages(all []rulebook.Entry) map[string][]byte {
	pages := map[string][]byte{Index: index(all)}
	for _, s := range bySubject(all) {
		var b bytes.Buffer
		fmt.Fprintf(&b, "# Rules: %s\n\n%s\n[All rules](%s)\n\n", s.Name, notice, Index)
		about(&b, s.About)
		table(&b, s.Rules, "")
		for _, e := range s.Rules {
			entry(&b, e)
		}
		pages[rulebook.Page(s.Name)] = b.Bytes()
	}
	return pages
}

func index(all []rulebook.Entry) []byte {
	var b bytes.Buffer
	b.WriteString("# Rules\n\n" + notice + "\n")
	fmt.Fprintf(&b, intro, len(all), repairable(all))
	for _, s := range bySubject(all) {
		page := rulebook.Page(s.Name)
		fmt.Fprintf(&b, "\n## [%s](%s)\n\n", heading(s.Name), page)
		about(&b, s.About)
		table(&b, s.Rules, page)
	}
	return b.Bytes()
}

func bySubject(all []rulebook.Entry) []rulebook.Subject[rulebook.Entry] {
	return rulebook.BySubject(all, func(e rulebook.Entry) string { return e.Subject })
}

func repairable(all []rulebook.Entry) int {
	n := 0
	for _, e := range all {
		if e.Fixable {
			n++
		}
	}
	return n
}

// about writes what the rules of a subject look at, where that is known.
func about(b *bytes.Buffer, text string) {
	if text != "" {
		b.WriteString(prose(text) + "\n\n")
	}
}

// heading makes a subject the title of a section.
func heading(subject string) string { return strings.ToUpper(subject[:1]) + subject[1:] }

// table lists rules that are explained on a page, "" for this one.
func table(b *bytes.Buffer, all []rulebook.Entry, page string) {
	b.WriteString("| rule | severity | fix | what is wrong |\n|---|---|---|---|\n")
	for _, e := range all {
		fix := ""
		if e.Fixable {
			fix = "fix"
		}
		fmt.Fprintf(b, "| [%s](%s#%s) | %s | %s | %s |\n", e.ID, page, e.ID, e.Severity, fix, cell(e.Title))
	}
}

// prose keeps a text from meaning something in Markdown. Underscores within
// words mean nothing there; a single line break would be lost.
func prose(s string) string {
	return strings.NewReplacer(`\`, `\\`, "<", "&lt;", "*", `\*`, "`", "\\`", "\n", "  \n").Replace(s)
}

// cell keeps a text from breaking a table.
func cell(s string) string { return strings.ReplaceAll(prose(s), "|", `\|`) }

func entry(b *bytes.Buffer, e rulebook.Entry) {
	fmt.Fprintf(b, "\n## %s\n\n**%s** (%s).\n\n%s\n", e.ID, prose(e.Title), e.Severity, prose(e.Why))
	fact(b, "Breaks", prose(e.Consequence))
	fact(b, "Fix", prose(e.Remedy))
	if e.Fixable {
		fact(b, "Repair", fmt.Sprintf("where there is one right answer, `kopano-doctor fix --rule %s` makes the change.", e.ID))
	}
	b.WriteString("\nBad:\n\n")
	example(b, e.Examples.Bad)
	b.WriteString("kopano-doctor says:\n\n")
	block(b, "text", says(e.Examples.Bad.Says))
	b.WriteString("Good:\n\n")
	example(b, e.Examples.Good)
	b.WriteString("More:\n\n")
	if e.Source != "" {
		fmt.Fprintf(b, "- Source: %s\n", prose(e.Source))
	}
	if e.Since != "" {
		fmt.Fprintf(b, "- Since: %s\n", prose(e.Since))
	}
	fmt.Fprintf(b, "- Suppress: `# kopano-doctor: ignore=%s because REASON` ([how](../configuration.md))\n", e.ID)
}

func fact(b *bytes.Buffer, name, text string) {
	if text != "" {
		fmt.Fprintf(b, "\n%s: %s\n", name, text)
	}
}

func example(b *bytes.Buffer, e rulebook.Example) {
	for _, name := range slices.Sorted(maps.Keys(e.Files)) {
		block(b, language(name), append([]string{"# " + name}, rulebook.Lines(e.Files[name])...))
	}
	if len(e.Environment) > 0 {
		block(b, "sh", []string{"# in the shell that runs Compose", "export " + strings.Join(e.Environment, " ")})
	}
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

// says gives the findings in short: the rest stands in the report.
func says(fs []rulebook.Finding) []string {
	var lines []string
	for _, f := range fs {
		lines = append(lines, fmt.Sprintf("%s %s: %s", f.Severity, f.Locations[0], f.Subject))
		lines = append(lines, strings.Split("  "+f.Message, "\n")...)
		lines = append(lines, strings.Split("  Fix: "+f.Remedy, "\n")...)
		for _, l := range f.Locations[1:] {
			lines = append(lines, fmt.Sprintf("  %s: %s", l.Role, l))
		}
	}
	return lines
}

// block writes a fenced block.
func block(b *bytes.Buffer, language string, lines []string) {
	const longest = 160
	fmt.Fprintf(b, "```%s\n", language)
	for _, line := range lines {
		if r := []rune(line); len(r) > longest && language != "text" {
			line = string(r[:longest]) + "…"
		}
		b.WriteString(line + "\n")
	}
	b.WriteString("```\n\n")
}
