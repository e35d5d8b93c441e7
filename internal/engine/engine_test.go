package engine_test

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

func TestLookAtARealProject(t *testing.T) {
	p := enginetest.Start(t, map[string]string{"compose.yaml": `
services:
  web: {image: STANDIN, command: ["say=ready", "tcp=80"], environment: {PASSWORD: s3cr3t-value}, networks: {front: {aliases: [www]}}, volumes: ["./conf:/conf:ro", "state:/state"], ports: ["127.0.0.1::7000/udp", "127.0.0.1::80"]}
  job: {image: STANDIN, command: ["say=first", "say=no such database", "exit=3"], networks: [front]}
networks: {front: {}}
volumes: {state: {}}
`, "conf/x": "x"})
	c := open(t)
	s := lookUntil(t, c, p, func(s *engine.Snapshot) bool {
		job := s.Of("job")
		return len(job) == 1 && job[0].State == engine.Exited
	})
	web, ok := s.RunningOf("web")
	if !ok || web.Name != p.Name+"-web-1" || web.PID == 0 || web.Started.IsZero() || web.Image != p.Image {
		t.Fatalf("web: %v, %+v", ok, web)
	}
	if s.Images[p.Image].ID != web.ImageID || web.ImageID == "" {
		t.Errorf("the image %q is %q, the container runs %q", p.Image, s.Images[p.Image].ID, web.ImageID)
	}
	if id, ok := s.Images["no-such/image:1"]; !ok || id.ID != "" {
		t.Errorf("an image that is not there: %v, %v", id, ok)
	}
	if web.Environment["PASSWORD"].Reveal() != "s3cr3t-value" || web.ImageEnv["FROM_IMAGE"].Reveal() != "yes" {
		t.Error("the environment is not as given")
	}
	front := web.Networks[p.Name+"_front"]
	if len(front.Addresses) != 1 || !contains(front.Aliases, "www") || !contains(front.Aliases, "web") {
		t.Errorf("network: %+v", web.Networks)
	}
	if ports := web.Ports; len(ports) != 2 || ports[0].Protocol != "tcp" || ports[0].Target != 80 || ports[0].Published == 0 || ports[1].Protocol != "udp" || ports[1].Target != 7000 {
		t.Errorf("ports: %+v", ports)
	}
	mounts := map[string]engine.Mount{}
	for _, m := range web.Mounts {
		mounts[m.Destination] = m
	}
	if m := mounts["/conf"]; m.Type != "bind" || m.Source != filepath.Join(p.Dir, "conf") || !m.ReadOnly {
		t.Errorf("/conf: %+v", m)
	}
	if m := mounts["/state"]; m.Type != "volume" || m.Name != p.Name+"_state" || m.ReadOnly {
		t.Errorf("/state: %+v", m)
	}
	job := s.Of("job")[0]
	if job.Exit != 3 || job.LastWords != "no such database" || job.Finished.IsZero() {
		t.Errorf("job: %+v", job)
	}
	lines, err := c.Logs(t.Context(), job.ID, 2, time.Time{})
	if err != nil || strings.Join(lines, "|") != "first|no such database" {
		t.Errorf("log: %q, %v", lines, err)
	}
	tail, err := c.LogTail(t.Context(), job.ID, 2, job.Started)
	if err != nil || len(tail) != 2 || tail[1].Text != "no such database" || tail[1].At.Before(job.Started.Add(-time.Second)) || tail[1].At.After(job.Finished) {
		t.Errorf("log with times: %+v, %v", tail, err)
	}
	if tail, err := c.LogTail(t.Context(), job.ID, 2, job.Finished.Add(3*time.Second)); err != nil || len(tail) != 0 {
		t.Errorf("after its end it said %+v, %v", tail, err)
	}
	if text := fmt.Sprintf("%v %+v %#v", s, s, web.Environment); strings.Contains(text, "s3cr3t-value") {
		t.Error("a value of the environment is printable")
	}
	if data, err := json.Marshal(s); err != nil || strings.Contains(string(data), "s3cr3t-value") {
		t.Errorf("a value of the environment is in the JSON (%v)", err)
	}
}

// A project that was started from the folder under another name is meant too.
func TestAProjectOfAnotherName(t *testing.T) {
	p := enginetest.Start(t, map[string]string{"compose.yaml": "services: {one: {image: STANDIN, network_mode: none}}\n"})
	s, err := open(t).Look(t.Context(), engine.Wanted{Project: "something-else", Dir: p.Dir})
	if err != nil || s.Project != p.Name || len(s.Containers) != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	s, err = open(t).Look(t.Context(), engine.Wanted{Project: "something-else", Dir: "/elsewhere"})
	if err != nil || s.Project != "something-else" || len(s.Containers) != 0 {
		t.Errorf("%+v, %v", s, err)
	}
}

