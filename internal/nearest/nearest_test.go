package nearest

import (
	"strings"
	"testing"
)

func TestOf(t *testing.T) {
	fields := []string{"image", "environment", "env_file", "volumes", "ports", "networks", "network_mode"}
	for _, c := range []struct {
		word, want string
	}{
		{"enviroment", "environment"},
		{"enviornment", "environment"}, // swapped letters count once
		{"env-file", "env_file"},
		{"IMAGE", "image"},
		{"volume", "volumes"},
		{"prots", "ports"},
		{"image", ""}, // itself
		{"x", ""},
		{"", ""},
		{"zzzz", ""},
		{strings.Repeat("volumes", 100000), ""},
	} {
		got, ok := Of(c.word, fields)
		if got != c.want || ok != (c.want != "") {
			t.Errorf("Of(%.20q) = %q, %v; want %q", c.word, got, ok, c.want)
		}
	}
}

func TestOfPrefersSameFirstLetter(t *testing.T) {
	if got, _ := Of("mast", []string{"cast", "most"}); got != "most" {
		t.Errorf("got %q, want most", got)
	}
}

func TestOfIgnoresEmptyCandidates(t *testing.T) {
	if got, ok := Of("a", []string{"", "b"}); ok && got == "" {
		t.Errorf("suggested nothing as something")
	}
}
