package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"time"
)

// How long a server may take to start, and to stop before it is killed.
const (
	startTime = 30 * time.Second
	stopTime  = 5 * time.Second
)

// Process is a running server.
type Process struct {
	name string
	cmd  *exec.Cmd
	log  *tail
	done chan struct{}
	err  error
	stop sync.Once
}

// Run starts a server in its own process group and waits until ready gives
// nil. Its output is kept for error messages. The server ends with the lab.
func (l *Lab) Run(dir string, env []string, ready func() error, program string, args ...string) (*Process, error) {
	cmd := exec.Command(program, args...)
	cmd.Dir = dir
	cmd.Env = append([]string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL=C.UTF-8", "HOME=" + dir, "TMPDIR=" + dir}, env...)
	p := &Process{name: filepath.Base(program), cmd: cmd, log: &tail{}, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.log, p.log
	if l.Log != nil {
		both := io.MultiWriter(p.log, l.Log)
		cmd.Stdout, cmd.Stderr = both, both
	}
	cmd.WaitDelay = time.Second
	ownGroup(cmd)
	if err := p.start(); err != nil {
		return nil, err
	}
	l.OnClose(func() error { p.Stop(); return nil })
	if err := p.wait(ready); err != nil {
		p.Stop()
		return nil, fmt.Errorf("%s did not start: %w\n%s", p.name, err, p.log)
	}
	return p, nil
}

// start starts the process from a thread that lives as long as the process:
// on Linux the process is killed when the thread that started it ends.
func (p *Process) start() error {
	started := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		if err := p.cmd.Start(); err != nil {
			started <- err
			return
		}
		started <- nil
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	return <-started
}

func (p *Process) wait(ready func() error) error {
	deadline := time.After(startTime)
	var last error
	for {
		if last = ready(); last == nil {
			return nil
		}
		select {
		case <-p.done:
			return fmt.Errorf("it ended (%v)", p.err)
		case <-deadline:
			return fmt.Errorf("not ready after %s: %w", startTime, last)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// Stop ends the server and everything that it started.
func (p *Process) Stop() {
	p.stop.Do(func() {
		terminateGroup(p.cmd)
		select {
		case <-p.done:
		case <-time.After(stopTime):
		}
		killGroup(p.cmd)
		<-p.done
	})
}

// Log gives the last lines of the server's output.
func (p *Process) Log() string { return p.log.String() }

// Accepts is a ready function: something accepts connections at the address.
func Accepts(network, address string) func() error {
	return func() error {
		conn, err := net.DialTimeout(network, address, time.Second)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

// run runs a program to its end, at most for startTime.
func run(dir string, program string, args ...string) error {
	ctx, cancel := context.WithTimeout(context.Background(), startTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = dir
	cmd.WaitDelay = time.Second
	out, err := cmd.CombinedOutput()
	if err != nil {
		return fmt.Errorf("%s: %w\n%s", filepath.Base(program), errors.Join(err, ctx.Err()), lastBytes(string(out)))
	}
	return nil
}

// tail keeps the last bytes that were written to it.
type tail struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

const tailSize = 16 << 10

func (t *tail) Write(b []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf.Write(b)
	if over := t.buf.Len() - 2*tailSize; over > 0 {
		t.buf.Next(over + tailSize)
	}
	return len(b), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return lastBytes(t.buf.String())
}

func lastBytes(s string) string {
	if len(s) > tailSize {
		s = s[len(s)-tailSize:]
	}
	return strings.TrimSpace(s)
}
