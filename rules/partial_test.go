package rules_test

import (
	"path/filepath"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// TestPartial wants no error in parts of a deployment, and in deployments that
// are put together otherwise than upstream's: what is not there may well be
// somewhere else.
func TestPartial(t *testing.T) {
	dirs := folders(t, "../testdata/partial")
	if len(dirs) < 7 {
		t.Fatalf("%d deployments, want at least 7", len(dirs))
	}
	for _, dir := range dirs {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			in := load(t, deployment.Options{Dir: dir})
			if !in.Deployment.Accepted {
				t.Errorf("Compose refuses it: %v", in.Deployment.Problems)
			}
			for _, f := range rules.Run(rules.All(), in) {
				if f.Severity == finding.Error {
					t.Errorf("%s: %s", f.ID, render([]finding.Finding{f}))
				}
			}
		})
	}
}
