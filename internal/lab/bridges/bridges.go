//go:build linux

// Package bridges runs the bundled deployment, all its services and networks,
// on a real container engine: the lab. Its containers play their parts with
// real servers and stand-ins (internal/lab/play), on bridge networks as Docker
// Compose makes them, from an image that is built here.
package bridges

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// Bridges is the lab: a folder with the deployment, and the project of Docker
// Compose that runs it.
type Bridges struct {
	Dir     string // of the deployment
	Source  string // the root of this repository
	Project string
	Address string // of this machine, where the deployment's ports are published
	FQDN    string
	compose string
}

// New gives the lab in a folder, which need not exist. Source is the root of
// the repository.
func New(source, dir string) (*Bridges, error) {
	compose, err := lab.Compose()
	if err != nil {
		return nil, err
	}
	return &Bridges{Dir: dir, Source: source, Project: "kopanodoctorlab", Address: "127.0.77.1", FQDN: "kopano.example.org", compose: compose}, nil
}

// Write writes the deployment into the lab's folder: the bundled one, what ties
// it to the lab, and the certificate that a public authority would give.
func (b *Bridges) Write() error {
	if _, err := os.Stat(filepath.Join(b.Dir, ".env")); err == nil { // its containers have files of the folder mounted
		if err := b.Down(); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(b.Dir); err != nil {
		return err
	}
	if err := os.CopyFS(b.Dir, os.DirFS(filepath.Join(b.Source, "testdata/deployments/full"))); err != nil {
		return err
	}
	override, err := os.ReadFile(filepath.Join(b.Source, "testdata/lab/docker-compose.lab.yml"))
	if err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(b.Dir, "docker-compose.lab.yml"), override, 0o644); err != nil {
		return err
	}
	return errors.Join(b.mountData(), b.writeEnv(), b.WriteCertificate(lab.LeafOptions{Names: []string{b.FQDN}}))
}

// data is where the small disk of kopano_server's data is mounted.
func (b *Bridges) data() string { return filepath.Join(filepath.Dir(b.Dir), "data") }

func (b *Bridges) mountData() error {
	if err := errors.Join(b.unmountData(), os.MkdirAll(b.data(), 0o755)); err != nil {
		return err
	}
	return os.NewSyscallError("mount", syscall.Mount("tmpfs", b.data(), "tmpfs", 0, "size=64m"))
}

func (b *Bridges) unmountData() error {
	switch err := syscall.Unmount(b.data(), syscall.MNT_DETACH); err {
	case nil, syscall.EINVAL, syscall.ENOENT: // nothing is mounted there
		return nil
	default:
		return os.NewSyscallError("umount", err)
	}
}

// writeEnv adds the lab's own settings to .env.
func (b *Bridges) writeEnv() error {
	file := filepath.Join(b.Dir, ".env")
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	set := map[string]string{"COMPOSE_PROJECT_NAME": b.Project, "POSTMASTER_ADDRESS": "anna@example.org"}
	var lines []string
	for line := range strings.Lines(string(text)) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if new, ok := set[key]; ok {
			line = key + "=" + new + "\n"
		} else if key == "COMPOSE_FILE" {
			line = key + "=" + value + ":docker-compose.lab.yml\n"
		}
		lines = append(lines, line)
	}
	// These two are bound to 127.0.0.1 in the compose files.
	lines = append(lines, "\ndocker_repo=kopano-doctor-lab\nKOPANOSPORT=20237\nLDAPPORT=20389\n")
	for _, port := range []string{"HTTP=80", "HTTPS=443", "IMAPPORT=143", "SMTPPORT=25", "SMTPSPORT=465", "MSAPORT=587"} {
		name, number, _ := strings.Cut(port, "=")
		lines = append(lines, fmt.Sprintf("%s=%s:%s\n", name, b.Address, number))
	}
	return os.WriteFile(file, []byte(strings.Join(lines, "")), 0o600)
}

// WriteCertificate gives web a certificate, by the authority of the lab.
func (b *Bridges) WriteCertificate(o lab.LeafOptions) error {
	dir := filepath.Join(b.Dir, "tls")
	ca, err := b.authority(dir)
	if err != nil {
		return err
	}
	leaf, err := ca.Issue(o)
	if err != nil {
		return err
	}
	return errors.Join(os.WriteFile(filepath.Join(dir, "cert.pem"), leaf.CertPEM(), 0o644), os.WriteFile(filepath.Join(dir, "key.pem"), leaf.KeyPEM(), 0o644))
}

// authorities keeps the lab's authorities of this process, by folder.
var authorities = map[string]*lab.CA{}

func (b *Bridges) authority(dir string) (*lab.CA, error) {
	if ca := authorities[dir]; ca != nil {
		if _, err := os.Stat(filepath.Join(dir, "ca.pem")); err == nil {
			return ca, nil
		}
	}
	ca, err := lab.NewCA("Lab")
	if err != nil {
		return nil, err
	}
	authorities[dir] = ca
	return ca, errors.Join(os.MkdirAll(dir, 0o755), os.WriteFile(filepath.Join(dir, "ca.pem"), ca.PEM(), 0o644))
}

// Authority is the file with the certificate of the lab's authority.
func (b *Bridges) Authority() string { return filepath.Join(b.Dir, "tls", "ca.pem") }

// Images makes the images of the deployment.
func (b *Bridges) Images() error {
	play := filepath.Join(b.Source, "bin", "lab", "play")
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", play, "./internal/lab/play")
	build.Dir, build.Env = b.Source, append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("go build: %w\n%s", err, out)
	}
	names, err := b.Compose("config", "--images")
	if err != nil {
		return err
	}
	make := exec.Command(filepath.Join(b.Source, "testdata/lab/images.sh"), append([]string{play}, strings.Fields(names)...)...)
	make.Stderr = os.Stderr
	return make.Run()
}

// Compose runs Docker Compose on the lab's deployment and gives what it printed.
func (b *Bridges) Compose(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, b.compose, append([]string{"--progress", "quiet"}, args...)...)
	cmd.Dir = b.Dir
	// Nothing of this process' environment may take part in the deployment.
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + b.Dir, "PWD=" + b.Dir, "DOCKER_HOST=" + os.Getenv("DOCKER_HOST")}
	if os.Getenv("DOCKER_HOST") == "" {
		cmd.Env = cmd.Env[:3]
	}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("docker compose %s: %w\n%s", strings.Join(args, " "), err, errs.String())
	}
	return out.String(), nil
}

// Up starts everything.
func (b *Bridges) Up() error {
	_, err := b.Compose("up", "-d", "--remove-orphans")
	return err
}

// Down takes everything away again but the images.
func (b *Bridges) Down() error {
	_, err := b.Compose("down", "-t", "1", "-v", "--remove-orphans")
	err = errors.Join(err, b.unmountData())
	if err != nil && strings.Contains(err.Error(), "has active endpoints") {
		// Docker 20.10 at times forgets to take a container from a network when
		// many end at once, and keeps the network for ever; it does no harm, and
		// the next start uses it again.
		fmt.Fprintln(os.Stderr, "lab: the engine keeps an empty network:", err)
		return nil
	}
	return err
}