func open(t *testing.T) *engine.Client {
	t.Helper()
	c, err := engine.Open(t.Context(), "", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	return c
}

func lookUntil(t *testing.T, c *engine.Client, p *enginetest.Project, done func(*engine.Snapshot) bool) *engine.Snapshot {
	t.Helper()
	var s *engine.Snapshot
	var err error
	for range 100 {
		s, err = c.Look(t.Context(), engine.Wanted{Project: p.Name, Images: []string{p.Image, "no-such/image:1"}})
		if err != nil {
			t.Fatal(err)
		}
		if done(s) {
			return s
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("it did not become so: %+v", s)
	return nil
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// Where the engine's address comes from, in the order that docker has.
func TestWhereTheEngineIs(t *testing.T) {
	good := fake(t, http.HandlerFunc(pong))
	config := t.TempDir()
	context := func(name, host string) {
		sum := hash(name)
		write(t, filepath.Join(config, "contexts", "meta", sum, "meta.json"), fmt.Sprintf(`{"Name":%q,"Endpoints":{"docker":{"Host":%q}}}`, name, host))
	}
	context("prod", good)
	context("far", "ssh://root@far.example.org")
	write(t, filepath.Join(config, "config.json"), `{"currentContext":"prod"}`)
	broken := t.TempDir()
	write(t, filepath.Join(broken, "config.json"), `{"currentContext":`)
	dead := "unix://" + filepath.Join(t.TempDir(), "none.sock")
	for _, c := range []struct {
		name, flag string
		env        map[string]string
		says       string // "" when it answers
	}{
		{"the flag", good, map[string]string{"DOCKER_HOST": dead}, ""},
		{"DOCKER_HOST", "", map[string]string{"DOCKER_HOST": good, "DOCKER_CONTEXT": "far"}, ""},
		{"the current context", "", map[string]string{"DOCKER_CONFIG": config}, ""},
		{"DOCKER_CONTEXT", "", map[string]string{"DOCKER_CONFIG": config, "DOCKER_CONTEXT": "far"}, "-L /tmp/engine.sock:/var/run/docker.sock root@far.example.org"},
		{"a context that is not there", "", map[string]string{"DOCKER_CONFIG": config, "DOCKER_CONTEXT": "gone"}, `the Docker context "gone" cannot be read`},
		{"a broken config.json", "", map[string]string{"DOCKER_CONFIG": broken}, "config.json is not as docker writes it"},
		{"CONTAINER_HOST", "", map[string]string{"CONTAINER_HOST": good}, ""},
		{"nobody there", dead, nil, "nothing answers at " + dead},
		{"no address", "var/run/docker.sock", nil, "is no address of an engine"},
		{"another scheme", "ftp://x", nil, "ftp:// is no way"},
	} {
		e, err := engine.Open(t.Context(), c.flag, func(k string) string { return c.env[k] })
		if err == nil {
			_ = e.Close()
		}
		if (err == nil) != (c.says == "") || err != nil && !strings.Contains(err.Error(), c.says) {
			t.Errorf("%s: %v; want %q", c.name, err, c.says)
		}
	}
	_, err := engine.Open(t.Context(), dead, os.Getenv)
	if !errors.Is(err, engine.ErrNone) {
		t.Errorf("nobody there: %v", err)
	}
}

// Whatever answers in the engine's place, the doctor ends in time and says so.
func TestHostileEngines(t *testing.T) {
	endless := func(w http.ResponseWriter, r *http.Request) {
		for {
			if _, err := w.Write([]byte(`[{"Id":"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"},`)); err != nil {
				return
			}
		}
	}
	for name, answer := range map[string]http.HandlerFunc{
		"endless":  endless,
		"no JSON":  func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "<html>") },
		"null":     func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, "null") },
		"wrong":    func(w http.ResponseWriter, r *http.Request) { fmt.Fprint(w, `{"Containers":"many"}`) },
		"an error": func(w http.ResponseWriter, r *http.Request) { http.Error(w, `{"message":"no"}`, 500) },
		"elsewhere": func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://192.0.2.1/", http.StatusFound)
		},
		"containers without anything": func(w http.ResponseWriter, r *http.Request) {
			switch {
			case strings.HasSuffix(r.URL.Path, "/containers/json"):
				fmt.Fprint(w, `[{"Id":"a","Labels":{"com.docker.compose.project":"p"}},{}]`)
			case strings.HasSuffix(r.URL.Path, "/json"):
				fmt.Fprint(w, `{"Id":"a"}`)
			default:
				fmt.Fprint(w, `{}`)
			}
		},
	} {
		host := fake(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasSuffix(r.URL.Path, "/_ping") {
				pong(w, r)
				return
			}
			answer(w, r)
		}))
		c, err := engine.Open(t.Context(), host, os.Getenv)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		_, err = c.Look(ctx, engine.Wanted{Project: "p", Images: []string{"x"}})
		if err == nil && name != "null" {
			t.Errorf("%s: taken for an engine", name)
		}
		if ctx.Err() != nil {
			t.Errorf("%s: took too long", name)
		}
		cancel()
		_ = c.Close()
	}
}

