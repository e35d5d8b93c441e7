package deployment

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// scalarStart gives the offset of a scalar's first character: its quote, its
// "|" or ">", or its text. The YAML library gives the place of the anchor or
// tag before it, if there is one.
func scalarStart(src *source, y *yaml.Node) int {
	off := src.offset(y.Line, y.Column)
	if y.Anchor == "" && y.Style&yaml.TaggedStyle == 0 {
		return off
	}
	for off < len(src.text) && (src.text[off] == '&' || src.text[off] == '!') {
		off = skipProperty(src.text, off)
	}
	return off
}

func skipProperty(text string, off int) int {
	for off < len(text) && !unicode.IsSpace(rune(text[off])) && !strings.ContainsRune(",[]{}", rune(text[off])) {
		off++
	}
	for off < len(text) {
		r, size := utf8.DecodeRuneInString(text[off:])
		if !unicode.IsSpace(r) {
			break
		}
		off += size
	}
	return off
}

// scalar is a YAML scalar in its file: what it says and where that stands.
type scalar struct {
	src   *source
	start int    // of the quote, the block indicator or the text
	inner int    // of the text: inside the quotes
	raw   string // decoded, variables not expanded
	exact bool   // the bytes of raw stand at inner one by one
}

func newScalar(src *source, y *yaml.Node) *scalar {
	s := &scalar{src: src, start: scalarStart(src, y), raw: y.Value}
	s.inner = s.start
	if y.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle) != 0 {
		s.inner = min(s.start+1, len(src.text))
	}
	s.exact = strings.HasPrefix(src.text[s.inner:], s.raw)
	return s
}

func (s *scalar) isBlock() bool {
	return s.start < len(s.src.text) && (s.src.text[s.start] == '|' || s.src.text[s.start] == '>') && !s.exact
}

// place gives the offset in the file of byte i of the decoded text. Folding
// and escapes move bytes about, but keep their order: the n-th dollar of the
// text is the n-th dollar of the file from there on.
func (s *scalar) place(i int) int {
	switch {
	case s.exact:
		return s.inner + i
	case i <= 0 && !s.isBlock():
		return s.inner
	case i >= len(s.raw):
		return s.end()
	}
	c := s.raw[i]
	n := strings.Count(s.raw[:i], string(rune(c)))
	at := s.inner
	if s.isBlock() {
		at = nextLine(s.src.text, at)
	}
	for ; at < len(s.src.text); at++ {
		if s.src.text[at] == c {
			if n == 0 {
				return at
			}
			n--
		}
	}
	return s.inner
}

// after gives the offset behind byte i.
func (s *scalar) after(i int) int {
	if s.exact {
		return s.inner + i + 1
	}
	return s.place(i) + 1
}

// end gives the offset behind the scalar's text, without its closing quote.
func (s *scalar) end() int {
	text := s.src.text
	switch {
	case s.exact:
		return s.inner + len(s.raw)
	case s.inner > s.start:
		return quotedEnd(text, s.inner, text[s.start])
	case s.isBlock():
		return s.blockEnd()
	}
	return s.plainEnd()
}

func quotedEnd(text string, from int, quote byte) int {
	for i := from; i < len(text); i++ {
		switch {
		case quote == '"' && text[i] == '\\':
			i++
		case text[i] != quote:
		case quote == '\'' && i+1 < len(text) && text[i+1] == quote:
			i++
		default:
			return i
		}
	}
	return len(text)
}

// plainEnd walks a plain scalar over several lines: the same characters, with
// other blanks between them.
func (s *scalar) plainEnd() int {
	at := s.inner
	for _, r := range s.raw {
		if unicode.IsSpace(r) {
			continue
		}
		n := strings.IndexRune(s.src.text[at:], r)
		if n < 0 {
			return len(s.src.text)
		}
		at += n + utf8.RuneLen(r)
	}
	return at
}

// blockEnd gives the end of the last line that belongs to a block scalar: the
// lines below the indicator that are empty or indented more than its own line.
func (s *scalar) blockEnd() int {
	text := s.src.text
	line := strings.LastIndexByte(text[:s.start], '\n') + 1
	own := indentation(text[line:])
	at := nextLine(text, s.start)
	end := at
	for at < len(text) {
		next := nextLine(text, at)
		blank := strings.TrimSpace(text[at:next]) == ""
		if !blank && indentation(text[at:]) <= own {
			break
		}
		if !blank {
			end = next
		}
		at = next
	}
	return end
}

func indentation(line string) int {
	return len(line) - len(strings.TrimLeft(line, " "))
}

func nextLine(text string, at int) int {
	if n := strings.IndexByte(text[at:], '\n'); n >= 0 {
		return at + n + 1
	}
	return len(text)
}
