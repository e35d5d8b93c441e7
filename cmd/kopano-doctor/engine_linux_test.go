package main

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// running is a deployment of stand-ins: who reaches whom is real, what they
// speak is not.
const running = `
services:
  kopano_server:
    image: STANDIN
    command: ["tcp=236"]
    environment:
      SERVICE_TO_START: server
      KCCONF_SERVER_MYSQL_HOST: db
      KCCONF_SERVER_MYSQL_PORT: 3306
      KCCONF_SERVER_MYSQL_USER: kopano
      KCCONF_SERVER_MYSQL_DATABASE: kopano
      KCCONF_SERVER_MYSQL_PASSWORD: 0ld-s3cr3t
      KCCONF_SERVER_SERVER_LISTEN: 0.0.0.0:236
      KCCONF_LDAP_LDAP_URI: ldap://ldap:389
      KCCONF_LDAP_LDAP_BIND_USER: cn=reader,dc=example,dc=org
      KCCONF_LDAP_LDAP_BIND_PASSWD: another-s3cr3t
      KCCONF_LDAP_LDAP_SEARCH_BASE: dc=example,dc=org
    networks: [ldap-net, db-net]
    dns: ["SUBNET.53"]
  kopano_dagent:
    image: STANDIN
    command: ["tcp=2003"]
    environment: {SERVICE_TO_START: dagent, KCCONF_DAGENT_SERVER_SOCKET: "http://kopano_server:236/"}
    networks: [db-net]
  ldap: {image: STANDIN, command: ["say=slapd: bad configuration directory! bindpw=of-the-log", "say=slapd: no such database", "exit=1"], networks: [ldap-net]}
  db: {image: STANDIN, command: ["tcp=3306"], networks: [db-net]}
  names: {image: STANDIN, command: ["dns"], networks: {db-net: {ipv4_address: SUBNET.53}}}
networks:
  ldap-net: {}
  db-net: {ipam: {config: [{subnet: SUBNET.0/24}]}}
`

// asUser runs this test binary as the program, maybe as somebody else.
func asUser(t *testing.T, uid, gid uint32, env []string, args ...string) (*report.Report, call) {
	t.Helper()
	cmd := asProcess(t, uid, gid, env, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	_ = cmd.Run()
	got := call{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	r := &report.Report{}
	if err := json.Unmarshal(stdout.Bytes(), r); err != nil {
		t.Fatalf("exit %d, %v\n%s%s", got.code, err, got.stdout, got.stderr)
	}
	return r, got
}

func asProcess(t *testing.T, uid, gid uint32, env []string, args ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(readable(t), append([]string{"check", "--format", "json", "--no-config"}, args...)...)
	cmd.Env = append([]string{asProgram + "=1"}, env...)
	cmd.Dir = "/"
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: gid, NoSetGroups: false}}
	}
	return cmd
}

// readable gives this test binary where everybody may run it.
func readable(t *testing.T) string {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(self)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "kopano-doctor-test")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	copied := filepath.Join(dir, "program")
	if err := os.WriteFile(copied, data, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return copied
}

