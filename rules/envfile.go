package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// envFileRules are about .env and the *.env files, line by line.
func envFileRules() []Rule {
	return []Rule{
		{
			ID: "env-file-value-overridden", Subject: "env files", Severity: finding.Warning,
			Title:  "A setting in an env file has no effect",
			Why:    "environment: in a compose file beats env_file: (Compose specification). kopano_server.env and the like can only add settings that docker-compose.yml does not have.",
			Source: "Compose specification, env_file",
			Check:  envOverridden,
		},
		{
			ID: "env-file-duplicate", Fixable: true, Subject: "env files", Severity: finding.Warning,
			Title:  "A name is set twice in one env file",
			Why:    "The last line counts, without a word. Whoever changes the first one wonders why nothing happens.",
			Source: "compose-go dotenv/parser.go; kopano-docker setup-update-tag.sh",
			Check:  envDuplicate,
		},
		{
			ID: "environment-duplicate", Fixable: true, Subject: "env files", Severity: finding.Warning,
			Title:  "A setting is given twice in one environment list",
			Why:    "In a list the last entry counts, without a word (in a mapping Compose refuses the second).",
			Source: "compose-go override/uncity.go",
			Check:  environmentDuplicate,
		},
		{
			ID: "env-file-dollar", Fixable: true, Subject: "env files", Severity: finding.Error,
			Title: "A dollar sign cuts a value short",
			Why: "Compose 2 takes $name in an unquoted or double-quoted value for a variable; when there is none of that name, nothing takes its place. Compose 1 left the dollar sign alone. " +
				"In single quotes both leave it alone.",
			Source: "compose-go dotenv/parser.go; docker/compose issue 9704",
			Since:  "Docker Compose 2",
			Check:  envDollar,
		},
		{
			ID: "env-file-two-readings", Fixable: true, Subject: "env files", Severity: finding.Info,
			Title:  "Compose 1 and Compose 2 read a line differently",
			Why:    "docker-compose 1.29 and docker compose 2 differ in quotes, escapes, colons and comments of env files; a deployment that moves from one to the other gets another value.",
			Source: "compose-go dotenv/parser.go; python-dotenv parser.py",
			Check:  envTwoReadings,
		},
		{
			ID: "env-file-secret-hash", Fixable: true, Subject: "env files", Severity: finding.Info,
			Title:  "A password with a # in it is not in quotes",
			Why:    "Compose 2.0 to 2.5 took a # in an unquoted value for the beginning of a comment (docker/compose issue 9509); other releases do so only after a blank.",
			Source: "docker/compose issue 9509",
			Since:  "Docker Compose 2.0 to 2.5",
			Check:  envSecretHash,
		},
		{
			ID: "env-file-line-ends", Fixable: true, Subject: "env files", Severity: finding.Warning,
			Title:  "An env file was written on Windows",
			Why:    "Compose copes with CR LF line ends and a byte order mark, but setup.sh, the Makefile and other scripts read .env with the shell, where the CR becomes a part of each value.",
			Source: "docker/compose issues 5220 and 9799; kopano-docker Makefile",
			Check:  envLineEnds,
		},
		{
			ID: "quotes-kept", Fixable: true, Subject: "env files", Severity: finding.Warning,
			Title:  "Quotes have become a part of the value",
			Why:    "In a list item such as - KEY=\"value\" the quotes are inside a YAML text and stay in the value. (In .env they are removed.)",
			Source: "YAML plain scalars; kopano-docker issue 333",
			Check:  quotesKept,
		},
	}
}

// envLineAt finds the env file line that a location names.
func envLineAt(in *Input, l finding.Location) (*deployment.EnvFile, *deployment.EnvLine) {
	for _, f := range in.Deployment.EnvFiles {
		if f.File != l.File {
			continue
		}
		for i := range f.Lines {
			if line := &f.Lines[i]; line.At.Line <= l.Line && l.Line <= max(line.At.Line, line.LastLine) {
				return f, line
			}
		}
	}
	return nil, nil
}

