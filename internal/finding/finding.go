// Package finding holds the one type that every part of the doctor speaks:
// loader, rules and checks produce findings, diagnosis links them, reports print them.
package finding

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"sort"
	"strings"
	"time"
)

// Severity says how much a finding matters. The order is meaningful: Info < Warning < Error.
type Severity int

// The three severities.
const (
	Info    Severity = iota + 1 // worth knowing
	Warning                     // it will bite
	Error                       // it will not work, or data is at risk
)

// String gives the word used in every report: "info", "warning" or "error".
func (s Severity) String() string {
	switch s {
	case Error:
		return "error"
	case Warning:
		return "warning"
	case Info:
		return "info"
	}
	return fmt.Sprintf("severity(%d)", int(s))
}

// Kind says which half of the doctor made a finding.
type Kind string

// The two halves.
const (
	Static Kind = "static" // read from files
	Live   Kind = "live"   // seen on a connection
)

// Role says what a location is to its finding.
type Role string

// The roles of a location.
const (
	Fix        Role = "fix"        // where to change it
	Origin     Role = "origin"     // where the value came from on its way
	Overridden Role = "overridden" // a place that sets the value too, and loses
	Related    Role = "related"    // the other end, or a place worth looking at
)

// Location is a place in a file. Line and Column count from 1; Column counts
// bytes, 0 means that only the line is known. Line 0 means the whole file.
type Location struct {
	File    string // relative to the deployment's folder, with forward slashes; or "(environment)" for the process environment
	Line    int
	Column  int
	Role    Role
	Excerpt string // the source line with secrets hidden; filled by the report
}

// As returns the location with another role.
func (l Location) As(r Role) Location {
	l.Role = r
	return l
}

// IsZero reports whether the location names no place at all.
func (l Location) IsZero() bool { return l.File == "" }

// String gives "file:line:column", leaving out what is not known.
func (l Location) String() string {
	switch {
	case l.Line == 0:
		return l.File
	case l.Column == 0:
		return fmt.Sprintf("%s:%d", l.File, l.Line)
	}
	return fmt.Sprintf("%s:%d:%d", l.File, l.Line, l.Column)
}

// Finding is one thing that is wrong, or worth knowing. Title, Message,
// Consequence and Remedy are sentences for an administrator; none of them may
// hold a secret.
type Finding struct {
	ID          string // kebab-case, stable for ever: the rule's or check's ID
	Severity    Severity
	Kind        Kind
	Title       string // one line
	Message     string // what is wrong here, with the names and values at hand
	Subject     string // the service or link it is about
	Locations   []Location
	Consequence string   // what it breaks, and for whom
	Remedy      string   // the change that cures it
	Edits       []Edit   // the same change, ready to be made; empty where there is more than one answer
	Links       []string // IDs of the links (kopano.Edge.ID) that this finding explains when they are down
	Key         string   // tells apart findings of one ID on one subject; never a line number, never a secret
	Evidence    []Evidence
	Cause       string // fingerprint of the finding that causes this one, or ""
	Fingerprint string // set by Seal
}

// Evidence is a line of a log that bears a finding out.
type Evidence struct {
	Service string        // whose log
	At      time.Time     // when it was written, by the engine's clock
	Age     time.Duration // how long before the run that was
	Line    string        // the line itself, without secrets
	Means   string        // what it says, one sentence
}

// Seal sorts the findings into their final order, gives each its fingerprint
// and makes the fingerprints unique. A fingerprint depends on ID, subject and
// key only, so it survives moved lines and other files' changes.
func Seal(fs []Finding) []Finding {
	sort.SliceStable(fs, func(i, j int) bool { return less(&fs[i], &fs[j]) })
	seen := map[string]int{}
	for i := range fs {
		sum := sha256.Sum256([]byte(strings.Join([]string{fs[i].ID, fs[i].Subject, fs[i].Key}, "\x00")))
		fp := hex.EncodeToString(sum[:8])
		seen[fp]++
		if n := seen[fp]; n > 1 {
			fp = fmt.Sprintf("%s-%d", fp, n)
		}
		fs[i].Fingerprint = fp
	}
	return fs
}

func less(a, b *Finding) bool {
	if a.Severity != b.Severity {
		return a.Severity > b.Severity
	}
	la, lb := a.First(), b.First()
	if la.File != lb.File {
		return la.File < lb.File
	}
	if la.Line != lb.Line {
		return la.Line < lb.Line
	}
	if la.Column != lb.Column {
		return la.Column < lb.Column
	}
	if a.ID != b.ID {
		return a.ID < b.ID
	}
	if a.Subject != b.Subject {
		return a.Subject < b.Subject
	}
	return a.Key < b.Key
}

// First is the place to change, or the zero Location.
func (f *Finding) First() Location {
	if len(f.Locations) == 0 {
		return Location{}
	}
	return f.Locations[0]
}
