package rules

import (
	"cmp"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// mailRules are about docker-mailserver's own settings.
func mailRules() []Rule {
	return []Rule{
		{
			ID: "mail-fqdn", Subject: "mail", Severity: finding.Error,
			Title:  "The mail server has no full host name",
			Why:    "docker-mailserver stops at start unless hostname and domainname together have a dot in them (its check-stack.sh).",
			Source: "docker-mailserver target/scripts/startup/check-stack.sh",
			Check:  mailFQDN,
		},
		{
			ID: "mail-host-doubled", Subject: "mail", Severity: finding.Warning,
			Title:  "The mail server's name repeats a part",
			Why:    "hostname and domainname are joined: hostname mail and domainname mail.example.org make mail.mail.example.org, which has no DNS entry, and other servers distrust such a greeting.",
			Source: "docker-mailserver issues 689 and 2285; RFC 5321, section 4.1.1.1",
			Check:  mailDoubled,
		},
		{
			ID: "mail-setting-changed", Fixable: true, Subject: "mail", Severity: finding.Error,
			Title:  "A setting of docker-mailserver is gone or changed in the release in use",
			Why:    "docker-mailserver renames and drops settings with its major releases (its CHANGELOG). A dropped one is ignored: mail users, for instance, are then not looked up in the directory any more.",
			Source: "docker-mailserver CHANGELOG 10 to 15",
			Check:  mailSettings,
		},
		{
			ID: "mail-self-signed-files", Subject: "mail", Severity: finding.Warning,
			Title: "SSL_TYPE=self-signed needs certificate files that nothing creates",
			Why: "docker-mailserver 10.2 and later stops at start when /tmp/docker-mailserver/ssl lacks HOSTNAME-key.pem, HOSTNAME-cert.pem and demoCA/cacert.pem (its helpers/ssl.sh). " +
				"kopano-docker's mail server is set up like this, and its volume is empty at first.",
			Source: "docker-mailserver target/scripts/helpers/ssl.sh; kopano-docker issue 495",
			Since:  "docker-mailserver 10.2",
			Check:  mailSelfSigned,
		},
		{
			ID: "mail-manual-files", Subject: "mail", Severity: finding.Error,
			Title:  "SSL_TYPE=manual without certificate and key",
			Why:    "docker-mailserver stops at start when SSL_CERT_PATH or SSL_KEY_PATH is missing or names a file that does not exist (its helpers/ssl.sh).",
			Source: "docker-mailserver target/scripts/helpers/ssl.sh",
			Check:  mailManual,
		},
		{
			ID: "mail-ssl-type-invalid", Subject: "mail", Severity: finding.Error,
			Title:  "SSL_TYPE is unknown to docker-mailserver",
			Why:    "docker-mailserver 10 and later stops at start on any other word (its helpers/ssl.sh).",
			Source: "docker-mailserver target/scripts/helpers/ssl.sh",
			Since:  "docker-mailserver 10",
			Check:  mailSSLType,
		},
		{
			ID: "mail-permit-docker", Fixable: true, Subject: "mail", Severity: finding.Error,
			Title: "The mail server does not trust the spooler",
			Why: "kopano_spooler cannot log in to a mail server (Spooler.cpp has no setting for it), so the mail server must trust its network. " +
				"Without PERMIT_DOCKER, or with none, docker-mailserver trusts no other container (its setup-stack.sh).",
			Source: "docker-mailserver target/scripts/startup/setup-stack.sh; kopano-core spooler/Spooler.cpp",
			Check:  mailPermit,
		},
		{
			ID: "mail-virtual-transport", Fixable: true, Subject: "mail", Severity: finding.Error,
			Title:  "Incoming mail is not handed to Kopano",
			Why:    "docker-mailserver up to 11 uses POSTFIX_DAGENT only when ENABLE_POSTFIX_VIRTUAL_TRANSPORT is 1 (its setup-stack.sh); otherwise mail goes to a Dovecot that is not running.",
			Source: "docker-mailserver target/scripts/startup/setup-stack.sh, CHANGELOG 12.0.0",
			Check:  mailTransport,
		},
		{
			ID: "mail-dagent-missing", Subject: "mail", Severity: finding.Error,
			Title:  "The mail server does not know kopano_dagent",
			Why:    "Without POSTFIX_DAGENT docker-mailserver delivers to Dovecot in its own container, where no Kopano mailbox is.",
			Source: "docker-mailserver environment.md, POSTFIX_DAGENT",
			Check:  mailDagentMissing,
		},
		{
			ID: "mail-image-renamed", Fixable: true, Subject: "mail", Severity: finding.Warning,
			Title:  "The mail server's image is no longer maintained under this name",
			Why:    "tvial/docker-mailserver became mailserver/docker-mailserver in 2021; the old name gets no security fixes.",
			Source: "docker-mailserver CHANGELOG 10.0.0",
			Check:  mailImage,
		},
	}
}

func mailFQDN(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		if fragment(s) || strings.Contains(s.DomainName+s.Hostname, "${") {
			continue
		}
		// OVERRIDE_HOSTNAME takes the place of both (docker-mailserver, environment.md).
		name := joinHost(s.Hostname, s.DomainName)
		place, what := s.Locate("domainname"), "domainname "+quote(s.DomainName)
		if s.DomainName == "" {
			place, what = s.Locate("hostname"), "no domainname"
		}
		if v, ok := s.Get("OVERRIDE_HOSTNAME"); ok && v.Reveal() != "" {
			name, place = v.Reveal(), v.At
			what = "OVERRIDE_HOSTNAME"
		}
		f := finding.Finding{
			Subject: s.Name, Key: "hostname", Links: linksTo(in, s),
			Remedy:    "Give domainname a domain with a dot in it, such as example.com; in kopano-docker it is LDAP_DOMAIN.",
			Locations: []finding.Location{place.As(finding.Fix)},
		}
		_, domain, _ := strings.Cut(name, ".")
		switch {
		case !dotted(name):
			f.Message = "The mail server's full name is " + quote(name) + " (hostname " + quote(s.Hostname) + ", " + what + "); it needs a domain."
			f.Consequence = "The mail server stops at start: no mail comes in or goes out."
		case !dotted(domain):
			f.Severity = finding.Warning
			f.Message = "The mail server's full name is " + quote(name) + ", which is no name of the internet."
			f.Consequence = "Other servers distrust a greeting with it and may refuse your mail."
		default:
			continue
		}
		out = append(out, f)
	}
	return out
}

