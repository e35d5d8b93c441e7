package rulebook_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/rulebook"
)

// TestEveryFieldIsDocumented looks for the fields of the JSON list in the manual.
func TestEveryFieldIsDocumented(t *testing.T) {
	page, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	_, part, ok := strings.Cut(string(page), "\n## The list of rules\n")
	if !ok {
		t.Fatal("docs/json.md has no part about the list of rules")
	}
	for _, s := range []any{rulebook.Entry{}, rulebook.Examples{}, rulebook.Example{}, rulebook.Finding{}, rulebook.Place{}} {
		for f := range fieldsOf(s) {
			if !strings.Contains(part, "`"+f+"`") {
				t.Errorf("docs/json.md says nothing of the field %s of %T", f, s)
			}
		}
	}
}

func fieldsOf(s any) map[string]bool {
	out := map[string]bool{}
	typ := reflect.TypeOf(s)
	for i := range typ.NumField() {
		out[typ.Field(i).Tag.Get("json")] = true
	}
	return out
}
