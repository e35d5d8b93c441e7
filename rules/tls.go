package rules

import (
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// tlsRules are about web's certificate and about who checks it.
func tlsRules() []Rule {
	return []Rule{
		{
			ID: "tls-mode-invalid", Fixable: true, Subject: "certificates", Severity: finding.Error,
			Title:  "TLS_MODE is unknown to web",
			Why:    "web's configuration imports the file /etc/TLS_MODE (web/kweb.cfg); there are four of them. With any other word web stops at start.",
			Source: "kopano-docker web/kweb.cfg",
			Check:  tlsMode,
		},
		{
			ID: "tls-custom-incomplete", Subject: "certificates", Severity: finding.Error,
			Title:  "TLS_MODE=tls_custom without certificate and key",
			Why:    "Without TLS_CERT and TLS_KEY web starts, but every TLS handshake fails (web/tls_custom). Both files must be mounted into the container.",
			Source: "kopano-docker web/tls_custom",
			Check:  tlsCustom,
		},
		{
			ID: "web-email-invalid", Fixable: true, Subject: "certificates", Severity: finding.Error,
			Title:  "EMAIL is neither self_signed, off nor a mail address",
			Why:    "web hands the word to its TLS setting (web/tls_auto). Anything else is taken for the account of a certificate authority: web asks for a certificate at start and stops when it gets none.",
			Source: "kopano-docker web/tls_auto, setup.sh",
			Check:  webEmail,
		},
		{
			ID: "tls-off-with-alias", Subject: "certificates", Severity: finding.Error,
			Title: "web speaks no TLS, but the containers are led to it for https",
			Why: "With EMAIL=off or TLS_MODE=tls_off web answers in plain text on 443. The alias FQDNCLEANED leads https://FQDN to it all the same, and discovery fails with " +
				"\"server gave HTTP response to HTTPS client\". The alias must go, so that the name leads to the proxy that speaks TLS (web/README.md).",
			Source: "kopano-docker web/README.md, examples/apache-proxy.md; kopano-docker issues 108, 176",
			Check:  tlsOffAlias,
		},
		{
			ID: "self-signed-seven-days", Subject: "certificates", Severity: finding.Warning,
			Title: "web's own certificate lasts seven days and is not renewed",
			Why: "The certificate of EMAIL=self_signed or TLS_MODE=tls_selfsigned is made when web starts and is valid for seven days (caddytls, selfsigned.go); " +
				"nothing renews it while web runs.",
			Source: "Caddy 1.0 caddytls/selfsigned.go; kopano-docker web/tls_selfsigned",
			Check:  selfSignedDays,
		},
		{
			ID: "acme-private-name", Subject: "certificates", Severity: finding.Error,
			Title:  "A public certificate is asked for a name that no authority knows",
			Why:    "With a mail address in EMAIL web asks a public authority for a certificate. None is issued for addresses or for private endings such as .local or .demo; web stops at start when it gets none.",
			Source: "RFC 6761, RFC 6762, RFC 8375; kopano-docker web/tls_auto",
			Check:  acmeName,
		},
		{
			ID: "acme-ports", Subject: "certificates", Severity: finding.Warning,
			Title:  "A public certificate is asked for, but web is not published on 80 and 443",
			Why:    "The authority connects back to FQDN on port 80 or 443 (RFC 8555, RFC 8737) before it issues the certificate.",
			Source: "RFC 8555 section 8.3, RFC 8737",
			Check:  acmePorts,
		},
	}
}

// certificate says what kind of certificate web has: "self-signed", "public", "own", "off" or "" when that cannot be told.
func certificate(web *deployment.Service) string {
	switch value(web, "TLS_MODE") {
	case "tls_selfsigned":
		return "self-signed"
	case "tls_custom":
		return "own"
	case "tls_off":
		return "off"
	case "", "tls_auto":
		switch email := value(web, "EMAIL"); {
		case email == "self_signed":
			return "self-signed"
		case email == "off":
			return "off"
		case isMailAddress(email):
			return "public"
		}
	}
	return ""
}

// certificateSetting gives the setting that decided what certificate says.
func certificateSetting(web *deployment.Service) deployment.Value {
	if m := value(web, "TLS_MODE"); m == "tls_selfsigned" || m == "tls_custom" || m == "tls_off" {
		return web.Env["TLS_MODE"]
	}
	return web.Env["EMAIL"]
}

func tlsMode(in *Input) []finding.Finding {
	modes := []string{"tls_auto", "tls_custom", "tls_selfsigned", "tls_off"}
	return judge(in, on(in, kopano.Web, "TLS_MODE"), func(x sighting) *verdict {
		if slices.Contains(modes, x.text()) {
			return nil
		}
		remedy, better := "Write one of "+strings.Join(modes, ", ")+".", ""
		if guess := "tls_" + strings.TrimPrefix(strings.NewReplacer("-", "", "_", "").Replace(strings.ToLower(x.text())), "tls"); slices.Contains(modes, guess) {
			remedy, better = "Write "+x.name()+"="+guess, guess
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ", which web does not know.",
			consequence: "web stops at start; nobody reaches WebApp, mail on the phone or Meet.",
			remedy:      remedy,
			write:       better,
		}
	})
}

func tlsCustom(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		if value(web, "TLS_MODE") != "tls_custom" {
			continue
		}
		mode := web.Env["TLS_MODE"]
		for _, key := range []string{"TLS_CERT", "TLS_KEY"} {
			v, ok := web.Get(key)
			f := finding.Finding{
				Subject: web.Name, Key: key, Links: linksTo(in, web),
				Consequence: "web starts, but every connection to it fails in the TLS handshake.",
			}
			switch {
			case !ok || v.Reveal() == "":
				f.Message = "TLS_MODE is tls_custom, but " + key + " is not set."
				f.Remedy = "Set " + key + " to the path of the file inside the container, and mount it."
				f.Locations = mode.Locations()
			case mountOver(web, v.Reveal()) == "":
				f.Message = key + " is " + quote(v.Reveal()) + ", but nothing is mounted there."
				f.Remedy = "Mount the file into web, for example ./certs:" + path.Dir(v.Reveal()) + ":ro"
				f.Locations = append(v.Locations(), placed(mode, finding.Related)...)
			default:
				continue
			}
			out = append(out, f)
		}
	}
	return out
}

