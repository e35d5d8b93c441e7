package checks_test

import (
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/lab/labtest"
)

func TestClockOfTheContainers(t *testing.T) {
	topology, err := bundled()
	labtest.Check(t, err)
	for _, c := range []struct {
		ahead time.Duration
		says  string // "" when nothing is said
	}{
		{0, ""}, {2 * time.Minute, ""}, {-2 * time.Minute, ""},
		{3 * time.Minute, "The clock of mail1, where the containers run, is 3m0s ahead of this machine's."},
		{-time.Hour, "is 1h0m0s behind this machine's."},
	} {
		s := &engine.Snapshot{At: time.Now(), Engine: engine.Info{Name: "mail1", Ahead: c.ahead},
			Containers: []engine.Container{{Service: "kopano_server", Name: "kopano_server-1", Number: "1", State: engine.Running}}}
		var told []finding.Finding
		for _, f := range checks.Containers(topology, s) {
			if f.ID == "live-container-clock" {
				told = append(told, f)
			}
		}
		switch {
		case (len(told) == 1) != (c.says != ""):
			t.Errorf("%s ahead: %+v", c.ahead, told)
		case c.says != "" && (!strings.Contains(told[0].Message, c.says) || told[0].Severity != finding.Warning || len(told[0].Links) != 0 || !strings.Contains(told[0].Remedy, "on mail1 and here")):
			t.Errorf("%s ahead: %+v", c.ahead, told[0])
		}
	}
}
