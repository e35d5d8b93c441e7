package finding

import "testing"

func TestSealOrdersAndFingerprints(t *testing.T) {
	at := func(file string, line int) []Location { return []Location{{File: file, Line: line, Role: Fix}} }
	in := []Finding{
		{ID: "b", Severity: Info, Subject: "x", Locations: at("a.yml", 1)},
		{ID: "a", Severity: Error, Subject: "x", Locations: at("b.yml", 9)},
		{ID: "a", Severity: Error, Subject: "x", Locations: at("b.yml", 2)},
		{ID: "c", Severity: Error, Subject: "y", Locations: at("a.yml", 7), Key: "k"},
	}
	got := Seal(in)
	order := ""
	for _, f := range got {
		order += f.ID + f.First().String() + " "
	}
	if want := "ca.yml:7 ab.yml:2 ab.yml:9 ba.yml:1 "; order != want {
		t.Errorf("order %q, want %q", order, want)
	}
	seen := map[string]bool{}
	for _, f := range got {
		if f.Fingerprint == "" || seen[f.Fingerprint] {
			t.Errorf("fingerprint %q of %s is empty or not unique", f.Fingerprint, f.ID)
		}
		seen[f.Fingerprint] = true
	}
}

func TestFingerprintSurvivesMovedLines(t *testing.T) {
	one := Seal([]Finding{{ID: "a", Subject: "s", Key: "k", Message: "old words", Locations: []Location{{File: "f", Line: 3}}}})
	two := Seal([]Finding{{ID: "a", Subject: "s", Key: "k", Message: "new words", Locations: []Location{{File: "g", Line: 30}}}})
	if one[0].Fingerprint != two[0].Fingerprint {
		t.Errorf("%s != %s", one[0].Fingerprint, two[0].Fingerprint)
	}
	other := Seal([]Finding{{ID: "a", Subject: "s", Key: "k2"}})
	if other[0].Fingerprint == one[0].Fingerprint {
		t.Error("another key must give another fingerprint")
	}
}

func TestLocationString(t *testing.T) {
	for want, l := range map[string]Location{
		"f":     {File: "f"},
		"f:3":   {File: "f", Line: 3},
		"f:3:9": {File: "f", Line: 3, Column: 9},
	} {
		if got := l.String(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}
