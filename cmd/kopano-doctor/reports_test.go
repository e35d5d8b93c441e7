package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func TestSeveralReportsOfOneRun(t *testing.T) {
	dir, to := folder(t, map[string]string{"docker-compose.yml": small}), t.TempDir()
	args := []string{"check", "--offline", dir}
	for _, f := range report.Formats() {
		args = append(args, "--report", string(f)+"="+filepath.Join(to, string(f)))
	}
	got := run(t, nil, args...)
	if !strings.HasPrefix(got.stdout, "kopano-doctor ") || got.stderr != "" {
		t.Errorf("standard output is not the text: %q, %q", got.stdout, got.stderr)
	}
	for _, f := range report.Formats() {
		data, err := os.ReadFile(filepath.Join(to, string(f)))
		alone := run(t, nil, "check", "--offline", "--format", string(f), dir)
		if err != nil || len(data) == 0 || alone.code != got.code {
			t.Errorf("%s: %v, exit %d and %d", f, err, got.code, alone.code)
		}
		if f != report.FormatText && f != report.FormatJSON && f != report.FormatPrometheus && f != report.FormatHTML && string(data) != alone.stdout { // these tell how long it took
			t.Errorf("--report %s and --format %s differ", f, f)
		}
	}
}

func TestAReportTakesThePlaceOfTheTextOnStandardOutput(t *testing.T) {
	dir := harmless(t)
	file := filepath.Join(t.TempDir(), "report")
	got := run(t, nil, "check", "--offline", dir, "--report", "github=-", "--report", "json="+file)
	if !strings.HasPrefix(got.stdout, "::") || strings.Contains(got.stdout, "kopano-doctor test: project") {
		t.Errorf("standard output: %s", got.stdout)
	}
	got = run(t, nil, "check", "--offline", dir, "--output", file, "--report", "junit=-")
	data, err := os.ReadFile(file)
	if err != nil || !strings.HasPrefix(string(data), "kopano-doctor ") || !strings.HasPrefix(got.stdout, "<?xml") {
		t.Errorf("%v: %s\n%s", err, data, got.stdout)
	}
}

func TestReportsThatContradictEachOther(t *testing.T) {
	dir, file := harmless(t), filepath.Join(t.TempDir(), "report")
	for _, args := range [][]string{
		{"--report", "bogus=" + file},
		{"--report", "sarif"},
		{"--report", "sarif="},
		{"--report", "sarif=" + t.TempDir()},
		{"--report", "sarif=" + filepath.Join(file, "nowhere", "x")},
		{"--report", "sarif=-", "--report", "junit=-"},
		{"--report", "sarif=" + file, "--report", "junit=" + file},
		{"--report", "sarif=" + file, "--output", file},
		{"--format", "json", "--report", "sarif=-"},
	} {
		got := run(t, nil, append([]string{"check", "--offline", dir}, args...)...)
		if got.code != 2 || got.stdout != "" || !strings.Contains(got.stderr, "--report") {
			t.Errorf("%q: exit %d, %q, %q", args, got.code, got.stdout, got.stderr)
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%q: something was written", args)
		}
	}
}

func TestAReportThatCannotBeWrittenSpoilsNoOther(t *testing.T) {
	to := t.TempDir()
	good := filepath.Join(to, "good")
	var stdout strings.Builder
	p := &program{stdout: &stdout}
	// A folder in the way, as one that came after the places were looked at.
	err := p.writeReports([]destination{
		{report.FormatJSON, &output{file: to}}, {report.FormatSARIF, &output{file: good}}, {report.FormatText, &output{stdout: &stdout}},
	}, &report.Report{}, "never", false)
	if err == nil {
		t.Error("no error")
	}
	if _, err := os.Stat(good); err != nil || stdout.Len() == 0 {
		t.Errorf("the other reports are missing: %v, %q", err, stdout.String())
	}
}
