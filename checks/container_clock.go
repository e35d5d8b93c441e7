package checks

import (
	"fmt"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// maxClocks is how far the clocks of the engine's machine and of this one may
// be apart. Tokens and certificates bear less; but this machine may be the one
// whose clock is wrong, and then the deployment is well.
const maxClocks = 2 * time.Minute

// clock compares the clock that all containers share with this machine's. It
// differs on another machine, and in a virtual one that was asleep.
func (c *comparison) clock() {
	ahead := c.snapshot.Engine.Ahead
	if ahead.Abs() <= maxClocks {
		return
	}
	how := "ahead of"
	if ahead < 0 {
		how = "behind"
	}
	where := c.snapshot.Engine.Address
	if name := c.snapshot.Engine.Name; name != "" {
		where = oneLine(name)
	}
	f := finding.Finding{
		ID: ContainerPrefix + string(ReasonEngineClock), Kind: finding.Live, Severity: finding.Warning, Subject: c.topology.Deployment.Project,
		Title:       "The clock of the containers and this machine's differ",
		Message:     fmt.Sprintf("The clock of %s, where the containers run, is %s %s this machine's.", where, ahead.Abs().Round(time.Second), how),
		Consequence: "If the containers' clock is wrong, people cannot sign in, since tokens and certificates count as expired or not yet valid, and mails and appointments get wrong times. If this machine's is wrong, do not trust what this report says of certificates and times.",
		Remedy:      fmt.Sprintf("Run `date -u` on %s and here, set the clock that is wrong, and let chrony or systemd-timesyncd keep it right. A virtual machine of Docker or Podman that was asleep: restart it.", where),
	}
	if files := c.topology.Deployment.Files; len(files) > 0 {
		f.Locations = []finding.Location{{File: files[0], Role: finding.Related}}
	}
	c.found = append(c.found, f)
}
