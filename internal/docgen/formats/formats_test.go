package formats_test

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/docgen/formats"
	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

// TestPageIsCurrent fails when docs/formats.md was not written anew after a
// change, and when a format is not on it.
func TestPageIsCurrent(t *testing.T) {
	want, err := formats.Page(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile("../../../docs/formats.md")
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("docs/formats.md is not what the formats say; run make docs (%v)", err)
	}
	for _, f := range report.Formats() {
		if !strings.Contains(string(want), "\n## "+string(f)+"\n") {
			t.Errorf("docs/formats.md does not show %s", f)
		}
	}
	if n := strings.Count(string(want), "link-host-unknown"); n < len(report.Formats())-2 { // one is shown as a picture
		t.Errorf("the fault of the example stands only %d times on the page", n)
	}
}