// mountOver gives the target of the mount that a path of the container lies in, or "".
func mountOver(s *deployment.Service, file string) string {
	file = path.Clean("/" + file)
	best := ""
	over := func(target string) {
		target = path.Clean("/" + target)
		if (file == target || strings.HasPrefix(file, strings.TrimSuffix(target, "/")+"/")) && len(target) > len(best) {
			best = target
		}
	}
	for _, v := range s.Volumes {
		over(v.Target)
	}
	for _, c := range s.Configs {
		over(c.Target)
	}
	for _, c := range s.Secrets {
		target := c.Target
		if !strings.HasPrefix(target, "/") {
			target = "/run/secrets/" + c.Source
			if c.Target != "" {
				target = "/run/secrets/" + c.Target
			}
		}
		over(target)
	}
	return best
}

func webEmail(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Web, "EMAIL"), func(x sighting) *verdict {
		email, mode := x.text(), value(x.service, "TLS_MODE")
		if mode != "" && mode != "tls_auto" || email == "self_signed" || email == "off" || isMailAddress(email) {
			return nil
		}
		remedy, better := "Write self_signed, off, or the mail address for the certificate authority.", ""
		switch strings.ToLower(strings.NewReplacer("-", "", "_", "", " ", "").Replace(email)) {
		case "selfsigned":
			remedy, better = "Write "+x.name()+"=self_signed", "self_signed"
		case "false", "no", "0", "none":
			remedy = "Write " + x.name() + "=off if a proxy in front of web speaks TLS, else self_signed or a mail address."
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ": neither self_signed, off nor a mail address.",
			consequence: "web takes it for the account of a certificate authority, gets no certificate and stops; nobody reaches WebApp, mail on the phone or Meet.",
			remedy:      remedy,
			write:       better,
		}
	})
}

