package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// envLineRules are about lines of env files that say something else than they
// seem to, and about env files that nobody reads.
func envLineRules() []Rule {
	return []Rule{
		{
			ID: "env-file-value-cut", Subject: "env files", Severity: finding.Warning,
			Title:  "A password is cut off at a #",
			Why:    "In a value without quotes everything from a blank and a # on is a comment, to every release of Compose.",
			Source: "compose-go dotenv/parser.go; python-dotenv parser.py",
			Check:  envCut,
		},
		{
			ID: "env-file-quote-runs-on", Subject: "env files", Severity: finding.Warning,
			Title:  "A value swallows the lines below it",
			Why:    "A value in quotes goes on to the next quote of its kind, over line ends. Where the closing quote was forgotten, the settings up to the next quote become a part of it.",
			Source: "compose-go dotenv/parser.go",
			Check:  envRunsOn,
		},
		{
			ID: "env-file-text-after-quote", Subject: "env files", Severity: finding.Warning,
			Title:  "Something stands behind the closing quote",
			Why:    "Compose 2 ends the value at the quote and takes the rest of the line for another name; Compose 1 passes over the whole line.",
			Source: "compose-go dotenv/parser.go; python-dotenv parser.py",
			Check:  envAfterQuote,
		},
		{
			ID: "env-file-blank-before-equals", Subject: "env files", Severity: finding.Info,
			Title:  "A blank stands before the =",
			Why:    "Compose takes NAME = value for NAME=value, but a shell that reads .env, as setup-update-tag.sh does, takes NAME for a program to run.",
			Source: "kopano-docker setup-update-tag.sh",
			Check:  envBlankBefore,
		},
		{
			ID: "env-file-name-case", Subject: "env files", Severity: finding.Warning,
			Title:  "A name differs from the one in use by its capital letters only",
			Why:    "Names of variables are case-sensitive to Compose: fqdn and FQDN are two.",
			Source: "Compose specification, interpolation",
			Check:  envNameCase,
		},
		{
			ID: "env-file-not-loaded", Subject: "env files", Severity: finding.Warning,
			Title:  "An env file lies in the folder, and nothing reads it",
			Why:    "Compose reads .env, and of the others only those that a service lists under env_file.",
			Source: "Compose specification, env_file",
			Check:  envNotLoaded,
		},
	}
}

// commentLike reports whether the rest of a line is clearly a comment.
func commentLike(rest string) bool {
	return rest == "" || rest == "#" || strings.HasPrefix(rest, "# ") || strings.HasPrefix(rest, "#\t") || strings.HasPrefix(rest, "##")
}

// cutOff reports whether a secret loses its end to what looks like a comment.
func cutOff(l deployment.EnvLine) bool {
	return l.Bad == "" && !l.Bare && l.Quote == 0 && l.IsSecret() && !commentLike(l.Rest.Reveal())
}

func envCut(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			if !cutOff(l) {
				continue
			}
			out = append(out, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     "The value of " + l.Key + " ends before the blank and the # in it; Compose takes the rest for a comment.",
				Consequence: "The containers get the first part of the password only, and are refused where the whole is expected.",
				Remedy:      "Put all of it in single quotes: " + l.Key + "='…'. If a comment is meant, write a blank behind the #.",
				Locations:   []finding.Location{l.ValueAt.As(finding.Fix)},
			})
		}
	}
	return out
}

// assignmentInside finds the settings that a value has swallowed. Lower-case
// names may well be a part of a text over several lines.
var assignmentInside = regexp.MustCompile(`(?m)^[ \t]*(?:export[ \t]+)?([A-Z][A-Z0-9_]+)=`)

// swallowed gives the names that a value over several lines takes in.
func swallowed(l deployment.EnvLine) []string {
	if l.Quote == 0 || l.LastLine <= l.At.Line {
		return nil
	}
	_, below, _ := strings.Cut(l.Raw.Reveal(), "\n")
	var names []string
	for _, m := range assignmentInside.FindAllStringSubmatch(below, -1) {
		names = append(names, m[1])
	}
	return names
}

func envRunsOn(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for i, l := range f.Lines {
			names := swallowed(l)
			if l.Bad != "" || len(names) == 0 || badOnLine(f, i+1, l.LastLine) {
				continue
			}
			v := finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     "The value of " + l.Key + " goes on to line " + itoa(l.LastLine) + " and takes in " + list(names, 5) + ".",
				Consequence: "What it takes in is not set, and " + l.Key + " has text in it that nobody wrote there.",
				Remedy:      "Close the quote in line " + itoa(l.At.Line) + ".",
				Locations:   []finding.Location{l.ValueAt.As(finding.Fix)},
			}
			if slices.ContainsFunc(names, func(n string) bool { return undefined(in, n) }) {
				v.Severity = finding.Error
			}
			out = append(out, v)
		}
	}
	return out
}

