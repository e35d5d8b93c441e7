// Package enginetest runs small deployments on the real container engine, for
// tests, and takes everything away again.
package enginetest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/client"

	"github.com/kopano-doctor/kopano-doctor/internal/lab"
)

// Image is how the compose files of tests name the image of the stand-in
// program; Start puts the real name there.
const Image = "STANDIN"

// Project is a deployment that Docker Compose has started.
type Project struct {
	Name  string
	Dir   string
	Image string
	// Name is what files name OWNNAME, and Name-shared what they name SHARED.
	// Subnet is what files name SUBNET: three numbers of an address, as 10.213.7: outside of what the engine gives to networks by itself.
	Subnet string

	t      testing.TB
	API    *client.Client
	host   string   // of the engine; "" for the one that DOCKER_HOST names, or the default
	images []string // IDs of what was imported
}

// Start writes the files (compose.yaml among them) into a folder, and runs
// `docker compose up -d` there. Everything is removed when the test ends. A
// machine without an engine skips the test, unless KOPANO_DOCTOR_CI=1.
func Start(t testing.TB, files map[string]string) *Project {
	t.Helper()
	p := Prepare(t, files)
	p.Compose("up", "-d")
	return p
}

// Prepare is Start without `docker compose up`.
func Prepare(t testing.TB, files map[string]string) *Project {
	t.Helper()
	return prepare(t, "", files)
}

// StartOn is Start on the engine at host, as Podman's: "unix:///…".
func StartOn(t testing.TB, host string, files map[string]string) *Project {
	t.Helper()
	p := prepare(t, host, files)
	p.Compose("up", "-d")
	return p
}

func prepare(t testing.TB, host string, files map[string]string) *Project {
	t.Helper()
	var options []client.Opt
	if host != "" {
		options = append(options, client.WithHost(host))
	}
	api, err := client.New(options...)
	if err == nil {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		_, err = api.Ping(ctx, client.PingOptions{NegotiateAPIVersion: true})
	}
	if err != nil {
		missing(t, "no container engine to test with: %v", err)
	}
	id := make([]byte, 4)
	_, _ = rand.Read(id)
	name := "kdt" + hex.EncodeToString(id)
	p := &Project{Name: name, Dir: filepath.Join(t.TempDir(), name), Image: "kopano-doctor-test/" + name + ":1",
		Subnet: fmt.Sprintf("10.213.%d", id[0]), t: t, API: api, host: host}
	p.importImage(p.Image)
	if err := os.Mkdir(p.Dir, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		p.Write(name, text)
	}
	t.Cleanup(p.remove)
	return p
}

func missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("KOPANO_DOCTOR_CI") == "1" {
		t.Fatalf(format, args...)
	}
	t.Skipf(format, args...)
}

// Write writes a file of the project.
func (p *Project) Write(name, text string) {
	p.t.Helper()
	name = filepath.Join(p.Dir, name)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		p.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(strings.NewReplacer(Image, p.Image, "SHARED", p.Name+"-shared", "SUBNET", p.Subnet, "OWNNAME", p.Name).Replace(text)), 0o644); err != nil {
		p.t.Fatal(err)
	}
}

