//go:build linux && lab

package bridges

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// world is what a run of the doctor could leave behind or change.
type world struct {
	containers, networks, volumes, images, processes, temporary []string
	data                                                        map[string]string // what the servers and volumes hold
}

// lines gives the lines of a command of the engine, sorted.
func lines(t *testing.T, args ...string) []string {
	t.Helper()
	out, err := docker(args...)
	if err != nil {
		t.Fatal(err)
	}
	return slices.Sorted(slices.Values(strings.Split(out, "\n")))
}

func look(t *testing.T) world {
	t.Helper()
	w := world{
		containers: lines(t, "ps", "-aq", "--no-trunc", "--filter", "label=com.docker.compose.project="+theLab.Project),
		networks:   lines(t, "network", "ls", "-q", "--no-trunc", "--filter", "label=com.docker.compose.project="+theLab.Project),
		volumes:    lines(t, "volume", "ls", "-q", "--filter", "label=com.docker.compose.project="+theLab.Project),
		images:     lines(t, "image", "ls", "-q", "--no-trunc", "kopano-doctor-lab/*"),
		data:       map[string]string{},
	}
	for _, id := range lines(t, "ps", "-aq", "--no-trunc", "--filter", "label=kopano-doctor.helper") {
		if beside, err := docker("inspect", "-f", "{{.HostConfig.NetworkMode}}", id); err == nil && slices.Contains(w.containers, strings.TrimPrefix(beside, "container:")) {
			w.containers = append(w.containers, id)
		}
	}
	out, err := exec.Command("ps", "-eo", "args").Output()
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(out)) {
		if strings.Contains(line, doctor) {
			w.processes = append(w.processes, line)
		}
	}
	if w.temporary, err = filepath.Glob(filepath.Join(temporary(), "*")); err != nil {
		t.Fatal(err)
	}
	w.volumesData(t)
	w.serversData(t)
	return w
}

