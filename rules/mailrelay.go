package rules

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"

	"github.com/kopano-doctor/kopano-doctor/internal/deployment"
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// mailRelayRules are about mail that goes out through another server, and
// about who may send through this one.
func mailRelayRules() []Rule {
	return []Rule{
		{
			ID: "mail-relay-host-form", Fixable: true, Subject: "mail", Severity: finding.Error,
			Title:  "RELAY_HOST is more than a host name",
			Why:    "docker-mailserver puts RELAY_HOST into brackets and RELAY_PORT, or 25, behind them. With a port or brackets of its own Postfix looks for a host that does not exist.",
			Source: "docker-mailserver target/scripts/helpers/relay.sh",
			Check:  relayHost,
		},
		{
			ID: "mail-relay-incomplete", Subject: "mail", Severity: finding.Warning,
			Title:  "The relay for outgoing mail is half configured",
			Why:    "Only with both RELAY_USER and RELAY_PASSWORD does docker-mailserver log in to the relay, and only with RELAY_HOST or DEFAULT_RELAY_HOST is there one.",
			Source: "docker-mailserver target/scripts/helpers/relay.sh",
			Check:  relayIncomplete,
		},
		{
			ID: "mail-relay-directory", Subject: "mail", Severity: finding.Warning,
			Title:  "RELAY_HOST is not used with a directory",
			Why:    "docker-mailserver uses RELAY_HOST for senders whose domain is in postfix-accounts.cf or postfix-virtual.cf. With users in LDAP there are no such files; DEFAULT_RELAY_HOST holds for everybody.",
			Source: "docker-mailserver target/scripts/helpers/relay.sh",
			Check:  relayDirectory,
		},
		{
			ID: "mail-relay-tls-port", Subject: "mail", Severity: finding.Warning,
			Title:  "Mail is handed to a port that wants TLS from the first byte",
			Why:    "On port 465 a server waits for TLS, while Postfix waits for a greeting, unless smtp_tls_wrappermode is on; docker-mailserver does not switch it on.",
			Source: "postconf(5), smtp_tls_wrappermode; RFC 8314",
			Check:  relayTLSPort,
		},
		{
			ID: "mail-open-relay", Subject: "mail", Severity: finding.Info,
			Title:  "Over IPv6 strangers may look like a container that is trusted",
			Why:    "Docker hands connections over IPv6 to a network without IPv6 by its own proxy, and they then come from the network's gateway. PERMIT_DOCKER lets that network send without a password.",
			Source: "docker-mailserver environment.md, PERMIT_DOCKER",
			Check:  openRelay,
		},
		{
			ID: "mail-dnsbl-resolver", Subject: "mail", Severity: finding.Warning,
			Title:  "The mail server asks block lists through a public resolver",
			Why:    "Spamhaus and others do not answer the large public resolvers: they give an error code that is read as \"listed\", or nothing.",
			Source: "docker-mailserver issues 1927 and 2918; Spamhaus, return code 127.255.255.254",
			Check:  dnsblResolver,
		},
		{
			ID: "mail-fail2ban-capability", Subject: "mail", Severity: finding.Warning,
			Title:  "fail2ban may not shut anybody out",
			Why:    "fail2ban bans by firewall rules of the container, for which it needs the capability NET_ADMIN.",
			Source: "docker-mailserver environment.md, ENABLE_FAIL2BAN",
			Check:  fail2ban,
		},
	}
}

// hostWithPort finds a host with a port behind it, or in brackets, or both.
var hostWithPort = regexp.MustCompile(`^(?:smtps?://)?\[?([A-Za-z0-9._-]+)\]?(?::([0-9]+))?$`)

func relayHost(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "RELAY_HOST"), func(x sighting) *verdict {
		m := hostWithPort.FindStringSubmatch(x.text())
		if m == nil || m[1] == x.text() {
			return nil
		}
		v := &verdict{
			message:     x.name() + " is " + x.shown() + "; only the host's name belongs there.",
			consequence: "Mail to other domains stays in the queue, and senders get it back after days.",
			remedy:      "Write " + x.name() + "=" + m[1],
			write:       m[1],
		}
		port := value(x.service, "RELAY_PORT")
		if m[2] == "" || m[2] == port {
			return v
		}
		v.remedy += " and RELAY_PORT=" + m[2]
		name, number := written(in, x, m[1]), settle(in, x.service, "RELAY_PORT", m[2])
		if v.write = ""; name != nil && number != nil {
			v.edits = together(name, number)
		}
		return v
	})
}

