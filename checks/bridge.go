package checks

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// ReasonNotPublished: the engine does not lead the ports of the files to the container.
const ReasonNotPublished Reason = "not-published"

// BridgeReasons lists what the check of the bridge's ports tells apart.
func BridgeReasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonNoRoute, Resolve, "Not checked: no container engine was asked, or the bridge does not run."},
		{ReasonNotPublished, Dial, "The running bridge was made without UDP ports that the files publish."},
	}
}

// CheckBridgePorts looks whether the engine leads the UDP ports of the files to
// the running bridge. More cannot be seen from here: the bridge opens a port
// only when somebody joins a meeting, and nothing answers before, so that a
// firewall and an idle port look the same.
func CheckBridgePorts(_ context.Context, t Target) Result {
	c := newClimb(t, "bridge")
	to := t.Edge.To
	c.address = to.Name
	running, ok := engine.Container{}, false
	if t.Engine != nil {
		running, ok = t.Engine.RunningOf(to.Name)
	}
	if !ok {
		return c.fail(&failure{Resolve, ReasonNoRoute, "UDP ports of an idle bridge answer nobody; a container engine that runs " + to.Name + " could say more", nil})
	}
	if running.NetworkMode == "host" {
		return c.ok(Dial, "%s uses the ports of its machine; whether firewalls let them through cannot be seen from here", to.Name)
	}
	led := map[string]bool{}
	for _, p := range running.Ports {
		led[udpPort(p.Protocol, p.Target, p.Published)] = true
	}
	wanted, missing := 0, ""
	for _, p := range to.Ports {
		published, err := strconv.Atoi(p.Published)
		if !strings.EqualFold(p.Protocol, "udp") || err != nil {
			continue
		}
		if wanted++; missing == "" && !led[udpPort("udp", int(p.Target), published)] {
			missing = p.Published
		}
	}
	if missing != "" {
		f := &failure{Dial, ReasonNotPublished, fmt.Sprintf("the engine does not lead UDP port %s to the running %s, as the files say", missing, to.Name), nil}
		return c.fail(c.broke(f, to.Name+" runs without UDP ports that it should have", []finding.Location{to.Locate("ports").As(finding.Fix)},
			fmt.Sprintf("Recreate the container: docker compose up -d %s.", to.Name)))
	}
	return c.ok(Dial, "the engine leads %d UDP ports to %s; whether firewalls let them through cannot be seen from here", wanted, to.Name)
}

func udpPort(protocol string, target, published int) string {
	return fmt.Sprint(strings.ToLower(protocol), target, ":", published)
}
