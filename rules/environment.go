package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// environmentRules are about how names and values are written under environment.
func environmentRules() []Rule {
	return []Rule{
		{
			ID: "environment-blank", Fixable: true, Subject: "env files", Severity: finding.Warning,
			Title:  "A blank stands behind the = of a list item",
			Why:    "In - NAME= value the blank is a part of the value; only env files forgive it.",
			Source: "compose-go types/mapping.go",
			Check:  environmentBlank,
		},
		{
			ID: "environment-stray-character", Fixable: true, Subject: "env files", Severity: finding.Warning,
			Title:  "A value has a left-over character at its end",
			Why:    "A quote without its other half, a comma from JSON or the backslash of a shell command stay in the value when it is copied into a compose or env file.",
			Source: "Compose specification, environment",
			Check:  strayCharacter,
		},
		{
			ID: "environment-without-value", Subject: "env files", Severity: finding.Info,
			Title:  "A setting without a value is not set at all",
			Why:    "NAME without = in a list, or NAME: with nothing behind it, means: take it from the shell or from .env. Where neither has it, the container does not get the setting, not even an empty one.",
			Source: "Compose specification, environment; compose-go types/mapping.go",
			Check:  withoutValue,
		},
		{
			ID: "environment-name-case", Fixable: true, Subject: "settings", Severity: finding.Warning,
			Title:  "A setting is written in the wrong case",
			Why:    "The names of environment variables are case-sensitive; a start script that asks for FQDN does not see Fqdn.",
			Source: "environ(7); kopano-docker start scripts",
			Check:  environmentCase,
		},
	}
}

func environmentBlank(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) != 4 || sc.Path[0] != "services" || sc.Path[2] != "environment" || !sc.InList {
			continue
		}
		name, text, _ := strings.Cut(sc.Text, "=")
		value := strings.TrimLeft(text, " ")
		// Of the settings that kcconf.py writes another rule speaks, and Compose refuses a blank before the =.
		if value == text || value == "" || !sc.Plain || isSettingKey(name) || strings.HasSuffix(name, " ") {
			continue
		}
		out = append(out, finding.Finding{
			Subject: sc.Path[1], Key: name,
			Message:     "The value of " + name + " begins with a blank.",
			Consequence: "The program gets the blank as a part of the value; a password or a name is then wrong.",
			Remedy:      "Write " + name + "=… without a blank behind the =.",
			Locations:   []finding.Location{sc.At.As(finding.Fix)},
			Edits:       in.Deployment.ReplaceStart(sc.At, name+"="+text[:len(text)-len(value)], name+"="),
		})
	}
	return out
}

var (
	listEnd   = regexp.MustCompile(`^(yes|no|true|false|on|off|[0-9]+)[,;]$`)
	shellEnd  = regexp.MustCompile(`\s\\$`)
	quoteOnly = regexp.MustCompile(`^["'][^"'{}\[\]]+$|^[^"'{}\[\] ]+["']$`)
)

// strayIn gives a value without the character that was left over at its end.
func strayIn(text string) (better, what string) {
	switch {
	case listEnd.MatchString(text):
		return text[:len(text)-1], "the character " + text[len(text)-1:] + " at its end"
	case shellEnd.MatchString(text):
		return strings.TrimRight(text[:len(text)-1], " \t"), "a backslash at its end"
	case quoteOnly.MatchString(text):
		return strings.Trim(text, `"'`), "a quote without its other half"
	}
	return "", ""
}

func strayCharacter(in *Input) []finding.Finding {
	want := func(_ *deployment.Service, key string) bool {
		return !strings.HasPrefix(key, "CRON") && !strings.Contains(key, "SUBJECT")
	}
	return judge(in, want, func(x sighting) *verdict {
		better, what := strayIn(x.text())
		if what == "" || better == "" || x.shown() == secret.Hidden {
			return nil // a password may end in anything
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", with " + what + ".",
			consequence: "The program gets the character as a part of the value and does not recognise it.",
			remedy:      "Write " + x.name() + "=" + better,
			write:       better,
		}
	})
}