// given reports whether a setting is there, as it is or in a file (NAME__FILE).
func given(s *deployment.Service, key string) bool { return has(s, key) || has(s, key+"__FILE") }

func relayIncomplete(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		user, password := given(s, "RELAY_USER"), given(s, "RELAY_PASSWORD")
		host := given(s, "RELAY_HOST") || given(s, "DEFAULT_RELAY_HOST")
		if !isMailserver(in, s) || !user && !password {
			continue
		}
		major, known := mailRelease(in, s)
		have, lack := "RELAY_USER", "RELAY_PASSWORD"
		if password {
			have, lack = lack, have
		}
		f := finding.Finding{Subject: s.Name}
		switch {
		case user != password:
			f.Key = lack
			f.Message = have + " is set, but " + lack + " is not."
			f.Consequence = "The mail server does not log in to the relay, which then refuses mail to other domains."
			f.Remedy = "Set " + lack + " as well, or delete " + have + "."
		case !host:
			f.Key = "RELAY_HOST"
			f.Message = "RELAY_USER and RELAY_PASSWORD are set, but neither RELAY_HOST nor DEFAULT_RELAY_HOST is."
			f.Consequence = "Mail goes to other servers directly, not through the relay; where that is not allowed it does not arrive."
			f.Remedy = "Set DEFAULT_RELAY_HOST=[HOST]:587 with the name of the relay."
		case known && major < 14 && !given(s, "RELAY_HOST"):
			f.Key = "RELAY_HOST"
			f.Message = "RELAY_USER and RELAY_PASSWORD are set, but up to release 13 they count only together with RELAY_HOST."
			f.Consequence = "The mail server does not log in to the relay, which then refuses mail to other domains."
			f.Remedy = "Set RELAY_HOST and RELAY_PORT to host and port of DEFAULT_RELAY_HOST as well."
		default:
			continue
		}
		for _, key := range []string{have, have + "__FILE"} {
			if v, ok := s.Get(key); ok && len(f.Locations) == 0 {
				f.Locations = v.Locations()
			}
		}
		out = append(out, f)
	}
	return out
}

// byDirectory reports whether docker-mailserver takes its users from LDAP.
func byDirectory(s *deployment.Service) bool {
	return value(s, "ACCOUNT_PROVISIONER") == "LDAP" || value(s, "ENABLE_LDAP") == "1"
}

func relayDirectory(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "RELAY_HOST"), func(x sighting) *verdict {
		if x.text() == "" || !byDirectory(x.service) || given(x.service, "DEFAULT_RELAY_HOST") {
			return nil
		}
		host, port := x.text(), value(x.service, "RELAY_PORT")
		if m := hostWithPort.FindStringSubmatch(host); m != nil {
			host = m[1]
		}
		if port == "" {
			port = "25"
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", but the users are in the directory, and for them it is not used unless a file postfix-relaymap.cf says so.",
			consequence: "Mail goes to other servers directly, not through the relay; where that is not allowed it does not arrive.",
			remedy:      "Add DEFAULT_RELAY_HOST=[" + shortened(host) + "]:" + port,
			here:        true,
		}
	})
}

func relayTLSPort(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "RELAY_PORT", "DEFAULT_RELAY_HOST"), func(x sighting) *verdict {
		port := x.value.Key == "RELAY_PORT" && x.text() == "465" && given(x.service, "RELAY_HOST")
		if !port && !(x.value.Key == "DEFAULT_RELAY_HOST" && strings.HasSuffix(x.text(), ":465")) {
			return nil
		}
		return &verdict{
			message:     x.name() + " is " + x.shown() + ", but the mail server begins without TLS on every port.",
			consequence: "Mail to other domains stays in the queue, and senders get it back after days.",
			remedy:      "Use port 587 of the relay, or write smtp_tls_wrappermode = yes into postfix-main.cf of the mail server's folder.",
		}
	})
}

// trusting are the values of PERMIT_DOCKER that let a whole network send.
var trusting = []string{"host", "network", "connected-networks"}

