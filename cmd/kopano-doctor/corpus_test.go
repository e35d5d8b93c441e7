package main

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mattn/go-runewidth"

	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
)

// realDeployments gives the folders with a compose file below the corpus, and
// those of this repository.
func realDeployments(t *testing.T) []string {
	t.Helper()
	roots := []string{"../../testdata/deployments"}
	if corpus := os.Getenv("KOPANO_DOCTOR_CORPUS"); corpus != "" {
		roots = append(roots, corpus)
	} else {
		t.Log("KOPANO_DOCTOR_CORPUS is not set: only the deployments of this repository are tried")
	}
	var out []string
	for _, root := range roots {
		err := filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err == nil && (d.Name() == "docker-compose.yml" || d.Name() == "compose.yaml") {
				out = append(out, filepath.Dir(path))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(out) == 0 {
		t.Fatal("there is no deployment to try")
	}
	return out
}

func TestRealDeployments(t *testing.T) {
	width := runewidth.Condition{StrictEmojiNeutral: true}
	for _, dir := range realDeployments(t) {
		code, text := fixedRun(t, "check", "--offline", dir)
		again, same := fixedRun(t, "check", "--offline", dir)
		if code != again || text != same {
			t.Errorf("%s: two runs differ: exit %d and %d\n%s\n%s", dir, code, again, text, same)
		}
		if code != doctor.ExitOK && code != doctor.ExitFound {
			t.Errorf("%s: exit %d", dir, code)
			continue
		}
		for _, line := range strings.Split(text, "\n") {
			if n := width.StringWidth(line); n > 80 && n > len(longestWord(line))+20 {
				t.Errorf("%s: a line of %d columns: %s", dir, n, line)
			}
		}
		jsonCode, object := fixedRun(t, "check", "--offline", "--format", "json", dir)
		r := parse(t, object)
		if jsonCode != code || r.Summary.LinksOK+r.Summary.LinksBroken != 0 {
			t.Errorf("%s: exit %d as JSON, %d as text, %d links tried offline", dir, jsonCode, code, r.Summary.LinksOK+r.Summary.LinksBroken)
		}
		for _, f := range r.Findings {
			if f.ID == doctor.InternalError || f.Title == "" || f.Fingerprint == "" {
				t.Errorf("%s: %+v", dir, f)
			}
		}
	}
}

func longestWord(line string) string {
	longest := ""
	for _, w := range strings.Fields(line) {
		if len(w) > len(longest) {
			longest = w
		}
	}
	return longest
}
