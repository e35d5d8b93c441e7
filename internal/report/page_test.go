package report_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func written(o report.TextOptions, f func(*report.Page)) string {
	page := report.NewPage(o)
	f(page)
	var b bytes.Buffer
	page.WriteTo(&b)
	return b.String()
}

// TestListingOfALongFile wants the marked line, its neighbours, and the keys
// that it stands under.
func TestListingOfALongFile(t *testing.T) {
	lines := []string{"services:"}
	for i := range 10 {
		lines = append(lines, fmt.Sprintf("  service%d:", i), "    image: x", "    environment:", "      - A=1", "      - B=2", "      - C=3")
	}
	got := written(report.TextOptions{}, func(p *report.Page) {
		p.Listing("docker-compose.yml", lines, map[int]report.Mark{24: report.Wrong}, []int{60})
	})
	want := `  docker-compose.yml
      1 │ services:
        …
     20 │   service3:
        …
     22 │     environment:
     23 │       - A=1
   > 24 │       - B=2
     25 │       - C=3
        …
     56 │   service9:
        …
     58 │     environment:
     59 │       - A=1
     60 │       - B=2
     61 │       - C=3
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

func TestListingOfAShortFile(t *testing.T) {
	long := strings.Repeat("x", 100)
	got := written(report.TextOptions{ASCII: true}, func(p *report.Page) {
		p.Listing(".env", []string{"A=1", "B=\x1b[31m" + long, ""}, map[int]report.Mark{1: report.Right}, nil)
	})
	want := "  .env\n   +  1 | A=1\n      2 | B=\uFFFD[31m" + long[:60] + "...\n      3 |\n"
	if got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
	got = written(report.TextOptions{}, func(p *report.Page) { p.Listing("x", make([]string, 100), nil, nil) })
	if n := strings.Count(got, "\n"); n != 14 {
		t.Errorf("a long file without a mark takes %d lines, want its name, 12 lines and a gap:\n%s", n, got)
	}
}

func TestPageHasColoursOnlyWhereAsked(t *testing.T) {
	write := func(p *report.Page) {
		p.Title("error", "a thing is wrong", "a-rule")
		p.Heading("Bad")
		p.Say("Breaks", "all of it")
		p.Listing("x", []string{"a", "b"}, map[int]report.Mark{1: report.Wrong, 2: report.Right}, nil)
	}
	plain, painted := written(report.TextOptions{}, write), written(report.TextOptions{Color: true}, write)
	if strings.Contains(plain, "\x1b") || !strings.Contains(painted, "\x1b[31;1m   >  1 │ ") || !strings.Contains(painted, "\x1b[32m   +  2 │ ") {
		t.Errorf("plain %q\npainted %q", plain, painted)
	}
}
