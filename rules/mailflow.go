package rules

import (
	"github.com/kopano-doctor/kopano-doctor/internal/finding"
	"github.com/kopano-doctor/kopano-doctor/internal/kopano"
)

// mailFlowRules are about the way of a mail through several services.
func mailFlowRules() []Rule {
	return []Rule{
		{
			ID: "mail-login-plaintext", Subject: "mail", Severity: finding.Error,
			Title: "kopano_gateway refuses the way in which the mail transport checks passwords",
			Why: "With SASLAUTHD_MECHANISMS=rimap the mail transport checks a password by logging in to kopano_gateway over IMAP without TLS (docker-mailserver, saslauth.conf). " +
				"With disable_plaintext_auth=yes kopano_gateway refuses each such login.",
			Source: "docker-mailserver supervisor/conf.d/saslauth.conf; kopano-core gateway/IMAP.cpp",
			Check:  plaintextRefused,
		},
		{
			ID: "spooler-relay-port", Subject: "mail", Severity: finding.Error,
			Title: "kopano_spooler sends to a port that wants a login",
			Why: "kopano_spooler can neither log in nor speak TLS from the start: spooler.cfg has no setting for it (kopano-core, Spooler.cpp). " +
				"On port 465 it waits for a greeting that does not come, and on 587 it is asked for a password that it does not have.",
			Source: "kopano-core spooler/Spooler.cpp; RFC 6409; RFC 8314",
			Check:  spoolerPort,
		},
	}
}

func plaintextRefused(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "mail-gateway" || in.Topology.Role(e.To) != kopano.Gateway {
			return nil
		}
		v, ok := e.To.Get("KCCONF_GATEWAY_DISABLE_PLAINTEXT_AUTH")
		if !ok || !isYes(v.Reveal()) {
			return nil
		}
		x := sighting{e.To, v}
		f := &fault{
			subject: e.To.Name, key: v.Key,
			message: x.name() + " is " + x.shown() + ", but " + e.From.Name + " checks passwords over IMAP without TLS (SASLAUTHD_MECHANISMS=rimap).",
			remedy:  "Write " + x.name() + "=no and do not publish port 143, or let " + e.From.Name + " check passwords in the directory: SASLAUTHD_MECHANISMS=ldap.",
			places:  v.Locations(),
		}
		if m, ok := e.From.Get("SASLAUTHD_MECHANISMS"); ok {
			f.places = append(f.places, placed(m, finding.Related)...)
		}
		return f
	})
}

func spoolerPort(in *Input) []finding.Finding {
	return judgeLinks(in, func(e *kopano.Edge) *fault {
		if e.Link.ID != "spooler-mail" || e.Addr.Problem != "" || in.Topology.Role(e.To) == kopano.Mail {
			return nil // the bundled mail transport's ports are compared with its own
		}
		x, ok := portSettingOf(e)
		if !ok || e.Addr.Port != 465 && e.Addr.Port != 587 {
			return nil
		}
		f := &fault{
			key:     x.value.Key,
			message: x.name() + " is " + x.shown() + ", where a mail server wants TLS or a login; kopano_spooler can do neither.",
			remedy:  "Use port 25 of a mail server that takes mail from this host, or a small relay of your own in between.",
			places:  x.value.Locations(),
		}
		if e.Addr.Port == 587 {
			f.severity = finding.Warning // some relays know their senders by address there too
		}
		return f
	})
}
