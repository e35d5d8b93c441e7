package rules

import (
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
)

// composeRules are the problems that the loader finds: what Compose itself
// refuses. The kind of a problem is the ID of its rule.
func composeRules() []Rule {
	const (
		refuses = "Compose loads all files or none: while this stands, no service can be started, stopped or changed."
		spec    = " (Compose specification, as read by compose-go)"
	)
	problem := func(kind deployment.ProblemKind, source, title, why string) Rule {
		return Rule{ID: string(kind), Fixable: cures()[kind] != nil, Subject: "compose", Severity: finding.Error, Title: title, Why: why, Source: source, Check: problems(kind)}
	}
	return []Rule{
		problem(deployment.ComposeFileMissing, "compose-go cli/options.go",
			"A compose file that is to be loaded does not exist",
			refuses+" COMPOSE_FILE in .env names the files of kopano-docker since it was split up; after an update or a move one of them is easily missing."),
		problem(deployment.ComposeFileSeparator, "compose-go cli/options.go",
			"COMPOSE_FILE is not separated as this system wants it",
			refuses+" The names stand between colons on Linux and macOS, between semicolons on Windows, with no blank beside them; COMPOSE_PATH_SEPARATOR can say otherwise."),
		problem(deployment.EnvFileMissing, "compose-go types/project.go; kopano-docker setup.sh",
			"An env file that a service needs does not exist",
			refuses+" The *.env files of kopano-docker are not part of its repository; setup.sh creates them empty, and a new service brings a new one."),
		problem(deployment.YAMLSyntax, "YAML 1.2; compose-go loader",
			"A file is not valid YAML",
			refuses+" Mostly a tab used for indentation, a wrong indentation or a quote that is not closed."),
		problem(deployment.DuplicateKey, "compose-go loader; YAML 1.2, unique keys",
			"A key is written twice in one mapping",
			"Compose 1 silently took the last one; Compose 2 refuses the file. "+refuses),
		problem(deployment.UnknownField, "Compose specification schema, as compose-go has it",
			"A field is unknown to Compose",
			refuses+" Mostly a misspelt name or a wrong indentation that moves a key one level up or down"+spec+"."),
		problem(deployment.WrongType, "Compose specification schema, as compose-go has it",
			"A field has a value of the wrong type",
			refuses+" A list where a mapping is wanted, or the reverse"+spec+"."),
		problem(deployment.UndefinedVolume, "compose-go loader/validate.go; kopano-docker commit 9c5e0c9",
			"A service mounts a volume that no file declares",
			"Compose 1 accepted a volume name that ends in a slash (kopanossl/:/kopano/ssl); Compose 2 takes the slash as part of the name and does not find it. "+refuses),
		problem(deployment.UndefinedNetwork, "compose-go loader/validate.go",
			"A service uses a network that no file declares",
			refuses+" In kopano-docker ldap-net is declared by docker-compose.ldap.yml only."),
		problem(deployment.UndefinedService, "compose-go loader/validate.go",
			"A service refers to a service that does not exist",
			refuses+" depends_on, extends and links must name services that are loaded."),
		problem(deployment.UndefinedResource, "compose-go loader/validate.go",
			"A service uses a secret or config that no file declares", refuses),
		problem(deployment.NoImage, "compose-go loader/validate.go; kopano-docker docker-compose.ldap.yml",
			"A service has neither an image nor a build",
			refuses+" Mostly an override that extends a service whose own file is not loaded: docker-compose.ldap.yml extends mail, which docker-compose.mail.yml defines."),
		problem(deployment.DependencyCycle, "compose-go graph/cycle.go",
			"Services depend on each other in a circle",
			refuses+" In kopano-docker kopano_server depends on kopano_konnect, so kopano_konnect must not depend on kopano_server."),
		problem(deployment.BadInterpolation, "compose-go template/template.go",
			"A ${VARIABLE} cannot be expanded",
			refuses+" A brace that is not closed, a form that does not exist, or ${NAME:?message} without a value."),
		problem(deployment.EnvFileSyntax, "compose-go dotenv/parser.go",
			"A line of an env file cannot be read", refuses),
		problem(deployment.InvalidValue, "compose-go format and types packages",
			"A value has a form that Compose does not accept",
			refuses+" A port that is no number, a duration without a unit, a mount without a target."),
		problem(deployment.Refused, "compose-go loader",
			"Compose refuses the deployment", refuses),
	}
}

// problems reports the loader's problems of one kind.
func problems(kind deployment.ProblemKind) Check {
	cures := cures()
	return func(in *Input) []finding.Finding {
		var out []finding.Finding
		for _, p := range in.Deployment.Problems {
			if p.Kind != kind {
				continue
			}
			f := finding.Finding{
				Severity: p.Severity, Subject: p.Subject, Message: p.Message, Remedy: p.Remedy,
				Locations: slices.Clone(p.Locations), Key: p.Key,
			}
			if f.Remedy == "" {
				f.Remedy = "Correct the place that Compose names; docker compose config --quiet is silent once all is well."
			}
			if cure := cures[kind]; cure != nil {
				f.Edits = cure(in, p)
			}
			switch kind {
			case deployment.EnvFileSyntax:
				f = explained(in, f)
			case deployment.WrongType, deployment.UnknownField:
				f = asListItem(in, f, p)
			case deployment.EnvFileMissing:
				if near := besideMissing(in, p.Key); near != "" {
					f.Remedy, f.Edits = "Did you mean "+near+"? Rename it: mv "+near+" "+p.Key, nil
				}
			}
			if p.Severity == finding.Error {
				f.Consequence = "Compose does not load this deployment; nothing of it can be started or changed."
			}
			out = append(out, f)
		}
		return out
	}
}

// The problems that a list item in the form of a mapping makes: - NAME: value
// under environment, and - 80: 80, with a blank too many, under ports.
var (
	mappingInEnvironment = regexp.MustCompile(`^services\..+\.environment\.[0-9]+$`)
	mappingInPorts       = regexp.MustCompile(`^services\..+\.ports\.[0-9]+\.[0-9]+$`)
)

// asListItem says in plain words what is wrong with a list item that YAML reads
// as a mapping.
func asListItem(in *Input, f finding.Finding, p deployment.Problem) finding.Finding {
	if len(f.Locations) == 0 {
		return f
	}
	name, text, _ := strings.Cut(textAt(in, f.Locations[0]), ":")
	name, text = strings.Trim(name, `"' `), strings.TrimSpace(text)
	switch {
	case mappingInEnvironment.MatchString(p.Key) && p.Kind == deployment.WrongType && name != "":
		f.Message = name + " has a colon, but in a list with dashes a setting is written NAME=value."
		f.Remedy = "Write - " + name + "=…, or take the dashes away from all settings of the service."
	case mappingInPorts.MatchString(p.Key):
		f.Message = "A blank stands behind the colon of the port mapping " + name + ": " + text + ", so YAML does not read it as one text."
		f.Remedy = "Write \"" + name + ":" + strings.Trim(text, `"' `) + "\""
		f.Edits = nil
	}
	return f
}