func joinHost(host, domain string) string {
	if domain == "" {
		return host
	}
	return host + "." + domain
}

// dotted reports whether a name has a dot between other characters.
func dotted(name string) bool {
	i := strings.IndexByte(name, '.')
	return i > 0 && i < len(name)-1
}

func mailDoubled(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		if s.Hostname == "" || s.DomainName == "" || has(s, "OVERRIDE_HOSTNAME") {
			continue
		}
		host := strings.ToLower(s.Hostname)
		domain := strings.ToLower(s.DomainName)
		if !strings.HasPrefix(domain, host+".") && !strings.HasSuffix(host, "."+domain) {
			continue
		}
		remedy, odd, other := "Write domainname: "+strings.TrimPrefix(domain, host+"."), "domainname", "hostname"
		if strings.HasSuffix(host, "."+domain) {
			remedy, odd, other = "Write hostname: "+strings.TrimSuffix(host, "."+domain), other, odd
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "hostname",
			Message:     "hostname " + quote(s.Hostname) + " and domainname " + quote(s.DomainName) + " make " + quote(joinHost(s.Hostname, s.DomainName)) + ".",
			Consequence: "Other servers see a name that does not exist and may refuse your mail.",
			Remedy:      remedy,
			Locations:   []finding.Location{s.Locate(odd).As(finding.Fix), s.Locate(other).As(finding.Related)},
		})
	}
	return out
}

// mailRelease gives the major release of docker-mailserver that a service
// runs; false when the image is another, or its tag names no release.
func mailRelease(in *Input, s *deployment.Service) (int, bool) {
	if in.Topology.Role(s) != kopano.Mail {
		return 0, false
	}
	return kopano.MailserverMajor(s.Image)
}

