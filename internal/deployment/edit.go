package deployment

import (
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// The methods of this file and of edityaml.go make edits of the deployment's
// files. Each looks at the text itself and gives nil when the file does not say
// exactly what the caller thinks it says, or when the change could alter more
// than was asked for. None of them changes anything.

// FileText gives the text of a loaded file, byte order mark and line ends
// included; false when the file was not loaded or is UTF-16, which is not
// edited. It may hold secrets.
func (d *Deployment) FileText(file string) (secret.Text, bool) {
	src := d.editable(file)
	if src == nil {
		return secret.Text{}, false
	}
	return secret.New(src.text, true), true
}

// TextAt gives the rest of the line at a place of a loaded file. It may hold a
// secret.
func (d *Deployment) TextAt(l finding.Location) (secret.Text, bool) {
	src := d.editable(l.File)
	if src == nil {
		return secret.Text{}, false
	}
	off, ok := src.offsetOf(l)
	if !ok {
		return secret.Text{}, false
	}
	line, _ := src.lineSpan(l.Line)
	return secret.New(src.text[off:line.to], true), true
}

func (d *Deployment) editable(file string) *source {
	if d.sources == nil || d.sources.hide == nil {
		return nil
	}
	src := d.sources.hide.sources[file]
	if src == nil || src.utf16 {
		return nil
	}
	return src
}

// offsetOf gives the byte of a location.
func (s *source) offsetOf(l finding.Location) (int, bool) {
	line, ok := s.lineSpan(l.Line)
	if !ok || l.Column < 1 || line.from+l.Column-1 > line.to {
		return 0, false
	}
	return line.from + l.Column - 1, true
}

func (s *source) change(from, to int, text string) finding.Edit {
	return finding.Change(s.name, from, s.text[from:to], text)
}

// lineStart and lineEnd give the first byte of the line of off, and the one
// behind its line end.
func (s *source) lineStart(off int) int {
	return max(strings.LastIndexByte(s.text[:off], '\n')+1, s.body)
}

func (s *source) lineEnd(off int) int { return nextLine(s.text, off) }

// newline is what ends the lines of the file around a byte.
func (s *source) newline(off int) string {
	if end := s.lineEnd(off); strings.HasSuffix(s.text[:end], "\r\n") {
		return "\r\n"
	}
	return "\n"
}

// editedFile is a file with the place in it that an edit starts from.
type editedFile struct {
	src *source
	off int
	env bool // an env file
}

func (d *Deployment) editedFile(at finding.Location) (editedFile, bool) {
	src := d.editable(at.File)
	if src == nil {
		return editedFile{}, false
	}
	off, ok := src.offsetOf(at)
	if !ok {
		return editedFile{}, false
	}
	f := editedFile{src: src, off: off}
	if slices.Contains(d.sources.walker.compose, src) {
		// Where the parser needed help, places are good enough to read by, not to write by.
		return f, !d.sources.walker.repaired[src.name]
	}
	f.env = true
	return f, !d.readRaw(at.File)
}

// readRaw reports whether a service takes an env file as it stands; quotes
// there are a part of the value.
func (d *Deployment) readRaw(file string) bool {
	for _, s := range d.Services {
		for _, f := range s.EnvFiles {
			if f.Format == rawFormat && d.sources.walker.name(f.Path) == file {
				return true
			}
		}
	}
	return false
}

// statementAt gives the line of an env file whose name or value stands at the place.
func (f editedFile) statementAt() (statement, bool) {
	for _, st := range scanEnv(f.src.text, f.src.body) {
		if !st.fatal && !st.nameless && (st.keyAt == f.off || st.valueAt == f.off) {
			return st, true
		}
	}
	return statement{}, false
}

// SetValue writes text in place of the value at the place, which must be
// exactly old, written out, or the default of a ${NAME:-old} that is all of it.
func (d *Deployment) SetValue(at finding.Location, old, text string) []finding.Edit {
	return d.editValue(at, func(inner string) (from, to int, ok bool) {
		if inner == old {
			return 0, len(inner), true
		}
		m := wholeDefault.FindStringSubmatchIndex(inner)
		if m == nil || inner[m[2]:m[3]] != old {
			return 0, 0, false
		}
		return m[2], m[3], true
	}, text)
}

// ReplaceIn writes text in place of old, which must stand exactly once in the
// value that is at the place. What surrounds it stays, variables too.
func (d *Deployment) ReplaceIn(at finding.Location, old, text string) []finding.Edit {
	return d.editValue(at, func(inner string) (from, to int, ok bool) {
		if old == "" || strings.Count(inner, old) != 1 {
			return 0, 0, false
		}
		i := strings.Index(inner, old)
		return i, i + len(old), true
	}, text)
}

// ReplaceStart writes text in place of old, with which the value at the place
// must begin.
func (d *Deployment) ReplaceStart(at finding.Location, old, text string) []finding.Edit {
	return d.editValue(at, func(inner string) (from, to int, ok bool) {
		return 0, len(old), old != "" && strings.HasPrefix(inner, old)
	}, text)
}

// ReplaceEnd writes text in place of old, with which the value at the place must
// end. What is in front of it stays, variables too.
func (d *Deployment) ReplaceEnd(at finding.Location, old, text string) []finding.Edit {
	return d.editValue(at, func(inner string) (from, to int, ok bool) {
		return len(inner) - len(old), len(inner), old != "" && strings.HasSuffix(inner, old)
	}, text)
}

var wholeDefault = regexp.MustCompile(`^\$\{[A-Za-z_][A-Za-z0-9_]*:?-([^${}]*)\}$`)

// part chooses what to replace in a value.
type part func(inner string) (from, to int, ok bool)

func (d *Deployment) editValue(at finding.Location, choose part, text string) []finding.Edit {
	f, ok := d.editedFile(at)
	if !ok {
		return nil
	}
	if f.env {
		return f.editEnvValue(choose, text)
	}
	return d.editScalar(f, choose, text)
}

func (f editedFile) editEnvValue(choose part, text string) []finding.Edit {
	st, ok := f.statementAt()
	if !ok || st.bare {
		return nil
	}
	end := st.rawTo
	if st.quote != 0 {
		end--
	}
	inner := f.src.text[st.valueAt:end]
	from, to, ok := choose(inner)
	if !ok || !envSafe(st.quote, text) {
		return nil
	}
	return []finding.Edit{f.src.change(st.valueAt+from, st.valueAt+to, text)}
}

// envPlain is what every reader of env files takes as it stands, without quotes.
var envPlain = regexp.MustCompile(`^[A-Za-z0-9_./:@,;+*?%=()\[\]-]*( [A-Za-z0-9_./:@,;+*?%=()\[\]-]+)*$`)

// envSafe reports whether a text stands for itself inside of the quotes.
func envSafe(quote byte, text string) bool {
	if quote == '\'' {
		return !strings.ContainsAny(text, "'\\\r\n") && !strings.Contains(text, "${")
	}
	return envPlain.MatchString(text)
}

// QuoteEnv writes text in single quotes in place of the whole value of an env
// file's line, so that Compose 1 and Compose 2 both read it letter by letter. A
// line NAME: value becomes NAME='value'.
func (d *Deployment) QuoteEnv(at finding.Location, text string) []finding.Edit {
	f, ok := d.editedFile(at)
	if !ok || !f.env || !envSafe('\'', text) {
		return nil
	}
	st, ok := f.statementAt()
	if !ok || st.bare {
		return nil
	}
	from := st.rawFrom
	written := "'" + text + "'"
	if !strings.Contains(f.src.text[st.keyAt:st.rawFrom], "=") {
		from = st.keyAt + len(st.key)
		written = "=" + written
	}
	e := f.src.change(from, st.rawTo, written)
	changed := f.src.text[:from] + written + f.src.text[st.rawTo:]
	line := changed[st.from:min(len(changed), st.to+len(written)+maxLookAhead)]
	if one, ok := pythonValue(line); !ok || one != text {
		return nil // something else stands behind it
	}
	return []finding.Edit{e}
}

// Rename writes another name for the entry whose name is at the place: a line
// of an env file, an entry of a list NAME=value, or a key of a mapping. An
// entry without value is left alone, since it takes the value of that name.
func (d *Deployment) Rename(at finding.Location, old, name string) []finding.Edit {
	f, ok := d.editedFile(at)
	if !ok || !simpleName.MatchString(name) {
		return nil
	}
	if f.env {
		st, ok := f.statementAt()
		if !ok || st.bare || st.key != old || st.keyAt != f.off {
			return nil
		}
		return []finding.Edit{f.src.change(st.keyAt, st.keyAt+len(old), name)}
	}
	return d.renameYAML(f, old, name)
}

var simpleName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// Delete takes out the entry at the place with all of its lines: a line of an
// env file, an item of a list, or a key of a mapping with what is below it.
func (d *Deployment) Delete(at finding.Location) []finding.Edit {
	f, ok := d.editedFile(at)
	if !ok {
		return nil
	}
	if !f.env {
		return d.deleteYAML(f)
	}
	st, ok := f.statementAt()
	if !ok {
		return nil
	}
	from, to := f.src.lineStart(st.from), f.src.lineEnd(max(st.rawTo, st.keyAt))
	rest := strings.TrimSpace(f.src.text[st.rawTo:to])
	if strings.TrimSpace(f.src.text[from:st.from]) != "" || rest != "" && rest[0] != '#' {
		return nil // something else stands on the line
	}
	return []finding.Edit{f.src.change(from, to, "")}
}

// UnixLines takes a byte order mark and the CR of each line end out of an env file.
func (d *Deployment) UnixLines(file string) []finding.Edit {
	src := d.editable(file)
	if src == nil {
		return nil
	}
	var out []finding.Edit
	if src.body > 0 {
		out = append(out, src.change(0, src.body, ""))
	}
	for at := src.body; ; {
		i := strings.Index(src.text[at:], "\r\n")
		if i < 0 {
			return out
		}
		out = append(out, src.change(at+i, at+i+1, ""))
		at += i + 2
	}
}

// MentionedElsewhere reports whether a compose file that lies beside the loaded
// ones, and is not loaded, has the word in it: somebody who loads it later
// needs what is declared here.
func (d *Deployment) MentionedElsewhere(word string) bool {
	const most = 200
	w := d.sources.walker
	n := 0
	for _, dir := range w.composeFolders() {
		for _, pattern := range []string{"*.yml", "*.yaml"} {
			names, _ := filepath.Glob(filepath.Join(globLiteral(dir), pattern))
			for _, name := range names {
				if w.sources[name] != nil {
					continue
				}
				if n++; n > most {
					return true // nobody can say
				}
				if src, u := readSource(name, ""); u == nil && strings.Contains(src.text, word) {
					return true
				}
			}
		}
	}
	return false
}

// composeFolders gives the folders of the compose files, each once.
func (w *walker) composeFolders() []string {
	var out []string
	for _, src := range w.compose {
		if dir := filepath.Dir(src.path); !slices.Contains(out, dir) {
			out = append(out, dir)
		}
	}
	return out
}

// globLiteral keeps the characters of a folder's name from being a pattern.
func globLiteral(dir string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(dir)
}
