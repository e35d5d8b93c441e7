package deployment

import (
	"errors"
	"maps"

	"github.com/compose-spec/compose-go/v2/template"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// processEnvironment stands as file name for values that come from the process.
const processEnvironment = "(environment)"

// The limits of values: Linux passes no string over 128 KB to a program, so
// nothing that works comes near them.
const (
	maxValue   = 1 << 20  // one expanded value
	maxExpand  = 64 << 20 // all expanded values of a deployment
	maxHistory = 200      // variables behind one definition that are remembered
)

var (
	errTooComplex = errors.New("it has too many or too deeply nested variables")
	errTooLong    = errors.New("it becomes longer than 1 MB when its variables are expanded")
)

// definition is what one name means, and where that was written.
type definition struct {
	name       string
	value      string
	source     Source // FromEnvFile or FromProcess
	at         finding.Location
	variables  []Variable
	history    int // variables behind this one, all levels
	overridden []finding.Location
}

// scope is the set of variables in force for a file.
type scope struct {
	defs map[string]*definition
}

func newScope() *scope { return &scope{defs: map[string]*definition{}} }

func (s *scope) clone() *scope { return &scope{defs: maps.Clone(s.defs)} }

func (s *scope) find(name string) (*definition, bool) {
	d, ok := s.defs[name]
	return d, ok
}

// mapping gives the values alone, as compose-go wants them.
func (s *scope) mapping() map[string]string {
	m := make(map[string]string, len(s.defs))
	for k, d := range s.defs {
		m[k] = d.value
	}
	return m
}

// finder finds the definition of a name.
type finder func(name string) (*definition, bool)

func (f finder) value(name string) (string, bool) {
	if d, ok := f(name); ok {
		return d.value, true
	}
	return "", false
}

// expansion is a text with its variables replaced, and what took part.
type expansion struct {
	text      string
	variables []Variable
	unset     []reference // variables without default that nothing defines
	err       error       // Compose refuses the text: errTooComplex, errTooLong or an error of compose-go's template
	errAt     int         // where in the text
}

// expand replaces the variables of a text. place names the location of a byte
// of the text; hide marks every variable as secret, whatever its name.
func expand(text string, find finder, place func(int) finding.Location, hide bool) expansion {
	if tooComplex(text) {
		return expansion{err: errTooComplex}
	}
	refs, bad := references(text)
	if len(refs) == 0 && bad < 0 {
		return literal(text)
	}
	if expandedSize(text, find) > maxValue {
		return expansion{err: errTooLong}
	}
	e := expansion{}
	e.text, e.err = substitute(text, find.value)
	if bad >= 0 {
		e.errAt = bad
	}
	for _, r := range refs {
		v := e.variable(text, r, find, place, hide)
		v.Whole = r.from == 0 && r.to == len(text)
		e.variables = append(e.variables, v)
	}
	var missing *template.MissingRequiredError
	if errors.As(e.err, &missing) {
		e.errAt = requiredAt(refs, missing.Variable)
	}
	return e
}

// expandedSize is at least as large as the expanded text.
func expandedSize(text string, find finder) int {
	size := len(text)
	for i := 0; i+1 < len(text); i++ {
		if text[i] != '$' {
			continue
		}
		from := i + 1
		if text[from] == '{' {
			from++
		}
		if end := nameEnd(text, from); end > from {
			v, _ := find.value(text[from:end])
			size += len(v)
		}
	}
	return size
}

// literal undoes the doubled dollars of a text without variables.
func literal(text string) expansion {
	t, err := substitute(text, func(string) (string, bool) { return "", false })
	return expansion{text: t, err: err}
}

// isMissing reports whether a text is refused for a variable without value.
func isMissing(err error) bool {
	var missing *template.MissingRequiredError
	return errors.As(err, &missing)
}

func requiredAt(refs []reference, name string) int {
	for _, r := range refs {
		if r.name == name {
			return r.from
		}
	}
	return 0
}

// variable says what one reference became and where that came from.
func (e *expansion) variable(text string, r reference, find finder, place func(int) finding.Location, hide bool) Variable {
	use := place(r.from)
	v := Variable{Name: r.name, Use: use, Source: FromUnset}
	value, _ := substitute(text[r.from:r.to], find.value)
	hide = hide || secret.IsName(r.name)
	def, defined := find(r.name)
	word := func() {
		inner := expand(text[r.wordFrom:r.wordTo], find, func(i int) finding.Location { return place(r.wordFrom + i) }, hide)
		for _, u := range inner.unset {
			u.from, u.to = u.from+r.wordFrom, u.to+r.wordFrom
			e.unset = append(e.unset, u)
		}
		v.Variables, v.Source, v.At = inner.variables, FromDefault, use
		if defined {
			v.Overridden = append(v.Overridden, def.at.As(finding.Overridden))
		}
	}
	empty := defined && def.value == ""
	switch r.operator {
	case ":-", "-":
		if !defined || r.operator == ":-" && empty {
			word()
			break
		}
		v.define(def)
	case ":+", "+":
		if defined && (r.operator == "+" || !empty) {
			word()
			break
		}
		v.define(def)
	default:
		if !defined && r.operator == "" {
			e.unset = append(e.unset, r)
		}
		v.define(def)
	}
	v.Text = secret.New(value, hide || anySecret(v.Variables))
	return v
}

func (v *Variable) define(d *definition) {
	if d == nil {
		return
	}
	v.Source, v.At, v.Overridden = d.source, d.at, d.overridden
	if d.history <= maxHistory {
		v.Variables = d.variables
	}
}

func anySecret(vs []Variable) bool {
	for _, v := range vs {
		if v.IsSecret() && v.Reveal() != "" {
			return true
		}
	}
	return false
}

// history counts the variables behind a value, all levels, so that a chain
// that doubles at each step is cut before it is walked.
func history(vs []Variable) int {
	n := 0
	for _, v := range vs {
		n += 1 + history(v.Variables)
		if n > maxHistory {
			return maxHistory + 1
		}
	}
	return n
}
