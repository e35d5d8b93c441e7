//go:build linux && lab

package bridges

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// A plant makes one fault, and gives what takes it away again.
type plant func() (undo func() error, err error)

// docker runs the engine's own program.
func docker(args ...string) (string, error) {
	out, err := exec.Command("docker", args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("docker %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func container(service string) (string, error) {
	id, err := docker("ps", "-aq", "--no-trunc", "--filter", "label=com.docker.compose.project="+theLab.Project, "--filter", "label=com.docker.compose.service="+service)
	if err == nil && id == "" {
		err = fmt.Errorf("there is no container of %s", service)
	}
	return id, err
}

// onContainer runs a command of the engine on a service's container, and
// another one to undo it.
func onContainer(service string, do, undo []string) plant {
	return func() (func() error, error) {
		id, err := container(service)
		if err != nil {
			return nil, err
		}
		_, err = docker(append(do, id)...)
		return func() error {
			_, err := docker(append(undo, id)...)
			return err
		}, err
	}
}

func stopped(service string) plant {
	return onContainer(service, []string{"stop", "-t", "3"}, []string{"start"})
}

func killed(service string) plant {
	return onContainer(service, []string{"kill"}, []string{"start"})
}

func paused(service string) plant {
	return onContainer(service, []string{"pause"}, []string{"unpause"})
}

func removed(service string) plant {
	return func() (func() error, error) {
		id, err := container(service)
		if err == nil {
			_, err = docker("rm", "-f", id)
		}
		return func() error { return recreate(service) }, err
	}
}

func disconnected(service, network string) plant {
	return func() (func() error, error) {
		id, err := container(service)
		if err == nil {
			_, err = docker("network", "disconnect", theLab.Project+"_"+network, id)
		}
		return func() error { return recreate(service) }, err
	}
}

func recreate(services ...string) error {
	if _, err := theLab.Compose(append([]string{"up", "-d", "--no-deps", "--force-recreate", "-t", "2"}, services...)...); err != nil {
		return err
	}
	return started(services...)
}

// started waits until services say in their log that they are ready, or for as
// long as a part may take at most: some faults keep it from ever being so.
func started(services ...string) error {
	for end := time.Now().Add(4 * time.Second); len(services) > 0 && time.Now().Before(end); time.Sleep(50 * time.Millisecond) {
		id, err := container(services[0])
		if err != nil {
			return err
		}
		if log, _ := docker("logs", "--tail", "200", id); strings.Contains(log, " is ready") {
			services = services[1:]
		}
	}
	return nil
}

// edit changes a file of the deployment.
type edit struct {
	file, old, new string
}

func changed(edits []edit, services ...string) plant {
	return func() (func() error, error) {
		before := map[string][]byte{}
		for _, e := range edits {
			file := filepath.Join(theLab.Dir, e.file)
			text, err := os.ReadFile(file)
			if err != nil {
				return nil, err
			}
			if before[file] == nil {
				before[file] = text
			}
			if strings.Count(string(text), e.old) != 1 {
				return nil, fmt.Errorf("%q is in %s %d times", e.old, e.file, strings.Count(string(text), e.old))
			}
			if err := os.WriteFile(file, []byte(strings.Replace(string(text), e.old, e.new, 1)), 0o600); err != nil {
				return nil, err
			}
		}
		restart := func() error {
			if len(services) == 0 {
				return nil
			}
			// All whose settings changed, as an administrator does.
			if _, err := theLab.Compose("up", "-d", "-t", "2"); err != nil {
				return err
			}
			return started(services...)
		}
		return func() error {
			for file, text := range before {
				if err := os.WriteFile(file, text, 0o600); err != nil {
					return err
				}
			}
			return restart()
		}, restart()
	}
}

// env changes a setting in .env.
func env(key, old, new string, services ...string) plant {
	return changed([]edit{{".env", "\n" + key + "=" + old + "\n", "\n" + key + "=" + new + "\n"}}, services...)
}

// behaves makes a service behave badly, as internal/lab/play/fault.go says.
// The deployment's files stay as they are: as in life, nothing in them tells.
func behaves(service, fault string) plant { return behavesWith(service, "LAB_FAULT: "+fault) }

func behavesWith(service, more string) plant {
	return func() (func() error, error) {
		file := filepath.Join(theLab.Dir, "fault.yml")
		text := "services:\n  " + service + ":\n    environment: {" + more + "}\n"
		if strings.HasPrefix(more, "\n") {
			text = "services:\n  " + service + ":" + more + "\n"
		}
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			return nil, err
		}
		files, err := theLab.composeFiles()
		if err != nil {
			return nil, err
		}
		if _, err = theLab.Compose(append(append(files, "-f", "fault.yml"), "up", "-d", "--no-deps", "-t", "2", service)...); err == nil {
			err = started(service)
		}
		return func() error { return recreate(service) }, err
	}
}

// composeFiles gives the -f arguments that COMPOSE_FILE stands for.
func (b *Bridges) composeFiles() ([]string, error) {
	text, err := os.ReadFile(filepath.Join(b.Dir, ".env"))
	if err != nil {
		return nil, err
	}
	var out []string
	for line := range strings.Lines(string(text)) {
		if names, ok := strings.CutPrefix(strings.TrimSpace(line), "COMPOSE_FILE="); ok {
			for name := range strings.SplitSeq(names, ":") {
				out = append(out, "-f", name)
			}
		}
	}
	return out, nil
}

// packets has a packet filter in a service's network drop or refuse what comes
// in at a port.
func packets(service, port, verdict string) plant {
	return func() (func() error, error) {
		filter := func(do string) error {
			id, err := container(service)
			if err != nil {
				return err
			}
			pid, err := docker("inspect", "-f", "{{.State.Pid}}", id)
			if err != nil {
				return err
			}
			args := append([]string{"-t", pid, "-n", "iptables", do, "INPUT", "-p", "tcp", "--dport", port, "-j"}, strings.Fields(verdict)...)
			if out, err := exec.Command("nsenter", args...).CombinedOutput(); err != nil {
				return fmt.Errorf("nsenter: %w\n%s", err, out)
			}
			return nil
		}
		return func() error { return filter("-D") }, filter("-I")
	}
}

// inside runs a command in a service's container.
func inside(service, do, undo string) plant {
	return func() (func() error, error) {
		run := func(command string) error {
			id, err := container(service)
			if err == nil {
				_, err = docker("exec", id, "sh", "-c", command)
			}
			return err
		}
		return func() error { return run(undo) }, run(do)
	}
}

// hosts adds a line to the hosts file of a service.
func hosts(service, line string) plant {
	return func() (func() error, error) {
		id, err := container(service)
		if err != nil {
			return nil, err
		}
		file, err := docker("inspect", "-f", "{{.HostsPath}}", id)
		if err != nil {
			return nil, err
		}
		before, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		return func() error { return os.WriteFile(file, before, 0o644) }, os.WriteFile(file, []byte(line+"\n"+string(before)), 0o644)
	}
}

// inVolume gives the folder of a volume on this machine.
func inVolume(volume string, path ...string) (string, error) {
	dir, err := docker("volume", "inspect", "-f", "{{.Mountpoint}}", theLab.Project+"_"+volume)
	return filepath.Join(append([]string{dir}, path...)...), err
}

// replaced puts other content into a file of a volume; nil removes the file.
func replaced(volume, name string, content func(old []byte) ([]byte, error)) plant {
	return func() (func() error, error) {
		file, err := inVolume(volume, name)
		if err != nil {
			return nil, err
		}
		info, err := os.Stat(file)
		if err != nil {
			return nil, err
		}
		old, err := os.ReadFile(file)
		if err != nil {
			return nil, err
		}
		undo := func() error { return os.WriteFile(file, old, info.Mode().Perm()) }
		if content == nil {
			return undo, os.Remove(file)
		}
		text, err := content(old)
		if err != nil {
			return nil, err
		}
		return undo, os.WriteFile(file, text, info.Mode().Perm())
	}
}

// socketGone removes sockets from kopano_server's volume, as an overeager
// clean-up does. Only a restart of their owner brings them back.
func socketGone(owner string, paths ...string) plant {
	return func() (func() error, error) {
		dir, err := inVolume("kopanosocket")
		for _, path := range paths {
			if err == nil {
				err = os.Remove(filepath.Join(dir, path))
			}
		}
		return func() error { return recreate(owner) }, err
	}
}

// everything runs a command of Docker Compose on the whole project.
func everything(do, undo []string) plant {
	return func() (func() error, error) {
		_, err := theLab.Compose(do...)
		return func() error {
			_, err := theLab.Compose(undo...)
			return err
		}, err
	}
}

// settled waits until what was planted shows.
func settled(wait time.Duration, p plant) plant {
	return func() (func() error, error) {
		undo, err := p()
		time.Sleep(wait)
		return undo, err
	}
}
