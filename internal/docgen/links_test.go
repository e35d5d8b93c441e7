package docgen_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/docgen"
)

var (
	link = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	code = regexp.MustCompile("(?s)```.*?```|`[^`\n]*`")
)

// TestNoLinkIsDead follows every link between the pages, to its heading.
func TestNoLinkIsDead(t *testing.T) {
	var pages []string
	for _, pattern := range []string{"../../*.md", "../../docs/*.md", "../../docs/*/*.md"} {
		found, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		pages = append(pages, found...)
	}
	followed := 0
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(prose(t, page), -1) {
			if strings.Contains(m[1], "://") {
				continue
			}
			followed++
			file, fragment, _ := strings.Cut(m[1], "#")
			target := page
			if file != "" {
				target = filepath.Join(filepath.Dir(page), file)
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s leads to %s, which does not exist", page, m[1])
			} else if fragment != "" && !hasHeading(t, target, fragment) {
				t.Errorf("%s leads to %s, and that page has no such heading", page, m[1])
			}
		}
	}
	if followed < 300 {
		t.Errorf("only %d links were followed", followed)
	}
}

// prose gives a page without its code.
func prose(t *testing.T, page string) string {
	t.Helper()
	text, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	return code.ReplaceAllString(string(text), "")
}

func hasHeading(t *testing.T, page, fragment string) bool {
	for line := range strings.Lines(prose(t, page)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' && docgen.Anchor(strings.TrimSpace(title)) == fragment {
			return true
		}
	}
	return false
}
