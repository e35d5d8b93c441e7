package checks

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// Runs stands before the ladder: is there anything to climb to?
const Runs Rung = "container"

// The reasons that a container gives.
const (
	ReasonNoneRuns    Reason = "none-runs"
	ReasonMostMissing Reason = "most-missing"
	ReasonNotCreated  Reason = "not-created"
	ReasonNotStarted  Reason = "not-started"
	ReasonExited      Reason = "exited"
	ReasonOOM         Reason = "out-of-memory"
	ReasonRestarting  Reason = "restarting"
	ReasonPaused      Reason = "paused"
	ReasonEnvironment Reason = "environment-changed"
	ReasonImage       Reason = "image-changed"
	ReasonNewerImage  Reason = "newer-image"
	ReasonNetworks    Reason = "networks-changed"
	ReasonMounts      Reason = "mounts-changed"
	ReasonOrphan      Reason = "orphan"
	ReasonDisk        Reason = "disk-full"
	ReasonOpenFiles   Reason = "open-files"
	ReasonEngineClock Reason = "clock"

	ReasonLog          Reason = "log-says"
	ReasonJobContainer Reason = "job-container"
	ReasonJobFailed    Reason = "job-failed"
)

// ContainerReasons lists what Containers may say.
func ContainerReasons() []ReasonDoc {
	return []ReasonDoc{
		{ReasonNoneRuns, Runs, "No container of the deployment runs. It is said once, in place of each service and link."},
		{ReasonMostMissing, Runs, "More than half of the services have no container. It is said once."},
		{ReasonNotCreated, Runs, "The files have a service of which no container exists, while others run."},
		{ReasonNotStarted, Runs, "The container was made and never started; the engine's reason is shown where it has one."},
		{ReasonExited, Runs, "The container has ended: the exit code, when, and the last line of its log. A service that runs once may end with 0."},
		{ReasonOOM, Runs, "The kernel killed the container for want of memory; the limit is shown where the files have one."},
		{ReasonRestarting, Runs, "The container ends again and again, and its restart policy starts it anew."},
		{ReasonPaused, Runs, "The container is frozen: connections to it are taken and never answered."},
		{ReasonUnhealthy, Runs, "The container's own health check fails; its last line is shown."},
		{ReasonEnvironment, Runs, "The container was started with other values than the files have now. Only the names are shown."},
		{ReasonImage, Runs, "The container runs another image than the files name."},
		{ReasonNewerImage, Runs, "The image of this name is another one by now, and the container still runs the old one."},
		{ReasonNetworks, Runs, "The container lacks a network, or a name on it, that the files give it."},
		{ReasonMounts, Runs, "The container lacks a mount that the files give it, or has something else there."},
		{ReasonDisk, Runs, "The disk behind a volume that holds data is full, or nearly: less than 100 MB free is an error, less than a twentieth (and 5 GB) a warning; inodes alike. Seen as root on the engine's machine."},
		{ReasonOpenFiles, Runs, "A process has nine tenths of the files and connections open that it may. Seen as root on the engine's machine."},
		{ReasonEngineClock, Runs, "The clock of the engine's machine, which all containers share, and this machine's differ by more than two minutes; a warning."},
		{ReasonLog, Runs, "The service runs and is not reached, and its log says why. Only where no check has looked at what the line is about."},
		{ReasonJobContainer, Runs, "A job of the scheduler runs in a container that has another name on the engine."},
		{ReasonJobFailed, Runs, "The last run of a job of the scheduler failed, by its log."},
		{ReasonOrphan, Runs, "A container of this project whose service is in no file that was read."},
	}
}

// ContainerPrefix is how the IDs of findings about containers begin.
const ContainerPrefix = "live-container-"

// few is how often a container may restart before that is worth a word, and
// fresh how long ago the last time was.
const (
	few   = 3
	fresh = 2 * time.Minute
)

// Containers compares what runs with what the files say. It is a pure
// function: the snapshot says all that is known about the engine. A project of
// which nothing was created gives no finding; the caller says so.
func Containers(t *kopano.Topology, s *engine.Snapshot) []finding.Finding {
	if s == nil || len(s.Containers) == 0 {
		return nil
	}
	c := &comparison{topology: t, snapshot: s}
	c.clock()
	if c.noneRuns() {
		c.orphans()
		return c.found
	}
	missing := c.mostMissing()
	for _, service := range t.Deployment.Services {
		if service.GetScale() > 0 && !missing[service] {
			c.service(service)
		}
	}
	c.orphans()
	return c.found
}

