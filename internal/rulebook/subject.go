package rulebook

// Subject is a part of the reference: the rules about one thing.
type Subject[R any] struct {
	Name  string
	Rules []R
}

// BySubject sorts rules into their subjects; both stay in the order in which
// they come, whatever lies between two rules of one subject.
func BySubject[R any](all []R, subject func(R) string) []Subject[R] {
	var out []Subject[R]
	at := map[string]int{}
	for _, r := range all {
		i, ok := at[subject(r)]
		if !ok {
			i = len(out)
			at[subject(r)] = i
			out = append(out, Subject[R]{Name: subject(r)})
		}
		out[i].Rules = append(out[i].Rules, r)
	}
	return out
}
