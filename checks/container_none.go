package checks

import (
	"fmt"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// NoneExist says that no container of the deployment was ever made, for a run
// in which links are broken and none works. Where some link works, the
// deployment runs on another engine, and the note about the engine is enough.
func NoneExist(t *kopano.Topology, s *engine.Snapshot) []finding.Finding {
	if s == nil || len(s.Containers) > 0 {
		return nil
	}
	c := &comparison{topology: t, snapshot: s}
	if len(c.expected()) == 0 {
		return nil
	}
	c.whole(ReasonNoneRuns, finding.Error, "Nothing of this deployment runs",
		fmt.Sprintf("The container engine has no container of the project %s.", s.Project),
		"docker compose up -d\nIf it runs under another name, pass -p NAME; if it runs on another machine, pass --engine.", c.allLinks())
	return c.found
}

// noneRuns reports a project whose containers all have stopped, as after
// `docker compose stop` or a start of the machine. It replaces what would be
// said of each of them, but for those that failed of themselves.
func (c *comparison) noneRuns() bool {
	expected := c.expected()
	if len(expected) < 2 {
		return false
	}
	var failed []about
	for _, s := range expected {
		for _, one := range c.snapshot.Of(s.Name) {
			switch one.State {
			case engine.Running, engine.Paused, engine.Restarting:
				return false
			}
			if failedItself(one) {
				failed = append(failed, about{c, s, one})
			}
		}
	}
	c.whole(ReasonNoneRuns, finding.Error, "Nothing of this deployment runs",
		fmt.Sprintf("The project %s has containers, and none of them runs.", c.snapshot.Project), "docker compose up -d", c.allLinks())
	for _, a := range failed {
		a.runs() // it may be why the others were not started, and would fail again
	}
	return true
}

// failedItself: the engine could not start it, or it ended without being asked
// to (by signals 2, 9 and 15, which `docker stop` and the end of the engine send).
func failedItself(c engine.Container) bool {
	if c.State == engine.Created {
		return c.Problem != ""
	}
	switch c.Exit {
	case 0, 130, 137, 143:
		return c.OOMKilled
	}
	return true
}

// mostMissing reports that more than half of the services were never created,
// in place of one finding for each, and gives those services.
func (c *comparison) mostMissing() map[*deployment.Service]bool {
	const several = 3
	expected := c.expected()
	missing := map[*deployment.Service]bool{}
	var called []string
	for _, s := range expected {
		if len(c.snapshot.Of(s.Name)) == 0 {
			missing[s] = true
			called = append(called, s.Name)
		}
	}
	if len(missing) < several || 2*len(missing) <= len(expected) {
		return nil
	}
	severity := finding.Warning
	var links []string
	for s := range missing {
		if c.needed(s) {
			severity = finding.Error
		}
	}
	for _, e := range c.topology.Edges {
		if missing[e.From] || missing[e.To] {
			links = append(links, e.ID)
		}
	}
	c.whole(ReasonMostMissing, severity, "Most of this deployment was never started",
		fmt.Sprintf("Of %d services of %s, %d have no container: %s.", len(expected), c.snapshot.Project, len(missing), names(called)),
		"docker compose up -d", links)
	return missing
}

// expected gives the services of which a container should run all the time.
func (c *comparison) expected() []*deployment.Service {
	var out []*deployment.Service
	for _, s := range c.topology.Deployment.Services {
		system := kopano.SystemOf(c.topology.Role(s))
		if s.GetScale() > 0 && (system == nil || !system.OneShot) {
			out = append(out, s)
		}
	}
	return out
}

// allLinks gives the links that have an end in the deployment.
func (c *comparison) allLinks() []string {
	var ids []string
	for _, e := range c.topology.Edges {
		if e.From != nil || e.To != nil {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// whole adds a finding about the deployment as a whole.
func (c *comparison) whole(why Reason, severity finding.Severity, title, message, remedy string, links []string) {
	f := finding.Finding{
		ID: ContainerPrefix + string(why), Kind: finding.Live, Severity: severity, Subject: c.topology.Deployment.Project,
		Title: title, Message: message, Remedy: remedy, Links: links,
		Consequence: "Nobody reaches mail, calendar or contacts, and mail from outside is not delivered.",
	}
	if why == ReasonMostMissing {
		f.Consequence = "What these services do is not there, and what needs them fails."
	}
	if files := c.topology.Deployment.Files; len(files) > 0 {
		f.Locations = []finding.Location{{File: files[0], Role: finding.Fix}}
	}
	c.found = append(c.found, f)
}
