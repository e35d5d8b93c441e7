package deployment

import (
	"maps"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// FuzzEnv compares our reading of an env file, line by line, with compose-go's
// reading of the whole: the same values, or both refuse it.
func FuzzEnv(f *testing.F) {
	for _, text := range []string{
		"A=1\nB=${A}\n", "A='x\\'y'\n", "A=\"x\\\"y\\$z\\n\\0101\"", "export A=1\nexport\tB : 2", "A", "A\nB\n", "A B=1\n", "A=\"open\nB=1\n",
		"A=x # c\n#A=2\n\tA=3", "A=${B:-${C-d}}e$$f$g\r\n", "A=${\n", "\uFEFFA=1\n", "A: b\n", "KEY=\nB='a'C=d\n", "export\nA=1", "=x\n", "A=\"\\\\\"\nB=1", "é=ü\n", "A\u00a0=\u00a01\u0085\n", "A=${X:?e}", "export ",
	} {
		f.Add(text)
	}
	for _, pattern := range []string{"../../testdata/deployments/*/*.env", "../../testdata/deployments/*/.env", "../../testdata/refused/*/*.env", "../../testdata/refused/*/.env"} {
		files, _ := filepath.Glob(pattern)
		for _, name := range files {
			if text, err := os.ReadFile(name); err == nil {
				f.Add(string(text))
			}
		}
	}
	outer := map[string]string{"PROJECT": "pro ject", "X": "", "BARE_KNOWN": "known"}
	find := func(name string) (*definition, bool) {
		v, ok := outer[name]
		return &definition{name: name, value: v}, ok
	}
	f.Fuzz(func(t *testing.T, text string) {
		if tooComplex(text) {
			return
		}
		var want map[string]string
		var err error
		quietly(func() {
			want, err = dotenv.ParseWithLookup(strings.NewReader(text), func(name string) (string, bool) {
				v, ok := outer[name]
				return v, ok
			})
		})
		src := newSource("x.env", "x.env", []byte(text))
		if src.utf16 {
			return
		}
		var r *envReading
		quietly(func() { r = readEnv(src, serviceContext("", find)) })
		if (err != nil) != (r.refused != nil) {
			t.Fatalf("%q: compose-go says %v, we say %v", text, err, r.refused)
		}
		if err != nil {
			return
		}
		got := map[string]string{}
		for _, set := range r.sets {
			got[set.key] = set.value
		}
		if !maps.Equal(got, want) {
			t.Fatalf("%q: compose-go reads %q, we read %q", text, want, got)
		}
		for _, l := range r.file.Lines {
			if l.Bad == "" && !strings.HasPrefix(src.text[offsetOf(src, l.At.Line, l.At.Column):], l.Key) {
				t.Fatalf("%q: %s is not where %q stands", text, l.At, l.Key)
			}
		}
	})
}

func offsetOf(src *source, line, column int) int {
	s, _ := src.lineSpan(line)
	return s.from + column - 1
}

// FuzzExpand compares the variables that we see in a text with what compose-go
// replaces: putting ours together again must give the same text.
func FuzzExpand(f *testing.F) {
	for _, text := range []string{
		"$A", "${A}", "${A:-b}", "${A-b}x${B:-${C}}", "$$A", "${A:+x}$", "${A:?e}", "${", "${A", "${A:-}}", "a{b}${A:-{c}}", "${A:-x} ${B-y}}", "$1 ${1}", "${E:-d}", "${E+x}", "${A:-a\nb}", "${a_1?}", "${A:-$$}",
	} {
		f.Add(text)
	}
	values := map[string]string{"A": "value a", "B": "$A", "E": ""}
	find := func(name string) (*definition, bool) {
		v, ok := values[name]
		return &definition{name: name, value: v, source: FromProcess}, ok
	}
	src := newSource("x", "x", nil)
	f.Fuzz(func(t *testing.T, text string) {
		if tooComplex(text) || strings.ContainsAny(text, "\u212a\u017f") {
			return // Kelvin sign and long s: letters to compose-go's pattern, by case folding
		}
		want, err := substitute(text, finder(find).value)
		e := expand(text, find, func(int) finding.Location { return src.at(0) }, false)
		if (err != nil) != (e.err != nil) {
			t.Fatalf("%q: compose-go says %v, we say %v", text, err, e.err)
		}
		if err != nil {
			return
		}
		refs, _ := references(text)
		var b strings.Builder
		at := 0
		for i, r := range refs {
			b.WriteString(strings.ReplaceAll(text[at:r.from], "$$", "$"))
			b.WriteString(e.variables[i].Reveal())
			at = r.to
		}
		b.WriteString(strings.ReplaceAll(text[at:], "$$", "$"))
		if b.String() != want {
			t.Fatalf("%q: compose-go gives %q, our variables make %q of it", text, want, b.String())
		}
	})
}
