package deployment

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// problems is what Compose refuses or warns about; nothing is kept twice.
type problems struct {
	list   []Problem
	groups map[string]*group
}

// group is one mistake that is found in several places, such as a variable
// without value: one problem with all the places.
type group struct {
	index    int
	services []string
	many     func(services []string) string // the message for more than one service
	subject  string                         // the subject for more than one service
}

// addTo adds a problem to its group.
func (ps *problems) addTo(name, service string, g group, p Problem) {
	if ps.groups == nil {
		ps.groups = map[string]*group{}
	}
	known, ok := ps.groups[name]
	if !ok {
		before := len(ps.list)
		ps.add(p)
		if len(ps.list) > before {
			g.index, g.services = before, []string{service}
			ps.groups[name] = &g
		}
		return
	}
	first := &ps.list[known.index]
	for _, l := range p.Locations {
		if l = l.As(finding.Fix); !l.IsZero() && !slices.Contains(first.Locations, l) {
			first.Locations = append(first.Locations, l)
		}
	}
	if !slices.Contains(known.services, service) {
		known.services = append(known.services, service)
	}
	first.Subject = known.subject
	first.Message = known.many(known.services)
}

// enumerate writes a list of names as a person would, cut when it is long.
func enumerate(names []string) string {
	const most = 4
	switch n := len(names); {
	case n == 1:
		return names[0]
	case n > most:
		return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), n-most+1)
	default:
		return strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}

func (ps *problems) add(p Problem) {
	p.Locations = slices.DeleteFunc(p.Locations, finding.Location.IsZero)
	for i := range p.Locations {
		if p.Locations[i].Role == "" {
			p.Locations[i].Role = finding.Related
			if i == 0 {
				p.Locations[i].Role = finding.Fix
			}
		}
	}
	if strings.TrimSpace(p.Subject) == "" {
		p.Subject = first(p.Locations).File
	}
	for i := range ps.list {
		if o := &ps.list[i]; o.Kind == p.Kind && o.Subject == p.Subject && o.Message == p.Message && first(o.Locations) == first(p.Locations) {
			return
		}
	}
	ps.list = append(ps.list, p)
}

func first(ls []finding.Location) finding.Location {
	if len(ls) == 0 {
		return finding.Location{}
	}
	return ls[0]
}

func (ps *problems) has(k ProblemKind) bool {
	return slices.ContainsFunc(ps.list, func(p Problem) bool { return p.Kind == k })
}

func (ps *problems) refused() bool {
	return slices.ContainsFunc(ps.list, func(p Problem) bool { return p.Severity == finding.Error })
}

// sorted orders the problems by severity and place.
func (ps *problems) sorted() []Problem {
	out := slices.Clone(ps.list)
	for _, g := range ps.groups {
		if g.index < len(out) {
			out[g.index].Locations = slices.SortedStableFunc(slices.Values(out[g.index].Locations), comparePlaces)
		}
	}
	slices.SortStableFunc(out, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(b.Severity, a.Severity), comparePlaces(first(a.Locations), first(b.Locations)), cmp.Compare(a.Message, b.Message))
	})
	return out
}

func comparePlaces(a, b finding.Location) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

func (w *walker) refuse(kind ProblemKind, subject, message, remedy, key string, at ...finding.Location) {
	w.problems.add(Problem{Kind: kind, Severity: finding.Error, Subject: subject, Message: message, Remedy: remedy, Key: key, Locations: at})
}

func (w *walker) warn(kind ProblemKind, subject, message, remedy, key string, at ...finding.Location) {
	w.problems.add(Problem{Kind: kind, Severity: finding.Warning, Subject: subject, Message: message, Remedy: remedy, Key: key, Locations: at})
}

func (w *walker) duplicateKey(src *source, old, again *yaml.Node, path []string) {
	at := src.at(scalarStart(src, again))
	before := src.at(scalarStart(src, old))
	where := "at the top"
	if len(path) > 0 {
		where = "in " + strings.Join(path, ".")
	}
	w.refuse(DuplicateKey, subjectOf(path, src),
		fmt.Sprintf("%q stands twice %s, in line %d and again in line %d.", again.Value, where, before.Line, at.Line),
		fmt.Sprintf("Keep one of the two and delete the other; where both set something, put it together under one %q.", again.Value),
		strings.Join(append(slices.Clone(path), again.Value), "."), at, before)
}

// keyIsNoText reports a key that YAML takes for a number, a boolean or nothing.
func (w *walker) keyIsNoText(src *source, k *yaml.Node, path []string) {
	written := shorten(k.Value)
	if written == "" {
		written = "nothing"
	}
	w.refuse(WrongType, subjectOf(path, src), fmt.Sprintf("YAML reads the name %s as %s, but Compose wants text for a name.", written, plainTag(k.ShortTag())),
		fmt.Sprintf("Put the name into quotes: %q.", k.Value), strings.Join(append(slices.Clone(path), k.Value), "."), src.at(scalarStart(src, k)))
}

func plainTag(tag string) string {
	switch tag {
	case "!!bool":
		return "a boolean"
	case "!!int", "!!float":
		return "a number"
	case "!!null":
		return "an empty value"
	case "!!timestamp":
		return "a date"
	}
	return "something that is no text"
}