// Compose runs Docker Compose in the project's folder.
func (p *Project) Compose(args ...string) string {
	p.t.Helper()
	out, err := p.compose(args...)
	if err != nil {
		p.t.Fatalf("docker compose %s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

// Try runs Docker Compose, which may fail.
func (p *Project) Try(args ...string) error {
	_, err := p.compose(args...)
	return err
}

// Disconnect takes a service's container from a network.
func (p *Project) Disconnect(service, network string) {
	p.t.Helper()
	if _, err := p.API.NetworkDisconnect(p.t.Context(), network, client.NetworkDisconnectOptions{Container: p.Container(service)}); err != nil {
		p.t.Fatal(err)
	}
}

func (p *Project) compose(args ...string) (string, error) {
	cmd := exec.Command(composeBinary(p.t), append([]string{"--progress", "quiet"}, args...)...)
	cmd.Dir = p.Dir
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + p.t.TempDir(), "PWD=" + p.Dir}
	if p.host != "" {
		cmd.Env = append(cmd.Env, "DOCKER_HOST="+p.host)
	}
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// composeBinary gives the Docker Compose that runs the projects.
func composeBinary(t testing.TB) string {
	b, err := lab.Compose()
	if err != nil {
		missing(t, "%v", err)
	}
	return b
}

// remove takes away containers, networks, volumes and the images of the test.
func (p *Project) remove() {
	if out, err := p.compose("down", "-t", "0", "-v", "--remove-orphans"); err != nil {
		p.t.Errorf("docker compose down: %v\n%s", err, out)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	// By the project's label, since the files may have changed since.
	volumes, err := p.API.VolumeList(ctx, client.VolumeListOptions{Filters: make(client.Filters).Add("label", "com.docker.compose.project="+p.Name)})
	if err != nil {
		p.t.Error(err)
	}
	for _, v := range volumes.Items {
		if _, err := p.API.VolumeRemove(ctx, v.Name, client.VolumeRemoveOptions{Force: true}); err != nil {
			p.t.Error(err)
		}
	}
	for _, id := range p.images {
		if _, err := p.API.ImageRemove(ctx, id, client.ImageRemoveOptions{Force: true}); err != nil {
			p.t.Error(err)
		}
	}
	_ = p.API.Close()
}

// Container gives the ID of a service's container.
func (p *Project) Container(service string) string {
	p.t.Helper()
	return strings.TrimSpace(p.Compose("ps", "-aq", service))
}

// importImage makes an image that holds the stand-in program and little else.
// A second image of the same name takes the name from the first.
func (p *Project) importImage(name string) {
	p.t.Helper()
	p.load(name, p.layer(), `ENTRYPOINT ["/standin"]`, `ENV FROM_IMAGE=yes`)
}

// Program makes an image that holds one program of this module, as `make image`
// does, and gives its name.
func (p *Project) Program(pkg string) string {
	p.t.Helper()
	name := "kopano-doctor-test/" + p.Name + ":program"
	data, err := os.ReadFile(p.build(pkg, "."))
	if err != nil {
		p.t.Fatal(err)
	}
	a := &archive{t: p.t}
	a.open()
	a.add(tar.Header{Name: "program", Mode: 0o755, Typeflag: tar.TypeReg}, data)
	p.load(name, a.close(), `ENTRYPOINT ["/program"]`)
	return name
}

func (p *Project) load(name string, layer io.Reader, changes ...string) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	got, err := p.API.ImageImport(ctx, client.ImageImportSource{Source: layer, SourceName: "-"}, name, client.ImageImportOptions{Changes: changes})
	if err == nil {
		_, err = io.Copy(io.Discard, got)
		_ = got.Close()
	}
	if err != nil {
		p.t.Fatalf("the image %s cannot be made: %v", name, err)
	}
	made, err := p.API.ImageInspect(ctx, name)
	if err != nil {
		p.t.Fatal(err)
	}
	p.images = append(p.images, made.ID)
}

// build compiles a program for containers, and gives its path.
func (p *Project) build(pkg, dir string) string {
	p.t.Helper()
	binary := filepath.Join(p.t.TempDir(), "program")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", binary, pkg)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		p.t.Fatalf("go build: %v\n%s", err, out)
	}
	return binary
}

// Reimport gives the image's name to a new image.
func (p *Project) Reimport() {
	p.t.Helper()
	p.importImage(p.Image)
}

// layer gives a file system with the program, and folders that tests mount over.
func (p *Project) layer() io.Reader {
	p.t.Helper()
	_, here, _, _ := runtime.Caller(0)
	data, err := os.ReadFile(p.build(".", filepath.Join(filepath.Dir(here), "standin")))
	if err != nil {
		p.t.Fatal(err)
	}
	a := &archive{t: p.t}
	a.open()
	a.add(tar.Header{Name: "standin", Mode: 0o755, Typeflag: tar.TypeReg}, data)
	for _, dir := range []string{"tmp", "run", "etc", "data"} {
		a.add(tar.Header{Name: dir + "/", Mode: 0o777, Typeflag: tar.TypeDir}, nil)
	}
	a.add(tar.Header{Name: "data/greeting", Mode: 0o640, Uid: 1234, Typeflag: tar.TypeReg}, []byte("hello from inside"))
	for name, to := range map[string]string{"data/out": "/data/greeting", "data/passwd": "/etc/passwd-of-the-host", "data/up": "../../../../../../etc/hostname"} {
		a.add(tar.Header{Name: name, Linkname: to, Typeflag: tar.TypeSymlink}, nil)
	}
	return a.close()
}

// archive writes a file system for an image.
type archive struct {
	t   testing.TB
	buf bytes.Buffer
	w   *tar.Writer
}

func (a *archive) open() { a.w = tar.NewWriter(&a.buf) }

func (a *archive) add(h tar.Header, data []byte) {
	a.t.Helper()
	h.Size, h.ModTime = int64(len(data)), time.Now()
	if err := a.w.WriteHeader(&h); err != nil {
		a.t.Fatal(err)
	}
	if _, err := a.w.Write(data); err != nil {
		a.t.Fatal(err)
	}
}

func (a *archive) close() io.Reader {
	a.t.Helper()
	if err := a.w.Close(); err != nil {
		a.t.Fatal(err)
	}
	return &a.buf
}

// AddHost writes a line into the hosts file of a service's container, as
// somebody in it would.
func (p *Project) AddHost(service, line string) {
	p.t.Helper()
	got, err := p.API.ContainerInspect(p.t.Context(), p.Container(service), client.ContainerInspectOptions{})
	if err != nil {
		p.t.Fatal(err)
	}
	f, err := os.OpenFile(got.Container.HostsPath, os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = f.WriteString(line + "\n")
		_ = f.Close()
	}
	if err != nil {
		p.t.Fatal(err)
	}
}
