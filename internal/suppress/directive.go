package suppress

import (
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
)

// directive is what a comment for kopano-doctor says:
//
//	kopano-doctor: ignore=RULE-ID[,RULE-ID] until=2027-03-31 because REASON
//
// "until" may be left out.
type directive struct {
	ids    []string // in the order in which they are written, each once
	until  string   // the last day on which it counts, "" for ever
	reason string   // "" when none is given
	bad    string   // why it cannot be read, a sentence; "" when it can
}

// dateLayout is how a day is written.
const dateLayout = "2006-01-02"

// parseDirective reads the text of a comment, without its "#". ok is false for
// a comment that is not for kopano-doctor, such as one that only speaks of it.
func parseDirective(comment string) (d directive, ok bool) {
	rest, ok := afterName(comment)
	if !ok {
		return directive{}, false
	}
	for rest != "" && d.bad == "" {
		word, tail := cutWord(rest)
		if strings.EqualFold(strings.TrimSuffix(word, ":"), "because") {
			d.reason = meaningful(tail)
			break
		}
		rest = tail
		key, value, isOption := strings.Cut(word, "=")
		switch {
		case isOption && strings.EqualFold(key, "ignore"):
			rest = d.ignore(value, rest)
		case isOption && strings.EqualFold(key, "until"):
			d.setUntil(value)
		default:
			d.bad = misunderstood(word)
		}
	}
	if d.bad == "" && len(d.ids) == 0 {
		d.bad = "It names no rule."
	}
	return d, true
}

// afterName gives what follows "kopano-doctor:". Without the colon, only
// "ignore" may follow: other comments may well begin with the program's name.
func afterName(comment string) (string, bool) {
	const name = "kopano-doctor"
	s := strings.TrimSpace(comment)
	if len(s) < len(name) || !strings.EqualFold(s[:len(name)], name) {
		return "", false
	}
	s = s[len(name):]
	if tail, ok := strings.CutPrefix(strings.TrimSpace(s), ":"); ok {
		return strings.TrimSpace(tail), true
	}
	rest := strings.TrimSpace(s)
	return rest, rest != s && len(rest) >= len("ignore=") && strings.EqualFold(rest[:len("ignore=")], "ignore=")
}

// cutWord gives the first word of s and what follows it.
func cutWord(s string) (word, rest string) {
	n := strings.IndexFunc(s, unicode.IsSpace)
	if n < 0 {
		return s, ""
	}
	return s[:n], strings.TrimSpace(s[n:])
}

// ignore takes the list of rules, which may have blanks behind its commas, and
// gives what follows it.
func (d *directive) ignore(list, rest string) string {
	for strings.HasSuffix(list, ",") || strings.HasPrefix(rest, ",") {
		var word string
		if word, rest = cutWord(rest); word == "" {
			break
		}
		list += word
	}
	for id := range strings.SplitSeq(list, ",") {
		if id = strings.Trim(id, `[]"'`); id != "" && !slices.Contains(d.ids, id) {
			d.ids = append(d.ids, id)
		}
	}
	return rest
}

func (d *directive) setUntil(day string) {
	if _, err := time.Parse(dateLayout, day); err != nil {
		d.bad = "The day behind until= is written as year-month-day, for example until=2027-03-31."
		return
	}
	d.until = day
}

func misunderstood(word string) string {
	key, _, _ := strings.Cut(word, "=")
	if near, ok := nearest.Of(key, []string{"ignore", "until", "because"}); ok && key != near {
		if near != "because" {
			near += "="
		}
		return "The word " + quoted(key) + " is not known; " + quoted(near) + " was probably meant."
	}
	if strings.EqualFold(key, "ignore") {
		return "The rules follow ignore and an equals sign without a blank: ignore=RULE-ID."
	}
	return "The word " + quoted(key) + " is not known; the reason begins with the word because."
}

// quoted gives a word of the file for a sentence: short, and without signs
// that a terminal would obey.
func quoted(word string) string {
	const longest = 40
	word = strings.Map(func(r rune) rune {
		if r == utf8.RuneError || !unicode.IsPrint(r) {
			return '?'
		}
		return r
	}, word)
	if r := []rune(word); len(r) > longest {
		word = string(r[:longest]) + "…"
	}
	return `"` + word + `"`
}

// meaningful gives a reason, or "" when it has no letter or digit in it.
func meaningful(reason string) string {
	reason = strings.TrimSpace(reason)
	if !strings.ContainsFunc(reason, func(r rune) bool { return unicode.IsLetter(r) || unicode.IsDigit(r) }) {
		return ""
	}
	return reason
}

// expired reports whether a day is over. The day itself still counts, by the
// clock of the machine that looks.
func expired(until string, now time.Time) bool {
	return until != "" && now.Format(dateLayout) > until
}

// String gives the directive as it is usually written.
func (d directive) String() string {
	s := "ignore=" + strings.Join(d.ids, ",")
	if d.until != "" {
		s += " until=" + d.until
	}
	if d.reason != "" {
		s += " because " + d.reason
	}
	return s
}
