package config

import (
	"encoding/json"
	"path"
	"slices"
	"strconv"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/nearest"
	"github.com/kopano-doctor/kopano-doctor/internal/vantage"
)

// fill takes over what a value that fits the schema says, and looks at what a
// schema cannot know.
func (r *reader) fill(c *Config, value any, name string) {
	top, _ := value.(map[string]any)
	c.ExternalHosts = texts(top["external-hosts"])
	r.span(top, "timeout")
	r.span(top, "deadline")
	resolve := texts(top["resolve"])
	for i := range resolve {
		if _, err := vantage.ParsePins(resolve[:i+1]); err != nil {
			r.wrong(r.node([]string{"resolve", strconv.Itoa(i)}), "%v", err)
			break
		}
	}
	if n, ok := object(top, "thresholds")["certificate-days"].(json.Number); ok {
		days, _ := n.Float64() // the schema wants a whole number, which may be written 30.0
		c.CertificateDays = int(days)
	}
	for name, v := range top {
		if c.Keys == nil {
			c.Keys = map[string]Key{}
		}
		at := r.file.At(r.node([]string{name}))
		c.Keys[name] = Key{Values: asFlag(v), At: at}
	}
	c.Severity = map[string]finding.Severity{}
	for id, word := range object(top, "severity") {
		r.known(id, r.key([]string{"severity", id}))
		text, _ := word.(string)
		c.Severity[id] = severities()[text]
	}
	list, _ := top["ignore"].([]any)
	for i, entry := range list {
		fields, _ := entry.(map[string]any)
		c.Ignores = append(c.Ignores, r.ignore([]string{"ignore", strconv.Itoa(i)}, fields, name))
	}
}

func severities() map[string]finding.Severity {
	return map[string]finding.Severity{"error": finding.Error, "warning": finding.Warning, "info": finding.Info, "off": Off}
}

func (r *reader) ignore(at []string, fields map[string]any, name string) Ignore {
	text := func(key string) string {
		s, _ := fields[key].(string)
		return s
	}
	i := Ignore{Rule: text("rule"), Subject: text("subject"), File: text("file"), Reason: text("reason"), Until: text("until")}
	r.known(i.Rule, r.node(step(at, "rule")))
	for _, key := range []string{"subject", "file"} {
		if _, err := path.Match(text(key), ""); err != nil {
			r.wrong(r.node(step(at, key)), "%s is no pattern: a [ without its ], or a backslash at the end", show(text(key)))
		}
	}
	if i.Until != "" {
		if _, err := time.Parse(time.DateOnly, i.Until); err != nil {
			r.wrong(r.node(step(at, "until")), "%s", badPattern("until", i.Until))
		}
	}
	i.At = r.file.At(r.node(at))
	i.At.File, i.At.Role, i.At.Excerpt = name, finding.Fix, r.file.Line(i.At.Line)
	return i
}

// known wants an ID that findings may have.
func (r *reader) known(id string, at *yaml.Node) {
	if slices.Contains(r.ids.Known, id) || slices.Contains(r.ids.Retired, id) {
		return
	}
	if near, ok := nearest.Of(id, r.ids.Known); ok {
		r.wrong(at, "there is no rule %s; %s was probably meant", show(id), near)
		return
	}
	r.wrong(at, "there is no rule %s; `kopano-doctor rules` lists them", show(id))
}

// asFlag gives a value as the command line would; nil for what no flag takes.
func asFlag(v any) []string {
	switch v := v.(type) {
	case string:
		return []string{v}
	case bool:
		return []string{strconv.FormatBool(v)}
	}
	return texts(v)
}

// span wants a time of more than nothing.
func (r *reader) span(top map[string]any, key string) {
	text, ok := top[key].(string)
	if !ok {
		return
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		r.wrong(r.node([]string{key}), "%s must be a time of more than 0, and is %s", key, show(text))
	}
}

func texts(v any) []string {
	list, _ := v.([]any)
	var out []string
	for _, x := range list {
		if s, ok := x.(string); ok {
			out = append(out, s)
		}
	}
	return out
}