// open lets everybody read the project.
func openToAll(t *testing.T, p *enginetest.Project) {
	t.Helper()
	for dir := p.Dir; strings.HasPrefix(dir, os.TempDir()) && dir != os.TempDir(); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestCheckOnTheEngine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root to be somebody else")
	}
	p := enginetest.Start(t, map[string]string{"compose.yaml": running})
	openToAll(t, p)
	waitFor(t, p, "ldap", "exited")
	before := present(t, p)

	r, _ := asUser(t, 0, 0, nil, p.Dir)
	if !strings.HasPrefix(r.Engine.Name, "Docker ") || r.Engine.Containers != 5 || r.Engine.Note != "" || r.Engine.Project != p.Name {
		t.Errorf("engine: %+v", r.Engine)
	}
	for _, l := range r.Links {
		if l.Status == "unchecked" || l.From != "client" && l.Vantage != "container" {
			t.Errorf("%s is %s from %q: %s", l.ID, l.Status, l.Vantage, l.Message)
		}
	}
	ldap := theLink(t, r, "server-ldap@kopano_server")
	if ldap.Reason != "no-such-host" {
		t.Errorf("server-ldap: %s, %s", ldap.Reason, ldap.Message)
	}
	stopped := theFinding(t, r, "live-container-exited", "ldap")
	if !strings.Contains(stopped.Message, "slapd: no such database") || stopped.Cause != nil {
		t.Errorf("ldap: %+v", stopped)
	}
	if e := stopped.Evidence; len(e) != 1 || e[0].Service != "ldap" || e[0].Line != "slapd: bad configuration directory! bindpw=«hidden»" || e[0].Time == "" || e[0].Means == "" {
		t.Errorf("the log of ldap as evidence: %+v", e)
	}
	if f := theFinding(t, r, "live-ldap-no-such-host", "kopano_server → ldap"); f.Cause == nil || *f.Cause != stopped.Fingerprint {
		t.Errorf("that ldap is not found is no consequence of its end: %+v", f)
	}
	if !slices.Contains(theLink(t, r, "dagent-server@kopano_dagent").Findings, stopped.Fingerprint) {
		t.Error("the delivery does not know that it suffers from ldap")
	}

	t.Run("changed since the start", func(t *testing.T) {
		p.Write("compose.yaml", strings.ReplaceAll(running, "0ld-s3cr3t", "n3w-s3cr3t"))
		defer p.Write("compose.yaml", running)
		r, got := asUser(t, 0, 0, nil, p.Dir)
		changed := theFinding(t, r, "live-container-environment-changed", "kopano_server")
		if changed.Severity != "error" || !strings.Contains(changed.Message, "KCCONF_SERVER_MYSQL_PASSWORD") || strings.Contains(got.stdout, "s3cr3t") {
			t.Errorf("%+v", changed)
		}
		if f := theFinding(t, r, "live-mariadb-wrong-protocol", "kopano_server → db"); f.Cause == nil || *f.Cause != changed.Fingerprint {
			t.Errorf("the failure of the link is no consequence of the change: %+v", f)
		}
	})
	t.Run("by those who may ask and not enter", func(t *testing.T) {
		r, _ := asUser(t, 65534, socketGroup(t), nil, "--helper-image", p.Name+"/none", p.Dir)
		if r.Engine.Containers != 5 || !strings.Contains(r.Engine.Note, "run as root") {
			t.Errorf("engine: %+v", r.Engine)
		}
		if l := theLink(t, r, "server-database@kopano_server"); l.Vantage != "host" || l.Status != "broken" || l.Reason != "wrong-protocol" {
			t.Errorf("%+v", l)
		}
	})
	t.Run("by those who may not ask", func(t *testing.T) {
		r, got := asUser(t, 65534, 65534, nil, "--fail-on", "never", p.Dir)
		if got.code != 3 || r.Engine.Name != "" || !strings.Contains(r.Engine.Note, "may not use the container engine") {
			t.Errorf("exit %d, engine: %+v", got.code, r.Engine)
		}
	})
	t.Run("without the engine", func(t *testing.T) {
		r, _ := asUser(t, 0, 0, nil, "--engine", "none", p.Dir)
		if r.Engine != (report.Engine{}) || theLink(t, r, "server-database@kopano_server").Status != "unchecked" {
			t.Errorf("engine: %+v", r.Engine)
		}
		r, got := asUser(t, 0, 0, []string{"DOCKER_HOST=unix:///nowhere.sock"}, "--fail-on", "never", p.Dir)
		if got.code != 3 || !strings.Contains(r.Engine.Note, "nothing answers at unix:///nowhere.sock") {
			t.Errorf("exit %d, engine: %+v", got.code, r.Engine)
		}
	})
	t.Run("only from containers", func(t *testing.T) {
		r, _ := asUser(t, 65534, socketGroup(t), nil, "--from", "container", p.Dir)
		if l := theLink(t, r, "server-database@kopano_server"); l.Status != "unchecked" || !strings.Contains(l.Message, "root") {
			t.Errorf("%+v", l)
		}
	})
	t.Run("pinned", func(t *testing.T) {
		r, _ := asUser(t, 0, 0, nil, "--resolve", "db:3306=127.0.0.1:9", p.Dir)
		if l := theLink(t, r, "server-database@kopano_server"); l.Vantage != "resolve" || l.Reason != "refused" {
			t.Errorf("%+v", l)
		}
	})
	image := p.Program(".")
	t.Run("helpers, by those who may not enter", func(t *testing.T) {
		r, _ := asUser(t, 65534, socketGroup(t), nil, "--helper-image", image, p.Dir)
		if !strings.Contains(r.Engine.Note, "a helper beside each container looks instead") {
			t.Errorf("engine: %+v", r.Engine)
		}
		throughHelpers(t, r)
	})
	t.Run("helpers, since they are wanted", func(t *testing.T) {
		r, _ := asUser(t, 0, 0, nil, "--from", "helper", "--helper-image", image, p.Dir)
		if r.Engine.Note != "" {
			t.Errorf("engine: %+v", r.Engine)
		}
		throughHelpers(t, r)
	})
	t.Run("helpers, on an engine that is elsewhere", func(t *testing.T) {
		r, _ := asUser(t, 0, 0, []string{"DOCKER_HOST=" + overTCP(t)}, "--helper-image", image, p.Dir)
		if !strings.Contains(r.Engine.Note, "not on this machine") || r.Engine.Containers != 5 {
			t.Errorf("engine: %+v", r.Engine)
		}
		throughHelpers(t, r)
	})
	t.Run("no image for helpers", func(t *testing.T) {
		r, _ := asUser(t, 65534, socketGroup(t), nil, "--helper-image", "no-such/image", p.Dir)
		if !strings.Contains(r.Engine.Note, "no-such/image is not on the engine") || theLink(t, r, "server-database@kopano_server").Vantage != "host" {
			t.Errorf("engine: %+v", r.Engine)
		}
	})
	for _, signal := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL} {
		t.Run("helpers, ended by "+signal.String(), func(t *testing.T) {
			p.Compose("pause", "db")
			defer p.Compose("unpause", "db")
			cmd := asProcess(t, 0, 0, nil, "--from", "helper", "--helper-image", image, p.Dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			helping := func() bool {
				now := present(t, p)
				return strings.Count(now, "helper ") == 2 && strings.Count(now, " running") >= 2 && !strings.Contains(now, " created")
			}
			for range 100 {
				if helping() {
					break
				}
				time.Sleep(20 * time.Millisecond)
			}
			if !helping() {
				t.Errorf("there are not the two helpers:\n%s", present(t, p))
			}
			_ = cmd.Process.Signal(signal)
			_ = cmd.Wait()
			for range 100 {
				if signal != syscall.SIGKILL || !strings.Contains(present(t, p), "helper") {
					break
				}
				time.Sleep(50 * time.Millisecond)
			}
			if now := present(t, p); strings.Contains(now, "helper") {
				t.Errorf("helpers are left:\n%s", now)
			}
		})
	}
	t.Run("interrupted", func(t *testing.T) {
		p.Compose("pause", "db")
		defer p.Compose("unpause", "db")
		cmd := asProcess(t, 0, 0, nil, p.Dir)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Second) // it waits for the frozen database by now
		_ = cmd.Process.Signal(os.Interrupt)
		if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
			t.Errorf("exit %d", cmd.ProcessState.ExitCode())
		}
	})
	if after := present(t, p); after != before {
		t.Errorf("before:\n%s\nafter:\n%s", before, after)
	}
}