func envOverridden(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for _, key := range s.Keys() {
			v := s.Env[key]
			if v.Source == deployment.FromEnvFile {
				continue
			}
			for _, o := range v.Overridden {
				f, line := envLineAt(in, o)
				if f == nil || line.Key != key || line.Bad != "" || line.Reveal() == v.Reveal() {
					continue
				}
				loses, wins := quote(line.String()), quote(v.String())
				if line.IsSecret() || v.IsSecret() {
					loses, wins = secret.Hidden, "another one"
				}
				locations := []finding.Location{line.At.As(finding.Fix)}
				for _, l := range placed(v, finding.Related) {
					if l.String() != line.At.String() && l.String() != o.String() {
						locations = append(locations, l)
					}
				}
				out = append(out, finding.Finding{
					Subject: s.Name, Key: key,
					Message:     key + " is " + loses + " in " + f.File + ", but the compose file gives it " + wins + ", and that counts.",
					Consequence: "The line in " + f.File + " has no effect.",
					Remedy:      "Set it under environment of " + s.Name + " in docker-compose.override.yml, and name that file in COMPOSE_FILE; or delete the line.",
					Locations:   distinct(locations),
				})
			}
		}
	}
	return out
}

func envDuplicate(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		last := map[string]deployment.EnvLine{}
		for _, l := range f.Lines {
			if l.Bad != "" {
				continue
			}
			before, again := last[l.Key]
			last[l.Key] = l
			if !again || before.Reveal() == l.Reveal() {
				continue
			}
			out = append(out, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     l.Key + " is set twice with different values; the one in line " + itoa(l.At.Line) + " counts.",
				Consequence: "Whoever changes line " + itoa(before.At.Line) + " changes nothing.",
				Remedy:      "Delete the line that is wrong.",
				Locations:   []finding.Location{l.At.As(finding.Fix), before.At.As(finding.Overridden)},
				Edits:       withoutLoser(in, f, before),
			})
		}
	}
	return out
}

// withoutLoser gives the edit that deletes the line that does not count, unless
// another line takes its value from it.
func withoutLoser(in *Input, f *deployment.EnvFile, l deployment.EnvLine) []finding.Edit {
	if slices.ContainsFunc(f.Lines, func(o deployment.EnvLine) bool { return slices.Contains(o.References, l.Key) }) {
		return nil
	}
	return in.Deployment.Delete(l.At)
}

func environmentDuplicate(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		for _, key := range s.Keys() {
			v := s.Env[key]
			if v.Source != deployment.FromEnvironment {
				continue
			}
			for _, o := range v.Overridden {
				// Another file may well override; the same list has no reason to.
				if o.File != v.At.File || !sameList(in, s, v.At, o) || sameText(in, s, v.At, o) {
					continue
				}
				out = append(out, finding.Finding{
					Subject: s.Name, Key: key,
					Message:     key + " is given twice in one list; the entry in line " + itoa(v.At.Line) + " counts.",
					Consequence: "Whoever changes line " + itoa(o.Line) + " changes nothing.",
					Remedy:      "Delete the entry that is wrong.",
					Locations:   append([]finding.Location{v.At.As(finding.Fix)}, o.As(finding.Overridden)),
					Edits:       in.Deployment.Delete(o),
				})
			}
		}
	}
	return out
}

// variableInText finds what Compose 2 takes for variables in an env file's value.
var variableInText = regexp.MustCompile(`\$(?:\{[^}]*\}|[A-Za-z_][A-Za-z0-9_]*)`)

func envDollar(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		defined := definedNames(in, f)
		for _, l := range f.Lines {
			if !cutByDollar(l, defined) {
				continue
			}
			out = append(out, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     "The value of " + l.Key + " has a dollar sign in it, and Compose 2 takes what follows for a variable that does not exist.",
				Consequence: "The containers get the value with a part missing; a password is then wrong.",
				Remedy:      "Put the value in single quotes: " + l.Key + "='…'",
				Locations:   []finding.Location{l.ValueAt.As(finding.Fix)},
				Edits:       in.Deployment.QuoteEnv(l.ValueAt, l.Compose1.Reveal()),
			})
		}
	}
	return out
}

// cutByDollar reports whether a value loses a part to a dollar sign.
func cutByDollar(l deployment.EnvLine, defined map[string]bool) bool {
	if l.Bad != "" || l.Quote == '\'' || l.Reveal() == l.Compose1.Reveal() {
		return false
	}
	var missing []string
	for _, name := range l.References {
		if !defined[name] {
			missing = append(missing, name)
		}
	}
	// ${NAME} is meant as a variable; a bare $ in the middle of a word is an accident.
	return len(missing) > 0 && accidental(l, missing)
}

