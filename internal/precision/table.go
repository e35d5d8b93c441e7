package main

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// counts are findings by severity.
type counts struct{ errors, warnings, infos int }

func (c *counts) add(s finding.Severity) {
	switch s {
	case finding.Error:
		c.errors++
	case finding.Warning:
		c.warnings++
	default:
		c.infos++
	}
}

func (c counts) String() string { return fmt.Sprintf("%6d %8d %6d", c.errors, c.warnings, c.infos) }

// noise is what one rule finds.
type noise struct {
	id string
	counts
	in [kinds]int // deployments of a kind in which it finds something
}

// measure counts by rule, the noisiest first.
func measure(results []result) []noise {
	byID := map[string]*noise{}
	var all []*noise
	for _, r := range rules.All() {
		byID[r.ID] = &noise{id: r.ID}
		all = append(all, byID[r.ID])
	}
	for _, r := range results {
		seen := map[string]bool{}
		for _, f := range r.findings {
			n := byID[f.ID]
			n.add(f.Severity)
			if !seen[f.ID] {
				seen[f.ID] = true
				n.in[r.kind]++
			}
		}
	}
	slices.SortFunc(all, func(a, b *noise) int {
		return cmp.Or(slices.Compare(b.in[:], a.in[:]), cmp.Compare(b.errors+b.warnings+b.infos, a.errors+a.warnings+a.infos), cmp.Compare(a.id, b.id))
	})
	var out []noise
	for _, n := range all {
		out = append(out, *n)
	}
	return out
}

// writeRules prints what each rule finds.
func writeRules(w io.Writer, results []result) {
	var of [kinds]int
	for _, r := range results {
		of[r.kind]++
	}
	fmt.Fprintf(w, "\nFindings by rule, in %d real deployments, %d parts of such, %d bundled deployments, %d good examples:\n\n",
		of[realOnes], of[parts], of[bundled], of[good])
	fmt.Fprintf(w, "%-34s %6s %8s %6s %10s %10s %10s %10s\n", "rule", "errors", "warnings", "infos", "real", "parts", "bundled", "examples")
	var silent []string
	var sum counts
	for _, n := range measure(results) {
		if n.counts == (counts{}) {
			silent = append(silent, n.id)
			continue
		}
		sum.errors, sum.warnings, sum.infos = sum.errors+n.errors, sum.warnings+n.warnings, sum.infos+n.infos
		fmt.Fprintf(w, "%-34s %v", n.id, n.counts)
		for k, in := range n.in {
			fmt.Fprintf(w, " %s", share(in, of[k]))
		}
		fmt.Fprintln(w)
	}
	fmt.Fprintf(w, "%-34s %v\n", "all", sum)
	slices.Sort(silent)
	text := fmt.Sprintf("%d rules find nothing in any of them: %s", len(silent), strings.Join(silent, ", "))
	fmt.Fprintf(w, "\n%s\n", strings.Join(report.Wrap(text, "", "  "), "\n"))
}

// share gives "12   30%", or blanks for none.
func share(n, of int) string {
	if n == 0 {
		return strings.Repeat(" ", 10)
	}
	return fmt.Sprintf("%5d %3d%%", n, 100*n/of)
}

// writeDeployments prints what is found in each deployment, the worst first.
// The good examples are left out: the tests look at each of them.
func writeDeployments(w io.Writer, results []result) {
	type line struct {
		result
		counts
		rules int
	}
	var lines []line
	for _, r := range results {
		l, ids := line{result: r}, map[string]bool{}
		for _, f := range r.findings {
			l.add(f.Severity)
			ids[f.ID] = true
		}
		l.rules = len(ids)
		if r.kind != good {
			lines = append(lines, l)
		}
	}
	slices.SortStableFunc(lines, func(a, b line) int {
		return cmp.Or(cmp.Compare(a.kind, b.kind), cmp.Compare(b.errors, a.errors), cmp.Compare(b.warnings, a.warnings), cmp.Compare(b.infos, a.infos))
	})
	fmt.Fprint(w, "\nFindings by deployment:\n\n")
	fmt.Fprintf(w, "%6s %8s %6s %6s  %-8s %s\n", "errors", "warnings", "infos", "rules", "kind", "deployment")
	for _, l := range lines {
		kind := [kinds]string{"real", "part", "bundled", ""}[l.kind]
		fmt.Fprintf(w, "%v %6d  %-8s %s\n", l.counts, l.rules, kind, l.Name)
	}
}