// subjectOf is the service that a path belongs to, else the file.
func subjectOf(path []string, src *source) string {
	if len(path) >= 2 && path[0] == "services" {
		return path[1]
	}
	return src.name
}

func (w *walker) notMapping(src *source, n *node) {
	if n != nil && n.kind == kindNull {
		return // an empty document is nothing at all
	}
	at := src.at(src.body)
	if n != nil {
		at = n.location()
	}
	w.refuse(WrongType, src.name, fmt.Sprintf("%s does not start with a mapping: Compose wants \"services:\" and the like at the top.", src.name),
		"Check that this is the compose file that you meant, and that its first lines are not indented or cut off.", "", at)
}

func (w *walker) tooManyNodes(src *source) {
	w.unsafe = true
	w.refuse(Refused, src.name, fmt.Sprintf("%s becomes larger than Compose allows (%d parts) when its anchors are filled in.", src.name, maxNodes),
		"Use fewer anchors (&name, *name) inside of one another.", "nodes", src.whole())
}

func (w *walker) tooManyLoads(at *node) {
	w.refuse(Refused, at.file.name, "Files are included or extended more than a thousand times; the rest is not read.",
		"Look for files that include one another.", "loads", at.location())
}

func (w *walker) badExpansion(n *node, e expansion, service, key string) {
	at := n.file.at(n.scalar.place(e.errAt))
	subject := service
	if subject == "" {
		subject = n.file.name
	}
	var missing *template.MissingRequiredError
	switch {
	case errors.Is(e.err, errTooComplex) || errors.Is(e.err, errTooLong):
		w.unsafe = true
		w.refuse(BadInterpolation, subject, fmt.Sprintf("The value of %s is not expanded: %s.", key, e.err),
			"Write the value in a simpler way.", key, n.location())
	case errors.As(e.err, &missing):
		why := ""
		if strings.Contains(missing.Reason, " ") && !secret.IsName(missing.Variable) {
			why = fmt.Sprintf(" The file says: %q.", shorten(missing.Reason))
		}
		variable := missing.Variable
		w.problems.addTo("variable\x00"+variable, subject, group{subject: variable, many: func(services []string) string {
			return fmt.Sprintf("%s cannot be read without the variable %s, which has no value.%s", enumerate(services), variable, why)
		}}, Problem{
			Kind: BadInterpolation, Severity: finding.Error, Subject: subject, Key: variable,
			Message: fmt.Sprintf("%s of %s needs the variable %s, which has no value.%s", key, subject, variable, why),
			Remedy:  fmt.Sprintf("Set %s in .env.", variable), Locations: []finding.Location{at},
		})
	default:
		w.refuse(BadInterpolation, subject, fmt.Sprintf("The value of %s has a \"${\" that Compose cannot read: %s.", key, whyBad(n.text, e.errAt)),
			"Write ${NAME} or ${NAME:-default}, with the closing brace; write $$ for a dollar that is meant as such.", key, at)
	}
}

// whyBad says what is wrong with the "${" at a place of a text.
func whyBad(text string, at int) string {
	rest := text[min(at+2, len(text)):]
	end := nameEnd(rest, 0)
	switch {
	case !strings.Contains(rest, "}"):
		return "the brace is never closed"
	case end == 0 || !nameStart(rest[0]):
		return "no variable name follows it"
	}
	return fmt.Sprintf("the name %s is followed by something other than \"}\", \":-\", \"-\", \":?\", \"?\", \":+\" or \"+\"", shorten(rest[:end]))
}

// plainExpandError says why a line of an env file is not expanded.
func plainExpandError(err error) string {
	var missing *template.MissingRequiredError
	switch {
	case errors.Is(err, errTooComplex) || errors.Is(err, errTooLong):
		return err.Error()
	case errors.As(err, &missing):
		return "it needs the variable " + missing.Variable + ", which has no value"
	}
	return "it has a \"${\" that is no variable; a dollar that is meant as such goes into single quotes"
}

func (w *walker) composeUnreadable(written, path string, u *unreadable, at finding.Location, by string) {
	name := w.name(path)
	if u.missing {
		w.refuse(ComposeFileMissing, name, fmt.Sprintf("The compose file %s, named by %s, does not exist.", name, by),
			w.missingRemedy(path, by), written, at)
		return
	}
	w.refuse(ComposeFileMissing, name, fmt.Sprintf("The compose file %s, named by %s, cannot be read: %s.", name, by, u.reason),
		"Put a readable compose file there, or take the name out.", written, at)
}

// missingRemedy suggests a file of a similar name in the same folder.
func (w *walker) missingRemedy(path, by string) string {
	if near, ok := nearestFile(path); ok {
		return fmt.Sprintf("Did you mean %s? Correct the name in %s.", w.name(near), by)
	}
	return fmt.Sprintf("Put the file there, or take %s out of %s.", w.name(path), by)
}

