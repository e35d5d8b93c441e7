package rules

import (
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// mailLoginRules are about mail programs that log in to the mail server to
// send, the certificate they see, and the addresses that the system uses.
func mailLoginRules() []Rule {
	return []Rule{
		{
			ID: "mail-sasl-incomplete", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "Nobody can log in to the mail server to send mail",
			Why:    "With SMTP_ONLY=1 there is no Dovecot that could check passwords; saslauthd has to, and it runs only with ENABLE_SASLAUTHD=1. Without SASLAUTHD_MECHANISMS it asks PAM up to release 14, which knows no Kopano user.",
			Source: "docker-mailserver environment.md, ENABLE_SASLAUTHD and SASLAUTHD_MECHANISMS",
			Check:  saslIncomplete,
		},
		{
			ID: "mail-login-imap-off", Subject: "mail", Severity: finding.Info,
			Title:  "Only users with IMAP can log in to the mail server",
			Why:    "With SASLAUTHD_MECHANISMS=rimap a password is checked by an IMAP login, and kopano_server allows IMAP only to those who have it in the directory (kopanoEnabledFeatures) unless disabled_features leaves imap out.",
			Source: "kopano-core gateway/IMAP.cpp; kopano-server.cfg(5), disabled_features",
			Check:  loginWithoutIMAP,
		},
		{
			ID: "mail-letsencrypt-files", Subject: "mail", Severity: finding.Error,
			Title:  "SSL_TYPE=letsencrypt, but no certificate is mounted",
			Why:    "docker-mailserver does not ask Let's Encrypt itself: it reads /etc/letsencrypt, and stops at start when its name has no certificate there.",
			Source: "docker-mailserver target/scripts/helpers/ssl.sh",
			Check:  letsencryptFiles,
		},
		{
			ID: "mail-certificate-unused", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "A certificate is given to the mail server that it does not use",
			Why:    "SSL_CERT_PATH and SSL_KEY_PATH count with SSL_TYPE=manual only.",
			Source: "docker-mailserver environment.md, SSL_TYPE",
			Check:  certificateUnused,
		},
		{
			ID: "mail-without-tls", Subject: "mail", Severity: finding.Warning,
			Title:  "The mail server speaks no TLS",
			Why:    "Without SSL_TYPE docker-mailserver switches TLS off on all ports, those for mail programs too.",
			Source: "docker-mailserver environment.md, SSL_TYPE; RFC 8314",
			Check:  mailWithoutTLS,
		},
		{
			ID: "mail-mailboxes-published", Subject: "mail", Severity: finding.Warning,
			Title:  "The mail server's ports for mailboxes are published, but nobody listens",
			Why:    "With SMTP_ONLY=1 docker-mailserver starts no Dovecot. Mailboxes are kopano_gateway's, whose ports are to be published instead.",
			Source: "docker-mailserver environment.md, SMTP_ONLY",
			Check:  mailboxesPublished,
		},
		{
			ID: "postmaster-domain", Subject: "mail", Severity: finding.Warning,
			Title:  "A mail address of the system is in a domain that does not exist",
			Why:    "Reports and notes are sent to and from this address. Mail to the demo's domain cannot be delivered, and mail from it is refused.",
			Source: "RFC 6761; kopano-docker setup.sh",
			Check:  postmasterDomain,
		},
	}
}

// misspeltAs reports whether a service has a setting that was meant to be this
// one; the rule mail-setting-misspelt speaks of it.
func misspeltAs(s *deployment.Service, name string) bool {
	return slices.ContainsFunc(s.Keys(), func(key string) bool {
		meant, ok := mailName(key)
		return ok && meant == name
	})
}

// takesLogins reports whether mail programs reach the mail server to send.
func takesLogins(s *deployment.Service) bool {
	for _, p := range s.Ports {
		if (p.Target == 465 || p.Target == 587) && p.Published != "" {
			return true
		}
	}
	return false
}

func saslIncomplete(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		only, _ := s.Get("SMTP_ONLY")
		on, set := s.Get("ENABLE_SASLAUTHD")
		mechanisms, chosen := s.Get("SASLAUTHD_MECHANISMS")
		major, known := mailRelease(in, s)
		if !isMailserver(in, s) || only.Reveal() != "1" || switchedOn(on.Reveal()) {
			continue
		}
		f := finding.Finding{Subject: s.Name, Consequence: "Mail programs cannot log in to send mail; WebApp and phones can still send."}
		switch {
		case on.Reveal() != "1" && (mechanisms.Reveal() != "" || takesLogins(s)) && !misspeltAs(s, "ENABLE_SASLAUTHD"):
			f.Key = "ENABLE_SASLAUTHD"
			f.Message = "SMTP_ONLY is 1, and ENABLE_SASLAUTHD is not: nothing checks passwords."
			f.Remedy = "Write ENABLE_SASLAUTHD=1"
			f.Locations = only.Locations()
			if set {
				f.Locations = on.Locations()
			}
			if mechanisms.Reveal() == "" {
				f.Remedy += ", SASLAUTHD_MECHANISMS=rimap and SASLAUTHD_MECH_OPTIONS=kopano_gateway"
			} else {
				f.Edits = settle(in, s, "ENABLE_SASLAUTHD", "1")
			}
		case on.Reveal() == "1" && mechanisms.Reveal() == "" && known && major < 15 && !misspeltAs(s, "SASLAUTHD_MECHANISMS"):
			f.Key = "SASLAUTHD_MECHANISMS"
			f.Message = "SASLAUTHD_MECHANISMS is not set: passwords are looked up among the users of the container itself."
			f.Remedy = "Write SASLAUTHD_MECHANISMS=rimap and SASLAUTHD_MECH_OPTIONS=kopano_gateway"
			f.Locations = on.Locations()
			if chosen {
				f.Locations = mechanisms.Locations()
			}
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

func loginWithoutIMAP(in *Input) []finding.Finding {
	server := firstService(in, kopano.Server)
	if server == nil || !configured(server) {
		return nil
	}
	features, set := server.Get("KCCONF_SERVER_DISABLED_FEATURES")
	if set && !slices.Contains(strings.Fields(strings.ToLower(features.Reveal())), "imap") {
		return nil
	}
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "mail-gateway" || in.Topology.Role(e.To) != kopano.Gateway {
			return nil
		}
		m, ok := e.From.Get("SASLAUTHD_MECHANISMS")
		if !ok {
			return nil
		}
		f := &fault{
			subject: server.Name, key: "KCCONF_SERVER_DISABLED_FEATURES",
			message:     "IMAP is off for everybody who has not got it in the directory, and " + e.From.Name + " checks passwords by IMAP (SASLAUTHD_MECHANISMS=rimap).",
			consequence: "Users without IMAP can send from WebApp and phones, but not from mail programs.",
			remedy:      "If all users may use mail programs, write KCCONF_SERVER_DISABLED_FEATURES=pop3 on " + server.Name + "; else give the others kopanoEnabledFeatures: imap in the directory.",
			places:      []finding.Location{server.Locate("environment").As(finding.Fix)},
		}
		if set {
			f.places = features.Locations()
		}
		f.places = append(f.places, placed(m, finding.Related)...)
		return f
	})
}

func letsencryptFiles(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "SSL_TYPE"), func(x sighting) *verdict {
		const folder = "/etc/letsencrypt"
		if x.text() != "letsencrypt" || mountOver(x.service, folder) != "" || subMounted(x.service, folder) || len(x.service.VolumesFrom) > 0 {
			return nil
		}
		return &verdict{
			stops:       true,
			message:     x.name() + " is letsencrypt, but nothing is mounted at " + folder + ".",
			consequence: "The mail server stops at start: no mail comes in or goes out.",
			remedy:      "Add to the volumes of " + x.service.Name + ": /etc/letsencrypt:/etc/letsencrypt:ro",
			here:        true,
		}
	})
}

