package enginetest

import (
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Podman starts Podman's service on a socket of its own, with images, containers
// and networks that no other Podman of this machine sees, and gives its address.
// It ends with the test. Where there is no Podman, or this user is not root, the
// test is skipped, unless KOPANO_DOCTOR_CI=1.
func Podman(t testing.TB) string {
	t.Helper()
	program, err := exec.LookPath("podman")
	if err != nil {
		missing(t, "no Podman to test with: %v", err)
	}
	if os.Getuid() != 0 {
		missing(t, "a Podman with networks of its own needs root")
	}
	dir := t.TempDir()
	// Podman wants more open files for its containers than this process may have.
	settings := filepath.Join(dir, "containers.conf")
	if err := os.WriteFile(settings, []byte("[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=4096:4096\"]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "podman.sock")
	at := func(name string) string { return filepath.Join(dir, name) }
	args := []string{"--root", at("root"), "--runroot", at("run"), "--tmpdir", at("tmp"), "--network-config-dir", at("net"),
		"--storage-driver", "vfs", "--cgroup-manager", "cgroupfs", "--events-backend", "file"}
	var said strings.Builder
	cmd := exec.Command(program, append(args, "system", "service", "--time=0", "unix://"+socket)...)
	cmd.Env = append(os.Environ(), "CONTAINERS_CONF="+settings)
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { _ = cmd.Wait(); close(ended) }()
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		select {
		case <-ended:
		case <-time.After(10 * time.Second):
			_ = cmd.Process.Kill()
			<-ended
		}
	})
	for range 100 {
		if conn, err := net.Dial("unix", socket); err == nil {
			_ = conn.Close()
			return "unix://" + socket
		}
		select {
		case <-ended:
			t.Fatalf("podman system service ended: %s", said.String())
		case <-time.After(50 * time.Millisecond):
		}
	}
	t.Fatal("podman system service does not listen")
	return ""
}
