package fix

import (
	"cmp"
	"errors"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// errChanged says that a file is not what the edits were made for.
var errChanged = errors.New("the file has changed since it was read")

// Apply makes the edits of one file. Edits that are the same are made once;
// insertions at one place are made in the order given. It is an error when two
// of them meet, or when the text does not have what an edit replaces.
func Apply(text string, edits []finding.Edit) (string, error) {
	edits = inOrder(edits)
	var b strings.Builder
	at := 0
	for _, e := range edits {
		switch {
		case e.Start < at:
			return "", errors.New("two changes meet in one place")
		case e.End < e.Start || e.End > len(text) || text[e.Start:e.End] != e.Old.Reveal():
			return "", errChanged
		}
		b.WriteString(text[at:e.Start])
		b.WriteString(e.New.Reveal())
		at = e.End
	}
	b.WriteString(text[at:])
	return b.String(), nil
}

// inOrder sorts edits by place and drops repetitions.
func inOrder(edits []finding.Edit) []finding.Edit {
	var out []finding.Edit
	for _, e := range edits {
		if !slices.Contains(out, e) {
			out = append(out, e)
		}
	}
	slices.SortStableFunc(out, func(a, b finding.Edit) int {
		return cmp.Or(cmp.Compare(a.Start, b.Start), cmp.Compare(a.End, b.End))
	})
	return out
}

// meets reports whether any of the edits touches the bytes of one that is
// taken. The same edit twice is no conflict.
func meets(taken, edits []finding.Edit) bool {
	for _, e := range edits {
		for _, t := range taken {
			if e.File != t.File || e == t {
				continue
			}
			if e.Create || t.Create || e.Start < t.End && t.Start < e.End {
				return true
			}
			// An insertion inside or at the edge of a change depends on it.
			if (e.Start == e.End) != (t.Start == t.End) && e.Start <= t.End && t.Start <= e.End {
				return true
			}
		}
	}
	return false
}
