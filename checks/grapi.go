package checks

import (
	"context"
	"fmt"
	"net/http"
	"path"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// Reasons of the check of kopano_grapi.
const (
	ReasonNoWorker  Reason = "no-worker"   // not one of its sockets is there
	ReasonUnhealthy Reason = "unhealthy"   // a worker answers, and says that it is not well
	ReasonFewer     Reason = "some-silent" // a warning: part of the workers do not answer
)

// GrapiReasons lists what the check of kopano_grapi tells apart.
func GrapiReasons() []ReasonDoc {
	return append(append([]ReasonDoc{
		{ReasonNoRoute, Resolve, "Not checked: the sockets can be reached only from inside the containers."},
		{ReasonNoWorker, Resolve, "There is no socket of kopano_grapi where kopano_kapi looks: grapi has not started, or the two do not share the folder."},
		{ReasonSilent, Ask, "A worker takes connections and does not answer."},
		{ReasonClosed, Ask, "A worker hangs up without an answer."},
		{ReasonWrongServer, Ask, "What answers on the socket does not speak HTTP."},
		{ReasonDeadline, Dial, "Not checked: the time for the whole run was over."},
	}, socketReasons()...),
		ReasonDoc{ReasonUnhealthy, Ask, "A worker answers its health check with an error."},
		ReasonDoc{ReasonFewer, Ask, "Some workers answer and some do not; a warning."},
	)
}

// maxWorkers bounds how many sockets are asked. grapi starts eight workers
// unless it is told otherwise (kopano-docker core/start-service.sh).
const maxWorkers = 64

// CheckGrapi asks each worker of kopano_grapi for its health, over the sockets
// that kopano_kapi uses (grapi api/v1/api.py, kapi plugins/grapi/proxy.go). kapi's
// own health says nothing about them.
func CheckGrapi(ctx context.Context, t Target) Result {
	c := newClimb(t, "grapi")
	folder := t.Edge.Addr.Path
	var well int
	var broken *failure
	for i := range maxWorkers {
		socket := path.Join(folder, fmt.Sprintf("rest%d.sock", i))
		f := c.worker(ctx, socket)
		if f != nil && f.Reason == ReasonNoSocket {
			if i > 0 {
				break
			}
			continue // the first worker may be number 1
		}
		if f != nil && f.status() == Unchecked {
			return c.fail(f)
		}
		if f == nil {
			well++
		} else if broken == nil {
			broken = f
		}
		if f != nil && f.Reason == ReasonSilent {
			break // the others' time would add up
		}
	}
	switch {
	case well == 0 && broken == nil:
		f := &failure{Resolve, ReasonNoWorker, "there is no socket rest0.sock in " + folder, nil}
		return c.fail(c.broke(f, "There is no socket of "+c.to("kopano_grapi"), c.mounts(),
			fmt.Sprintf("Look whether %s runs (docker compose ps %s). If it does, both must mount the same volume at %s, and %s must be the folder that it uses.",
				c.to("kopano_grapi"), c.to("kopano_grapi"), path.Dir(folder), c.settingName())))
	case well == 0:
		return c.fail(c.broke(broken, "No worker of "+c.to("kopano_grapi")+" answers", c.mounts(),
			fmt.Sprintf("Restart it, and look what it says: docker compose logs %s.", c.to("kopano_grapi"))))
	case broken != nil:
		f := c.finding(ReasonFewer, c.mounts(), "A worker of "+c.to("kopano_grapi")+" does not answer", broken.Message,
			fmt.Sprintf("Restart it: docker compose restart %s.", c.to("kopano_grapi")))
		f.Consequence = "Every so often Meet and the calendar app wait, or show an error."
		c.warn(finding.Warning, f)
	}
	return c.ok(Ask, "%d workers of %s are healthy", well, c.to("kopano_grapi"))
}

// worker asks one worker.
func (c *climb) worker(ctx context.Context, socket string) *failure {
	w := &web{target: c.target, socket: socket}
	a, f := w.get(ctx, "http://localhost/health-check")
	switch {
	case f != nil:
		return f
	case a.Status != http.StatusOK:
		return &failure{Ask, ReasonUnhealthy, fmt.Sprintf("%s answers its health check with %s", socket, a.saw()), nil}
	}
	c.address = strings.TrimSuffix(socket, path.Base(socket))
	return nil
}
