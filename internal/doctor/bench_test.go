package doctor_test

import (
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

const full = "../../testdata/deployments/full"

// BenchmarkLoad reads the bundled deployment: what every run starts with.
func BenchmarkLoad(b *testing.B) {
	for b.Loop() {
		if _, err := deployment.Load(b.Context(), deployment.Options{Dir: full}); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkRules finds roles and links in the bundled deployment and applies every rule.
func BenchmarkRules(b *testing.B) {
	d, err := deployment.Load(b.Context(), deployment.Options{Dir: full})
	if err != nil {
		b.Fatal(err)
	}
	all := rules.All()
	for b.Loop() {
		rules.Run(all, &rules.Input{Deployment: d, Topology: kopano.Recognise(d)})
	}
}

// BenchmarkCheckOffline is a whole `check --offline` without the program's start.
func BenchmarkCheckOffline(b *testing.B) {
	all := rules.All()
	for b.Loop() {
		if _, err := doctor.Check(b.Context(), doctor.Options{Deployment: deployment.Options{Dir: full}, Offline: true, Rules: all}); err != nil {
			b.Fatal(err)
		}
	}
}
