//go:build linux && lab

package bridges

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// open lets everybody read the lab's folder.
func open(t *testing.T, dir string) {
	t.Helper()
	for _, name := range []string{dir, filepath.Join(dir, "tls")} {
		if err := os.Chmod(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Chmod(filepath.Join(dir, ".env"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.Chmod(filepath.Join(dir, ".env"), 0o600) })
}

// relayEngine gives the engine a second address, over TCP on loopback.
func relayEngine(t *testing.T) string {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				engine, err := net.Dial("unix", "/var/run/docker.sock")
				if err != nil {
					return
				}
				defer engine.Close()
				go func() { _, _ = io.Copy(engine, conn) }()
				_, _ = io.Copy(conn, engine)
			}()
		}
	}()
	return "tcp://" + listener.Addr().String()
}

// examineAsNobody runs the doctor as a user who may ask no engine and enter no
// container, from a copy of everything that such a user can read.
func examineAsNobody() (answer, error) {
	dir, err := os.MkdirTemp("", "lab-nobody")
	if err != nil {
		return answer{}, err
	}
	defer os.RemoveAll(dir)
	if err := os.Chmod(dir, 0o755); err != nil {
		return answer{}, err
	}
	if err := os.CopyFS(filepath.Join(dir, "deployment"), os.DirFS(theLab.Dir)); err != nil {
		return answer{}, err
	}
	if err := os.Chmod(filepath.Join(dir, "deployment", ".env"), 0o644); err != nil {
		return answer{}, err
	}
	program, err := os.ReadFile(doctor)
	if err != nil {
		return answer{}, err
	}
	copied := filepath.Join(dir, "kopano-doctor")
	if err := os.WriteFile(copied, program, 0o755); err != nil {
		return answer{}, err
	}
	command := exec.Command(copied, "check", "--no-config", "--format", "json", "--timeout", "2s", filepath.Join(dir, "deployment"))
	command.Env = []string{"PATH=/usr/bin:/bin", "HOME=/nonexistent", "SSL_CERT_FILE=" + filepath.Join(dir, "deployment/tls/ca.pem")}
	command.Dir = "/"
	command.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	_ = command.Run()
	a := answer{code: command.ProcessState.ExitCode(), stderr: errs.String()}
	return a, json.Unmarshal(out.Bytes(), &a.report)
}