func mailSettings(in *Input) []finding.Finding {
	want := func(s *deployment.Service, _ string) bool { return in.Topology.Role(s) == kopano.Mail }
	return judge(in, want, func(x sighting) *verdict {
		major, known := mailRelease(in, x.service)
		floating := !known && newestMailserver(x.service)
		if !known && !floating || x.text() == "" {
			return nil
		}
		release := "docker-mailserver " + strconv.Itoa(major)
		if floating {
			major, release = newestMailMajor, "docker-mailserver "+strconv.Itoa(newestMailMajor)+", which this image is by now"
		}
		for _, changed := range []mailChange{directoryChange, loginChange, otherChange} {
			if v := changed(in, x, major, release); v != nil {
				if v.severity = cmp.Or(v.severity, finding.Warning); floating {
					v.severity = min(v.severity, finding.Warning) // an image that was pulled long ago goes on working
				}
				if v.consequence == "" {
					v.consequence = "The setting has no effect; what it was for is left undone."
				}
				return v
			}
		}
		return nil
	})
}

// newestMailMajor is what an image without a release is at least (CHANGELOG 15.0.0, January 2025).
const newestMailMajor = 15

// newestMailserver reports whether a service runs whatever docker-mailserver is newest.
func newestMailserver(s *deployment.Service) bool {
	image := kopano.ParseImage(s.Image)
	return image.Is("mailserver/docker-mailserver", "docker-mailserver/docker-mailserver") && slices.Contains([]string{"", "latest", "edge"}, image.Tag)
}

// mailChange says what a major release of docker-mailserver has changed about a setting.
type mailChange func(in *Input, x sighting, major int, release string) *verdict

func directoryChange(in *Input, x sighting, major int, release string) *verdict {
	v := &verdict{
		severity:    finding.Error,
		consequence: "The mail server runs without the directory: every recipient is unknown, and incoming mail is refused.",
	}
	switch key := x.value.Key; {
	case key == "ENABLE_LDAP" && major >= 13 && (x.text() == "1" || switchedOn(x.text())) && value(x.service, "ACCOUNT_PROVISIONER") != "LDAP":
		v.message = "ENABLE_LDAP is gone in " + release + "."
		v.remedy = "Replace it by ACCOUNT_PROVISIONER=LDAP"
		v.edits = provisioner(in, x)
	case key == "ACCOUNT_PROVISIONER" && major < 12 && x.text() == "LDAP" && value(x.service, "ENABLE_LDAP") != "1":
		v.message = "ACCOUNT_PROVISIONER is newer than " + release + "."
		v.remedy, v.here = "Write ENABLE_LDAP=1", true
		v.edits = settle(in, x.service, "ENABLE_LDAP", "1")
	default:
		return nil
	}
	return v
}

func loginChange(_ *Input, x sighting, major int, release string) *verdict {
	v := &verdict{severity: finding.Error, consequence: "Mail programs cannot log in to send mail."}
	byLDAP, hasScheme := value(x.service, "SASLAUTHD_MECHANISMS") == "ldap", strings.Contains(x.text(), "://")
	switch key := x.value.Key; {
	case key == "SASLAUTHD_LDAP_SERVER" && major >= 13 && !hasScheme && byLDAP:
		v.message = key + " is " + x.shown() + "; " + release + " wants ldap:// or ldaps:// in front."
		v.remedy, v.here = "Write SASLAUTHD_LDAP_SERVER=ldap://"+shortened(x.text()), true
	case key == "SASLAUTHD_LDAP_SERVER" && major < 10 && hasScheme && byLDAP:
		v.message = key + " is " + x.shown() + "; " + release + " puts ldap:// in front itself."
		v.remedy, v.here = "Write host and port alone, in kopano-docker ${LDAP_HOST}.", true
	case key == "SASLAUTHD_MECHANISMS" && major >= 15 && x.text() != "ldap" && x.text() != "rimap":
		v.message = x.name() + " is " + x.shown() + "; " + release + " knows only ldap and rimap."
		v.remedy = "Write SASLAUTHD_MECHANISMS=rimap, and the gateway in SASLAUTHD_MECH_OPTIONS."
	case key == "SASLAUTHD_LDAP_SSL" && major >= 10:
		return &verdict{
			message: "SASLAUTHD_LDAP_SSL is gone in " + release + ".",
			remedy:  "Delete it and write the scheme in SASLAUTHD_LDAP_SERVER: ldap:// or ldaps://.",
		}
	default:
		return nil
	}
	return v
}