type comparison struct {
	topology *kopano.Topology
	snapshot *engine.Snapshot
	found    []finding.Finding
	diskTold map[uint64]bool // file systems that a finding is about
}

func (c *comparison) service(s *deployment.Service) {
	containers := c.snapshot.Of(s.Name)
	if len(containers) == 0 {
		c.notCreated(s)
		return
	}
	for _, one := range containers {
		a := about{c, s, one}
		if a.runs() {
			a.drift()
			a.disk()
			a.openFiles()
		}
	}
}

// about is one container of a service of the files.
type about struct {
	*comparison
	service   *deployment.Service
	container engine.Container
}

// runs reports on the container's state, and whether its processes are there.
func (a about) runs() bool {
	one := a.container
	switch one.State {
	case engine.Created:
		a.notStarted()
	case engine.Restarting:
		a.restarting(finding.Error)
	case engine.Exited, engine.Dead, engine.Removing:
		a.exited()
	case engine.Paused:
		a.add(ReasonPaused, finding.Error, "is paused",
			fmt.Sprintf("%s is paused since somebody ran `docker pause`: its processes are frozen.", one.Name),
			"docker compose unpause "+a.service.Name, a.service.At)
	default:
		if one.Restarts >= few && a.snapshot.At.Sub(one.Started) < fresh {
			a.restarting(finding.Warning)
		}
		if one.Health == engine.Unhealthy {
			a.unhealthy()
		}
		return true
	}
	return false
}

func (c *comparison) notCreated(s *deployment.Service) {
	severity := finding.Warning
	if c.needed(s) {
		severity = finding.Error
	}
	c.add(s, ReasonNotCreated, severity, finding.Finding{
		Title:     s.Name + " is in the files, and no container of it exists",
		Message:   fmt.Sprintf("Other services of %s have containers; %s has none: it was added to the files later, or its start failed.", c.snapshot.Project, s.Name),
		Remedy:    "docker compose up -d " + s.Name,
		Locations: []finding.Location{s.At.As(finding.Fix)},
	})
}

// needed reports whether a service that runs cannot do without s. What only
// clients outside would miss may have been left out on purpose.
func (c *comparison) needed(s *deployment.Service) bool {
	for _, e := range c.topology.Edges {
		if e.To != s || e.Link.Optional || e.From == nil {
			continue
		}
		if _, ok := c.snapshot.RunningOf(e.From.Name); ok {
			return true
		}
	}
	return false
}

func (a about) notStarted() {
	message := fmt.Sprintf("%s was created and never started.", a.container.Name)
	remedy := "docker compose up -d " + a.service.Name
	if a.container.Problem != "" {
		message = fmt.Sprintf("%s was created and could not be started. The engine says: %s", a.container.Name, a.hide(a.container.Problem))
		remedy = "Remove what the engine complains about, then: " + remedy
	}
	a.add(ReasonNotStarted, finding.Error, "was never started", message, remedy, a.service.At)
}

func (a about) exited() {
	one := a.container
	system := kopano.SystemOf(a.topology.Role(a.service))
	switch {
	case one.OOMKilled:
		a.outOfMemory()
		return
	case one.Exit == 0 && (system == nil || system.OneShot) && !restarts(one.Restart):
		return // it did its work
	}
	severity := finding.Error
	if system == nil && one.Exit == 0 {
		severity = finding.Warning
	}
	message := fmt.Sprintf("%s ended%s with exit code %d%s.%s", one.Name, at(one.Finished), one.Exit, meaning(one.Exit), a.lastWords())
	if one.Problem != "" {
		message += " The engine says: " + a.hide(one.Problem)
	}
	a.add(ReasonExited, severity, "does not run", message,
		fmt.Sprintf("Look into its log with `docker compose logs --tail 50 %s`; when the reason is gone: docker compose up -d %[1]s", a.service.Name), a.service.At)
}

func restarts(policy string) bool { return policy == "always" || policy == "unless-stopped" }

