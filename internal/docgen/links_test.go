package docgen_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
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
			} else if fragment != "" && !hasLine(t, target, fragment) && !hasHeading(t, target, fragment) {
				t.Errorf("%s leads to %s, and that page has no such heading or line", page, m[1])
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

// hasLine reports whether a fragment names a line that the file has: "L12".
func hasLine(t *testing.T, file, fragment string) bool {
	t.Helper()
	n, err := strconv.Atoi(strings.TrimPrefix(fragment, "L"))
	if err != nil || !strings.HasPrefix(fragment, "L") {
		return false
	}
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return n >= 1 && n <= strings.Count(string(text), "\n")+1
}

func hasHeading(t *testing.T, page, fragment string) bool {
	for line := range strings.Lines(prose(t, page)) {
		if title, ok := strings.CutPrefix(strings.TrimLeft(line, "#"), " "); ok && line[0] == '#' && docgen.Anchor(strings.TrimSpace(title)) == fragment {
			return true
		}
	}
	return false
}