// volumesData notes every file of the volumes, but those that the servers
// themselves write to while nobody asks for anything.
func (w *world) volumesData(t *testing.T) {
	t.Helper()
	for _, volume := range w.volumes {
		dir, err := docker("volume", "inspect", "-f", "{{.Mountpoint}}", volume)
		if err != nil {
			t.Fatal(err)
		}
		err = filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			info, err := entry.Info()
			if err != nil {
				return err
			}
			note := fmt.Sprint(info.Mode(), info.Size())
			if info.Mode().IsRegular() {
				data, err := os.ReadFile(path)
				if err != nil {
					return err
				}
				sum := sha256.Sum256(data)
				note += hex.EncodeToString(sum[:])
			}
			w.data[volume+strings.TrimPrefix(path, dir)] = note
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// serversData notes what the database, the directory and the mail transport
// hold, asked with their own programs.
func (w *world) serversData(t *testing.T) {
	t.Helper()
	for name, command := range map[string][]string{
		// All rows of all tables, and the counters of what was written.
		"db":   {"sh", "-c", `s=$(echo /tmp/lab*/db1/s); for t in $(mariadb -uroot -S $s -N -e "SELECT CONCAT(table_schema,'.',table_name) FROM information_schema.tables WHERE table_schema='kopano'"); do mariadb -uroot -S $s -N -e "CHECKSUM TABLE $t"; done; mariadb -uroot -S $s -N -e "SHOW GLOBAL STATUS WHERE Variable_name IN ('Com_insert','Com_update','Com_delete','Com_replace','Com_create_table','Com_alter_table','Com_drop_table')"`},
		"ldap": {"sh", "-c", "slapcat -f /tmp/lab*/slapd1/slapd.conf 2>/dev/null"},
		"mail": {"sh", "-c", "find /tmp/lab*/p1/queue/incoming /tmp/lab*/p1/queue/active /tmp/lab*/p1/queue/deferred /tmp/lab*/p1/queue/maildrop /tmp/lab*/p1/queue/hold /tmp/lab*/p1/queue/corrupt -type f | sort; find /var/mail /var/mail-state -type f | sort"},
		// What Dovecot would have delivered.
		"kopano_dagent": {"sh", "-c", "find /tmp/lab*/d1/mail -type f 2>/dev/null | sort"},
	} {
		id, err := container(name)
		if err != nil {
			t.Fatal(err)
		}
		out, err := docker(append([]string{"exec", id}, command...)...)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		w.data["held by "+name] = out
	}
	if len(w.data["held by ldap"]) < 1000 || !strings.Contains(w.data["held by db"], "kopano.versions") {
		t.Fatalf("the servers' own data cannot be read:\n%.300s\n%.300s", w.data["held by ldap"], w.data["held by db"])
	}
}

// same compares two looks.
func same(t *testing.T, before, after world) {
	t.Helper()
	for what, pair := range map[string][2][]string{
		"containers": {before.containers, after.containers}, "networks": {before.networks, after.networks},
		"volumes": {before.volumes, after.volumes}, "images": {before.images, after.images},
		"processes": {before.processes, after.processes}, "temporary files": {before.temporary, after.temporary},
	} {
		if !slices.Equal(pair[0], pair[1]) {
			t.Errorf("%s before and after:\n%q\n%q", what, pair[0], pair[1])
		}
	}
	for name := range after.data {
		if _, ok := before.data[name]; !ok {
			t.Errorf("%s is new", name)
		}
	}
	for name, was := range before.data {
		if now := after.data[name]; now != was {
			t.Errorf("%s has changed from\n%.500s\nto\n%.500s", name, was, now)
		}
	}
}

func TestNothingIsChangedOrLeftBehind(t *testing.T) {
	before := look(t)
	for _, args := range [][]string{nil, {"--from", "container"}, {"--from", "host"}} {
		if a, err := examine(args...); err != nil || a.code == 2 {
			t.Fatalf("%v: exit code %d, %v\n%s", args, a.code, err, a.stderr)
		}
	}
	same(t, before, look(t))
}

func TestNothingIsLeftBehindByHelpers(t *testing.T) {
	image := helperImage(t)
	before := look(t)
	a, err := examine("--from", "helper", "--helper-image", image)
	if err != nil {
		t.Fatal(err)
	}
	helped := 0
	for _, l := range a.report.Links {
		if l.Vantage == "helper" {
			helped++
			if l.Status != "ok" {
				t.Errorf("%s: %s %s: %s", l.ID, l.Status, l.Reason, l.Message)
			}
		}
	}
	if helped < 10 {
		t.Errorf("%d links were looked at through helpers\n%s", helped, a.describe())
	}
	same(t, before, look(t))

	// Interrupted at several moments, also while helpers run.
	for _, after := range []time.Duration{100 * time.Millisecond, 400 * time.Millisecond, 900 * time.Millisecond, 2 * time.Second} {
		command := exec.Command(doctor, "check", "--no-config", "--from", "helper", "--helper-image", image, theLab.Dir)
		command.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + theLab.Dir, "TMPDIR=" + temporary(), "SSL_CERT_FILE=" + theLab.Authority()}
		if err := command.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(after)
		_ = command.Process.Signal(syscall.SIGINT)
		_ = command.Wait()
		if code := command.ProcessState.ExitCode(); code != 130 && (after < time.Second || code != 0 && code != 3) {
			t.Errorf("interrupted after %s: exit code %d", after, code)
		}
		same(t, before, look(t))
	}
}

// helperImage makes the image of `make image` under a name of the lab's own.
func helperImage(t *testing.T) string {
	t.Helper()
	const name = "kopano-doctor-lab/helper:1"
	if out, err := exec.Command("make", "-s", "-C", theLab.Source, "image", "IMAGE="+name).CombinedOutput(); err != nil {
		t.Fatalf("make image: %v\n%s", err, out)
	}
	t.Cleanup(func() { _, _ = docker("rmi", "-f", name) })
	return name
}

// TestWithLess: without the engine, without root, and with the engine at
// another address, the doctor does what it can and says what it could not.
func TestWithLess(t *testing.T) {
	open(t, theLab.Dir)
	for _, c := range []struct {
		name string
		run  func() (answer, error)
		code []int
		says string // in the engine's note, or the reasons of links that were not checked
		ok   int    // links at least
	}{
		{"without the engine", func() (answer, error) { return examine("--engine", "none") }, []int{3}, "published", 5},
		{"with an engine that is not there", func() (answer, error) { return examine("--engine", "unix:///nowhere/docker.sock") }, []int{3}, "/nowhere/docker.sock", 5},
		{"with the engine at another address", func() (answer, error) { return examine("--engine", relayEngine(t)) }, []int{0, 3}, "", 5},
		{"without root", func() (answer, error) { return examineAsNobody() }, []int{3}, "", 5},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := c.run()
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Contains(c.code, a.code) || a.report.Summary.LinksOK < c.ok || a.report.Summary.LinksBroken > 0 {
				t.Errorf("exit code %d, %+v\n%s", a.code, a.report.Summary, a.describe())
			}
			said := a.report.Engine.Note
			for _, l := range a.report.Links {
				if l.Status == "unchecked" {
					if l.Message == "" {
						t.Errorf("%s is not checked, and nobody says why", l.ID)
					}
					said += " " + l.Message
				}
			}
			if !strings.Contains(said, c.says) {
				t.Errorf("it does not say %q: %s", c.says, said)
			}
			t.Logf("%d ok, %d not checked; %s", a.report.Summary.LinksOK, a.report.Summary.LinksUnchecked, a.report.Engine.Note)
		})
	}
}
