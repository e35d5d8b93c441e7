package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// outsideRules are about what a deployment takes from outside as it is there:
// networks that others make, the Docker of the host, and a directory that is
// not OpenLDAP.
func outsideRules() []Rule {
	return []Rule{
		{
			ID: "network-external", Subject: "links", Severity: finding.Info,
			Title:  "A network must exist before Compose starts anything",
			Why:    "Compose makes no network that is external. It looks for it under its full name, which for a network of another project begins with the name of that project, and starts nothing when there is none (\"declared as external, but could not be found\").",
			Source: "Compose specification, networks, external; docker/compose issue 2846",
			Check:  externalNetwork,
		},
		{
			ID: "konnect-active-directory", Subject: "identity", Severity: finding.Warning,
			Title:  "Sign-in asks Active Directory for what an OpenLDAP has",
			Why:    "With KONNECT_BACKEND=ldap Konnect looks for the login name in uid and for accounts of the class inetOrgPerson, unless it is told otherwise. Accounts of Active Directory are of the class user and have the login name in sAMAccountName.",
			Source: "Konnect identifier/backends/ldap.go and ldap/const.go; kopano-docker issue 373",
			Check:  konnectAD,
		},
		{
			ID: "docker-client-old", Subject: "images", Severity: finding.Info,
			Title:  "A container speaks an old version of Docker's API",
			Why:    "containrrr/watchtower asks for version 1.25 of the API unless it is told another, and is not developed any more. Docker 29.0 refuses versions below 1.44.",
			Source: "containrrr/watchtower issues 2122 and 2124",
			Since:  "Docker 29",
			Check:  dockerClient,
		},
	}
}

func externalNetwork(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, key := range sorted(in.Deployment.Model.Networks) {
		n := in.Deployment.Model.Networks[key]
		if !bool(n.External) || !isUsedNetwork(in, key) {
			continue
		}
		name := n.Name
		if name == "" {
			name = key
		}
		out = append(out, finding.Finding{
			Subject: key, Key: name,
			Message:     "The network " + quote(name) + " is external: Compose does not make it.",
			Consequence: "On a host that has no network of this name Compose starts nothing: after a move nobody reaches mail.",
			Remedy:      "Run docker network create " + name + " once, or start the project that makes it. If docker network ls has it under another name, write name: and that name here.",
			Locations:   []finding.Location{in.Deployment.Locate("networks", key, "external").As(finding.Fix)},
		})
	}
	return out
}

func dockerClient(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Deployment.Services {
		// Forks of it ask for newer versions.
		image := kopano.ParseImage(s.Image)
		if image.Name != "watchtower" || !strings.Contains(s.Image, "containrrr/") || has(s, "DOCKER_API_VERSION") ||
			slices.ContainsFunc(s.Command, func(word string) bool { return strings.HasPrefix(word, "--api-version") || word == "-a" }) {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "DOCKER_API_VERSION",
			Message:     s.Name + " speaks version 1.25 of Docker's API.",
			Consequence: "From Docker 29 on it ends with \"client version 1.25 is too old\" and is started again and again; nothing is updated, and the administrator may not notice.",
			Remedy:      "On a host with Docker 25 or later set DOCKER_API_VERSION=1.44 on " + s.Name + ".",
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
		})
	}
	return out
}

// forAD is what Konnect must be told to find accounts in Active Directory.
var forAD = []string{"LDAP_LOGIN_ATTRIBUTE=sAMAccountName", "LDAP_UUID_ATTRIBUTE=objectGUID", "LDAP_UUID_ATTRIBUTE_TYPE=binary", "LDAP_FILTER=(objectClass=user)"}

func konnectAD(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Konnect, "KONNECT_BACKEND"), func(x sighting) *verdict {
		if _, told := x.service.Get("LDAP_LOGIN_ATTRIBUTE"); told || x.text() != "ldap" || !asksKonnectAD(in, x.service) {
			return nil
		}
		missing := slices.DeleteFunc(slices.Clone(forAD), func(line string) bool {
			key, _, _ := strings.Cut(line, "=")
			return has(x.service, key)
		})
		return &verdict{
			here:        true,
			message:     "Konnect asks an Active Directory, and looks for the login name in uid, since LDAP_LOGIN_ATTRIBUTE is not set.",
			consequence: "Users are not found at sign-in: nobody can log in.",
			remedy:      "Add to " + x.service.Name + ": " + list(missing, len(missing)),
		}
	})
}

// asksKonnectAD reports whether the directory that Konnect asks is an Active
// Directory: its login has a form that only this one takes, or the storage
// server, which asks the same one, has the settings for it.
func asksKonnectAD(in *Input, konnect *deployment.Service) bool {
	if looksLikeAD(value(konnect, "LDAP_BINDDN")) {
		return true
	}
	for _, s := range in.Topology.Services(kopano.Server) {
		if asksAD(s) && value(s, "KCCONF_LDAP_LDAP_URI") == value(konnect, "LDAP_URI") {
			return true
		}
	}
	return false
}