func (a about) outOfMemory() {
	s := a.service
	place, limit := s.At, "memory limit"
	switch {
	case s.MemLimit > 0:
		place, limit = s.Locate("mem_limit"), fmt.Sprintf("limit of %s (mem_limit)", size(int64(s.MemLimit)))
	case s.Deploy != nil && s.Deploy.Resources.Limits != nil && s.Deploy.Resources.Limits.MemoryBytes > 0:
		place = s.Locate("deploy", "resources", "limits", "memory")
		limit = fmt.Sprintf("limit of %s (deploy.resources.limits.memory)", size(int64(s.Deploy.Resources.Limits.MemoryBytes)))
	}
	a.add(ReasonOOM, finding.Error, "was killed for want of memory",
		fmt.Sprintf("The kernel killed %s%s: it used more memory than its %s allows, or the machine had none left.%s", a.container.Name, at(a.container.Finished), limit, a.lastWords()),
		fmt.Sprintf("Raise the limit, or make what runs in it smaller; then: docker compose up -d %s", s.Name), place)
}

func (a about) restarting(severity finding.Severity) {
	one := a.container
	message := fmt.Sprintf("%s was restarted %d times; the last time it ended%s with exit code %d%s.%s", one.Name, one.Restarts, at(one.Finished), one.Exit, meaning(one.Exit), a.lastWords())
	if one.State == engine.Running { // the engine has forgotten how it ended
		message = fmt.Sprintf("%s was restarted %d times, the last time%s.%s", one.Name, one.Restarts, at(one.Started), a.lastWords())
	}
	if one.OOMKilled {
		a.outOfMemory()
		return
	}
	a.add(ReasonRestarting, severity, "ends and is restarted again and again", message,
		fmt.Sprintf("Look into its log with `docker compose logs --tail 50 %s`; the lines before each restart say why.", a.service.Name), a.service.At)
}

func (a about) unhealthy() {
	message := fmt.Sprintf("The health check of %s fails.", a.container.Name)
	if a.container.HealthSays != "" {
		message += fmt.Sprintf(" Its last line: %q", a.hide(a.container.HealthSays))
	}
	place := a.service.At
	if a.service.HealthCheck != nil {
		place = a.service.Locate("healthcheck")
	}
	a.add(ReasonUnhealthy, finding.Warning, "is unhealthy", message,
		fmt.Sprintf("See what the check says: docker inspect --format '{{json .State.Health}}' %s", a.container.Name), place)
}

// lastWords gives the last line of the log as a sentence.
func (a about) lastWords() string {
	if a.container.LastWords == "" {
		return ""
	}
	return fmt.Sprintf(" The last line of its log: %q.", a.hide(a.container.LastWords))
}

// hide takes out the container's own secrets, which may be older than those of
// the files. Those of the files are taken out when the report is made.
func (a about) hide(text string) string {
	var secrets []string
	for key, value := range a.container.Environment {
		if secret.IsName(key) {
			secrets = append(secrets, value.Reveal())
		}
	}
	return secret.NewRedactor(secrets, nil).Redact(oneLine(text))
}

func (a about) add(why Reason, severity finding.Severity, title, message, remedy string, place finding.Location) {
	a.comparison.add(a.service, why, severity, finding.Finding{
		Title: a.service.Name + " " + title, Message: message, Remedy: remedy,
		Locations: []finding.Location{place.As(finding.Fix)}, Key: ordinal(a.container),
	})
}

// ordinal tells the containers of one service apart.
func ordinal(c engine.Container) string {
	if c.Number == "1" {
		return ""
	}
	return c.Number
}

// add completes a finding about a service. Links that it does not name are all
// that begin or end at the service.
func (c *comparison) add(s *deployment.Service, why Reason, severity finding.Severity, f finding.Finding) {
	f.ID, f.Kind, f.Severity, f.Subject = ContainerPrefix+string(why), finding.Live, severity, s.Name
	if f.Links == nil {
		f.Links = c.linksOf(s)
	}
	if f.Consequence == "" {
		f.Consequence = c.loses(s, f.Links)
	}
	c.found = append(c.found, f)
}

func (c *comparison) linksOf(s *deployment.Service) []string {
	var ids []string
	for _, e := range c.topology.Edges {
		if e.From == s || e.To == s {
			ids = append(ids, e.ID)
		}
	}
	return ids
}

