package rules

import (
	"strings"

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
		{
			ID: "spamd-group", Fixable: true, Subject: "mail", Severity: finding.Info,
			Title:  "The spam collector gives its files to a group that its image does not have",
			Why:    "kopano-spamd gives what users mark as spam to the group in sa_group, which is amavis unless something else is said; the core image has the group kopano.",
			Source: "kopano-docker spamd-extras/spamd-extras.yml; kopano-spamd.cfg(5), sa_group",
			Check:  spamdGroup,
		},
		{
			ID: "spamd-not-learnt", Subject: "mail", Severity: finding.Warning,
			Title:  "What users mark as spam is collected, but the spam filter does not learn from it",
			Why:    "kopano-spamd writes marked mails to /var/lib/kopano/spamd. The filter is in the mail server: it must see that folder, and a job must call sa-learn there.",
			Source: "kopano-docker spamd-extras/spamd-extras.yml",
			Check:  spamdNotLearnt,
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

func spamdGroup(in *Input) []finding.Finding {
	const key = "KCCONF_SPAMD_SA_GROUP"
	var out []finding.Finding
	for _, s := range in.Topology.Services(kopano.Spamd) {
		v, set := s.Get(key)
		if !kopano.ParseImage(s.Image).Is("kopano_core") || !configured(s) || set && v.Reveal() != "amavis" {
			continue
		}
		f := finding.Finding{
			Subject: s.Name, Key: key,
			Message:     key + " is not set, and so the group is amavis, which the image does not have.",
			Consequence: "What users mark as spam may not be stored, and the spam filter does not learn from it.",
			Remedy:      "Write " + key + "=kopano",
			Locations:   []finding.Location{s.Locate("environment").As(finding.Fix)},
			Edits:       settle(in, s, key, "kopano"),
		}
		if set {
			f.Message = key + " is amavis, a group that the image does not have."
			f.Locations = v.Locations()
		}
		out = append(out, f)
	}
	return out
}

// spamFolder is where kopano-spamd puts what users mark (spam_dir and ham_dir).
const spamFolder = "/var/lib/kopano/spamd"

func spamdNotLearnt(in *Input) []finding.Finding {
	mail, scheduler := firstService(in, kopano.Mail), firstService(in, kopano.Scheduler)
	if mail == nil || scheduler == nil || !isMailserver(in, mail) || value(mail, "ENABLE_SPAMASSASSIN") != "1" || learns(in) {
		return nil // the filter, or whatever teaches it, is elsewhere
	}
	spamd := firstService(in, kopano.Spamd)
	// Where the folder is not shared a rule about volumes speaks of it.
	if _, shared := kopano.MountAt(mail, spamFolder); spamd == nil || !shared {
		return nil
	}
	return []finding.Finding{{
		Subject: scheduler.Name, Key: "sa-learn",
		Message:     "No job of " + scheduler.Name + " calls sa-learn, for which " + spamd.Name + " collects mails.",
		Consequence: "The spam filter learns nothing: users mark the same spam again and again.",
		Remedy: "Add CRONDELAYED_LEARN_SPAM=0 4 * * * docker exec " + containerNames(in.Deployment, mail)[0] + " sa-learn --spam " + spamFolder + "/spam --dbpath /var/mail-state/lib-amavis/.spamassassin" +
			", and the same as CRONDELAYED_LEARN_HAM with --ham and " + spamFolder + "/ham.",
		Locations: []finding.Location{scheduler.Locate("environment").As(finding.Fix)},
	}}
}

// learns reports whether a job teaches the spam filter.
func learns(in *Input) bool {
	for _, s := range in.Topology.Services(kopano.Scheduler) {
		for _, key := range s.Keys() {
			if isJob(in)(s, key) && strings.Contains(value(s, key), "sa-learn") {
				return true
			}
		}
	}
	return false
}
