package report

import (
	"strings"
	"unicode/utf8"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Edit is a finding.Edit that can be shown: no secret is in it. Lines and
// columns count from 1, columns in characters; End is behind the last one.
type Edit struct {
	File                 string
	Create               bool // an empty file; nothing else is set
	StartLine, StartChar int
	EndLine, EndChar     int
	New                  string
}

const byteOrderMark = "\ufeff"

// edits gives the edits of a finding, none when a secret is in one of them or
// in a line that they touch: half a cure is none.
func (b *builder) edits(f *finding.Finding) []Edit {
	var out []Edit
	for _, e := range f.Edits {
		if e.Create {
			out = append(out, Edit{File: e.File, Create: true})
			continue
		}
		text, ok := b.deployment.FileText(e.File)
		source, replacement := text.Reveal(), e.New.Reveal()
		if !ok || e.Start < 0 || e.Start > e.End || e.End > len(source) || source[e.Start:e.End] != e.Old.Reveal() || b.tells(replacement) {
			return nil
		}
		if strings.HasPrefix(source[e.Start:e.End], byteOrderMark) {
			return nil // no line and column say that
		}
		x := Edit{File: e.File, New: replacement}
		x.StartLine, x.StartChar = position(source, e.Start)
		x.EndLine, x.EndChar = position(source, e.End)
		for line := x.StartLine; line <= x.EndLine; line++ {
			if b.tells(b.deployment.Excerpt(finding.Location{File: e.File, Line: line})) {
				return nil
			}
		}
		out = append(out, x)
	}
	return out
}

// tells reports whether a text has a secret in it, or had one, or something
// that is not for printing.
func (b *builder) tells(s string) bool {
	return strings.Contains(s, "«") || b.redactor.Redact(s) != s || printable(s, true) != s
}

// position gives line and column of an offset. A byte order mark is no character of a line.
func position(text string, offset int) (line, char int) {
	before := text[:offset]
	start := strings.LastIndexByte(before, '\n') + 1
	return strings.Count(before, "\n") + 1, utf8.RuneCountInString(strings.TrimPrefix(before[start:], byteOrderMark)) + 1
}
