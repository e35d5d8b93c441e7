package report

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// printable replaces what a terminal, a ticket system or a reader could be
// deceived by: control characters (a server's reply may hold escape
// sequences), bytes that are not UTF-8, and the marks that change the
// direction of text. Nothing is deleted, so that no two halves of a secret
// join. A line break stays where lines are allowed and is a blank otherwise;
// tabs stay.
func printable(s string, lines bool) string {
	if clean(s) {
		return s
	}
	s = strings.ToValidUTF8(s, "\uFFFD")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t', r == '\n' && lines:
			return r
		case r == '\n', r == '\r':
			return ' '
		case hostile(r):
			return '\uFFFD'
		}
		return r
	}, s)
}

func clean(s string) bool {
	for i := range len(s) {
		if s[i] < 0x20 || s[i] >= 0x7f {
			return utf8.ValidString(s) && !strings.ContainsFunc(s, hostile)
		}
	}
	return true
}

func hostile(r rune) bool {
	return unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) || r == '\u2028' || r == '\u2029'
}

// Printable makes one line of text from elsewhere safe to print; see printable.
func Printable(s string) string { return printable(s, false) }