func certificateUnused(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "SSL_CERT_PATH"), func(x sighting) *verdict {
		kind := value(x.service, "SSL_TYPE")
		if x.text() == "" || kind == "manual" || misspeltAs(x.service, "SSL_TYPE") {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + ", but SSL_TYPE is " + quote(kind) + ", and so it is not used.",
			consequence: "Mail programs and other servers see another certificate than the one you gave.",
			remedy:      "Write SSL_TYPE=manual",
			here:        true,
		}
		if kind == "" {
			v.message = x.name() + " is " + x.shown() + ", but SSL_TYPE is not set, and so it is not used."
			v.consequence = "Mail, and the passwords of mail programs, travel without encryption."
		}
		if has(x.service, "SSL_KEY_PATH") {
			v.edits = settle(in, x.service, "SSL_TYPE", "manual")
		}
		return v
	})
}

func mailWithoutTLS(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		kind, set := s.Get("SSL_TYPE")
		if !isMailserver(in, s) || kind.Reveal() != "" || has(s, "SSL_CERT_PATH") || !takesLogins(s) || misspeltAs(s, "SSL_TYPE") {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "SSL_TYPE",
			Message:     "SSL_TYPE is not set, and mail programs reach this mail server on 465 or 587.",
			Consequence: "Passwords of users and all mail travel in clear text, where the mail programs agree to that at all.",
			Remedy:      "Write SSL_TYPE=manual with SSL_CERT_PATH and SSL_KEY_PATH, and mount the two files.",
			Locations:   []finding.Location{s.Locate("environment").As(finding.Fix)},
		}
		if set {
			f.Locations = kind.Locations()
		}
		out = append(out, f)
	}
	return out
}

