//go:build unix

package checks_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/engine"
	"github.com/kopano-doctor/kopano-doctor/internal/engine/enginetest"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// before is what is started, after what the files say then. The services play
// roles by their names; what runs in them is a stand-in, since only the engine
// and the files are compared here.
const before = `
services:
  kopano_server:
    image: STANDIN
    command: ["say=up", "tcp=236"]
    environment:
      SERVICE_TO_START: server
      KCCONF_SERVER_MYSQL_HOST: db
      KCCONF_SERVER_MYSQL_PASSWORD: 0ld-s3cr3t
      KCCONF_LDAP_LDAP_URI: ldap://ldap:389
      GONE: by-and-by
      BARE: from-the-shell
    networks: [ldap-net, db-net]
    volumes: ["data:/kopano/data", "./conf:/conf"]
  ldap: {image: STANDIN, command: ["say=slapd starting", "say=cannot open database with 0ld-pw", "exit=1"], environment: {LDAP_ADMIN_PASSWORD: 0ld-pw}, networks: [ldap-net]}
  db:
    image: STANDIN
    command: ["tcp=3306"]
    networks: {db-net: {aliases: [mariadb]}}
    healthcheck: {test: ["CMD", "/standin", "check=/nowhere"], interval: 100ms, retries: 1, timeout: 2s}
  hungry: {image: STANDIN, command: ["eat=200"], mem_limit: 20m, memswap_limit: 20m, networks: [db-net]}
  loop: {image: STANDIN, command: ["exit=2"], restart: always, networks: [db-net]}
  frozen: {image: STANDIN, networks: [db-net]}
  once: {image: STANDIN, command: ["exit=0"], networks: [db-net]}
  kopano_ssl: {image: STANDIN, command: ["exit=0"], networks: [db-net]}
  old: {image: STANDIN, networks: [db-net]}
networks: {ldap-net: {}, db-net: {}}
volumes: {data: {}}
`

var edits = strings.NewReplacer(
	"0ld-s3cr3t", "n3w-s3cr3t", "      GONE: by-and-by\n      BARE: from-the-shell\n", "      SHELL: ${SHELL_ONLY}\n      BARE:\n",
	"data:/kopano/data", "other:/kopano/data", "./conf:/conf", "./conf:/conf:ro", "aliases: [mariadb]", "aliases: [mariadb, database]",
	"  old: {image: STANDIN, networks: [db-net]}\n", "  kopano_spooler: {image: STANDIN, environment: {SERVICE_TO_START: spooler, KCCONF_SPOOLER_SERVER_SOCKET: \"http://kopano_server:236/\"}, networks: [db-net]}\n",
	"volumes: {data: {}}", "volumes: {data: {}, other: {}}",
)

