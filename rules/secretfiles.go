package rules

import (
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
	"github.com/kopano-doctor/kopano-doctor/internal/secret"
)

// secretFileRules are about passwords that get where others can read them.
func secretFileRules() []Rule {
	return []Rule{
		{
			ID: "password-in-image", Subject: "secrets", Severity: finding.Warning,
			Title:  "A password goes into an image",
			Why:    "What is given to a build as an argument, or stands in the address of a package repository, stays in the image's history and in its list of package sources, for everybody who can pull the image. kopano-docker has apt_auth.conf for it, which the build does not keep.",
			Source: "kopano-docker README.md and base/Dockerfile; Docker build checks, SecretsUsedInArgOrEnv",
			Check:  passwordInImage,
		},
		{
			ID: "project-folder-mounted", Subject: "secrets", Severity: finding.Warning,
			Title:  "A container has the folder with all passwords",
			Why:    "The folder of the compose files holds .env. A container that has it mounted can read the passwords of the database and the directory; a web server may hand them out to everybody.",
			Source: "kopano-docker setup.sh, which writes all passwords to .env",
			Check:  projectFolder,
		},
	}
}

// withPassword matches an address with user and password.
var withPassword = regexp.MustCompile(`^(?:git\+)?(?:https?|ftp)://[^/\s:@]+:([^/\s@]+)@`)

// carriesPassword reports whether a text is an address with a password that
// somebody has filled in.
func carriesPassword(text string) bool {
	m := withPassword.FindStringSubmatch(text)
	return m != nil && !isPlaceholder(m[1]) && !strings.Contains(m[1], "$")
}

func passwordInImage(in *Input) []finding.Finding {
	out := repositoryPasswords(in)
	for _, s := range in.Deployment.Services {
		if s.Build == nil {
			continue
		}
		if carriesPassword(s.Build.Context) {
			out = append(out, finding.Finding{
				Subject: s.Name, Key: "context",
				Message:     "The address that " + s.Name + " is built from has a password in it.",
				Consequence: "Everyone who can read the compose file, or its history in Git, has the password.",
				Remedy:      "Write the address without user and password, and let Git's credential helper or an SSH key log in.",
				Locations:   []finding.Location{s.Locate("build", "context").As(finding.Fix)},
			})
		}
		for _, name := range sorted(s.Build.Args) {
			v := s.Build.Args[name]
			at := s.Locate("build", "args", name).As(finding.Fix)
			if v == nil || *v == "" || !secretArgument(name, *v) {
				continue
			}
			if slices.ContainsFunc(out, func(f finding.Finding) bool { return strings.Contains(f.Message, name) }) {
				continue // it comes out of .env, and has been spoken of
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: name,
				Message:     "The build of " + s.Name + " gets a password as the argument " + name + ".",
				Consequence: "Everyone who can pull the image can read the password in its history.",
				Remedy:      "Give it as a build secret (build: secrets:), which no image keeps; for Kopano's packages in apt_auth.conf.",
				Locations:   []finding.Location{at},
			})
		}
	}
	return out
}

// secretArgument reports whether a build argument is a password or an address with one.
func secretArgument(name, text string) bool {
	if carriesPassword(text) {
		return true
	}
	return secret.IsName(name) && !isSwitch(text) && !isPlaceholder(text) && !strings.HasPrefix(text, "/") && !strings.Contains(text, "://")
}

// repositoryPasswords finds package repositories in .env: kopano-docker's
// Makefile gives them to the build.
func repositoryPasswords(in *Input) []finding.Finding {
	var places []finding.Location
	var names []string
	for _, f := range in.Deployment.EnvFiles {
		if !f.Project {
			continue
		}
		for i := range f.Lines {
			l := &f.Lines[i]
			if strings.HasSuffix(l.Key, "_REPOSITORY_URL") && carriesPassword(l.Reveal()) {
				names = append(names, l.Key)
				places = append(places, l.ValueAt.As(finding.Fix))
			}
		}
	}
	if len(names) == 0 {
		return nil
	}
	for i := range places[1:] {
		places[i+1] = places[i+1].As(finding.Related)
	}
	slices.Sort(names)
	return []finding.Finding{{
		Subject: names[0], Key: "repositories",
		Message:     "The address of a package repository has a serial number or password in it: " + list(slices.Compact(names), 6) + ".",
		Consequence: "It ends up in the images: everyone who can pull them can use your subscription.",
		Remedy:      "Write the address without it (https://download.kopano.io/…), and the login into apt_auth.conf.",
		Locations:   places,
	}}
}

func projectFolder(in *Input) []finding.Finding {
	if !slices.ContainsFunc(in.Deployment.EnvFiles, holdsPassword) {
		return nil
	}
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		// The scheduler has Docker's socket and with it everything anyway; this
		// program, where it is a service, is there to read that folder.
		if in.Topology.Role(s) == kopano.Scheduler || strings.HasPrefix(path.Base(s.Image), "kopano-doctor:") {
			continue
		}
		for i, v := range s.Volumes {
			source := filepath.Clean(v.Source)
			if !filepath.IsAbs(source) {
				source = filepath.Join(in.Deployment.Dir, source)
			}
			if v.Type != types.VolumeTypeBind || source != filepath.Clean(in.Deployment.Dir) {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: strconv.Itoa(i),
				Message:     s.Name + " has the folder of the compose files mounted at " + v.Target + ", and with it the passwords in its env files.",
				Consequence: "Whoever finds a hole in " + s.Name + " has the passwords of the database and the directory.",
				Remedy:      "Put what " + s.Name + " needs into a folder of its own and mount that, for example ./" + s.Name + ":" + v.Target,
				Locations:   []finding.Location{volumePlace(s, i)},
			})
		}
	}
	return out
}

// holdsPassword reports whether an env file has a password in it.
func holdsPassword(f *deployment.EnvFile) bool {
	return slices.ContainsFunc(f.Lines, func(l deployment.EnvLine) bool {
		return l.Bad == "" && l.Reveal() != "" && isPassword(nil, l.Key) && !isSwitch(l.Reveal())
	})
}
