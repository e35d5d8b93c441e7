package report_test

import (
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

func TestEveryFieldIsDocumented(t *testing.T) {
	data, err := os.ReadFile("../../docs/json.md")
	if err != nil {
		t.Fatal(err)
	}
	var walk func(reflect.Type)
	walk = func(s reflect.Type) {
		for s.Kind() == reflect.Slice || s.Kind() == reflect.Pointer {
			s = s.Elem()
		}
		if s.Kind() != reflect.Struct {
			return
		}
		for i := range s.NumField() {
			name := s.Field(i).Tag.Get("json")
			if name == "-" {
				continue
			}
			if s.Field(i).Anonymous {
				walk(s.Field(i).Type)
				continue
			}
			if !strings.Contains(string(data), "`"+name+"`") {
				t.Errorf("docs/json.md says nothing of the field %s of %s", name, s.Name())
			}
			walk(s.Field(i).Type)
		}
	}
	walk(reflect.TypeOf(report.Report{}))
	if !strings.Contains(string(data), report.Schema) {
		t.Errorf("docs/json.md does not name the schema %s", report.Schema)
	}
}
