package engine_test

import (
	"context"
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

const onPodman = `
services:
  web: {image: STANDIN, command: ["say=ready", "tcp=80"], environment: {PASSWORD: s3cr3t-value}, networks: {front: {aliases: [www]}}, volumes: ["./conf:/conf:ro", "state:/state"], ports: ["127.0.0.1::7000/udp", "127.0.0.1::80"]}
  job: {image: STANDIN, command: ["say=first", "say=no such database", "exit=3"], networks: [front]}
networks: {front: {}}
volumes: {state: {}}
`

// Podman's compatible socket gives the same snapshot as Docker, logs and events
// included. It says less in places, and names images in full.
func TestPodman(t *testing.T) {
	host := enginetest.Podman(t)
	p := enginetest.StartOn(t, host, map[string]string{"compose.yaml": onPodman, "conf/x": "x"})
	c, err := engine.Open(t.Context(), host, func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s := lookUntil(t, c, p, func(s *engine.Snapshot) bool {
		job := s.Of("job")
		return len(job) == 1 && job[0].State == engine.Exited
	})
	if e := s.Engine; !e.Podman || e.Rootless || e.Remote || e.Version == "" || !strings.HasPrefix(e.String(), "Podman ") {
		t.Errorf("engine: %+v", e)
	}
	web, ok := s.RunningOf("web")
	if !ok || web.Name != p.Name+"-web-1" || web.PID == 0 || web.Started.IsZero() || !strings.HasSuffix(web.Image, p.Image) {
		t.Fatalf("web: %v, %+v", ok, web)
	}
	if s.Images[p.Image].ID != web.ImageID || web.ImageID == "" {
		t.Errorf("the image %q is %q, the container runs %q", p.Image, s.Images[p.Image].ID, web.ImageID)
	}
	if web.Environment["PASSWORD"].Reveal() != "s3cr3t-value" || web.ImageEnv["FROM_IMAGE"].Reveal() != "yes" || web.Health != engine.NoHealth {
		t.Error("environment or health are not as given")
	}
	front := web.Networks[p.Name+"_front"]
	if len(front.Addresses) != 1 || !contains(front.Aliases, "www") || !contains(front.Aliases, "web") {
		t.Errorf("network: %+v", web.Networks)
	}
	if ports := web.Ports; len(ports) != 2 || ports[0].Protocol != "tcp" || ports[0].Target != 80 || ports[0].Published == 0 || ports[1].Protocol != "udp" {
		t.Errorf("ports: %+v", ports)
	}
	mounts := map[string]engine.Mount{}
	for _, m := range web.Mounts {
		mounts[m.Destination] = m
	}
	if m := mounts["/conf"]; m.Type != "bind" || m.Source != filepath.Join(p.Dir, "conf") || !m.ReadOnly {
		t.Errorf("/conf: %+v", m)
	}
	if m := mounts["/state"]; m.Type != "volume" || m.Name != p.Name+"_state" || m.ReadOnly || m.Disk.Total == 0 {
		t.Errorf("/state: %+v", m)
	}
	if web.Files.Limit != 1024 {
		t.Errorf("open files: %+v", web.Files)
	}
	job := s.Of("job")[0]
	if job.Exit != 3 || job.LastWords != "no such database" || job.Finished.IsZero() {
		t.Errorf("job: %+v", job)
	}
	tail, err := c.LogTail(t.Context(), job.ID, 2, job.Started)
	if err != nil || len(tail) != 2 || tail[1].Text != "no such database" || job.Started.Sub(tail[1].At).Abs() > 2*time.Second {
		t.Errorf("log with times: %+v, %v", tail, err)
	}
	if tail, err := c.LogTail(t.Context(), job.ID, 2, job.Finished.Add(3*time.Second)); err != nil || len(tail) != 0 {
		t.Errorf("after its end it said %+v, %v", tail, err)
	}
	if data, err := json.Marshal(s); err != nil || strings.Contains(string(data), "s3cr3t-value") {
		t.Errorf("a value of the environment is in the JSON (%v)", err)
	}
	podmanEvents(t, c, p)
	podmanHelper(t, c, p, web)
	podmanStates(t, c, p)
}

func podmanEvents(t *testing.T, c *engine.Client, p *enginetest.Project) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	rang, ended := make(chan struct{}, 100), make(chan error, 1)
	go func() {
		ended <- c.Events(ctx, p.Name, func() {
			select {
			case rang <- struct{}{}:
			default:
			}
		})
	}()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	for {
		select {
		case <-rang:
			cancel()
			if err := <-ended; !errors.Is(err, context.Canceled) {
				t.Errorf("events end with %v", err)
			}
			return
		case <-tick.C: // nobody says when the engine has begun to listen
			p.Compose("restart", "-t", "0", "job")
		case err := <-ended:
			t.Fatalf("no event came: %v", err)
		}
	}
}

// podmanHelper: a helper in the network of a container, asked what it sees.
func podmanHelper(t *testing.T, c *engine.Client, p *enginetest.Project, web engine.Container) {
	t.Helper()
	image := p.Program("github.com/kopano-doctor/kopano-doctor/cmd/kopano-doctor")
	if !c.HasImage(t.Context(), image) || c.HasImage(t.Context(), "no-such/image:1") {
		t.Error("HasImage does not know what there is")
	}
	line, err := c.Help(t.Context(), image, "test", web.ID)
	if err != nil {
		t.Fatal(err)
	}
	helper, err := vantage.NewHelper(&deployment.Service{Name: "web"}, line)
	if err != nil {
		t.Fatal(err)
	}
	conn, err := helper.DialContext(t.Context(), "tcp", "127.0.0.1:80")
	if err != nil {
		t.Error(err)
	} else {
		_ = conn.Close()
	}
	if err := helper.Close(); err != nil {
		t.Error(err)
	}
}

// podmanStates: the words for states are Docker's. Nothing is paused here: where
// runc 1.1 uses the first kind of control groups, Podman 4.3 does not get a
// paused container to run again, nor away.
func podmanStates(t *testing.T, c *engine.Client, p *enginetest.Project) {
	t.Helper()
	p.Compose("kill", "web")
	lookUntil(t, c, p, func(s *engine.Snapshot) bool { return s.Of("web")[0].State == engine.Exited })
	p.Compose("up", "--no-start", "--force-recreate", "web")
	lookUntil(t, c, p, func(s *engine.Snapshot) bool { return s.Of("web")[0].State == engine.Created })
}
