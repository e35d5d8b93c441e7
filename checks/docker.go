package checks

import (
	"context"
	"fmt"
	"net/http"
	"strings"
)

// ReasonNotDocker says that something else answers on the scheduler's socket.
const ReasonNotDocker Reason = "not-docker"

// DockerReasons lists what the check of the scheduler's socket tells apart.
func DockerReasons() []ReasonDoc {
	return append(append([]ReasonDoc{
		{ReasonNoRoute, Resolve, "Not checked: the socket can be reached only from inside the container."},
		{ReasonSilent, Ask, "The engine takes connections and does not answer."},
		{ReasonClosed, Ask, "The engine hangs up without an answer."},
		{ReasonDeadline, Dial, "Not checked: the time for the whole run was over."},
	}, socketReasons()...),
		ReasonDoc{ReasonWrongServer, Greet, "What answers on the socket does not speak HTTP."},
		ReasonDoc{ReasonNotDocker, Ask, "What answers on the socket is no container engine."},
	)
}

// CheckDocker looks whether the scheduler reaches the container engine, which
// its jobs are run by (kopano-docker scheduler/start.sh).
func CheckDocker(ctx context.Context, t Target) Result {
	c := newClimb(t, "docker")
	socket := t.Edge.Addr.Path
	w := &web{target: t, socket: socket}
	a, f := w.get(ctx, "http://docker/_ping")
	switch {
	case f != nil && (f.Reason == ReasonNoSocket || f.Reason == ReasonStaleSocket):
		return c.fail(c.broke(f, "The scheduler has no way to Docker", c.mounts(), "Mount /var/run/docker.sock of the host at /var/run/docker.sock in "+c.from()+", and recreate it."))
	case f != nil && f.status() == Unchecked:
		return c.fail(f)
	case f != nil:
		return c.fail(c.broke(f, "Docker does not answer the scheduler", c.mounts(), "Look whether the container engine of the host runs: systemctl status docker."))
	case a.Status != http.StatusOK || strings.TrimSpace(string(a.Body)) != "OK":
		f := &failure{Ask, ReasonNotDocker, fmt.Sprintf("%s answers a ping with %s", socket, a.saw()), nil}
		return c.fail(c.broke(f, "What answers on Docker's socket is not Docker", c.mounts(), "Mount the socket of the host's engine at "+socket+" in "+c.from()+"."))
	}
	c.address = socket
	return c.ok(Ask, "%s reaches the container engine", c.from())
}
