package diagnosis

import (
	"math"
	"slices"
	"sort"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// causesFirst puts every finding behind the one that causes it. The causes
// stand by severity, then by how much each keeps from working (everything
// comes first), then in the sealed order.
func causesFirst(c Case) []finding.Finding {
	in, weight := c.Findings, victims(c.Links)
	for i := range in {
		if slices.Contains(c.StopsAll, in[i].ID) {
			weight[in[i].Fingerprint] = math.MaxInt
		}
	}
	sort.SliceStable(in, func(i, j int) bool {
		if in[i].Severity != in[j].Severity {
			return in[i].Severity > in[j].Severity
		}
		return in[i].Severity == finding.Error && weight[in[i].Fingerprint] > weight[in[j].Fingerprint]
	})
	present := map[string]bool{}
	for i := range in {
		present[in[i].Fingerprint] = true
	}
	children := map[string][]int{}
	for i := range in {
		if c := in[i].Cause; c != "" && c != in[i].Fingerprint && present[c] {
			children[c] = append(children[c], i)
		} else {
			in[i].Cause = "" // a cause that is not there, or the finding itself, explains nothing
		}
	}
	out := make([]finding.Finding, 0, len(in))
	taken := make([]bool, len(in))
	var take func(i int)
	take = func(i int) {
		if taken[i] {
			return
		}
		taken[i] = true
		out = append(out, in[i])
		for _, c := range children[in[i].Fingerprint] {
			take(c)
		}
	}
	for i := range in {
		if in[i].Cause == "" {
			take(i)
		}
	}
	for i := range in {
		if !taken[i] { // two findings that name each other: neither is the consequence
			in[i].Cause = ""
			take(i)
		}
	}
	return out
}

// victims counts, for each finding, the links that do not work because of it.
func victims(links []Link) map[string]int {
	out := map[string]int{}
	for i := range links {
		if links[i].Result.Status == checks.OK {
			continue
		}
		for _, fp := range links[i].Findings {
			out[fp]++
		}
	}
	return out
}