func openRelay(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		v, ok := s.Get("PERMIT_DOCKER")
		if !ok || !isMailserver(in, s) || !slices.Contains(trusting, v.Reveal()) || speaksIPv6(in, s) {
			continue
		}
		for i, p := range s.Ports {
			if !slices.Contains([]uint32{25, 465, 587}, p.Target) || p.Published == "" || !onIPv6(p.HostIP) {
				continue
			}
			out = append(out, finding.Finding{
				Subject: s.Name, Key: "PERMIT_DOCKER",
				Message:     "Port " + itoa(int(p.Target)) + " is published on every address of the host, those of IPv6 too, and PERMIT_DOCKER is " + v.Reveal() + ".",
				Consequence: "On a host with IPv6 anybody may send mail through this server without a password: it sends spam, and other servers then refuse your mail.",
				Remedy:      "Publish it on IPv4 alone: 0.0.0.0:" + p.Published + ":" + itoa(int(p.Target)) + ", and the other mail ports likewise.",
				Locations:   append([]finding.Location{s.Locate("ports", itoa(i)).As(finding.Fix)}, placed(v, finding.Related)...),
			})
			break // the other ports are changed along
		}
	}
	return out
}

// onIPv6 reports whether a port with this address of the host is open over IPv6.
func onIPv6(hostIP string) bool {
	if hostIP == "" {
		return true
	}
	a, err := netip.ParseAddr(strings.Trim(hostIP, "[]"))
	return err == nil && a.Is6() && !a.IsLoopback()
}

// speaksIPv6 reports whether a network of the service has IPv6 itself, so that
// connections keep their address.
func speaksIPv6(in *Input, s *deployment.Service) bool {
	return s.NetworkMode == "host" || slices.ContainsFunc(s.NetworkNames(), func(name string) bool {
		n := in.Deployment.Model.Networks[name]
		return n.EnableIPv6 != nil && *n.EnableIPv6
	})
}

// publicResolvers are those that block lists do not answer.
var publicResolvers = map[string]string{
	"8.8.8.8": "Google", "8.8.4.4": "Google", "2001:4860:4860::8888": "Google", "2001:4860:4860::8844": "Google",
	"1.1.1.1": "Cloudflare", "1.0.0.1": "Cloudflare", "2606:4700:4700::1111": "Cloudflare", "2606:4700:4700::1001": "Cloudflare",
	"9.9.9.9": "Quad9", "149.112.112.112": "Quad9", "2620:fe::fe": "Quad9", "2620:fe::9": "Quad9",
	"208.67.222.222": "OpenDNS", "208.67.220.220": "OpenDNS",
}

func dnsblResolver(in *Input) []finding.Finding {
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Mail) {
		if !isMailserver(in, s) {
			continue
		}
		for i, dns := range s.DNS {
			owner := publicResolvers[dns]
			major, known := mailRelease(in, s)
			f := finding.Finding{
				Subject: s.Name, Key: "dns",
				Message:   "dns of " + s.Name + " is " + dns + ", the public resolver of " + owner + ", which block lists such as Spamhaus do not answer.",
				Remedy:    "Delete the line and let the host use the resolver of your provider, or run one of your own, for example unbound, and write its address.",
				Locations: []finding.Location{s.Locate("dns", itoa(i)).As(finding.Fix)},
			}
			switch {
			case owner == "":
				continue
			case value(s, "ENABLE_DNSBL") == "1" || known && major <= 10 && !has(s, "ENABLE_DNSBL"):
				f.Consequence = "Mail from anybody may be refused as if it came from a spammer, or spam comes through."
			case value(s, "ENABLE_SPAMASSASSIN") == "1" || value(s, "ENABLE_RSPAMD") == "1":
				f.Severity = finding.Info
				f.Consequence = "The spam filter works without the block lists: users get more spam."
			default:
				continue
			}
			out = append(out, f)
			break
		}
	}
	return out
}

// may reports whether a container has a capability.
func may(s *deployment.Service, capability string) bool {
	return s.Privileged || slices.ContainsFunc(s.CapAdd, func(c string) bool {
		c = strings.TrimPrefix(strings.ToUpper(c), "CAP_")
		return c == capability || c == "ALL"
	})
}

func fail2ban(in *Input) []finding.Finding {
	return judge(in, onMailserver(in, "ENABLE_FAIL2BAN"), func(x sighting) *verdict {
		if x.text() != "1" || may(x.service, "NET_ADMIN") {
			return nil
		}
		return &verdict{
			message:     x.name() + " is 1, but the container has not got the capability NET_ADMIN.",
			consequence: "Whoever tries passwords from outside is never shut out; the log says that the ban failed.",
			remedy:      "Add cap_add: [NET_ADMIN] to " + x.service.Name + ".",
			here:        true,
		}
	})
}
