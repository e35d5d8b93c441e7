// Command precision runs all rules over every deployment at hand and prints
// what each of them finds, the noisiest first. `make precision` runs it.
//
// It looks at the real deployments in the folder KOPANO_DOCTOR_CORPUS, when
// that is set, and at those of the repository. All of them are somebody's, or
// harmless; a rule that finds something in many is a false alarm, or they
// share a weakness.
package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/kopano-doctor/kopano-doctor/internal/corpus"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

func main() {
	if err := run(os.Stdout, "testdata", os.Getenv("KOPANO_DOCTOR_CORPUS")); err != nil {
		fmt.Fprintln(os.Stderr, "precision:", err)
		os.Exit(1)
	}
}

// run writes the tables for the deployments of a testdata folder and a corpus,
// "" for none.
func run(w io.Writer, testdata, real string) error {
	var all []subject
	if real == "" {
		fmt.Fprintln(w, "KOPANO_DOCTOR_CORPUS is not set: no real deployments are looked at.")
	} else {
		found, err := corpus.Find(real)
		if err != nil {
			return err
		}
		all = append(all, subjects(found, "", realOnes)...)
	}
	for _, s := range []struct {
		pattern string
		kind    kind
	}{{"deployments/*", bundled}, {"partial/*", bundled}, {"rules/*/good*", good}} {
		found, err := findEach(testdata, s.pattern)
		if err != nil {
			return err
		}
		all = append(all, subjects(found, filepath.Base(testdata)+"/", s.kind)...)
	}
	results := judge(all)
	writeRules(w, results)
	writeDeployments(w, results)
	return nil
}

// findEach finds the deployments in the folders of a pattern.
func findEach(root, pattern string) ([]corpus.Deployment, error) {
	dirs, err := filepath.Glob(filepath.Join(root, pattern))
	if err != nil {
		return nil, err
	}
	var out []corpus.Deployment
	for _, dir := range dirs {
		found, err := corpus.Find(dir)
		if err != nil {
			return nil, err
		}
		for _, d := range found {
			if d.Part { // the other files of a folder are parts of its deployment
				continue
			}
			if d.Name, err = filepath.Rel(root, d.Dir); err != nil {
				return nil, err
			}
			out = append(out, d)
		}
	}
	return out, nil
}

// kind says where a deployment comes from.
type kind int

const (
	realOnes kind = iota // what people run
	parts                // overlays and parts among them, each by itself
	bundled              // deployments of this repository
	good                 // good examples of the rules
	kinds                // how many there are
)

type subject struct {
	corpus.Deployment
	kind kind
}

func subjects(found []corpus.Deployment, prefix string, k kind) []subject {
	var out []subject
	for _, d := range found {
		s := subject{d, k}
		s.Name = prefix + s.Name
		if k == realOnes && d.Part {
			s.kind = parts
		}
		out = append(out, s)
	}
	return out
}

// result is what was found in one deployment.
type result struct {
	subject
	findings []finding.Finding
}

// judge runs all rules. What Compose cannot read at all is left out.
func judge(all []subject) []result {
	var out []result
	for _, s := range all {
		d, err := deployment.Load(context.Background(), s.Options)
		if err != nil {
			continue
		}
		fs := rules.Run(rules.All(), &rules.Input{Deployment: d, Topology: kopano.Recognise(d)})
		out = append(out, result{s, fs})
	}
	return out
}
