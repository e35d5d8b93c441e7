package report_test

import (
	"encoding/json"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kopano-doctor/kopano-doctor/internal/report"
)

const schemaFile = "../../docs/report.schema.json"

func TestJSONKeepsToTheSchema(t *testing.T) {
	schema, err := jsonschema.NewCompiler().Compile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	valid := func(text string) error {
		v, err := jsonschema.UnmarshalJSON(strings.NewReader(text))
		if err != nil {
			return err
		}
		return schema.Validate(v)
	}
	text := render(t, sample(), report.FormatJSON, report.TextOptions{})
	if err := valid(text); err != nil {
		t.Error(err)
	}
	all := report.Join(sample().Tool, "/srv", "", 2, []*report.Report{sample()})
	if err := valid(render(t, all, report.FormatJSON, report.TextOptions{})); err != nil {
		t.Error("a report over several deployments:", err)
	}
	for _, c := range [][2]string{ // what it must not let pass
		{`"severity": "error"`, `"severity": "fatal"`},
		{`"exit_code": 1`, `"exit_code": 4`},
		{`"cause": null`, `"cause": 0`},
		{`"by": "comment",`, ``},
		{`"line": 4`, `"line": "4"`},
		{`"status": "ok"`, `"status": "fine"`},
	} {
		if broken := strings.Replace(text, c[0], c[1], 1); broken == text || valid(broken) == nil {
			t.Errorf("%s passes in place of %s", c[1], c[0])
		}
	}
}

// TestSchemaHasEveryField compares the schema with the types, both ways.
func TestSchemaHasEveryField(t *testing.T) {
	data, err := os.ReadFile(schemaFile)
	if err != nil {
		t.Fatal(err)
	}
	type object struct {
		Required   []string                   `json:"required"`
		Properties map[string]json.RawMessage `json:"properties"`
		Items      json.RawMessage            `json:"items"`
		Defs       map[string]json.RawMessage `json:"$defs"`
	}
	read := func(raw json.RawMessage) (o object) {
		if err := json.Unmarshal(raw, &o); err != nil {
			t.Fatal(err)
		}
		return o
	}
	root := read(data)
	item := func(name string) object { return read(read(root.Properties[name]).Items) }
	for _, c := range []struct {
		of any
		in object
	}{
		{report.Report{}, root},
		{report.Tool{}, read(root.Properties["tool"])},
		{report.Deployment{}, read(root.Properties["deployment"])},
		{report.Engine{}, read(root.Properties["engine"])},
		{report.Summary{}, read(root.Properties["summary"])},
		{report.Service{}, item("services")},
		{report.Suppressed{}, item("suppressed")},
		{report.Finding{}, read(root.Defs["finding"])},
		{report.Evidence{}, read(root.Defs["evidence"])},
		{report.Location{}, read(root.Defs["location"])},
		{report.Link{}, read(root.Defs["link"])},
	} {
		var want, got []string
		for i, typ := 0, reflect.TypeOf(c.of); i < typ.NumField(); i++ {
			if name := typ.Field(i).Tag.Get("json"); name != "" && name != "-" {
				want = append(want, name)
			}
		}
		for name := range c.in.Properties {
			got = append(got, name)
		}
		required := slices.Sorted(slices.Values(c.in.Required))
		slices.Sort(want)
		slices.Sort(got)
		if !slices.Equal(want, got) || !slices.Equal(want, required) {
			t.Errorf("%T has %q, the schema %q, and requires %q", c.of, want, got, required)
		}
	}
}
