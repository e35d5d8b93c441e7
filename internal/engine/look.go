package engine

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerd/errdefs"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/api/types/network"
	"github.com/moby/moby/client"
	"golang.org/x/sync/errgroup"

	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// The labels that Docker Compose gives its containers.
const (
	labelProject = "com.docker.compose.project"
	labelService = "com.docker.compose.service"
	labelNumber  = "com.docker.compose.container-number"
	labelOneOff  = "com.docker.compose.oneoff"
	labelVersion = "com.docker.compose.version"
	labelFolder  = "com.docker.compose.project.working_dir"
)

// maxContainers is more than any deployment has; atOnce is how many are asked
// for at a time.
const (
	maxContainers = 500
	atOnce        = 8
)

// Wanted says what to look for.
type Wanted struct {
	Project string   // the project's name
	Dir     string   // its folder: a project of another name that was started there is meant too
	Images  []string // names of images to look up
}

// Look takes a snapshot of a project. A project of which nothing was ever
// created gives a snapshot without containers.
func (c *Client) Look(ctx context.Context, w Wanted) (*Snapshot, error) {
	s := &Snapshot{At: time.Now(), Project: w.Project, Images: map[string]Image{}}
	var err error
	if s.Engine, err = c.info(ctx); err != nil {
		return nil, err
	}
	all, err := c.list(ctx)
	if err != nil {
		return nil, err
	}
	s.Project = projectOf(all, w)
	ids := containersOf(all, s.Project)
	if s.Containers, err = c.inspectAll(ctx, ids); err != nil {
		return nil, err
	}
	if err := c.images(ctx, s, w.Images); err != nil {
		return nil, err
	}
	c.lastWords(ctx, s)
	c.resources(ctx, s)
	slices.SortFunc(s.Containers, func(a, b Container) int {
		return strings.Compare(a.Service+"\x00"+a.Number+"\x00"+a.Name, b.Service+"\x00"+b.Number+"\x00"+b.Name)
	})
	return s, nil
}

func (c *Client) info(ctx context.Context) (Info, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	out := Info{Address: c.address.host, API: c.api.ClientVersion(), Remote: !c.address.local()}
	asked := time.Now()
	got, err := c.api.Info(ctx, client.InfoOptions{})
	if err != nil {
		return out, explain(c.address, err)
	}
	out.Ahead = ahead(moment(got.Info.SystemTime), asked, time.Now())
	out.Version, out.Name, out.System = clip(got.Info.ServerVersion, 60), clip(got.Info.Name, 100), clip(got.Info.OperatingSystem, 100)
	for _, o := range got.Info.SecurityOptions {
		out.Rootless = out.Rootless || strings.Contains(o, "rootless")
	}
	version, err := c.api.ServerVersion(ctx, client.ServerVersionOptions{})
	if err == nil {
		for _, part := range version.Components {
			out.Podman = out.Podman || strings.HasPrefix(part.Name, "Podman")
		}
		c.podman.Store(out.Podman)
	}
	return out, nil
}

// ahead gives how far a clock is ahead that was read at some time between two
// moments of ours: 0 when it may be the same as ours.
func ahead(theirs, before, after time.Time) time.Duration {
	switch {
	case theirs.IsZero():
		return 0
	case theirs.Before(before):
		return theirs.Sub(before)
	case theirs.After(after):
		return theirs.Sub(after)
	}
	return 0
}

