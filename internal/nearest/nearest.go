// Package nearest finds the known word that a misspelt one was meant to be.
package nearest

import "strings"

// Of gives the candidate that is closest to word, and whether it is close
// enough to be worth suggesting: at most one edit in words of up to four
// letters, two in words of up to eight, three in longer ones. Letter case does
// not count, and neither does the difference between "-" and "_". A word that
// is a candidate itself is not suggested. Of two that are as close, the one
// with the same first letter wins, then the first in the list.
func Of(word string, candidates []string) (string, bool) {
	w := fold(word)
	limit := allowance(len(w))
	best, bestScore := "", 2*limit+2
	for _, c := range candidates {
		if c == word || c == "" {
			continue
		}
		f := fold(c)
		d := distance(w, f)
		if d > limit || d >= max(len(w), len(f)) {
			continue
		}
		score := 2 * d
		if len(w) == 0 || w[0] != f[0] {
			score++
		}
		if score < bestScore {
			best, bestScore = c, score
		}
	}
	return best, best != ""
}

func allowance(length int) int {
	switch {
	case length <= 4:
		return 1
	case length <= 8:
		return 2
	default:
		return 3
	}
}

func fold(s string) string {
	// The words are names of settings and fields; anything longer is no typo,
	// and hostile input must not cost quadratic time.
	const longest = 128
	if len(s) > longest {
		s = s[:longest]
	}
	return strings.ReplaceAll(strings.ToLower(s), "-", "_")
}

// distance counts the insertions, deletions, replacements and swaps of
// neighbours that lead from a to b (optimal string alignment).
func distance(a, b string) int {
	before, last, row := make([]int, len(b)+1), make([]int, len(b)+1), make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := 1; i <= len(a); i++ {
		row[0] = i
		for j := 1; j <= len(b); j++ {
			cost := 1
			if a[i-1] == b[j-1] {
				cost = 0
			}
			row[j] = min(last[j]+1, row[j-1]+1, last[j-1]+cost)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
		before, last, row = last, row, before
	}
	return last[len(b)]
}