func otherChange(in *Input, x sighting, major int, release string) *verdict {
	v := &verdict{severity: finding.Info}
	switch key := x.value.Key; {
	case key == "REPORT_RECIPIENT" && major >= 11 && (x.text() == "1" || x.text() == "0"):
		v.message = x.name() + " is " + x.shown() + "; " + release + " takes it for the address itself."
		v.consequence = "The administrator gets no report about the mail; it goes to a user of that name."
		v.remedy = "Write the address that is to get the reports, or delete the line."
	case key == "DMS_DEBUG" && major >= 11:
		v.message = "DMS_DEBUG is gone in " + release + "."
		v.consequence = "The administrator gets no more in the log than usual."
		v.remedy = "Write LOG_LEVEL=debug in its place"
		if x.text() != "1" {
			v.consequence = "The administrator is misled: the line does nothing."
			v.remedy, v.edits = "Delete the line.", deleted(in, x.value.At)
		}
	case key == "ONE_DIR" && major >= 14:
		v.message = "ONE_DIR is gone in " + release + "; state is always kept in one folder."
		v.consequence = "The administrator is misled: the line does nothing."
		v.remedy, v.edits = "Delete the line.", deleted(in, x.value.At)
	case key == "SA_SPAM_SUBJECT" && major >= 14:
		v.severity = finding.Warning
		v.message = "SA_SPAM_SUBJECT was renamed in " + release + "."
		v.remedy, v.rename = "Rename it to SPAM_SUBJECT.", "SPAM_SUBJECT"
	default:
		return nil
	}
	return v
}

// provisioner gives the edits that make ACCOUNT_PROVISIONER=LDAP of ENABLE_LDAP=1
// or yes; any other value never switched the directory on.
func provisioner(in *Input, x sighting) []finding.Edit {
	if x.text() != "1" && x.text() != "yes" {
		return nil
	}
	name := renamed(in, x, "ACCOUNT_PROVISIONER")
	text := in.Deployment.SetValue(x.value.At, x.text(), "LDAP")
	if name == nil || text == nil {
		return nil
	}
	return append(name, text...)
}

func mailSelfSigned(in *Input) []finding.Finding {
	return judge(in, on(in, kopano.Mail, "SSL_TYPE"), func(x sighting) *verdict {
		major, known := mailRelease(in, x.service)
		if x.text() != "self-signed" || !known || major < 10 {
			return nil
		}
		// A folder of the host mounted there may well hold the files; a named volume is empty at first.
		switch m, ok := mountedAt(x.service, "/tmp/docker-mailserver/ssl"); {
		case ok && m.Type == "bind":
			return nil
		}
		name := joinHost(x.service.Hostname, x.service.DomainName)
		return &verdict{
			message: "SSL_TYPE is self-signed: the mail server needs ssl/" + name + "-key.pem, ssl/" + name + "-cert.pem and ssl/demoCA/cacert.pem in /tmp/docker-mailserver, " +
				"and nothing in this deployment creates them.",
			consequence: "Until the files are there the mail server stops at start: no mail comes in, and what people send stays in the outbox.",
			remedy:      "Put the three files into the volume before the first start, or use SSL_TYPE=manual with SSL_CERT_PATH and SSL_KEY_PATH.",
		}
	})
}

// manualName gives names for the files that SSL_TYPE=manual wants.
var manualName = map[string]string{"SSL_CERT_PATH": "cert.pem", "SSL_KEY_PATH": "key.pem"}

