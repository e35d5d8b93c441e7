package deployment

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// statement is one assignment of an env file as Compose reads it (compose-go,
// dotenv/parser.go), or a line that is none. Offsets are bytes of the text.
type statement struct {
	from, to int    // the text that is read again to get the value; "export" included
	key      string // "" for a line without name
	keyAt    int
	rawFrom  int // the value as written, quotes included, comment and trailing blanks not
	rawTo    int
	valueAt  int // inside the quotes
	quote    byte
	export   bool
	bare     bool   // a key without "="
	nameless bool   // a last line without "=" and without line end, which Compose takes for the value of the name ""
	bad      string // why the line is no assignment
	fatal    bool   // Compose refuses the file because of it
}

// decoded is the value of a statement before its variables are expanded, with
// the place in the text of each of its bytes.
type decoded struct {
	text  string
	at    []int // nil: byte i stands at base+i
	base  int
	plain bool // single quotes: no variables
}

func (d decoded) place(i int) int {
	if d.at == nil {
		return d.base + i
	}
	if i < len(d.at) {
		return d.at[i]
	}
	if len(d.at) == 0 {
		return d.base
	}
	return d.at[len(d.at)-1] + 1
}

// scanEnv splits an env file into its statements. It goes on after a line that
// Compose refuses, so that every such line is found.
func scanEnv(text string, body int) []statement {
	var out []statement
	pos := body
	for {
		pos = statementStart(text, min(pos, len(text)))
		if pos >= len(text) {
			return out
		}
		st, next := scanStatement(text, pos)
		out = append(out, st)
		pos = max(next, pos+1)
	}
}

func statementStart(text string, pos int) int {
	for {
		n := strings.IndexFunc(text[pos:], func(r rune) bool { return !unicode.IsSpace(r) })
		if n < 0 {
			return len(text)
		}
		pos += n
		if text[pos] != '#' {
			return pos
		}
		n = strings.IndexByte(text[pos:], '\n')
		if n < 0 {
			return len(text)
		}
		pos += n
	}
}

var exportPrefix = regexp.MustCompile(`^export\s+`)

func scanStatement(text string, from int) (statement, int) {
	st := statement{from: from, keyAt: from}
	if exportPrefix.MatchString(text[from:]) {
		st.export = true
		st.keyAt = skipBlanks(text, from+len("export"))
	}
	src := text[st.keyAt:]
	if src == "" {
		return badLine(text, st, "nothing follows \"export\"")
	}
	end, separator, bad := keyEnd(src)
	if bad != "" {
		return badLine(text, st, bad)
	}
	if separator == 0 {
		return namelessLine(text, st)
	}
	written := src[:end]
	st.key = strings.TrimRightFunc(written, unicode.IsSpace)
	if strings.Contains(st.key, " ") {
		return badLine(text, st, "the name has a space in it")
	}
	if separator == '\n' {
		st.bare = true
		st.rawFrom = st.keyAt + len(st.key)
		st.rawTo, st.valueAt = st.rawFrom, st.rawFrom
		st.to = st.keyAt + end + 1
		return st, st.to
	}
	return scanValue(text, st, skipBlanks(text, st.keyAt+end+1))
}

// keyEnd finds what ends a name: "=", ":" or a line end; 0 when the text ends first.
func keyEnd(src string) (end int, separator byte, bad string) {
	for i, r := range src {
		if isBlank(r) {
			continue
		}
		switch {
		case r == '=' || r == ':' || r == '\n':
			return i, byte(r), ""
		case strings.ContainsRune("_.-[]", r) || unicode.IsLetter(r) || unicode.IsNumber(r):
		default:
			return i, 0, "the name has the character " + strconv.QuoteRune(r) + " in it"
		}
	}
	return len(src), 0, ""
}

func namelessLine(text string, st statement) (statement, int) {
	st.nameless = true
	st.bad = "the last line has no \"=\", so it sets nothing"
	return scanValue(text, st, skipBlanks(text, st.keyAt))
}

func scanValue(text string, st statement, at int) (statement, int) {
	st.rawFrom, st.valueAt = at, at
	if at < len(text) && (text[at] == '"' || text[at] == '\'') {
		return scanQuoted(text, st)
	}
	line, _, _ := strings.Cut(text[at:], "\n")
	next := at + len(line) + 1
	st.to = at + len(line)
	value, _, _ := strings.Cut(line, " #")
	st.rawTo = at + len(strings.TrimRightFunc(value, unicode.IsSpace))
	return st, next
}

