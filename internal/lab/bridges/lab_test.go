//go:build linux && lab

package bridges

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// these tests share one lab: to start it takes longer than all else.
var (
	theLab *Bridges
	doctor string // the program
)

func TestMain(m *testing.M) { os.Exit(runAll(m)) }

func runAll(m *testing.M) int {
	source, err := filepath.Abs("../../..")
	if err != nil {
		return fail(err)
	}
	doctor = filepath.Join(source, "bin", "lab", "kopano-doctor")
	build := exec.Command("go", "build", "-o", doctor, "./cmd/kopano-doctor")
	build.Dir = source
	if out, err := build.CombinedOutput(); err != nil {
		return fail(fmt.Errorf("%w\n%s", err, out))
	}
	if theLab, err = New(source, filepath.Join(source, "bin", "lab", "deployment")); err != nil {
		return fail(err)
	}
	if os.Getenv("KOPANO_DOCTOR_LAB_KEEP") == "" { // for whoever works on the tests: use the lab that runs, and leave it
		for _, step := range []func() error{theLab.Write, theLab.Images, theLab.Up} {
			if err := step(); err != nil {
				return fail(err)
			}
		}
		defer theLab.Down()
	}
	if err := os.MkdirAll(temporary(), 0o755); err != nil {
		return fail(err)
	}
	if err := waitUntilWell(90 * time.Second); err != nil {
		return fail(err)
	}
	return m.Run()
}

func fail(err error) int {
	fmt.Fprintln(os.Stderr, "lab:", err)
	return 1
}

// answer is what the doctor said.
type answer struct {
	code   int
	report report.Report
	stderr string
	took   time.Duration
}

// temporary is the doctor's own folder for temporary files.
func temporary() string { return filepath.Join(theLab.Source, "bin", "lab", "tmp") }

// examine runs the doctor on the lab.
func examine(args ...string) (answer, error) {
	return examineWith(nil, args...)
}

func examineWith(env []string, args ...string) (answer, error) {
	command := exec.Command(doctor, append(append([]string{"check", "--no-config", "--format", "json", "--timeout", "2s"}, args...), theLab.Dir)...)
	command.Env = append([]string{"PATH=" + os.Getenv("PATH"), "HOME=" + theLab.Dir, "TMPDIR=" + temporary(), "SSL_CERT_FILE=" + theLab.Authority()}, env...)
	var out, errs bytes.Buffer
	command.Stdout, command.Stderr = &out, &errs
	start := time.Now()
	err := command.Run()
	a := answer{code: command.ProcessState.ExitCode(), stderr: errs.String(), took: time.Since(start)}
	if jsonErr := json.Unmarshal(out.Bytes(), &a.report); jsonErr != nil {
		return a, fmt.Errorf("%v: %w\n%s", err, jsonErr, errs.String())
	}
	return a, nil
}

// waitUntilWell waits until the doctor finds nothing wrong.
func waitUntilWell(limit time.Duration) error {
	for start := time.Now(); ; time.Sleep(200 * time.Millisecond) {
		a, err := examine()
		if err != nil {
			return err
		}
		if a.code == 0 && a.report.Summary.LinksUnchecked == 0 {
			return nil
		}
		if time.Since(start) > limit {
			return fmt.Errorf("not well after %s: exit code %d\n%s", limit, a.code, a.describe())
		}
	}
}

// describe gives the errors, a line each.
func (a answer) describe() string {
	var b strings.Builder
	for _, f := range a.report.Findings {
		if f.Severity == finding.Error.String() {
			fmt.Fprintf(&b, "  %s (%s) cause=%v: %s\n", f.ID, f.Subject, f.Cause != nil, f.Message)
		}
	}
	for _, l := range a.report.Links {
		if l.Status != "ok" {
			fmt.Fprintf(&b, "  link %s %s %s: %s\n", l.ID, l.Status, l.Reason, l.Message)
		}
	}
	return b.String()
}

// roots gives the errors that no other finding explains.
func (a answer) roots() []report.Finding {
	var out []report.Finding
	for _, f := range a.report.Findings {
		if f.Severity == finding.Error.String() && f.Cause == nil {
			out = append(out, f)
		}
	}
	return out
}

func TestHealthy(t *testing.T) {
	a, err := examine()
	if err != nil {
		t.Fatal(err)
	}
	if a.code != 0 || a.report.Summary.LinksBroken+a.report.Summary.LinksUnchecked+a.report.Summary.Errors+a.report.Summary.Warnings != 0 {
		t.Errorf("exit code %d, %+v\n%s", a.code, a.report.Summary, a.describe())
	}
	slowest := 0.0
	for _, l := range a.report.Links {
		slowest = max(slowest, float64(l.DurationMS)/1000)
	}
	// All links are tried at once.
	if took := float64(a.report.DurationMS) / 1000; took > slowest+1 {
		t.Errorf("the run took %.2f s, and the slowest link %.2f s", took, slowest)
	}
	t.Logf("%d links ok in %s; the slowest took %.2f s", a.report.Summary.LinksOK, a.took.Round(time.Millisecond), slowest)
}
