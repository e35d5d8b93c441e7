package engine

import (
	"context"
	"strings"

	"github.com/moby/moby/client"
)

// telling are the events after which a deployment may be another one. Those of
// health checks (exec_create …) come all the time and say nothing.
var telling = []string{"create", "start", "restart", "die", "stop", "oom", "pause", "unpause", "destroy", "rename", "update", "health_status"}

// Events calls happened after each event of a project's containers, until ctx
// ends or the engine hangs up: the error says which.
func (c *Client) Events(ctx context.Context, project string, happened func()) error {
	filters := make(client.Filters).Add("type", "container").Add("label", labelProject+"="+project)
	for _, e := range telling {
		filters.Add("event", e)
	}
	stream := c.api.Events(ctx, client.EventsListOptions{Filters: filters})
	for {
		select {
		case e := <-stream.Messages:
			if matters(string(e.Action)) {
				happened()
			}
		case err := <-stream.Err:
			if ctx.Err() != nil {
				return ctx.Err()
			}
			if err == nil {
				return errLongReply
			}
			return explain(c.address, err)
		}
	}
}

// matters: the engine may be one that does not filter, and adds to some actions
// what came of them ("health_status: healthy").
func matters(action string) bool {
	name, _, _ := strings.Cut(action, ":")
	for _, e := range telling {
		if name == e {
			return true
		}
	}
	return false
}