func scanQuoted(text string, st statement) (statement, int) {
	st.quote = text[st.rawFrom]
	st.valueAt = st.rawFrom + 1
	for i := st.valueAt; i < len(text); i++ {
		switch text[i] {
		case '\\':
			// A backslash keeps the next byte from ending the value; of two
			// in a row only the first does, and it loses that for the second.
			if i+1 < len(text) && (text[i+1] == st.quote || text[i+1] == '\\') {
				i++
			}
		case st.quote:
			st.rawTo, st.to = i+1, i+1
			return st, i + 1
		}
	}
	return badLine(text, st, "the quote "+string(st.quote)+" is never closed")
}

func badLine(text string, st statement, why string) (statement, int) {
	st.bad, st.fatal = why, true
	end := len(text)
	if n := strings.IndexByte(text[st.keyAt:], '\n'); n >= 0 {
		end = st.keyAt + n
	}
	st.to, st.rawTo = end, end
	if st.rawFrom == 0 || st.rawFrom > end {
		st.rawFrom, st.valueAt = st.keyAt, st.keyAt
	}
	return st, end + 1
}

// decode gives the value before expansion.
func (st *statement) decode(text string) decoded {
	switch st.quote {
	case 0:
		return decoded{text: text[st.rawFrom:st.rawTo], base: st.rawFrom}
	case '\'':
		d := unquote(text, st)
		d.plain = true
		return d
	}
	return unescape(unquote(text, st))
}

// unquote drops the quotes and the backslashes before quotes.
func unquote(text string, st *statement) decoded {
	d := decoded{base: st.valueAt, at: []int{}}
	var b strings.Builder
	escape := false
	for i := st.valueAt; i < st.rawTo-1; i++ {
		c := text[i]
		if c != st.quote {
			if !escape && c == '\\' {
				escape = true
				continue
			}
			if escape {
				b.WriteByte('\\')
				d.at = append(d.at, i-1)
			}
		}
		escape = false
		b.WriteByte(c)
		d.at = append(d.at, i)
	}
	d.text = b.String()
	return d
}

var escapeSequence = regexp.MustCompile(`(\\(?:[abcfnrtv$"\\]|0\d{0,3}))`)

// unescape replaces the escape sequences of double quotes; "\$" becomes "$$",
// which expansion turns into a dollar.
func unescape(in decoded) decoded {
	found := escapeSequence.FindAllStringIndex(in.text, -1)
	if found == nil {
		return in
	}
	out := decoded{base: in.base, at: []int{}}
	var b strings.Builder
	copyTo := func(from, to int) {
		b.WriteString(in.text[from:to])
		out.at = append(out.at, in.at[from:to]...)
	}
	last := 0
	for _, m := range found {
		copyTo(last, m[0])
		last = m[1]
		s := escaped(in.text[m[0]:m[1]])
		b.WriteString(s)
		for range len(s) {
			out.at = append(out.at, in.at[m[0]])
		}
	}
	copyTo(last, len(in.text))
	out.text = b.String()
	return out
}

func escaped(sequence string) string {
	if sequence == `\$` {
		return "$$"
	}
	s := sequence
	if strings.HasPrefix(s, `\0`) {
		s = `\` + s[2:]
	}
	r, _, _, err := strconv.UnquoteChar(s, '"')
	if err != nil {
		return sequence
	}
	return string(r)
}

func skipBlanks(text string, at int) int {
	for at < len(text) {
		r, size := utf8.DecodeRuneInString(text[at:])
		if !isBlank(r) {
			break
		}
		at += size
	}
	return at
}

// isBlank is a space that does not end a line, as compose-go sees it.
func isBlank(r rune) bool {
	switch r {
	case '\t', '\v', '\f', '\r', ' ', 0x85, 0xA0:
		return true
	}
	return false
}

// shorten keeps a quoted piece of a file readable in a message.
func shorten(s string) string {
	const most = 40
	if utf8.RuneCountInString(s) <= most {
		return s
	}
	r := []rune(s[:min(len(s), 4*most)])
	return string(r[:most]) + "…"
}
