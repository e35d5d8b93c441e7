package doctor

import (
	"context"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// The bounds of reading logs: all of them together, how many at once, and how
// much of each.
const (
	logTime  = 5 * time.Second
	logsOnce = 8
	logLines = 200
)

// readLogs reads the end of the logs that may tell why links are
// broken, and of the scheduler. A log
// that cannot be read (its driver may keep none) is no fault of the deployment.
func readLogs(ctx context.Context, t *kopano.Topology, says EngineSays, links []diagnosis.Link) checks.Logs {
	if says.Log == nil {
		return nil
	}
	var broken []*kopano.Edge
	for _, l := range links {
		if l.Result.Status == checks.Broken {
			broken = append(broken, l.Edge)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, logTime)
	defer cancel()
	out := checks.Logs{}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(logsOnce)
	for _, c := range checks.LogsWanted(t, says.Snapshot, broken) {
		g.Go(func() error {
			if lines, err := says.Log(ctx, c); err == nil {
				mu.Lock()
				defer mu.Unlock()
				out[c.ID] = lines
			}
			return nil
		})
	}
	_ = g.Wait() // the functions give no error
	return out
}

// logBy reads the end of a container's log.
func logBy(c *engine.Client) func(context.Context, engine.Container) ([]engine.LogLine, error) {
	return func(ctx context.Context, one engine.Container) ([]engine.LogLine, error) {
		return c.LogTail(ctx, one.ID, logLines, checks.LogsSince(one))
	}
}

// statusOf tells what became of a link; one that is not there was not checked.
func statusOf(links []diagnosis.Link) func(string) checks.Status {
	known := map[string]checks.Status{}
	for _, l := range links {
		known[l.Edge.ID] = l.Result.Status
	}
	return func(id string) checks.Status {
		if s, ok := known[id]; ok {
			return s
		}
		return checks.Unchecked
	}
}
