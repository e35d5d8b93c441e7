package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
)

// screen is the reading end of a pseudo-terminal.
type screen struct {
	tty    *os.File // what a process writes to
	mu     sync.Mutex
	text   strings.Builder
	closed chan struct{}
}

// terminal opens a pseudo-terminal.
func terminal(t *testing.T) *screen {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { master.Close() })
	if err := unix.IoctlSetPointerInt(int(master.Fd()), unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(int(master.Fd()), unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	s := &screen{closed: make(chan struct{})}
	if s.tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0); err != nil {
		t.Fatal(err)
	}
	go func() {
		defer close(s.closed)
		_, _ = io.Copy(s, master) // ends with an error when the last one closes the terminal
	}()
	return s
}

// Write takes what appears on the screen.
func (s *screen) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.text.Write(p)
}

// shows waits until a text has appeared.
func (s *screen) shows(t *testing.T, text string) {
	t.Helper()
	for range 3000 {
		s.mu.Lock()
		found := strings.Contains(s.text.String(), text)
		s.mu.Unlock()
		if found {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("%q does not appear on the terminal", text)
}

// all closes the terminal and gives everything that was written to it.
func (s *screen) all() string {
	s.tty.Close()
	<-s.closed
	return s.text.String()
}

// process gives the program as a process of its own.
func process(args ...string) *exec.Cmd {
	c := exec.Command(os.Args[0], args...)
	c.Env = []string{asProgram + "=1", "LANG=C.UTF-8", "TERM=xterm"}
	return c
}

func TestProgressIsShownOnATerminalOnly(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": small})
	args := []string{"check", "--timeout", "200ms", "--resolve", "ldap:389=" + silent(t), dir}

	screen := terminal(t)
	c := process(args...)
	var stdout bytes.Buffer
	c.Stdout, c.Stderr = &stdout, screen.tty
	_ = c.Run() // its exit code is not what this is about
	progress := screen.all()
	if !strings.Contains(progress, "checking 0 of ") || !strings.Contains(progress, "waiting for kopano_server → ldap") {
		t.Errorf("no progress on the terminal: %q", progress)
	}
	if !strings.HasSuffix(progress, "\r\x1b[K") {
		t.Errorf("the line of progress stays: %q", progress)
	}
	if strings.Contains(stdout.String(), "\x1b") || !strings.HasPrefix(stdout.String(), "kopano-doctor ") {
		t.Errorf("standard output: %q", stdout.String())
	}

	var stderr bytes.Buffer
	c = process(args...)
	c.Stdout, c.Stderr = io.Discard, &stderr
	_ = c.Run()
	if stderr.Len() != 0 {
		t.Errorf("without a terminal standard error has %q", &stderr)
	}
}

func TestColoursOnATerminal(t *testing.T) {
	dir := harmless(t)
	for _, c := range []struct {
		env      string
		coloured bool
	}{{"A=b", true}, {"NO_COLOR=1", false}, {"TERM=dumb", false}} {
		screen := terminal(t)
		p := process("check", "--offline", dir)
		p.Env = append(p.Env, c.env)
		p.Stdout = screen.tty
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		if text := screen.all(); strings.Contains(text, "\x1b[") != c.coloured {
			t.Errorf("%s: coloured %v: %q", c.env, !c.coloured, text)
		}
	}
}

func TestSignalEndsTheProcess(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": small})
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		screen := terminal(t)
		p := process("check", "--timeout", "30s", "--resolve", "ldap:389="+silent(t), dir)
		var stdout bytes.Buffer
		p.Stdout, p.Stderr = &stdout, screen.tty
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		screen.shows(t, "waiting for kopano_server → ldap")
		start := time.Now()
		if err := p.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
		_ = p.Wait()
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: the process went on for %s", s, took)
		}
		if code := p.ProcessState.ExitCode(); code != doctor.ExitInterrupted || stdout.Len() != 0 {
			t.Errorf("%s: exit %d, standard output %q", s, code, &stdout)
		}
		if text := screen.all(); !strings.HasSuffix(text, "\r\x1b[Kkopano-doctor: interrupted\r\n") {
			t.Errorf("%s: the terminal shows %q", s, text)
		}
	}
}

func TestWaitOnATerminal(t *testing.T) {
	screen := terminal(t)
	p := process("wait", "--engine", "none", "--for", "server-database", "--timeout", "2s", "--resolve", "db:3306="+nobody(t), full)
	p.Stderr = screen.tty
	_ = p.Run() // its exit code is not what this is about
	text := screen.all()
	if !strings.Contains(text, "s of 2s: 0 of 1 link works; kopano_server → db") || !strings.Contains(text, "\r\x1b[Kwaited ") || !strings.Contains(text, "\r\x1b[Kkopano-doctor: after 2s, kopano_server → db does not work yet") {
		t.Errorf("%q", text)
	}
	if strings.Contains(text, "\nwaited") || strings.Count(text, "\n") != 1 {
		t.Errorf("more than one line stays: %q", text)
	}
}

func TestWatchOnATerminal(t *testing.T) {
	screen := terminal(t)
	p := process("check", "--watch", "--offline", "--interval", "1s", harmless(t))
	p.Stdout, p.Stderr = screen.tty, screen.tty
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	screen.shows(t, "nothing has changed; Ctrl-C ends")
	_ = p.Process.Signal(syscall.SIGINT)
	_ = p.Wait()
	if text := screen.all(); p.ProcessState.ExitCode() != doctor.ExitInterrupted || !strings.HasSuffix(text, "\r\x1b[Kkopano-doctor: interrupted\r\n") {
		t.Errorf("exit %d: %q", p.ProcessState.ExitCode(), text)
	}
}
