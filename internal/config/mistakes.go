package config

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Mistake is something in the file that cannot be meant.
type Mistake struct {
	At      finding.Location
	Message string
}

// Mistakes is an error with all that is wrong with the file, in the order of its lines.
type Mistakes []Mistake

// Error gives a line "file:line:column: message" for each.
func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, x := range m {
		lines[i] = x.At.String() + ": " + x.Message
	}
	return strings.Join(lines, "\n")
}

func (m Mistakes) sorted() Mistakes {
	slices.SortStableFunc(m, func(a, b Mistake) int {
		if a.At.Line != b.At.Line {
			return a.At.Line - b.At.Line
		}
		return a.At.Column - b.At.Column
	})
	return m
}
