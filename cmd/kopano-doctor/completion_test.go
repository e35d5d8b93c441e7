package main

import (
	"slices"
	"strings"
	"testing"
)

// That the shells load their scripts is tried by packaging/test.sh.
func TestCompletion(t *testing.T) {
	for _, c := range []struct {
		words []string
		has   []string // "" for nothing at all: the shell then completes files
		not   string
	}{
		{[]string{""}, []string{"check", "lint", "completion"}, "probe"},
		{[]string{"ch"}, []string{"check", "checks"}, "lint"},
		{[]string{"check", ""}, nil, ""},
		{[]string{"check", "--no-"}, []string{"--no-config", "--no-inline-ignores"}, "--offline"},
		{[]string{"check", "-"}, []string{"--file", "--help"}, "--f"},
		{[]string{"check", "--fail-on", ""}, []string{"error", "never"}, ""},
		{[]string{"check", "dir", "--format", "gi"}, []string{"github", "gitlab"}, "text"},
		{[]string{"check", "--fail-on=w"}, []string{"--fail-on=warning"}, ""},
		{[]string{"check", "--fail-on", "="}, []string{"error"}, ""}, // as bash divides it
		{[]string{"check", "--fail-on", "=", "w"}, []string{"warning"}, "error"},
		{[]string{"check", "--output", ""}, nil, ""},
		{[]string{"check", "--offline", ""}, nil, ""},
		{[]string{"explain", "unset-"}, []string{"unset-variable"}, "live-ldap-refused"},
		{[]string{"explain", "live-ldap-re"}, []string{"live-ldap-refused"}, ""},
		{[]string{"completion", ""}, []string{"bash", "fish", "zsh"}, ""},
		{[]string{"nonsense", ""}, nil, ""},
		{nil, nil, ""},
	} {
		got := run(t, nil, append([]string{"__complete"}, c.words...)...)
		lines := strings.Fields(got.stdout)
		if got.code != 0 || got.stderr != "" || slices.Contains(lines, c.not) || len(c.has) == 0 && len(lines) > 0 {
			t.Errorf("%q: exit code %d, %q %s", c.words, got.code, lines, got.stderr)
		}
		for _, want := range c.has {
			if !slices.Contains(lines, want) {
				t.Errorf("%q: %s is not among %q", c.words, want, lines)
			}
		}
	}
	for _, shell := range shells() {
		if got := run(t, nil, "completion", shell); got.code != 0 || !strings.Contains(got.stdout, completeWord) {
			t.Errorf("%s: exit code %d\n%s", shell, got.code, got.stdout)
		}
	}
	if got := run(t, nil, "completion", "tcsh"); got.code != 2 || !strings.Contains(got.stderr, "choose one of bash, zsh, fish") {
		t.Errorf("exit code %d\n%s", got.code, got.stderr)
	}
}

// The manual has every command and every flag that people may use.
func TestManual(t *testing.T) {
	p := &program{}
	text := string(manual(p.app()))
	for _, c := range p.app().Commands {
		if c.Hidden != !strings.Contains(text, "\n.SS "+c.Name) {
			t.Errorf("%s: hidden is %t, and the manual says otherwise", c.Name, c.Hidden)
		}
		for _, f := range c.Flags {
			if name := variable(c.Name, f); name != "" && !strings.Contains(strings.ReplaceAll(text, `\_`, "_"), name) {
				t.Errorf("the manual lacks %s of %s", name, c.Name)
			}
		}
	}
}