// throughHelpers holds a report to what helpers see.
func throughHelpers(t *testing.T, r *report.Report) {
	t.Helper()
	for id, want := range map[string]string{
		"server-database@kopano_server": "wrong-protocol", "server-ldap@kopano_server": "no-such-host", "dagent-server@kopano_dagent": "wrong-protocol",
	} {
		if l := theLink(t, r, id); l.Vantage != "helper" || l.Status != "broken" || l.Reason != want {
			t.Errorf("%s: %+v", id, l)
		}
	}
	if l := theLink(t, r, "server-database@kopano_server"); !strings.Contains(l.Message, "(db:3306)") {
		t.Errorf("the address is not told: %s", l.Message)
	}
}

// overTCP makes the engine one that is reached over TCP.
func overTCP(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			engine, err := net.Dial("unix", "/var/run/docker.sock")
			if err != nil {
				conn.Close()
				continue
			}
			go func() { _, _ = io.Copy(engine, conn); engine.Close() }()
			go func() { _, _ = io.Copy(conn, engine); conn.Close() }()
		}
	}()
	return "tcp://" + l.Addr().String()
}

// present lists what the engine has of the project: its containers with their
// state, networks, volumes and images.
func present(t *testing.T, p *enginetest.Project) string {
	t.Helper()
	var out []string
	own := make(client.Filters).Add("label", "com.docker.compose.project="+p.Name)
	containers, err := p.API.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: own})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range containers.Items {
		out = append(out, "container "+c.Names[0]+" "+c.ID+" "+string(c.State))
	}
	networks, err := p.API.NetworkList(t.Context(), client.NetworkListOptions{Filters: own})
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range networks.Items {
		out = append(out, "network "+n.Name+" "+n.ID)
	}
	labelled, err := p.API.ContainerList(t.Context(), client.ContainerListOptions{All: true, Filters: make(client.Filters).Add("label", "kopano-doctor.helper")})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range labelled.Items {
		// Other deployments of this machine may be looked at just now.
		beside := strings.TrimPrefix(c.HostConfig.NetworkMode, "container:")
		if slices.ContainsFunc(containers.Items, func(own container.Summary) bool { return own.ID == beside }) {
			out = append(out, "helper "+c.ID+" "+string(c.State))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func waitFor(t *testing.T, p *enginetest.Project, service, state string) {
	t.Helper()
	for range 100 {
		if strings.Contains(p.Compose("ps", "-a", "--format", "{{.State}}", service), state) {
			return
		}
		time.Sleep(50 * time.Millisecond)
	}
	t.Fatalf("%s is not %s", service, state)
}

func socketGroup(t *testing.T) uint32 {
	t.Helper()
	info, err := os.Stat("/var/run/docker.sock")
	if err != nil {
		t.Fatal(err)
	}
	st := info.Sys().(*syscall.Stat_t)
	if st.Gid == 0 || info.Mode()&0o060 != 0o060 {
		t.Skip("the engine's socket is for root only")
	}
	return st.Gid
}