// loses says what is lost with a service: first what others need it for.
func (c *comparison) loses(s *deployment.Service, links []string) string {
	const most = 3
	var served, own []string
	for _, e := range c.topology.Edges {
		if !slices.Contains(links, e.ID) || e.Link.Loses == "" {
			continue
		}
		if e.To == s {
			served = append(served, e.Link.Loses)
		} else {
			own = append(own, e.Link.Loses)
		}
	}
	if len(served) == 0 {
		served = own
	}
	seen := map[string]bool{}
	served = slices.DeleteFunc(served, func(l string) bool { defer func() { seen[l] = true }(); return seen[l] })
	if len(served) == 0 {
		return "Whoever uses " + s.Name + " does without it."
	}
	return strings.Join(served[:min(len(served), most)], " ")
}

// orphans reports containers of services that are in no file.
func (c *comparison) orphans() {
	known := map[string]bool{}
	for _, s := range c.topology.Deployment.Services {
		known[s.Name] = true
	}
	if c.topology.Deployment.Model != nil {
		for name := range c.topology.Deployment.Model.DisabledServices {
			known[name] = true
		}
	}
	for _, one := range c.snapshot.Containers {
		if one.OneOff || known[one.Service] || one.Service == "" {
			continue
		}
		severity, state := finding.Info, "is left over, and does not run"
		if one.State == engine.Running {
			severity, state = finding.Warning, "still runs"
		}
		f := finding.Finding{
			ID: ContainerPrefix + string(ReasonOrphan), Kind: finding.Live, Severity: severity, Subject: one.Service, Key: one.Number,
			Title:       fmt.Sprintf("%s %s, and no file has its service", one.Name, state),
			Message:     fmt.Sprintf("%s belongs to the project %s, and the files that were read have no service %s: it was taken out or renamed, or another file has it that was not loaded.", one.Name, c.snapshot.Project, one.Service),
			Consequence: "While it runs it answers to its old names, keeps its ports and writes to its volumes, beside what the files say. Nobody updates it.",
			Remedy:      "docker compose up -d --remove-orphans",
		}
		if files := c.topology.Deployment.Files; len(files) > 0 {
			f.Locations = []finding.Location{{File: files[0], Role: finding.Related}}
		}
		c.found = append(c.found, f)
	}
}

// at writes a time, or nothing when it is not known.
func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(" at 2006-01-02 15:04:05 UTC")
}

// meaning says what an exit code tells by itself (bash(1), "EXIT STATUS"; signal(7)).
func meaning(code int) string {
	switch code {
	case 126:
		return " (its command cannot be run)"
	case 127:
		return " (its command does not exist in the image)"
	case 130, 143:
		return " (it was asked to stop)"
	case 134:
		return " (it aborted itself)"
	case 137:
		return " (it was killed: it did not stop in time when asked to, or the machine was short of memory)"
	case 139:
		return " (it crashed)"
	}
	return ""
}

func size(bytes int64) string {
	const mega = 1 << 20
	if bytes < mega {
		return fmt.Sprintf("%d bytes", bytes)
	}
	return fmt.Sprintf("%d MB", bytes/mega)
}

// RaiseContainers makes errors of what containers have against them where a
// link that it explains is seen to be broken.
func RaiseContainers(found []finding.Finding, broken func(link string) bool) []finding.Finding {
	for i := range found {
		f := &found[i]
		if f.Severity == finding.Warning && raised(f.ID) && slices.ContainsFunc(f.Links, broken) {
			f.Severity = finding.Error
		}
	}
	return found
}

// raised: what explains a broken link. An unhealthy container is mostly the
// victim, not the cause.
func raised(id string) bool {
	switch Reason(strings.TrimPrefix(id, ContainerPrefix)) {
	case ReasonMostMissing, ReasonNotCreated, ReasonExited, ReasonRestarting, ReasonEnvironment, ReasonImage, ReasonNetworks, ReasonMounts:
		return true
	}
	return false
}

// realName gives the name that a network or volume of the files has on the
// engine, where the project may run under another name than the files give it.
func (c *comparison) realName(key, name string) string {
	d := c.topology.Deployment
	name = cmp.Or(name, d.Project+"_"+key)
	if name == d.Project+"_"+key {
		return c.snapshot.Project + "_" + key
	}
	return name
}

func (c *comparison) model() *types.Project {
	if m := c.topology.Deployment.Model; m != nil {
		return m
	}
	return &types.Project{}
}
