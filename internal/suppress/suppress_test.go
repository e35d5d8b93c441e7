package suppress

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kopano-doctor/kopano-doctor/internal/config"
	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// files is a deployment with comments in its files.
var files = map[string]string{
	"compose.yaml": `services:
  a:
    image: x
    # kopano-doctor: ignore=one because of this
    # kopano-doctor: ignore=two,three until=2027-03-31 because of that
    environment:
      A: 1 # kopano-doctor: ignore=one because it stands beside
      B: 2
    env_file: a.env
`,
	"a.env": "# kopano-doctor: ignore=one because\nC=3\n\n# kopano-doctor: ignore=live-x-refused because it is off\nD=4 # kopano-doctor: ignore=gone,one because old\n",
}

func load(t *testing.T, files map[string]string) *deployment.Deployment {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	d, err := deployment.Load(context.Background(), deployment.Options{Dir: dir})
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func at(file string, line int, role finding.Role) finding.Location {
	return finding.Location{File: file, Line: line, Column: 5, Role: role}
}

// found makes a finding.
func found(id string, places ...finding.Location) finding.Finding {
	return finding.Finding{ID: id, Severity: finding.Error, Kind: finding.Static, Subject: "a", Title: "t", Message: "m", Locations: places, Key: fmt.Sprint(places)}
}

func setup() Setup {
	return Setup{
		IDs: config.IDs{Known: []string{"one", "two", "three", "live-x-refused"}, Retired: []string{"gone"}},
		Now: time.Date(2027, 3, 1, 0, 0, 0, 0, time.UTC), AllStatic: true, AllLive: true,
	}
}

// said writes findings as "severity id file:line", those about suppressions only.
func said(fs []finding.Finding) string {
	var out []string
	for _, f := range fs {
		if strings.HasPrefix(f.ID, "suppression-") || strings.HasPrefix(f.ID, "baseline-") {
			out = append(out, fmt.Sprintf("%s %s:%d %s", f.ID, f.First().File, f.First().Line, f.Key))
		}
	}
	slices.Sort(out)
	return strings.Join(out, "\n")
}

func others(fs []finding.Finding) (ids []string) {
	for _, f := range fs {
		if !strings.HasPrefix(f.ID, "suppression-") && !strings.HasPrefix(f.ID, "baseline-") {
			ids = append(ids, f.ID)
		}
	}
	return ids
}

func TestCommentsSuppressAtTheirLine(t *testing.T) {
	d := load(t, files)
	for _, c := range []struct {
		name string
		f    finding.Finding
		gone bool
	}{
		{"below the comment, past another one", found("one", at("compose.yaml", 6, finding.Fix)), true},
		{"several rules in one comment", found("three", at("compose.yaml", 6, finding.Fix)), true},
		{"the line of the comment itself", found("one", at("compose.yaml", 4, finding.Fix)), true},
		{"two lines below", found("two", at("compose.yaml", 7, finding.Fix)), false},
		{"another rule", found("four", at("compose.yaml", 6, finding.Fix)), false},
		{"beside the value", found("one", at("compose.yaml", 7, finding.Fix)), true},
		{"below a comment beside a value", found("one", at("compose.yaml", 8, finding.Fix)), false},
		{"a place that the value came by", found("two", at("a.env", 9, finding.Fix), at("compose.yaml", 6, finding.Origin)), true},
		{"a place that only has to do with it", found("two", at("a.env", 9, finding.Fix), at("compose.yaml", 6, finding.Related)), false},
		{"a place that loses", found("two", at("a.env", 9, finding.Fix), at("compose.yaml", 6, finding.Overridden)), false},
		{"the same line of another file", found("two", at("a.env", 6, finding.Fix)), false},
		{"the whole file", found("two", at("compose.yaml", 0, finding.Fix)), false},
		{"no place", found("two"), false},
		{"without a reason", found("one", at("a.env", 2, finding.Fix)), false},
		{"in an env file, above", found("live-x-refused", at("a.env", 5, finding.Fix)), true},
		{"in an env file, beside", found("one", at("a.env", 5, finding.Fix)), true},
	} {
		for _, inline := range []bool{true, false} {
			s := setup()
			s.NoInline = !inline
			got := Apply(d, finding.Seal([]finding.Finding{c.f}), s)
			left := others(got.Findings)
			gone := len(left) == 0
			if gone != (c.gone && inline) || (len(got.Suppressed) == 1) != gone || len(got.Suppressed)+len(left) != 1 {
				t.Errorf("%s, comments %v: left %q, suppressed %d", c.name, inline, left, len(got.Suppressed))
			}
			if !inline && len(got.Findings) != 1 {
				t.Errorf("%s: comments that are not looked at are spoken of:\n%s", c.name, said(got.Findings))
			}
		}
	}
}

func TestWhatIsSaidAboutComments(t *testing.T) {
	d := load(t, files)
	hit := []finding.Finding{
		found("one", at("compose.yaml", 6, finding.Fix)), found("two", at("compose.yaml", 6, finding.Fix)), found("one", at("compose.yaml", 7, finding.Fix)),
	}
	for _, c := range []struct {
		name   string
		change func(*Setup)
		want   string
	}{
		{"all was looked at", func(*Setup) {}, `suppression-unused a.env:4 live-x-refused
suppression-unused a.env:5 gone, one
suppression-unused compose.yaml:5 three
suppression-without-reason a.env:1 one`},
		{"no link was tried", func(s *Setup) { s.AllLive = false }, `suppression-unused a.env:5 gone, one
suppression-unused compose.yaml:5 three
suppression-without-reason a.env:1 one`},
		{"a rule failed", func(s *Setup) { s.AllStatic = false }, `suppression-without-reason a.env:1 one`},
		{"the last day", func(s *Setup) { s.Now = s.Now.AddDate(0, 0, 30) }, `suppression-unused a.env:4 live-x-refused
suppression-unused a.env:5 gone, one
suppression-unused compose.yaml:5 three
suppression-without-reason a.env:1 one`},
		{"the day after", func(s *Setup) { s.Now = s.Now.AddDate(0, 0, 31) }, `suppression-expired compose.yaml:5 two, three
suppression-unused a.env:4 live-x-refused
suppression-unused a.env:5 gone, one
suppression-without-reason a.env:1 one`},
		{"unknown rules", func(s *Setup) { s.IDs = config.IDs{Known: []string{"one", "tow"}} }, `suppression-unknown-rule a.env:4 live-x-refused
suppression-unknown-rule a.env:5 gone
suppression-unknown-rule compose.yaml:5 three
suppression-unknown-rule compose.yaml:5 two
suppression-unused a.env:5 one
suppression-without-reason a.env:1 one`},
		{"switched off", func(s *Setup) {
			s.Config = &config.Config{Severity: map[string]finding.Severity{"suppression-unused": config.Off, "suppression-without-reason": finding.Error}}
		}, `suppression-without-reason a.env:1 one`},
		{"ignored", func(s *Setup) {
			s.Config = &config.Config{Ignores: []config.Ignore{{Rule: "suppression-unused", File: "*.env", Reason: "x"}}}
		}, `suppression-unused compose.yaml:5 three
suppression-without-reason a.env:1 one`},
	} {
		s := setup()
		c.change(&s)
		got := Apply(d, finding.Seal(slices.Clone(hit)), s)
		if said(got.Findings) != c.want {
			t.Errorf("%s:\n%s\nwant\n%s", c.name, said(got.Findings), c.want)
		}
		for _, f := range got.Findings {
			if !strings.HasPrefix(f.ID, "suppression-") {
				continue
			}
			if f.Message == "" || f.Title == "" || f.Remedy == "" || f.Fingerprint == "" || f.Subject == "" || f.Kind != finding.Static {
				t.Errorf("%s: incomplete: %+v", c.name, f)
			}
			if f.ID == "suppression-without-reason" && c.name == "switched off" && f.Severity != finding.Error {
				t.Errorf("the severity of %s was not changed", f.ID)
			}
			if f.ID == "suppression-unknown-rule" && strings.Contains(f.Message, `"two"`) && !strings.Contains(f.Remedy, "tow") {
				t.Errorf("the nearest name is not suggested: %s", f.Remedy)
			}
		}
	}
}

func TestARefusedDeploymentHasNoUnusedComments(t *testing.T) {
	d := load(t, map[string]string{"compose.yaml": "services:\n  a:\n    # kopano-doctor: ignore=one because x\n    image: b\n    volumes: [nowhere:/x]\n"})
	if d.Accepted {
		t.Fatal("Compose accepts the example")
	}
	if got := Apply(d, nil, setup()); len(got.Findings) != 0 {
		t.Errorf("said: %s", said(got.Findings))
	}
}

func TestEntriesOfTheFile(t *testing.T) {
	d := load(t, map[string]string{"compose.yaml": "services: {a: {image: b}}\n"})
	in := func() []finding.Finding {
		f, g := found("one", at("sub/compose.yaml", 3, finding.Fix), at("x.env", 1, finding.Related)), found("two", at("b.env", 1, finding.Origin))
		g.Subject = "kopano_server → db"
		return finding.Seal([]finding.Finding{f, g})
	}
	for _, c := range []struct {
		entry config.Ignore
		left  string
		said  string
	}{
		{config.Ignore{Rule: "one"}, "two", ""},
		{config.Ignore{Rule: "one", Subject: "a"}, "two", ""},
		{config.Ignore{Rule: "one", Subject: "b"}, "one two", "suppression-unused"},
		{config.Ignore{Rule: "two", Subject: "kopano_* → db"}, "one", ""},
		{config.Ignore{Rule: "two", Subject: "kopano_server → db"}, "one", ""},
		{config.Ignore{Rule: "one", File: "sub/*.yaml"}, "two", ""},
		{config.Ignore{Rule: "one", File: "*.yaml"}, "one two", "suppression-unused"},
		{config.Ignore{Rule: "one", File: "x.env"}, "one two", "suppression-unused"},
		{config.Ignore{Rule: "two", File: "[ab].env"}, "one", ""},
		{config.Ignore{Rule: "two", Subject: "a", File: "b.env"}, "one two", "suppression-unused"},
		{config.Ignore{Rule: "one", Until: "2027-03-01"}, "two", ""},
		{config.Ignore{Rule: "one", Until: "2027-02-28"}, "one two", "suppression-expired"},
		{config.Ignore{Rule: "three", Until: "2027-02-28"}, "one two", "suppression-expired"},
		{config.Ignore{Rule: "gone"}, "one two", "suppression-unused"},
	} {
		c.entry.Reason, c.entry.At = "because", at(".kopano-doctor.yaml", 2, finding.Fix)
		s := setup()
		s.Config = &config.Config{Ignores: []config.Ignore{c.entry}}
		got := Apply(d, in(), s)
		var ids []string
		for _, f := range got.Findings {
			if strings.HasPrefix(f.ID, "suppression-") {
				if f.ID != c.said || f.First().File != ".kopano-doctor.yaml" {
					t.Errorf("%+v: said %s at %s, want %q", c.entry, f.ID, f.First(), c.said)
				}
				c.said = ""
			}
		}
		ids = others(got.Findings)
		slices.Sort(ids)
		if strings.Join(ids, " ") != c.left || c.said != "" || len(got.Suppressed) != 2-len(ids) {
			t.Errorf("%+v: left %q, suppressed %d, not said %q", c.entry, ids, len(got.Suppressed), c.said)
		}
	}
}

func TestSeverities(t *testing.T) {
	d := load(t, map[string]string{"compose.yaml": "services: {a: {image: b}}\n"})
	s := setup()
	s.Config = &config.Config{Severity: map[string]finding.Severity{"one": finding.Info, "two": config.Off}}
	in := finding.Seal([]finding.Finding{found("one"), found("two"), found("three")})
	prints := map[string]string{}
	for _, f := range in {
		prints[f.ID] = f.Fingerprint
	}
	got := Apply(d, in, s)
	if len(got.Findings) != 2 || len(got.Suppressed) != 1 || got.Findings[0].ID != "three" || got.Findings[1].ID != "one" || got.Findings[1].Severity != finding.Info {
		t.Errorf("%+v", got)
	}
	if x := got.Suppressed[0]; x.By != BySeverity || x.Finding.ID != "two" || x.Finding.Severity != in[0].Severity {
		t.Errorf("taken out: %+v", x)
	}
	for _, f := range got.Findings {
		if f.Fingerprint != prints[f.ID] {
			t.Errorf("the fingerprint of %s changed with its severity", f.ID)
		}
	}
}

// TestFingerprintsStay: of two findings that are alike but for their number,
// suppressing the first must not give its number to the second.
func TestFingerprintsStay(t *testing.T) {
	d := load(t, map[string]string{"compose.yaml": "services:\n  a:\n    image: b # kopano-doctor: ignore=one because x\n"})
	f, g := found("one", at("compose.yaml", 3, finding.Fix)), found("one", at("compose.yaml", 4, finding.Fix))
	f.Key, g.Key = "same", "same"
	in := finding.Seal([]finding.Finding{f, g})
	want := in[1].Fingerprint
	if in[1].First().Line != 4 || !strings.HasSuffix(want, "-2") {
		t.Fatal("the order is another one")
	}
	got := Apply(d, slices.Clone(in), setup())
	if len(got.Findings) != 1 || got.Findings[0].Fingerprint != want {
		t.Errorf("%+v, want the fingerprint %s", got.Findings, want)
	}
}

func TestEased(t *testing.T) {
	d := load(t, map[string]string{"compose.yaml": "services: {a: {image: b}}\n"})
	live := func(id string, severity finding.Severity, links ...string) finding.Finding {
		f := found(id)
		f.Kind, f.Severity, f.Links = finding.Live, severity, links
		return f
	}
	static := found("three")
	static.Links = []string{"l1", "l2", "l3", "l4", "l5"}
	in := []finding.Finding{
		live("one", finding.Error, "l1", "l2", "l3"), live("two", finding.Error, "l2"), live("two", finding.Warning, "l1", "l4"), static,
	}
	s := setup()
	s.Config = &config.Config{
		Ignores:  []config.Ignore{{Rule: "one", Reason: "x"}},
		Severity: map[string]finding.Severity{},
	}
	if got := Apply(d, finding.Seal(slices.Clone(in)), s).Eased; len(got) != 2 || !got["l1"] || !got["l3"] {
		t.Errorf("eased %v, want l1 and l3: an error about l2 is left, none was seen on l4 and l5", got)
	}
	s.Config = &config.Config{Severity: map[string]finding.Severity{"one": finding.Warning, "three": config.Off}}
	if got := Apply(d, finding.Seal(slices.Clone(in)), s).Eased; len(got) != 2 || !got["l1"] || !got["l3"] {
		t.Errorf("lowered to a warning, eased %v, want l1 and l3", got)
	}
}

func TestNamesOfLiveFindings(t *testing.T) {
	if !live("live-ldap-refused") || live("alive-ldap") || live("ldap-live-x") {
		t.Error("which findings come from checks is not told by their names")
	}
}

func TestWhatIsTakenOutIsToldWithItsReason(t *testing.T) {
	d := load(t, map[string]string{"compose.yaml": "services:\n  # kopano-doctor: ignore=one until=2099-01-31 because it is known\n  a: {image: b}\n"})
	s := setup()
	s.Config = &config.Config{Ignores: []config.Ignore{
		{Rule: "one", Reason: "told twice"}, {Rule: "two", Reason: "first", Until: "2098-01-31"}, {Rule: "two", Reason: "second"},
	}}
	in := finding.Seal([]finding.Finding{found("one", at("compose.yaml", 3, finding.Fix)), found("two"), found("three")})
	known := map[string]Known{}
	for _, f := range in {
		known[f.ID] = Known{Fingerprint: f.Fingerprint, ID: f.ID}
	}
	data, err := NewBaseline([]Known{known["three"]}).JSON()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "baseline.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if s.Baseline, err = ReadBaseline(file); err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for _, x := range Apply(d, in, s).Suppressed {
		got[x.Finding.ID] = string(x.By) + ", " + x.Reason + ", " + x.Until
	}
	want := map[string]string{"one": "comment, it is known, 2099-01-31", "two": "settings, first, 2098-01-31", "three": "baseline, , "}
	if !maps.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}