// settingsRead gives the settings that a role is known to read: what its links
// need and what breaks it when it is empty.
func settingsRead(role kopano.Role) []string {
	keys := sorted(brokenWhenEmpty[role])
	for _, l := range kopano.Links {
		if l.From == role {
			keys = append(keys, l.Requires...)
			keys = append(keys, l.Address.Setting, l.Address.HostSetting, l.Address.PortSetting)
		}
		for _, p := range l.Same {
			if l.From == role {
				keys = append(keys, p.From)
			}
			if l.To == role {
				keys = append(keys, p.To)
			}
		}
	}
	if _, core := coreRoles[role]; core {
		keys = append(keys, "SERVICE_TO_START")
	}
	return append(keys, "TZ")
}

func environmentCase(in *Input) []finding.Finding {
	want := func(s *deployment.Service, key string) bool {
		role := in.Topology.Role(s)
		// Other rules know the settings of konnect, kwmserver and Meet, and those of *.cfg files.
		return role != kopano.Unknown && !isSettingKey(strings.ToUpper(key)) &&
			!slices.Contains([]kopano.Role{kopano.Konnect, kopano.Kwmserver, kopano.Kwmbridge, kopano.Meet, kopano.Kapps}, role)
	}
	return judge(in, want, func(x sighting) *verdict {
		key := x.value.Key
		read := settingsRead(in.Topology.Role(x.service))
		i := slices.IndexFunc(read, func(r string) bool { return strings.EqualFold(r, key) })
		if i < 0 || slices.Contains(read, key) {
			return nil
		}
		v := &verdict{
			key:         true,
			message:     key + " is not read; the setting is called " + read[i] + ".",
			consequence: "The setting has no effect.",
			remedy:      "Write " + read[i],
			rename:      read[i],
		}
		if _, both := x.service.Get(read[i]); both {
			v.remedy = "Delete it; " + read[i] + " is there as well."
		}
		return v
	})
}

func withoutValue(in *Input) []finding.Finding {
	var fs []finding.Finding
	for _, sc := range in.Deployment.Scalars() {
		if len(sc.Path) != 4 || sc.Path[0] != "services" || sc.Path[2] != "environment" {
			continue
		}
		key := sc.Path[3]
		bare := sc.InList && !strings.Contains(sc.Text, "=") || !sc.InList && sc.Tag == "!!null"
		s, ok := in.Deployment.Service(sc.Path[1])
		// Settings for a proxy are handed on where there are any.
		if !bare || !ok || strings.HasSuffix(strings.ToLower(key), "_proxy") || in.Topology.Role(s) == kopano.Unknown {
			continue
		}
		if _, set := s.Get(key); set {
			continue
		}
		with, empty := key+"=…", key+"="
		if !sc.InList {
			with, empty = key+`: "…"`, key+`: ""`
		}
		fs = append(fs, finding.Finding{
			Subject: s.Name, Key: key,
			Message:     key + " has no value, and neither .env nor the shell gives it one, so " + s.Name + " does not get it.",
			Consequence: "The program works with its default, or says that the setting is missing and stops.",
			Remedy:      "Write " + with + " here, or define " + key + " in .env. Where empty is meant, write " + empty,
			Locations:   []finding.Location{sc.KeyAt.As(finding.Fix)},
		})
	}
	return append(fs, bareLines(in)...)
}

// settingLike is what names of settings look like.
var settingLike = regexp.MustCompile(`^[A-Z]{2,}(?:_[A-Z0-9]+)*$`)

// bareLines looks at lines of env files that are a name and nothing else.
func bareLines(in *Input) []finding.Finding {
	var fs []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			got := slices.ContainsFunc(f.Services, func(name string) bool {
				s, ok := in.Deployment.Service(name)
				if !ok {
					return false
				}
				_, set := s.Get(l.Key)
				return set
			})
			// A line of anything else may be a piece of a key that was pasted in.
			if !l.Bare || l.Bad != "" || !settingLike.MatchString(l.Key) || len(f.Services) == 0 || got || strings.HasSuffix(strings.ToLower(l.Key), "_proxy") {
				continue
			}
			fs = append(fs, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:   l.Key + " stands in " + f.File + " without an =, and neither .env nor the shell gives it a value, so " + list(f.Services, 3) + " does not get it.",
				Remedy:    "Write " + l.Key + "=VALUE",
				Locations: []finding.Location{l.At.As(finding.Fix)},
			})
		}
	}
	return fs
}
