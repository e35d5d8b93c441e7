package doctor

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/diagnosis"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// EngineSays is what is known of the container engine.
type EngineSays struct {
	Snapshot *engine.Snapshot // nil: there is none, or it could not be asked
	Note     string           // what could not be done, for a person; "" when all could
	Failed   bool             // it is there or was asked for, and could not be asked

	Help  func(ctx context.Context, service string, r vantage.Running) (io.ReadWriteCloser, error) // starts a helper; nil where none can be
	Log   func(ctx context.Context, c engine.Container) ([]engine.LogLine, error)                  // reads the end of a log; nil where none can be
	Close func() error                                                                             // ends the conversation; nil: there is none
}

// EngineOptions say which engine is asked, and what may be started on it.
type EngineOptions struct {
	Address string              // of --engine; "" is where docker would look
	Image   string              // for helpers
	Getenv  func(string) string // of this process
}

// AskEngine asks the engine that the options, the environment, Docker's
// settings or the well-known sockets name, about a deployment.
func AskEngine(o EngineOptions) func(context.Context, *deployment.Deployment) EngineSays {
	return func(ctx context.Context, d *deployment.Deployment) EngineSays {
		c, err := engine.Open(ctx, o.Address, o.Getenv)
		if err != nil {
			// Without any engine on this machine the files and what is published
			// are all there is; nobody asked for more.
			none := errors.Is(err, engine.ErrNone) && o.Address == "" && o.Getenv("DOCKER_HOST") == ""
			return EngineSays{Note: err.Error(), Failed: !none}
		}
		s, err := c.Look(ctx, wanted(d))
		if err != nil {
			_ = c.Close()
			return EngineSays{Note: err.Error(), Failed: true}
		}
		return EngineSays{Snapshot: s, Note: aboutProject(d, s), Help: helpBy(c, o.Image), Log: logBy(c), Close: c.Close}
	}
}

// EngineEvents calls happened whenever something happens to a container of a
// project, until ctx ends or the engine cannot be heard any more.
func EngineEvents(o EngineOptions) func(ctx context.Context, project string, happened func()) error {
	return func(ctx context.Context, project string, happened func()) error {
		c, err := engine.Open(ctx, o.Address, o.Getenv)
		if err != nil {
			return err
		}
		defer c.Close()
		return c.Events(ctx, project, happened)
	}
}

// helpBy starts helpers from an image that is on the engine. Nothing is pulled.
func helpBy(c *engine.Client, image string) func(context.Context, string, vantage.Running) (io.ReadWriteCloser, error) {
	run := time.Now().UTC().Format(time.RFC3339Nano)
	there := sync.OnceValue(func() bool {
		c.Sweep(context.Background(), time.Minute)
		return c.HasImage(context.Background(), image)
	})
	return func(ctx context.Context, _ string, r vantage.Running) (io.ReadWriteCloser, error) {
		if !there() {
			return nil, fmt.Errorf("a helper could look instead, but its image %s is not on the engine: `make image` makes it", image)
		}
		return c.Help(ctx, image, run, r.ID)
	}
}

func wanted(d *deployment.Deployment) engine.Wanted {
	w := engine.Wanted{Project: d.Project, Dir: d.Dir}
	for _, s := range d.Services {
		if s.Image != "" {
			w.Images = append(w.Images, s.Image)
		}
	}
	return w
}

// aboutProject says what is odd about the project as the engine has it.
func aboutProject(d *deployment.Deployment, s *engine.Snapshot) string {
	switch {
	case len(s.Containers) == 0:
		return fmt.Sprintf("no container of the project %s exists there; was it started with another name (-p), or on another machine?", d.Project)
	case s.Project != d.Project:
		return fmt.Sprintf("it runs as the project %s there; pass -p %[1]s, or set COMPOSE_PROJECT_NAME", s.Project)
	}
	return ""
}

// containerFindings compares what runs with the files. What explains a link
// that is seen to be broken becomes an error.
func containerFindings(t *kopano.Topology, s *engine.Snapshot, links []diagnosis.Link) []finding.Finding {
	broken, works := map[string]bool{}, false
	for _, l := range links {
		broken[l.Edge.ID] = l.Result.Status == checks.Broken
		works = works || l.Result.Status == checks.OK
	}
	if !works && slices.Contains(slices.Collect(maps.Values(broken)), true) {
		if found := checks.NoneExist(t, s); len(found) > 0 {
			return found
		}
	}
	return checks.RaiseContainers(checks.Containers(t, s), func(id string) bool { return broken[id] })
}

// engineFacts gives what the report says about the engine.
func engineFacts(says EngineSays, why string) report.Engine {
	out := report.Engine{Note: says.Note}
	if s := says.Snapshot; s != nil {
		out.Name, out.Project, out.Containers = s.Engine.String(), s.Project, len(s.Containers)
	}
	if why != "" {
		out.Note = strings.TrimPrefix(out.Note+"; "+why, "; ")
	}
	return out
}