// list gives every container that Compose made.
func (c *Client) list(ctx context.Context) ([]container.Summary, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	got, err := c.api.ContainerList(ctx, client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", labelProject)})
	if err != nil {
		return nil, explain(c.address, err)
	}
	return got.Items, nil
}

// projectOf gives the name under which the project runs: its own, or the one
// under which containers were started from its folder.
func projectOf(all []container.Summary, w Wanted) string {
	found := map[string]bool{}
	for _, s := range all {
		name := s.Labels[labelProject]
		if name == w.Project {
			return name
		}
		if w.Dir != "" && s.Labels[labelFolder] == w.Dir {
			found[name] = true
		}
	}
	if len(found) == 1 {
		return slices.Collect(maps.Keys(found))[0]
	}
	return w.Project
}

func containersOf(all []container.Summary, project string) []string {
	var ids []string
	for _, s := range all {
		if s.Labels[labelProject] == project && len(ids) < maxContainers {
			ids = append(ids, s.ID)
		}
	}
	return ids
}

func (c *Client) inspectAll(ctx context.Context, ids []string) ([]Container, error) {
	found := make([]*Container, len(ids))
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i, id := range ids {
		g.Go(func() error {
			one, err := c.inspect(ctx, id)
			if errdefs.IsNotFound(err) {
				return nil // it went away while we looked
			}
			found[i] = one
			return err
		})
	}
	if err := g.Wait(); err != nil {
		return nil, explain(c.address, err)
	}
	var out []Container
	for _, f := range found {
		if f != nil {
			out = append(out, *f)
		}
	}
	return out, nil
}

func (c *Client) inspect(ctx context.Context, id string) (*Container, error) {
	ctx, cancel := context.WithTimeout(ctx, callTime)
	defer cancel()
	got, err := c.api.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
	if err != nil {
		return nil, err
	}
	return translate(got.Container)
}

// translate keeps of a container what matters, and forgives what is missing.
func translate(in container.InspectResponse) (*Container, error) {
	if in.Config == nil || in.State == nil {
		return nil, errors.New("the engine describes a container without state or settings")
	}
	labels := in.Config.Labels
	out := &Container{
		ID: in.ID, Name: strings.TrimPrefix(in.Name, "/"), Service: labels[labelService], Number: labels[labelNumber],
		OneOff: strings.EqualFold(labels[labelOneOff], "true"), Compose: clip(labels[labelVersion], 20),
		Image: in.Config.Image, ImageID: in.Image,
		State: State(in.State.Status), Exit: in.State.ExitCode, OOMKilled: in.State.OOMKilled,
		Problem: clip(in.State.Error, 400), PID: in.State.Pid, Restarts: in.RestartCount,
		Started: moment(in.State.StartedAt), Finished: moment(in.State.FinishedAt),
		Environment: environment(in.Config.Env), Networks: map[string]Endpoint{},
	}
	if in.HostConfig != nil {
		out.Restart, out.NetworkMode = string(in.HostConfig.RestartPolicy.Name), string(in.HostConfig.NetworkMode)
	}
	if h := in.State.Health; h != nil && h.Status != container.NoHealthcheck {
		out.Health = Health(h.Status)
		if n := len(h.Log); n > 0 && h.Log[n-1] != nil {
			out.HealthSays = lastLine(h.Log[n-1].Output)
		}
	}
	if in.NetworkSettings != nil {
		for name, e := range in.NetworkSettings.Networks {
			if e == nil {
				continue
			}
			out.Networks[name] = Endpoint{Aliases: append(slices.Clone(e.Aliases), e.DNSNames...), Addresses: valid(e.IPAddress, e.GlobalIPv6Address)}
		}
	}
	if in.NetworkSettings != nil {
		out.Ports = ports(in.NetworkSettings.Ports)
	}
	for _, m := range in.Mounts {
		out.Mounts = append(out.Mounts, Mount{Type: string(m.Type), Name: m.Name, Source: m.Source, Destination: m.Destination, ReadOnly: !m.RW})
	}
	return out, nil
}

// maxPorts is how many ports are kept of one container: a bridge may have a
// whole range of thousands.
const maxPorts = 1 << 17

// ports gives each port once, also where IPv4 and IPv6 lead to it, sorted.
func ports(in network.PortMap) []Port {
	var out []Port
	for port, bindings := range in {
		for _, b := range bindings {
			if n, err := strconv.Atoi(b.HostPort); err == nil && len(out) < maxPorts {
				out = append(out, Port{string(port.Proto()), int(port.Num()), n})
			}
		}
	}
	slices.SortFunc(out, func(a, b Port) int {
		return cmp.Or(cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Target, b.Target), cmp.Compare(a.Published, b.Published))
	})
	return slices.Compact(out)
}