func TestContainersAgainstTheFiles(t *testing.T) {
	p := enginetest.Start(t, map[string]string{"compose.yaml": before, "conf/x": ""})
	s, topology := lookAt(t, p)
	if found := checks.Containers(topology, s); s.At.IsZero() || has(found, "environment-changed", "kopano_server") || has(found, "mounts-changed", "kopano_server") || has(found, "networks-changed", "db") {
		t.Errorf("what was just started is called different: %v", ids(found))
	}
	p.Compose("pause", "frozen")
	p.Write("compose.yaml", edits.Replace(before))
	p.Reimport()
	var found []finding.Finding
	for range 600 { // a busy machine takes its time to run out of memory
		s, topology = lookAt(t, p)
		found = checks.Containers(topology, s)
		// Between two restarts the container runs for a moment.
		loop, _ := find(found, "restarting", "loop")
		if has(found, "unhealthy", "db") && loop.Severity == finding.Error && has(found, "exited", "ldap") && has(found, "out-of-memory", "hungry") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	for _, w := range []struct{ reason, subject, severity, says, at string }{
		{"exited", "ldap", "error", `exit code 1. The last line of its log: "cannot open database with «hidden»".`, "compose.yaml:"},
		{"unhealthy", "db", "warning", `Its last line: "bind failed`, "healthcheck:"},
		{"out-of-memory", "hungry", "error", "limit of 20 MB (mem_limit)", "mem_limit"},
		{"restarting", "loop", "error", "exit code 2", "loop:"},
		{"paused", "frozen", "error", "is paused", "frozen:"},
		{"not-created", "kopano_spooler", "warning", "has none", "kopano_spooler:"},
		{"environment-changed", "kopano_server", "warning", "KCCONF_SERVER_MYSQL_PASSWORD, SHELL, GONE.", "n3w"},
		{"mounts-changed", "kopano_server", "warning", "the volume " + p.Name + "_other at /kopano/data; " + p.Name + "-kopano_server-1 has the volume " + p.Name + "_data", "other:/kopano/data"},
		{"networks-changed", "db", "warning", "should answer to database as well", "db-net"},
		{"newer-image", "frozen", "", "", ""},
		{"newer-image", "kopano_server", "info", "still runs the old one", "image:"},
		{"orphan", "old", "warning", "no service old", "compose.yaml"},
	} {
		f, ok := find(found, w.reason, w.subject)
		if w.severity == "" {
			if ok {
				t.Errorf("%s %s: reported", w.reason, w.subject)
			}
			continue
		}
		if !ok || f.Severity.String() != w.severity || !strings.Contains(f.Message, w.says) || f.Title == "" || f.Consequence == "" || f.Remedy == "" {
			t.Errorf("%s %s: %v, %+v", w.reason, w.subject, ok, f)
			continue
		}
		line := topology.Deployment.Excerpt(f.First())
		if !strings.Contains(f.First().String()+line, w.at) && !(w.at == "n3w" && strings.Contains(line, "MYSQL_PASSWORD")) {
			t.Errorf("%s %s points to %s: %s", w.reason, w.subject, f.First(), line)
		}
	}
	if n := count(found, "mounts-changed"); n != 2 {
		t.Errorf("%d mounts are called different, want the volume and the folder that is read-only now", n)
	}
	for _, quiet := range []string{"once", "kopano_ssl"} {
		for _, f := range found {
			if f.Subject == quiet && f.ID != "live-container-newer-image" {
				t.Errorf("%s did its work, and %s is reported", quiet, f.ID)
			}
		}
	}
	if text := fmt.Sprintf("%+v", found); strings.Contains(text, "0ld-") || strings.Contains(text, "n3w-") {
		t.Error("a secret is in the findings")
	}
	ldap, _ := find(found, "exited", "ldap")
	if !slices.Contains(ldap.Links, "server-ldap@kopano_server") {
		t.Errorf("links of ldap: %v", ldap.Links)
	}
	password, _ := find(found, "environment-changed", "kopano_server")
	if !slices.Contains(password.Links, "server-database@kopano_server") || slices.Contains(password.Links, "server-ldap@kopano_server") {
		t.Errorf("links of the password: %v", password.Links)
	}
	raised := checks.RaiseContainers([]finding.Finding{password}, func(id string) bool { return id == "server-database@kopano_server" })
	if raised[0].Severity != finding.Error {
		t.Error("with its link broken the changed password is no error")
	}
}

// A network that somebody has taken from a running container, and one that was
// never there.
func TestContainerOffItsNetwork(t *testing.T) {
	p := enginetest.Start(t, map[string]string{"compose.yaml": `
services:
  kopano_server: {image: STANDIN, environment: {SERVICE_TO_START: server, KCCONF_LDAP_LDAP_URI: "ldap://ldap:389"}, networks: [a, b]}
  ldap: {image: STANDIN, networks: [a]}
networks: {a: {}, b: {name: ` + "SHARED" + `}}
`})
	p.Disconnect("ldap", p.Name+"_a")
	s, topology := lookAt(t, p)
	f, ok := find(checks.Containers(topology, s), "networks-changed", "ldap")
	if !ok || !strings.Contains(f.Message, p.Name+"_a") || !slices.Equal(f.Links, []string{"server-ldap@kopano_server"}) {
		t.Errorf("%v, %+v", ok, f)
	}
}

// Created and not started, with the engine's reason.
func TestContainerThatCannotStart(t *testing.T) {
	p := enginetest.Prepare(t, map[string]string{"compose.yaml": `
services:
  one: {image: STANDIN, network_mode: none}
  two: {image: STANDIN, network_mode: none, entrypoint: ["/no-such-program"]}
  up: {image: STANDIN, network_mode: none}
`})
	p.Compose("create")
	p.Compose("start", "up")
	_ = p.Try("start", "two")
	s, topology := lookAt(t, p)
	found := checks.Containers(topology, s)
	one, _ := find(found, "not-started", "one")
	two, _ := find(found, "not-started", "two")
	if !strings.Contains(one.Message, "never started") || !strings.Contains(two.Message, "no-such-program") {
		t.Errorf("%q\n%q", one.Message, two.Message)
	}
}

// A deployment of which nothing runs is told once; so is one that was started in part.
func TestADeploymentThatDoesNotRun(t *testing.T) {
	p := enginetest.Prepare(t, map[string]string{"compose.yaml": `
services:
  kopano_server: {image: STANDIN, environment: {SERVICE_TO_START: server, KCCONF_SERVER_MYSQL_HOST: db, KCCONF_LDAP_LDAP_URI: "ldap://ldap:389"}}
  db: {image: STANDIN}
  ldap: {image: STANDIN}
  kopano_dagent: {image: STANDIN, environment: {SERVICE_TO_START: dagent, KCCONF_DAGENT_SERVER_SOCKET: "http://kopano_server:236"}}
  kopano_ssl: {image: STANDIN, command: ["exit=0"]}
  bad: {image: STANDIN, command: ["say=out of luck", "exit=3"], restart: "no"}
`})
	s, topology := lookAt(t, p)
	if found := checks.Containers(topology, s); len(found) != 0 {
		t.Errorf("without containers: %v", ids(found))
	}
	if found := checks.NoneExist(topology, s); len(found) != 1 || len(found[0].Links) < 3 || found[0].Severity != finding.Error {
		t.Errorf("without containers: %+v", found)
	}
	p.Compose("up", "-d", "--no-deps", "kopano_server", "kopano_ssl")
	s, topology = lookAt(t, p)
	found := checks.Containers(topology, s)
	if f, ok := find(found, "most-missing", topology.Deployment.Project); !ok || f.Severity != finding.Error || has(found, "not-created", "db") ||
		!slices.Contains(f.Links, "server-database@kopano_server") || !strings.Contains(f.Message, "Of 5 services") {
		t.Errorf("started in part: %+v", found)
	}
	p.Compose("up", "-d")
	p.Compose("stop", "-t", "5")
	s, topology = lookAt(t, p)
	found = checks.Containers(topology, s)
	if !has(found, "none-runs", topology.Deployment.Project) || !has(found, "exited", "bad") || len(found) != 2 {
		t.Errorf("stopped: %v", ids(found))
	}
	p.Compose("start", "db")
	s, topology = lookAt(t, p)
	if found = checks.Containers(topology, s); has(found, "none-runs", topology.Deployment.Project) || !has(found, "exited", "ldap") {
		t.Errorf("one runs: %v", ids(found))
	}
}

// A disk that is full, one with room, and a process that has opened all it may.
func TestWhatContainersHaveUsedUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root sees the disks and files of containers")
	}
	p := enginetest.Start(t, map[string]string{"compose.yaml": `
services:
  db: {image: STANDIN, command: ["fill=/var/lib/mysql"], volumes: ["full:/var/lib/mysql"]}
  ldap: {image: STANDIN, volumes: ["roomy:/var/lib/ldap"]}
  kopano_gateway: {image: STANDIN, command: ["open=90"], ulimits: {nofile: 100}, environment: {SERVICE_TO_START: gateway}}
volumes:
  full: {driver_opts: {type: tmpfs, device: tmpfs, o: size=2m}}
  roomy: {driver_opts: {type: tmpfs, device: tmpfs, o: size=8m}}
`})
	var found []finding.Finding
	for range 50 {
		s, topology := lookAt(t, p)
		if found = checks.Containers(topology, s); has(found, "disk-full", "db") && has(found, "open-files", "kopano_gateway") {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	full, _ := find(found, "disk-full", "db")
	if full.Severity != finding.Error || !strings.Contains(full.Message, "of 2 MB are free") || !strings.Contains(full.Remedy, p.Name+"_full") {
		t.Errorf("db: %+v", full)
	}
	if f, _ := find(found, "open-files", "kopano_gateway"); f.Severity != finding.Warning || !strings.Contains(f.Message, "may have 100") {
		t.Errorf("kopano_gateway: %+v; %s", f, p.Compose("ps", "-a"))
	}
	if len(found) != 2 {
		t.Errorf("found: %v", ids(found))
	}
}

// The scheduler's jobs: a name in the way of Compose 1, one that is right, one
// that fails, and one that failed and goes well again. The lines are those of supercronic.
func TestTheSchedulersJobs(t *testing.T) {
	p := enginetest.Start(t, map[string]string{"compose.yaml": `
services:
  kopano_server: {image: STANDIN}
  kopano_zpush: {image: STANDIN, container_name: SHARED}
  kopano_scheduler:
    image: STANDIN
    environment:
      CRON_SYNC: 10 * * * * docker exec OWNNAME_kopano_server_1 kopano-admin --sync
      CRONDELAYED_RIGHT: 10 * * * * docker exec OWNNAME-kopano_server-1 kopano-admin --purge-softdelete 30
      CRON_ZPUSH: 0 22 * * * docker exec SHARED z-push-gabsync -a sync
      CRON_OTHER: 0 22 * * * docker exec -t somewhere-else true
    command:
      - 'say=time="2026-01-01T00:00:00Z" level=info msg="no such user, password=w0rd" channel=stderr iteration=0 job.command="docker exec SHARED z-push-gabsync -a sync" job.position=1 job.schedule="0 22 * * *"'
      - 'say=time="2026-01-01T00:00:00Z" level=error msg="error running command: exit status 1" iteration=0 job.command="docker exec SHARED z-push-gabsync -a sync" job.position=1 job.schedule="0 22 * * *"'
      - 'say=time="2026-01-01T00:00:00Z" level=error msg="error running command: exit status 1" iteration=0 job.command="docker exec -t somewhere-else true" job.position=2 job.schedule="0 22 * * *"'
      - 'say=time="2026-01-02T00:00:00Z" level=info msg="job succeeded" iteration=1 job.command="docker exec -t somewhere-else true" job.position=2 job.schedule="0 22 * * *"'
`})
	s, topology := lookAt(t, p)
	one, _ := s.RunningOf("kopano_scheduler")
	if got := checks.LogsWanted(topology, s, nil); len(got) != 1 || got[0].ID != one.ID {
		t.Fatalf("logs wanted: %+v", got)
	}
	c, err := engine.Open(t.Context(), "", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var lines []engine.LogLine
	for range 50 {
		if lines, err = c.LogTail(t.Context(), one.ID, 100, checks.LogsSince(one)); err != nil || len(lines) == 4 {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err != nil {
		t.Fatal(err)
	}
	found := checks.Jobs(topology, s, checks.Logs{one.ID: lines})
	name, _ := find(found, "job-container", "kopano_scheduler")
	if name.Key != "CRON_SYNC" || !strings.Contains(name.Message, "is called "+p.Name+"-kopano_server-1") {
		t.Errorf("%+v", name)
	}
	failed, _ := find(found, "job-failed", "kopano_scheduler")
	if !strings.Contains(failed.Message, "failed of CRON_ZPUSH (exit status 1).") || len(failed.Evidence) != 1 || failed.Evidence[0].Line != "no such user, password=«hidden»" {
		t.Errorf("%+v", failed)
	}
	if len(found) != 2 {
		t.Errorf("found %v", ids(found))
	}
}

func lookAt(t *testing.T, p *enginetest.Project) (*engine.Snapshot, *kopano.Topology) {
	t.Helper()
	d, err := deployment.Load(t.Context(), deployment.Options{Dir: p.Dir})
	if err != nil {
		t.Fatal(err)
	}
	return lookFor(t, p, d), kopano.Recognise(d)
}

func lookFor(t *testing.T, p *enginetest.Project, d *deployment.Deployment) *engine.Snapshot {
	t.Helper()
	c, err := engine.Open(t.Context(), "", func(string) string { return "" })
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.Look(t.Context(), engine.Wanted{Project: d.Project, Dir: d.Dir, Images: []string{p.Image}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func find(found []finding.Finding, reason, subject string) (finding.Finding, bool) {
	for _, f := range found {
		if f.ID == checks.ContainerPrefix+reason && f.Subject == subject {
			return f, true
		}
	}
	return finding.Finding{}, false
}

func has(found []finding.Finding, reason, subject string) bool {
	_, ok := find(found, reason, subject)
	return ok
}

func count(found []finding.Finding, reason string) int {
	n := 0
	for _, f := range found {
		if f.ID == checks.ContainerPrefix+reason {
			n++
		}
	}
	return n
}

func ids(found []finding.Finding) []string {
	var out []string
	for _, f := range found {
		out = append(out, f.ID+" "+f.Subject+": "+f.Message)
	}
	return out
}

// The bundled deployment, started by Docker Compose from the files as they
// are, save for images, commands and what binds it to the machine, is called
// different in nothing. KOPANO_DOCTOR_ENGINE_DEPLOYMENTS names more folders.
func TestAWholeDeploymentIsAsTheFilesSay(t *testing.T) {
	folders := append([]string{"../testdata/deployments/full"}, strings.Fields(os.Getenv("KOPANO_DOCTOR_ENGINE_DEPLOYMENTS"))...)
	for _, dir := range folders {
		t.Run(filepath.Base(dir), func(t *testing.T) {
			p := enginetest.Prepare(t, nil)
			if err := os.CopyFS(p.Dir, os.DirFS(dir)); err != nil {
				t.Fatal(err)
			}
			d, err := deployment.Load(t.Context(), deployment.Options{Dir: p.Dir})
			if err != nil {
				t.Fatal(err)
			}
			var over strings.Builder
			over.WriteString("services:\n")
			for _, s := range d.Services {
				// No healthcheck, since a stand-in has no shell to run it; depends_on waits for none then.
				fmt.Fprintf(&over, "  %s: {image: STANDIN, build: !reset null, entrypoint: [/standin], command: [\"say=up\"], ports: !reset [], healthcheck: !reset null, depends_on: !reset {}, container_name: !reset null, read_only: false, mem_limit: !reset null}\n", s.Name)
			}
			p.Write("over.yaml", over.String())
			files := append(slices.Clone(d.Files), "over.yaml")
			args := []string{"-p", p.Name}
			for _, f := range files {
				args = append(args, "-f", f)
			}
			p.Compose(append(args, "up", "-d")...)
			t.Cleanup(func() { p.Compose(append(args, "down", "-v", "-t", "0")...) })

			d, err = deployment.Load(t.Context(), deployment.Options{Dir: p.Dir, Files: files, ProjectName: p.Name})
			if err != nil {
				t.Fatal(err)
			}
			s := lookFor(t, p, d)
			if len(s.Containers) != len(d.Services) {
				t.Errorf("%d containers of %d services", len(s.Containers), len(d.Services))
			}
			for _, f := range checks.Containers(kopano.Recognise(d), s) {
				t.Errorf("%s %s: %s", f.ID, f.Subject, f.Message)
			}
		})
	}
}