func mailboxesPublished(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, p := range hostPorts(in) {
		s, port := p.service, int(p.port.Target)
		only, ok := s.Get("SMTP_ONLY")
		if !ok || only.Reveal() != "1" || !isMailserver(in, s) || !slices.Contains([]int{110, 143, 993, 995, 4190}, port) {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: itoa(port),
			Message:     "Port " + itoa(port) + " of " + s.Name + " is published, but with SMTP_ONLY=1 nothing listens there.",
			Consequence: "Mail programs that are told this port find no mailbox, and kopano_gateway cannot have the port of the host.",
			Remedy:      "Publish the port on kopano_gateway, and delete it here.",
			Locations:   append([]finding.Location{p.place().As(finding.Fix)}, placed(only, finding.Related)...),
		})
	}
	return out
}

// demoDomains are the ends of names that no mail server of the internet finds (RFC 6761; setup.sh's own kopano.demo).
var demoDomains = []string{".demo", ".test", ".invalid", ".localhost", ".example", ".local", ".localdomain", ".example.com", ".example.net", ".example.org", ".domain.com", ".domain.tld"}

func endsIn(domain string, ends []string) bool {
	return slices.ContainsFunc(ends, func(end string) bool { return strings.HasSuffix("."+domain, end) })
}

func postmasterDomain(in *Input) []finding.Finding {
	own := ownDomains(in)
	return judge(in, keyed("POSTMASTER_ADDRESS", "KCCONF_SERVER_SYSTEM_EMAIL_ADDRESS"), func(x sighting) *verdict {
		_, domain, ok := strings.Cut(strings.ToLower(x.text()), "@")
		role := in.Topology.Role(x.service)
		if !ok || role != kopano.Mail && role != kopano.Server || !endsIn(domain, demoDomains) || len(own) == 0 {
			return nil
		}
		for _, d := range own {
			// The whole deployment is a demonstration, or has this domain.
			if endsIn(d, demoDomains[:7]) || strings.HasSuffix("."+d, "."+domain) || strings.HasSuffix("."+domain, "."+d) {
				return nil
			}
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", but mail here is for " + list(own, 3) + ".",
			consequence: "Reports for the administrator get lost, and other servers refuse notes to senders from outside.",
			remedy:      "Write " + x.name() + "=postmaster@" + own[0],
		}
	})
}

// ownDomains gives the domains that the deployment has mail for.
func ownDomains(in *Input) []string {
	var out []string
	add := func(d string) {
		d = strings.ToLower(strings.TrimSpace(d))
		if dotted(d) && !strings.Contains(d, "${") && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	for _, s := range in.Topology.Services(kopano.Mail) {
		add(s.DomainName)
	}
	for _, s := range in.Topology.Services(kopano.LDAP) {
		add(value(s, "LDAP_DOMAIN"))
	}
	if len(out) == 0 {
		for _, s := range in.Topology.Services(kopano.Web) {
			host, _, _ := strings.Cut(value(s, "FQDN"), ":")
			add(host)
		}
	}
	return out
}
