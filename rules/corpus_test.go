package rules_test

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	find "github.com/kopano-doctor/kopano-doctor/internal/corpus"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// corpus gives the folder with real deployments, which is not part of the repository.
func corpus(t *testing.T) string {
	t.Helper()
	dir := os.Getenv("KOPANO_DOCTOR_CORPUS")
	if dir == "" {
		t.Skip("KOPANO_DOCTOR_CORPUS does not name a folder with real deployments")
	}
	return dir
}

// TestCorpus runs every rule over every real deployment. The upstream
// deployment as its set-up script leaves it works, so it must not give an error.
func TestCorpus(t *testing.T) {
	root := corpus(t)
	found, err := find.Find(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range found {
		name := o.Name
		t.Run(name, func(t *testing.T) {
			d, err := deployment.Load(context.Background(), o.Options)
			if err != nil {
				t.Skipf("KOPANO_DOCTOR_CORPUS has no deployment here: %v", err)
			}
			in := &rules.Input{Deployment: d, Topology: kopano.Recognise(d)}
			fs := finding.Seal(rules.Run(rules.All(), in))
			for _, f := range fs {
				checkFinding(t, d, f)
				if name == "kopano-docker" && f.Severity == finding.Error {
					t.Errorf("error in the deployment that works: %s: %s", f.ID, f.Message)
				}
			}
			if testing.Verbose() {
				fmt.Print(overview(name, fs))
			}
		})
	}
}

// overview lists findings by rule, one line each, for a person to look through.
func overview(name string, fs []finding.Finding) string {
	var lines []string
	for _, f := range fs {
		lines = append(lines, fmt.Sprintf("%s | %s | %s | %s | %s | %s", f.ID, f.Severity, name, f.First(), f.Subject, f.Message))
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n") + "\n"
}
