package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// insecureRules are about who checks web's certificate.
func insecureRules() []Rule {
	return []Rule{
		{
			ID: "insecure-value", Fixable: true, Subject: "certificates", Severity: finding.Error,
			Title: "INSECURE is neither yes nor no",
			Why: "The containers do not agree on other words: kapi, grapi and kwmserver take only yes for yes (core/start-service.sh, kwmserver/wrapper.sh); " +
				"kopano_server takes everything but no, false and 0 for yes (kopano-core, stringutil.h, parseBool).",
			Source: "kopano-docker core/start-service.sh, kwmserver/wrapper.sh; kopano-core common/include/kopano/stringutil.h",
			Check:  insecureValue,
		},
		{
			ID: "insecure-empty", Subject: "certificates", Severity: finding.Error,
			Title:  "INSECURE is empty",
			Why:    "An empty value turns the check of certificates off in kopano_server (kopano-core, ECServer.cpp) and leaves it on in kapi and kwmserver.",
			Source: "kopano-core provider/server/ECServer.cpp, common/include/kopano/stringutil.h",
			Check:  insecureEmpty,
		},
		{
			ID: "self-signed-insecure-no", Subject: "certificates", Severity: finding.Error,
			Title: "web makes its own certificate, but the other containers insist on a trusted one",
			Why: "With EMAIL=self_signed nobody trusts web's certificate. kopano_server, kapi and kwmserver fetch the login keys from https://FQDN and stop when they cannot; " +
				"INSECURE=yes is what setup.sh writes in that case.",
			Source: "kopano-docker setup.sh, core/start-service.sh, kwmserver/wrapper.sh",
			Check:  selfSignedInsecure,
		},
		{
			ID: "insecure-with-trusted-certificate", Fixable: true, Subject: "certificates", Severity: finding.Warning,
			Title:  "Certificates are not checked although web has a trusted one",
			Why:    "INSECURE=yes lets anybody between the containers and web pretend to be the login service. With a certificate of a public authority there is no need for it; setup.sh writes no.",
			Source: "kopano-docker setup.sh",
			Check:  insecureWithTrusted,
		},
	}
}

// insecureKeys: the settings that switch the check of web's certificate off, by the role that reads them.
var insecureKeys = map[kopano.Role]string{
	kopano.Server:    "KCCONF_SERVER_KCOIDC_INSECURE_SKIP_VERIFY",
	kopano.Kapi:      "KCCONF_KAPID_INSECURE",
	kopano.Grapi:     "KCCONF_GRAPI_INSECURE",
	kopano.Kwmserver: "INSECURE",
	kopano.Kwmbridge: "INSECURE",
	kopano.Konnect:   "insecure",
}

func insecureSetting(in *Input) func(*deployment.Service, string) bool {
	return func(s *deployment.Service, key string) bool { return insecureKeys[in.Topology.Role(s)] == key }
}

func insecureValue(in *Input) []finding.Finding {
	return judge(in, insecureSetting(in), func(x sighting) *verdict {
		switch x.text() {
		case "", "yes", "no":
			return nil
		}
		better := "no"
		if slices.Contains([]string{"true", "1", "on", "y"}, strings.ToLower(x.text())) || strings.EqualFold(x.text(), "yes") {
			better = "yes"
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + "; only yes and no mean the same to all containers.",
			consequence: "Some containers check web's certificate and some do not; with a certificate that is not trusted kapi and kwmserver wait for six minutes and stop.",
			remedy:      "Write " + x.name() + "=" + better,
			write:       plainBoolean(x.text(), better),
		}
		// false and 0 are no to everybody, true and 1 only to kopano_server.
		if low := strings.ToLower(x.text()); low == "false" || low == "0" {
			v.severity = finding.Warning
			v.consequence = "It works today, since every container takes it for no; the next change may not be so lucky."
		}
		return v
	})
}

func insecureEmpty(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Server, insecureKeys[kopano.Server]), func(x sighting) *verdict {
		if x.text() != "" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is empty, which kopano_server takes for yes and every other container for no.",
			consequence: "kopano_server does not check the certificate of the login service, while kapi and kwmserver do.",
			remedy:      "Write " + x.name() + "=no, or yes where web makes its own certificate.",
		}
	})
}

func selfSignedInsecure(in *Input) []finding.Finding {
	web := firstService(in, kopano.Web)
	if web == nil || certificate(web) != "self-signed" {
		return nil
	}
	v := certificateSetting(web)
	fs := judge(in, insecureSetting(in), func(x sighting) *verdict {
		// grapi and konnect do not fetch anything from web at start.
		switch in.Topology.Role(x.service) {
		case kopano.Grapi, kopano.Konnect:
			return nil
		}
		if x.text() != "no" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is no, but web makes its own certificate (" + v.Key + "=" + shortened(v.String()) + "), which nothing trusts.",
			consequence: "kopano_server, kapi and kwmserver cannot fetch the login keys from web and stop; nobody can log in.",
			remedy:      "Write " + x.name() + "=yes, or give web a certificate of a known authority.",
		}
	})
	for i := range fs {
		fs[i].Links = linksToIssuer(in)
		fs[i].Locations = distinct(append(fs[i].Locations, placed(v, finding.Related)...))
	}
	return fs
}

func insecureWithTrusted(in *Input) []finding.Finding {
	web := firstService(in, kopano.Web)
	if web == nil || certificate(web) != "public" {
		return nil
	}
	fs := judge(in, insecureSetting(in), func(x sighting) *verdict {
		if x.text() != "yes" {
			return nil
		}
		return &verdict{
			message:     x.name() + " is yes, but EMAIL is a mail address, so web has a certificate of a public authority.",
			consequence: "Whoever stands between the containers and web can pretend to be the login service, and nobody notices.",
			remedy:      "Write " + x.name() + "=no",
			write:       "no",
		}
	})
	for i := range fs {
		fs[i].Locations = distinct(append(fs[i].Locations, placed(web.Env["EMAIL"], finding.Related)...))
	}
	return fs
}
