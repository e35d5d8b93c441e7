package suppress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func TestParseDirective(t *testing.T) {
	for _, c := range []struct {
		comment string
		ids     string
		until   string
		reason  string
		bad     string // a part of it
	}{
		{"kopano-doctor: ignore=unset-variable because the proxy sets it", "unset-variable", "", "the proxy sets it", ""},
		{"  kopano-doctor:ignore=a,b until=2027-03-31 because it moves next year ", "a,b", "2027-03-31", "it moves next year", ""},
		{"kopano-doctor: until=2027-03-31 ignore=a because x", "a", "2027-03-31", "x", ""},
		{"Kopano-Doctor: IGNORE=a BECAUSE Y", "a", "", "Y", ""},
		{"kopano-doctor ignore=a because x", "a", "", "x", ""},
		{"kopano-doctor: ignore=a, b,\tc because x", "a,b,c", "", "x", ""},
		{"kopano-doctor: ignore=a , b because x", "a,b", "", "x", ""},
		{"kopano-doctor: ignore=a,a,,b because x", "a,b", "", "x", ""},
		{"kopano-doctor: ignore=a because: x = y, until=never # really", "a", "", "x = y, until=never # really", ""},
		{"kopano-doctor: ignore=a", "a", "", "", ""},
		{"kopano-doctor: ignore=a because", "a", "", "", ""},
		{"kopano-doctor: ignore=a because …", "a", "", "", ""},
		{"kopano-doctor: ignore=a because 42", "a", "", "42", ""},
		{"kopano-doctor: ignore=a until=31.3.2027 because x", "a", "", "", "year-month-day"},
		{"kopano-doctor: ignore=a until=2027-02-30 because x", "a", "", "", "year-month-day"},
		{"kopano-doctor: ignore=a till=2027-03-31 because x", "a", "", "", `"till"`},
		{"kopano-doctor: ingore=a because x", "", "", "", `"ignore=" was probably meant`},
		{"kopano-doctor: ignore a because x", "", "", "", "ignore=RULE-ID"},
		{"kopano-doctor: ignore=a the proxy sets it", "a", "", "", `"the"`},
		{"kopano-doctor: ignore=a becuase x", "a", "", "", `"because" was probably meant`},
		{"kopano-doctor: ignore= because x", "", "", "x", "names no rule"},
		{"kopano-doctor: ignore=,", "", "", "", "names no rule"},
		{"kopano-doctor:", "", "", "", "names no rule"},
		{"kopano-doctor: \x1b[31m=", "", "", "", `"?[31m"`},
	} {
		d, ok := parseDirective(c.comment)
		if !ok {
			t.Errorf("%q is not taken for a directive", c.comment)
			continue
		}
		if got := strings.Join(d.ids, ","); got != c.ids || d.until != c.until || d.reason != c.reason {
			t.Errorf("%q: rules %q until %q because %q", c.comment, got, d.until, d.reason)
		}
		if (d.bad != "") != (c.bad != "") || !strings.Contains(d.bad, c.bad) {
			t.Errorf("%q: fault %q, want %q", c.comment, d.bad, c.bad)
		}
	}
}

func TestOtherCommentsAreNoDirectives(t *testing.T) {
	for _, comment := range []string{
		"", "kopano", "kopano-doctor", "kopano-doctor found nothing here", "kopano-doctor says ignore=x", "see kopano-doctor: ignore=a because x",
		"kopano-doctors: ignore=a", "kopano-doctorignore=a because x", "kopano-doctor ignored this", "ignore=a because x",
	} {
		if d, ok := parseDirective(comment); ok {
			t.Errorf("%q is taken for a directive: %+v", comment, d)
		}
	}
}

func TestExpired(t *testing.T) {
	zone := time.FixedZone("far east", 12*3600)
	for _, c := range []struct {
		until string
		now   time.Time
		want  bool
	}{
		{"", time.Date(2400, 1, 1, 0, 0, 0, 0, time.UTC), false},
		{"2027-03-31", time.Date(2027, 3, 30, 12, 0, 0, 0, time.UTC), false},
		{"2027-03-31", time.Date(2027, 3, 31, 23, 59, 59, 0, time.UTC), false},
		{"2027-03-31", time.Date(2027, 4, 1, 0, 0, 0, 0, time.UTC), true},
		{"2027-03-31", time.Date(2027, 3, 31, 13, 0, 0, 0, time.UTC).In(zone), true}, // already April there
	} {
		if got := expired(c.until, c.now); got != c.want {
			t.Errorf("until %q at %s: expired %v", c.until, c.now, got)
		}
	}
}

// FuzzParseDirective wants of any comment: nothing but what stands in it comes
// out, a fault excludes nothing and is printable, and the usual form of what
// was read says the same again.
func FuzzParseDirective(f *testing.F) {
	for _, s := range []string{
		"kopano-doctor: ignore=unset-variable until=2027-03-31 because the proxy sets it", "kopano-doctor ignore=a,b because x",
		"kopano-doctor: ignore=a, b until=9999-99-99 because", "kopano-doctor:", "kopano-doctor: ignore=, ,, because \xff\x00", "because kopano-doctor:",
		"kopano-doctor: ignore=\"a\",[b] because x", "kopano-doctor: because ignore=a", "kopano-doctor:\u2028ignore=a\u00a0because\u2003x",
	} {
		f.Add(s)
	}
	files, _ := filepath.Glob("../../testdata/rules/suppression-*/*/*.yml")
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			f.Fatal(err)
		}
		for _, line := range strings.Split(string(text), "\n") {
			if _, comment, ok := strings.Cut(line, "#"); ok {
				f.Add(comment)
			}
		}
	}
	f.Fuzz(func(t *testing.T, comment string) {
		d, ok := parseDirective(comment)
		if !ok {
			if len(d.ids) > 0 || d.reason != "" {
				t.Fatalf("%q is no directive and says %+v", comment, d)
			}
			return
		}
		for _, part := range append(d.ids, d.until, d.reason) {
			if !strings.Contains(comment, part) {
				t.Errorf("%q does not stand in %q", part, comment)
			}
		}
		for _, id := range d.ids {
			if id == "" || strings.ContainsAny(id, ", \t\n") {
				t.Errorf("rule %q in %q", id, comment)
			}
		}
		if d.bad == "" && len(d.ids) == 0 {
			t.Errorf("%q names no rule and is no fault", comment)
		}
		if !utf8.ValidString(d.bad) || strings.ContainsFunc(d.bad, func(r rune) bool { return r < ' ' }) {
			t.Errorf("%q: fault %q", comment, d.bad)
		}
		if d.bad == "" {
			again, _ := parseDirective("kopano-doctor: " + d.String())
			if again.String() != d.String() || again.bad != "" {
				t.Errorf("%q was read as %q, and that as %q (%s)", comment, d, again, again.bad)
			}
		}
	})
}