// badOnLine reports whether the next assignment of a file stands on a line and
// cannot be read; Compose refuses the file then, and that finding tells why.
func badOnLine(f *deployment.EnvFile, i, line int) bool {
	return i < len(f.Lines) && f.Lines[i].At.Line == line && f.Lines[i].Bad != ""
}

func envAfterQuote(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		for i, l := range f.Lines {
			if !afterQuote(l) || len(swallowed(l)) > 0 || badOnLine(f, i+1, l.LastLine) {
				continue
			}
			consequence := "The containers get a part of the value, and nothing of what stands behind it."
			if l.IsSecret() {
				consequence = "The containers get the first part of the password only, and are refused where the whole is expected."
			}
			out = append(out, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     "Behind the closing quote of " + l.Key + " the line goes on; the value ends at the quote.",
				Consequence: consequence,
				Remedy:      "Put the quotes around the whole value; in single quotes everything but ' stands for itself. Comments begin with a blank and a #.",
				Locations:   []finding.Location{l.ValueAt.As(finding.Fix)},
			})
		}
	}
	return out
}

// afterQuote reports whether there is text behind a value in quotes.
func afterQuote(l deployment.EnvLine) bool {
	rest := l.Rest.Reveal()
	return l.Bad == "" && l.Quote != 0 && rest != "" && rest[0] != '#'
}

func envBlankBefore(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		if !f.Project {
			continue
		}
		var places []finding.Location
		var names []string
		for _, l := range f.Lines {
			if l.Bad != "" || l.Bare || !blankBefore(textAt(in, l.At), l.Key) {
				continue
			}
			names = append(names, l.Key)
			role := finding.Related
			if len(places) == 0 {
				role = finding.Fix
			}
			places = append(places, l.At.As(role))
		}
		if len(places) == 0 {
			continue
		}
		out = append(out, finding.Finding{
			Subject: f.File, Key: "blank",
			Message:     "There is a blank before the = of " + list(names, 6) + ".",
			Consequence: "The administrator's scripts that read the file with the shell stop there, or go on without the setting.",
			Remedy:      "Write " + names[0] + "=… without blanks around the =.",
			Locations:   places,
		})
	}
	return out
}

// blankBefore looks at what follows the name in a line.
func blankBefore(text, key string) bool {
	rest := strings.TrimPrefix(text, key)
	trimmed := strings.TrimLeft(rest, " \t")
	return len(trimmed) < len(rest) && strings.HasPrefix(trimmed, "=")
}

// textAt gives the rest of the line at a place of a file, "" when there is none.
func textAt(in *Input, at finding.Location) string {
	text, _ := in.Deployment.TextAt(at)
	return text.Reveal()
}

func envNameCase(in *Input) []finding.Finding {
	used := usedVariables(in)
	inUse := map[string]string{} // by the name in small letters
	for _, f := range in.Deployment.EnvFiles {
		for _, l := range f.Lines {
			if f.Project && l.Bad == "" && isUsed(used, l.Key) {
				inUse[strings.ToLower(l.Key)] = l.Key
			}
		}
	}
	var out []finding.Finding
	for _, f := range in.Deployment.EnvFiles {
		if !f.Project || len(f.Services) > 0 {
			continue // as an env_file it hands everything over, whatever the case
		}
		for _, l := range f.Lines {
			name := inUse[strings.ToLower(l.Key)]
			if l.Bad != "" || name == "" || isUsed(used, l.Key) || strings.HasSuffix(strings.ToLower(l.Key), "_proxy") {
				continue
			}
			other := definition(in, name)
			out = append(out, finding.Finding{
				Subject: f.File, Key: l.Key,
				Message:     l.Key + " is set, but the compose files use ${" + name + "}, which has a line of its own.",
				Consequence: "The line has no effect: capital and small letters make two names.",
				Remedy:      "Set " + name + " in line " + itoa(other.At.Line) + ", and delete this line.",
				Locations:   []finding.Location{l.At.As(finding.Fix), other.At.As(finding.Related)},
			})
		}
	}
	return out
}