func mailManual(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		kind, ok := s.Get("SSL_TYPE")
		if !ok || kind.Reveal() != "manual" {
			continue
		}
		for _, key := range []string{"SSL_CERT_PATH", "SSL_KEY_PATH"} {
			v, set := s.Get(key)
			f := finding.Finding{Subject: s.Name, Key: key, Links: linksTo(in, s), Consequence: "The mail server stops at start: no mail comes in or goes out."}
			switch {
			case !set || v.Reveal() == "":
				f.Message = "SSL_TYPE is manual, but " + key + " is not set."
				f.Remedy = "Write " + key + "=/etc/mail-tls/" + manualName[key] + ", and add ./mail-tls:/etc/mail-tls:ro to the volumes of " + s.Name + ", a folder with that file."
				f.Locations = kind.Locations()
				if set {
					f.Locations = append(v.Locations(), placed(kind, finding.Related)...)
				}
			case mountOver(s, v.Reveal()) == "":
				l := unmounted(in, s, path.Dir(v.Reveal()), "")
				f.Message = key + " is " + quote(v.Reveal()) + ", but nothing is mounted there." + l.text
				f.Remedy = "Add to the volumes of " + s.Name + ": ./" + path.Base(v.Reveal()) + ":" + v.Reveal() + ":ro, with the file beside the compose file."
				f.Locations = append(append(v.Locations(), placed(kind, finding.Related)...), related(l.places[1:]...)...)
				if l.text != "" {
					f.Remedy = l.remedy
					f.Locations = append(l.places, append(placed(v, finding.Related), placed(kind, finding.Related)...)...)
				}
			default:
				continue
			}
			out = append(out, f)
		}
	}
	return out
}

func mailSSLType(in *Input) []finding.Finding {
	types := []string{"", "letsencrypt", "manual", "self-signed", "snakeoil"}
	return judge(in, on(in, kopano.Mail, "SSL_TYPE"), func(x sighting) *verdict {
		major, known := mailRelease(in, x.service)
		// "custom" went with release 14.
		if !known || major < 10 || slices.Contains(types, x.text()) || x.text() == "custom" && major < 14 {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", which docker-mailserver does not know.",
			consequence: "The mail server stops at start: no mail comes in or goes out.",
			remedy:      "Write letsencrypt, manual or self-signed, or leave it empty for no TLS.",
		}
	})
}

// spoolersTo gives the spoolers that hand their mail to a service.
func spoolersTo(in *Input, mail *deployment.Service) []*deployment.Service {
	var out []*deployment.Service
	for _, s := range in.Topology.Services(kopano.Spooler) {
		host := value(s, "KCCONF_SPOOLER_SMTP_SERVER")
		if host == "" {
			host = "mail" // core/start-service.sh
		}
		if host == mail.Name || host == mail.ContainerName || host == mail.Hostname {
			out = append(out, s)
		}
	}
	return out
}

func mailPermit(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		spoolers := spoolersTo(in, s)
		if !isMailserver(in, s) || len(spoolers) == 0 || misspeltAs(s, "PERMIT_DOCKER") {
			continue
		}
		v, set := s.Get("PERMIT_DOCKER")
		if set && (sighting{s, v}).unresolved() {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "PERMIT_DOCKER", Links: linksBy(in, spoolers[0], "KCCONF_SPOOLER_SMTP_SERVER"),
			Consequence: "The mail server refuses what " + spoolers[0].Name + " hands it (\"Relay access denied\"): nobody can send mail to other domains.",
			Remedy:      "Write PERMIT_DOCKER=connected-networks",
		}
		switch permit := v.Reveal(); {
		case permit == "none":
			f.Message = "PERMIT_DOCKER is none: the mail server trusts no other container."
		case permit == "":
			f.Message = "PERMIT_DOCKER is not set: the mail server trusts no other container."
		case permit == "container":
			f.Message = "PERMIT_DOCKER is container: the mail server trusts itself, but no other container."
		case permit == "network" && outsideDockerRange(in, s, spoolers[0]) != "":
			f.Message = "PERMIT_DOCKER is network, which is 172.16.0.0/12, but " + spoolers[0].Name + " is on " + outsideDockerRange(in, s, spoolers[0]) + "."
		case slices.Contains(trusting, permit):
			continue
		default:
			f.Message = "PERMIT_DOCKER is " + quote(permit) + ", which docker-mailserver does not know: it then trusts no other container."
		}
		if set {
			f.Locations = v.Locations()
		} else {
			f.Locations = []finding.Location{s.Locate("environment").As(finding.Fix)}
		}
		f.Edits = settle(in, s, "PERMIT_DOCKER", "connected-networks")
		out = append(out, f)
	}
	return out
}

// dockerRange is what docker-mailserver takes for "the Docker network".
var dockerRange = netip.MustParsePrefix("172.16.0.0/12")