func tlsOffAlias(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		host := hostOf(value(web, "FQDN"))
		if certificate(web) != "off" || host == "" || strings.Contains(host, "${") || !contains(aliasesOf(web), host) {
			continue
		}
		v := certificateSetting(web)
		out = append(out, finding.Finding{
			Subject: web.Name, Key: "alias", Links: linksToIssuer(in),
			Message:     v.Key + "=" + v.String() + " turns TLS off in web, but web answers to " + quote(host) + " on the container network.",
			Consequence: "kopano_server, kapi and kwmserver open https://" + shortened(host) + ", reach web, which speaks no TLS, and stop; nobody can log in.",
			Remedy:      "Delete FQDNCLEANED, so that the name leads to the proxy that speaks TLS.",
			Locations:   append(aliasLocations(in, web, aliasEqual(web, host)), placed(v, finding.Related)...),
		})
	}
	return out
}

func aliasEqual(s *deployment.Service, host string) string {
	for _, a := range aliasesOf(s) {
		if strings.EqualFold(a, host) {
			return a
		}
	}
	return host
}

func selfSignedDays(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		if certificate(web) != "self-signed" {
			continue
		}
		v := certificateSetting(web)
		out = append(out, finding.Finding{
			Subject: web.Name, Key: "self-signed",
			Message:     v.Key + "=" + v.String() + ": web makes a certificate for seven days each time it starts, and does not renew it while it runs.",
			Consequence: "After a week without a restart browsers, phones and mail programs refuse the connection.",
			Remedy:      "Put the mail address for a public certificate in EMAIL, or use TLS_MODE=tls_custom with your own; until then restart web every week.",
			Locations:   v.Locations(),
		})
	}
	return out
}

// privateEndings: names that no public authority certifies (RFC 2606, RFC 6761, RFC 6762, RFC 8375, and setup.sh's demo).
var privateEndings = []string{"local", "localhost", "invalid", "test", "example", "demo", "lan", "home", "internal", "intranet", "corp", "localdomain", "home.arpa"}

func acmeName(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Web, "FQDN"), func(x sighting) *verdict {
		host := hostOf(x.text())
		if host == "" || certificate(x.service) != "public" {
			return nil
		}
		what := ""
		switch {
		case isIP(host):
			what = "an address, not a name"
		case !strings.Contains(host, "."):
			what = "a name without a domain"
		default:
			for _, e := range privateEndings {
				if strings.HasSuffix(host, "."+e) {
					what = "a private name"
				}
			}
		}
		if what == "" {
			return nil
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is " + x.shown() + ", " + what + ", and EMAIL asks for a certificate of a public authority.",
			consequence: "web gets no certificate and stops; nobody reaches WebApp, mail on the phone or Meet.",
			remedy:      "Use a public name in FQDN, or EMAIL=self_signed with INSECURE=yes.",
		}
	})
}

func acmePorts(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, web := range in.Topology.Services(kopano.Web) {
		if certificate(web) != "public" {
			continue
		}
		if publishes(web, 80, "80") || publishes(web, 443, "443") || web.NetworkMode == "host" {
			continue
		}
		place := web.Locate("ports")
		out = append(out, finding.Finding{
			Subject: web.Name, Key: "ports",
			Message:     "EMAIL asks for a public certificate, but web is published neither on port 80 nor on 443 of this host.",
			Consequence: "Unless something in front forwards these ports, the authority cannot reach web, issues no certificate, and web stops.",
			Remedy:      "Publish 80:80 and 443:443 on web (load docker-compose.ports.yml), or use TLS_MODE=tls_custom with your own certificate.",
			Locations:   append([]finding.Location{place.As(finding.Fix)}, placed(web.Env["EMAIL"], finding.Related)...),
		})
	}
	return out
}

func publishes(s *deployment.Service, target uint32, published string) bool {
	return slices.ContainsFunc(s.Ports, func(p types.ServicePortConfig) bool { return p.Target == target && p.Published == published })
}
