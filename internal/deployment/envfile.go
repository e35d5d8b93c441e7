package deployment

import (
	"errors"
	"strings"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/joho/godotenv"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// assignment is what one line of an env file sets, for one reader: the
// variables of the project, or one service.
type assignment struct {
	key       string
	value     string
	at        finding.Location // of the value, of the key when there is none
	bare      bool
	variables []Variable
	line      int // index into EnvFile.Lines
}

// envReading is an env file read in one scope.
type envReading struct {
	file    *EnvFile
	sets    []assignment
	unset   []VariableUse
	hidden  []span // what excerpts must not show
	refused error  // Compose refuses the file
}

// envContext is what an env file is read in.
type envContext struct {
	format string
	outer  finder                 // the variables that are defined outside of env files; they win
	above  map[string]*definition // what the files and lines above have set; grows while reading
	find   finder                 // outer, then above
	bare   finder                 // what a key without "=" takes its value from
}

// projectContext reads .env and --env-file (compose-go, dotenv/env.go).
func projectContext(outer finder) *envContext {
	c := newContext("", outer)
	c.bare = c.find
	return c
}

// serviceContext reads the env_file entries of a service; there, a bare key
// does not see the lines above (compose-go, types/project.go, resolveEnvironment).
func serviceContext(format string, outer finder) *envContext {
	c := newContext(format, outer)
	c.bare = outer
	return c
}

func newContext(format string, outer finder) *envContext {
	c := &envContext{format: format, outer: outer, above: map[string]*definition{}}
	c.find = func(name string) (*definition, bool) {
		if d, ok := outer(name); ok {
			return d, true
		}
		d, ok := c.above[name]
		return d, ok
	}
	return c
}

// readEnv reads an env file line by line as Compose does.
func readEnv(src *source, c *envContext) *envReading {
	file := &EnvFile{File: src.name, BOM: src.body > 0, CRLF: strings.Contains(src.text, "\r\n")}
	r := &envReading{file: file}
	statements := scanEnv(src.text, src.body)
	if c.format == rawFormat {
		statements = scanRaw(src.text, src.body)
	}
	for i := range statements {
		r.read(src, &statements[i], c)
	}
	return r
}

func (r *envReading) read(src *source, st *statement, c *envContext) {
	line := newLine(src, st)
	set := assignment{key: st.key, at: line.ValueAt, bare: st.bare, line: len(r.file.Lines)}
	ok := !st.fatal
	switch {
	case st.fatal:
		r.refuse(errors.New(st.bad))
		lenient(src, st, &line)
	case st.bare:
		set.at = line.At
		ok = set.inherit(c.bare, line.At)
	case c.format == rawFormat:
		set.value = src.text[st.rawFrom:st.rawTo]
	default:
		e := expandStatement(src, st, c.find)
		set.value, set.variables = e.text, e.variables
		line.References = names(src, st)
		r.note(src, st, e)
		if e.err != nil {
			r.refuse(e.err)
			line.Bad, ok = plainExpandError(e.err), false
			line.Text = secret.New(src.text[st.rawFrom:st.rawTo], line.IsSecret())
		}
	}
	if ok {
		hide := secret.IsName(st.key) || st.nameless || anySecret(set.variables)
		line.Text = secret.New(set.value, hide)
		r.sets = append(r.sets, set)
		c.above[st.key] = &definition{name: st.key, value: set.value, source: FromEnvFile, at: set.at, variables: set.variables, history: history(set.variables)}
	}
	r.hidden = append(r.hidden, hiddenInLine(src, st, line.IsSecret() || line.Raw.IsSecret())...)
	r.file.Lines = append(r.file.Lines, line)
}

func (r *envReading) refuse(err error) {
	if r.refused == nil {
		r.refused = err
	}
}

func newLine(src *source, st *statement) EnvLine {
	hide := secret.IsName(st.key) || st.nameless
	raw := src.text[st.rawFrom:st.rawTo]
	return EnvLine{
		Rest: secret.New(strings.TrimSpace(src.text[max(st.rawTo, st.keyAt):restEnd(src.text, st)]), hide),
		At:   src.at(st.keyAt), ValueAt: src.at(st.valueAt), Key: st.key,
		Raw:      secret.New(raw, hide),
		Compose1: compose1Reading(src.text, st, hide),
		Quote:    st.quote, Export: st.export, Bare: st.bare, Bad: st.bad, Nameless: st.nameless,
		LastLine: src.at(max(st.rawTo-1, st.keyAt)).Line,
	}
}

// restEnd gives the end of the line on which the value of a statement ends.
func restEnd(text string, st *statement) int {
	from := max(st.rawTo, st.keyAt)
	if st.fatal || st.bare {
		return from
	}
	if n := strings.IndexByte(text[from:], '\n'); n >= 0 {
		return from + n
	}
	return len(text)
}

// lenient fills in what godotenv makes of a line that Compose refuses, so that
// the rest of the deployment can be looked at.
func lenient(src *source, st *statement, line *EnvLine) {
	text, _, _ := strings.Cut(src.text[st.keyAt:], "\n")
	line.Raw = secret.New(text, true)
	key := refusedName(text)
	if key == "" {
		return
	}
	line.Key = strings.TrimSpace(key)
	hide := secret.IsName(line.Key)
	value := text[len(key)+1:]
	line.Raw = secret.New(value, hide)
	line.Text = line.Raw
	if strings.Contains(text, "$") {
		return
	}
	if m, err := godotenv.Unmarshal(text); err == nil {
		for _, v := range m {
			line.Text = secret.New(v, hide)
		}
	}
}

// inherit gives a key without "=" the value that it has outside of the file.
func (a *assignment) inherit(find finder, at finding.Location) bool {
	d, ok := find(a.key)
	if !ok {
		return false
	}
	a.value = d.value
	a.variables = []Variable{inherited(a.key, d, at)}
	return true
}

// inherited is the one variable of a bare key.
func inherited(key string, d *definition, at finding.Location) Variable {
	v := Variable{Name: key, Use: at, Whole: true}
	v.define(d)
	v.Text = secret.New(d.value, secret.IsName(key) || anySecret(v.Variables))
	return v
}

// expandStatement gives the value of a line. The characters are compose-go's.
func expandStatement(src *source, st *statement, find finder) expansion {
	d := st.decode(src.text)
	e := expansion{}
	if d.plain {
		e.text = d.text
		return e
	}
	e = expand(d.text, find, func(i int) finding.Location { return src.at(d.place(i)) }, secret.IsName(st.key))
	if errors.Is(e.err, errTooComplex) || errors.Is(e.err, errTooLong) {
		return e
	}
	m, err := dotenv.UnmarshalWithLookup(src.text[st.keyAt:st.to], find.value)
	if err != nil {
		e.err = err
		return e
	}
	e.text, e.err = m[st.key], nil
	return e
}

// names gives the variables of a line.
func names(src *source, st *statement) []string {
	d := st.decode(src.text)
	if d.plain || tooComplex(d.text) {
		return nil
	}
	var out []string
	refs, _ := references(d.text)
	for _, r := range refs {
		out = append(out, r.name)
	}
	return out
}

func (r *envReading) note(src *source, st *statement, e expansion) {
	if len(e.unset) == 0 {
		return
	}
	d := st.decode(src.text)
	for _, u := range e.unset {
		r.unset = append(r.unset, VariableUse{Name: u.name, At: src.at(d.place(u.from)), Key: st.key})
	}
}

// rawFormat is the env_file format that Docker Compose adds to compose-go's:
// KEY=VALUE lines that are taken as they are (docker/compose, cmd/compose/compose.go, rawEnv).
const rawFormat = "raw"

// scanRaw splits a file of the raw format into lines (docker/cli, pkg/kvfile).
func scanRaw(text string, body int) []statement {
	var out []statement
	for at := body; at < len(text); {
		line, _, _ := strings.Cut(text[at:], "\n")
		next := at + len(line) + 1
		line = strings.TrimSuffix(line, "\r")
		trimmed := strings.TrimLeftFunc(line, func(r rune) bool { return strings.ContainsRune("\t\n\v\f\r \u0085\u00A0", r) })
		from := at + len(line) - len(trimmed)
		if trimmed != "" && trimmed[0] != '#' {
			out = append(out, rawStatement(trimmed, from))
		}
		at = next
	}
	return out
}

func rawStatement(line string, from int) statement {
	key, value, found := strings.Cut(line, "=")
	st := statement{from: from, keyAt: from, key: key, bare: !found, to: from + len(line), rawTo: from + len(line)}
	st.rawFrom = st.rawTo - len(value)
	st.valueAt = st.rawFrom
	switch {
	case !utf8.ValidString(line):
		st.bad = "it is not UTF-8"
	case key == "":
		st.bad = "there is no name before the \"=\""
	case strings.ContainsAny(key, " \t"):
		st.bad = "the name has a blank in it"
	}
	st.fatal = st.bad != ""
	return st
}
