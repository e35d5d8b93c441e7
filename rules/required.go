package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// requiredRules look for settings without which a link cannot work.
func requiredRules() []Rule {
	return []Rule{
		{
			ID: "link-setting-missing", Subject: "links", Severity: finding.Error,
			Title: "A setting without which a link cannot work is missing or empty",
			Why: "The start scripts stop at a setting that is not there (set -u in core/start-service.sh), and the programs' own defaults are those of a single machine: " +
				"a database on localhost without a password, a mail transport on localhost.",
			Source: "kopano-docker core/start-service.sh (set -eu)",
			Check:  settingMissing,
		},
	}
}

// missing is a required setting that is not there, or empty.
type missing struct {
	key      string
	value    *deployment.Value // nil when it is not there at all
	severity finding.Severity
	login    string // the other half of the login to a directory, when half of it or all is missing
}

// lossWhenEmpty says what a service cannot do when a setting that one of its
// links needs is empty; "" when none needs it.
func lossWhenEmpty(in *Input, s *deployment.Service, key string) string {
	if why := brokenWhenEmpty[in.Topology.Role(s)][key]; why != "" {
		return why
	}
	for _, e := range in.Topology.Edges {
		if e.From == s && slices.Contains(e.Link.Requires, key) && !slices.Contains(judgedElsewhere, key) && !strings.HasSuffix(key, "_INSECURE") {
			return e.Link.Loses
		}
	}
	return ""
}

// judgedElsewhere are required settings that rules about single values look at.
var judgedElsewhere = []string{"ENABLE_POSTFIX_VIRTUAL_TRANSPORT", "turn_uris", "turn_server_shared_secret"}

// missingSettings gives the settings without which a link cannot work and that
// From does not have.
func missingSettings(in *Input, e *kopano.Edge) []missing {
	if e.From == nil || !configured(e.From) || e.Link.ID == "server-s3" {
		return nil
	}
	var out []missing
	for _, key := range e.Link.Requires {
		v, ok := e.From.Get(key)
		if slices.Contains(judgedElsewhere, key) || strings.TrimSpace(v.Reveal()) != "" {
			continue
		}
		if isMailserver(in, e.From) && misspeltAs(e.From, key) {
			continue // mail-setting-misspelt speaks of it
		}
		m := missing{key: key, severity: finding.Error}
		if ok {
			m.value = &v
			if (sighting{e.From, v}).unset() || strings.HasSuffix(key, "_INSECURE") {
				continue // unset-variable and insecure-empty speak of it
			}
			if isBindSetting(e, key) && e.To == nil {
				if m.severity, m.login = severityOfAnonymous(in, e, key); m.severity == 0 {
					continue
				}
			}
		} else if m.severity = severityOfAbsent(e, key); m.severity == 0 {
			continue
		}
		out = append(out, m)
	}
	return out
}

// severityOfAbsent says how bad it is that a setting is not there at all: some
// programs have a default that may do.
func severityOfAbsent(e *kopano.Edge, key string) finding.Severity {
	switch {
	case isBindSetting(e, key):
		// Without both, the directory is asked anonymously. That is a
		// directory's own decision; the bundled one answers nobody (osixia/openldap).
		if e.To == nil {
			return 0
		}
	case strings.HasPrefix(key, "LDAP_QUERY_FILTER_"):
		return finding.Warning // docker-mailserver has filters of its own, for another schema
	case e.Link.To == kopano.LDAP && strings.Contains(key, "BASE"):
		if e.To == nil {
			return finding.Warning
		}
	}
	return finding.Error
}

// isBindSetting reports whether a setting is the name or the password with
// which a service logs in to the directory.
func isBindSetting(e *kopano.Edge, key string) bool {
	return e.Link.To == kopano.LDAP && (strings.Contains(key, "BIND") || strings.HasSuffix(key, "PW"))
}