// linesCut gives the lines of env files of which env-file-dollar speaks.
func linesCut(in *Input) map[finding.Location]bool {
	lines := map[finding.Location]bool{}
	for _, f := range in.Deployment.EnvFiles {
		defined := definedNames(in, f)
		for _, l := range f.Lines {
			if !cutByDollar(l, defined) {
				continue
			}
			for n := l.At.Line; n <= max(l.At.Line, l.LastLine); n++ {
				lines[finding.Location{File: f.File, Line: n}] = true
			}
		}
	}
	return lines
}

// accidental reports whether a reference looks like part of a word: written
// without braces.
func accidental(l deployment.EnvLine, missing []string) bool {
	for _, m := range variableInText.FindAllString(l.Raw.Reveal(), -1) {
		if !strings.HasPrefix(m, "${") && contains(missing, strings.TrimPrefix(m, "$")) {
			return true
		}
	}
	return false
}

// definedNames gives the variables that a line of an env file can refer to:
// those of the project's env files and of the file itself.
func definedNames(in *Input, own *deployment.EnvFile) map[string]bool {
	names := map[string]bool{}
	for _, f := range in.Deployment.EnvFiles {
		if !f.Project && f != own {
			continue
		}
		for _, l := range f.Lines {
			names[l.Key] = true
		}
	}
	return names
}

func envTwoReadings(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			if l.Bad != "" || l.Bare || l.Reveal() == l.Compose1.Reveal() || len(l.References) > 0 || afterQuote(l) || len(swallowed(l)) > 0 {
				continue
			}
			one, two := quote(l.Compose1.String()), quote(l.String())
			what := "Compose 1 reads " + l.Key + " as " + one + ", Compose 2 as " + two + "."
			if l.IsSecret() {
				what = "Compose 1 and Compose 2 read different values for " + l.Key + "."
			}
			out = append(out, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     what,
				Consequence: "When the administrator moves to the other Compose, the containers get another value.",
				Remedy:      "Write " + l.Key + "='…' in single quotes, and comments on a line of their own.",
				Locations:   []finding.Location{l.At.As(finding.Fix)},
				Edits:       in.Deployment.QuoteEnv(l.At, l.Reveal()),
			})
		}
	}
	return out
}

func envSecretHash(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			if l.Bad != "" || l.Quote != 0 || !l.IsSecret() || !strings.Contains(l.Raw.Reveal(), "#") || cutOff(l) {
				continue
			}
			out = append(out, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     "The value of " + l.Key + " has a # in it and is not in quotes; Compose 2.0 to 2.5 cut it off there.",
				Consequence: "With such a Compose the containers get the first part of the password only, and are refused.",
				Remedy:      "Put the value in single quotes: " + l.Key + "='…'",
				Locations:   []finding.Location{l.ValueAt.As(finding.Fix)},
				Edits:       in.Deployment.QuoteEnv(l.ValueAt, l.Reveal()),
			})
		}
	}
	return out
}

func envLineEnds(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		var what []string
		if f.BOM {
			what = append(what, "begins with a byte order mark")
		}
		if f.CRLF {
			what = append(what, "has line ends of Windows (CR LF)")
		}
		if len(what) == 0 {
			continue
		}
		out = append(out, finding.Finding{
			Subject: f.File, Key: "line ends",
			Message:     f.File + " " + list(what, 2) + ".",
			Consequence: "Scripts that read the file with the shell get values with an invisible character at the end or in the first name.",
			Remedy:      "Run dos2unix " + f.File + ", or save it as UTF-8 with line ends of Unix (LF).",
			Locations:   []finding.Location{{File: f.File, Line: 1, Role: finding.Fix}},
			Edits:       in.Deployment.UnixLines(f.File),
		})
	}
	return out
}

func quotesKept(in *Input) []finding.Finding {
	want := func(*deployment.Service, string) bool { return true }
	return judge(in, want, func(x sighting) *verdict {
		if x.value.Source != deployment.FromEnvironment || !inQuotes(x.text()) {
			return nil
		}
		return &verdict{
			message:     "The quotes around the value of " + x.value.Key + " are a part of it.",
			consequence: "The program gets the value with quotes and does not recognise it.",
			remedy:      "Leave the quotes out, or put them around the whole item: - \"" + x.value.Key + "=…\"", // the value may be a secret of another name
			edits:       in.Deployment.Unquote(x.value.At),
		}
	})
}

// inQuotes reports whether a value stands in quotes of its own.
func inQuotes(text string) bool {
	if len(text) < 2 {
		return false
	}
	q := text[0]
	return (q == '"' || q == '\'') && text[len(text)-1] == q && strings.Count(text, string(q)) == 2
}
