package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
)

// terminal opens a pseudo-terminal: what is written to tty can be read from
// the other end.
func terminal(t *testing.T) (tty *os.File, written func() string) {
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
	tty, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	text := make(chan string, 1)
	go func() {
		all, _ := io.ReadAll(master) // ends with an error when the last one closes the terminal
		text <- string(all)
	}()
	return tty, func() string {
		tty.Close()
		return <-text
	}
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

	tty, written := terminal(t)
	c := process(args...)
	var stdout bytes.Buffer
	c.Stdout, c.Stderr = &stdout, tty
	_ = c.Run() // its exit code is not what this is about
	progress := written()
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
		tty, written := terminal(t)
		p := process("check", "--offline", dir)
		p.Env = append(p.Env, c.env)
		p.Stdout = tty
		if err := p.Run(); err != nil {
			t.Fatal(err)
		}
		if text := written(); strings.Contains(text, "\x1b[") != c.coloured {
			t.Errorf("%s: coloured %v: %q", c.env, !c.coloured, text)
		}
	}
}

func TestSignalEndsTheProcess(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": small})
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		tty, written := terminal(t)
		p := process("check", "--timeout", "30s", "--resolve", "ldap:389="+silent(t), dir)
		var stdout bytes.Buffer
		p.Stdout, p.Stderr = &stdout, tty
		if err := p.Start(); err != nil {
			t.Fatal(err)
		}
		time.Sleep(300 * time.Millisecond) // well within the 30 s that it waits
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
		if text := written(); !strings.HasSuffix(text, "\r\x1b[Kkopano-doctor: interrupted\r\n") {
			t.Errorf("%s: the terminal shows %q", s, text)
		}
	}
}