// severityOfAnonymous says how bad it is that name or password for a directory
// outside is empty, and which is the other half of the login. A name without a
// password is refused (RFC 4513, 5.1.2); with neither, the directory is asked
// anonymously, which Active Directory does not answer and others may.
func severityOfAnonymous(in *Input, e *kopano.Edge, key string) (finding.Severity, string) {
	for _, other := range e.Link.Requires {
		switch {
		case other == key || !isBindSetting(e, other):
		case has(e.From, other):
			return finding.Error, other
		case slices.ContainsFunc(in.Topology.Services(kopano.Server), asksAD) && slices.Index(e.Link.Requires, key) < slices.Index(e.Link.Requires, other):
			return finding.Warning, other // said once, at the first of the two
		}
	}
	return 0, ""
}

func settingMissing(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, e := range in.Topology.Edges {
		if isFragment(e.From) {
			continue
		}
		absent := map[finding.Severity][]string{}
		for _, m := range missingSettings(in, e) {
			if m.value == nil {
				absent[m.severity] = append(absent[m.severity], m.key)
				continue
			}
			f := finding.Finding{
				Severity: m.severity, Subject: e.From.Name, Key: m.key, Links: []string{e.ID},
				Message:     m.key + " is empty on " + e.From.Name + ".",
				Consequence: e.Link.Loses,
				Remedy:      "Give " + (sighting{e.From, *m.value}).name() + " a value" + suggestion(in, e, m.key) + ".",
				Locations:   m.value.Locations(),
			}
			if m.login != "" {
				m.anonymous(e, &f)
			}
			out = append(out, f)
		}
		for _, severity := range []finding.Severity{finding.Error, finding.Warning} {
			if keys := absent[severity]; len(keys) > 0 {
				out = append(out, absentSettings(in, e, severity, keys))
			}
		}
	}
	return out
}

// anonymous says of an empty half of a login what the directory makes of it.
func (m missing) anonymous(e *kopano.Edge, f *finding.Finding) {
	f.Message = m.key + " is empty on " + e.From.Name + ", but " + m.login + " is not: a directory refuses half a login."
	f.Remedy = "Give " + (sighting{e.From, *m.value}).name() + " its value. For a directory that answers everybody, empty " + m.login + " as well."
	other, set := e.From.Get(m.login)
	if !has(e.From, m.login) {
		f.Message = m.key + " and " + m.login + " are empty on " + e.From.Name + ": Active Directory answers nobody without a login."
		f.Remedy = "Write name and password of an account that may read the directory into " + m.key + " and " + m.login + "."
	}
	if set {
		f.Locations = distinct(append(f.Locations, placed(other, finding.Related)...))
	}
}

// absentSettings is the finding of all settings of a link that are not there.
func absentSettings(in *Input, e *kopano.Edge, severity finding.Severity, keys []string) finding.Finding {
	f := finding.Finding{
		Severity: severity, Subject: e.From.Name, Key: e.Link.ID + " " + strings.Join(keys, " "), Links: []string{e.ID},
		Message:     list(keys, 9) + " are not set on " + e.From.Name + ".",
		Consequence: e.Link.Loses,
		Remedy:      "Set them on " + e.From.Name + ".",
		Locations:   []finding.Location{e.From.Locate("environment").As(finding.Fix)},
	}
	if len(keys) == 1 {
		f.Message = keys[0] + " is not set on " + e.From.Name + "."
		f.Remedy = "Set " + keys[0] + " on " + e.From.Name + suggestion(in, e, keys[0]) + "."
	}
	return f
}

// suggestion ends the remedy for a missing setting with what it should say, as
// far as that is known.
func suggestion(in *Input, e *kopano.Edge, key string) string {
	for _, p := range e.Link.Same {
		if p.From == key && p.How == kopano.Equal && p.To != "" && p.ToRole == "" {
			for _, s := range in.Topology.Services(e.Link.To) {
				if has(s, p.To) {
					return ": the value of " + p.To + " on " + s.Name
				}
			}
		}
	}
	a := e.Link.Address
	switch {
	case key == a.Setting || key == a.HostSetting:
		if good := exampleAddress(in, e); good != "" {
			return ", for example " + good
		}
	case key == a.PortSetting && a.DefaultPort != 0:
		return ": " + itoa(a.DefaultPort)
	case strings.HasSuffix(key, "_INSECURE"):
		return ": no, or yes where the certificate is self-signed"
	case isIssuer(e):
		return ": https:// and the public host name"
	}
	return ""
}
