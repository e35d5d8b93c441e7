package finding

import "sort"

// Sort puts findings into the order of Seal and leaves their fingerprints alone.
func Sort(fs []Finding) []Finding {
	sort.SliceStable(fs, func(i, j int) bool { return less(&fs[i], &fs[j]) })
	return fs
}
