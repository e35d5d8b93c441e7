package report

import (
	"fmt"
	"io"
	"strings"
)

// GitHub writes the report as commands of a GitHub workflow, one a line, which
// become annotations of the files. GitHub shows ten errors, ten warnings and
// ten notices of a step, so the causes come first.
// https://docs.github.com/actions/reference/workflows-and-actions/workflow-commands
func GitHub(w io.Writer, r *Report) error {
	var b strings.Builder
	// The counts and what was not checked come before all other notices, so that
	// they are among those that are shown.
	text := []string{r.Totals() + "."}
	for _, l := range r.unchecked() {
		text = append(text, "not checked: "+l)
	}
	command(&b, "notice", nil, "kopano-doctor", strings.Join(text, "\n"))
	for _, f := range r.problems() {
		word := f.Severity
		if word == "info" {
			word = "notice"
		}
		text := append(details(&f), "kopano-doctor explain "+f.ID)
		command(&b, word, r.githubPlace(&f), f.Title, strings.Join(text, "\n"))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) githubPlace(f *Finding) []string {
	file, l := r.place(f)
	if file == "" {
		return nil
	}
	out := []string{"file=" + githubProperty.Replace(file)}
	if l.Line > 0 {
		out = append(out, fmt.Sprintf("line=%d", l.Line))
		if c := column(l); c > 0 {
			out = append(out, fmt.Sprintf("col=%d", c))
		}
	}
	return out
}

func command(b *strings.Builder, word string, properties []string, title, text string) {
	properties = append(properties, "title="+githubProperty.Replace(printable(title, false)))
	fmt.Fprintf(b, "::%s %s::%s\n", word, strings.Join(properties, ","), githubData.Replace(printable(text, true)))
}

// As in @actions/core, packages/core/src/command.ts: escapeData, escapeProperty.
var (
	githubData     = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A")
	githubProperty = strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C")
)