// outsideDockerRange gives the address range of the networks that two services
// share, when they are written down and none of them is in dockerRange.
func outsideDockerRange(in *Input, a, b *deployment.Service) string {
	outside := ""
	for _, name := range a.NetworkNames() {
		if !slices.Contains(b.NetworkNames(), name) {
			continue
		}
		pools := in.Deployment.Model.Networks[name].Ipam.Config
		if len(pools) == 0 {
			return "" // Docker chooses one
		}
		for _, pool := range pools {
			p, err := netip.ParsePrefix(pool.Subnet)
			switch {
			case err != nil || p.Addr().Is4() && dockerRange.Overlaps(p):
				return ""
			case p.Addr().Is4():
				outside = p.String()
			}
		}
	}
	return outside
}

func mailTransport(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		major, known := mailRelease(in, s)
		dagent, ok := s.Get("POSTFIX_DAGENT")
		if !known || major > 11 || !ok || dagent.Reveal() == "" {
			continue
		}
		v, set := s.Get("ENABLE_POSTFIX_VIRTUAL_TRANSPORT")
		if v.Reveal() == "1" {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "ENABLE_POSTFIX_VIRTUAL_TRANSPORT", Links: linksBy(in, s, "POSTFIX_DAGENT"),
			Message:     "POSTFIX_DAGENT is set, but ENABLE_POSTFIX_VIRTUAL_TRANSPORT is not 1, and so it is not used.",
			Consequence: "Incoming mail does not reach the mailboxes.",
			Remedy:      "Write ENABLE_POSTFIX_VIRTUAL_TRANSPORT=1",
			Locations:   dagent.Locations(),
		}
		if set {
			f.Locations = append(v.Locations(), placed(dagent, finding.Related)...)
		}
		f.Edits = settle(in, s, "ENABLE_POSTFIX_VIRTUAL_TRANSPORT", "1")
		out = append(out, f)
	}
	return out
}

// mailDagentMissing looks for mail servers that were never told of kopano_dagent.
func mailDagentMissing(in *Input) []finding.Finding {
	dagent := firstService(in, kopano.Dagent)
	if dagent == nil {
		return nil
	}
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		v, set := s.Get("POSTFIX_DAGENT")
		if !isMailserver(in, s) || v.Reveal() != "" || set && (sighting{s, v}).unresolved() || misspeltAs(s, "POSTFIX_DAGENT") || !byDirectory(s) {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: "POSTFIX_DAGENT",
			Message:     "POSTFIX_DAGENT is not set: the mail server hands incoming mail to a Dovecot of its own.",
			Consequence: "Incoming mail does not reach the mailboxes.",
			Remedy:      "Write POSTFIX_DAGENT=lmtp:" + dagent.Name + ":2003",
			Locations:   []finding.Location{s.Locate("environment").As(finding.Fix)},
		}
		if major, known := mailRelease(in, s); known && major <= 11 {
			f.Remedy += " and ENABLE_POSTFIX_VIRTUAL_TRANSPORT=1"
		}
		if set {
			f.Locations = v.Locations()
		}
		out = append(out, f)
	}
	return out
}

func mailImage(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		if !kopano.ParseImage(s.Image).Is("tvial/docker-mailserver") {
			continue
		}
		out = append(out, finding.Finding{
			Subject: s.Name, Key: "image",
			Message:     "The image " + quote(s.Image) + " is the old name of docker-mailserver.",
			Consequence: "The mail server, which faces the internet, gets no security fixes.",
			Remedy:      "Use mailserver/docker-mailserver with a release, and read its changelog for the settings that changed.",
			Locations:   []finding.Location{s.Locate("image").As(finding.Fix)},
			Edits:       sameRelease(in, s),
		})
	}
	return out
}

// sameRelease gives the edit that names the new place of the same image. Only
// releases from 9 on are there under the same tag; latest and stable are others.
func sameRelease(in *Input, s *deployment.Service) []finding.Edit {
	if major, known := kopano.MailserverMajor(s.Image); !known || major < 9 {
		return nil
	}
	return in.Deployment.ReplaceIn(s.Locate("image"), "tvial/", "mailserver/")
}
