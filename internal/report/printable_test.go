package report

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestPrintable(t *testing.T) {
	for in, want := range map[string]string{
		"plain text, √ × → «hidden»": "plain text, √ × → «hidden»",
		"a\x1b[31mred\x1b[0m":        "a\uFFFD[31mred\uFFFD[0m",
		"two\nlines":                 "two lines",
		"dos\r\nlines":               "dos  lines",
		"a\ttab":                     "a\ttab",
		"bell\a nul\x00 del\x7f":     "bell\uFFFD nul\uFFFD del\uFFFD",
		"c1 \u009b31m":               "c1 \uFFFD31m",
		"bytes \xff\xfe":             "bytes \uFFFD",
		"from right \u202e to left":  "from right \uFFFD to left",
		"line\u2028separator":        "line\uFFFDseparator",
	} {
		if got := printable(in, false); got != want {
			t.Errorf("printable(%q) = %q, want %q", in, got, want)
		}
	}
	if got := printable("two\nlines\x1b", true); got != "two\nlines\uFFFD" {
		t.Errorf("with lines: %q", got)
	}
}

func FuzzPrintable(f *testing.F) {
	f.Add("a\x1b[31m\n\xff", true)
	f.Fuzz(func(t *testing.T, s string, lines bool) {
		got := printable(s, lines)
		if !utf8.ValidString(got) {
			t.Errorf("%q is not UTF-8", got)
		}
		for _, r := range got {
			if unicode.IsControl(r) && r != '\t' && !(r == '\n' && lines) {
				t.Errorf("%q holds the control character %U", got, r)
			}
		}
		if printable(got, lines) != got {
			t.Errorf("%q changes when it is made printable again", got)
		}
	})
}

func FuzzWrap(f *testing.F) {
	f.Add("some words and\nlines", "  Fix: ", 20)
	f.Fuzz(func(t *testing.T, s, first string, width int) {
		s, first = printable(s, true), printable(first, false)
		if width < 0 || width > 200 || len(first) > 50 {
			return
		}
		lines := wrap(s, first, "  ", width)
		got := strings.Join(strings.FieldsFunc(strings.Join(lines, " "), unicode.IsSpace), "")
		want := strings.Join(strings.FieldsFunc(first+s, unicode.IsSpace), "")
		if got != want {
			t.Errorf("wrap loses or adds text: %q became %q", first+s, lines)
		}
	})
}
