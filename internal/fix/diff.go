package fix

import (
	"strings"

	udiff "github.com/aymanbagabas/go-udiff"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// contextLines is how many lines around a change are shown.
const contextLines = 3

// Diff gives the change of a file as a unified diff with every secret hidden.
// It is for reading: a line with a secret in it cannot be applied by patch. A
// CR at the end of a line shows as ^M and a byte order mark as <BOM>, since the
// change may be in them alone.
func (f *File) Diff() string {
	from, to := "a/"+f.Name, "b/"+f.Name
	if f.Create {
		return "--- /dev/null\n+++ " + to + "\n"
	}
	before, after := f.shown(0, f.Before), f.shown(1, f.After)
	text, err := udiff.ToUnified(from, to, strings.Join(before, ""), shownEdits(f.Before, f.After, before, after), contextLines)
	if err != nil {
		// The library found its own edits inconsistent.
		return "--- " + from + "\n+++ " + to + "\n"
	}
	return text
}

// shown gives the lines of a text for reading, as many as the text has.
func (f *File) shown(side int, text string) []string {
	lines := strings.SplitAfter(text, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	out := make([]string, len(lines))
	for i, l := range lines {
		s := report.Printable(f.lines[side](i + 1))
		if i == 0 && strings.HasPrefix(l, "\ufeff") {
			s = "<BOM>" + s
		}
		if strings.HasSuffix(strings.TrimSuffix(l, "\n"), "\r") {
			s += "^M"
		}
		if strings.HasSuffix(l, "\n") {
			s += "\n"
		}
		out[i] = s
	}
	return out
}

// shownEdits computes the difference of the real texts and gives it in terms of
// the lines that are shown, so that two hidden secrets still count as different.
func shownEdits(before, after string, shownBefore, shownAfter []string) []udiff.Edit {
	var out []udiff.Edit
	shift := 0 // lines of after less lines of before, up to here
	for _, e := range udiff.Lines(before, after) {
		first, last := countLines(before[:e.Start]), countLines(before[:e.End])
		n := countLines(e.New)
		out = append(out, udiff.Edit{
			Start: length(shownBefore[:first]),
			End:   length(shownBefore[:last]),
			New:   strings.Join(shownAfter[first+shift:first+shift+n], ""),
		})
		shift += n - (last - first)
	}
	return out
}

// countLines counts lines, a last one without line end too.
func countLines(s string) int {
	n := strings.Count(s, "\n")
	if s != "" && !strings.HasSuffix(s, "\n") {
		n++
	}
	return n
}

func length(lines []string) int {
	n := 0
	for _, l := range lines {
		n += len(l)
	}
	return n
}

// hidden gives the lines of a file with the secrets of both versions of the
// deployment hidden.
func (p *planner) hidden(d *deployment.Deployment, name string, other *deployment.Deployment) func(int) string {
	file := name
	for _, n := range fileNames(d) {
		if n == name || p.names(n) == name {
			file = n
			break
		}
	}
	redactor := secret.NewRedactor(other.Secrets(), other.PublicWords())
	return func(line int) string {
		return redactor.Redact(d.Excerpt(finding.Location{File: file, Line: line}))
	}
}