// windowsNames are what .env becomes when an editor of Windows saves it.
var windowsNames = []string{"env", "env.txt", ".env.txt"}

func envNotLoaded(in *Input) []finding.Finding {
	noDotEnv := !slices.ContainsFunc(in.Deployment.EnvFiles, func(f *deployment.EnvFile) bool { return f.Project })
	var out []finding.Finding
	for _, name := range in.Deployment.EnvBeside {
		f := finding.Finding{
			Subject: name, Key: name,
			Consequence: "Nothing that is written in it has any effect.",
			Locations:   []finding.Location{{File: name, Role: finding.Fix}},
		}
		service := ownerOf(in, name)
		switch twin := twinOf(in, name); {
		case slices.Contains(windowsNames, name):
			if !noDotEnv || len(in.Deployment.Unset) == 0 {
				continue
			}
			f.Message = name + " lies in the folder, but there is no .env, which Compose looks for."
			f.Remedy = "Rename it: mv " + name + " .env"
		case wantedAs(in, name):
			continue // the finding about the missing file tells to rename it
		case in.Deployment.MentionedElsewhere(name):
			continue // a compose file that is not loaded today needs it
		case twin != "":
			f.Message = name + " is read by nothing; the services read " + twin + "."
			f.Remedy = "Move what is in it to " + twin + "."
		case service != nil:
			f.Message = name + " bears the name of " + service.Name + ", which does not list it under env_file."
			f.Remedy = "Add it to the service: env_file: [" + name + "]"
			f.Locations = append(f.Locations, service.At.As(finding.Related))
		default:
			continue // it may be for another program
		}
		out = append(out, f)
	}
	return out
}

// sameButSigns compares names of files without regard to case, - and _.
func sameButSigns(a, b string) bool {
	fold := func(s string) string { return strings.ReplaceAll(strings.ToLower(s), "-", "_") }
	return fold(a) == fold(b)
}

// twinOf gives the env file in use whose name is nearly the same.
func twinOf(in *Input, name string) string {
	for _, f := range in.Deployment.EnvFiles {
		if sameButSigns(f.File, name) {
			return f.File
		}
	}
	return ""
}

// ownerOf gives the service after which an env file is named.
func ownerOf(in *Input, name string) *deployment.Service {
	stem := strings.TrimSuffix(name, ".env")
	for _, s := range in.Deployment.Services {
		// The images of others have settings that nobody here knows of.
		if sameButSigns(s.Name, stem) && in.Topology.Role(s) != kopano.Unknown && !fragment(s) {
			return s
		}
	}
	return nil
}

// wantedAs reports whether a service wants the file under another name.
func wantedAs(in *Input, name string) bool {
	return slices.ContainsFunc(in.Deployment.Problems, func(p deployment.Problem) bool {
		return p.Kind == deployment.EnvFileMissing && besideMissing(in, p.Key) == name
	})
}

// besideMissing gives the file of the folder that an env file which does not
// exist was meant to be.
func besideMissing(in *Input, missing string) string {
	if near, ok := nearestOf(missing, in.Deployment.EnvBeside); ok && !onlyDigitsDiffer(missing, near) && ownerOf(in, near) == nil {
		return near
	}
	for _, name := range in.Deployment.EnvBeside {
		if sameButSigns(name, missing) {
			return name
		}
	}
	return ""
}

// explained gives the reason why Compose cannot read a line of an env file,
// where it stands further up: a quote that is closed on the line, or before
// its end.
func explained(in *Input, f finding.Finding) finding.Finding {
	bad := f.Locations[0]
	for _, file := range in.Deployment.EnvFiles {
		for _, l := range file.Lines {
			if file.File != bad.File || l.Bad != "" || l.Quote == 0 || l.LastLine != bad.Line {
				continue
			}
			f.Locations = []finding.Location{l.ValueAt.As(finding.Fix), bad.As(finding.Related)}
			if l.At.Line < bad.Line {
				f.Message = "The quote that begins the value of " + l.Key + " in line " + itoa(l.At.Line) + " of " + file.File + " is closed only in line " + itoa(bad.Line) + ", where Compose cannot read the rest."
				f.Remedy = "Close the quote in line " + itoa(l.At.Line) + "."
				return f
			}
			f.Message = "Behind the closing quote of " + l.Key + " in line " + itoa(bad.Line) + " of " + file.File + " the line goes on, and Compose cannot read the rest."
			f.Remedy = "Put the whole value in single quotes; a ' in it is written in double quotes: \"…'…\"."
			return f
		}
	}
	return f
}
