//go:build unix

package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/checks"
	"github.com/kopano-doctor/kopano-doctor/internal/doctor"
)

func TestInterruptedRun(t *testing.T) {
	dir := folder(t, map[string]string{"compose.yaml": small})
	for _, command := range [][]string{{"check"}, {"check", "--watch"}, {"wait", "--for", "server-ldap"}} {
		testInterrupted(t, dir, command)
	}
}

func testInterrupted(t *testing.T, dir string, command []string) {
	for _, s := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		var stdout, stderr bytes.Buffer
		p := &program{
			stdin: strings.NewReader(""), stdout: &stdout, stderr: &stderr, vantage: doctor.From, now: time.Now,
			checks: map[string]checks.Check{"server-ldap": func(ctx context.Context, _ checks.Target) checks.Result {
				if err := syscall.Kill(os.Getpid(), s); err != nil {
					t.Error(err)
				}
				<-ctx.Done()
				return checks.Result{Status: checks.Broken, Reason: checks.ReasonTimeout}
			}},
		}
		start := time.Now()
		code := p.run(append([]string{"kopano-doctor"}, append(command, dir)...))
		if code != doctor.ExitInterrupted || stdout.Len() != 0 || stderr.String() != "kopano-doctor: interrupted\n" {
			t.Errorf("%s, %s: exit %d, standard output %q, standard error %q", command, s, code, &stdout, &stderr)
		}
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("%s, %s: the run went on for %s", command, s, took)
		}
	}
}
