package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// TestEveryRuleIsListedAndExplained wants all there is to say of every rule, in 80 columns.
func TestEveryRuleIsListedAndExplained(t *testing.T) {
	all := run(t, nil, "rules").stdout
	for _, r := range (&program{rules: rules.All()}).everyRule() {
		if !strings.Contains(all, "  "+r.ID+" ("+r.Severity.String()+fixable(r)+")\n") {
			t.Errorf("%s is not listed", r.ID)
		}
		code, text := fixedRun(t, "explain", r.ID)
		flat := strings.Join(strings.Fields(text), " ")
		for _, want := range []string{
			r.Severity.String() + ": " + r.Title + " [" + r.ID + "]", strings.Join(strings.Fields(r.Why), " "), r.Source, r.Since,
			"\nBad\n", "\nkopano-doctor says\n", " Fix: ", "\nGood\n", "reason: REASON", "docs/rules/" + rulebook.Page(r.Subject) + "#" + r.ID,
		} {
			if !strings.Contains(flat, want) && !strings.Contains(text, want) {
				t.Errorf("explain %s lacks %q", r.ID, want)
			}
		}
		if code != 0 || strings.Contains(text, "fix --rule") != r.Fixable {
			t.Errorf("explain %s: exit %d, says that fix repairs it: %v", r.ID, code, !r.Fixable)
		}
		wantNarrow(t, r.ID, text)
		if old := run(t, []string{"LANG=C.UTF-8"}, "rules", r.ID); old.stdout != text {
			t.Errorf("rules %s and explain %s differ", r.ID, r.ID)
		}
	}
}

// wantNarrow wants 80 columns, except where one word is longer or a line is
// there to be copied.
func wantNarrow(t *testing.T, id, text string) {
	t.Helper()
	width := runewidth.Condition{StrictEmojiNeutral: true}
	for _, line := range strings.Split(text, "\n") {
		if n := width.StringWidth(line); n > 80 && n > len(longestWord(line))+20 && !strings.Contains(line, "kopano-doctor: ignore=") {
			t.Errorf("explain %s: a line of %d columns: %s", id, n, line)
		}
	}
}

// TestExplainMarksTheLines follows one rule from the wrong line to the right one.
func TestExplainMarksTheLines(t *testing.T) {
	text := run(t, []string{"LANG=C.UTF-8"}, "explain", "mail-virtual-transport").stdout
	for _, want := range []string{
		"   >  7 │       - POSTFIX_DAGENT=", "   +  8 │       - ENABLE_POSTFIX_VIRTUAL_TRANSPORT=1\n", "      1 │ services:\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("lacks %q:\n%s", want, text)
		}
	}
	plain := run(t, nil, "explain", "mail-virtual-transport").stdout
	if strings.ContainsAny(plain, "│─…\x1b") || !strings.Contains(plain, "   >  7 | ") {
		t.Errorf("a terminal without UTF-8 gets\n%s", plain)
	}
	for env, wanted := range map[string]bool{"CLICOLOR_FORCE=1": true, "NO_COLOR=1": false} {
		if got := run(t, []string{env}, "explain", "unset-variable").stdout; strings.Contains(got, "\x1b[") != wanted {
			t.Errorf("%s: colours are %v", env, !wanted)
		}
	}
	if got := run(t, []string{"NO_COLOR=1"}, "explain", "--color", "always", "unset-variable").stdout; !strings.Contains(got, "\x1b[") {
		t.Error("--color always gives no colours")
	}
}

// TestExplainLive explains every finding that a live check may have.
func TestExplainLive(t *testing.T) {
	for _, id := range checks.FindingIDs() {
		code, text := fixedRun(t, "explain", id)
		wantNarrow(t, id, text)
		if code != 0 || !strings.HasPrefix(text, "live: ") || !strings.Contains(text, "\nLinks\n") && !strings.HasPrefix(id, checks.ContainerPrefix) || !strings.Contains(text, "docs/checks.md#") {
			t.Errorf("explain %s: exit %d\n%s", id, code, text)
		}
	}
	two := run(t, nil, "explain", "live-certificate-refused").stdout
	if strings.Count(two, "Certificate: ") != 2 {
		t.Errorf("two checks report live-certificate-refused, told are\n%s", two)
	}
}

// TestRulesAsJSON reads the list as another program would.
func TestRulesAsJSON(t *testing.T) {
	got := run(t, nil, "rules", "--format", "json")
	var list []rulebook.Entry
	d := json.NewDecoder(strings.NewReader(got.stdout))
	d.DisallowUnknownFields()
	if err := d.Decode(&list); err != nil || got.code != 0 {
		t.Fatalf("exit %d, %v", got.code, err)
	}
	if want := len((&program{rules: rules.All()}).everyRule()); len(list) != want {
		t.Errorf("%d rules, want %d", len(list), want)
	}
	var one []rulebook.Entry
	if err := json.Unmarshal([]byte(run(t, nil, "rules", "--format", "json", "unset-variable").stdout), &one); err != nil || len(one) != 1 || one[0].ID != "unset-variable" {
		t.Errorf("one rule: %v %+v", err, one)
	}
	if strings.Contains(got.stdout, "null") || strings.Contains(got.stdout, `\u003c`) {
		t.Error("the JSON has null or escaped letters")
	}
}

func TestRulesAsMarkdown(t *testing.T) {
	file := filepath.Join(t.TempDir(), "rules.md")
	var stdout, stderr bytes.Buffer
	p := &program{stdout: &stdout, stderr: &stderr, rules: rules.All()[:1]}
	code := p.run([]string{"kopano-doctor", "rules", "--format", "markdown", "--output", file})
	page, err := os.ReadFile(file)
	if code != 0 || err != nil || stdout.Len() != 0 || !strings.HasPrefix(string(page), "# Rules\n") || !strings.Contains(string(page), p.rules[0].Title) {
		t.Errorf("exit %d, %v, standard output %q\n%s", code, err, &stdout, &stderr)
	}
}