func valid(in ...netip.Addr) []netip.Addr {
	var out []netip.Addr
	for _, a := range in {
		if a.IsValid() {
			out = append(out, a)
		}
	}
	return out
}

// moment reads a time of the engine; what never happened is the zero time.
func moment(s string) time.Time {
	t, err := time.Parse(time.RFC3339Nano, s)
	if err != nil || t.Year() < 1970 {
		return time.Time{}
	}
	return t
}

// environment reads KEY=VALUE pairs. Every value counts as secret: whatever an
// image or a person put there, it is nobody's business to print it.
func environment(pairs []string) map[string]secret.Text {
	out := map[string]secret.Text{}
	for _, p := range pairs {
		key, value, _ := strings.Cut(p, "=")
		out[key] = secret.New(value, true)
	}
	return out
}

// images looks up the images of the files, and what the images of the
// containers set in the environment.
func (c *Client) images(ctx context.Context, s *Snapshot, names []string) error {
	env := map[string]map[string]secret.Text{}
	var mu sync.Mutex
	var g errgroup.Group
	g.SetLimit(atOnce)
	look := func(name string, keep func(client.ImageInspectResult)) {
		g.Go(func() error {
			ctx, cancel := context.WithTimeout(ctx, callTime)
			defer cancel()
			got, err := c.api.ImageInspect(ctx, name)
			if err != nil && !errdefs.IsNotFound(err) && ctx.Err() != nil {
				return explain(c.address, err)
			}
			mu.Lock()
			defer mu.Unlock()
			if err == nil {
				keep(got)
			}
			return nil // a name that the engine cannot read is as good as not there
		})
	}
	names = slices.Compact(slices.Sorted(slices.Values(names)))
	for _, name := range names {
		s.Images[name] = Image{}
	}
	for _, name := range names {
		look(name, func(got client.ImageInspectResult) { s.Images[name] = Image{ID: got.ID} })
	}
	for _, id := range imageIDs(s.Containers) {
		look(id, func(got client.ImageInspectResult) {
			if got.Config != nil {
				env[id] = environment(got.Config.Env)
			}
		})
	}
	if err := g.Wait(); err != nil {
		return err
	}
	for i := range s.Containers {
		s.Containers[i].ImageEnv = env[s.Containers[i].ImageID]
	}
	return nil
}

func imageIDs(containers []Container) []string {
	ids := map[string]bool{}
	for _, c := range containers {
		if c.ImageID != "" {
			ids[c.ImageID] = true
		}
	}
	return slices.Sorted(maps.Keys(ids))
}

// lastWords notes what containers said last before they stopped. A log that
// cannot be read (its driver may keep none) is no fault of the deployment.
func (c *Client) lastWords(ctx context.Context, s *Snapshot) {
	var g errgroup.Group
	g.SetLimit(atOnce)
	for i := range s.Containers {
		one := &s.Containers[i]
		if one.OneOff || one.State != Exited && one.State != Restarting && one.State != Dead {
			continue
		}
		g.Go(func() error {
			lines, err := c.Logs(ctx, one.ID, 20, time.Time{})
			if err == nil {
				one.LastWords = lastLine(strings.Join(lines, "\n"))
			}
			return nil
		})
	}
	_ = g.Wait() // the functions give no error
}

// lastLine gives the last line that says something.
func lastLine(s string) string {
	lines := strings.Split(clip(s, 8000), "\n")
	for _, l := range slices.Backward(lines) {
		if l = strings.TrimSpace(l); l != "" {
			return clip(l, 300)
		}
	}
	return ""
}

// String names the engine as people know it.
func (i Info) String() string {
	name := "Docker"
	if i.Podman {
		name = "Podman"
	}
	return fmt.Sprintf("%s %s at %s", name, i.Version, i.Address)
}
