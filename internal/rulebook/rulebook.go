// Package rulebook puts together all that is known of a rule: the rule itself,
// its examples, and what is said about the bad one. The command line, the
// reference in docs/ and the JSON list are written from it.
package rulebook

import (
	"fmt"
	"io/fs"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/rules"
)

// Entry is a rule with its examples. Its JSON form is described in docs/json.md.
type Entry struct {
	ID          string   `json:"id"`
	Subject     string   `json:"subject"`
	Severity    string   `json:"severity"`
	Title       string   `json:"title"`
	Why         string   `json:"why"`
	Source      string   `json:"source"`
	Since       string   `json:"since"`
	Fixable     bool     `json:"fixable"`
	Consequence string   `json:"consequence"` // of the first thing that is said about the bad example
	Remedy      string   `json:"remedy"`      // likewise
	Examples    Examples `json:"examples"`
}

// Examples are the two that explain a rule; it may have more for the tests.
type Examples struct {
	Bad  Example `json:"bad"`
	Good Example `json:"good"`
}

// Read gives the entries of some rules, in their order. examples holds a
// folder ID with folders bad* and good* for each of them.
func Read(all []rules.Rule, examples fs.FS) ([]Entry, error) {
	entries := make([]Entry, 0, len(all))
	for _, r := range all {
		e, err := Of(r, examples)
		if err != nil {
			return nil, err
		}
		entries = append(entries, e)
	}
	return entries, nil
}

// Of gives the entry of one rule.
func Of(r rules.Rule, examples fs.FS) (Entry, error) {
	e := Entry{
		ID: r.ID, Subject: r.Subject, Severity: r.Severity.String(), Title: r.Title, Why: r.Why,
		Source: r.Source, Since: r.Since, Fixable: r.Fixable,
	}
	var err error
	if e.Examples.Bad, err = readExample(examples, r.ID, "bad"); err == nil {
		e.Examples.Good, err = readExample(examples, r.ID, "good")
	}
	if err != nil {
		return Entry{}, fmt.Errorf("rule %s: %w", r.ID, err)
	}
	for _, f := range e.Examples.Bad.Says {
		if e.Remedy == "" {
			e.Consequence, e.Remedy = f.Consequence, f.Remedy
		}
	}
	return e, nil
}

// Page gives the name of the reference's page about a subject.
func Page(subject string) string {
	return strings.ReplaceAll(strings.ToLower(subject), " ", "-") + ".md"
}
