package main

import (
	"encoding/json"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func TestOutputGoesToTheFile(t *testing.T) {
	dir := harmless(t)
	file := filepath.Join(t.TempDir(), "report.json")
	for _, old := range []string{"", "an older and longer report\n" + strings.Repeat("x", 9999)} {
		if old != "" {
			if err := os.WriteFile(file, []byte(old), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got := run(t, nil, "check", "--offline", "--format", "json", "--output", file, dir)
		if got.code != 0 || got.stdout != "" || got.stderr != "" {
			t.Errorf("exit %d, standard output %q, standard error %q", got.code, got.stdout, got.stderr)
		}
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		var r report.Report
		if err := json.Unmarshal(data, &r); err != nil {
			t.Errorf("%v in %s", err, data)
		}
	}
	left, err := os.ReadDir(filepath.Dir(file))
	if err != nil || len(left) != 1 {
		t.Errorf("beside the report there is something left: %v %v", left, err)
	}
}

func TestOutputThroughALinkKeepsTheLink(t *testing.T) {
	dir := t.TempDir()
	file, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(file, nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(file, link); err != nil {
		t.Fatal(err)
	}
	if got := run(t, nil, "check", "--offline", "--output", link, harmless(t)); got.code != 0 {
		t.Fatal(got.stderr)
	}
	info, err := os.Lstat(link)
	if err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("the link was replaced: %v %v", info, err)
	}
	if data, err := os.ReadFile(file); err != nil || len(data) == 0 {
		t.Errorf("nothing in the file behind the link: %v", err)
	}
}

func TestColours(t *testing.T) {
	dir := harmless(t)
	file := filepath.Join(t.TempDir(), "out")
	for _, c := range []struct {
		name     string
		env      []string
		args     []string
		coloured bool
	}{
		{"a pipe", nil, nil, false},
		{"a pipe, never", nil, []string{"--color", "never"}, false},
		{"always", nil, []string{"--color=always"}, true},
		{"always beats NO_COLOR", []string{"NO_COLOR=1"}, []string{"--color=always"}, true},
		{"forced", []string{"CLICOLOR_FORCE=1"}, nil, true},
		{"not forced by 0", []string{"CLICOLOR_FORCE=0"}, nil, false},
		{"NO_COLOR beats CLICOLOR_FORCE", []string{"CLICOLOR_FORCE=1", "NO_COLOR=1"}, nil, false},
		{"an empty NO_COLOR counts for nothing", []string{"CLICOLOR_FORCE=1", "NO_COLOR="}, nil, true},
		{"never beats CLICOLOR_FORCE", []string{"CLICOLOR_FORCE=1"}, []string{"--color=never"}, false},
		{"JSON has none", []string{"CLICOLOR_FORCE=1"}, []string{"--format=json", "--color=always"}, false},
		{"a file has none by itself", nil, []string{"--output", file}, false},
	} {
		got := run(t, c.env, append([]string{"check", "--offline", dir}, c.args...)...)
		text := got.stdout
		if text == "" {
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			text = string(data)
		}
		if got.code != 0 || strings.Contains(text, "\x1b") != c.coloured {
			t.Errorf("%s: exit %d, coloured %v, want %v", c.name, got.code, !c.coloured, c.coloured)
		}
	}
}

func TestLocaleChoosesTheSymbols(t *testing.T) {
	for _, c := range []struct {
		env  []string
		utf8 bool
	}{
		{nil, false},
		{[]string{"LANG=de_DE.UTF-8"}, true},
		{[]string{"LANG=C.utf8"}, true},
		{[]string{"LANG=C"}, false},
		{[]string{"LANG=de_DE.UTF-8", "LC_ALL=C"}, false},
		{[]string{"LANG=C", "LC_CTYPE=en_US.UTF-8"}, true},
		{[]string{"LANG=de_DE.ISO-8859-1"}, false},
		{[]string{"LANG=en_US.UTF-8", "LC_ALL="}, true},
	} {
		p := &program{env: c.env, stdout: io.Discard}
		if got := !p.textOptions("never", &output{}).ASCII; got != c.utf8 {
			t.Errorf("%q: UTF-8 %v, want %v", c.env, got, c.utf8)
		}
	}
}
