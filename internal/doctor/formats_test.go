package doctor_test

import (
	"bytes"
	"context"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
	"github.com/kopano-doctor/kopano-doctor/rules"
)

// TestNoFormatDependsOnWorkers runs checks that end in a different order each
// time, and with another number of them at once.
func TestNoFormatDependsOnWorkers(t *testing.T) {
	late := func(_ context.Context, target checks.Target) checks.Result {
		time.Sleep(time.Duration(rand.IntN(3)) * time.Millisecond)
		id := target.Edge.ID
		r := checks.Result{Status: checks.OK, Rung: checks.Ask, Message: id, Duration: time.Millisecond, CertificateEnd: time.Unix(1e9, 0)}
		if len(id)%2 == 0 {
			r.Status, r.Reason = checks.Broken, checks.ReasonRefused
			r.Findings = []finding.Finding{{ID: "live-test-refused", Severity: finding.Error, Message: id, Locations: target.Edge.Locations()}}
		}
		return r
	}
	all := map[string]checks.Check{}
	for id := range checks.All() {
		all[id] = late
	}
	now := time.Unix(1e9, 0)
	var first map[report.Format]string
	for _, workers := range []int{1, 3, 64, 64} {
		out, err := doctor.Check(t.Context(), doctor.Options{
			Deployment: deployment.Options{Dir: "../../testdata/deployments/full"}, Rules: rules.All(), Checks: all, Workers: workers,
			Vantage: doctor.From(nil, vantage.OnlyHost), Now: func() time.Time { return now },
		})
		if err != nil {
			t.Fatal(err)
		}
		texts := map[report.Format]string{}
		for _, f := range report.Formats() {
			var b bytes.Buffer
			if err := report.Write(&b, out.Report, f, report.TextOptions{}); err != nil {
				t.Fatal(err)
			}
			texts[f] = b.String()
			if first != nil && texts[f] != first[f] {
				t.Errorf("%s with %d workers is not what it is with 1", f, workers)
			}
		}
		if first == nil {
			first = texts
			if out.Report.Summary.LinksBroken < 5 || out.Report.Summary.LinksOK < 5 {
				t.Errorf("too little to compare: %+v", out.Report.Summary)
			}
		}
	}
}