func (w *walker) notFetched(at finding.Location, ref string) {
	w.remote = true
	w.warn(Refused, at.File, fmt.Sprintf("%s would be fetched from another machine. The doctor does not do that, so what it defines is not checked.", redactURL(ref)),
		"Fetch it yourself and name the local copy, if it is to be checked too.", "remote", at)
}

func (w *walker) extendsCycle(s *node, name string, e *node) {
	w.refuse(DependencyCycle, name, fmt.Sprintf("Service %s extends itself, directly or through others.", name),
		"Take out one of the \"extends\".", "extends", e.place(), s.place())
}

func (w *walker) extendsUnknown(name string, ref *node, base *fileContext, services *node) {
	known := []string{}
	if services != nil {
		known = services.keys
	}
	remedy := fmt.Sprintf("Define %s in %s, or extend a service that is there.", ref.text, base.src.name)
	if near, ok := nearestOf(ref.text, known); ok {
		remedy = fmt.Sprintf("Did you mean %s?", near)
	}
	w.refuse(UndefinedService, name, fmt.Sprintf("Service %s extends %s, which %s does not define.", name, ref.text, base.src.name), remedy, "extends\x00"+ref.text, ref.location())
}

func (w *walker) includeCycle(p *node, included []string) {
	var chain []string
	for _, f := range included {
		chain = append(chain, w.name(f))
	}
	w.refuse(DependencyCycle, p.file.name, fmt.Sprintf("%s is included while it is being read itself (%s).", p.text, strings.Join(chain, " -> ")),
		"Take the include out.", "include", p.location())
}

func (w *walker) envUnreadable(ref envFileRef, u *unreadable, service string) {
	name := w.name(ref.path)
	state, remedy, kind := "does not exist", fmt.Sprintf("Create it; an empty file will do: touch %s", name), EnvFileMissing
	switch {
	case u.missing:
	case u.refused:
		state, remedy = "cannot be read: "+u.reason, "Make it a readable file."
	default:
		state, remedy, kind = "is not read here: "+u.reason, "Put an ordinary text file there.", EnvFileSyntax
	}
	message := fmt.Sprintf("Service %s wants the env file %s, which %s.", service, name, state)
	subject := service
	at := ref.location()
	if at.IsZero() {
		at = finding.Location{File: name}
	}
	if service == "" {
		message, subject = fmt.Sprintf("The env file %s, which defines the variables, %s.", name, state), name
	}
	w.problems.addTo("env\x00"+name, subject, group{subject: name, many: func(services []string) string {
		return fmt.Sprintf("The services %s want the env file %s, which %s.", enumerate(services), name, state)
	}}, Problem{Kind: kind, Severity: finding.Error, Subject: subject, Message: message, Remedy: remedy, Key: name, Locations: []finding.Location{at}})
}

// envLines reports the lines of an env file that Compose refuses.
func (w *walker) envLines(src *source, r *envReading) {
	if src.utf16 {
		w.refuse(EnvFileSyntax, src.name, src.name+" is written in UTF-16, which Compose does not read in env files.",
			"Save it as UTF-8 without byte order mark.", "utf-16", src.whole())
	}
	for i := range r.file.Lines {
		l := &r.file.Lines[i]
		if l.Bad == "" {
			continue
		}
		if l.Nameless {
			w.warn(EnvFileSyntax, src.name, fmt.Sprintf("Line %d of %s sets nothing: it has no \"=\".", l.At.Line, src.name),
				"Write NAME=value, or delete the line.", "nameless", l.At)
			continue
		}
		w.refuse(EnvFileSyntax, src.name, fmt.Sprintf("Compose cannot read line %d of %s: %s.", l.At.Line, src.name, l.Bad),
			"Write the line as NAME=value; put a value with spaces, quotes, # or $ into single quotes.", l.Key+"\x00"+l.Bad, l.At)
	}
	if at, ok := invalidUTF8(src.text); ok && !src.utf16 {
		w.warn(EnvFileSyntax, src.name, src.name+" is not UTF-8 here: it was probably saved in an old Windows or Latin-1 encoding.",
			"Save the file as UTF-8.", "utf-8", src.at(at))
	}
}

// mappingInPorts is the path of a port mapping with a blank behind its colon,
// - 80: 80, which YAML reads as a mapping of its own.
var mappingInPorts = regexp.MustCompile(`^services\..+\.ports\.[0-9]+\.[0-9]+$`)

// dropConsequences keeps one problem of the several that a blank in a port
// mapping makes.
func (ps *problems) dropConsequences() {
	blank := slices.ContainsFunc(ps.list, func(p Problem) bool { return mappingInPorts.MatchString(p.Key) })
	if !blank {
		return
	}
	ps.groups = nil // their indexes are not kept
	number := func(key string) bool {
		return slices.ContainsFunc(ps.list, func(p Problem) bool { return p.Kind == WrongType && p.Key == key })
	}
	var kept []Problem
	for _, p := range ps.list {
		again := p.Kind == UnknownField && mappingInPorts.MatchString(p.Key) && number(p.Key)
		if !again && !(p.Kind == Refused && strings.Contains(p.Message, "missing a target port")) {
			kept = append(kept, p)
		}
	}
	ps.list = kept
}
