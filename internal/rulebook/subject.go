package rulebook

import (
	"cmp"
	"slices"
)

// Subject is a part of the reference: the rules about one thing.
type Subject[R any] struct {
	Name  string
	About string // what the rules look at, one sentence
	Rules []R
}

// subjects are the parts of the reference in their order. A new one gets its
// line here.
var subjects = []Subject[struct{}]{
	{Name: "compose", About: "What Docker Compose refuses, and what it reads otherwise than it looks."},
	{Name: "env files", About: "Variables, .env, and the env files of services: what is read, what wins, and what a quote, a dollar or a blank does."},
	{Name: "settings", About: "Names of settings: KCCONF_ and its relatives, which release knows them, and which service reads them."},
	{Name: "values", About: "Values that the program cannot read, or reads as something else."},
	{Name: "links", About: "Whether both ends of a link agree: name, port, network, credentials."},
	{Name: "identity", About: "The public name, the login service, and those who trust it."},
	{Name: "certificates", About: "The certificate of web, and the keys that services share."},
	{Name: "mail", About: "The mail server, delivery, and mail that is sent."},
	{Name: "directory", About: "Users and groups in LDAP: addresses, names, filters."},
	{Name: "database", About: "The database and its image."},
	{Name: "storage", About: "What must be on a volume, and which volumes services share."},
	{Name: "ports", About: "Ports of the host: published twice, to everybody, or to nothing."},
	{Name: "secrets", About: "Passwords that everybody knows, or can read."},
	{Name: "security", About: "What opens a door that should be shut."},
	{Name: "images", About: "Which images run, and whether they belong together."},
	{Name: "resources", About: "Memory, sizes and times that do not fit together."},
	{Name: "meet", About: "Meet: signalling, guests, TURN and the bridge."},
	{Name: "scheduler", About: "Jobs of kopano_scheduler, and the backup."},
	{Name: "suppression", About: "Comments, settings and baselines that suppress findings: those that have no effect."},
}

// Known reports whether a subject is a part of the reference.
func Known(subject string) bool { return position(subject) < len(subjects) }

// position gives the position of a subject in the reference, the end for one that is unknown.
func position(name string) int {
	i := slices.IndexFunc(subjects, func(s Subject[struct{}]) bool { return s.Name == name })
	if i < 0 {
		return len(subjects)
	}
	return i
}

// BySubject sorts rules into their subjects, in the order of the reference.
// Within one the rules stay in the order in which they come.
func BySubject[R any](all []R, subject func(R) string) []Subject[R] {
	var out []Subject[R]
	at := map[string]int{}
	for _, r := range all {
		name := subject(r)
		i, ok := at[name]
		if !ok {
			i = len(out)
			at[name] = i
			s := Subject[R]{Name: name}
			if Known(name) {
				s.About = subjects[position(name)].About
			}
			out = append(out, s)
		}
		out[i].Rules = append(out[i].Rules, r)
	}
	slices.SortStableFunc(out, func(a, b Subject[R]) int { return cmp.Compare(position(a.Name), position(b.Name)) })
	return out
}
