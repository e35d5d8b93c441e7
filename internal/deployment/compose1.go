package deployment

import (
	"regexp"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// Compose 1.29 reads env files with python-dotenv 0.x (dotenv/parser.py): a
// name is anything without blanks, "=" and "#"; what follows a quoted value
// must be a comment; only ${NAME} and ${NAME:-default} are variables, within
// single quotes too. A line that does not fit is skipped with a complaint.
var (
	python1Key      = regexp.MustCompile(`^(?:export[^\S\r\n]+)?(?:'([^']+)'|([^=\#\s]+))[^\S\r\n]*`)
	pythonSingle    = regexp.MustCompile(`^'((?:\\'|[^'])*)'`)
	pythonDouble    = regexp.MustCompile(`^"((?:\\"|[^"])*)"`)
	pythonComment   = regexp.MustCompile(`\s+#.*`)
	pythonRest      = regexp.MustCompile(`^[^\S\r\n]*(?:#[^\r\n]*)?(?:\r\n|\n|\r|$)`)
	singleEscape    = regexp.MustCompile(`\\[\\']`)
	doubleEscape    = regexp.MustCompile(`\\[\\'"abfnrtv]`)
	doubleEscapeFor = strings.NewReplacer(`\\`, `\`, `\'`, `'`, `\"`, `"`, `\a`, "\a", `\b`, "\b", `\f`, "\f", `\n`, "\n", `\r`, "\r", `\t`, "\t", `\v`, "\v")
)

// compose1Reading gives the value of a line as Compose 1.29 reads it, before
// ${NAME} is replaced; "" when it skips the line.
func compose1Reading(text string, st *statement, hide bool) secret.Text {
	value, _ := pythonValue(text[st.from:min(len(text), st.to+maxLookAhead)])
	return secret.New(value, hide)
}

// maxLookAhead is how far past the value a comment may reach and still be seen.
const maxLookAhead = 4096

func pythonValue(s string) (string, bool) {
	key := python1Key.FindString(s)
	if key == "" {
		return "", false
	}
	rest, ok := strings.CutPrefix(s[len(key):], "=")
	if !ok {
		return "", false
	}
	rest = strings.TrimLeft(rest, " \t\f\v")
	switch {
	case strings.HasPrefix(rest, "'"):
		if m := pythonSingle.FindStringSubmatch(rest); m != nil && pythonRest.MatchString(rest[len(m[0]):]) {
			return singleEscape.ReplaceAllStringFunc(m[1], func(e string) string { return e[1:] }), true
		}
		return "", false
	case strings.HasPrefix(rest, `"`):
		if m := pythonDouble.FindStringSubmatch(rest); m != nil && pythonRest.MatchString(rest[len(m[0]):]) {
			return doubleEscape.ReplaceAllStringFunc(m[1], doubleEscapeFor.Replace), true
		}
		return "", false
	}
	if i := strings.IndexAny(rest, "\r\n"); i >= 0 {
		rest = rest[:i]
	}
	return strings.TrimRight(pythonComment.ReplaceAllString(rest, ""), " \t\r\n\f\v"), true
}
