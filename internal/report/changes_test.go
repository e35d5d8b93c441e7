package report

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"
)

func changing(findings []Finding, links ...Link) *Report {
	r := &Report{Findings: findings, Links: links}
	r.Summary = Summarise(r.Findings, r.Links)
	return r
}

func found(fingerprint, severity, cause string) Finding {
	f := Finding{ID: "id-" + fingerprint, Severity: severity, Title: "Title " + fingerprint, Subject: "subject", Fingerprint: fingerprint}
	if cause != "" {
		f.Cause = &cause
	}
	return f
}

func state(id, status, reason string) Link {
	return Link{ID: id, From: "a", To: id, Status: status, Reason: reason, Rung: "dial", Message: "said " + reason}
}

func TestCompare(t *testing.T) {
	before := changing([]Finding{found("stays", "error", ""), found("goes", "warning", ""), found("worse", "info", "")},
		state("same", "ok", ""), state("breaks", "ok", ""), state("other-reason", "broken", "refused"), state("leaves", "ok", ""))
	moved := found("stays", "error", "")
	moved.Message, moved.Locations = "in other words", []Location{{File: "x", Line: 7}}
	after := changing([]Finding{moved, found("worse", "error", ""), found("comes", "error", "")},
		state("same", "ok", ""), state("breaks", "broken", "refused"), state("other-reason", "broken", "timeout"), state("appears", "ok", ""))
	c := Compare(before, after)
	var got []string
	for _, f := range c.New {
		got = append(got, "new "+f.Fingerprint)
	}
	for _, f := range c.Gone {
		got = append(got, "gone "+f.Fingerprint)
	}
	for _, l := range c.Links {
		got = append(got, fmt.Sprintf("%s was %q, gone %v", l.Link.ID, l.Before, l.Gone))
	}
	want := `new worse
new comes
gone goes
breaks was "ok", gone false
other-reason was "broken", gone false
appears was "", gone false
leaves was "ok", gone true`
	if all := strings.Join(got, "\n"); all != want {
		t.Errorf("got\n%s\nwant\n%s", all, want)
	}
	if !Compare(after, after).None() || c.None() {
		t.Error("what has changed is not told from what has not")
	}
}

func TestChangesText(t *testing.T) {
	before := changing([]Finding{found("goes", "warning", ""), found("cause", "error", "")}, state("heals", "broken", "refused"), state("breaks", "ok", ""))
	links := []Link{state("heals", "ok", ""), state("breaks", "broken", "timeout")}
	for i := range 12 {
		links = append(links, state(fmt.Sprintf("w%02d", i), "unchecked", "blocked"))
	}
	after := changing([]Finding{found("cause", "error", ""), found("comes", "error", ""), found("follows", "error", "comes"), found("late", "error", "cause")}, links...)
	var b bytes.Buffer
	err := ChangesText(&b, time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC), Compare(before, after), after, TextOptions{ASCII: true})
	const want = `
2030-01-02 03:04:05  3 new findings, 1 finding gone, 14 links changed

error: Title comes [id-comes]
  subject
  Seen: Title follows [id-follows]

  error: Title late [id-late]; it follows from: Title cause
  + gone: warning: Title goes [id-goes], subject
  + a -> heals: ok, said (it was broken)
  x a -> breaks: broken at dial (timeout): said timeout (it was ok)
  - a -> w00, a -> w01, a -> w02, a -> w03, a -> w04, a -> w05, a -> w06,
      a -> w07, a -> w08, a -> w09 and 2 more: not checked: said blocked (it is
      new)
now: 4 errors, 0 warnings, 0 infos; links: 1 ok, 1 broken, 12 not checked
`
	if got := strings.ReplaceAll(b.String(), tie, " "); err != nil || got != want {
		t.Errorf("%v\n%s", err, got)
	}
}
