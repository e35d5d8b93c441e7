package deployment

import (
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// The bounds of an excerpt, in bytes. Up to keepFrom the line is given from
// its start, so that a caret under the column stands where it should; further
// right, a window around the column.
const (
	keepFrom     = 600
	excerptAfter = 200
)

// hider removes the secrets of the deployment's files from their lines.
type hider struct {
	redactor *secret.Redactor
	sources  map[string]*source
}

// Excerpt gives the source line of a location with every secret in it hidden,
// or "". A very long line is cut, around the column when that is far right.
func (d *Deployment) Excerpt(l finding.Location) string {
	if d.sources == nil || l.Line < 1 {
		return ""
	}
	src, ok := d.sources.hide.sources[l.File]
	if !ok {
		return ""
	}
	line, ok := src.lineSpan(l.Line)
	if !ok {
		return ""
	}
	return d.sources.hide.redactor.Redact(src.excerpt(line, line.from+max(l.Column-1, 0)))
}

// excerpt gives a part of a line with what lies in a secret span hidden. It
// cuts before it copies: a line may be as large as a file.
func (s *source) excerpt(line span, column int) string {
	from, to := line.from, line.to
	column = min(max(column, from), to)
	if column-from > keepFrom {
		from = runeStart(s.text, column-excerptAfter)
	}
	if to-column > excerptAfter && to-from > keepFrom {
		to = runeStart(s.text, max(column, from)+excerptAfter)
	}
	var b strings.Builder
	if from > line.from {
		b.WriteString("…")
	}
	at := from
	for _, h := range s.hiddenIn(span{from, to}) {
		b.WriteString(s.text[at:max(at, h.from)])
		b.WriteString(secret.Hidden)
		at = max(at, h.to)
	}
	b.WriteString(s.text[min(at, to):to])
	if to < line.to {
		b.WriteString("…")
	}
	return strings.ToValidUTF8(b.String(), "\uFFFD")
}

// hiddenIn gives the parts of a span that excerpts must not show.
func (s *source) hiddenIn(in span) []span {
	i := sort.Search(len(s.secrets), func(i int) bool { return s.secrets[i].to > in.from })
	var out []span
	for ; i < len(s.secrets) && s.secrets[i].from < in.to; i++ {
		h := span{max(s.secrets[i].from, in.from), min(s.secrets[i].to, in.to)}
		if h.to > h.from {
			out = append(out, h)
		}
	}
	return out
}

func runeStart(text string, at int) int {
	at = min(max(at, 0), len(text))
	for at > 0 && at < len(text) && !utf8.RuneStart(text[at]) {
		at--
	}
	return at
}

// sealSecrets sorts the spans and joins those that touch, for hiddenIn.
func (s *source) sealSecrets() {
	slices.SortFunc(s.secrets, func(a, b span) int { return a.from - b.from })
	out := s.secrets[:0]
	for _, h := range s.secrets {
		if n := len(out); n > 0 && h.from <= out[n-1].to {
			out[n-1].to = max(out[n-1].to, h.to)
			continue
		}
		out = append(out, h)
	}
	s.secrets = out
}

// hiddenInLine gives what excerpts of a line of an env file must not show. The
// name of a variable in a secret value is no secret.
func hiddenInLine(src *source, st *statement, isSecret bool) []span {
	if st.fatal {
		return hiddenInRefused(src.text, st)
	}
	if !isSecret {
		return nil
	}
	return append(hiddenValue(src, st), hiddenRest(src.text, st)...)
}

// hiddenRest hides what follows a secret on its line, unless it is clearly a
// comment: the rest of a password that Compose cuts off is still one.
func hiddenRest(text string, st *statement) []span {
	to := restEnd(text, st)
	rest := strings.TrimSpace(text[min(st.rawTo, to):to])
	if rest == "" || rest == "#" || strings.HasPrefix(rest, "# ") {
		return nil
	}
	return []span{{st.rawTo, to}}
}

func hiddenValue(src *source, st *statement) []span {
	from := min(st.valueAt, st.rawFrom+1)
	if st.quote == 0 {
		from = st.rawFrom
	}
	to := st.rawTo
	if st.quote != 0 {
		to--
	}
	if st.quote == '\'' || strings.Contains(src.text[from:max(from, to)], `\`) {
		return []span{{from, to}}
	}
	return secretSpans(src.text[from:max(from, to)], from)
}

// secretSpans gives what excerpts must not show of a secret value: nothing of
// one that is made of variables alone but their defaults, and everything of
// one that has text of its own. What looks like a variable in there may be a
// part of the password: pa$word.
func secretSpans(text string, base int) []span {
	out := literals(text, base)
	if !tooComplex(text) && ownText(text) {
		return []span{{base, base + len(text)}}
	}
	return out
}

// ownText reports whether there is text outside of the ${VARIABLES}.
func ownText(text string) bool {
	refs, _ := references(text)
	at := 0
	for _, r := range refs {
		// $ecret is more likely a password than a variable of that name.
		bare := text[r.from+1] != '{' && strings.ContainsFunc(r.name, unicode.IsLower)
		if r.from > at || bare {
			return true
		}
		at = r.to
	}
	return at < len(text)
}

// nameLike is what a person may have meant as a name, in a line that Compose refuses.
var nameLike = regexp.MustCompile(`^["']?[A-Za-z_][A-Za-z0-9_ .-]{0,60}["']?$`)

// refusedName gives the name before the "=" of a line that Compose refuses, "" when
// there is none: such a line may be the rest of a broken secret.
func refusedName(line string) string {
	name, _, ok := strings.Cut(line, "=")
	if !ok || !nameLike.MatchString(name) {
		return ""
	}
	return name
}

// hiddenInRefused hides the value of a refused line when its name is that of a
// secret, and all of it when it has no name.
func hiddenInRefused(text string, st *statement) []span {
	name := refusedName(text[st.keyAt:st.rawTo])
	switch {
	case name == "":
		return []span{{st.keyAt, st.rawTo}}
	case secret.IsName(name):
		return []span{{st.keyAt + len(name) + 1, st.rawTo}}
	}
	return nil
}

// keyBlocks finds private keys and certificates that stand in a file line by
// line, where no single line looks like a secret.
func keyBlocks(text string) []span {
	var out []span
	for at := 0; ; {
		from := strings.Index(text[at:], "-----BEGIN ")
		if from < 0 {
			return out
		}
		from += at
		to := strings.Index(text[from:], "-----END ")
		if to < 0 {
			return append(out, span{from, len(text)})
		}
		at = from + to
		out = append(out, span{from, at})
	}
}

// literals gives the parts of a text that are not the syntax of a ${VAR}; the
// default inside of one is a literal.
func literals(text string, base int) []span {
	if tooComplex(text) {
		return []span{{base, base + len(text)}}
	}
	refs, _ := references(text)
	var out []span
	at := 0
	add := func(from, to int) {
		if to > from {
			out = append(out, span{base + from, base + to})
		}
	}
	for _, r := range refs {
		add(at, r.from)
		if r.operator != "" {
			out = append(out, literals(text[r.wordFrom:r.wordTo], base+r.wordFrom)...)
		}
		at = r.to
	}
	add(at, len(text))
	return out
}

// hideYAML marks the secrets of a compose file: scalars under a key that names
// a secret, and NAME=value texts whose name does.
func hideYAML(src *source, y *yaml.Node, key string) {
	switch y.Kind {
	case yaml.ScalarNode:
		hideScalar(src, y, key)
	case yaml.MappingNode:
		for i := 0; i+1 < len(y.Content); i += 2 {
			hideYAML(src, y.Content[i+1], y.Content[i].Value)
		}
	case yaml.AliasNode:
		if y.Alias != nil && y.Alias.Kind == yaml.ScalarNode && secret.IsName(key) {
			hideScalar(src, y.Alias, key)
		}
	default:
		for _, c := range y.Content {
			hideYAML(src, c, "")
		}
	}
}

func hideScalar(src *source, y *yaml.Node, key string) {
	s := newScalar(src, y)
	from := 0
	if !secret.IsName(key) {
		name, _, ok := strings.Cut(s.raw, "=")
		if !ok || !secret.IsName(name) || len(name) > 200 {
			return
		}
		from = len(name) + 1
	}
	if s.raw == "" || y.Tag == "!!null" || y.Tag == "!!bool" {
		return
	}
	if s.exact {
		src.secrets = append(src.secrets, secretSpans(s.raw[from:], s.inner+from)...)
		return
	}
	src.secrets = append(src.secrets, span{s.place(from), s.end()})
}
