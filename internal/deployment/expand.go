package deployment

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
)

// reference is one ${VAR} in a text: its bytes, its name, and the operator and
// word of forms such as ${VAR:-word}.
type reference struct {
	from, to         int
	name             string
	operator         string // "", ":-", "-", ":?", "?", ":+" or "+"
	wordFrom, wordTo int    // the text after the operator
}

// The limits of expansion. Compose's own expansion takes time that grows with
// the square of these, so a text beyond them is not given to it.
const (
	maxNesting = 50
	maxWork    = 20_000_000 // references times bytes
)

// tooComplex reports whether expanding a text could take very long.
func tooComplex(text string) bool {
	n := strings.Count(text, "$")
	if n == 0 {
		return false
	}
	if n*len(text) > maxWork {
		return true
	}
	depth, deepest := 0, 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '{':
			depth++
			deepest = max(deepest, depth)
		case '}':
			depth = max(0, depth-1)
		}
	}
	return deepest > maxNesting
}

// references finds the ${VAR}s of a text as Compose reads them (compose-go,
// template/template.go): $$ is a dollar, $NAME and ${NAME} are variables, names
// are ASCII letters, digits and underscores, a word ends at its own closing
// brace and never spans lines. bad is the offset of the first "${" that is
// none of these, or -1: Compose then refuses the text.
func references(text string) (refs []reference, bad int) {
	bad = -1
	for i := 0; i+1 < len(text); {
		if text[i] != '$' {
			i++
			continue
		}
		switch c := text[i+1]; {
		case c == '$':
			i += 2
		case nameStart(c):
			end := nameEnd(text, i+1)
			refs = append(refs, reference{from: i, to: end, name: text[i+1 : end]})
			i = end
		case c == '{':
			r, ok := braced(text, i)
			if !ok {
				if bad < 0 {
					bad = i
				}
				i += 2
				continue
			}
			refs = append(refs, r)
			i = r.to
		default:
			i++
		}
	}
	return refs, bad
}

func braced(text string, from int) (reference, bool) {
	if from+2 >= len(text) || !nameStart(text[from+2]) {
		return reference{}, false
	}
	end := nameEnd(text, from+2)
	r := reference{from: from, name: text[from+2 : end]}
	if end < len(text) && text[end] == '}' {
		r.to = end + 1
		return r, true
	}
	for _, op := range []string{":-", ":?", ":+", "-", "?", "+"} {
		if strings.HasPrefix(text[end:], op) {
			r.operator = op
			break
		}
	}
	if r.operator == "" {
		return reference{}, false
	}
	r.wordFrom = end + len(r.operator)
	line := text[r.wordFrom:]
	if n := strings.IndexByte(line, '\n'); n >= 0 {
		line = line[:n]
	}
	last := strings.LastIndexByte(line, '}')
	if last < 0 {
		return reference{}, false
	}
	r.wordTo = r.wordFrom + last
	if closing := closingBrace(text[from : r.wordTo+1]); closing > 0 {
		r.wordTo = from + closing
	}
	r.to = r.wordTo + 1
	return r, true
}

// closingBrace finds the brace that closes the first one; the byte after an
// opening brace is not looked at, as in compose-go.
func closingBrace(s string) int {
	open := 0
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '}':
			open--
			if open == 0 {
				return i
			}
		case '{':
			open++
			i++
		}
	}
	return -1
}

func nameStart(c byte) bool {
	return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z'
}

func nameEnd(text string, i int) int {
	for i < len(text) && (nameStart(text[i]) || text[i] >= '0' && text[i] <= '9') {
		i++
	}
	return i
}

// substitute expands a text with compose-go's own code.
func substitute(text string, lookup func(string) (string, bool)) (string, error) {
	if !strings.Contains(text, "$") {
		return text, nil
	}
	return template.SubstituteWithOptions(text, lookup, template.WithoutLogging)
}