func TestSilentEngine(t *testing.T) {
	host := fake(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { <-r.Context().Done() }))
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := engine.Open(ctx, host, os.Getenv); err == nil || !strings.Contains(err.Error(), "did not answer") {
		t.Errorf("%v", err)
	}
}

func pong(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Api-Version", "1.41")
	fmt.Fprint(w, "OK")
}

// fake serves in an engine's place on a socket.
func fake(t *testing.T, h http.Handler) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "e")
	if err != nil {
		t.Fatal(err)
	}
	name := filepath.Join(dir, "s")
	l, err := net.Listen("unix", name)
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: h, ReadHeaderTimeout: time.Minute}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); _ = os.RemoveAll(dir) })
	return "unix://" + name
}
func hash(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

func write(t *testing.T, name, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// Helpers that were made and never started are swept away, others are not.
func TestSweep(t *testing.T) {
	p := enginetest.Prepare(t, map[string]string{"compose.yaml": `
services:
  left: {image: STANDIN, network_mode: none, labels: {kopano-doctor.helper: an-earlier-run}}
  other: {image: STANDIN, network_mode: none}
`})
	p.Compose("create")
	c := open(t)
	// Not younger ones: those may be of a run that goes on beside this test.
	time.Sleep(4 * time.Second)
	for _, step := range []struct {
		older time.Duration
		left  int
	}{{time.Hour, 2}, {3 * time.Second, 1}} {
		c.Sweep(t.Context(), step.older)
		s, err := c.Look(t.Context(), engine.Wanted{Project: p.Name})
		if err != nil || len(s.Containers) != step.left || len(s.Of("other")) != 1 {
			t.Errorf("older than %s: %v, %d containers", step.older, err, len(s.Containers))
		}
	}
}

// An engine behind TLS that wants a certificate of its clients, as docker's
// documentation has it set up, with the certificates of DOCKER_CERT_PATH and
// of a context.
func TestEngineBehindTLS(t *testing.T) {
	ca, err := lab.NewCA("the engine's")
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := ca.Issue(lab.LeafOptions{})
	if err != nil {
		t.Fatal(err)
	}
	own, err := ca.Issue(lab.LeafOptions{ClientOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	certs := func(dir string, ca *lab.CA) {
		write(t, filepath.Join(dir, "ca.pem"), string(ca.PEM()))
		write(t, filepath.Join(dir, "cert.pem"), string(own.CertPEM()))
		write(t, filepath.Join(dir, "key.pem"), string(own.KeyPEM()))
	}
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{
		Certificates: []tls.Certificate{leaf.TLS()}, ClientCAs: ca.Pool(), ClientAuth: tls.RequireAndVerifyClientCert, MinVersion: tls.VersionTLS12,
	})
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.HandlerFunc(pong), ReadHeaderTimeout: time.Minute, ErrorLog: log.New(io.Discard, "", 0)}
	go func() { _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close() })
	host := "tcp://" + l.Addr().String()

	config := t.TempDir()
	write(t, filepath.Join(config, "contexts", "meta", hash("safe"), "meta.json"), fmt.Sprintf(`{"Endpoints":{"docker":{"Host":%q}}}`, host))
	certs(filepath.Join(config, "contexts", "tls", hash("safe"), "docker"), ca)
	good, other := t.TempDir(), t.TempDir()
	certs(good, ca)
	stranger, err := lab.NewCA("a stranger's")
	if err != nil {
		t.Fatal(err)
	}
	certs(other, stranger)
	for name, c := range map[string]struct {
		env map[string]string
		ok  bool
	}{
		"DOCKER_CERT_PATH":        {map[string]string{"DOCKER_HOST": host, "DOCKER_CERT_PATH": good, "DOCKER_TLS_VERIFY": "1"}, true},
		"the context":             {map[string]string{"DOCKER_CONFIG": config, "DOCKER_CONTEXT": "safe"}, true},
		"without certificates":    {map[string]string{"DOCKER_HOST": host}, false},
		"an engine of a stranger": {map[string]string{"DOCKER_HOST": host, "DOCKER_CERT_PATH": other}, false},
		"no such folder":          {map[string]string{"DOCKER_HOST": host, "DOCKER_CERT_PATH": "/nowhere"}, false},
	} {
		e, err := engine.Open(t.Context(), "", func(k string) string { return c.env[k] })
		if err == nil {
			_ = e.Close()
		}
		if (err == nil) != c.ok {
			t.Errorf("%s: %v", name, err)
		}
	}
}
