package suppress

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

func written(t *testing.T, b *Baseline) *Baseline {
	t.Helper()
	data, err := b.JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "baseline.json")
	if err := os.WriteFile(file, data, 0o644); err != nil {
		t.Fatal(err)
	}
	read, err := ReadBaseline(file)
	if err != nil {
		t.Fatal(err)
	}
	return read
}

func TestBaseline(t *testing.T) {
	d := load(t, map[string]string{"compose.yaml": "services: {a: {image: b}}\n"})
	old := finding.Seal([]finding.Finding{found("one"), found("two"), found("live-x-refused")})
	var known []Known
	for _, f := range old {
		known = append(known, Known{f.Fingerprint, f.ID, f.Subject})
	}
	s := setup()
	s.Baseline = written(t, NewBaseline(known))

	moved := found("one")
	moved.Severity, moved.Message = finding.Warning, "said in other words"
	got := Apply(d, finding.Seal([]finding.Finding{moved, found("two"), found("live-x-refused")}), s)
	if len(got.Findings) != 0 || len(got.Suppressed) != 3 {
		t.Errorf("what is known is reported: %+v", got)
	}

	for _, c := range []struct {
		name    string
		allLive bool
		now     []finding.Finding
		left    string
		says    string
	}{
		{"one is gone, one is new", true, []finding.Finding{found("one"), found("live-x-refused"), found("three")}, "three", "One finding of the baseline is gone"},
		{"two are gone", true, []finding.Finding{found("one")}, "", "2 findings of the baseline are gone"},
		{"offline", false, []finding.Finding{found("one"), found("two")}, "", ""},
		{"offline, one is gone", false, []finding.Finding{found("one")}, "", "One finding of the baseline is gone"},
	} {
		s.AllLive = c.allLive
		got := Apply(d, finding.Seal(c.now), s)
		says := ""
		for _, f := range got.Findings {
			if f.ID == "baseline-unused" {
				says = f.Message
			}
		}
		if strings.Join(others(got.Findings), " ") != c.left || !strings.HasPrefix(says, c.says) || (says == "") != (c.says == "") {
			t.Errorf("%s: left %q, said %q", c.name, others(got.Findings), says)
		}
	}
}

func TestBaselineIsTheSameForTheSameFindings(t *testing.T) {
	a, errA := NewBaseline([]Known{{"3", "b", "x"}, {"2", "a", "y"}, {"1", "a", "y"}, {"4", "a", "<x> → y"}}).JSON()
	b, errB := NewBaseline([]Known{{"4", "a", "<x> → y"}, {"1", "a", "y"}, {"2", "a", "y"}, {"3", "b", "x"}}).JSON()
	if errA != nil || errB != nil || string(a) != string(b) || !strings.Contains(string(a), "<x> → y") {
		t.Errorf("%v %v\n%s\n%s", errA, errB, a, b)
	}
	empty, err := NewBaseline(nil).JSON()
	if err != nil || !strings.Contains(string(empty), `"findings": []`) {
		t.Errorf("%v: %s", err, empty)
	}
}

func TestBaselinesThatCannotBeRead(t *testing.T) {
	dir := t.TempDir()
	for name, c := range map[string]struct{ text, want string }{
		"empty":      {"", "empty:1:1: this is no baseline"},
		"no JSON":    {"{\n  \"schema\": x\n}\n", "no JSON:2:13: this is no baseline"},
		"cut off":    {"{\n  \"schema\": \"", "this is no baseline"},
		"wrong type": {"{\n  \"schema\": \"kopano-doctor/baseline/v1\",\n  \"findings\": [3]}\n", "wrong type:3:"},
		"no list":    {"{\"schema\": \"kopano-doctor/baseline/v1\", \"findings\": {}}", "this is no baseline"},
		"report":     {`{"schema": "kopano-doctor/report/v1", "findings": []}`, `must be "kopano-doctor/baseline/v1"`},
		"other":      {`[]`, "this is no baseline"},
		"no print":   {`{"schema": "kopano-doctor/baseline/v1", "findings": [{"fingerprint": "1"}, {"id": "a"}]}`, "entry 2 has no fingerprint"},
	} {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(c.text), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := ReadBaseline(file); err == nil || !strings.Contains(err.Error(), c.want) || !strings.HasPrefix(err.Error(), dir) {
			t.Errorf("%s: error %v, want %q", name, err, c.want)
		}
	}
	for file, want := range map[string]string{dir: "not a regular file", filepath.Join(dir, "none"): "no such file"} {
		if _, err := ReadBaseline(file); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error %v, want %q", file, err, want)
		}
	}
	large := filepath.Join(dir, "large")
	if f, err := os.Create(large); err != nil || f.Truncate(maxBaseline+1) != nil || f.Close() != nil {
		t.Fatal(err)
	}
	if _, err := ReadBaseline(large); err == nil || !strings.Contains(err.Error(), "larger than") {
		t.Errorf("a large file: error %v", err)
	}
}
